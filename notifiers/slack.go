package notifiers

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	slackapi "github.com/slack-go/slack"

	"github.com/rustbucket/alerts/models"
)

// Limits of a Slack message, in characters after escaping. The whole text may have 40,000; these keep well below it and
// below the length at which Slack folds a message away.
const (
	slackTitleMax = 150
	slackFieldMax = 3000
	slackShortMax = 300
)

// slack posts alerts to a Slack incoming webhook (https://api.slack.com/messaging/webhooks).
type slack struct {
	*poster
}

func (s *slack) Send(ctx context.Context, n Notification) Outcome {
	config := n.Config.(*models.SlackConfig)
	exchange := &slackExchange{
		poster:  s.poster,
		secrets: func() redactor { return urlSecrets(config.WebhookURL).sorted() },
		outcome: Outcome{Result: ChannelBroken, Error: "the channel's URL cannot be used"},
	}
	// What it returns is left alone on purpose: its error holds the secret URL and not the body that says why. The exchange
	// knows better; it is untouched when the library could not even make the request.
	_ = slackapi.PostWebhookCustomHTTPContext(ctx, config.WebhookURL, &http.Client{Transport: exchange}, slackMessage(n))
	return exchange.outcome
}

// slackExchange stands between slack-go and the guarded client: it makes the attempt and keeps the Outcome.
type slackExchange struct {
	*poster
	secrets func() redactor
	outcome Outcome
}

// RoundTrip sends the request and answers the library with an empty 200: it has nothing more to decide.
func (e *slackExchange) RoundTrip(req *http.Request) (*http.Response, error) {
	send := req.Clone(req.Context()) // a RoundTripper does not change what it is given
	send.Header.Set("User-Agent", e.userAgent)
	e.outcome = e.post(req.Context(), send, e.secrets, judgeSlack)
	return &http.Response{
		StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: io.NopCloser(strings.NewReader("")), Request: req,
	}, nil
}

// judgeSlack knows the words of https://api.slack.com/messaging/webhooks#handling_errors, and the statuses for the rest.
func judgeSlack(a answer) Outcome {
	word := strings.TrimSpace(a.raw) // goes into an error only where it equals a known one
	switch word {
	case "no_service", "no_active_hooks", "invalid_token", "channel_not_found", "channel_is_archived",
		"action_prohibited", "no_team", "team_disabled", "posting_to_general_channel_denied":
		return Outcome{Result: ChannelBroken, Error: "Slack answered " + word + ": make a new webhook for this channel"}
	case "invalid_payload", "no_text", "user_not_found":
		return Outcome{Result: Permanent, Error: "Slack answered " + word}
	case "rollup_error":
		return Outcome{Result: Retry, Error: "Slack answered " + word}
	}
	switch a.status {
	case http.StatusOK:
		switch {
		case word == "ok":
			return Outcome{Result: Delivered}
		case !a.complete:
			return Outcome{Result: Retry, Error: "the answer broke off before Slack's ok"}
		}
		return Outcome{Result: Permanent, Error: "the receiver answered 200 OK without Slack's ok: is this a Slack webhook?"}
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
		o := byStatus(a)
		o.Result = ChannelBroken
		o.Error += ": make a new webhook for this channel"
		return o
	}
	if a.status > 200 && a.status < 300 {
		return Outcome{Result: Permanent, Error: "the receiver answered " + strconv.Itoa(a.status) +
			" without Slack's ok: is this a Slack webhook?"}
	}
	return byStatus(a)
}

func slackMessage(n Notification) *slackapi.WebhookMessage {
	if n.Digest != nil {
		return slackDigest(n.Digest)
	}
	return slackAlert(n)
}

// slackAlert shows an alert as the old registry did: a coloured attachment with one field for each fact.
func slackAlert(n Notification) *slackapi.WebhookMessage {
	a, color, at, what := n.Alert, slackColor(n.Alert.Severity), n.Alert.CreatedAt, n.Alert.Severity.String()
	if n.resolved() {
		color, what = "good", "RESOLVED ("+what+")"
		if a.ResolvedAt != nil {
			at = *a.ResolvedAt
		}
	}
	title := headline(n)
	return &slackapi.WebhookMessage{
		// Seen in the phone's notification, where no attachment is.
		Text: slackText(what+": "+firstWords(a.Message, 120), slackShortMax),
		Attachments: []slackapi.Attachment{{
			Color:    color,
			Title:    slackText(title, slackTitleMax),
			Fallback: slackText(title+": "+firstWords(a.Message, 120), slackShortMax),
			Fields: []slackapi.AttachmentField{
				slackField("Severity", a.Severity.String(), slackShortMax, true),
				slackField("Rustbucket", rustbucketText(a.Rustbucket), 2*models.MaxName+10, true),
				slackField("Message", a.Message, slackFieldMax, false),
				slackField("Time", timeText(a.CreatedAt), slackShortMax, true),
				slackField("Status", statusText(n), slackShortMax, true),
			},
			Footer: "Rustbucket Alerts",
			Ts:     json.Number(strconv.FormatInt(at.Unix(), 10)),
		}},
	}
}

func slackField(title, value string, limit int, short bool) slackapi.AttachmentField {
	return slackapi.AttachmentField{Title: title, Value: slackText(value, limit), Short: short}
}

func slackColor(s models.Severity) string {
	switch s {
	case models.SeverityHigh:
		return "danger"
	case models.SeverityMedium:
		return "warning"
	}
	return "good"
}

// slackEscapes are the three characters that Slack reads as markup; without them <!channel> has no sting.
var slackEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// slackText escapes a text and cuts it to so many characters, as Slack counts them: after escaping.
func slackText(s string, limit int) string {
	return slackEscapes.Replace(cut(s, limit, func(s string) int {
		return utf8.RuneCountInString(s) + 4*strings.Count(s, "&") + 3*strings.Count(s, "<") + 3*strings.Count(s, ">")
	}))
}
