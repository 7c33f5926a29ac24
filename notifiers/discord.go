package notifiers

import (
	"context"
	"encoding/json"
	"math"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rustbucket/alerts/models"
)

// Limits of an embed in characters (https://discord.com/developers/docs/resources/message#embed-object-embed-limits). Discord
// counts code points: its API is written in Python (https://github.com/discord/discord-api-docs/issues/1315).
const (
	discordTitleMax       = 256
	discordDescriptionMax = 4096
	discordNameMax        = 256
	discordValueMax       = 1024
	discordEmbedMax       = 6000 // titles, descriptions, names, values and footers together
)

// discord posts alerts to a Discord webhook (https://discord.com/developers/docs/resources/webhook#execute-webhook).
type discord struct {
	*poster
}

func (d *discord) Send(ctx context.Context, n Notification) Outcome {
	config := n.Config.(*models.DiscordConfig)
	secrets := func() redactor { return urlSecrets(config.WebhookURL).sorted() }
	embed := d.alertEmbed
	if n.Digest != nil {
		embed = discordDigest
	}
	message := discordMessage{Embeds: []discordEmbed{embed(n)}, AllowedMentions: discordMentions{Parse: []string{}}}
	return d.postJSON(ctx, discordURL(config.WebhookURL), nil, message, secrets, d.judge)
}

// discordURL asks Discord to answer after it has saved the message, so that one that it cannot save is an error. What else there
// is in the query, such as thread_id, stays.
func discordURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return raw
	}
	var query []string
	for part := range strings.SplitSeq(u.RawQuery, "&") {
		if name, _, _ := strings.Cut(part, "="); part != "" && name != "wait" {
			query = append(query, part)
		}
	}
	u.RawQuery = strings.Join(append(query, "wait=true"), "&")
	return u.String()
}

type discordMessage struct {
	Embeds          []discordEmbed  `json:"embeds"`
	AllowedMentions discordMentions `json:"allowed_mentions"`
}

// discordMentions with an empty list: no text of an alert can ping anybody.
type discordMentions struct {
	Parse []string `json:"parse"`
}

type discordEmbed struct {
	Title       string         `json:"title"`
	URL         string         `json:"url,omitempty"`
	Description string         `json:"description,omitempty"`
	Color       int            `json:"color"`
	Fields      []discordField `json:"fields,omitempty"`
	Footer      discordFooter  `json:"footer"`
	Timestamp   string         `json:"timestamp"`
}

type discordField struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Inline bool   `json:"inline"`
}

type discordFooter struct {
	Text string `json:"text"`
}

func (d *discord) alertEmbed(n Notification) discordEmbed {
	e := discordEmbed{
		Title:     discordText(headline(n), discordTitleMax),
		URL:       d.link(n.Alert),
		Color:     discordColor(chatSeverity(n)),
		Footer:    discordFooter{chatFooter(n.Alert)},
		Timestamp: discordTime(toldAt(n)),
	}
	for _, f := range chatFacts(n) {
		e.Fields = append(e.Fields, discordField{f.name, discordText(f.value, discordValueMax), true})
	}
	e.Fields = append(e.Fields, discordField{"Time", timeText(n.Alert.CreatedAt), true})
	e.Description = discordText(n.Alert.Message, e.room())
	return e
}

// room is how long the description may be.
func (e discordEmbed) room() int {
	used := characters(e.Title) + characters(e.Footer.Text)
	for _, f := range e.Fields {
		used += characters(f.Name) + characters(f.Value)
	}
	return min(discordDescriptionMax, discordEmbedMax-used)
}

// discordColor is Discord's own red, yellow and green.
func discordColor(s models.Severity) int {
	switch s {
	case models.SeverityHigh:
		return 0xED4245
	case models.SeverityMedium:
		return 0xFEE75C
	}
	return 0x57F287
}

func discordTime(t time.Time) string {
	return t.UTC().Truncate(time.Millisecond).Format(time.RFC3339Nano)
}

// discordAnswer is the body of an answer that is no success.
type discordAnswer struct {
	Code       int     // https://discord.com/developers/docs/topics/opcodes-and-status-codes#json-json-error-codes
	RetryAfter float64 `json:"retry_after"` // seconds
	Global     bool    // the limit is not the webhook's alone
}

// needsThread is Discord's code for a webhook of a forum that was not told which post to write to.
const needsThread = 220001

func (d *discord) judge(a answer) Outcome {
	o := byStatus(a)
	if o.Result == Delivered {
		return o
	}
	var body discordAnswer
	_ = json.Unmarshal([]byte(a.raw), &body) // what is no JSON says nothing more than its status
	switch a.status {
	case http.StatusTooManyRequests:
		asked := min(max(body.RetryAfter, 0), maxRetryAfter.Seconds())
		o.RetryAfter = max(parseRetryAfter(a.header.Get("Retry-After"), d.now()), time.Duration(math.Ceil(asked*1000))*time.Millisecond) // never sooner
		if body.Global {
			o.Error += ": Discord's limit for everything that comes from this server's address"
		}
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
		// Discord shuts out addresses that go on asking for what is not there.
		o.Result = ChannelBroken
		o.Error += ": the webhook or its thread was deleted, or its URL is not whole: make a new one for this channel"
	case http.StatusBadRequest:
		if body.Code == needsThread {
			o.Result = ChannelBroken
			o.Error += ": the webhook belongs to a forum: add ?thread_id= and the id of a post to its URL"
		}
	}
	return o
}
