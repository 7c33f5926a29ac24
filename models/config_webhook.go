package models

import (
	"bytes"
	"crypto/rand"
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
	// PreviousSigningSecret signs every message, too, while receivers change to SigningSecret. Nil unless that is under way.
	PreviousSigningSecret *string `json:"previousSigningSecret,omitempty"`
	BodyTemplate          *string `json:"bodyTemplate,omitempty"` // nil = the usual body
}

var webhookType = TypeInfo{
	Type: Webhook, Title: "Webhook", New: func() ChannelConfig { return new(WebhookConfig) },
	Help: "An HTTP endpoint of your own, which gets the alert as JSON.",
	Fields: []ConfigField{
		{Name: "url", Title: "URL", Help: "Where alerts are posted to.", Kind: FieldText, Required: true, Secret: true, Example: "https://example.com/hook"},
		{Name: "headers", Title: "Headers", Help: "Sent with every message, such as Authorization.", Kind: FieldMap, Secret: true, Example: `{"Authorization": "Bearer …"}`},
		{Name: "signingSecret", Title: "Signing secret", Help: "whsec_ and the base64 of 24 to 64 bytes: every message is then signed, as Standard Webhooks has it.", Kind: FieldText, Secret: true, Example: "whsec_…"},
		{Name: "previousSigningSecret", Title: "Previous signing secret", Help: "While receivers change to a new signing secret: messages are signed with this one, too.", Kind: FieldText, Secret: true, Example: "whsec_…"},
		{Name: "bodyTemplate", Title: "Body template", Help: "For services that want a body of their own shape: a Go text/template. Left out, the usual JSON is sent.", Kind: FieldLongText, Example: `{"text": {{json .Message}}}`},
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
	if err := c.validSecrets(path); err != nil || c.BodyTemplate == nil {
		return err
	}
	return c.validBodyTemplate(path + ".bodyTemplate")
}

func (c *WebhookConfig) validSecrets(path string) error {
	if c.SigningSecret == nil {
		if c.PreviousSigningSecret != nil {
			return Invalid(path+".previousSigningSecret", "stands alone: give the new secret as signingSecret, or leave it out")
		}
		return nil
	}
	key, err := signingKey(path+".signingSecret", *c.SigningSecret)
	if err != nil || c.PreviousSigningSecret == nil {
		return err
	}
	previous, err := signingKey(path+".previousSigningSecret", *c.PreviousSigningSecret)
	if err == nil && bytes.Equal(key, previous) {
		err = Invalid(path+".previousSigningSecret", "is the same as signingSecret: give a new one there, or leave this one out")
	}
	return err
}

// signingKey reads a secret as Standard Webhooks writes it.
func signingKey(field, secret string) ([]byte, error) {
	if secret == Mask {
		return nil, Invalid(field, "is masked, and there is none yet that this could stand for: give the whole secret")
	}
	encoded, ok := strings.CutPrefix(secret, signingPrefix)
	key, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || err != nil || len(key) < 24 || len(key) > 64 {
		return nil, Invalid(field, "must be whsec_ and the base64 of 24 to 64 bytes: make one with echo whsec_$(openssl rand -base64 32)")
	}
	return key, nil
}

const signingPrefix = "whsec_"

// NewSigningSecret makes a secret of 32 random bytes.
func NewSigningSecret() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails, as its documentation says
	return signingPrefix + base64.StdEncoding.EncodeToString(key)
}

// Rotated is a copy that signs with secret, and with the secret so far as well. CONFLICT while receivers still change from one
// before that: they would be left without any that they know.
func (c *WebhookConfig) Rotated(secret string) (*WebhookConfig, error) {
	if c.PreviousSigningSecret != nil {
		return nil, Conflicting("", "the secret before is still valid, too: call dropPreviousSigningSecret when no receiver needs it any more, and then this again")
	}
	rotated := *c
	rotated.SigningSecret, rotated.PreviousSigningSecret = &secret, c.SigningSecret
	return &rotated, nil
}

func (c *WebhookConfig) Masked() ChannelConfig {
	m := &WebhookConfig{
		URL: maskURL(c.URL), SigningSecret: maskKey(c.SigningSecret), PreviousSigningSecret: maskKey(c.PreviousSigningSecret),
		BodyTemplate: c.BodyTemplate,
	}
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
	u := &WebhookConfig{
		URL: unmaskURL(c.URL, o.URL), Headers: maps.Clone(c.Headers), SigningSecret: unmaskKeyPtr(c.SigningSecret, o.SigningSecret),
		PreviousSigningSecret: unmaskKeyPtr(c.PreviousSigningSecret, o.PreviousSigningSecret), BodyTemplate: c.BodyTemplate,
	}
	for name, value := range u.Headers {
		if was, ok := o.Headers[name]; ok && value == Mask {
			u.Headers[name] = was
		}
	}
	return u
}

// ReservedHeader reports whether a channel may not set this header (in its canonical form): it belongs to the connection, to
// the length and address of the message, or to its signature.
func ReservedHeader(name string) bool {
	switch name {
	case "Host", "Content-Length", "Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
		"Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}
	return strings.HasPrefix(name, "Webhook-")
}
