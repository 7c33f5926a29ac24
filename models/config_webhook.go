package models

import (
	"encoding/base64"
	"maps"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// WebhookConfig is an HTTP endpoint.
type WebhookConfig struct {
	URL           string            `json:"url"`
	Headers       map[string]string `json:"headers,omitempty"`
	SigningSecret *string           `json:"signingSecret,omitempty"` // whsec_ and base64, as Standard Webhooks has it
}

var webhookType = TypeInfo{
	Type: Webhook, Title: "Webhook", New: func() ChannelConfig { return new(WebhookConfig) },
	Help: "An HTTP endpoint of your own, which gets the alert as JSON.",
	Fields: []ConfigField{
		{Name: "url", Title: "URL", Help: "Where the alert is posted to.", Kind: FieldText, Required: true, Secret: true, Example: "https://example.com/hook"},
		{Name: "headers", Title: "Headers", Help: "Sent with every message, such as Authorization.", Kind: FieldMap, Secret: true, Example: `{"Authorization": "Bearer …"}`},
		{Name: "signingSecret", Title: "Signing secret", Help: "whsec_ and the base64 of 24 to 64 bytes: every message is then signed, as Standard Webhooks has it.", Kind: FieldText, Secret: true, Example: "whsec_…"},
	},
	Digests: true,
}

func (*WebhookConfig) IsChannelConfig() {}

// Type is Webhook.
func (*WebhookConfig) Type() ChannelType { return Webhook }

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
