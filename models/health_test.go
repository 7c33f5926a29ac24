package models

import (
	"testing"
	"time"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// after gives the moment so long after the epoch.
func after(d time.Duration) *time.Time {
	t := epoch.Add(d)
	return &t
}

func TestChannelState_ObserveLeadsFromHealthToHealth(t *testing.T) {
	// A channel in each state of health, with what belongs to it.
	at := epoch
	before := map[HealthState]ChannelState{
		HealthOK:      {Health: HealthOK, Since: at},
		HealthFailing: {Health: HealthFailing, Since: at, Failures: 2},
		HealthPaused:  {Health: HealthPaused, Since: at, Failures: 5, FailedProbes: 1, ProbeAt: after(15 * time.Second)},
		HealthBroken:  {Health: HealthBroken, Since: at, Failures: 1, FailedProbes: 1, ProbeAt: after(5 * time.Minute)},
	}
	kinds := map[string]ObservationKind{"worked": Worked, "failing": Failing, "refused": Refused, "unusable": Unusable, "asked": Asked}
	for _, c := range []struct {
		from     HealthState
		seen     string
		probe    bool
		want     HealthState
		failures int
		probes   int           // failed ones
		probeIn  time.Duration // from the observation on; 0 = as it was, -1 = none
	}{
		{HealthOK, "worked", false, HealthOK, 0, 0, -1},
		{HealthOK, "failing", false, HealthFailing, 1, 0, -1},
		{HealthOK, "refused", false, HealthFailing, 0, 0, -1},
		{HealthOK, "unusable", false, HealthBroken, 0, 0, time.Minute},
		{HealthOK, "asked", false, HealthOK, 0, 0, -1},
		{HealthFailing, "worked", false, HealthOK, 0, 0, -1},
		{HealthFailing, "failing", false, HealthFailing, 3, 0, -1},
		{HealthFailing, "refused", false, HealthFailing, 0, 0, -1},
		{HealthFailing, "unusable", false, HealthBroken, 2, 0, time.Minute},
		{HealthFailing, "asked", false, HealthFailing, 2, 0, -1},
		{HealthPaused, "worked", true, HealthOK, 0, 0, -1},
		{HealthPaused, "worked", false, HealthOK, 0, 0, -1},     // sent before it was paused
		{HealthPaused, "failing", false, HealthPaused, 6, 1, 0}, // as well: no probe, so the next one is not put off
		{HealthPaused, "failing", true, HealthPaused, 6, 2, 30 * time.Second},
		{HealthPaused, "refused", true, HealthFailing, 0, 0, -1}, // it answers again
		{HealthPaused, "unusable", true, HealthBroken, 5, 0, time.Minute},
		{HealthPaused, "asked", true, HealthPaused, 5, 1, time.Hour},
		{HealthPaused, "asked", false, HealthPaused, 5, 1, 0},
		{HealthBroken, "worked", true, HealthOK, 0, 0, -1},
		{HealthBroken, "failing", true, HealthBroken, 2, 2, 15 * time.Minute},
		{HealthBroken, "failing", false, HealthBroken, 2, 1, 0},
		{HealthBroken, "refused", true, HealthFailing, 0, 0, -1},
		{HealthBroken, "unusable", true, HealthBroken, 1, 2, 15 * time.Minute},
		{HealthBroken, "unusable", false, HealthBroken, 1, 1, 0},
		{HealthBroken, "asked", true, HealthBroken, 1, 1, time.Hour},
	} {
		s := before[c.from]
		o := Observation{At: *after(time.Minute), Kind: kinds[c.seen], Error: "why", Probe: c.probe}
		if o.Kind == Asked {
			o.Until = after(time.Minute + time.Hour)
		}
		got := s.Observe(o)
		wantProbe := s.ProbeAt
		switch {
		case c.probeIn < 0:
			wantProbe = nil
		case c.probeIn > 0:
			wantProbe = after(time.Minute + c.probeIn)
		}
		if got.Health != c.want || got.Failures != c.failures || got.FailedProbes != c.probes || !sameTime(got.ProbeAt, wantProbe) {
			t.Errorf("%s, then %s, probe %v: %s, %d failures, %d failed probes, next %v; want %s, %d, %d, %v", c.from, c.seen, c.probe,
				got.Health, got.Failures, got.FailedProbes, got.ProbeAt, c.want, c.failures, c.probes, wantProbe)
		}
		wantSince := s.Since
		if got.Health != s.Health {
			wantSince = o.At
		}
		if !got.Since.Equal(wantSince) {
			t.Errorf("%s, then %s: since %v, want %v", c.from, c.seen, got.Since, wantSince)
		}
		if failed := o.Kind != Worked && o.Kind != Asked; failed != (got.LastError != nil) || failed != (got.LastErrorAt != nil) {
			t.Errorf("%s, then %s: the last error is %v at %v", c.from, c.seen, got.LastError, got.LastErrorAt)
		}
		if (o.Kind == Worked) != (got.LastSuccessAt != nil) {
			t.Errorf("%s, then %s: the last success is at %v", c.from, c.seen, got.LastSuccessAt)
		}
		if s != before[c.from] {
			t.Errorf("%s, then %s changed what was observed before", c.from, c.seen)
		}
	}
}

func TestChannelState_IsPausedAfterSoManyFailuresInARow(t *testing.T) {
	s := ChannelState{Health: HealthOK}
	see := func(kind ObservationKind) { s = s.Observe(Observation{At: epoch, Kind: kind}) }
	for range PauseAfter - 1 {
		see(Failing)
	}
	see(Worked)
	for n := range PauseAfter {
		if s.Health == HealthPaused {
			t.Fatalf("paused after %d failures", n)
		}
		see(Failing)
	}
	if s.Health != HealthPaused {
		t.Errorf("%s after %d failures in a row", s.Health, PauseAfter)
	}
}

func TestChannelState_ProbesGrowRareAndNeverEnd(t *testing.T) {
	for _, c := range []struct {
		kind ObservationKind
		from ChannelState
		want []time.Duration
	}{
		{Failing, ChannelState{Health: HealthFailing, Failures: PauseAfter - 1}, pausedProbes},
		{Unusable, ChannelState{Health: HealthOK}, brokenProbes},
	} {
		s, at := c.from, epoch
		for n := range len(c.want) + 3 {
			s = s.Observe(Observation{At: at, Kind: c.kind, Probe: n > 0})
			want := at.Add(c.want[min(n, len(c.want)-1)])
			if s.ProbeAt == nil || !s.ProbeAt.Equal(want) || !s.ClosedUntil().Equal(want) {
				t.Fatalf("%s after %d failed probes: the next is at %v, want %v", s.Health, n, s.ProbeAt, want)
			}
			at = want
		}
		if s = s.Observe(Observation{At: at, Kind: Worked, Probe: true}); !s.InService() || !s.ClosedUntil().IsZero() {
			t.Errorf("after a probe that worked: %+v", s)
		}
		if s = s.Observe(Observation{At: at, Kind: Unusable}); !s.ProbeAt.Equal(at.Add(brokenProbes[0])) {
			t.Errorf("out of service anew, the first probe is at %v", s.ProbeAt)
		}
	}
}

func TestChannelState_ASuccessToldLateChangesNothingButItsTime(t *testing.T) {
	s := ChannelState{Health: HealthOK}.Observe(Observation{At: *after(time.Minute), Kind: Unusable, Error: "why"})
	late := s.Observe(Observation{At: *after(time.Second), Kind: Worked})
	if late.LastSuccessAt == nil || !late.LastSuccessAt.Equal(*after(time.Second)) {
		t.Errorf("the last success is at %v", late.LastSuccessAt)
	}
	if late.LastSuccessAt = nil; late != s {
		t.Errorf("it became %+v, was %+v", late, s)
	}
	s = s.Observe(Observation{At: *after(time.Hour), Kind: Worked})
	if s = s.Observe(Observation{At: *after(2 * time.Minute), Kind: Worked}); !s.LastSuccessAt.Equal(*after(time.Hour)) {
		t.Errorf("an older success took the place of a newer one: %v", s.LastSuccessAt)
	}
}

func TestChannelState_KeepsToTheLongestTimeAsked(t *testing.T) {
	s := ChannelState{Health: HealthFailing}
	ask := func(until time.Duration) {
		s = s.Observe(Observation{At: epoch, Kind: Asked, Until: after(until)})
	}
	ask(time.Hour)
	ask(time.Minute)
	if !s.ClosedUntil().Equal(*after(time.Hour)) {
		t.Errorf("closed until %v", s.ClosedUntil())
	}
	// What was sent before it asked may still succeed; that takes nothing back.
	if s = s.Observe(Observation{At: *after(time.Second), Kind: Worked}); !s.ClosedUntil().Equal(*after(time.Hour)) || s.Health != HealthOK {
		t.Errorf("%s and closed until %v after a success", s.Health, s.ClosedUntil())
	}
	if s = s.Mended(epoch); !s.ClosedUntil().IsZero() {
		t.Errorf("closed until %v after somebody changed its settings", s.ClosedUntil())
	}
}

func TestChannelState_MendedIsInServiceAtOnce(t *testing.T) {
	for _, health := range HealthStates {
		s := ChannelState{Health: health, Since: epoch, Failures: 7, FailedProbes: 3, ProbeAt: after(time.Hour), HoldUntil: after(time.Hour), Announced: true}
		since := *after(time.Minute)
		if health == HealthOK {
			since = epoch
		}
		want := ChannelState{Health: HealthOK, Since: since, Announced: true} // that it works is yet to be seen, and told
		if got := s.Mended(*after(time.Minute)); got != want {
			t.Errorf("%s became %+v", health, got)
		}
	}
}

func sameTime(a, b *time.Time) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Equal(*b)
}

func TestChannelState_ObserveOverlooksAFailureFromBeforeItWasMended(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	broken := ChannelState{Health: HealthOK}.Observe(Observation{At: at, Kind: Unusable, Error: "no"})
	mended := broken.Mended(at.Add(time.Second))
	if s := mended.Observe(Observation{At: at.Add(time.Millisecond), Kind: Unusable, Error: "no"}); s.Health != HealthOK {
		t.Errorf("what was in flight when it was mended: %+v", s)
	}
	if s := mended.Observe(Observation{At: at.Add(2 * time.Second), Kind: Unusable, Error: "no"}); s.Health != HealthBroken {
		t.Errorf("a failure since then: %+v", s)
	}
}
