package access

import (
	"context"
	"crypto/sha256"
	"slices"
	"sync"
	"time"

	"github.com/rustbucket/alerts/models"
)

const (
	maxLookup     = 500 // hashes that are looked for in one query
	lookupTimeout = 10 * time.Second
)

// lookups ask the database for tokens, one query at a time: what is asked for meanwhile goes into the next. Whoever tries a
// thousand tokens at once so costs a few queries, has one connection to the database at most, and keeps nobody out whose token is
// good and was not seen before.
type lookups struct {
	find func(ctx context.Context, hashes [][]byte) (map[string]*models.Token, error)

	asking    sync.Mutex
	mu        sync.Mutex
	gathering *lookup // nil = none is waiting to be asked
}

// lookup is one query.
type lookup struct {
	hashes map[[sha256.Size]byte]struct{}
	done   chan struct{}
	found  map[string]*models.Token // by hash; after done
	err    error
}

// get gives the token with this hash, or nil when there is none. It may be revoked or expired.
func (l *lookups) get(ctx context.Context, hash [sha256.Size]byte) (*models.Token, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	l.mu.Lock()
	q := l.gathering
	first := q == nil || len(q.hashes) >= maxLookup
	if first {
		q = &lookup{hashes: make(map[[sha256.Size]byte]struct{}), done: make(chan struct{})}
		l.gathering = q
	}
	q.hashes[hash] = struct{}{}
	l.mu.Unlock()
	if first {
		l.ask(context.WithoutCancel(ctx), q) // for the others, too
	}
	select {
	case <-q.done:
		return q.found[string(hash[:])], q.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *lookups) ask(ctx context.Context, q *lookup) {
	l.asking.Lock()
	defer l.asking.Unlock()
	l.mu.Lock()
	if l.gathering == q {
		l.gathering = nil
	}
	hashes := make([][]byte, 0, len(q.hashes))
	for hash := range q.hashes {
		hashes = append(hashes, slices.Clone(hash[:]))
	}
	l.mu.Unlock()
	defer close(q.done)
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	q.found, q.err = l.find(ctx, hashes)
}
