package notifiers

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/testkit"
)

var resolvedAt = time.Date(2025, 12, 13, 11, 0, 0, 500, time.UTC)

func resolvedAlert() *models.Alert {
	a := testAlert()
	a.ResolvedAt = &resolvedAt
	return a
}

// testDigest tells of two alerts that came in and of one that was resolved.
func testDigest() *models.Digest {
	cpu, disk := testAlert(), testAlert()
	cpu.ID, cpu.Type, cpu.Severity, cpu.Message, cpu.Rustbucket = 124, "high_cpu", models.SeverityMedium, "load of <9> & more", nil
	cpu.CreatedAt = cpu.CreatedAt.Add(time.Minute)
	disk.ID, disk.Severity, disk.ResolvedAt = 7, models.SeverityLow, &resolvedAt
	disk.CreatedAt = disk.CreatedAt.Add(-24 * time.Hour)
	return models.NewDigest(3, []models.DigestItem{
		{Kind: models.TellResolved, Alert: disk}, {Kind: models.TellAlert, Alert: cpu}, {Kind: models.TellAlert, Alert: testAlert()}})
}

// largestDigest has as many alerts as there may be, each as long as it may be, all of different types.
func largestDigest(character string) *models.Digest {
	items := make([]models.DigestItem, models.MaxDigest)
	message := strings.Repeat(character, models.MaxMessage)
	for i := range items {
		a := testAlert()
		a.ID, a.Severity = int64(i+1), models.Severity(i%3)
		name := fmt.Sprintf("%03d", i) + strings.Repeat(character, models.MaxName-3)
		a.Type, a.Rustbucket = name, &models.Rustbucket{ID: name, Name: name}
		a.Message = message
		items[i] = models.DigestItem{Kind: models.TellAlert, Alert: a}
		if i%2 == 1 {
			items[i].Kind, a.ResolvedAt = models.TellResolved, &resolvedAt
		}
	}
	return models.NewDigest(3, items)
}

// widest are the characters that take most in one way or other: in UTF-8, escaped for Slack, in HTML, in JSON.
var widest = []string{"😀", "&", "\"", "\x01", "word ", "\n", "é"}

func TestDigest_CountsWhatIsTold(t *testing.T) {
	for want, kinds := range map[string][]models.DeliveryKind{
		"1 alert": {models.TellAlert}, "2 alerts": {models.TellAlert, ""}, "1 alert, 1 resolved": {models.TellAlert, models.TellResolved},
		"2 alerts resolved": {models.TellResolved, models.TellResolved}, "1 alert acknowledged, 2 resolved": {models.TellResolved, models.TellAcknowledged, models.TellResolved},
		"1 alert, 1 reopened": {models.TellReopened, models.TellAlert},
	} {
		d := &models.Digest{}
		for _, kind := range kinds {
			d.Items = append(d.Items, models.DigestItem{Kind: kind, Alert: resolvedAlert()})
		}
		if got := digestCount(d); got != want {
			t.Errorf("%v: %q, want %q", kinds, got, want)
		}
	}
}

// A delivery is created with its alert, or with the resolve: the query must reach both, and not back to an alert's birth.
func TestDigest_QueryReachesEveryDelivery(t *testing.T) {
	want := `{ deliveries(first: 500, filter: {channelId: "3", createdAfter: "2025-12-12T10:30:00Z", createdBefore: "2025-12-13T11:00:02Z"}) ` +
		`{ nodes { status alert { id type severity message } } } }`
	if got := describeDigest(testDigest()).query; got != want {
		t.Errorf("query %s\nwant  %s", got, want)
	}
}

func TestDigest_ManyTypesAreSummedUp(t *testing.T) {
	got := describeDigest(largestDigest("x")).types
	if !strings.HasPrefix(got, "000xxx") || !strings.HasSuffix(got, "… 1, and 490 of 490 other types") {
		t.Errorf("types %q", got)
	}
}

