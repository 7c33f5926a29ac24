package store

import (
	"context"
	"sync"
	"time"
)

// clock is the present for everything that is stored or compared with what is stored. It never goes back: when the machine's
// clock is set back, it goes on at the pace of the monotonic clock until the other has caught up. On PostgreSQL it follows
// the database's clock, so that processes on machines whose clocks differ agree on what is due and who is alive.
type clock struct {
	wall func() time.Time // the machine's clock; nil when the clock follows the database

	mu      sync.Mutex
	base    time.Time // the present at the moment since
	since   time.Time // with its monotonic reading
	stopped bool      // in tests: base is the present, until it is turned
}

// now gives the present in UTC, as the databases keep it: to the microsecond.
func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return c.base
	}
	if c.wall != nil {
		c.advance(c.wall())
	}
	return c.base.Add(time.Since(c.since)).UTC().Truncate(time.Microsecond)
}

// sync tells the clock what time it is, at the moment of the call.
func (c *clock) sync(present time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.advance(present)
}

func (c *clock) advance(present time.Time) {
	if c.stopped {
		return
	}
	if c.since.IsZero() || present.After(c.base.Add(time.Since(c.since))) {
		c.base, c.since = present.Round(0), time.Now()
	}
}

func (c *clock) turn(d time.Duration) {
	present := c.now().Add(d)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.base, c.since = present.Truncate(time.Microsecond), time.Now()
}

// Now is the present as everything in the database knows it, in UTC.
func (s *Store) Now() time.Time { return s.clock.now() }

// TurnClock sets the present forward by d: for tests of what takes its time.
func (s *Store) TurnClock(d time.Duration) { s.clock.turn(d) }

// syncClock reads PostgreSQL's clock. The answer is older than its arrival by part of the way back, which errs on the late side.
func (s *Store) syncClock(ctx context.Context) error {
	var present time.Time
	if err := s.db.NewRaw("SELECT clock_timestamp()").Scan(ctx, &present); err != nil {
		return err
	}
	s.clock.sync(present)
	return nil
}
