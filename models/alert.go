// Package models is the domain in plain Go: alerts, channels, deliveries, and the rules about them that need nothing but
// their values. It never reads or writes anything and imports no other room of the project.
package models

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of an alert, in characters unless the name says otherwise.
const (
	MaxName         = 255    // of type, channel name, dedup key, rustbucket id and name
	MaxMessage      = 10_000 // of message
	MaxDetailsBytes = 64 << 10
)

// Alert is something that happened.
type Alert struct {
	ID          int64
	Type        string
	Severity    Severity
	Message     string
	Details     json.RawMessage // a JSON object, or nil
	Rustbucket  *Rustbucket     // nil when the alert is about no machine
	DedupKey    *string
	Occurrences int
	Notify      bool
	CreatedAt   time.Time
	ResolvedAt  *time.Time // nil while the alert is open
	ResolvedBy  *string    // name of the token, or "server"; nil while it is open, and of what was resolved before that was noted
	// Since when somebody is on it, and the name of their token; nil unless it is acknowledged, or was when it was resolved.
	AcknowledgedAt *time.Time
	AcknowledgedBy *string
	Assignee       *string   // a person or a team, in their own words; nil = nobody
	CreatedBy      int64     // id of the token that created it; 0 for ADMIN_TOKEN, or one of the constants below
	Decisions      Decisions // what was decided for every channel when it came in
	PauseReason    *string   // why notifications were paused when it came in; nil when they were not
	SilenceID      *int64    // the silence that held for it when it came in; nil when none did
	TraceParent    string    // W3C trace context of the call that created it; empty when nothing is traced
}

// What stands in CreatedBy of alerts that nobody created with a token.
const (
	ServerItself = -1 // the server raised it about itself
	Imported     = -2 // it was taken over from another system
)

// OwnKey begins the dedup keys of the server's own alerts. Callers may not use it.
const OwnKey = "rustbucket-alerts:"

// TokenKey begins the dedup keys that alerts of a token get where another's alert has the ordinary key. Callers may not use it: who
// held both keys of another's alert would keep it from being told.
const TokenKey = "alertmanager@"

// Types of the alerts that the server raises about a channel.
const (
	ChannelFailing = "channel_failing" // it is out of service
	DeliveryFailed = "delivery_failed" // a delivery on it was given up
)

// OwnKeyOf is the dedup key of the server's own alert of a type about a channel.
func OwnKeyOf(alertType string, channelID int64) string {
	return OwnKey + alertType + ":" + strconv.FormatInt(channelID, 10)
}

// Source says who raised the alert.
func (a *Alert) Source() AlertSource {
	switch a.CreatedBy {
	case ServerItself:
		return FromServer
	case Imported:
		return FromImport
	}
	return FromAPI
}

// Again is the alert as if it came in once more, by a report that says which channel it is about; without its dedup key.
func (a *Alert) Again(by *NewAlert) *NewAlert {
	return &NewAlert{
		Type: a.Type, Severity: a.Severity, Message: a.Message, Details: a.Details, Rustbucket: a.Rustbucket,
		Notify: a.Notify, CreatedBy: a.CreatedBy, AboutChannel: by.AboutChannel, TraceParent: a.TraceParent,
	}
}

// IsResolved reports whether somebody resolved the alert.
func (a *Alert) IsResolved() bool { return a.ResolvedAt != nil }

// AboutTelling reports whether the server raised the alert about its own work: about a channel or a delivery.
func (a *Alert) AboutTelling() bool { return a.Source() == FromServer && a.Type != RustbucketOffline }

// Rustbucket is a machine that alerts are about.
type Rustbucket struct {
	ID   string
	Name string
	// CreatedAt is when it was first heard of; zero where the rustbucket only says what something else is about.
	CreatedAt time.Time
	Heartbeat *Heartbeat // nil = none is expected and none came, or as with CreatedAt
}

// NewAlert is an alert to be created. Valid says whether it may be.
type NewAlert struct {
	Type       string
	Severity   Severity
	Message    string
	Details    json.RawMessage
	Rustbucket *Rustbucket
	DedupKey   *string
	Notify     bool
	CreatedBy  int64
	// AboutChannel is the channel that an alert of the server's own is about, and that is not told; 0 = none.
	AboutChannel int64
	TraceParent  string
}

