package access

import "sync"

// What bodies that are read or carried out may take at a time.
const (
	maxAllBytes   = 64 << 20
	maxTokenBytes = maxAllBytes / 4 // nobody keeps the others out who sends large bodies slowly
)

// Shelf counts the bytes of bodies that are read or carried out.
type Shelf struct {
	mu     sync.Mutex
	all    int64
	tokens map[string]int64 // by name: ADMIN_TOKEN has no id
}

// NewShelf makes an empty one.
func NewShelf() *Shelf { return &Shelf{tokens: make(map[string]int64)} }

// Take makes room for a body, which must be left; ok is false when there is none.
func (s *Shelf) Take(token string, size int64) (leave func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all+size > maxAllBytes || s.tokens[token]+size > maxTokenBytes {
		return nil, false
	}
	s.all += size
	s.tokens[token] += size
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.all -= size
		if s.tokens[token] -= size; s.tokens[token] <= 0 {
			delete(s.tokens, token)
		}
	}, true
}
