package notifiers

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rustbucket/alerts/models"
)

var teamsKit = kit{
	name: "teams", channel: models.Teams,
	config: func(base string) models.ChannelConfig {
		return &models.TeamsConfig{WebhookURL: base + "/workflows/workfl0wid/triggers/manual/paths/invoke?api-version=1&sp=%2Ftriggers%2Fmanual%2Frun&sig=s1gnatur3-s3cret"}
	},
	secrets: []string{"workfl0wid", "s1gnatur3-s3cret"},
	differs: map[int]Result{401: ChannelBroken, 403: ChannelBroken, 404: ChannelBroken},
}

// sendTeams gives the card that arrives, and the whole body.
func sendTeams(t *testing.T, n Notification) (teamsCard, string) {
	t.Helper()
	base, requests := receiver(t, "")
	n.Key, n.Config = "k", &models.TeamsConfig{WebhookURL: base + "/workflows/x?sig=y"}
	o := NewSet(Settings{Egress: loopbackOnly(), PublicURL: "https://alerts.example.com"})[models.Teams].Send(t.Context(), n)
	if o.Result != Delivered {
		t.Fatalf("outcome %+v", o)
	}
	body := (<-requests).body
	if len(body) > teamsBodyMax || !utf8.ValidString(body) || strings.ContainsRune(body, utf8.RuneError) {
		t.Errorf("%d bytes: %.200s", len(body), body)
	}
	var message teamsMessage
	if err := json.Unmarshal([]byte(body), &message); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return message.Attachments[0].Content, body
}

func TestTeams_BodyIsAsDocumented(t *testing.T) {
	_, body := sendTeams(t, Notification{Alert: testAlert()})
	want := `{"type":"message","attachments":[{"contentType":"application/vnd.microsoft.card.adaptive","contentUrl":null,"content":` +
		`{"$schema":"http://adaptivecards.io/schemas/adaptive-card.json","type":"AdaptiveCard","version":"1.4","body":[` +
		`{"type":"Container","style":"attention","bleed":true,"items":[{"type":"TextBlock","text":"Rustbucket Alert: ERROR","wrap":true,"color":"Attention","weight":"Bolder","size":"Large"}]},` +
		`{"type":"TextBlock","text":"Rustbucket node1 is not responding","wrap":true},` +
		`{"type":"FactSet","facts":[{"title":"Severity","value":"HIGH"},{"title":"Type","value":"error"},{"title":"Rustbucket","value":"Production Node 1 (BKT123456)"},` +
		`{"title":"Status","value":"open"},{"title":"Time","value":"2025-12-12 10:30:00 UTC"}]},` +
		`{"type":"TextBlock","text":"Rustbucket Alerts, alert 123","wrap":true,"size":"Small","isSubtle":true}],` +
		`"actions":[{"type":"Action.OpenUrl","title":"Open","url":"https://alerts.example.com/alerts/123"}],"msteams":{"width":"full"}}}]}`
	if body != want {
		t.Errorf("body %s\nwant %s", body, want)
	}
}

func TestTeams_ColorsBySeverity(t *testing.T) {
	for severity, want := range map[models.Severity]string{
		models.SeverityLow: "Good", models.SeverityMedium: "Warning", models.SeverityHigh: "Attention"} {
		alert := testAlert()
		alert.Severity = severity
		if card, _ := sendTeams(t, Notification{Alert: alert}); card.Body[0].Items[0].Color != want || card.Body[0].Style != strings.ToLower(want) {
			t.Errorf("%v: %+v, want %s", severity, card.Body[0], want)
		}
	}
	card, _ := sendTeams(t, Notification{Kind: models.TellResolved, Alert: resolvedAlert()})
	if top := card.Body[0].Items[0]; top.Color != "Good" || top.Text != "Rustbucket Alert: RESOLVED: ERROR" {
		t.Errorf("resolved: %+v", top)
	}
}

func TestTeams_WorstAlertFits(t *testing.T) {
	for _, character := range append(widest, "*", "\\", "[", "1.\n", "\u2028", family, hebrew) {
		alert := testAlert()
		alert.ID = 1 << 62
		alert.Message = cutRunes(strings.Repeat(character, models.MaxMessage), models.MaxMessage)
		alert.Type = "x" + cutRunes(strings.Repeat(character, models.MaxName), models.MaxName-1)
		alert.Rustbucket = &models.Rustbucket{ID: alert.Type, Name: alert.Type}
		sendTeams(t, Notification{Kind: models.TellResolved, Alert: alert})
	}
}

func TestTeams_Digest(t *testing.T) {
	card, _ := sendTeams(t, Notification{Digest: testDigest()})
	last := card.Body[len(card.Body)-1]
	if len(card.Body) != 7 || card.Body[0].Items[0].Text != "Rustbucket Alert: 2 alerts, 1 resolved" ||
		card.Body[1].Facts[1] != (teamsFact{"By type", `error 2, high\_cpu 1`}) ||
		!strings.HasPrefix(card.Body[3].Text, `🟡 MEDIUM high\_cpu: load of <9> & more (2025`) ||
		card.Body[5].Text != "All in full: paste this into the playground" || last.Text != describeDigest(testDigest()).query {
		t.Errorf("card %+v", card)
	}
	// It is copied from the card: nothing may be hidden in it.
	if escaped := escapeTeams(last.Text); escaped != last.Text {
		t.Errorf("the query has markup in it: %q", escaped)
	}
	for _, character := range append(widest, "*", "\\") {
		card, _ := sendTeams(t, Notification{Digest: largestDigest(character)})
		if n := len(card.Body); n != 2+digestLines+2 || card.Body[n-2].Text != "480 more, and all in full: paste this into the playground" {
			t.Errorf("%q: %d elements", character, n)
		}
	}
}