func TestSlack_Digest(t *testing.T) {
	body, _ := sendSlack(t, Notification{Digest: testDigest()})
	a := body.Attachments[0]
	if a.Color != "danger" || body.Text != "2 alerts, 1 resolved: HIGH 1, MEDIUM 1, LOW 1" ||
		a.Fallback != "Rustbucket Alert: 2 alerts, 1 resolved: HIGH 1, MEDIUM 1, LOW 1" {
		t.Errorf("message %+v", body)
	}
	want := []string{
		"Rustbucket Alert: 2 alerts, 1 resolved",
		"*By severity*", "HIGH 1, MEDIUM 1, LOW 1", "*By type*", "error 2, high_cpu 1",
		"*Time*", "2025-12-12 10:30:00 UTC to 2025-12-13 11:00:00 UTC",
		"*Alerts, the worst first*",
		"🔴 HIGH error: Rustbucket node1 is not responding (Production Node 1, BKT123456, 2025-12-12 10:30:00 UTC, alert 123)\n" +
			"🟡 MEDIUM high_cpu: load of &lt;9&gt; &amp; more (2025-12-12 10:31:00 UTC, alert 124)\n" +
			"✅ RESOLVED LOW error: Rustbucket node1 is not responding (Production Node 1, BKT123456, 2025-12-11 10:30:00 UTC, " +
			"resolved at 2025-12-13 11:00:00 UTC, alert 7)",
		"*All in full: paste this into the playground*\n```" + describeDigest(testDigest()).query + "```",
		"<!date^1765623600^{date_short_pretty}, {time_secs}|2025-12-13 11:00:00 UTC>  •  Rustbucket Alerts",
	}
	if got, _ := slackTexts(t, body); !slices.Equal(got, want) {
		t.Errorf("texts %q\nwant  %q", got, want)
	}
}

func TestSlack_DigestKeepsTheLimits(t *testing.T) {
	for _, character := range widest {
		body, r := sendSlack(t, Notification{Digest: largestDigest(character)})
		if n := utf8.RuneCountInString(r.body); n > 40_000 {
			t.Errorf("%q: %d characters in all", character, n)
		}
		texts, _ := slackTexts(t, body)
		all := strings.Join(texts, "\n")
		listed := strings.Count(all, "🔴") + strings.Count(all, "🟡") + strings.Count(all, "🟢") + strings.Count(all, "✅")
		if listed != digestLines || !strings.Contains(all, "480 more, and all in full: paste this into the playground") {
			t.Errorf("%q: %d listed: %s", character, listed, all)
		}
	}
}

func TestWebhook_DigestIsAsDocumented(t *testing.T) {
	base, requests := receiver(t, "")
	o := testSet(t)[models.Webhook].Send(t.Context(), Notification{Key: "digest-1", Digest: testDigest(), Config: &models.WebhookConfig{URL: base}})
	if !reflect.DeepEqual(o, Outcome{Result: Delivered, StatusCode: 200}) {
		t.Fatalf("outcome %+v", o)
	}
	want := `{"digest":true,"count":3,"by_severity":{"high":1,"medium":1,"low":1},"by_type":{"error":2,"high_cpu":1},"alerts":[` +
		`{"alert_id":123,"alert_type":"error","severity":"high","message":"Rustbucket node1 is not responding","is_resolved":false,"created_at":"2025-12-12T10:30:00Z","rustbucket":{"id":"BKT123456","name":"Production Node 1"}},` +
		`{"alert_id":124,"alert_type":"high_cpu","severity":"medium","message":"load of <9> & more","is_resolved":false,"created_at":"2025-12-12T10:31:00Z","rustbucket":null},` +
		`{"alert_id":7,"alert_type":"error","severity":"low","message":"Rustbucket node1 is not responding","is_resolved":true,"created_at":"2025-12-11T10:30:00Z","rustbucket":{"id":"BKT123456","name":"Production Node 1"}}` +
		`],"omitted":0}`
	if got := (<-requests).body; got != want {
		t.Errorf("body\n%s\nwant\n%s", got, want)
	}
}

