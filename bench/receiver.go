package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	receiverPath   = "/hook"
	receiverAnswer = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"
	receiverRefuse = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
	receiverFails  = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"
	receiverBusy   = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
	receiverSilent = "" // hangs up
)

// manner says how a receiver treats a message: after what time it answers, and what. Only what is answered with
// receiverAnswer has arrived. nil = everything is taken at once.
type manner func(message []byte) (after time.Duration, answer string)

// receiver is the webhook endpoint: an HTTP/1.1 server that does nothing but read whole requests, note them and answer, as
// cheaply as it can, since the server shares the machine with it. What it does not understand it refuses.
type receiver struct {
	listener net.Listener
	state    atomic.Pointer[noting]
	serving  sync.WaitGroup

	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	closed bool
}

// noting is where a receiver notes arrivals, and how it treats them.
type noting struct {
	*ledger
	how manner
}

func startReceiver() (*receiver, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("starting the receiver: %w", err)
	}
	r := &receiver{listener: listener, conns: make(map[net.Conn]struct{})}
	r.note(newLedger(0), nil)
	r.serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			if r.keep(conn) {
				r.serving.Go(func() { r.serve(conn) })
			}
		}
	})
	return r, nil
}

func (r *receiver) addr() string { return r.listener.Addr().String() }

func (r *receiver) url() string { return "http://" + r.addr() + receiverPath }

// note makes the receiver note arrivals in a ledger from now on, and answer in this manner.
func (r *receiver) note(l *ledger, how manner) { r.state.Store(&noting{l, how}) }

func (r *receiver) close() {
	_ = r.listener.Close()
	r.mu.Lock()
	r.closed = true
	for conn := range r.conns {
		_ = conn.Close()
	}
	r.mu.Unlock()
	r.serving.Wait()
}

func (r *receiver) keep(conn net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		_ = conn.Close()
		return false
	}
	r.conns[conn] = struct{}{}
	return true
}

func (r *receiver) serve(conn net.Conn) {
	defer func() {
		_ = conn.Close()
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.conns, conn)
	}()
	in := bufio.NewReaderSize(conn, 16<<10)
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return
		}
		if !bytes.Equal(line, []byte("POST "+receiverPath+" HTTP/1.1\r\n")) {
			_, _ = conn.Write([]byte(receiverRefuse))
			return
		}
		length, err := readHeader(in)
		if err != nil {
			_, _ = conn.Write([]byte(receiverRefuse))
			return
		}
		body, err := in.Peek(length)
		if err != nil {
			return
		}
		after, answer := r.state.Load().take(body)
		_, _ = in.Discard(length) // peeked at: it is there
		if after > 0 && !stays(conn, in, after) || answer == receiverSilent {
			return
		}
		if _, err := conn.Write([]byte(answer)); err != nil {
			return
		}
	}
}

// take treats a message.
func (n *noting) take(message []byte) (after time.Duration, answer string) {
	answer = receiverAnswer
	if n.how != nil {
		after, answer = n.how(message)
	}
	if answer == receiverAnswer {
		n.arrive(message)
	}
	return after, answer
}

// stays waits, and reports whether the other side waited as well: one that has given up gets no answer.
func stays(conn net.Conn, in *bufio.Reader, d time.Duration) bool {
	_ = conn.SetReadDeadline(time.Now().Add(d))
	_, err := in.Peek(1)
	_ = conn.SetReadDeadline(time.Time{})
	return errors.Is(err, os.ErrDeadlineExceeded)
}
