package main

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/rustbucket/alerts/models"
)

func TestSockets_WhoHasNotSaidHelloMaySendLittle(t *testing.T) {
	s := startServer(t, "")
	hello := `{"type": "connection_init", "payload": {"Authorization": "Bearer ` + testToken + `", "more": "%s"}}`
	if _, answer := s.open(fmt.Sprintf(hello, strings.Repeat("m", 4000))); answer != "connection_ack" {
		t.Errorf("a hello of 4 KB is answered %v", answer)
	}
	if _, answer := s.open(fmt.Sprintf(hello, strings.Repeat("m", 9000))); answer != websocket.CloseMessageTooBig {
		t.Errorf("a hello of 9 KB is answered %v", answer)
	}
}

func TestSockets_OfTheOlderProtocolHaveABoundToo(t *testing.T) {
	s := startServer(t, "")
	dialer := websocket.Dialer{Subprotocols: []string{"graphql-ws"}}
	conn, _, err := dialer.DialContext(t.Context(), strings.Replace(s.url, "http", "ws", 1)+"/graphql", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	say := func(format string, args ...any) {
		if err := conn.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, format, args...)); err != nil {
			t.Fatal(err)
		}
	}
	say(`{"type": "connection_init", "payload": {"Authorization": "Bearer %s"}}`, testToken)
	if first, second := heard(t, conn), heard(t, conn); first != "connection_ack" || second != "ka" {
		t.Fatalf("the hello is answered %v, %v", first, second)
	}
	const start = `{"type": "start", "id": "%d", "payload": {"query": "subscription { alertCreated { id } }"}}`
	for i := range 100 {
		say(start, i)
	}
	say(`{"type": "stop", "id": "7"}`)
	say(start, 7)
	say(`{"type": "start", "id": "seen", "payload": {"query": "{ viewer { name } }"}}`)
	answer := heard(t, conn)
	for answer == "complete" || answer == "ka" { // of what was stopped, and to keep the socket open
		answer = heard(t, conn)
	}
	if answer != websocket.ClosePolicyViolation {
		t.Errorf("an operation too many is answered %v", answer)
	}
}

func TestSockets_PingsHaveAPace(t *testing.T) {
	s := startServer(t, "")
	conn, _ := s.open(`{"type": "connection_init", "payload": {"Authorization": "Bearer ` + testToken + `"}}`)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			if _, _, err := conn.ReadMessage(); err != nil {
				return
			}
		}
	}()
	within := time.Now().Add(closeWithin)
	for time.Now().Before(within) && conn.WriteControl(websocket.PingMessage, nil, within) == nil {
	}
	select {
	case <-ended:
	case <-time.After(closeWithin):
		t.Error("a flood of pings does not end the socket")
	}
}

// Bodies and messages over 64 KB have places, so that nobody fills the memory with what never ends.
func TestLimits_LargeBodiesAndMessagesHavePlaces(t *testing.T) {
	s := startServer(t, "")
	_, other := s.newToken("other", models.Viewing)
	hello := `{"type": "connection_init", "payload": {"Authorization": "Bearer %s"}}`
	large := func(token string) (int, string) {
		res, text := s.send(http.MethodPost, "/graphql", `{"query": "{ viewer { name } }`+strings.Repeat(" ", 100<<10)+`"}`, "Authorization", "Bearer "+token)
		return res.StatusCode, text
	}
	var open []*websocket.Conn
	s.until("all places to be taken", func() bool {
		conn, answer := s.open(fmt.Sprintf(hello, testToken))
		if answer != "connection_ack" {
			t.Fatal(answer)
		}
		open = append(open, conn)
		message, err := conn.NextWriter(websocket.TextMessage)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := message.Write(bytes.Repeat([]byte(" "), 100<<10)); err != nil { // and is never ended
			t.Fatal(err)
		}
		status, text := large(testToken)
		return status == http.StatusTooManyRequests && strings.Contains(text, `"code":"OVERLOADED"`)
	})
	if len(open) < 16 { // each may have up to 1 MB
		t.Errorf("%d messages take all places", len(open))
	}
	conn, _ := s.open(fmt.Sprintf(hello, testToken))
	_ = conn.WriteMessage(websocket.TextMessage, bytes.Repeat([]byte(" "), 100<<10)) // the server closes in the middle of it
	if answer := heard(t, conn); answer != websocket.CloseTryAgainLater {
		t.Errorf("a message too many is answered %v", answer)
	}
	if name := s.who("Authorization", "Bearer "+testToken); name != "ADMIN_TOKEN" {
		t.Errorf("a small body is answered %q", name)
	}
	if status, text := large(other); status != http.StatusOK {
		t.Errorf("another's large body is answered %d: %s", status, text)
	}
	for _, conn := range open {
		conn.Close()
	}
	s.until("the places to be free again", func() bool {
		status, _ := large(testToken)
		return status == http.StatusOK
	})
}

func TestLimits_SubscriptionsAreSmall(t *testing.T) {
	s := startServer(t, "")
	conn, _ := s.open(`{"type": "connection_init", "payload": {"Authorization": "Bearer ` + testToken + `"}}`)
	types := `"t"` + strings.Repeat(`, "t"`, 5000)
	if err := conn.WriteMessage(websocket.TextMessage, []byte(`{"type": "subscribe", "id": "1", "payload": {
		"query": "subscription ($types: [String!]) { alertCreated(filter: {types: $types}) { id } }", "variables": {"types": [`+types+`]}}}`)); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(closeWithin))
	if _, text, err := conn.ReadMessage(); err != nil || !strings.Contains(string(text), "16 KB at most") || !strings.Contains(string(text), "BAD_USER_INPUT") {
		t.Errorf("it is answered %s (%v)", text, err)
	}
}

// A client that ends an operation may use its id for the next one at once: the end of the one is not that of the other.
func TestSockets_AnIDIsUsedAgainAtOnce(t *testing.T) {
	s := startServer(t, "")
	conn, _ := s.open(`{"type": "connection_init", "payload": {"Authorization": "Bearer ` + testToken + `"}}`)
	say := func(messages ...string) {
		for _, m := range messages {
			if err := conn.WriteMessage(websocket.TextMessage, []byte(m)); err != nil {
				t.Fatal(err)
			}
		}
	}
	const begin, end = `{"type": "subscribe", "id": "1", "payload": {"query": "subscription { alertCreated { id } }"}}`, `{"type": "complete", "id": "1"}`
	for range 100 {
		say(begin, end)
	}
	say(begin)
	_ = conn.SetReadDeadline(time.Time{}) // heard sets one
	type message struct{ Type, ID string }
	hear := func(id string) (m message) {
		for m.ID != id {
			if err := conn.ReadJSON(&m); err != nil {
				return message{Type: err.Error()}
			}
		}
		return m
	}
	told := make(chan message, 1)
	go func() { told <- hear("1") }()
	s.until("the last subscription to be told of an alert", func() bool {
		s.createAlert(nil) // the subscription may begin after it
		return len(told) > 0
	})
	if m := <-told; m.Type != "next" {
		t.Errorf("the subscription is told %v", m)
	}
	say(end)
	s.until("the subscription to end", func() bool { return s.feed.Readers() == 0 })
	say(`{"type": "subscribe", "id": "2", "payload": {"query": "{ viewer { name } }"}}`)
	if m := hear("2"); m.Type != "next" {
		t.Errorf("the subscription ended with its socket: %v", m)
	}
}
