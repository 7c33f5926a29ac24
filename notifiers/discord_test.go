package notifiers

import (
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/rustbucket/alerts/models"
)

var discordKit = kit{
	name: "discord", channel: models.Discord,
	config: func(base string) models.ChannelConfig {
		return &models.DiscordConfig{WebhookURL: base + "/api/webhooks/112233445566778899/t0ken-s3cret_x?thread_id=998877"}
	},
	secrets: []string{"112233445566778899", "t0ken-s3cret_x"},
	differs: map[int]Result{401: ChannelBroken, 403: ChannelBroken, 404: ChannelBroken},
}

// sendDiscord gives the embed that arrives, after a look at Discord's limits.
func sendDiscord(t *testing.T, n Notification) (discordEmbed, string) {
	t.Helper()
	base, requests := receiver(t, `{"id":"1"}`)
	n.Key, n.Config = "k", &models.DiscordConfig{WebhookURL: base + "/api/webhooks/1/x"}
	o := NewSet(Settings{Egress: loopbackOnly(), PublicURL: "https://alerts.example.com"})[models.Discord].Send(t.Context(), n)
	if o.Result != Delivered {
		t.Fatalf("outcome %+v", o)
	}
	body := (<-requests).body
	var message discordMessage
	if err := json.Unmarshal([]byte(body), &message); err != nil || !strings.Contains(body, `"allowed_mentions":{"parse":[]}`) || len(message.Embeds) != 1 {
		t.Fatalf("%v in %s", err, body)
	}
	e := message.Embeds[0]
	all := 0
	check := func(text string, limit int) {
		n := utf8.RuneCountInString(text)
		if all += n; n > limit || strings.TrimSpace(text) == "" || strings.ContainsRune(text, utf8.RuneError) {
			t.Errorf("%d characters, limit %d: %.60q", n, limit, text)
		}
	}
	check(e.Title, 256)
	check(e.Description, 4096)
	check(e.Footer.Text, 2048)
	for _, f := range e.Fields {
		check(f.Name, 256)
		check(f.Value, 1024)
	}
	if all > 6000 || len(e.Fields) > 25 {
		t.Errorf("%d characters, %d fields", all, len(e.Fields))
	}
	if _, err := time.Parse(time.RFC3339, e.Timestamp); err != nil {
		t.Error(err)
	}
	return e, body
}

func TestDiscord_BodyIsAsDocumented(t *testing.T) {
	_, body := sendDiscord(t, Notification{Alert: testAlert()})
	want := `{"embeds":[{"title":"Rustbucket Alert: ERROR","url":"https://alerts.example.com/alerts/123","description":"Rustbucket node1 is not responding",` +
		`"color":15548997,"fields":[{"name":"Severity","value":"HIGH","inline":true},{"name":"Type","value":"error","inline":true},` +
		`{"name":"Rustbucket","value":"Production Node 1 (BKT123456)","inline":true},{"name":"Status","value":"open","inline":true},` +
		`{"name":"Time","value":"2025-12-12 10:30:00 UTC","inline":true}],"footer":{"text":"Rustbucket Alerts, alert 123"},"timestamp":"2025-12-12T10:30:00Z"}],` +
		`"allowed_mentions":{"parse":[]}}`
	if body != want {
		t.Errorf("body %s\nwant %s", body, want)
	}
}

func TestDiscord_ColorsBySeverity(t *testing.T) {
	for severity, want := range map[models.Severity]int{models.SeverityLow: 0x57F287, models.SeverityMedium: 0xFEE75C, models.SeverityHigh: 0xED4245} {
		alert := testAlert()
		alert.Severity = severity
		if e, _ := sendDiscord(t, Notification{Alert: alert}); e.Color != want {
			t.Errorf("%v: %x, want %x", severity, e.Color, want)
		}
	}
	e, _ := sendDiscord(t, Notification{Kind: models.TellResolved, Alert: resolvedAlert()})
	if e.Color != 0x57F287 || e.Title != "Rustbucket Alert: RESOLVED: ERROR" || e.Timestamp != "2025-12-13T11:00:00Z" {
		t.Errorf("resolved: %+v", e)
	}
}

func TestDiscord_WaitsForTheMessageToBeSaved(t *testing.T) {
	for raw, want := range map[string]string{
		"":                             "wait=true",
		"?thread_id=1&x=%2F":           "thread_id=1&x=%2F&wait=true",
		"?wait=false&thread_id=1":      "thread_id=1&wait=true",
		"?thread_id=1&wait=true#there": "thread_id=1&wait=true",
	} {
		asked := make(chan string, 1)
		base := serve(t, func(w http.ResponseWriter, r *http.Request) { asked <- r.URL.Path + "?" + r.URL.RawQuery })
		testSet(t)[models.Discord].Send(t.Context(), Notification{Key: "k", Alert: testAlert(),
			Config: &models.DiscordConfig{WebhookURL: base + "/api/webhooks/1/x" + raw}})
		if got := <-asked; got != "/api/webhooks/1/x?"+want {
			t.Errorf("%s: asked for %s, want %s", raw, got, want)
		}
	}
}

func TestDiscord_WorstAlertFits(t *testing.T) {
	for _, character := range append(widest, "*", "\\", "[", "1.\n", "https://example.com/_x_ ", family, hebrew) {
		alert := testAlert()
		alert.ID = 1 << 62
		alert.Message = "x" + cutRunes(strings.Repeat(character, models.MaxMessage), models.MaxMessage-1)
		alert.Type = "x" + cutRunes(strings.Repeat(character, models.MaxName), models.MaxName-1)
		alert.Rustbucket = &models.Rustbucket{ID: alert.Type, Name: alert.Type}
		sendDiscord(t, Notification{Kind: models.TellResolved, Alert: alert})
	}
}

