package models

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestRateLimit_NeverSendsMoreInAnyTimeThanItAllows(t *testing.T) {
	for range 100 {
		seed := rand.Uint64()
		rng := rand.New(rand.NewPCG(seed, 0))
		l := RateLimit{PerMinute: 1 + rng.IntN(MaxPerMinute), Burst: 1 + rng.IntN(50)}
		if rng.IntN(2) == 0 {
			l.PerMinute = 1 + rng.IntN(60)
		}
		// Whoever sends has nothing but the stored state, so that it does not matter how many processes there are.
		var arrival *time.Time
		var sent []time.Time
		now := epoch
		for range 120 {
			now = now.Add(time.Duration(rng.Int64N(int64(3 * l.interval()))))
			n, next := l.Slots(arrival, now)
			switch {
			case n < 0 || n > l.Burst:
				t.Fatalf("seed %d: %d slots of %+v", seed, n, l)
			case n == 0 && !next.After(now):
				t.Fatalf("seed %d: no slot at %v, and the next at %v", seed, now, next)
			case n == 0:
				if early, _ := l.Slots(arrival, next.Add(-time.Nanosecond)); early != 0 {
					t.Fatalf("seed %d: a slot before the next at %v", seed, next)
				}
				if n, _ = l.Slots(arrival, next); n < 1 {
					t.Fatalf("seed %d: no slot at %v, when the next was to open", seed, next)
				}
				continue
			case !next.IsZero():
				t.Fatalf("seed %d: %d slots, and more at %v", seed, n, next)
			}
			taken := 1 + rng.IntN(n)
			after := l.Take(arrival, now, taken)
			if left, _ := l.Slots(&after, now); left != n-taken {
				t.Fatalf("seed %d: %d slots of %d are left after %d", seed, left, n, taken)
			}
			arrival = &after
			for range taken {
				sent = append(sent, now)
			}
		}
		for i := range sent {
			for j := i; j < len(sent); j++ {
				allowed := float64(l.Burst) + float64(sent[j].Sub(sent[i]))/float64(l.interval())
				if n := j - i + 1; float64(n) > allowed+1e-9 {
					t.Fatalf("seed %d: %d messages in %v with %+v", seed, n, sent[j].Sub(sent[i]), l)
				}
			}
		}
	}
}

func TestRateLimit_KeepsNoMoreThanOneBurstInStore(t *testing.T) {
	l := RateLimit{PerMinute: 60, Burst: 10}
	arrival := l.Take(nil, epoch, 10)
	for wait, want := range map[time.Duration]int{
		0: 0, time.Second - 1: 0, time.Second: 1, 2500 * time.Millisecond: 2, 9 * time.Second: 9, 10 * time.Second: 10, time.Hour: 10,
	} {
		if n, _ := l.Slots(&arrival, epoch.Add(wait)); n != want {
			t.Errorf("%d slots after %v, want %d", n, wait, want)
		}
	}
	if n, _ := l.Slots(nil, epoch); n != 10 {
		t.Errorf("%d slots at first", n)
	}
}

func TestRateLimit_BoundsAreChecked(t *testing.T) {
	for _, c := range []struct {
		limit *RateLimit
		field string
	}{
		{nil, ""}, {&RateLimit{1, 1}, ""}, {&RateLimit{MaxPerMinute, MaxBurst}, ""},
		{&RateLimit{0, 1}, "in.perMinute"}, {&RateLimit{MaxPerMinute + 1, 1}, "in.perMinute"},
		{&RateLimit{1, 0}, "in.burst"}, {&RateLimit{1, MaxBurst + 1}, "in.burst"},
	} {
		err := c.limit.Valid("in")
		own, _ := err.(*Error)
		if c.field == "" && err != nil || c.field != "" && (own == nil || own.Field != c.field) {
			t.Errorf("%+v: %v", c.limit, err)
		}
	}
}

func TestRateLimit_WhatAnotherLimitHasLeftHoldsNothingForLong(t *testing.T) {
	now := time.Now()
	slow, fast := &RateLimit{PerMinute: 1, Burst: 1000}, &RateLimit{PerMinute: 60, Burst: 10}
	arrival := slow.Take(nil, now, 1000) // some 16 hours ahead
	if n, _ := slow.Slots(&arrival, now); n != 0 {
		t.Errorf("%d slots of the limit that is used up", n)
	}
	sent := 0
	for at := now; at.Before(now.Add(time.Minute)); at = at.Add(100 * time.Millisecond) {
		if n, _ := fast.Slots(&arrival, at); n > 0 {
			arrival = fast.Take(&arrival, at, n)
			sent += n
		}
	}
	if sent < 59 || sent > 61 {
		t.Errorf("%d messages in the first minute of the new limit, want 60", sent)
	}
}
