package graph

import (
	"strconv"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

// FuzzInward feeds a socket one message after another: whatever they are, the protocol's codes answer them, and an operation is
// under way only after the server has said hello.
func FuzzInward(f *testing.F) {
	f.Add([]byte(`{"type":"connection_init"}`), []byte(`{"type":"subscribe","id":"1"}`), true)
	f.Add([]byte(`{"type":"subscribe","id":"1"}`), []byte(`{"type":"subscribe","id":"1"}`), true)
	f.Add([]byte(`{"type":"complete","id":"1"}`), []byte(`[]`), false)
	f.Add([]byte(`null`), []byte(`{"type":"ping","id":7}`), true)
	codes := map[int]bool{
		0: true, closeBadRequest: true, closeUnauthorized: true, closeDuplicateID: true, closeTooManyInits: true, websocket.ClosePolicyViolation: true,
	}
	f.Fuzz(func(t *testing.T, first, second []byte, acked bool) {
		s := &socket{protocol: transportProtocol, acked: acked, operations: newOperations()}
		for _, message := range [][]byte{first, second, first} {
			_, code, reason := s.inward(message)
			if !codes[code] || (code == 0) != (reason == "") {
				t.Errorf("%q: code %d, %q", message, code, reason)
			}
			if len(s.under) > 0 && !acked {
				t.Errorf("%q: an operation is under way before connection_ack", message)
			}
			s.outward(message)
		}
	})
}

// A client may use an id again as soon as it has ended the operation that had it, while that one is still coming to its end.
func TestSocket_IDsAreUsedAgain(t *testing.T) {
	for protocol, words := range map[string][3]string{transportProtocol: {"subscribe", "complete", "next"}, "graphql-ws": {"start", "stop", "data"}} {
		t.Run(protocol, func(t *testing.T) {
			s := &socket{protocol: protocol, acked: true, operations: newOperations()}
			inward := func(message, want string) {
				t.Helper()
				if got, code, reason := s.inward([]byte(message)); string(got) != want {
					t.Errorf("%s becomes %s (%d %s), want %s", message, got, code, reason, want)
				}
			}
			outward := func(message, want string) {
				t.Helper()
				if got := s.outward([]byte(message)); string(got) != want {
					t.Errorf("%s becomes %s, want %s", message, got, want)
				}
			}
			start, stop, next := words[0], words[1], words[2]
			inward(`{"id":"a\"ü","type":"`+start+`","payload":{"query":"{ x }"}}`, `{"payload":{"query":"{ x }"},"id":"1","type":"`+start+`"}`)
			outward(`{"payload":{"n":1},"id":"1","type":"`+next+`"}`, `{"payload":{"n":1},"id":"a\"ü","type":"`+next+`"}`)
			inward(`{"id":"a\"ü","type":"`+stop+`"}`, `{"id":"1","type":"`+stop+`"}`)
			inward(`{"id":"a\"ü","type":"`+stop+`"}`, `{"id":"0","type":"`+stop+`"}`)
			outward(`{"payload":{"n":2},"id":"1","type":"`+next+`"}`, ``)
			inward(`{"id":"a\"ü","type":"`+start+`","payload":{}}`, `{"payload":{},"id":"2","type":"`+start+`"}`)
			outward(`{"payload":{"n":3},"id":"1","type":"`+next+`"}`, ``)
			outward(`{"id":"1","type":"complete"}`, ``)
			outward(`{"payload":{"n":4},"id":"2","type":"`+next+`"}`, `{"payload":{"n":4},"id":"a\"ü","type":"`+next+`"}`)
			outward(`{"payload":[],"id":"2","type":"error"}`, `{"payload":[],"id":"a\"ü","type":"error"}`)
			outward(`{"id":"2","type":"complete"}`, ``)
			outward(`{"payload":{"id":"2","type":"next"},"type":"pong"}`, `{"payload":{"id":"2","type":"next"},"type":"pong"}`)
			if len(s.under) > 0 || len(s.ids) > 0 {
				t.Errorf("%v and %v are kept", s.under, s.ids)
			}
			// Only the older protocol completes what the client has ended.
			completed := map[string]string{transportProtocol: "", "graphql-ws": `{"id":"b","type":"complete"}`}[protocol]
			inward(`{"id":"b","type":"`+start+`","payload":{}}`, `{"payload":{},"id":"3","type":"`+start+`"}`)
			inward(`{"id":"b","type":"`+stop+`"}`, `{"id":"3","type":"`+stop+`"}`)
			outward(`{"id":"3","type":"complete"}`, completed)
		})
	}
}

func TestOperations_HaveABound(t *testing.T) {
	o := newOperations()
	begin := func(id string, want int) {
		t.Helper()
		if _, code, reason := o.begin(id); code != want {
			t.Errorf("an id of %d bytes: %d %s, want %d", len(id), code, reason, want)
		}
	}
	begin("", closeBadRequest)
	begin(strings.Repeat("i", maxID+1), closeBadRequest)
	begin(strings.Repeat("i", maxID), 0)
	begin(strings.Repeat("i", maxID), closeDuplicateID)
	for i := 1; i < maxOperations; i++ {
		begin(strconv.Itoa(i), 0)
	}
	begin("one too many", websocket.ClosePolicyViolation)
	o.end("1")
	begin("one too many", 0)
}
