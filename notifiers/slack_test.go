package notifiers

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	slackapi "github.com/slack-go/slack"

	"github.com/rustbucket/alerts/models"
)

var slackKit = kit{
	name: "slack", channel: models.Slack,
	config: func(base string) models.ChannelConfig {
		return &models.SlackConfig{WebhookURL: base + "/services/T0S3CRET/B0S3CRET/tokens3cret"}
	},
	ok:      "ok",
	secrets: []string{"T0S3CRET", "B0S3CRET", "tokens3cret"},
	differs: map[int]Result{
		201: Permanent, 202: Permanent, 204: Permanent, // Slack itself answers 200 and nothing else
		401: ChannelBroken, 403: ChannelBroken, 404: ChannelBroken,
	},
}

// sendSlack gives the message as the vendor's own library reads it. What it does not know is an error.
func sendSlack(t *testing.T, n Notification) (slackapi.WebhookMessage, received) {
	t.Helper()
	base, requests := receiver(t, "ok")
	n.Key, n.Config = "k", &models.SlackConfig{WebhookURL: base + "/services/T000/B000/XXXX"}
	o := NewSet(Settings{Version: "1.2.3", Egress: loopbackOnly(), PublicURL: "https://alerts.example.com"})[models.Slack].Send(t.Context(), n)
	if !reflect.DeepEqual(o, Outcome{Result: Delivered, StatusCode: 200, Response: "ok"}) {
		t.Fatalf("outcome %+v", o)
	}
	r := <-requests
	var post struct {
		slackapi.WebhookMessage
		Markup *bool `json:"mrkdwn"`
	}
	decoder := json.NewDecoder(strings.NewReader(r.body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&post); err != nil {
		t.Fatalf("%v in %s", err, r.body)
	}
	body := post.WebhookMessage
	for _, on := range []*bool{post.Markup, body.UnfurlLinks, body.UnfurlMedia} {
		if on == nil || *on {
			t.Errorf("the text above is not shown as it is: %s", r.body)
		}
	}
	if len(body.Attachments) != 1 || body.Blocks != nil {
		t.Fatalf("no attachment alone: %s", r.body)
	}
	checkSlackLimits(t, body)
	return body, r
}

// slackTexts are all texts of a message, in order, with the limit of each.
func slackTexts(t *testing.T, body slackapi.WebhookMessage) (texts []string, limits []int) {
	t.Helper()
	add := func(o *slackapi.TextBlockObject, limit int) {
		texts, limits = append(texts, o.Text), append(limits, limit)
	}
	for _, b := range body.Attachments[0].Blocks.BlockSet {
		switch b := b.(type) {
		case *slackapi.HeaderBlock:
			if b.Text.Type != slackapi.PlainTextType {
				t.Errorf("the header is %s", b.Text.Type)
			}
			add(b.Text, 150)
		case *slackapi.SectionBlock:
			if b.Text != nil {
				add(b.Text, 3000)
			}
			if len(b.Fields) > 10 {
				t.Errorf("%d fields", len(b.Fields))
			}
			for _, f := range b.Fields {
				add(f, 2000)
			}
		case *slackapi.ContextBlock:
			for _, e := range b.ContextElements.Elements {
				add(e.(*slackapi.TextBlockObject), 3000)
			}
		default:
			t.Errorf("a block of type %s", b.BlockType())
		}
	}
	return texts, limits
}

func checkSlackLimits(t *testing.T, body slackapi.WebhookMessage) {
	t.Helper()
	texts, limits := slackTexts(t, body)
	texts, limits = append(texts, body.Text, body.Attachments[0].Fallback), append(limits, slackShortMax, slackShortMax)
	for i, text := range texts {
		if n := utf8.RuneCountInString(text); n > limits[i] || n == 0 || !utf8.ValidString(text) || strings.ContainsRune(text, utf8.RuneError) {
			t.Errorf("%d characters, limit %d: %.60q", n, limits[i], text)
		}
		for _, tail := range strings.SplitAfter(text, "&")[1:] {
			if !strings.HasPrefix(tail, "amp;") && !strings.HasPrefix(tail, "lt;") && !strings.HasPrefix(tail, "gt;") {
				t.Errorf("an escape was cut: …%.20q", tail)
			}
		}
	}
	if n := len(body.Attachments[0].Blocks.BlockSet); n > 50 {
		t.Errorf("%d blocks", n)
	}
}

func TestSlack_Message(t *testing.T) {
	body, r := sendSlack(t, Notification{Alert: testAlert()})
	if r.header.Get("Content-Type") != "application/json" || r.header.Get("User-Agent") != "Rustbucket-Alerts/1.2.3" {
		t.Errorf("headers %v", r.header)
	}
	a := body.Attachments[0]
	if a.Color != "danger" || a.Fallback != "Rustbucket Alert: ERROR: Rustbucket node1 is not responding" ||
		body.Text != "HIGH: Rustbucket node1 is not responding" {
		t.Errorf("message %+v", body)
	}
	texts, _ := slackTexts(t, body)
	want := []string{
		"Rustbucket Alert: ERROR", "Rustbucket node1 is not responding",
		"*Severity*", "HIGH", "*Type*", "error", "*Rustbucket*", "Production Node 1 (BKT123456)", "*Status*", "open",
		"<!date^1765535400^{date_short_pretty}, {time_secs}|2025-12-12 10:30:00 UTC>  •  Rustbucket Alerts, alert 123  •  <https://alerts.example.com/alerts/123|Open>",
	}
	if !slices.Equal(texts, want) {
		t.Errorf("texts %q\nwant %q", texts, want)
	}
}

func TestSlack_SeverityColors(t *testing.T) {
	for severity, want := range map[models.Severity]string{
		models.SeverityLow: "good", models.SeverityMedium: "warning", models.SeverityHigh: "danger"} {
		alert := testAlert()
		alert.Severity, alert.Rustbucket = severity, nil
		now := time.Now()
		alert.ResolvedAt = &now
		body, r := sendSlack(t, Notification{Alert: alert})
		if got := body.Attachments[0].Color; got != want {
			t.Errorf("%v: %s, want %s", severity, got, want)
		}
		if !strings.Contains(r.body, `"text":"resolved at `) || !strings.Contains(r.body, `"text":"none"`) {
			t.Errorf("body %s", r.body)
		}
	}
}

func TestSlack_EscapesAndCuts(t *testing.T) {
	alert := testAlert()
	alert.Type = strings.Repeat("ü&", 127)
	alert.Message = "<!channel> & <https://example.com|x> *bold* " + strings.Repeat("😀<", 4000)
	alert.Rustbucket.Name = strings.Repeat("<", 255)
	body, r := sendSlack(t, Notification{Alert: alert})
	if len([]rune(r.body)) > 40_000 {
		t.Errorf("%d characters in all", len([]rune(r.body)))
	}
	message := body.Attachments[0].Blocks.BlockSet[1].(*slackapi.SectionBlock).Text
	if message.Type != slackapi.PlainTextType || !strings.HasPrefix(message.Text, "&lt;!channel&gt; &amp; &lt;https") ||
		!strings.HasSuffix(message.Text, "…") || !strings.Contains(message.Text, "*bold*") {
		t.Errorf("message %+v", message)
	}
	for _, text := range []string{body.Text, body.Attachments[0].Fallback, message.Text} {
		if strings.ContainsAny(text, "<>") {
			t.Errorf("not escaped: %.60s", text)
		}
	}
}

func FuzzSlackText(f *testing.F) {
	f.Add("a&b<c>d", 5)
	f.Add("😀&", 1)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		if limit < 1 || limit > 10_000 || !utf8.ValidString(s) {
			t.Skip()
		}
		got := slackText(s, limit)
		if n := utf8.RuneCountInString(got); n > limit {
			t.Errorf("%d characters, limit %d", n, limit)
		}
		plain := strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(got)
		if cut, ok := strings.CutSuffix(plain, "…"); !strings.HasPrefix(s, plain) && (!ok || !strings.HasPrefix(s, cut)) {
			t.Errorf("%q became %q", s, got)
		}
	})
}