func TestWebhook_DigestKeepsItsSize(t *testing.T) {
	for _, character := range widest {
		d := largestDigest(character)
		raw, err := marshalDigest(d)
		if err != nil {
			t.Fatal(err)
		}
		var body struct {
			Count, Omitted int
			BySeverity     map[string]int `json:"by_severity"`
			ByType         map[string]int `json:"by_type"`
			Alerts         []webhookBody
		}
		if err := json.Unmarshal(raw, &body); err != nil {
			t.Fatal(err)
		}
		if len(raw) > webhookDigestMax || len(raw) < webhookDigestMax-webhookTypesMax-70_000 || !utf8.Valid(raw) {
			t.Errorf("%q: %d bytes", character, len(raw))
		}
		if len(body.Alerts) < 3 || len(body.Alerts)+body.Omitted != models.MaxDigest || body.Count != models.MaxDigest {
			t.Errorf("%q: %d alerts and %d omitted of %d", character, len(body.Alerts), body.Omitted, body.Count)
		}
		if body.BySeverity["high"] != 166 || body.BySeverity["medium"] != 167 || len(body.ByType) < 15 {
			t.Errorf("%q: %v, %d types", character, body.BySeverity, len(body.ByType))
		}
		for i, got := range body.Alerts {
			if want := d.Items[i].Alert; got.AlertID != want.ID || got.Message != want.Message {
				t.Errorf("%q: alert %d in place %d", character, got.AlertID, i)
			}
		}
	}
}

// 500 alerts of an ordinary size are all there.
func TestWebhook_DigestOfShortAlertsIsWhole(t *testing.T) {
	items := make([]models.DigestItem, models.MaxDigest)
	for i := range items {
		items[i] = models.DigestItem{Alert: testAlert()}
	}
	raw, err := marshalDigest(models.NewDigest(1, items))
	if err != nil || !strings.HasSuffix(string(raw), `],"omitted":0}`) {
		t.Errorf("%v, %d bytes, ends in %.60s", err, len(raw), raw[len(raw)-60:])
	}
}

func TestEmail_Digest(t *testing.T) {
	server, settings := mailServer(t, testkit.MailOptions{})
	n := Notification{Key: "digest-1", Digest: testDigest()}
	sendNotification(t, settings, n)
	sendNotification(t, settings, n)
	p, again := parseMail(t, server.Mails()[0].Data), parseMail(t, server.Mails()[1].Data)
	if got := p.subject(t); got != "Rustbucket Alert: 2 alerts, 1 resolved: HIGH 1, MEDIUM 1, LOW 1" {
		t.Errorf("subject %q", got)
	}
	if id := p.header.Get("Message-Id"); id != "<digest-1.1765449000000000@example.com>" || id != again.header.Get("Message-Id") {
		t.Errorf("Message-ID %s, then %s", id, again.header.Get("Message-Id"))
	}
	want := "Rustbucket Alert: 2 alerts, 1 resolved\n\n" +
		"Severity:   HIGH 1, MEDIUM 1, LOW 1\nType:       error 2, high_cpu 1\n" +
		"Time:       2025-12-12 10:30:00 UTC to 2025-12-13 11:00:00 UTC\n\nThe worst first:\n\n" +
		"* HIGH error: Rustbucket node1 is not responding (Production Node 1, BKT123456, 2025-12-12 10:30:00 UTC, alert 123)\n" +
		"* MEDIUM high_cpu: load of <9> & more (2025-12-12 10:31:00 UTC, alert 124)\n" +
		"* RESOLVED LOW error: Rustbucket node1 is not responding (Production Node 1, BKT123456, 2025-12-11 10:30:00 UTC, " +
		"resolved at 2025-12-13 11:00:00 UTC, alert 7)\n\n" +
		"To see all in full, paste this into the playground:\n\n" + describeDigest(testDigest()).query + "\n\n-- \nRustbucket Alerts"
	if got := strings.TrimSpace(p.parts["text/plain"]); got != want {
		t.Errorf("text\n%s\nwant\n%s", got, want)
	}
	html := p.parts["text/html"]
	for _, want := range []string{"border-top:6px solid #c62828", "load of &lt;9&gt; &amp; more", "border-left:4px solid #2e7d32",
		"error 2, high_cpu 1", "channelId: &#34;3&#34;", "viewport"} {
		if !strings.Contains(html, want) {
			t.Errorf("html does not hold %q:\n%s", want, html)
		}
	}
}

