package access

import (
	"strings"
	"testing"
)

func TestNewToken_IsWellFormedAndEveryTypingErrorShows(t *testing.T) {
	seen := make(map[string]bool)
	for range 200 {
		token := NewToken()
		if !wellFormed(token) || seen[token] {
			t.Fatalf("%q: well-formed %v, seen before %v", token, wellFormed(token), seen[token])
		}
		seen[token] = true
		for i := range token {
			c := byte('x')
			if token[i] == c {
				c = 'y'
			}
			if wrong := token[:i] + string(c) + token[i+1:]; wellFormed(wrong) {
				t.Errorf("%q passes for a token with one character wrong", wrong)
			}
		}
	}
}

func FuzzWellFormed(f *testing.F) {
	f.Add(NewToken())
	f.Add("rba_")
	f.Add("rba_" + strings.Repeat("é", 19))
	f.Fuzz(func(t *testing.T, token string) {
		if wellFormed(token) && checksum(token[len(prefix):len(prefix)+32]) != token[len(prefix)+32:] {
			t.Errorf("%q passes", token)
		}
	})
}
