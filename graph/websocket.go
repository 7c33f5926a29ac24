package graph

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql/handler/transport"
	"github.com/gorilla/websocket"
	"golang.org/x/time/rate"

	"github.com/rustbucket/alerts/access"
)

// Close codes of the graphql-transport-ws protocol, and 1012 of RFC 6455's registry, after which clients come back.
// https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md
const (
	closeServiceRestart   = 1012
	closeBadRequest       = 4400
	closeUnauthorized     = 4401
	closeForbidden        = 4403
	closeSubprotocol      = 4406
	closeInitTimeout      = 4408
	closeDuplicateID      = 4409
	closeTooManyInits     = 4429
	maxOperations         = 100  // under way on one socket
	maxGreeting           = 8192 // bytes, of a message before connection_ack: nobody knows yet who sends it
	messagesPerSecond     = 100  // from one client, in the long run
	messagesAtOnce        = 1000 // after a quiet time
	maxCloseReason        = 123  // bytes, RFC 6455 section 5.5
	websocketWriteTimeout = 10 * time.Second
	lingerTime            = time.Second
)

// transportProtocol is the one of the two subprotocols whose rules are held to here; the older one has none of them.
const transportProtocol = "graphql-transport-ws"

// sockets makes WebSocket connections with gorilla/websocket for gqlgen's transport. Beside what gqlgen does it holds every
// write to a deadline, so that a client that stops reading is cut off instead of keeping its connection for ever, and it
// answers breaches of the protocol with the codes that the protocol names.
type sockets struct {
	upgrader websocket.Upgrader
	draining context.Context // done when the server stops
	messages *access.Shelf
}

func newSockets(originAllowed func(*http.Request) bool, draining context.Context, messages *access.Shelf) sockets {
	return sockets{draining: draining, messages: messages, upgrader: websocket.Upgrader{
		// Reading goes through the buffer that net/http has for the connection in any case.
		WriteBufferSize: 4 << 10, WriteBufferPool: &sync.Pool{}, CheckOrigin: originAllowed,
		HandshakeTimeout: websocketWriteTimeout,
	}}
}

// Accept upgrades a request.
func (s sockets) Accept(w http.ResponseWriter, r *http.Request, o transport.WebsocketAcceptOptions) (transport.WebsocketConn, error) {
	u := s.upgrader
	u.Subprotocols = o.Subprotocols
	conn, err := u.Upgrade(w, r, o.ResponseHeader)
	if err != nil {
		return nil, err
	}
	c := &socket{Conn: conn, protocol: conn.Subprotocol(), draining: s.draining, messages: s.messages, visit: visitOf(r.Context()), pace: rate.NewLimiter(messagesPerSecond, messagesAtOnce), active: make(map[string]bool)}
	conn.SetPingHandler(func(data string) error { // what it is answered with keeps the processor from others
		if !c.pace.Allow() {
			return transport.ErrWebsocketClosed
		}
		_ = conn.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(websocketWriteTimeout))
		return nil
	})
	// gqlgen closes sockets whose clients have said who they are; one that is silent still would not hear of it.
	c.unwatch = context.AfterFunc(s.draining, func() {
		c.mu.Lock()
		silent := !c.greeted
		c.mu.Unlock()
		if silent {
			_ = c.WriteClose(closeServiceRestart, "")
			_ = c.Conn.Close()
		}
	})
	return c, nil
}

type socket struct {
	*websocket.Conn
	protocol string // the subprotocol that was agreed on
	draining context.Context
	visit    *visit
	pace     *rate.Limiter
	unwatch  func() bool

	messages  *access.Shelf
	readLimit int64 // of a message after connection_ack, in bytes

	mu      sync.Mutex
	greeted bool            // connection_init came
	acked   bool            // connection_ack went
	active  map[string]bool // ids of operations that are under way
	left    func()          // leaves the place that the last message has on the shelf; nil = it has none
}

// frame is what all messages of both protocols have in common.
type frame struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

// NextReader gives the next message, unless it breaks the protocol: then the connection is closed with the code for that.
func (s *socket) NextReader() (int, io.Reader, error) {
	s.leave() // what the message before asked for was done, or is under way
	viewer := s.welcome()
	kind, r, err := s.Conn.NextReader()
	if err != nil {
		var closed *websocket.CloseError
		if errors.As(err, &closed) || errors.Is(err, net.ErrClosed) || errors.Is(err, transport.ErrWebsocketClosed) {
			_ = s.Close()
			return kind, nil, transport.ErrWebsocketClosed
		}
		return kind, nil, err
	}
	message, leave, err := readLarge(r, s.messages, viewer, -1)
	s.mu.Lock()
	s.left = leave
	s.mu.Unlock()
	if err != nil && !errors.Is(err, errNoRoom) {
		s.leave()
		return kind, nil, err
	}
	code, reason := 0, ""
	if err != nil {
		code, reason = websocket.CloseTryAgainLater, "Too many large messages at a time"
	} else {
		code, reason = s.breach(message)
	}
	if !s.pace.Allow() {
		code, reason = websocket.ClosePolicyViolation, "Too many messages"
	}
	if !utf8.Valid(message) {
		code, reason = websocket.CloseInvalidFramePayloadData, "Invalid UTF-8"
	}
	if code != 0 {
		s.leave()
		_ = s.WriteClose(code, reason)
		s.linger()
		_ = s.Close()
		return kind, nil, transport.ErrWebsocketClosed
	}
	return kind, bytes.NewReader(message), nil
}

