package djangodump

import (
	"errors"
	"net/url"
	"strings"

	"github.com/rustbucket/alerts/models"
)

// The endpoints that the notifiers use when a config names none.
const (
	pagerDutyURL = "https://events.pagerduty.com/v2/enqueue"
	opsgenieURL  = "https://api.opsgenie.com/v2/alerts"
)

// errRetired is for the connectors of Microsoft Teams.
var errRetired = errors.New(`this is a connector of Teams, which Microsoft has switched off: in Teams, choose "Workflows" on the channel, "Send webhook alerts to a channel", and create a channel of type TEAMS here with the URL that it gives`)

var errNoPK = errors.New("it has no pk: make the dump without --natural-primary")

// native gives the config of the service that a URL belongs to, nil when it is none of those that have a type here. The
// recipes of the registry's guide for PagerDuty, Teams and Discord sent its own JSON, which none of the three takes.
func (c *Channel) native(raw string, headers map[string]string) (models.ChannelConfig, error) {
	t, retired := models.ServiceOf(raw)
	u, err := url.Parse(raw)
	if err != nil {
		return nil, nil // Valid will say so
	}
	switch {
	case retired:
		return nil, errRetired
	case t == models.PagerDuty:
		return c.pagerDuty(u, headers)
	case t == models.Opsgenie:
		return c.opsgenie(u, headers)
	case t == models.Slack:
		c.leaves(headers)
		return &models.SlackConfig{WebhookURL: raw}, nil
	case t == models.Teams:
		c.leaves(headers)
		return &models.TeamsConfig{WebhookURL: raw}, nil
	case t == models.Discord:
		c.leaves(headers)
		for _, imitated := range []string{"/slack", "/github"} { // Discord's endpoints that take what others send
			u.Path = strings.TrimSuffix(strings.TrimSuffix(u.Path, "/"), imitated)
		}
		u.RawPath = ""
		return &models.DiscordConfig{WebhookURL: u.String()}, nil
	}
	return nil, nil
}

// pagerDuty takes the routing key out of the header. The endpoints of PagerDuty's integrations take any JSON: a webhook
// that calls one stays a webhook.
func (c *Channel) pagerDuty(u *url.URL, headers map[string]string) (models.ChannelConfig, error) {
	key := strings.TrimSpace(header(headers, "X-Routing-Key"))
	if key == "" && strings.TrimSuffix(u.Path, "/") != "/v2/enqueue" {
		return nil, nil
	}
	if key == "" {
		return nil, models.Invalid("config.headers", "has no X-Routing-Key, and PagerDuty takes nothing without: create a channel of type PAGERDUTY here with the integration key")
	}
	c.leaves(headers, "X-Routing-Key")
	config := &models.PagerDutyConfig{RoutingKey: key}
	config.URL = unless(pagerDutyURL, "https://"+strings.ToLower(u.Host)+"/v2/enqueue")
	return config, nil
}

// opsgenie takes the key out of the Authorization. Endpoints that want another one take any JSON: such a webhook stays one.
func (c *Channel) opsgenie(u *url.URL, headers map[string]string) (models.ChannelConfig, error) {
	path := strings.TrimSuffix(u.Path, "/")
	scheme, key, _ := strings.Cut(strings.TrimSpace(header(headers, "Authorization")), " ")
	key = strings.TrimSpace(key)
	if !strings.EqualFold(scheme, "GenieKey") || key == "" {
		if !strings.HasSuffix(path, "/v2/alerts") {
			return nil, nil
		}
		return nil, models.Invalid("config.headers", "has no Authorization: GenieKey KEY, and Opsgenie takes nothing without: create a channel of type OPSGENIE here with the API key")
	}
	c.leaves(headers, "Authorization")
	config := &models.OpsgenieConfig{APIKey: key}
	config.URL = unless(opsgenieURL, "https://"+strings.ToLower(u.Host)+path)
	return config, nil
}

// unless gives nil for what is the default.
func unless(usual, endpoint string) *string {
	if endpoint == usual {
		return nil
	}
	return &endpoint
}

// header gives the value of a header, whatever the case of its name.
func header(headers map[string]string, name string) string {
	for n, value := range headers {
		if strings.EqualFold(n, name) {
			return value
		}
	}
	return ""
}

// plain takes the empty beginning off the path of the field at fault.
func plain(err error) error {
	var own *models.Error
	if errors.As(err, &own) {
		short := *own
		short.Field = strings.TrimPrefix(own.Field, ".")
		return &short
	}
	return err
}