func TestTeams_Outcomes(t *testing.T) {
	coded := func(code string) string {
		return `{"error":{"code":"` + code + `","message":"sig=s3cret"}}`
	}
	for _, c := range []struct {
		name    string
		retired bool
		status  int
		body    string
		want    Result
		says    string
	}{
		{"taken", false, 202, "", Delivered, ""},
		{"taken, with a body", false, 200, "whatever", Delivered, ""},
		{"turned off or deleted", false, 400, coded("WorkflowTriggerIsNotEnabled"), ChannelBroken, "turned off or was deleted"},
		{"unknown", false, 404, coded("WorkflowNotFound"), ChannelBroken, "turned off or was deleted"},
		{"for the tenant only", false, 401, coded("DirectApiAuthorizationRequired"), ChannelBroken, "let anyone trigger it"},
		{"wrong sig", false, 401, "", ChannelBroken, "sig is not accepted"},
		{"forbidden", false, 403, "<html>", ChannelBroken, "sig is not accepted"},
		{"cut off", false, 400, coded("MissingApiVersionParameter"), ChannelBroken, "not whole"},
		{"not the card's fault", false, 500, coded("WorkflowNotFound"), Retry, "500"},
		{"too fast", false, 429, coded("WorkflowRunActionThrottled"), Retry, "429"},
		{"refused", false, 400, coded("TriggerInputSchemaMismatch"), Permanent, "400 Bad Request"},
		{"connector, taken", true, 200, "1", Delivered, ""},
		{"connector, refused", true, 200, "Summary or Text is required.", Permanent, "Summary or Text is required.; Microsoft has retired"},
		{"connector, silent", true, 200, "", Permanent, "retired"},
		{"connector, too fast", true, 200, "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429 with ContextId x", Retry, "429"},
		{"connector, gone", true, 410, "", ChannelBroken, "410"},
	} {
		o := judgeTeams(c.retired)(answer{status: c.status, header: http.Header{}, body: c.body, raw: c.body, complete: true})
		if o.Result != c.want || !strings.Contains(o.Error, c.says) || (o.Error == "") != (c.want == Delivered) || strings.Contains(o.Error, "s3cret") {
			t.Errorf("%s: result %d, %q; want %d, %q", c.name, o.Result, o.Error, c.want, c.says)
		}
	}
	if o := judgeTeams(true)(answer{status: 200, raw: "1"}); o.Result != Retry {
		t.Errorf("half an answer: %+v", o)
	}
}

func TestTeams_TextIsNoMarkup(t *testing.T) {
	for text, want := range map[string]string{
		"plain, 10:30 (x) a-b 1.5 & more <9>": "plain, 10:30 (x) a-b 1.5 & more <9>",
		"**bold** _it_ `code`":                `\*\*bold\*\* \_it\_ ` + "\\`code\\`",
		"[x](https://example.com)":            `\[x\](https://example.com)`,
		"- a\r\n1. b\n\n# c\n> d\n    e":      "\u200b- a\n\n\u200b1. b\n\n\u200b# c\n\n\u200b> d\n\n\u200b    e",
		`C:\temp \* \`:                        "C:\\temp \\\u200b\\* \\\u200b",
		"&amp; <b> {{DATE(x)}} ~~y~~":         "&\u200bamp; <\u200bb> {\u200b{DATE(x)}} ~\u200b~y~\u200b~",
		" \n":                                 "\u200b",
	} {
		if got := teamsText(text, 1000); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

func FuzzTeamsText(f *testing.F) {
	f.Add("**b** [x](y) \\", 7)
	f.Add("1.\n😀&amp;", 9)
	unescape := strings.NewReplacer(zeroWidth, "", `\*`, "*", `\_`, "_", `\[`, "[", `\]`, "]", "\\`", "`")
	f.Fuzz(func(t *testing.T, s string, limit int) {
		if limit < 10 || limit > 20_000 || !utf8.ValidString(s) || strings.ContainsAny(s, "\r\n\u200b") || strings.TrimSpace(s) == "" {
			t.Skip()
		}
		got := teamsText(s, limit)
		written, err := encodeJSON(got)
		if n := len(written) - 2; err != nil || n > limit || n != jsonBytes(got) {
			t.Errorf("%d bytes, limit %d, measured %d, %v", n, limit, jsonBytes(got), err)
		}
		plain := unescape.Replace(got)
		if short, ok := strings.CutSuffix(plain, "…"); plain != s && (!ok || !strings.HasPrefix(s, short)) {
			t.Errorf("%q became %q", s, got)
		}
	})
}