// Valid returns an Error that names the field at fault, below the given path, or nil.
func (a *NewAlert) Valid(path string) error {
	if err := ValidText(path+".type", a.Type, MaxName); err != nil {
		return err
	}
	if err := ValidText(path+".message", a.Message, MaxMessage); err != nil {
		return err
	}
	if a.Rustbucket != nil {
		if err := ValidText(path+".rustbucket.id", a.Rustbucket.ID, MaxName); err != nil {
			return err
		}
		if err := ValidText(path+".rustbucket.name", a.Rustbucket.Name, MaxName); err != nil {
			return err
		}
	}
	if a.DedupKey != nil {
		if err := ValidText(path+".dedupKey", *a.DedupKey, MaxName); err != nil {
			return err
		}
		if strings.HasPrefix(*a.DedupKey, OwnKey) && a.CreatedBy != ServerItself {
			return Invalid(path+".dedupKey", "begins with %s, which is kept for the server's own alerts: choose another key", OwnKey)
		}
		if strings.HasPrefix(*a.DedupKey, TokenKey) {
			return Invalid(path+".dedupKey", "begins with %s, which is kept for alerts from Alertmanager whose key is taken: choose another key", TokenKey)
		}
	}
	if len(a.Details) > MaxDetailsBytes {
		return Invalid(path+".details", "is %d bytes of JSON; at most %d are kept", len(a.Details), MaxDetailsBytes)
	}
	if hasNUL(a.Details) {
		return Invalid(path+".details", "contains a NUL character (\\u0000): leave it out")
	}
	if !utf8.Valid(a.Details) {
		return Invalid(path+".details", "is not valid UTF-8")
	}
	return nil
}

// hasNUL reports whether a string in JSON has a NUL, written \u0000: databases and receivers choke on it.
func hasNUL(json []byte) bool {
	for rest := json; ; {
		i := bytes.IndexByte(rest, '\\')
		if i < 0 {
			return false
		}
		if bytes.HasPrefix(rest[i:], []byte(`\u0000`)) {
			return true
		}
		rest = rest[min(i+2, len(rest)):] // the backslash and what it escapes
	}
}

// ValidText returns an Error unless s is 1 to max characters of valid UTF-8, not only blanks, and without NUL.
func ValidText(field, s string, max int) error {
	switch {
	case !utf8.ValidString(s):
		return Invalid(field, "is not valid UTF-8")
	case strings.ContainsRune(s, 0):
		return Invalid(field, "contains a NUL character: leave it out")
	case s == "":
		return Invalid(field, "is empty: give 1 to %d characters", max)
	case strings.TrimSpace(s) == "":
		return Invalid(field, "has only blanks: give 1 to %d characters", max)
	}
	if n := utf8.RuneCountInString(s); n > max {
		return Invalid(field, "has %d characters; at most %d are allowed", n, max)
	}
	return nil
}

// AlertFilter says which alerts are wanted. All given fields must match; the zero value matches every alert.
type AlertFilter struct {
	Types         []string
	Severities    []Severity
	MinSeverity   *Severity
	States        []AlertState
	IsResolved    *bool
	Assignee      *string
	RustbucketID  *string
	CreatedAfter  *time.Time // this moment or later
	CreatedBefore *time.Time // before this moment
	Search        *string    // part of type or message, whatever the case
	IsSilenced    *bool      // a silence held for it when it came in, or none did
	SilenceID     *int64     // this silence held for it when it came in
	CreatedBy     *int64     // by this token; set by the server for a REPORTER, never by a caller
}

// IsEmpty reports whether the filter says nothing: an empty list is as good as none, and an empty text is part of every other.
func (f *AlertFilter) IsEmpty() bool {
	bare := *f
	if len(bare.Types) == 0 {
		bare.Types = nil
	}
	if len(bare.Severities) == 0 {
		bare.Severities = nil
	}
	if len(bare.States) == 0 {
		bare.States = nil
	}
	if bare.Search != nil && *bare.Search == "" {
		bare.Search = nil
	}
	return reflect.DeepEqual(bare, AlertFilter{})
}
