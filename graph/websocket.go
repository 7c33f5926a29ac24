package graph

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
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
// write to a deadline, so that a client that stops reading is cut off instead of keeping its connection for ever, it
// answers breaches of the protocol with the codes that the protocol names, and it lets a client use an id again as soon as it has ended
// the operation that had it: to gqlgen every operation has an id of its own, or the end of one would be taken for that of the next.
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
	c := &socket{Conn: conn, protocol: conn.Subprotocol(), draining: s.draining, messages: s.messages, visit: visitOf(r.Context()), pace: rate.NewLimiter(messagesPerSecond, messagesAtOnce), operations: newOperations()}
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
	greeted bool   // connection_init came
	acked   bool   // connection_ack went
	left    func() // leaves the place that the last message has on the shelf; nil = it has none
	operations
}

// frame is what all messages of both protocols have in common.
type frame struct {
	Payload json.RawMessage `json:"payload,omitempty"`
	ID      string          `json:"id,omitempty"`
	Type    string          `json:"type"`
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
	switch {
	case !utf8.Valid(message):
		code, reason = websocket.CloseInvalidFramePayloadData, "Invalid UTF-8"
	case !s.pace.Allow():
		code, reason = websocket.ClosePolicyViolation, "Too many messages"
	case err != nil:
		code, reason = websocket.CloseTryAgainLater, "Too many large messages at a time"
	default:
		message, code, reason = s.inward(message)
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

// inward gives a message as gqlgen is to have it, or says how it breaks the protocol: code is 0 when it does not. Of the older protocol
// only the operations are looked at.
func (s *socket) inward(message []byte) (_ []byte, code int, reason string) {
	var f frame
	if json.Unmarshal(message, &f) != nil {
		return nil, closeBadRequest, "Invalid message received"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	older := s.protocol != transportProtocol
	if older {
		s.greeted = true
	}
	switch {
	case older && f.Type == "start":
		f.ID, code, reason = s.begin(f.ID)
	case older && f.Type == "stop", !older && f.Type == "complete":
		f.ID = s.end(f.ID)
	case older:
		return message, 0, ""
	case f.Type == "connection_init":
		if s.greeted {
			return nil, closeTooManyInits, "Too many initialisation requests"
		}
		s.greeted = true
		return message, 0, ""
	case f.Type == "subscribe":
		if !s.acked {
			return nil, closeUnauthorized, "Unauthorized"
		}
		f.ID, code, reason = s.begin(f.ID)
	case f.Type == "ping", f.Type == "pong":
		return message, 0, ""
	default:
		return nil, closeBadRequest, "Invalid message received"
	}
	if code != 0 {
		return nil, code, reason
	}
	message, err := json.Marshal(f)
	if err != nil {
		return nil, closeBadRequest, "Invalid message received"
	}
	return message, 0, ""
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
	if b = s.outward(b); b == nil {
		return nil
	}
	_ = s.SetWriteDeadline(time.Now().Add(websocketWriteTimeout))
	if err := s.WriteMessage(websocket.TextMessage, b); err != nil {
		_ = s.Close() // the reading side ends with it, and so do the operations
		return err
	}
	return nil
}

// How gqlgen's messages about an operation end, and whether the operation ends with them. It writes the type last, and the id before it.
var endings = []struct {
	text string
	last bool
}{{`","type":"next"}`, false}, {`","type":"data"}`, false}, {`","type":"error"}`, true}, {`","type":"complete"}`, true}}

const (
	ackEnding = `"type":"connection_ack"}`
	idBegins  = `"id":"`
)

// outward gives a message as the client is to have it, or nil when it is not to: an operation that has ended with an error, or that
// the client has ended, says nothing any more. The older protocol completes what the client has ended.
func (s *socket) outward(message []byte) []byte {
	if bytes.HasSuffix(message, []byte(ackEnding)) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.acked = true
		return message
	}
	for _, ending := range endings {
		head, ok := bytes.CutSuffix(message, []byte(ending.text))
		if !ok {
			continue
		}
		number := head[len(bytes.TrimRight(head, "0123456789")):]
		head = head[:len(head)-len(number)]
		if !bytes.HasSuffix(head, []byte(idBegins)) {
			return message
		}
		s.mu.Lock()
		id, under := s.say(string(number), ending.last)
		s.mu.Unlock()
		if !under && (!ending.last || id == "" || s.protocol == transportProtocol) {
			return nil
		}
		return append(append(head[:len(head)-1], id...), ending.text[1:]...)
	}
	return message
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
		reason = strings.ToValidUTF8(reason[:maxCloseReason], "")
	}
	return s.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, reason), time.Now().Add(websocketWriteTimeout))
}
