package notifiers

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	slackapi "github.com/slack-go/slack"

	"github.com/rustbucket/alerts/models"
)

// Limits of a Slack message, in characters after escaping (https://docs.slack.dev/reference/block-kit/blocks). A message has at
// most 50 blocks, and a section at most 10 fields; ours have less.
const (
	slackTitleMax   = 150
	slackSectionMax = 3000
	slackFieldMax   = 2000
	slackShortMax   = 300
)

// slack posts alerts to a Slack incoming webhook (https://api.slack.com/messaging/webhooks).
type slack struct {
	*poster
}

func (s *slack) Send(ctx context.Context, n Notification) Outcome {
	config := n.Config.(*models.SlackConfig)
	secrets := func() redactor { return urlSecrets(config.WebhookURL).sorted() }
	return s.postJSON(ctx, config.WebhookURL, nil, slackPost{WebhookMessage: s.message(n)}, secrets, judgeSlack)
}

// slackPost is a message whose text, which stands above the attachment, is shown as it is: without emphasis, and without pictures
// and previews of what an alert names (https://docs.slack.dev/reference/methods/chat.postMessage). All is false. Blocks say
// themselves what is markup.
type slackPost struct {
	*slackapi.WebhookMessage
	Markup      bool `json:"mrkdwn"` // the library does not know it
	UnfurlLinks bool `json:"unfurl_links"`
	UnfurlMedia bool `json:"unfurl_media"`
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

func (s *slack) message(n Notification) *slackapi.WebhookMessage {
	if n.Digest != nil {
		return slackDigest(n)
	}
	return s.alertMessage(n)
}

// alertMessage shows an alert as blocks inside an attachment, which alone has a colour.
func (s *slack) alertMessage(n Notification) *slackapi.WebhookMessage {
	a, what := n.Alert, n.Alert.Severity.String()
	if news := newsOf(n.tells()); news != "" {
		what = news + " (" + what + ")"
	}
	var facts []*slackapi.TextBlockObject
	for _, f := range chatFacts(n) {
		facts = append(facts, slackMarkup("*"+f.name+"*"), slackPlain(f.value, slackFieldMax))
	}
	footer := slackTime(toldAt(n)) + "  •  " + chatFooter(a)
	if link := s.link(a); link != "" {
		footer += "  •  <" + slackLink(link) + "|Open>"
	}
	return slackMessage(n,
		what+": "+firstWords(a.Message, 120), headline(n), headline(n)+": "+firstWords(a.Message, 120),
		slackapi.NewSectionBlock(slackPlain(a.Message, slackSectionMax), nil, nil),
		slackapi.NewSectionBlock(nil, facts, nil),
		slackapi.NewContextBlock("", slackMarkup(footer)),
	)
}

// slackMessage puts blocks below a title. text is seen in the phone's notification, where no attachment is, and fallback where
// blocks cannot be shown.
func slackMessage(n Notification, text, title, fallback string, blocks ...slackapi.Block) *slackapi.WebhookMessage {
	header := slackapi.NewHeaderBlock(slackPlain(title, slackTitleMax))
	return &slackapi.WebhookMessage{
		Text: slackText(text, slackShortMax),
		Attachments: []slackapi.Attachment{{
			Color:    slackColor(chatSeverity(n)),
			Fallback: slackText(fallback, slackShortMax),
			Blocks:   slackapi.Blocks{BlockSet: append([]slackapi.Block{header}, blocks...)},
		}},
	}
}

// slackPlain is a text that Slack shows as it is: no emphasis, no emoji by name.
func slackPlain(s string, limit int) *slackapi.TextBlockObject {
	return slackapi.NewTextBlockObject(slackapi.PlainTextType, slackText(s, limit), false, false)
}

// slackMarkup is a text of our own, in Slack's mrkdwn.
func slackMarkup(s string) *slackapi.TextBlockObject {
	return slackapi.NewTextBlockObject(slackapi.MarkdownType, s, false, false)
}

// slackTime is a time that everybody sees in their own time zone
// (https://docs.slack.dev/messaging/formatting-message-text#date-formatting).
func slackTime(t time.Time) string {
	return fmt.Sprintf("<!date^%d^{date_short_pretty}, {time_secs}|%s>", t.Unix(), timeText(t))
}

// slackLink is a URL that stands in <…|…>.
func slackLink(url string) string {
	return slackEscapes.Replace(strings.ReplaceAll(url, "|", "%7C"))
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
