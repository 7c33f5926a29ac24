package notifiers

import (
	"crypto/rand"
	"time"

	"github.com/rustbucket/alerts/models"
)

// Settings is what the notifiers need to know of the server.
type Settings struct {
	Version string // of this program, for the User-Agent; empty = "dev"
	Egress  Egress // private addresses that HTTP notifiers may call; does not bear on mail
	Mail    MailSettings
	// PublicURL is where people reach this server, without a slash at the end; empty = not known, and messages have no links.
	PublicURL string
}

// NewSet gives a Notifier for each channel type that is available. All HTTP notifiers share one pool of connections.
func NewSet(s Settings) Set {
	p := newPoster(s)
	s.Mail.PublicURL = s.PublicURL
	return Set{
		models.Email:     NewEmail(s.Mail),
		models.Slack:     &slack{poster: p},
		models.Webhook:   &webhook{poster: p},
		models.Teams:     &teams{poster: p},
		models.Discord:   &discord{poster: p},
		models.PagerDuty: &pagerduty{poster: p},
		models.Opsgenie:  newOpsgenie(p),
	}
}

// TestNotification is a message that shows whether a channel is set up. Its alert is never stored: its id is 0.
func TestNotification(config models.ChannelConfig) Notification {
	return Notification{
		// Random, so that a service that drops second copies takes the second test, too.
		Key: "test-" + rand.Text(), AlertKey: "test-" + rand.Text(),
		Alert: &models.Alert{
			Type:        "test",
			Severity:    models.SeverityMedium,
			Message:     "This is a test. If you read it, the channel is set up correctly.",
			Rustbucket:  &models.Rustbucket{ID: "TEST-000", Name: "Test Rustbucket"},
			Occurrences: 1,
			Notify:      true,
			CreatedAt:   time.Now().UTC(),
		},
		Config: config,
	}
}
