package models

import (
	"math/rand/v2"
	"time"
)

// Delivery is one alert on its way to one channel.
type Delivery struct {
	ID            int64
	AlertID       int64
	Alert         *Alert // nil unless it was read along
	ChannelID     int64
	Kind          DeliveryKind
	Status        DeliveryStatus
	Attempts      int        // made so far
	SeriesStart   int        // attempts that do not count any more: made before a retry by hand, or answered with a wish for time
	SeriesBegan   time.Time  // when the present series began
	NextAttemptAt *time.Time // nil when that is now, or never again
	Error         *string    // of the last attempt, or why it was cancelled
	CreatedAt     time.Time
	CompletedAt   *time.Time
	DigestSize    *int // of how many deliveries the last message told; nil = of this one alone
	// Recipients is how each recipient of a mail stands; nil = another type of channel, or not tried yet. See SetRecipients.
	Recipients []RecipientOutcome
}

// DeliveryAttempt is one attempt to tell a channel.
type DeliveryAttempt struct {
	DeliveryID int64
	Number     int // 1 and up
	StartedAt  time.Time
	Duration   time.Duration
	StatusCode *int    // HTTP status or SMTP reply code; nil when there was none
	Error      *string // nil when it succeeded
	Response   *string // the first MaxResponseBytes of what the other side answered
	DigestSize *int    // of how many deliveries the message told; nil = of this one alone
}

// DurationMs is the duration in milliseconds.
func (a *DeliveryAttempt) DurationMs() float64 { return float64(a.Duration.Microseconds()) / 1000 }

// MaxResponseBytes is how much of an answer is kept.
const MaxResponseBytes = 4 << 10

// DeliveryFilter says which deliveries are wanted. All given fields must match.
type DeliveryFilter struct {
	AlertID       *int64
	ChannelID     *int64
	Statuses      []DeliveryStatus
	CreatedAfter  *time.Time // this moment or later
	CreatedBefore *time.Time // before this moment
}

// retryDelays are the pauses between the attempts of one series: ten attempts in all, over about a day.
var retryDelays = []time.Duration{
	5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute,
	time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour,
}

// MaxAttempts is how often a delivery is tried in one series before it is given up.
var MaxAttempts = len(retryDelays) + 1

// RetryDelay is the pause after so many attempts of a series (1 and up), give or take 20 %, and never shorter than what
// the other side asked for. False means that no attempt is left.
func RetryDelay(attempts int, asked time.Duration) (time.Duration, bool) {
	if attempts >= MaxAttempts {
		return 0, false
	}
	delay := retryDelays[attempts-1]
	delay = delay*4/5 + rand.N(delay*2/5+1)
	return max(delay, asked), true
}
