package models

import (
	"io"
	"time"
)

// RustbucketOffline is the type of the alert that the server raises when a rustbucket has missed a heartbeat.
const RustbucketOffline = "rustbucket_offline"

// OfflineKey is the dedup key of the server's own alert that a rustbucket is offline.
func OfflineKey(rustbucketID string) string { return OwnKey + RustbucketOffline + ":" + rustbucketID }

// How long heartbeats may be expected apart.
const (
	MinHeartbeat = 5 * time.Second
	MaxHeartbeat = 7 * 24 * time.Hour
)

// Heartbeat says how a rustbucket lives.
type Heartbeat struct {
	IntervalSeconds *int       // one is expected at least this often; nil = none is expected
	Severity        Severity   // of the alert that a missed one raises
	LastSeenAt      *time.Time // nil = none came yet
	DueAt           *time.Time // the next one is missed from here on; nil = none is expected, or it was missed
}

// State says in a word how it lives.
func (h *Heartbeat) State() HeartbeatState {
	switch {
	case h.IntervalSeconds == nil:
		return Unwatched
	case h.DueAt == nil:
		return Offline
	}
	return Online
}

// Interval is how long two heartbeats may be apart; 0 = none is expected.
func (h *Heartbeat) Interval() time.Duration {
	if h.IntervalSeconds == nil {
		return 0
	}
	return time.Duration(*h.IntervalSeconds) * time.Second
}

// longestGap is how long nobody may have looked for missed heartbeats before that says nothing about any rustbucket.
const longestGap = 20 * time.Second

// Excused reports whether a heartbeat, expected with this interval, cannot be missed yet after nobody looked for missed ones for
// so long: nobody took them either then, as when the server was down. It has a whole interval again. Of a short interval, less
// of a gap is too much.
func Excused(interval, gap time.Duration) bool { return gap >= min(longestGap, interval/2) }

// Beat is a sign of life of a rustbucket.
type Beat struct {
	RustbucketID string
	Name         *string // nil = as it is
}

// Valid returns an Error that names the argument at fault, or nil.
func (b *Beat) Valid() error {
	if err := ValidText("rustbucketId", b.RustbucketID, MaxName); err != nil {
		return err
	}
	if b.Name != nil {
		return ValidText("name", *b.Name, MaxName)
	}
	return nil
}

// Watch says how often a rustbucket is to be heard of.
type Watch struct {
	RustbucketID    string
	IntervalSeconds *int // nil = no more
	Severity        Severity
}

// Valid returns an Error that names the argument at fault, or nil.
func (w *Watch) Valid() error {
	if err := ValidText("rustbucketId", w.RustbucketID, MaxName); err != nil {
		return err
	}
	least, most := int(MinHeartbeat/time.Second), int(MaxHeartbeat/time.Second)
	if n := w.IntervalSeconds; n != nil && (*n < least || *n > most) {
		return Invalid("intervalSeconds", "is %d: give %d to %d, or null to expect none any more", *n, least, most)
	}
	return nil
}

// RustbucketFilter says which rustbuckets are wanted. All given fields must match.
type RustbucketFilter struct {
	Search          *string // part of id or name, whatever the case
	HeartbeatStates []HeartbeatState
}

// HeartbeatState says whether a rustbucket is heard of.
type HeartbeatState string

// The states, as they are shown.
const (
	Unwatched HeartbeatState = "UNWATCHED" // nothing is expected of it
	Online    HeartbeatState = "ONLINE"
	Offline   HeartbeatState = "OFFLINE" // it has missed a heartbeat
)

// HeartbeatStates lists every state.
var HeartbeatStates = []HeartbeatState{Unwatched, Online, Offline}

// MarshalGQL writes the state as a GraphQL enum.
func (s HeartbeatState) MarshalGQL(w io.Writer) { writeEnum(w, string(s)) }

// UnmarshalGQL reads a GraphQL enum.
func (s *HeartbeatState) UnmarshalGQL(v any) (err error) {
	*s, err = readEnum("HeartbeatState", v, HeartbeatStates)
	return err
}
