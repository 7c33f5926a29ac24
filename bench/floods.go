package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

// How much of each flood there is. All of it comes from this machine, from several addresses of its loopback network, and with
// several tokens, because the server bounds what one of either may have.
const (
	idleSockets   = 10_000
	slowReaders   = 1_000
	slowSenders   = 1_000
	floodCallers  = 8
	bombAliases   = 50_000
	hugeBody      = 10 << 20
	socketsOfOne  = 1_500 // of one address, and of one token
	dialersAtOnce = 64
	floodFor      = 500 // alerts of the caller who is measured, at the steady pace
)

// besieged is what came of a well-behaved caller while others flood the server.
type besieged struct {
	alone  quantiles // call to arrival
	before memory
	floods []siege
	lost   int
}

// siege is one flood.
type siege struct {
	name   string
	with   quantiles
	memory memory
	held   string // what was there of it, in words
}

// floodsOf measures a caller at a steady pace: alone, and during each flood, on one server.
func floodsOf(ctx context.Context, u *under, res *result) error {
	b := new(besieged)
	var n neighbourhood // only for the calls that were refused
	next := 0
	steadily := func(how string, count int) (quantiles, error) {
		from := next
		next += count
		err := u.steadily(ctx, &n, how, from, count)
		return u.ledger.times(from, next).arrival, err
	}
	if _, err := steadily("to warm up", warmUp); err != nil {
		return err
	}
	var err error
	if b.alone, err = steadily("alone", floodFor); err != nil {
		return err
	}
	b.before = memoryOf(u.server.pid())
	for _, f := range []struct {
		name  string
		begin func(context.Context) (held func() string, end func(), err error)
	}{
		{fmt.Sprintf("%d idle sockets", idleSockets), u.idle},
		{fmt.Sprintf("%d subscribers that do not read", slowReaders), u.unread},
		{fmt.Sprintf("%d slow headers and bodies", slowSenders), u.slowly},
		{fmt.Sprintf("queries of %d aliases, %d callers", bombAliases, floodCallers), u.aliases},
		{fmt.Sprintf("bodies of 10 MB, %d callers", floodCallers), u.huge},
	} {
		say("%s: %s", u.what, f.name)
		held, end, err := f.begin(ctx)
		if err == nil {
			s := siege{name: f.name}
			s.with, err = steadily("during it", floodFor)
			s.memory, s.held = memoryOf(u.server.pid()), held()
			b.floods = append(b.floods, s)
		}
		end()
		if err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		if err := sleep(ctx, settleTime); err != nil {
			return err
		}
	}
	if b.lost = u.ledger.lost(0, next); b.lost > 0 {
		err = fmt.Errorf("%d acknowledged alerts did not arrive", b.lost)
	}
	res.floods = b
	return err
}

// idle holds sockets that have said who they are and nothing more.
func (u *under) idle(ctx context.Context) (func() string, func(), error) {
	return u.sockets(ctx, idleSockets, "")
}

// unread holds subscribers that never read.
func (u *under) unread(ctx context.Context) (func() string, func(), error) {
	return u.sockets(ctx, slowReaders, subscription)
}

// sockets opens sockets from several addresses, with several tokens.
func (u *under) sockets(ctx context.Context, count int, subscribe string) (held func() string, end func(), err error) {
	var mu sync.Mutex
	var open []*websocket.Conn
	held = func() string { return fmt.Sprintf("%d open", len(open)) }
	end = func() { closeAll(open) }
	tokens := make([]string, (count+socketsOfOne-1)/socketsOfOne)
	for i := range tokens {
		if tokens[i], err = u.server.createToken(ctx, fmt.Sprintf("flood %d of %d", i, count)); err != nil {
			return held, end, err
		}
	}
	var next atomic.Int64
	var dialers sync.WaitGroup
	errs := make([]error, dialersAtOnce)
	for d := range dialersAtOnce {
		dialers.Go(func() {
			for {
				i := int(next.Add(1) - 1)
				if i >= count || ctx.Err() != nil {
					return
				}
				conn, err := u.server.socket(ctx, loopback(2+i/socketsOfOne), tokens[i/socketsOfOne], subscribe)
				if err != nil {
					errs[d] = err
					return
				}
				mu.Lock()
				open = append(open, conn)
				mu.Unlock()
			}
		})
	}
	dialers.Wait()
	return held, end, errors.Join(errs...)
}

