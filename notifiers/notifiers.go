// Package notifiers tells alerts to the outside world: one Notifier for each channel type, one guarded HTTP client under
// them all.
//
// It promises: one call of Send is at most one message to the other side; it returns when its context ends, whatever the
// other side does; it says in an Outcome what became of the message and whether trying again makes sense; no secret of the
// channel appears in an Outcome. It never retries, stores or logs: that is dispatch's business.
package notifiers

import (
	"context"
	"time"

	"github.com/rustbucket/alerts/models"
)

// Notification is one alert, or a digest of several, to be told to one channel.
type Notification struct {
	// Key is the same in every attempt of one delivery and different for every other: "alert-12-delivery-34-a0550215ea3b". Services and
	// receivers recognise a second copy by it (webhook-id, Message-ID).
	Key string
	// AlertKey is the same in everything that is told about one alert, on every channel, and different for every other alert:
	// "alert-12-a0550215ea3b". Services by which incidents are opened and closed know the incident by it. Empty in a digest.
	AlertKey string
	Kind     models.DeliveryKind // what is told about the alert; empty = TellAlert
	Alert    *models.Alert       // nil in a digest
	// Change is what somebody did with the alert, when it tells of that and it is known: by whom, and with which note.
	Change *models.AlertEvent
	Digest *models.Digest // nil = one alert. Only for types whose models.TypeInfo says so
	Config models.ChannelConfig
	// Recipients is how each recipient stands after the attempts before, for types that tell several in one message; nil = nobody
	// was tried. Who has it is not sent it again.
	Recipients []models.RecipientOutcome
}

// tells is the kind of what is told about a single alert; a digest never tells one as a whole.
func (n Notification) tells() models.DeliveryKind {
	if n.Digest != nil || n.Kind == "" {
		return models.TellAlert
	}
	return n.Kind
}

// resolved reports whether it tells that its alert was resolved.
func (n Notification) resolved() bool { return n.tells() == models.TellResolved }

// Notifier tells alerts to channels of one type.
type Notifier interface {
	// Send makes one attempt. The config in n is of the type that the notifier is registered for, and valid.
	Send(ctx context.Context, n Notification) Outcome
}

// Result says whether a message arrived and what to do when it did not.
type Result int

// The results of an attempt.
const (
	Delivered     Result = iota // the other side took it
	Retry                       // it may work later
	Permanent                   // this message will never be taken
	ChannelBroken               // nothing will be taken until somebody mends the channel's configuration
)

// Sign is what an attempt shows about its channel, where its Result does not say it.
type Sign int

// The signs.
const (
	ByResult    Sign = iota // just what the Result says
	SignWorks               // it works: some of the recipients were told
	SignAnswers             // it answers, and what it says concerns a few recipients only
	SignNone                // nothing: the other side was not asked
)

// Outcome is what became of one attempt.
type Outcome struct {
	Result     Result
	RetryAfter time.Duration // with Retry: not sooner than this; 0 = the sender's schedule decides
	Asked      bool          // with Retry and RetryAfter: the service limits its rate and asks for time; that is no failure
	StatusCode int           // HTTP status or SMTP reply code; 0 when there was none
	Error      string        // why it failed, in words without secrets; empty when Delivered
	Response   string        // the first models.MaxResponseBytes of the answer, valid UTF-8, without the channel's secrets
	Channel    Sign
	// Recipients is how each recipient stands now; nil = as before, or a type that knows none. Those who are named no more and have
	// it are still in it.
	Recipients []models.RecipientOutcome
}

// Set has a Notifier for each channel type that is available.
type Set map[models.ChannelType]Notifier
