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
	maxCloseReason        = 123 // bytes, RFC 6455 section 5.5
	websocketWriteTimeout = 10 * time.Second
)

// sockets makes WebSocket connections with gorilla/websocket for gqlgen's transport. Beside what gqlgen does it holds every
// write to a deadline, so that a client that stops reading is cut off instead of keeping its connection for ever, and it
// answers breaches of the protocol with the codes that the protocol names.
type sockets struct {
	upgrader websocket.Upgrader
	draining context.Context // done when the server stops
}

func newSockets(originAllowed func(*http.Request) bool, draining context.Context) sockets {
	return sockets{draining: draining, upgrader: websocket.Upgrader{
		ReadBufferSize: 1 << 10, WriteBufferSize: 4 << 10, WriteBufferPool: &sync.Pool{}, CheckOrigin: originAllowed,
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
	return &socket{Conn: conn, draining: s.draining, active: make(map[string]bool)}, nil
}

type socket struct {
	*websocket.Conn
	draining context.Context

	mu      sync.Mutex
	greeted bool            // connection_init came
	acked   bool            // connection_ack went
	active  map[string]bool // ids of operations that are under way
}

// frame is what all messages of both protocols have in common.
type frame struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

// NextReader gives the next message, unless it breaks the protocol: then the connection is closed with the code for that.
func (s *socket) NextReader() (int, io.Reader, error) {
	kind, r, err := s.Conn.NextReader()
	if err != nil {
		var closed *websocket.CloseError
		if errors.As(err, &closed) || errors.Is(err, net.ErrClosed) {
			return kind, nil, transport.ErrWebsocketClosed
		}
		return kind, nil, err
	}
	message, err := io.ReadAll(r)
	if err != nil {
		return kind, nil, err
	}
	code, reason := s.breach(message)
	if !utf8.Valid(message) {
		code, reason = websocket.CloseInvalidFramePayloadData, "Invalid UTF-8"
	}
	if code != 0 {
		_ = s.WriteClose(code, reason)
		_ = s.Close()
		return kind, nil, transport.ErrWebsocketClosed
	}
	return kind, bytes.NewReader(message), nil
}

// breach says how a message breaks the protocol; 0 when it does not.
func (s *socket) breach(message []byte) (code int, reason string) {
	if s.Subprotocol() != "graphql-transport-ws" {
		return 0, ""
	}
	var f frame
	if json.Unmarshal(message, &f) != nil {
		return closeBadRequest, "Invalid message received"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch f.Type {
	case "connection_init":
		if s.greeted {
			return closeTooManyInits, "Too many initialisation requests"
		}
		s.greeted = true
	case "subscribe":
		switch {
		case !s.acked:
			return closeUnauthorized, "Unauthorized"
		case f.ID == "":
			return closeBadRequest, "Invalid message received"
		case s.active[f.ID]:
			return closeDuplicateID, "Subscriber for " + f.ID + " already exists"
		}
		s.active[f.ID] = true
	case "complete":
		delete(s.active, f.ID)
	case "ping", "pong":
	default:
		return closeBadRequest, "Invalid message received"
	}
	return 0, ""
}

// WriteJSON sends a message within the deadline, or closes the connection.
func (s *socket) WriteJSON(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	s.note(b)
	_ = s.SetWriteDeadline(time.Now().Add(websocketWriteTimeout))
	if err := s.WriteMessage(websocket.TextMessage, b); err != nil {
		_ = s.Close() // the reading side ends with it, and so do the operations
		return err
	}
	return nil
}

// note follows what the server says. gqlgen writes the type last, so that a long payload need not be looked at.
func (s *socket) note(message []byte) {
	ack := bytes.HasSuffix(message, []byte(`"type":"connection_ack"}`))
	ended := bytes.HasSuffix(message, []byte(`"type":"complete"}`)) || bytes.HasSuffix(message, []byte(`"type":"error"}`))
	var f frame
	if !ack && !ended || json.Unmarshal(message, &f) != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if ack {
		s.acked = true
	} else {
		delete(s.active, f.ID)
	}
}

// WriteClose closes with the code that the protocol has for what gqlgen means.
func (s *socket) WriteClose(code int, reason string) error {
	switch {
	case s.draining.Err() != nil:
		code, reason = closeServiceRestart, "Service restart"
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