func TestSlack_ErrorWords(t *testing.T) {
	for word, want := range map[string]Result{
		"invalid_payload": Permanent, "no_text": Permanent, "user_not_found": Permanent, "something_new": Permanent,
		"rollup_error": Retry,
		"no_service":   ChannelBroken, "no_active_hooks": ChannelBroken, "invalid_token": ChannelBroken,
		"channel_not_found": ChannelBroken, "channel_is_archived": ChannelBroken, "action_prohibited": ChannelBroken,
	} {
		for _, status := range []int{200, 400} {
			base := serve(t, func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(status)
				_, _ = io.WriteString(w, word+"\n")
			})
			// The path holds part of the words: what is shown is masked, what is decided on is not.
			o := testSet(t)[models.Slack].Send(t.Context(), Notification{Key: "k", Alert: testAlert(),
				Config: &models.SlackConfig{WebhookURL: base + "/services/token/payload"}})
			if o.Result != want || o.StatusCode != status {
				t.Errorf("%d %s: result %d, status %d, %q; want %d", status, word, o.Result, o.StatusCode, o.Error, want)
			}
		}
	}
	for status, want := range map[int]Result{500: Retry, 429: Retry, 400: Permanent, 404: ChannelBroken, 410: ChannelBroken} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			if o := judgeSlack(answer{status: status, raw: "<html>", complete: true}); o.Result != want {
				t.Errorf("result %d, want %d", o.Result, want)
			}
		})
	}
}
