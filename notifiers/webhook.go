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
	body, err := w.message(n, config)
	if err != nil {
		return Outcome{Result: Permanent, Error: cutRunes(clean("cannot write the body: "+err.Error(), false, secrets()), maxErrorRunes)}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, config.URL, bytes.NewReader(body))
	if err != nil {
		// The error's text holds the URL.
		return Outcome{Result: ChannelBroken, Error: "the channel's URL cannot be used"}
	}
	req.Header["Webhook-Event"] = []string{n.event()}
	if err := w.setHeaders(req.Header, n.Key, config, body); err != nil {
		return Outcome{Result: ChannelBroken, Error: "the channel's signing secret cannot be used: it must be whsec_ and base64"}
	}
	return w.post(ctx, req, secrets, func(a answer) Outcome {
		o := byStatus(a)
		if hint := models.WrongService(config); o.Result != Delivered && hint != "" {
			o.Error += "; " + hint
		}
		return o
	})
}

// event is what the body tells, in one word: for acknowledged and reopened it looks as for the alert itself.
func (n Notification) event() string {
	if n.Digest != nil {
		return models.EventDigest
	}
	return models.DigestItem{Kind: n.tells(), Alert: n.Alert}.Event()
}

func (w *webhook) message(n Notification, config *models.WebhookConfig) ([]byte, error) {
	if config.BodyTemplate != nil {
		return templateBody(*config.BodyTemplate, n, w.link)
	}
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
		if name = textproto.CanonicalMIMEHeaderKey(name); !models.ReservedHeader(name) {
			h[name] = []string{value}
		}
	}
	now := w.now()
	h["Webhook-Id"] = []string{key}
	h["Webhook-Timestamp"] = []string{strconv.FormatInt(now.Unix(), 10)}
	signatures := make([]string, 0, 2) // the new secret's first: some receivers try them in their order
	for _, secret := range []*string{config.SigningSecret, config.PreviousSigningSecret} {
		if secret == nil {
			continue
		}
		signer, err := standardwebhooks.NewWebhook(*secret)
		if err != nil {
			return err
		}
		signature, err := signer.Sign(key, now, body)
		if err != nil {
			return err
		}
		signatures = append(signatures, signature)
	}
	if len(signatures) > 0 {
		h["Webhook-Signature"] = []string{strings.Join(signatures, " ")}
	}
	return nil
}

func webhookSecrets(config *models.WebhookConfig) redactor {
	r := urlSecrets(config.URL)
	for _, value := range config.Headers {
		r.addHeader(value)
	}
	for _, secret := range []*string{config.SigningSecret, config.PreviousSigningSecret} {
		if secret != nil {
			r.add(*secret)
			r.add(strings.TrimPrefix(*secret, "whsec_"))
		}
	}
	return r.sorted()
}
