package models

import (
	"io"
	"time"
)

// MaxStatsBuckets is how many buckets statistics are counted in at most.
const MaxStatsBuckets = 2000

// MaxAlertTypes is how many types of alerts statistics name: the most frequent ones.
const MaxAlertTypes = 50

// StatsBucket is how long the buckets are that things are counted in. They begin at full minutes, hours and days of UTC.
type StatsBucket string

// The lengths, as they are shown.
const (
	PerMinute StatsBucket = "MINUTE"
	PerHour   StatsBucket = "HOUR"
	PerDay    StatsBucket = "DAY"
)

var statsBuckets = []StatsBucket{PerMinute, PerHour, PerDay}

// MarshalGQL writes the length as a GraphQL enum.
func (b StatsBucket) MarshalGQL(w io.Writer) { writeEnum(w, string(b)) }

// UnmarshalGQL reads a GraphQL enum.
func (b *StatsBucket) UnmarshalGQL(v any) (err error) {
	*b, err = readEnum("StatsBucket", v, statsBuckets)
	return err
}

// Length is how long a bucket is.
func (b StatsBucket) Length() time.Duration {
	switch b {
	case PerMinute:
		return time.Minute
	case PerHour:
		return time.Hour
	}
	return 24 * time.Hour
}

// StatsRange is the time that statistics are about: what was created at From or later and before To. Valid says whether it may be.
type StatsRange struct {
	From, To time.Time
	Bucket   StatsBucket
}

// Valid returns an Error that names the argument at fault, or nil.
func (r StatsRange) Valid() error {
	if !r.From.Before(r.To) {
		return Invalid("from", "is %s, which is not before the end of the time, %s: give an earlier from, or a later to",
			r.From.UTC().Format(time.RFC3339), r.To.UTC().Format(time.RFC3339))
	}
	if n := r.buckets(); n > MaxStatsBuckets {
		mend := "give a later from, or a longer bucket"
		if r.Bucket == PerDay {
			mend = "give a later from, or an earlier to"
		}
		return Invalid("bucket", "is %s, which makes %d buckets of this time; at most %d are allowed: %s", r.Bucket, n, MaxStatsBuckets, mend)
	}
	return nil
}

// buckets is how many buckets there are, the first and the last of which may be cut.
func (r StatsRange) buckets() int { return r.Place(r.To.Add(-1).Unix()) + 1 }

// Place is the place of a moment's bucket among those of the range, 0 and up; the moment is in seconds since 1970.
func (r StatsRange) Place(seconds int64) int {
	return int((seconds - r.start().Unix()) / int64(r.Bucket.Length()/time.Second))
}

// start is when the first bucket begins, which may be before From.
func (r StatsRange) start() time.Time { return r.From.UTC().Truncate(r.Bucket.Length()) }

// Starts gives the moments at which the buckets begin, of a valid range.
func (r StatsRange) Starts() []time.Time {
	starts := make([]time.Time, r.buckets())
	for i := range starts {
		starts[i] = r.start().Add(time.Duration(i) * r.Bucket.Length())
	}
	return starts
}

// AlertCounts is how many alerts there are, by severity.
type AlertCounts struct{ Low, Medium, High int }

// Total is how many there are in all.
func (c AlertCounts) Total() int { return c.Low + c.Medium + c.High }

// Add counts n more of a severity.
func (c *AlertCounts) Add(s Severity, n int) {
	switch s {
	case SeverityLow:
		c.Low += n
	case SeverityMedium:
		c.Medium += n
	case SeverityHigh:
		c.High += n
	}
}

// AlertStats says how many alerts came in.
type AlertStats struct {
	AlertCounts
	Open    int // not resolved yet
	Types   []*AlertTypeStats
	Buckets []*AlertStatsBucket
}

// AlertTypeStats says how many alerts of a type came in.
type AlertTypeStats struct {
	Type        string
	Total, Open int
}

// AlertStatsBucket says how many alerts came in during one bucket.
type AlertStatsBucket struct {
	From time.Time
	AlertCounts
}

// DeliveryCounts is how many deliveries there are, by what became of them, and how long those took that were delivered: from being
// created to being done, in milliseconds, nil when there are none.
type DeliveryCounts struct {
	Delivered, Failed, Cancelled, Pending int
	// Of n values in order, these are the ones at the places n*50/100 and n*99/100, rounded up.
	P50Ms, P99Ms *float64
}

// Total is how many there are in all.
func (c *DeliveryCounts) Total() int { return c.Delivered + c.Failed + c.Cancelled + c.Pending }

// SuccessRate is the part that was delivered of what was delivered or given up, 0 to 1; nil when there are none.
func (c *DeliveryCounts) SuccessRate() *float64 {
	if c.Delivered+c.Failed == 0 {
		return nil
	}
	rate := float64(c.Delivered) / float64(c.Delivered+c.Failed)
	return &rate
}

// DeliveryStats says what became of deliveries.
type DeliveryStats struct {
	DeliveryCounts
	Channels []*ChannelDeliveryStats
	Buckets  []*DeliveryStatsBucket
}

// ChannelDeliveryStats says what became of the deliveries on one channel.
type ChannelDeliveryStats struct {
	ChannelID int64
	DeliveryCounts
}

// DeliveryStatsBucket says what became of the deliveries that were created during one bucket.
type DeliveryStatsBucket struct {
	From time.Time
	DeliveryCounts
}
