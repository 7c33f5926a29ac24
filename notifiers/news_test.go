package notifiers

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	opsgeniesdk "github.com/opsgenie/opsgenie-go-sdk-v2/alert"

	"github.com/rustbucket/alerts/models"
)

// What became of an alert, told by every type of channel.

// newsNote has what services take for markup, and a line break.
const newsNote = "looking at <b>disk</b> & *co*\nsince noon"

// newsOfAlert tells that somebody did something with an alert.
func newsOfAlert(kind models.DeliveryKind) Notification {
	a, note := testAlert(), newsNote
	change := &models.AlertEvent{At: a.CreatedAt.Add(10 * time.Minute), By: "on call", Kind: models.AlertEventKind(kind), Text: &note}
	switch kind {
	case models.TellAcknowledged:
		a.AcknowledgedAt, a.AcknowledgedBy = &change.At, &change.By
	case models.TellResolved:
		a.ResolvedAt, a.ResolvedBy = &change.At, &change.By
	}
	return Notification{Key: "k", AlertKey: "alert-123-abc", Kind: kind, Alert: a, Change: change}
}

func TestNews_InWords(t *testing.T) {
	for kind, word := range map[models.DeliveryKind]string{
		models.TellAcknowledged: "ACKNOWLEDGED", models.TellResolved: "RESOLVED", models.TellReopened: "REOPENED",
	} {
		n := newsOfAlert(kind)
		_, slack := sendSlack(t, n)
		teams, teamsBody := sendTeams(t, n)
		discord, discordBody := sendDiscord(t, n)
		mail := takenMail(t, n)
		title, status := "Rustbucket Alert: "+word+": ERROR", strings.ToLower(word)+" by on call at 2025-12-12 10:40:00 UTC"
		for name, text := range map[string]string{
			"Slack": slack.body, "Teams": teamsBody, "Discord": strings.ReplaceAll(discordBody, `\\`, ""), "mail": mail.parts["text/plain"], "mail in HTML": mail.parts["text/html"],
		} {
			if !strings.Contains(text, title) || !strings.Contains(text, status) || !strings.Contains(text, "since noon") {
				t.Errorf("%s in %s:\n%s", word, name, text)
			}
			if name != "mail" && name != "Discord" && strings.Contains(text, "<b>") {
				t.Errorf("%s in %s with markup:\n%s", word, name, text)
			}
		}
		if subject := mail.subject(t); !strings.HasPrefix(subject, title+": Rustbucket node1") {
			t.Errorf("subject %q", subject)
		}
		if good := kind != models.TellReopened; good != (discord.Color == discordColor(models.SeverityLow)) || good != (teams.Body[0].Style == "good") {
			t.Errorf("%s in the colours %x and %s", word, discord.Color, teams.Body[0].Style)
		}
		bare := n
		bare.Change = nil // of before it was noted who did it
		if got := statusText(bare); !strings.HasPrefix(got, strings.ToLower(word)) || strings.Contains(got, " by ") {
			t.Errorf("%s, nobody knows by whom: %q", word, got)
		}
	}
}

func TestNews_PagerDuty(t *testing.T) {
	for kind, want := range map[models.DeliveryKind]string{
		models.TellAcknowledged: `{"routing_key":"` + pagerdutyTestKey + `","event_action":"acknowledge","dedup_key":"alert-123-abc"}`,
		models.TellReopened:     `{"routing_key":"` + pagerdutyTestKey + `","event_action":"trigger","dedup_key":"alert-123-abc","payload":{"summary":"ERROR: Rustbucket node1`,
	} {
		if _, body := sendPagerDuty(t, newsOfAlert(kind), ""); !strings.HasPrefix(body, want) {
			t.Errorf("%s: %s\nwant %s", kind, body, want)
		}
	}
}

