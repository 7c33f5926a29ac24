package models

import (
	"slices"
	"time"
)

// Limits of a silence.
const (
	MaxSilenceEntries = 100  // in each of its lists
	MaxSilences       = 1000 // that are not over
)

// Silence keeps everybody from being told, for a time, of alerts of some kind. They are stored and streamed all the same.
type Silence struct {
	ID            int64
	Types         []string // an empty list means all; at least one of the three is not empty
	Severities    []Severity
	RustbucketIDs []string
	Reason        string
	StartsAt      time.Time
	EndsAt        time.Time
	EndedAt       *time.Time // when somebody ended it before its time; nil = nobody did
	CreatedAt     time.Time
	CreatedBy     string // name of the token
}

// Holds reports whether the silence has begun by a moment, and is not over.
func (s *Silence) Holds(t time.Time) bool { return !t.Before(s.StartsAt) && !s.Over(t) }

// Over reports whether the silence has ended by a moment, by its time or by hand.
func (s *Silence) Over(t time.Time) bool { return s.EndedAt != nil || !t.Before(s.EndsAt) }

// Matches reports whether the silence is about an alert: every list that is not empty has its value. An alert of the server's
// own is meant only when its type or its machine is named: who silences all that is HIGH still hears that a channel fails.
func (s *Silence) Matches(a *NewAlert) bool {
	if a.CreatedBy == ServerItself && len(s.Types) == 0 && len(s.RustbucketIDs) == 0 {
		return false
	}
	return oneOf(s.Types, a.Type) && oneOf(s.Severities, a.Severity) &&
		(len(s.RustbucketIDs) == 0 || a.Rustbucket != nil && slices.Contains(s.RustbucketIDs, a.Rustbucket.ID))
}

// Silences are many silences, in which that of an alert is found without going through all of them. It is never changed.
type Silences struct {
	byType, byRustbucket map[string][]*Silence
	bySeverity           []*Silence // those that name neither
}

// NewSilences makes Silences of a list.
func NewSilences(list []*Silence) *Silences {
	all := &Silences{byType: make(map[string][]*Silence), byRustbucket: make(map[string][]*Silence)}
	for _, s := range list {
		switch {
		case len(s.Types) > 0:
			for _, t := range s.Types {
				all.byType[t] = append(all.byType[t], s)
			}
		case len(s.RustbucketIDs) > 0:
			for _, id := range s.RustbucketIDs {
				all.byRustbucket[id] = append(all.byRustbucket[id], s)
			}
		default:
			all.bySeverity = append(all.bySeverity, s)
		}
	}
	return all
}

// Of gives the silence that holds for an alert at a moment, or nil. Of several it is the one that ends last, and of those the
// one that was created first.
func (all *Silences) Of(a *NewAlert, t time.Time) *Silence {
	if all == nil {
		return nil
	}
	var last *Silence
	look := func(list []*Silence) {
		for _, s := range list {
			if s.Matches(a) && s.Holds(t) && (last == nil || s.EndsAt.After(last.EndsAt) || s.EndsAt.Equal(last.EndsAt) && s.ID < last.ID) {
				last = s
			}
		}
	}
	look(all.byType[a.Type])
	if a.Rustbucket != nil {
		look(all.byRustbucket[a.Rustbucket.ID])
	}
	look(all.bySeverity)
	return last
}

// NewSilence is a silence to be created. Valid says whether it may be.
type NewSilence struct {
	Types         []string
	Severities    []Severity
	RustbucketIDs []string
	Reason        string
	StartsAt      *time.Time // nil, or a moment that has passed, = now
	EndsAt        time.Time
}

// Valid returns an Error that names the field at fault, below the given path, or nil.
func (n *NewSilence) Valid(path string, now time.Time) error {
	if len(n.Types)+len(n.Severities)+len(n.RustbucketIDs) == 0 {
		return Invalid(path, "names no type, severity or rustbucket: name what is to be silenced, or use pauseNotifications to silence everything")
	}
	text := func(field, s string) error { return ValidText(field, s, MaxName) }
	if err := validEntries(path+".types", n.Types, text); err != nil {
		return err
	}
	if err := validEntries(path+".severities", n.Severities, func(string, Severity) error { return nil }); err != nil {
		return err
	}
	if err := validEntries(path+".rustbucketIds", n.RustbucketIDs, text); err != nil {
		return err
	}
	if err := ValidText(path+".reason", n.Reason, MaxName); err != nil {
		return err
	}
	ends := n.EndsAt.UTC().Format(time.RFC3339)
	switch {
	case !n.EndsAt.After(now):
		return Invalid(path+".endsAt", "is %s, which has passed: give a later time", ends)
	case n.StartsAt != nil && !n.EndsAt.After(*n.StartsAt):
		return Invalid(path+".endsAt", "is %s, which is not after startsAt: give a later time", ends)
	case n.EndsAt.After(now.AddDate(1, 0, 0)):
		return Invalid(path+".endsAt", "is %s: a silence ends within a year from now", ends)
	}
	return nil
}

// validEntries returns an Error unless a list is short enough, names nothing twice, and each of its entries is valid.
func validEntries[T comparable](path string, list []T, valid func(field string, v T) error) error {
	if len(list) > MaxSilenceEntries {
		return Invalid(path, "has %d entries; at most %d are allowed", len(list), MaxSilenceEntries)
	}
	for i, v := range list {
		if err := valid(pathIndex(path, i), v); err != nil {
			return err
		}
		if slices.Contains(list[:i], v) {
			return Invalid(pathIndex(path, i), "is named twice")
		}
	}
	return nil
}

// Silence is what becomes of it when it is created now by the token of this name.
func (n *NewSilence) Silence(now time.Time, by string) *Silence {
	s := &Silence{
		Types: n.Types, Severities: n.Severities, RustbucketIDs: n.RustbucketIDs, Reason: n.Reason,
		StartsAt: now, EndsAt: n.EndsAt.UTC().Truncate(time.Microsecond), CreatedAt: now, CreatedBy: by,
	}
	if n.StartsAt != nil && n.StartsAt.After(now) {
		s.StartsAt = n.StartsAt.UTC().Truncate(time.Microsecond)
	}
	return s
}
