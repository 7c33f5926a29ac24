package models

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/mail"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/http/httpguts"
)

// Mask stands for a secret wherever a config is shown.
const Mask = "****"

// Limits of a config.
const (
	MaxRecipients  = 100
	MaxHeaders     = 50
	MaxHeaderBytes = 8 << 10 // of one header value
	MaxURLBytes    = 4 << 10
)

// ChannelConfig says where and how a channel sends. One type of config for each ChannelType, always used as a pointer
// and never changed once it stands in a Channel.
type ChannelConfig interface {
	Type() ChannelType
	// Valid returns an Error that names the field at fault below path, or nil.
	Valid(path string) error
	// Masked is a copy that may be shown: every secret in it is masked.
	Masked() ChannelConfig
	// Unmask is a copy in which every value that equals the masked one of old is replaced by old's own. Old is of the same type.
	Unmask(old ChannelConfig) ChannelConfig
	// IsChannelConfig marks the members of the GraphQL union.
	IsChannelConfig()
}

// NewConfig gives an empty config of this type, to be filled from JSON.
func NewConfig(t ChannelType) (ChannelConfig, error) {
	switch t {
	case Email:
		return new(EmailConfig), nil
	case Slack:
		return new(SlackConfig), nil
	case Webhook:
		return new(WebhookConfig), nil
	case PagerDuty:
		return new(PagerDutyConfig), nil
	case Opsgenie:
		return new(OpsgenieConfig), nil
	case Teams:
		return new(TeamsConfig), nil
	case Discord:
		return new(DiscordConfig), nil
	}
	return nil, fmt.Errorf("unknown channel type %q", t)
}

// EmailConfig is mail to one or more people.
type EmailConfig struct {
	Recipients []string `json:"recipients"`
}

// SlackConfig is a Slack incoming webhook.
type SlackConfig struct {
	WebhookURL string `json:"webhookUrl"`
}

// WebhookConfig is an HTTP endpoint.
type WebhookConfig struct {
	URL           string            `json:"url"`
	Headers       map[string]string `json:"headers,omitempty"`
	SigningSecret *string           `json:"signingSecret,omitempty"` // whsec_ and base64, as Standard Webhooks has it
}

// PagerDutyConfig is a PagerDuty service.
type PagerDutyConfig struct {
	RoutingKey string  `json:"routingKey"`
	URL        *string `json:"url,omitempty"` // nil = PagerDuty's own
}

// OpsgenieConfig is an Opsgenie integration.
type OpsgenieConfig struct {
	APIKey string  `json:"apiKey"`
	URL    *string `json:"url,omitempty"` // nil = Opsgenie's own
}

// TeamsConfig is a Microsoft Teams channel.
type TeamsConfig struct {
	WebhookURL string `json:"webhookUrl"`
}

// DiscordConfig is a Discord channel.
type DiscordConfig struct {
	WebhookURL string `json:"webhookUrl"`
}

func (*EmailConfig) IsChannelConfig()     {}
func (*SlackConfig) IsChannelConfig()     {}
func (*WebhookConfig) IsChannelConfig()   {}
func (*PagerDutyConfig) IsChannelConfig() {}
func (*OpsgenieConfig) IsChannelConfig()  {}
func (*TeamsConfig) IsChannelConfig()     {}
func (*DiscordConfig) IsChannelConfig()   {}

func (*EmailConfig) Type() ChannelType     { return Email }
func (*SlackConfig) Type() ChannelType     { return Slack }
func (*WebhookConfig) Type() ChannelType   { return Webhook }
func (*PagerDutyConfig) Type() ChannelType { return PagerDuty }
func (*OpsgenieConfig) Type() ChannelType  { return Opsgenie }
func (*TeamsConfig) Type() ChannelType     { return Teams }
func (*DiscordConfig) Type() ChannelType   { return Discord }