func TestDiscord_Digest(t *testing.T) {
	e, _ := sendDiscord(t, Notification{Digest: testDigest()})
	lines := strings.Split(e.Description, "\n")
	if e.Title != "Rustbucket Alert: 2 alerts, 1 resolved" || len(lines) != 3 ||
		!strings.HasPrefix(lines[1], `🟡 MEDIUM high\_cpu: load of \<9> & more (2025`) ||
		e.Fields[3] != (discordField{"All in full: paste this into the playground", "```graphql\n" + describeDigest(testDigest()).query + "\n```", false}) {
		t.Errorf("embed %+v", e)
	}
	for _, character := range append(widest, "*", "\\") {
		e, _ := sendDiscord(t, Notification{Digest: largestDigest(character)})
		listed := strings.Count(e.Description, "\n") + 1
		if listed < 8 || !strings.HasPrefix(e.Fields[3].Name, "4") || !strings.Contains(e.Fields[3].Name, " more, and all in full") {
			t.Errorf("%q: %d listed, %q", character, listed, e.Fields[3].Name)
		}
	}
}

func TestDiscord_WaitsAsLongAsDiscordAsks(t *testing.T) {
	for _, c := range []struct {
		header, body string
		want         time.Duration
		says         string
	}{
		{"", `{"message":"You are being rate limited.","retry_after":0.45,"global":false}`, 450 * time.Millisecond, "429"},
		{"2", `{"retry_after":64.57,"global":true}`, 64570 * time.Millisecond, "everything that comes from this server's address"},
		{"65", `{"retry_after":64.57}`, 65 * time.Second, "429"},
		{"3600", `<html>banned</html>`, time.Hour, "429"},
		{"", `{"retry_after":-1}`, 0, "429"},
		{"", `{"retry_after":1e300}`, maxRetryAfter, "429"},
		{"", `{"retry_after":"soon"}`, 0, "429"},
	} {
		base := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if c.header != "" {
				w.Header().Set("Retry-After", c.header)
			}
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = io.WriteString(w, c.body)
		})
		o := discordKit.send(t, base)
		if o.Result != Retry || o.RetryAfter != c.want || !strings.Contains(o.Error, c.says) {
			t.Errorf("%q, %s: %+v, want %v", c.header, c.body, o, c.want)
		}
	}
}

func TestDiscord_Outcomes(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		want   Result
		says   string
	}{
		{200, `{"id":"1"}`, Delivered, ""},
		{204, "", Delivered, ""},
		{400, `{"message":"Invalid Form Body","code":50035}`, Permanent, "400"},
		{400, `{"message":"Webhooks posted to forum channels must have a thread_name or thread_id","code":220001}`, ChannelBroken, "thread_id"},
		{401, `{"message":"Invalid Webhook Token","code":50027}`, ChannelBroken, "make a new one"},
		{404, `{"message":"Unknown Webhook","code":10015}`, ChannelBroken, "make a new one"},
		{502, "<html>", Retry, "502"},
	} {
		d := &discord{newPoster(Settings{})}
		if o := d.judge(answer{status: c.status, header: http.Header{}, raw: c.body}); o.Result != c.want || !strings.Contains(o.Error, c.says) {
			t.Errorf("%d %s: %+v, want %d", c.status, c.body, o, c.want)
		}
	}
}

func TestDiscord_TextIsNoMarkup(t *testing.T) {
	for text, want := range map[string]string{
		"plain (x) a-b 1.5 & more, #3": "plain (x) a-b 1.5 & more, #3",
		"**b** _i_ ~~s~~ `c` ||d||":    "\\*\\*b\\*\\* \\_i\\_ \\~\\~s\\~\\~ \\`c\\` \\|\\|d\\|\\|",
		"[x](https://example.com/a_b)": `\[x\](https://example.com/a_b)`,
		"<@123> <#1> @everyone :fire:": `\<\@123> \<#1> \@everyone \:fire:`,
		"# a\n - b\n2. c\n> d\n-# e":   "\\# a\n \\- b\n2\\. c\n\\> d\n\\-# e",
		`C:\temp`:                      `C:\\temp`,
		"see https://example.com/_x_.": "see https://example.com/_x_.",
	} {
		if got := discordText(text, 1000); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

func FuzzDiscordText(f *testing.F) {
	f.Add("**b** [x](y) \\", 7)
	f.Add("1.\n😀@everyone", 5)
	escape := regexp.MustCompile(`\\([^0-9A-Za-z\s])`) // as Discord has it
	f.Fuzz(func(t *testing.T, s string, limit int) {
		if limit < 1 || limit > 10_000 || !utf8.ValidString(s) || strings.Contains(s, "://") || strings.Contains(s, "\r") {
			t.Skip()
		}
		got := discordText(s, limit)
		if n := utf8.RuneCountInString(got); n > limit {
			t.Errorf("%d characters, limit %d", n, limit)
		}
		plain := escape.ReplaceAllString(got, "$1")
		if short, ok := strings.CutSuffix(plain, "…"); plain != s && (!ok || !strings.HasPrefix(s, short)) {
			t.Errorf("%q became %q", s, got)
		}
	})
}
