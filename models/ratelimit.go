package models

import "time"

// Bounds of a rate limit.
const (
	MaxPerMinute = 6000
	MaxBurst     = 1000
)

// RateLimit says how many messages a channel may get. It is kept as the generic cell rate algorithm has it
// (https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm): one moment, the theoretical arrival of the next message,
// is all the state there is, so that it fits into a column and any number of processes share it.
type RateLimit struct {
	PerMinute int // messages a minute in the long run, 1 to MaxPerMinute
	Burst     int // messages at once after a quiet time, 1 to MaxBurst
}

// Valid returns an Error that names the field at fault, below the given path, or nil. Nil is valid.
func (l *RateLimit) Valid(path string) error {
	switch {
	case l == nil:
	case l.PerMinute < 1 || l.PerMinute > MaxPerMinute:
		return Invalid(path+".perMinute", "is %d: give 1 to %d, or null for rateLimit when there is to be no limit", l.PerMinute, MaxPerMinute)
	case l.Burst < 1 || l.Burst > MaxBurst:
		return Invalid(path+".burst", "is %d: give 1 to %d", l.Burst, MaxBurst)
	}
	return nil
}

func (l *RateLimit) interval() time.Duration { return time.Minute / time.Duration(l.PerMinute) }

// Slots says how many messages may be sent now, and when the next slot opens when it is none. arrival is the state, nil at
// first.
func (l *RateLimit) Slots(arrival *time.Time, now time.Time) (n int, next time.Time) {
	if arrival == nil || !arrival.After(now) {
		return l.Burst, time.Time{}
	}
	free := time.Duration(l.Burst)*l.interval() - l.ahead(*arrival, now)
	if free < l.interval() {
		return 0, now.Add(l.interval() - free)
	}
	return int(free / l.interval()), time.Time{}
}

// apart is more than the clocks of two processes are.
const apart = time.Minute

// ahead is for how long what was sent already takes up the limit. A limit that was slower or had larger bursts, or a clock that
// was set back since, leaves more than this one can have taken up, and would hold the channel for hours: then one slot is open.
func (l *RateLimit) ahead(arrival, now time.Time) time.Duration {
	full := time.Duration(l.Burst) * l.interval()
	if ahead := arrival.Sub(now); ahead <= full+apart {
		return ahead
	}
	return full - l.interval()
}

// Take gives the state after n messages.
func (l *RateLimit) Take(arrival *time.Time, now time.Time, n int) time.Time {
	from := now
	if arrival != nil && arrival.After(now) {
		from = now.Add(l.ahead(*arrival, now))
	}
	return from.Add(time.Duration(n) * l.interval())
}
