package models

import (
	"cmp"
	"slices"
	"time"
)

// MaxDigest is how many deliveries one digest tells of at most.
const MaxDigest = 500

// Digest is one message about several alerts: what waited because the channel's rate limit was reached.
type Digest struct {
	ChannelID int64
	Items     []DigestItem // the worst first, and of equal severity the newest first
}

// DigestItem is one alert in a digest.
type DigestItem struct {
	Kind  DeliveryKind
	Alert *Alert
	// Change is what somebody did with the alert, when it tells of that and it is known.
	Change *AlertEvent
}

// NewDigest puts items in their order. It changes their slice.
func NewDigest(channelID int64, items []DigestItem) *Digest {
	slices.SortStableFunc(items, func(a, b DigestItem) int {
		return cmp.Or(cmp.Compare(b.Alert.Severity, a.Alert.Severity), cmp.Compare(b.Alert.ID, a.Alert.ID), cmp.Compare(a.Kind, b.Kind))
	})
	return &Digest{ChannelID: channelID, Items: items}
}

// Worst is the highest severity in the digest.
func (d *Digest) Worst() Severity {
	worst := SeverityLow
	for _, i := range d.Items {
		worst = max(worst, i.Alert.Severity)
	}
	return worst
}

// Count is how many items share something.
type Count struct {
	Name string
	N    int
}

// BySeverity counts the items of each severity that occurs, the worst first.
func (d *Digest) BySeverity() []Count {
	var counts []Count
	for s := SeverityHigh; s >= SeverityLow; s-- {
		n := 0
		for _, i := range d.Items {
			if i.Alert.Severity == s {
				n++
			}
		}
		if n > 0 {
			counts = append(counts, Count{s.String(), n})
		}
	}
	return counts
}

// ByType counts the items of each type, the most frequent first.
func (d *Digest) ByType() []Count {
	n := make(map[string]int)
	for _, i := range d.Items {
		n[i.Alert.Type]++
	}
	counts := make([]Count, 0, len(n))
	for name, n := range n {
		counts = append(counts, Count{name, n})
	}
	slices.SortFunc(counts, func(a, b Count) int { return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Name, b.Name)) })
	return counts
}

// Span gives the creation times of the oldest and the newest alert.
func (d *Digest) Span() (oldest, newest time.Time) {
	for n, i := range d.Items {
		if at := i.Alert.CreatedAt; n == 0 || at.Before(oldest) {
			oldest = at
		}
		if at := i.Alert.CreatedAt; at.After(newest) {
			newest = at
		}
	}
	return oldest, newest
}
