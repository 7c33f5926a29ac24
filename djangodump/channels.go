package djangodump

import (
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/rustbucket/alerts/models"
)

// Channel is a notification channel of the registry, and what it is here.
type Channel struct {
	PK, Name  string
	OldType   string          // email, slack or webhook
	CreatedAt time.Time       // zero when the dump does not tell
	Here      *models.Channel // nil when it cannot be taken over: Problem says why
	Problem   error           // what is wrong and how to mend it; holds no secret
	Notes     []string        // what else there is to know about it; no secrets
}

// readChannel translates a channel. The columns are those of the registry's model NotificationChannel.
func readChannel(o object) Channel {
	c := Channel{PK: o.PK}
	f, err := readFields(o.Fields)
	if err == nil {
		err = c.read(f)
	}
	if err != nil {
		c.Here, c.Problem = nil, err
	}
	return c
}

func (c *Channel) read(f fields) error {
	var err error
	if c.Name, err = f.text("", "name"); err != nil {
		return err
	}
	if c.OldType, err = f.text("", "channel_type"); err != nil {
		return err
	}
	if c.PK == "" {
		return errNoPK
	}
	here := &models.Channel{Name: strings.TrimSpace(c.Name)}
	created, _, err := f.moment("created_at")
	if err != nil {
		return err
	}
	if created != nil {
		c.CreatedAt, here.CreatedAt = *created, *created
	}
	if here.MinSeverity, err = f.severity("min_severity"); err != nil {
		return err
	}
	if here.IsActive, err = f.flag("is_active", true); err != nil {
		return err
	}
	types, err := f.texts("", "alert_types")
	if err != nil {
		return err
	}
	for _, t := range types { // one named twice did no harm there
		if !slices.Contains(here.AlertTypes, t) {
			here.AlertTypes = append(here.AlertTypes, t)
		}
	}
	config, err := f.object("", "config")
	if err != nil {
		return err
	}
	if here.Config, err = c.config(config); err != nil {
		return err
	}
	info := here.Type().Info()
	here.NotifyOnResolve, here.NotifyOnAcknowledge, here.RateLimit = info.NotifyOnResolve, info.NotifyOnAcknowledge, info.RateLimit
	c.Here = here
	return plain(here.Valid(""))
}

func (c *Channel) config(f fields) (models.ChannelConfig, error) {
	switch strings.ToLower(c.OldType) {
	case "email":
		recipients, err := f.texts("config.", "recipients")
		return &models.EmailConfig{Recipients: recipients}, err
	case "slack":
		url, err := f.text("config.", "webhook_url")
		if err != nil {
			return nil, err
		}
		url = strings.TrimSpace(url)
		native, err := c.native(url, nil)
		if native != nil || err != nil {
			return native, err
		}
		return &models.SlackConfig{WebhookURL: url}, nil // a service that takes what Slack takes
	case "webhook":
		url, err := f.text("config.", "url")
		if err != nil {
			return nil, err
		}
		headers, err := f.headers()
		if err != nil {
			return nil, err
		}
		url = strings.TrimSpace(url)
		native, err := c.native(url, headers)
		if native != nil || err != nil {
			return native, err
		}
		return &models.WebhookConfig{URL: url, Headers: headers}, nil
	}
	return nil, models.Invalid("channel_type", "%.40q is not known: it is email, slack or webhook", c.OldType)
}

func (f fields) headers() (map[string]string, error) {
	given, err := f.object("config.", "headers")
	if err != nil || len(given) == 0 {
		return nil, err
	}
	headers := make(map[string]string, len(given))
	for name := range given {
		if !httpguts.ValidHeaderFieldName(name) { // it may be a whole header, with its value
			return nil, models.Invalid("config.headers", `has something that is not the name of a header: write them as {"Authorization": "Bearer KEY"}`)
		}
		if headers[name], err = given.text("config.headers.", name); err != nil {
			return nil, err
		}
	}
	return headers, nil
}

// leaves notes which of a webhook's headers are of no use to the type that it becomes.
func (c *Channel) leaves(headers map[string]string, used ...string) {
	var left []string
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		used := slices.ContainsFunc(used, func(u string) bool { return strings.EqualFold(u, name) })
		if !used && !strings.EqualFold(name, "Content-Type") {
			left = append(left, name)
		}
	}
	if len(left) > 0 {
		c.Notes = append(c.Notes, "its headers "+strings.Join(left, ", ")+" stay behind: the service has no use for them")
	}
}
