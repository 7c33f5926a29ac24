package notifiers

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxSessionBytes is how much a mail server may send in one session. A real one needs a few hundred bytes.
const maxSessionBytes = 1 << 20

// maxReplyBytes is how much of one reply is remembered.
const maxReplyBytes = 8 << 10

// noTLSError reports a server that does not offer what EMAIL_USE_TLS requires.
type noTLSError struct{ host string }

func (e *noTLSError) Error() string {
	return "the mail server " + e.host + " does not offer STARTTLS, which EMAIL_USE_TLS requires: nothing was sent"
}

// dialMail connects, and encrypts where the settings say so. The library would go on in clear when STARTTLS is not
// offered; it never gets to see such a connection. EGRESS_ALLOW is not asked: the operator names the mail server.
func dialMail(ctx context.Context, s MailSettings, helo string) (*mailConn, error) {
	var dialer net.Dialer
	raw, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(s.Host, strconv.Itoa(s.Port)))
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	conn := newMailConn(raw)
	if s.UseTLS {
		if err := startTLS(conn, s.Host, helo); err != nil {
			_ = raw.Close()
			return nil, err
		}
	}
	if s.UseTLS || s.UseSSL {
		secure := tls.Client(raw, &tls.Config{ServerName: s.Host, RootCAs: s.RootCAs, MinVersion: tls.VersionTLS12})
		if err := secure.HandshakeContext(ctx); err != nil {
			_ = raw.Close()
			return nil, fmt.Errorf("encrypting the connection: %w", err)
		}
		conn = newMailConn(secure)
	}
	if s.UseTLS {
		// The greeting came before the encryption, and the library waits for one.
		conn.pending = []byte("220 " + s.Host + "\r\n")
	}
	return conn, nil
}

// startTLS goes through RFC 3207 up to the point where the encryption begins.
func startTLS(conn *mailConn, host, helo string) error {
	text := textproto.NewConn(conn)
	if _, _, err := text.ReadResponse(220); err != nil {
		return err
	}
	if _, err := command(text, 250, "EHLO "+helo); err != nil {
		var reply *textproto.Error
		if errors.As(err, &reply) && reply.Code/100 == 5 {
			return &noTLSError{host} // it knows no EHLO, and so no extensions
		}
		return err
	}
	if !conn.offer("STARTTLS") {
		return &noTLSError{host}
	}
	if _, err := command(text, 220, "STARTTLS"); err != nil {
		return err
	}
	if text.R.Buffered() > 0 {
		// Whoever put it there wants it to be taken for part of the encrypted session.
		return errors.New("the mail server sent more before the encryption began")
	}
	return nil
}

func command(text *textproto.Conn, expect int, line string) (string, error) {
	if err := text.PrintfLine("%s", line); err != nil {
		return "", err
	}
	_, message, err := text.ReadResponse(expect)
	return message, err
}

// mailConn is a connection that knows what was asked last and what was answered: the library's errors tell neither the
// command they belong to nor the reply to a success. A session is lock-step, so a reply is what comes between two writes.
type mailConn struct {
	net.Conn
	pending []byte // to be read before the connection's own

	mu       sync.Mutex
	verb     string // of the last command: "RCPT"; "." for the message itself
	offers   string // what the server said to EHLO
	answer   bytes.Buffer
	reading  bool // the last thing that happened was a read
	received int
}

func newMailConn(c net.Conn) *mailConn { return &mailConn{Conn: c} }

var errOverrun = errors.New("the mail server sent more than it should")

func (c *mailConn) Read(p []byte) (int, error) {
	n, err := 0, error(nil)
	if len(c.pending) > 0 {
		n = copy(p, c.pending)
		c.pending = c.pending[n:]
	} else {
		n, err = c.Conn.Read(p)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reading = true
	c.received += n
	if room := maxReplyBytes - c.answer.Len(); room > 0 {
		c.answer.Write(p[:min(n, room)])
	}
	if c.received > maxSessionBytes {
		return n, errOverrun
	}
	return n, err
}

func (c *mailConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	if c.reading || c.verb == "" {
		c.note(p)
	}
	c.mu.Unlock()
	return c.Conn.Write(p)
}

// note takes in the beginning of a command, without its arguments: they may be credentials.
func (c *mailConn) note(p []byte) {
	last := c.answer.String()
	if c.verb == "EHLO" {
		c.offers = last
	}
	switch {
	case c.verb == "AUTH" && strings.HasPrefix(last, "334"): // goes on with AUTH
	case c.verb == "DATA" && strings.HasPrefix(last, "354"):
		c.verb = "."
	default:
		line, _, _ := strings.Cut(string(p[:min(len(p), 1024)]), "\r\n")
		verb, _, _ := strings.Cut(line, " ")
		c.verb = strings.ToUpper(verb)
	}
	c.answer.Reset()
	c.reading = false
}

// stage is the command that was sent last.
func (c *mailConn) stage() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.verb
}

// offer reports whether the server said to EHLO that it knows an extension, named in upper case.
func (c *mailConn) offer(extension string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	offers := c.offers
	if c.verb == "EHLO" {
		offers = c.answer.String()
	}
	for line := range strings.Lines(offers) {
		if words := strings.Fields(strings.ToUpper(line[min(len(line), len("250-")):])); len(words) > 0 && words[0] == extension {
			return true
		}
	}
	return false
}

// reply is what the server said since the last command.
func (c *mailConn) reply() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.answer.String()
}

func (c *mailConn) isOverrun() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.received > maxSessionBytes
}
