package store

import (
	"context"
	"time"
)

// A lease on a delivery lasts as long as the process that holds it lives, and a process lives as long as it says so: one row
// for each process is renewed, instead of one for each delivery, and a send may take longer than a dead process is waited for.

// Beat says that a process lives, for this long from now on. On PostgreSQL it also sets the clock. It returns until when
// the process counts as alive.
func (s *Store) Beat(ctx context.Context, process string, lives time.Duration) (time.Time, error) {
	if s.isPostgres() {
		if err := s.syncClock(ctx); err != nil {
			return time.Time{}, s.explain("read the database's clock", err)
		}
	}
	until := s.Now().Add(lives)
	_, err := s.db.NewRaw(`
		INSERT INTO processes (id, alive_until) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET alive_until = EXCLUDED.alive_until`,
		process, until).Exec(ctx)
	if err != nil {
		return time.Time{}, s.explain("say that the process lives", err)
	}
	return until, nil
}

// Leave says that a process has ended, so that others take over at once what it still held, and forgets those that died long
// ago.
func (s *Store) Leave(ctx context.Context, process string) error {
	_, err := s.db.NewRaw("DELETE FROM processes WHERE id = ? OR alive_until < ?", process, s.Now().Add(-24*time.Hour)).Exec(ctx)
	return s.explain("say that the process has ended", err)
}

// unsureIfHeld is an assignment for deliveries whose holder has died: of those that tell what became of an alert nobody knows whether
// they were sent. Unless one is told in the end, what undoes it has to be told.
const unsureIfHeld = "unsure = CASE WHEN leased_by IS NULL OR kind = 'ALERT' THEN unsure ELSE true END"

// unleased is a condition on deliveries d with the present as argument 0: nobody who lives holds a lease on it.
const unleased = "(d.leased_by IS NULL OR d.leased_by NOT IN (SELECT id FROM processes WHERE alive_until > ?0))"
