package models

import (
	"io"
	"time"
)

// What people do with an alert after it came in: acknowledge, assign, comment, resolve, reopen.

// Limits of an alert's life, in characters unless the name says otherwise.
const (
	MaxNote        = 10_000 // of a note or comment
	MaxAlertEvents = 1000   // in one alert's history; the last place is kept for its end
)

// AlertState says how far people are with an alert. Open and Acknowledged are both open to everything that asks whether an
// alert is resolved, its dedup key among it.
type AlertState string

// The states, as they are shown.
const (
	Open         AlertState = "OPEN"
	Acknowledged AlertState = "ACKNOWLEDGED" // somebody is on it
	Resolved     AlertState = "RESOLVED"
)

var alertStates = []AlertState{Open, Acknowledged, Resolved}

// MarshalGQL writes the state as a GraphQL enum.
func (s AlertState) MarshalGQL(w io.Writer) { writeEnum(w, string(s)) }

// UnmarshalGQL reads a GraphQL enum.
func (s *AlertState) UnmarshalGQL(v any) (err error) {
	*s, err = readEnum("AlertState", v, alertStates)
	return err
}

// AlertEventKind says what somebody did with an alert.
type AlertEventKind string

// What may be done with an alert, as it is stored and shown.
const (
	WasAcknowledged AlertEventKind = "ACKNOWLEDGED"
	WasAssigned     AlertEventKind = "ASSIGNED"
	WasCommented    AlertEventKind = "COMMENTED"
	WasResolved     AlertEventKind = "RESOLVED"
	WasReopened     AlertEventKind = "REOPENED"
)

var alertEventKinds = []AlertEventKind{WasAcknowledged, WasAssigned, WasCommented, WasResolved, WasReopened}

// MarshalGQL writes the kind as a GraphQL enum.
func (k AlertEventKind) MarshalGQL(w io.Writer) { writeEnum(w, string(k)) }

// UnmarshalGQL reads a GraphQL enum.
func (k *AlertEventKind) UnmarshalGQL(v any) (err error) {
	*k, err = readEnum("AlertEventKind", v, alertEventKinds)
	return err
}

// AlertEvent is one thing that somebody did with an alert.
type AlertEvent struct {
	ID       int64
	AlertID  int64
	At       time.Time
	By       string // name of the token, or "server"
	Kind     AlertEventKind
	Text     *string // the note or comment
	Assignee *string // of WasAssigned; nil = nobody
}

// AlertChange is what somebody wants to do with alerts.
type AlertChange struct {
	Kind     AlertEventKind
	Text     *string // a note, or the comment
	Assignee *string // with WasAssigned; nil = nobody
}

// Valid returns an Error that names the argument at fault, or nil.
func (c *AlertChange) Valid() error {
	if c.Text != nil {
		field := "note"
		if c.Kind == WasCommented {
			field = "text"
		}
		if err := ValidText(field, *c.Text, MaxNote); err != nil {
			return err
		}
	}
	if c.Assignee != nil {
		return ValidText("assignee", *c.Assignee, MaxName)
	}
	return nil
}

// State says how far people are with the alert.
func (a *Alert) State() AlertState {
	switch {
	case a.ResolvedAt != nil:
		return Resolved
	case a.AcknowledgedAt != nil:
		return Acknowledged
	}
	return Open
}

// Do makes of the alert what somebody does with it, and reports whether that changes anything: done already is done. history
// is how many events it has. CONFLICT when its state does not allow it.
func (a *Alert) Do(c AlertChange, by string, at time.Time, history int) (changed bool, err error) {
	state := a.State()
	switch c.Kind {
	case WasAcknowledged:
		if state == Resolved {
			return false, Conflicting("id", "alert %d is resolved: reopen it first", a.ID)
		}
		changed = state == Open
	case WasResolved:
		changed = state != Resolved
	case WasReopened:
		changed = state != Open
	case WasAssigned:
		changed = (a.Assignee == nil) != (c.Assignee == nil) || a.Assignee != nil && *a.Assignee != *c.Assignee
	case WasCommented:
		changed = true
	}
	if !changed {
		return false, nil
	}
	if c.Kind != WasResolved && history >= MaxAlertEvents-1 {
		return false, Conflicting("id", "the history of alert %d is full: it keeps %d events, and the last place is for its end", a.ID, MaxAlertEvents)
	}
	switch c.Kind {
	case WasAcknowledged:
		a.AcknowledgedAt, a.AcknowledgedBy = &at, &by
	case WasResolved:
		a.ResolvedAt, a.ResolvedBy = &at, &by
	case WasReopened:
		a.AcknowledgedAt, a.AcknowledgedBy, a.ResolvedAt, a.ResolvedBy = nil, nil, nil, nil
	case WasAssigned:
		a.Assignee = c.Assignee
	}
	return true, nil
}

// AlertSelection says with which alerts something is done: exactly one of the two.
type AlertSelection struct {
	IDs    []int64 // all or none
	Filter *AlertFilter
}

// MaxSelected is how many alerts may be named by their ids at a time.
const MaxSelected = 1000

// Valid returns an Error that names the field at fault, below the given path, or nil. A filter must say something, so that
// nobody means a few and gets all.
func (s *AlertSelection) Valid(path string) error {
	switch {
	case s.Filter == nil && (len(s.IDs) == 0 || len(s.IDs) > MaxSelected):
		return Invalid(path+".ids", "has %d ids: give 1 to %d at a time", len(s.IDs), MaxSelected)
	case s.Filter != nil && s.Filter.IsEmpty():
		return Invalid(path+".filter", "is empty: name at least one field, such as types, or createdBefore for all of them")
	}
	return nil
}