func TestEmail_LargestDigest(t *testing.T) {
	for _, character := range widest {
		server, settings := mailServer(t, testkit.MailOptions{})
		if o := sendNotification(t, settings, Notification{Key: "k", Digest: largestDigest(character)}); o.Result != Delivered {
			t.Fatalf("%q: outcome %+v", character, o)
		}
		data := server.Mails()[0].Data
		for _, line := range strings.Split(string(data), "\r\n") {
			if len(line) > 998 {
				t.Errorf("%q: a line of %d bytes", character, len(line))
			}
		}
		p := parseMail(t, data)
		text := p.parts["text/plain"]
		if len(data) > 128<<10 || strings.Count(text, "\n* ") != digestLines || !strings.Contains(text, "There are 480 more.") {
			t.Errorf("%q: %d bytes\n%.2000s", character, len(data), text)
		}
		for _, part := range p.parts {
			if !utf8.ValidString(part) || strings.ContainsRune(part, utf8.RuneError) {
				t.Errorf("%q: half a character", character)
			}
		}
		if got := p.subject(t); got != "Rustbucket Alert: 250 alerts, 250 resolved: HIGH 166, MEDIUM 167, LOW 167" {
			t.Errorf("subject %q", got)
		}
	}
}

func TestResolvedNotices(t *testing.T) {
	n := Notification{Key: "k", Kind: models.TellResolved, Alert: resolvedAlert()}
	n.Alert.Message = "<!channel> & " + n.Alert.Message

	body, _ := sendSlack(t, n)
	texts, _ := slackTexts(t, body)
	if body.Attachments[0].Color != "good" || texts[0] != "Rustbucket Alert: RESOLVED: ERROR" ||
		body.Text != "RESOLVED (HIGH): &lt;!channel&gt; &amp; Rustbucket node1 is not responding" ||
		texts[9] != "resolved at 2025-12-13 11:00:00 UTC" || !strings.Contains(texts[10], fmt.Sprint(resolvedAt.Unix())) {
		t.Errorf("Slack: %+v", body)
	}

	server, settings := mailServer(t, testkit.MailOptions{})
	sendNotification(t, settings, n)
	p := parseMail(t, server.Mails()[0].Data)
	if got := p.subject(t); got != "Rustbucket Alert: RESOLVED: ERROR: <!channel> & Rustbucket node1 is not responding" {
		t.Errorf("subject %q", got)
	}
	const says = "This alert was resolved at 2025-12-13 11:00:00 UTC."
	if text := p.parts["text/plain"]; !strings.HasPrefix(text, "Rustbucket Alert: RESOLVED: ERROR\n\n"+says+"\n\n<!channel> &") {
		t.Errorf("text %s", text)
	}
	if html := p.parts["text/html"]; !strings.Contains(html, says) || !strings.Contains(html, "border-top:6px solid #2e7d32") {
		t.Errorf("html %s", html)
	}

	base, requests := receiver(t, "")
	n.Config = &models.WebhookConfig{URL: base}
	testSet(t)[models.Webhook].Send(t.Context(), n)
	want, err := marshalWebhook(n.Alert, models.TellAlert)
	if got := (<-requests).body; err != nil || got != string(want) || !strings.Contains(got, `"is_resolved":true`) {
		t.Errorf("webhook: %s, %v", got, err)
	}
}

// Two notices of one alert, that it came in and that it was resolved, are two mails.
func TestEmail_NoticesHaveTheirOwnMessageID(t *testing.T) {
	e := NewEmail(MailSettings{Host: "mail.example.com", From: "a@example.com"}).(*email)
	ids := map[string]bool{}
	for _, n := range []Notification{{Key: "alert-1-delivery-2", Alert: testAlert()},
		{Key: "alert-1-delivery-3", Kind: models.TellResolved, Alert: resolvedAlert()}, {Key: "digest-1", Digest: testDigest()}} {
		ids[messageID(n, e.from)] = true
	}
	if len(ids) != 3 {
		t.Errorf("ids %v", reflect.ValueOf(ids).MapKeys())
	}
}
