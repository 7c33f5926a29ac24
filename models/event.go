package models

import (
	"slices"
	"strings"
	"time"
)

// FeedEvent is something that happened, at its place in the one order of everything.
type FeedEvent struct {
	Position int64 // 1 and up, without gaps, the same in every process
	Kind     FeedEventKind
	At       time.Time
	Alert    *Alert      // as it was then
	Delivery *Delivery   // as it was then; nil for an alert's event
	Attempt  int         // number of the attempt that a delivery's event tells of; 0 when there was none
	Change   *AlertEvent // what somebody did with the alert; nil for everything else
}

// FeedFilter says which events are wanted. All given fields must match.
type FeedFilter struct {
	Kinds       []FeedEventKind
	MinSeverity *Severity
	Types       []string
}

// Match reports whether the event is wanted. A nil filter wants every event.
func (f *FeedFilter) Match(e *FeedEvent) bool {
	return f == nil || oneOf(f.Kinds, e.Kind) &&
		(f.MinSeverity == nil || e.Alert.Severity >= *f.MinSeverity) &&
		oneOf(f.Types, e.Alert.Type)
}

// Match reports whether the alert is wanted, by the same rules as the query in the store. A nil filter wants every alert.
func (f *AlertFilter) Match(a *Alert) bool {
	return f == nil || oneOf(f.Types, a.Type) &&
		oneOf(f.Severities, a.Severity) &&
		(f.MinSeverity == nil || a.Severity >= *f.MinSeverity) &&
		oneOf(f.States, a.State()) &&
		(f.IsResolved == nil || *f.IsResolved == a.IsResolved()) &&
		(f.Assignee == nil || a.Assignee != nil && *a.Assignee == *f.Assignee) &&
		(f.RustbucketID == nil || a.Rustbucket != nil && a.Rustbucket.ID == *f.RustbucketID) &&
		(f.CreatedAfter == nil || !a.CreatedAt.Before(*f.CreatedAfter)) &&
		(f.CreatedBefore == nil || a.CreatedAt.Before(*f.CreatedBefore)) &&
		(f.Search == nil || containsFold(a.Type, *f.Search) || containsFold(a.Message, *f.Search)) &&
		(f.IsSilenced == nil || *f.IsSilenced == (a.SilenceID != nil)) &&
		(f.SilenceID == nil || a.SilenceID != nil && *a.SilenceID == *f.SilenceID) &&
		(f.CreatedBy == nil || a.CreatedBy == *f.CreatedBy)
}

// Match reports whether the delivery is wanted. A nil filter wants every delivery.
func (f *DeliveryFilter) Match(d *Delivery) bool {
	return f == nil || (f.AlertID == nil || d.AlertID == *f.AlertID) &&
		(f.ChannelID == nil || d.ChannelID == *f.ChannelID) &&
		(f.CreatedAfter == nil || !d.CreatedAt.Before(*f.CreatedAfter)) &&
		(f.CreatedBefore == nil || d.CreatedAt.Before(*f.CreatedBefore)) &&
		oneOf(f.Statuses, d.Status)
}

// oneOf reports whether v is among wanted; an empty list wants everything.
func oneOf[T comparable](wanted []T, v T) bool { return len(wanted) == 0 || slices.Contains(wanted, v) }

func containsFold(s, part string) bool {
	return strings.Contains(strings.ToLower(s), strings.ToLower(part))
}

// Match reports whether the channel is wanted. A nil filter wants every channel.
func (f *ChannelFilter) Match(c *Channel) bool {
	return f == nil || oneOf(f.Types, c.Type()) &&
		(f.IsActive == nil || *f.IsActive == c.IsActive) &&
		(f.Search == nil || containsFold(c.Name, *f.Search))
}