func (c *EmailConfig) Valid(path string) error {
	path += ".email.recipients"
	if len(c.Recipients) == 0 {
		return Invalid(path, "is empty: name at least one address")
	}
	if len(c.Recipients) > MaxRecipients {
		return Invalid(path, "has %d addresses; at most %d are allowed", len(c.Recipients), MaxRecipients)
	}
	seen := make(map[string]bool, len(c.Recipients))
	for i, r := range c.Recipients {
		field := pathIndex(path, i)
		if err := ValidText(field, r, MaxName); err != nil {
			return err
		}
		addr, err := mail.ParseAddress(r)
		if err != nil || strings.ContainsAny(r, "\r\n") {
			return Invalid(field, "%q is not a mail address: write it as oncall@example.com", r)
		}
		key := strings.ToLower(addr.Address)
		if seen[key] {
			return Invalid(field, "%q is named twice", addr.Address)
		}
		seen[key] = true
	}
	return nil
}

func (c *SlackConfig) Valid(path string) error {
	return validURL(path+".slack.webhookUrl", c.WebhookURL)
}
func (c *TeamsConfig) Valid(path string) error {
	return validURL(path+".teams.webhookUrl", c.WebhookURL)
}
func (c *DiscordConfig) Valid(path string) error {
	return validURL(path+".discord.webhookUrl", c.WebhookURL)
}

func (c *WebhookConfig) Valid(path string) error {
	path += ".webhook"
	if err := validURL(path+".url", c.URL); err != nil {
		return err
	}
	if len(c.Headers) > MaxHeaders {
		return Invalid(path+".headers", "has %d headers; at most %d are allowed", len(c.Headers), MaxHeaders)
	}
	seen := make(map[string]bool, len(c.Headers))
	for _, name := range slices.Sorted(maps.Keys(c.Headers)) {
		value, field := c.Headers[name], path+".headers."+name
		switch {
		case !httpguts.ValidHeaderFieldName(name):
			return Invalid(path+".headers", "%q is not a header name: use letters, digits and -", name)
		case seen[strings.ToLower(name)]:
			return Invalid(field, "is named twice (upper and lower case are the same in header names)")
		case value == Mask:
			return Invalid(field, "is masked: give the whole value")
		case !httpguts.ValidHeaderFieldValue(value):
			return Invalid(field, "contains a line break or another control character: leave it out")
		case len(value) > MaxHeaderBytes:
			return Invalid(field, "is %d bytes; at most %d are allowed", len(value), MaxHeaderBytes)
		}
		seen[strings.ToLower(name)] = true
	}
	if c.SigningSecret == nil {
		return nil
	}
	encoded, ok := strings.CutPrefix(*c.SigningSecret, "whsec_")
	key, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || err != nil || len(key) < 24 || len(key) > 64 {
		return Invalid(path+".signingSecret", "must be whsec_ and the base64 of 24 to 64 bytes: make one with echo whsec_$(openssl rand -base64 32)")
	}
	return nil
}

func (c *PagerDutyConfig) Valid(path string) error {
	return validKey(path+".pagerduty", "routingKey", c.RoutingKey, c.URL)
}

func (c *OpsgenieConfig) Valid(path string) error {
	return validKey(path+".opsgenie", "apiKey", c.APIKey, c.URL)
}

func (c *EmailConfig) Masked() ChannelConfig {
	return &EmailConfig{Recipients: slices.Clone(c.Recipients)}
}
func (c *SlackConfig) Masked() ChannelConfig   { return &SlackConfig{maskURL(c.WebhookURL)} }
func (c *TeamsConfig) Masked() ChannelConfig   { return &TeamsConfig{maskURL(c.WebhookURL)} }
func (c *DiscordConfig) Masked() ChannelConfig { return &DiscordConfig{maskURL(c.WebhookURL)} }

func (c *WebhookConfig) Masked() ChannelConfig {
	m := &WebhookConfig{URL: maskURL(c.URL), SigningSecret: maskKey(c.SigningSecret)}
	if c.Headers != nil {
		m.Headers = make(map[string]string, len(c.Headers))
		for name := range c.Headers {
			m.Headers[name] = Mask
		}
	}
	return m
}

func (c *PagerDutyConfig) Masked() ChannelConfig {
	return &PagerDutyConfig{RoutingKey: Mask, URL: maskURLPtr(c.URL)}
}

func (c *OpsgenieConfig) Masked() ChannelConfig {
	return &OpsgenieConfig{APIKey: Mask, URL: maskURLPtr(c.URL)}
}

func (c *EmailConfig) Unmask(ChannelConfig) ChannelConfig { return c }

func (c *SlackConfig) Unmask(old ChannelConfig) ChannelConfig {
	return &SlackConfig{unmaskURL(c.WebhookURL, old.(*SlackConfig).WebhookURL)}
}

