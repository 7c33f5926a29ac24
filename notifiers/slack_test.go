package notifiers

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

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

type slackBody struct {
	Text        string
	Attachments []struct {
		Color, Title, Fallback, Footer string
		Ts                             int64
		Fields                         []struct {
			Title, Value string
			Short        bool
		}
	}
}

func sendSlack(t *testing.T, n Notification) (slackBody, received) {
	t.Helper()
	base, requests := receiver(t, "ok")
	n.Key, n.Config = "k", &models.SlackConfig{WebhookURL: base + "/services/T000/B000/XXXX"}
	o := testSet(t)[models.Slack].Send(t.Context(), n)
	if o != (Outcome{Result: Delivered, StatusCode: 200, Response: "ok"}) {
		t.Fatalf("outcome %+v", o)
	}
	r := <-requests
	var body slackBody
	if err := json.Unmarshal([]byte(r.body), &body); err != nil {
		t.Fatalf("%v in %s", err, r.body)
	}
	return body, r
}

func TestSlack_Message(t *testing.T) {
	body, r := sendSlack(t, Notification{Alert: testAlert()})
	if r.header.Get("Content-Type") != "application/json" || r.header.Get("User-Agent") != "Rustbucket-Alerts/1.2.3" {
		t.Errorf("headers %v", r.header)
	}
	a := body.Attachments[0]
	if a.Title != "Rustbucket Alert: ERROR" || a.Color != "danger" || a.Footer == "" || a.Ts != 1765535400 ||
		a.Fallback != "Rustbucket Alert: ERROR: Rustbucket node1 is not responding" ||
		body.Text != "HIGH: Rustbucket node1 is not responding" {
		t.Errorf("message %+v", body)
	}
	var fields []string
	for _, f := range a.Fields {
		fields = append(fields, f.Title+"="+f.Value)
	}
	want := "Severity=HIGH|Rustbucket=Production Node 1 (BKT123456)|Message=Rustbucket node1 is not responding|" +
		"Time=2025-12-12 10:30:00 UTC|Status=open"
	if got := strings.Join(fields, "|"); got != want {
		t.Errorf("fields %s\nwant %s", got, want)
	}
}

func TestSlack_SeverityColors(t *testing.T) {
	for severity, want := range map[models.Severity]string{
		models.SeverityLow: "good", models.SeverityMedium: "warning", models.SeverityHigh: "danger"} {
		alert := testAlert()
		alert.Severity, alert.Rustbucket = severity, nil
		now := time.Now()
		alert.ResolvedAt = &now
		body, _ := sendSlack(t, Notification{Alert: alert})
		if got := body.Attachments[0].Color; got != want {
			t.Errorf("%v: %s, want %s", severity, got, want)
		}
		if got := body.Attachments[0].Fields[4].Value; !strings.HasPrefix(got, "resolved") {
			t.Errorf("status %q", got)
		}
	}
}

func TestSlack_EscapesAndCuts(t *testing.T) {
	alert := testAlert()
	alert.Type = strings.Repeat("ü&", 127)
	alert.Message = "<!channel> & <https://example.com|x> " + strings.Repeat("😀<", 4000)
	alert.Rustbucket.Name = strings.Repeat("<", 255)
	body, r := sendSlack(t, Notification{Alert: alert})
	if len([]rune(r.body)) > 40_000 {
		t.Errorf("%d characters in all", len([]rune(r.body)))
	}
	a := body.Attachments[0]
	limits := map[string]int{body.Text: slackShortMax, a.Title: slackTitleMax, a.Fallback: slackShortMax}
	for _, f := range a.Fields {
		limits[f.Value] = slackFieldMax
	}
	for text, limit := range limits {
		if n := utf8.RuneCountInString(text); n > limit {
			t.Errorf("%d characters, limit %d: %.60s", n, limit, text)
		}
		if strings.ContainsAny(text, "<>") || !utf8.ValidString(text) {
			t.Errorf("not escaped: %.60s", text)
		}
		for _, tail := range strings.SplitAfter(text, "&")[1:] {
			if !strings.HasPrefix(tail, "amp;") && !strings.HasPrefix(tail, "lt;") && !strings.HasPrefix(tail, "gt;") {
				t.Errorf("an escape was cut: …%q", tail)
			}
		}
	}
	if !strings.HasPrefix(a.Fields[2].Value, "&lt;!channel&gt; &amp; &lt;https") || !strings.HasSuffix(a.Fields[2].Value, "…") {
		t.Errorf("message %.60s", a.Fields[2].Value)
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
