package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// keepEnded is for how long an ended session is remembered beyond its time, for the sake of clocks that are slow.
const keepEnded = time.Hour

// EndSession notes that a session is over which would have lasted until then, and forgets those that are over by now anyway.
func (s *Store) EndSession(ctx context.Context, id []byte, until time.Time) error {
	return s.inTx(ctx, "end session", func(tx bun.Tx) error {
		if _, err := tx.NewRaw("DELETE FROM ended_sessions WHERE until < ?", s.Now().Add(-keepEnded)).Exec(ctx); err != nil {
			return err
		}
		_, err := tx.NewRaw("INSERT INTO ended_sessions (id, until) VALUES (?, ?) ON CONFLICT DO NOTHING", id, until.UTC()).Exec(ctx)
		return err
	})
}

// SessionEnded reports whether a session was ended before its time.
func (s *Store) SessionEnded(ctx context.Context, id []byte) (ended bool, err error) {
	err = s.read.NewRaw("SELECT EXISTS (SELECT 1 FROM ended_sessions WHERE id = ?)", id).Scan(ctx, &ended)
	return ended, s.explain("look up session", err)
}