func (c *TeamsConfig) Unmask(old ChannelConfig) ChannelConfig {
	return &TeamsConfig{unmaskURL(c.WebhookURL, old.(*TeamsConfig).WebhookURL)}
}

func (c *DiscordConfig) Unmask(old ChannelConfig) ChannelConfig {
	return &DiscordConfig{unmaskURL(c.WebhookURL, old.(*DiscordConfig).WebhookURL)}
}

func (c *WebhookConfig) Unmask(old ChannelConfig) ChannelConfig {
	o := old.(*WebhookConfig)
	u := &WebhookConfig{URL: unmaskURL(c.URL, o.URL), Headers: maps.Clone(c.Headers), SigningSecret: c.SigningSecret}
	for name, value := range u.Headers {
		if was, ok := o.Headers[name]; ok && value == Mask {
			u.Headers[name] = was
		}
	}
	if c.SigningSecret != nil && *c.SigningSecret == Mask {
		u.SigningSecret = o.SigningSecret
	}
	return u
}

func (c *PagerDutyConfig) Unmask(old ChannelConfig) ChannelConfig {
	o := old.(*PagerDutyConfig)
	return &PagerDutyConfig{RoutingKey: unmaskKey(c.RoutingKey, o.RoutingKey), URL: unmaskURLPtr(c.URL, o.URL)}
}

func (c *OpsgenieConfig) Unmask(old ChannelConfig) ChannelConfig {
	o := old.(*OpsgenieConfig)
	return &OpsgenieConfig{APIKey: unmaskKey(c.APIKey, o.APIKey), URL: unmaskURLPtr(c.URL, o.URL)}
}

// validURL never puts the URL itself into its error: it may be a secret.
func validURL(field, raw string) error {
	if raw == "" {
		return Invalid(field, "is empty: give the whole URL, such as https://example.com/hook")
	}
	if len(raw) > MaxURLBytes {
		return Invalid(field, "is %d bytes; at most %d are allowed", len(raw), MaxURLBytes)
	}
	if strings.Contains(raw, Mask) {
		return Invalid(field, "is masked: give the whole URL")
	}
	if !utf8.ValidString(raw) || strings.ContainsFunc(raw, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return Invalid(field, "contains a blank or a control character: leave it out")
	}
	u, err := url.Parse(raw)
	if err != nil || u.Opaque != "" {
		return Invalid(field, "is not a URL: give the whole of it, such as https://example.com/hook")
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return Invalid(field, "must begin with https:// or http://")
	}
	port, err := strconv.Atoi(u.Port())
	if u.Hostname() == "" || (u.Port() != "" && (err != nil || port < 1 || port > 65535)) {
		return Invalid(field, "has no host, or its port is not 1 to 65535: give the whole URL, such as https://example.com/hook")
	}
	return nil
}

func validKey(path, name, key string, endpoint *string) error {
	field := path + "." + name
	if err := ValidText(field, key, MaxName); err != nil {
		return err
	}
	if key == Mask {
		return Invalid(field, "is masked: give the whole key")
	}
	if strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return Invalid(field, "contains a blank or a control character: leave it out")
	}
	if endpoint == nil {
		return nil
	}
	return validURL(path+".url", *endpoint)
}

// maskURL keeps scheme, host and port. What else there is (user, path, query, fragment) may be a secret.
func maskURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return Mask
	}
	masked := u.Scheme + "://" + u.Host
	if u.User != nil || (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "" {
		return masked + "/" + Mask
	}
	return masked + u.Path
}

func unmaskURL(given, old string) string {
	if given == maskURL(old) {
		return old
	}
	return given
}

func maskURLPtr(raw *string) *string {
	if raw == nil {
		return nil
	}
	masked := maskURL(*raw)
	return &masked
}

func unmaskURLPtr(given, old *string) *string {
	if given != nil && old != nil && *given == maskURL(*old) {
		return old
	}
	return given
}

func maskKey(key *string) *string {
	if key == nil {
		return nil
	}
	masked := Mask
	return &masked
}

func unmaskKey(given, old string) string {
	if given == Mask {
		return old
	}
	return given
}

func pathIndex(path string, i int) string { return path + "." + strconv.Itoa(i) }
