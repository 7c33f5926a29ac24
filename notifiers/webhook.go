package notifiers

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/rustbucket/alerts/models"
)

// webhook posts alerts as JSON to any HTTP endpoint, signed as Standard Webhooks has it
// (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md).
type webhook struct {
	*poster
}

// webhookBody is the body, in the order that receivers know.
type webhookBody struct {
	AlertID    int64              `json:"alert_id"`
	AlertType  string             `json:"alert_type"`
	Severity   string             `json:"severity"`
	Message    string             `json:"message"`
	IsResolved bool               `json:"is_resolved"`
	CreatedAt  string             `json:"created_at"`
	Rustbucket *webhookRustbucket `json:"rustbucket"`
}

type webhookRustbucket struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

func (w *webhook) Send(ctx context.Context, n Notification) Outcome {
	config := n.Config.(*models.WebhookConfig)
	secrets := func() redactor { return webhookSecrets(config) }
	body, err := webhookMessage(n)
	if err != nil {
		return Outcome{Result: Permanent, Error: "cannot write the alert as JSON: " + err.Error()}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, config.URL, bytes.NewReader(body))
	if err != nil {
		// The error's text holds the URL.
		return Outcome{Result: ChannelBroken, Error: "the channel's URL cannot be used"}
	}
	if err := w.setHeaders(req.Header, n.Key, config, body); err != nil {
		return Outcome{Result: ChannelBroken, Error: "the channel's signing secret cannot be used: it must be whsec_ and base64"}
	}
	return w.post(ctx, req, secrets, func(a answer) Outcome {
		o := byStatus(a)
		if o.Result != Delivered && isOldPagerDuty(req) {
			o.Error += "; PagerDuty takes no plain webhooks and reads no X-Routing-Key: use a channel of type PagerDuty"
		}
		return o
	})
}

func webhookMessage(n Notification) ([]byte, error) {
	if n.Digest != nil {
		return marshalDigest(n.Digest)
	}
	return marshalWebhook(n.Alert, n.Kind)
}

// marshalWebhook writes the body of one alert.
func marshalWebhook(a *models.Alert, kind models.DeliveryKind) ([]byte, error) {
	body := webhookBody{
		AlertID:    a.ID,
		AlertType:  a.Type,
		Severity:   a.Severity.Lower(),
		Message:    a.Message,
		IsResolved: a.IsResolved() || kind == models.TellResolved,
		// Nano leaves out what is zero: whole seconds are written without a fraction.
		CreatedAt: a.CreatedAt.UTC().Truncate(time.Microsecond).Format(time.RFC3339Nano),
	}
	if a.Rustbucket != nil {
		body.Rustbucket = &webhookRustbucket{ID: a.Rustbucket.ID, Name: a.Rustbucket.Name}
	}
	return encodeJSON(&body)
}

// encodeJSON is json.Marshal that leaves <, > and & as they are.
func encodeJSON(v any) ([]byte, error) {
	var buf bytes.Buffer
	buf.Grow(512)
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

// setHeaders sets ours, then the channel's own over them, then those that nobody may change.
func (w *webhook) setHeaders(h http.Header, key string, config *models.WebhookConfig, body []byte) error {
	h["Content-Type"] = []string{"application/json"}
	h["User-Agent"] = []string{w.userAgent}
	for name, value := range config.Headers {
		if name = textproto.CanonicalMIMEHeaderKey(name); !isReserved(name) {
			h[name] = []string{value}
		}
	}
	now := w.now()
	h["Webhook-Id"] = []string{key}
	h["Webhook-Timestamp"] = []string{strconv.FormatInt(now.Unix(), 10)}
	if config.SigningSecret == nil {
		return nil
	}
	signer, err := standardwebhooks.NewWebhook(*config.SigningSecret)
	if err != nil {
		return err
	}
	signature, err := signer.Sign(key, now, body)
	if err != nil {
		return err
	}
	h["Webhook-Signature"] = []string{signature}
	return nil
}

// isReserved reports whether a channel may not set this header (in its canonical form): it belongs to the connection, to
// the length and address of the message, or to its signature.
func isReserved(name string) bool {
	switch name {
	case "Host", "Content-Length", "Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
		"Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}
	return strings.HasPrefix(name, "Webhook-")
}

func webhookSecrets(config *models.WebhookConfig) redactor {
	r := urlSecrets(config.URL)
	for _, value := range config.Headers {
		r.addHeader(value)
	}
	if config.SigningSecret != nil {
		r.add(*config.SigningSecret)
		r.add(strings.TrimPrefix(*config.SigningSecret, "whsec_"))
	}
	return r.sorted()
}

// isOldPagerDuty recognises what the guide of the old registry recommended and what never worked.
func isOldPagerDuty(req *http.Request) bool {
	host := strings.ToLower(req.URL.Hostname())
	return (host == "events.pagerduty.com" || host == "events.eu.pagerduty.com") && req.Header.Get("X-Routing-Key") != ""
}
