package models

import (
	"fmt"
	"maps"
	"net/netip"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
)

// Surroundings is what the server knows that bears on whether a channel will work.
type Surroundings struct {
	NoMail bool // EMAIL_HOST is not set
}

// Warnings says what about a channel will probably not work as it was meant, and the way out. Nothing of it keeps it from being
// saved. No warning holds a secret or a URL.
func (c *Channel) Warnings(s Surroundings) []string {
	warnings := []string{}
	if c.Type() == Email && s.NoMail {
		warnings = append(warnings, "The server has no mail server to send through: set EMAIL_HOST and start it again.")
	}
	raw := address(c.Config)
	if raw == "" {
		return warnings
	}
	if _, retired := ServiceOf(raw); retired {
		warnings = append(warnings, "The URL "+retiredConnector+".")
	} else if wrong := WrongService(c.Config); wrong != "" {
		warnings = append(warnings, strings.ToUpper(wrong[:1])+wrong[1:]+".")
	}
	if w, ok := c.Config.(*WebhookConfig); ok {
		if ignored := w.ignoredHeaders(); len(ignored) > 0 {
			warnings = append(warnings, fmt.Sprintf("Never sent as the channel has them, because they belong to the connection or the signature: %s.", strings.Join(ignored, ", ")))
		}
	}
	if inClear(c.Config, raw) {
		warnings = append(warnings, "The URL begins with http://: everybody on the way can read the channel's secrets and its alerts. Use https:// if the service has it.")
	}
	return warnings
}

// WrongService says, as the end of a sentence, that a config's URL belongs to a service that its type does not speak to, what comes
// of that, and which type does. Empty when it does not, and when the channel has a body template: then it speaks for itself.
func WrongService(c ChannelConfig) string {
	service, retired := ServiceOf(address(c))
	if service == Webhook || service == c.Type() || retired {
		return ""
	}
	title := service.Info().Title
	w, isWebhook := c.(*WebhookConfig)
	if !isWebhook {
		return fmt.Sprintf("the URL belongs to %s, and a channel of type %s speaks to %s only: create a channel of type %s instead", title, c.Type(), c.Type().Info().Title, service)
	}
	if w.BodyTemplate != nil {
		return ""
	}
	var comesOf string
	switch service {
	case PagerDuty:
		comesOf = "which refuses the webhook's body: it wants the routing key in it and reads no X-Routing-Key header"
	case Opsgenie:
		comesOf = "which would open an alert with no alias, so that the alert's resolve never closes it"
	case Slack:
		comesOf = "which refuses a body without text"
	case Discord:
		comesOf = "which refuses a body without content"
	case Teams:
		comesOf = "which shows cards only: it would take the webhook's body and show nothing"
	}
	return fmt.Sprintf("the URL belongs to %s, %s; create a channel of type %s instead", title, comesOf, service)
}

// address is the URL in a config, empty when there is none. Types that let a user name one have a case here.
func address(c ChannelConfig) string {
	optional := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	switch c := c.(type) {
	case *SlackConfig:
		return c.WebhookURL
	case *WebhookConfig:
		return c.URL
	case *PagerDutyConfig:
		return optional(c.URL)
	case *OpsgenieConfig:
		return optional(c.URL)
	case *TeamsConfig:
		return c.WebhookURL
	case *DiscordConfig:
		return c.WebhookURL
	}
	return ""
}

func (c *WebhookConfig) ignoredHeaders() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(c.Headers)), func(name string) bool {
		return !ReservedHeader(textproto.CanonicalMIMEHeaderKey(name))
	})
}

// inClear reports whether a config's secrets go unencrypted over a net that is not the operator's own, as far as its URL
// tells.
func inClear(c ChannelConfig, raw string) bool {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" || isOwnHost(u.Hostname()) {
		return false
	}
	w, isWebhook := c.(*WebhookConfig)
	return !isWebhook || len(w.Headers) > 0 || maskURL(raw) != raw
}

// isOwnHost reports whether a host is this machine, has a private address, or a name that only a private net can have.
func isOwnHost(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast()
	}
	if !strings.Contains(host, ".") {
		return true
	}
	for _, end := range []string{".localhost", ".local", ".internal", ".lan", ".home.arpa", ".test"} {
		if strings.HasSuffix(host, end) {
			return true
		}
	}
	return false
}
