package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

// subscription is what every subscriber sends, to the letter.
const subscription = `subscription { alertCreated { id type severity message createdAt rustbucket { id name } } }`

// maxEvent is the longest message that a subscriber takes.
const maxEvent = 64 << 10

// subscriber is a client of graphql-transport-ws on a connection of its own. It keeps the time at which it saw each alert.
type subscriber struct {
	conn   *websocket.Conn
	ledger *ledger
	at     []atomic.Int64 // by sequence number; 0 = not seen
	seen   atomic.Int64   // alerts seen, each counted once
	again  atomic.Int64   // alerts seen once more
	closed atomic.Bool
	ended  chan struct{}
	failed error // why it ended before it was closed; for after ended
}

func newSubscriber(ctx context.Context, s *server, l *ledger) (*subscriber, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	dialer := websocket.Dialer{Subprotocols: []string{"graphql-transport-ws"}, ReadBufferSize: 4 << 10, WriteBufferSize: 1 << 10}
	conn, resp, err := dialer.DialContext(ctx, "ws://"+s.addr+"/graphql", http.Header{})
	if err != nil {
		return nil, fmt.Errorf("opening a WebSocket: %w", err)
	}
	_ = resp.Body.Close() // has nothing more to say
	sub := &subscriber{conn: conn, ledger: l, at: make([]atomic.Int64, len(l.called)), ended: make(chan struct{})}
	conn.SetReadLimit(maxEvent)
	if err := sub.begin(s.token); err != nil {
		_ = conn.Close()
		return nil, err
	}
	go sub.read()
	return sub, nil
}

func (s *subscriber) begin(token string) error {
	if err := s.greet(token); err != nil {
		return err
	}
	err := s.conn.WriteJSON(map[string]any{"type": "subscribe", "id": "1", "payload": map[string]string{"query": subscription}})
	if err != nil {
		return fmt.Errorf("subscribing: %w", err)
	}
	return nil
}

// greet says who it is, and waits until the server has taken that.
func (s *subscriber) greet(token string) error {
	_ = s.conn.SetReadDeadline(time.Now().Add(callTimeout))
	err := s.conn.WriteJSON(map[string]any{"type": "connection_init", "payload": map[string]string{"Authorization": "Bearer " + token}})
	if err != nil {
		return fmt.Errorf("sending connection_init: %w", err)
	}
	for {
		var answer struct{ Type string }
		if err := s.conn.ReadJSON(&answer); err != nil {
			return fmt.Errorf("waiting for connection_ack: %w", err)
		}
		if answer.Type == "connection_ack" {
			break
		}
	}
	return s.conn.SetReadDeadline(time.Time{})
}

// Close ends the subscriber.
func (s *subscriber) Close() error {
	s.closed.Store(true)
	err := s.conn.Close()
	<-s.ended
	return err
}

// failure says why the subscriber has ended by itself; nil when it has not.
func (s *subscriber) failure() error {
	select {
	case <-s.ended:
		return s.failed
	default:
		return nil
	}
}

// read takes messages until the connection ends.
func (s *subscriber) read() {
	defer close(s.ended)
	var buf bytes.Buffer
	for {
		_, r, err := s.conn.NextReader()
		if err == nil {
			buf.Reset()
			_, err = io.Copy(&buf, r)
		}
		if err == nil {
			err = s.take(buf.Bytes())
		}
		if err != nil {
			if !s.closed.Load() {
				s.failed = fmt.Errorf("a subscriber was cut off: %w", err)
			}
			return
		}
	}
}

// take notes the alert in a message, and answers a ping.
func (s *subscriber) take(message []byte) error {
	now := s.ledger.now()
	if seq, ok := seqIn(message); ok && seq < len(s.at) {
		if s.at[seq].CompareAndSwap(0, int64(now)) {
			s.seen.Add(1)
		} else {
			s.again.Add(1)
		}
		return nil
	}
	var other struct{ Type string }
	if err := json.Unmarshal(message, &other); err != nil {
		return err
	}
	switch other.Type {
	case "ping":
		return s.conn.WriteJSON(map[string]string{"type": "pong"})
	case "pong":
		return nil
	}
	return fmt.Errorf("unexpected: %.300s", message)
}
