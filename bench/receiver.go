package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
)

const (
	receiverPath   = "/hook"
	receiverAnswer = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"
	receiverRefuse = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
)

// receiver is the webhook endpoint: an HTTP/1.1 server that does nothing but read whole requests, note them and answer, as
// cheaply as it can, since the server shares the machine with it. What it does not understand it refuses.
type receiver struct {
	listener net.Listener
	ledger   atomic.Pointer[ledger]
	serving  sync.WaitGroup

	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	closed bool
}

func startReceiver() (*receiver, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("starting the receiver: %w", err)
	}
	r := &receiver{listener: listener, conns: make(map[net.Conn]struct{})}
	r.ledger.Store(newLedger(0))
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

// note makes the receiver note arrivals in a ledger from now on.
func (r *receiver) note(l *ledger) { r.ledger.Store(l) }

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
		r.ledger.Load().arrive(body)
		_, _ = in.Discard(length) // peeked at: it is there
		if _, err := conn.Write([]byte(receiverAnswer)); err != nil {
			return
		}
	}
}
