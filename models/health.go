package models

import "time"

// The breaker's rules: when a channel is taken out of service, and how often it is tried again until it works.
const (
	// PauseAfter is how many attempts in a row must fail in a way that is worth a retry until a channel is paused.
	PauseAfter = 5
	// MaxWait is how long a delivery waits for a channel that is out of service, and for one that keeps asking for time,
	// before it is given up. A little more than the whole schedule of retries takes.
	MaxWait = 36 * time.Hour
)

// pausedProbes and brokenProbes are the pauses before the first probe, the second, and so on; the last one repeats. A broken
// channel waits for somebody to mend it, so that asking often helps nobody.
var (
	pausedProbes = []time.Duration{5 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute}
	brokenProbes = []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour}
)

// ChannelState is what is known of a channel beside its settings: how it fares, and from when on it may be told again. It
// is kept in the database, so that it holds over restarts and for all processes.
type ChannelState struct {
	ChannelID     int64
	Health        HealthState
	Since         time.Time  // when Health became what it is
	Failures      int        // attempts in a row that failed in a way that is worth a retry
	FailedProbes  int        // since the channel was taken out of service
	ProbeAt       *time.Time // PAUSED and BROKEN: one delivery may be tried from then on
	LastError     *string
	LastErrorAt   *time.Time
	LastSuccessAt *time.Time
	HoldUntil     *time.Time // the service asked for time: nothing is sent before
	RateArrival   *time.Time // where the rate limit stands, see RateLimit
	// Announced says that an alert about this outage was raised and told.
	Announced bool
	// PausedToldAt and FailedToldAt are when somebody was last told that the channel is out of service, and that a delivery
	// was given up.
	PausedToldAt, FailedToldAt *time.Time
}

// Observation is what one attempt says about its channel.
type Observation struct {
	At    time.Time
	Kind  ObservationKind
	Error string     // why it failed
	Until *time.Time // with Asked: when the service wants to hear from us again
	Probe bool       // the attempt was made to find out whether the channel works again
}

// ObservationKind says what an attempt shows about its channel.
type ObservationKind int

// What an attempt shows.
const (
	Worked   ObservationKind = iota
	Failing                  // no answer, or one that asks to try again
	Refused                  // this message was refused for good, which says little about the next
	Unusable                 // nothing will be taken until somebody mends the channel
	Asked                    // the service asked for time: no failure
)

// InService reports whether deliveries are sent as they come, rather than one at a time to find out whether it works again.
func (s *ChannelState) InService() bool { return s.Health != HealthPaused && s.Health != HealthBroken }

// ClosedUntil is the moment before which nothing may be sent because of the channel's health or the service's wish; the
// zero time when there is no such moment.
func (s *ChannelState) ClosedUntil() time.Time {
	var until time.Time
	if !s.InService() && s.ProbeAt != nil {
		until = *s.ProbeAt
	}
	if s.HoldUntil != nil && s.HoldUntil.After(until) {
		until = *s.HoldUntil
	}
	return until
}

// ProbePause is how long to wait before the channel is tried again.
func (s *ChannelState) ProbePause() time.Duration {
	pauses := pausedProbes
	if s.Health == HealthBroken {
		pauses = brokenProbes
	}
	return pauses[min(s.FailedProbes, len(pauses)-1)]
}

// Observe gives the state after an attempt. It never changes s.
func (s ChannelState) Observe(o Observation) ChannelState {
	switch o.Kind {
	case Worked:
		if s.LastSuccessAt == nil || s.LastSuccessAt.Before(o.At) {
			s.LastSuccessAt = &o.At
		}
		if s.LastErrorAt != nil && o.At.Before(*s.LastErrorAt) {
			return s // told late: it has failed since
		}
		s.Failures = 0
		if s.Health != HealthOK {
			s.Health, s.Since, s.ProbeAt, s.FailedProbes = HealthOK, o.At, nil, 0
		}
		return s
	case Asked:
		if o.Until != nil && (s.HoldUntil == nil || s.HoldUntil.Before(*o.Until)) {
			s.HoldUntil = o.Until
		}
		if o.Probe { // it answers, and wants to be asked later
			s.ProbeAt = s.HoldUntil
		}
		return s
	}
	if s.Health == HealthOK && o.At.Before(s.Since) {
		return s // told late: it has worked, or was mended, since
	}
	s.LastError, s.LastErrorAt = &o.Error, &o.At
	was := s.Health
	switch o.Kind {
	case Failing:
		s.Failures++
		switch {
		case s.Health == HealthBroken:
		case s.Failures >= PauseAfter:
			s.Health = HealthPaused
		case s.Health == HealthOK:
			s.Health = HealthFailing
		}
	case Refused: // it answers, so that what waits may be sent, and will be told what is wrong with it
		s.Failures, s.Health = 0, HealthFailing
	case Unusable:
		s.Health = HealthBroken
	}
	switch {
	case s.InService():
		s.ProbeAt, s.FailedProbes = nil, 0
	case was != s.Health:
		s.FailedProbes = 0
		at := o.At.Add(s.ProbePause())
		s.ProbeAt = &at
	case o.Probe:
		s.FailedProbes++
		at := o.At.Add(s.ProbePause())
		s.ProbeAt = &at
	}
	if was != s.Health {
		s.Since = o.At
	}
	return s
}

// Mended gives the state of a channel whose settings somebody has changed, or which was seen to work by a test: what waits
// is tried at once.
func (s ChannelState) Mended(at time.Time) ChannelState {
	s.Failures, s.FailedProbes, s.ProbeAt, s.HoldUntil = 0, 0, nil, nil
	if s.Health != HealthOK {
		s.Health, s.Since = HealthOK, at
	}
	return s
}

// ChannelHealth is how a channel fares, as it is shown.
type ChannelHealth struct {
	State              HealthState
	Since              time.Time
	LastError          *string
	LastErrorAt        *time.Time
	LastSuccessAt      *time.Time
	NextProbeAt        *time.Time // PAUSED and BROKEN: one delivery is tried then, if one is due
	HeldUntil          *time.Time // the service asked for time
	Waiting            int        // deliveries
	OldestWaitingSince *time.Time
	OldestWaitingAge   *float64 // seconds
}

// Backlog is what waits on a channel.
type Backlog struct {
	Waiting int
	Oldest  *time.Time // when the oldest was created; nil when none waits
}

// Shown gives the state as it is shown at a moment.
func (s *ChannelState) Shown(b Backlog, at time.Time) *ChannelHealth {
	h := &ChannelHealth{
		State: s.Health, Since: s.Since, LastError: s.LastError, LastErrorAt: s.LastErrorAt, LastSuccessAt: s.LastSuccessAt,
		Waiting: b.Waiting, OldestWaitingSince: b.Oldest,
	}
	if !s.InService() {
		h.NextProbeAt = s.ProbeAt
	}
	if s.HoldUntil != nil && s.HoldUntil.After(at) {
		h.HeldUntil = s.HoldUntil
	}
	if b.Oldest != nil {
		age := max(0, at.Sub(*b.Oldest).Seconds())
		h.OldestWaitingAge = &age
	}
	return h
}