// welcome gives the viewer whose socket it is, once that is known: then messages may be as large as they may be.
func (s *socket) welcome() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.acked {
		return ""
	}
	s.Conn.SetReadLimit(s.readLimit)
	return s.visit.viewer
}

// leave gives up the place that the last message has on the shelf.
func (s *socket) leave() {
	s.mu.Lock()
	left := s.left
	s.left = nil
	s.mu.Unlock()
	if left != nil {
		left()
	}
}

// linger reads on for a moment after the last word: to close a connection with something unread in it throws that word away.
func (s *socket) linger() {
	_ = s.SetReadDeadline(time.Now().Add(lingerTime))
	for {
		if _, _, err := s.Conn.NextReader(); err != nil {
			return
		}
	}
}

// breach says how a message breaks the protocol; 0 when it does not. Of the older protocol only the number of operations is looked at.
func (s *socket) breach(message []byte) (code int, reason string) {
	var f frame
	err := json.Unmarshal(message, &f)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.protocol != transportProtocol {
		s.greeted = true
		switch f.Type {
		case "start":
			return s.begin(f.ID)
		case "stop":
			delete(s.active, f.ID)
		}
		return 0, ""
	}
	if err != nil {
		return closeBadRequest, "Invalid message received"
	}
	switch f.Type {
	case "connection_init":
		if s.greeted {
			return closeTooManyInits, "Too many initialisation requests"
		}
		s.greeted = true
	case "subscribe":
		if !s.acked {
			return closeUnauthorized, "Unauthorized"
		}
		return s.begin(f.ID)
	case "complete":
		delete(s.active, f.ID)
	case "ping", "pong":
	default:
		return closeBadRequest, "Invalid message received"
	}
	return 0, ""
}

// begin notes that an operation begins, unless it must not. s.mu is held.
func (s *socket) begin(id string) (code int, reason string) {
	switch {
	case id == "":
		return closeBadRequest, "Invalid message received"
	case s.active[id]:
		return closeDuplicateID, "Subscriber for " + id + " already exists"
	case len(s.active) >= maxOperations:
		return websocket.ClosePolicyViolation, "Too many operations at a time"
	}
	s.active[id] = true
	return 0, ""
}

// SetReadLimit bounds the messages to come once it is known who sends them.
func (s *socket) SetReadLimit(limit int64) {
	s.Conn.SetReadLimit(maxGreeting)
	s.readLimit = limit
}

// Close ends the connection.
func (s *socket) Close() error {
	s.unwatch()
	s.leave()
	return s.Conn.Close()
}

// WriteJSON sends a message within the deadline, or closes the connection.
func (s *socket) WriteJSON(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if !s.note(b) {
		return nil
	}
	_ = s.SetWriteDeadline(time.Now().Add(websocketWriteTimeout))
	if err := s.WriteMessage(websocket.TextMessage, b); err != nil {
		_ = s.Close() // the reading side ends with it, and so do the operations
		return err
	}
	return nil
}

// note follows what the server says, and reports whether it should be said: an operation that has ended with an error, or
// that the client has ended, is not completed once more. gqlgen writes the type last, so a long payload is not looked at.
func (s *socket) note(message []byte) bool {
	ack := bytes.HasSuffix(message, []byte(`"type":"connection_ack"}`))
	ended := bytes.HasSuffix(message, []byte(`"type":"complete"}`)) || bytes.HasSuffix(message, []byte(`"type":"error"}`))
	var f frame
	if !ack && !ended || json.Unmarshal(message, &f) != nil {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if ack {
		s.acked = true
		return true
	}
	under := s.active[f.ID]
	delete(s.active, f.ID)
	return under || s.protocol != transportProtocol
}

// WriteClose closes with the code that the protocol has for what gqlgen means.
func (s *socket) WriteClose(code int, reason string) error {
	switch {
	case s.draining.Err() != nil:
		code, reason = closeServiceRestart, "Service restart"
	case s.visit.unwelcome.Load():
		code, reason = closeUnauthorized, "Unauthorized"
	case reason == "connection initialisation timeout":
		code, reason = closeInitTimeout, "Connection initialisation timeout"
	case reason == "decoding error", reason == "unexpected message":
		code, reason = closeBadRequest, "Invalid message received"
	case code == transport.WebsocketCloseProtocolError:
		code, reason = closeSubprotocol, "Subprotocol not acceptable"
	}
	if len(reason) > maxCloseReason {
		reason = reason[:maxCloseReason]
	}
	return s.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, reason), time.Now().Add(websocketWriteTimeout))
}