func TestNews_Opsgenie(t *testing.T) {
	calls := sendOpsgenie(t, newsOfAlert(models.TellAcknowledged), "", "?tenant=a")
	var body opsgeniesdk.AcknowledgeAlertRequest
	strictly(t, calls[0].body, &body)
	own := &opsgeniesdk.AcknowledgeAlertRequest{IdentifierType: opsgeniesdk.ALIAS, IdentifierValue: "alert-123-abc"}
	if want := own.ResourcePath() + "?tenant=a&identifierType=alias"; calls[0].uri != want || calls[0].method != own.Method() {
		t.Errorf("acknowledged by %+v, want %s", calls[0], want)
	}
	if body.Source != "Rustbucket Alerts" || body.Note != "The alert was acknowledged by on call.\n\n"+newsNote || len(calls) != 2 {
		t.Errorf("acknowledged by %+v", calls)
	}
	long := newsOfAlert(models.TellResolved)
	*long.Change.Text = strings.Repeat("😀", models.MaxNote)
	strictly(t, sendOpsgenie(t, long, "", "")[0].body, &body)
	if utf16Units(body.Note) > opsgenieNoteMax || !strings.HasPrefix(body.Note, "The alert was resolved by on call.") {
		t.Errorf("a long note has %d units", utf16Units(body.Note))
	}
	again := sendOpsgenie(t, newsOfAlert(models.TellReopened), "", "")
	var created opsgeniesdk.CreateAlertRequest
	strictly(t, again[0].body, &created)
	if again[0].uri != "/v2/alerts" || created.Alias != "alert-123-abc" {
		t.Errorf("reopened by %+v", again[0])
	}
	for _, words := range []string{"Alert does not exist", "Alert is already acknowledged"} {
		d := newOpsgenieDouble(t, opsgenieTaken, says(200, opsgenieResultText(false, words)))
		url := d.base + "/v2/alerts"
		n := newsOfAlert(models.TellAcknowledged)
		n.Config = &models.OpsgenieConfig{APIKey: opsgenieTestKey, URL: &url}
		if o := testSet(t)[models.Opsgenie].Send(t.Context(), n); o.Result != Delivered {
			t.Errorf("%s: %+v", words, o)
		}
	}
}

// The body is that of an alert that is open; only the header and a template tell it from the alert itself.
func TestNews_Webhook(t *testing.T) {
	template := `{"event": {{json .Event}}, "by": {{json .By}}, "note": {{json .Note}}, "first": {{json (index .Alerts 0).By}}}`
	for event, n := range map[string]Notification{
		"alert": {Key: "k", Kind: models.TellAlert, Alert: testAlert()}, "acknowledged": newsOfAlert(models.TellAcknowledged),
		"resolved": newsOfAlert(models.TellResolved), "reopened": newsOfAlert(models.TellReopened), "test": TestNotification(nil), "digest": {Key: "k", Digest: testDigest()},
	} {
		base, requests := receiver(t, "")
		n.Config = &models.WebhookConfig{URL: base, Headers: map[string]string{"Webhook-Event": "mine"}}
		testSet(t)[models.Webhook].Send(t.Context(), n)
		got := <-requests
		if values := got.header.Values("webhook-event"); len(values) != 1 || values[0] != event {
			t.Errorf("%s: header %q", event, values)
		}
		var keys map[string]any
		if err := json.Unmarshal([]byte(got.body), &keys); err != nil || event != "digest" && (len(keys) != 7 || keys["is_resolved"] != (event == "resolved")) {
			t.Errorf("%s: body %s, %v", event, got.body, err)
		}
		if event == "digest" || event == "test" || event == "alert" {
			continue
		}
		n.Config = &models.WebhookConfig{URL: base, BodyTemplate: &template}
		testSet(t)[models.Webhook].Send(t.Context(), n)
		note, _ := json.Marshal(newsNote)
		plain := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace
		if got, want := plain((<-requests).body), plain(`{"event": "`+event+`", "by": "on call", "note": `+string(note)+`, "first": "on call"}`); got != want {
			t.Errorf("%s: %s\nwant %s", event, got, want)
		}
	}
}

func TestNews_InADigest(t *testing.T) {
	var items []models.DigestItem
	for _, kind := range []models.DeliveryKind{models.TellAlert, models.TellAcknowledged, models.TellResolved, models.TellReopened} {
		n := newsOfAlert(kind)
		if kind == models.TellAlert {
			n.Change = nil
		}
		items = append(items, models.DigestItem{Kind: kind, Alert: n.Alert, Change: n.Change})
	}
	d := models.NewDigest(3, items)
	if got, want := describeDigest(d).title, "Rustbucket Alert: 1 alert, 1 reopened, 1 acknowledged, 1 resolved"; got != want {
		t.Errorf("title %q, want %q", got, want)
	}
	mail := takenMail(t, Notification{Key: "digest-1", Digest: d})
	for _, want := range []string{"* ACKNOWLEDGED HIGH error: Rustbucket node1", ", by on call: looking at", "* REOPENED HIGH error", "* RESOLVED HIGH error", "* HIGH error"} {
		if !strings.Contains(mail.parts["text/plain"], want) {
			t.Errorf("no %q in %s", want, mail.parts["text/plain"])
		}
	}
	onlyGood := models.NewDigest(3, items[1:2])
	onlyGood.Items[0].Kind = models.TellAcknowledged
	if _, trouble := digestWorst(onlyGood); trouble {
		t.Error("an acknowledge is trouble")
	}
}