func loopback(i int) net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(i))} }

// socket opens one from an address of ours, says who it is, and subscribes unless that is empty. Nobody reads it from then on.
func (s *server) socket(ctx context.Context, from net.Addr, token, subscribe string) (*websocket.Conn, error) {
	dialer := websocket.Dialer{
		Subprotocols: []string{"graphql-transport-ws"}, ReadBufferSize: 256, WriteBufferSize: 256,
		NetDialContext: (&net.Dialer{LocalAddr: from}).DialContext, HandshakeTimeout: callTimeout,
	}
	conn, resp, err := dialer.DialContext(ctx, "ws://"+s.addr+"/graphql", nil)
	if err != nil {
		return nil, fmt.Errorf("opening a WebSocket: %w", err)
	}
	_ = resp.Body.Close()
	sub := &subscriber{conn: conn}
	if err := sub.greet(token); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if subscribe != "" {
		err = conn.WriteJSON(map[string]any{"type": "subscribe", "id": "1", "payload": map[string]string{"query": subscribe}})
	}
	return conn, err
}

// slowly holds connections that send a byte a second: half of them of a header, half of a body.
func (u *under) slowly(ctx context.Context) (held func() string, end func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	var senders sync.WaitGroup
	var there atomic.Int64
	end = func() { cancel(); senders.Wait() }
	held = func() string { return fmt.Sprintf("%d still open", there.Load()) }
	body := fmt.Sprintf("POST /graphql HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n", u.server.addr, u.server.token)
	for i := range slowSenders {
		conn, err := (&net.Dialer{LocalAddr: loopback(2)}).DialContext(ctx, "tcp", u.server.addr)
		if err != nil {
			return held, end, err
		}
		there.Add(1)
		senders.Go(func() {
			defer conn.Close()
			defer there.Add(-1)
			beginning := "GET / HTTP/1.1\r\nX-"
			if i%2 == 0 {
				beginning = body
			}
			_, err := io.WriteString(conn, beginning)
			for err == nil && sleep(ctx, time.Second) == nil {
				_, err = io.WriteString(conn, " ")
			}
		})
	}
	return held, end, nil
}

// aliases sends queries that ask for the same thing again and again.
func (u *under) aliases(ctx context.Context) (func() string, func(), error) {
	var b strings.Builder
	b.WriteString(`{"query":"{`)
	for i := range bombAliases {
		fmt.Fprintf(&b, "a%d:viewer{name}", i)
	}
	b.WriteString(`}"}`)
	return u.post(ctx, []byte(b.String()))
}

// huge sends bodies that are larger than the server takes.
func (u *under) huge(ctx context.Context) (func() string, func(), error) {
	return u.post(ctx, bytes.Repeat([]byte(" "), hugeBody))
}

// post sends a body again and again.
func (u *under) post(ctx context.Context, body []byte) (held func() string, end func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	var callers sync.WaitGroup
	var sent, refused atomic.Int64
	client := &http.Client{Timeout: callTimeout}
	for range floodCallers {
		callers.Go(func() {
			for ctx.Err() == nil {
				req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+u.server.addr+"/graphql", bytes.NewReader(body))
				if err != nil {
					return
				}
				req.Header.Set("Authorization", "Bearer "+u.server.token)
				req.Header.Set("Content-Type", "application/json")
				resp, err := client.Do(req)
				sent.Add(1)
				if err != nil {
					refused.Add(1) // the server closes the connection on what it does not want to read
					continue
				}
				answer, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
				_ = resp.Body.Close()
				if bytes.Contains(answer, []byte(`"errors"`)) {
					refused.Add(1)
				}
			}
		})
	}
	return func() string { return fmt.Sprintf("%d of %d refused", refused.Load(), sent.Load()) }, func() { cancel(); callers.Wait() }, nil
}

// createToken makes a token that may read.
func (s *server) createToken(ctx context.Context, name string) (string, error) {
	var made struct{ CreateToken struct{ Secret string } }
	err := s.ask(ctx, `mutation ($name: String!) { createToken(input: {name: $name, role: VIEWER}) { secret } }`, map[string]any{"name": name}, &made)
	return made.CreateToken.Secret, err
}
