package graph

import (
	"testing"

	"github.com/gorilla/websocket"
)

// FuzzBreach feeds a socket one message after another: whatever they are, the protocol's codes answer them, and an operation is
// under way only after the server has said hello.
func FuzzBreach(f *testing.F) {
	f.Add([]byte(`{"type":"connection_init"}`), []byte(`{"type":"subscribe","id":"1"}`), true)
	f.Add([]byte(`{"type":"subscribe","id":"1"}`), []byte(`{"type":"subscribe","id":"1"}`), true)
	f.Add([]byte(`{"type":"complete","id":"1"}`), []byte(`[]`), false)
	f.Add([]byte(`null`), []byte(`{"type":"ping","id":7}`), true)
	codes := map[int]bool{
		0: true, closeBadRequest: true, closeUnauthorized: true, closeDuplicateID: true, closeTooManyInits: true, websocket.ClosePolicyViolation: true,
	}
	f.Fuzz(func(t *testing.T, first, second []byte, acked bool) {
		s := &socket{protocol: transportProtocol, acked: acked, active: make(map[string]bool)}
		for _, message := range [][]byte{first, second, first} {
			code, reason := s.breach(message)
			if !codes[code] || (code == 0) != (reason == "") {
				t.Errorf("%q: code %d, %q", message, code, reason)
			}
			if len(s.active) > 0 && !acked {
				t.Errorf("%q: an operation is under way before connection_ack", message)
			}
			s.note(message)
		}
	})
}
