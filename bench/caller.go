package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// callTimeout is how long a caller waits for an answer.
const callTimeout = 30 * time.Second

// alertType is the type that the channel which everybody measures is told about.
const alertType = "error"

// errOverloaded is the server's answer to a call that it has no room for: nothing was stored.
var errOverloaded = errors.New("OVERLOADED")

// load is what callers send: one request after another, each for the next alert.
type load struct {
	addr    string
	path    string
	token   string
	kind    string // type of the alerts
	notify  bool
	callers int
	accept  func(status int, body []byte) error // nil = the alert is safe
	every   time.Duration                       // one call in this time by all together; 0 = as fast as they can
}

// send calls for the alerts from one sequence number up to before another and notes them in the ledger. It gives the number
// of calls that were refused for OVERLOADED; any other failure ends it.
func (l load) send(ctx context.Context, led *ledger, from, to int) (refused int, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next, overloaded atomic.Int64
	next.Store(int64(from))
	began := time.Now()
	var callers sync.WaitGroup
	for i := range l.callers {
		c, err := dial(ctx, l, i)
		if err != nil {
			cancel(err)
			break
		}
		callers.Go(func() {
			defer context.AfterFunc(ctx, func() { _ = c.conn.Close() })()
			defer c.conn.Close()
			for ctx.Err() == nil {
				seq := int(next.Add(1) - 1)
				if seq >= to {
					return
				}
				if l.every > 0 {
					time.Sleep(time.Until(began.Add(time.Duration(seq-from) * l.every)))
				}
				led.called[seq] = led.now()
				switch err := c.call(seq, l.accept); {
				case err == nil:
					led.answered[seq] = led.now()
				case errors.Is(err, errOverloaded):
					overloaded.Add(1)
				default:
					cancel(fmt.Errorf("creating alert %d: %w", seq, err))
				}
			}
		})
	}
	callers.Wait()
	return int(overloaded.Load()), context.Cause(ctx)
}

// caller is one client on a connection of its own, which it keeps. It spends as little as it can: the server shares the
// machine with it. Its request is made once; only the digits of the sequence number change.
type caller struct {
	conn    net.Conn
	in      *bufio.Reader
	request []byte
	digits  []byte // within request
}

func dial(ctx context.Context, l load, number int) (*caller, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", l.addr)
	if err != nil {
		return nil, fmt.Errorf("connecting caller %d: %w", number, err)
	}
	body := alertRequest(number, l.kind, l.notify)
	request := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		l.path, l.addr, l.token, len(body), body)
	at := bytes.Index(request, []byte(marker)) + len(marker)
	return &caller{conn: conn, in: bufio.NewReaderSize(conn, 8<<10), request: request, digits: request[at:][:seqDigits]}, nil
}

// alertRequest is the body of a createAlert as a script would send it. Each caller is a rustbucket of its own.
func alertRequest(number int, kind string, notify bool) string {
	return fmt.Sprintf(`{"query":"mutation($input: CreateAlertInput!) { createAlert(input: $input) { id } }","variables":{"input":{`+
		`"type":%q,"severity":"HIGH","message":"%s00000000: Rustbucket node is not responding",`+
		`"rustbucket":{"id":"BKT%06d","name":"Production Node %d"},"notify":%t}}}`, kind, marker, number, number, notify)
}

// call sends the request for one alert and waits for the answer.
func (c *caller) call(seq int, accept func(int, []byte) error) error {
	putSeq(c.digits, seq)
	if err := c.conn.SetDeadline(time.Now().Add(callTimeout)); err != nil {
		return err
	}
	if _, err := c.conn.Write(c.request); err != nil {
		return err
	}
	return c.answer(accept)
}

// answer reads a response of which the length is told, as our server and our receiver tell it for a short one.
func (c *caller) answer(accept func(int, []byte) error) error {
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	if len(line) < len("HTTP/1.1 200") || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return fmt.Errorf("not HTTP: %q", line)
	}
	status, err := strconv.Atoi(string(line[9:12]))
	if err != nil {
		return fmt.Errorf("not HTTP: %q", line)
	}
	length, err := readHeader(c.in)
	if err != nil {
		return err
	}
	body, err := c.in.Peek(length)
	if err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	err = accept(status, body)
	_, _ = c.in.Discard(length) // peeked at: it is there
	return err
}

// readHeader reads up to the empty line behind the header and gives the length of the body. A body whose length is not
// told, or which does not fit into the reader's buffer, is an error.
func readHeader(in *bufio.Reader) (int, error) {
	length := -1
	for {
		line, err := in.ReadSlice('\n')
		switch {
		case err != nil:
			return 0, fmt.Errorf("reading the header: %w", err)
		case len(line) <= len("\r\n"):
			if length < 0 || length > in.Size() {
				return 0, fmt.Errorf("a body of unknown or too large length (%d)", length)
			}
			return length, nil
		}
		name, value, ok := bytes.Cut(line, []byte(":"))
		if ok && len(name) == len("Content-Length") && bytes.EqualFold(name, []byte("Content-Length")) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return 0, fmt.Errorf("reading the header: %w", err)
			}
		}
	}
}

// alertCreated accepts the answer of a createAlert that was carried out.
func alertCreated(status int, body []byte) error {
	switch {
	case status == http.StatusOK && bytes.HasPrefix(body, []byte(`{"data":{"createAlert":{"id":"`)):
		return nil
	case bytes.Contains(body, []byte(errOverloaded.Error())):
		return errOverloaded
	}
	return fmt.Errorf("the server answered %d: %.500s", status, body)
}

// taken accepts the receiver's own answer.
func taken(status int, body []byte) error {
	if status != http.StatusOK {
		return fmt.Errorf("the receiver answered %d: %.500s", status, body)
	}
	return nil
}

// closeAll closes everything and forgets about errors: nothing is lost with what is closed here.
func closeAll[T io.Closer](all []T) {
	for _, c := range all {
		_ = c.Close()
	}
}
