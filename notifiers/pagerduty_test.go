package notifiers

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	pagerdutysdk "github.com/PagerDuty/go-pagerduty"

	"github.com/rustbucket/alerts/models"
)

const pagerdutyTestKey = "r0ut1ngs3cret0123456789abcdef012"

var pagerdutyKit = kit{
	name: "pagerduty", channel: models.PagerDuty,
	config: func(base string) models.ChannelConfig {
		url := base + "/path-s3cret/v2/enqueue"
		return &models.PagerDutyConfig{RoutingKey: pagerdutyTestKey, URL: &url}
	},
	ok:      `{"status":"success","message":"Event processed","dedup_key":"alert-123"}`,
	secrets: []string{pagerdutyTestKey, "path-s3cret"},
}

// sendPagerDuty gives the event that arrives, read by PagerDuty's own types: a name that they do not know fails the test.
func sendPagerDuty(t *testing.T, n Notification, publicURL string) (pagerdutysdk.V2Event, string) {
	t.Helper()
	base, requests := receiver(t, pagerdutyKit.ok)
	n.Key, n.Config = "k", pagerdutyKit.config(base)
	o := NewSet(Settings{Version: "1.2.3", Egress: loopbackOnly(), PublicURL: publicURL})[models.PagerDuty].Send(t.Context(), n)
	if o.Result != Delivered || o.Error != "" {
		t.Fatalf("outcome %+v", o)
	}
	r := <-requests
	if r.header.Get("Content-Type") != "application/json" || r.header.Get("User-Agent") != "Rustbucket-Alerts/1.2.3" {
		t.Errorf("headers %v", r.header)
	}
	var event pagerdutysdk.V2Event
	strictly(t, r.body, &event)
	return event, r.body
}

// strictly reads JSON into a vendor's own type, and fails where that lacks a name.
func strictly(t *testing.T, body string, v any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
}

func TestPagerDuty_Trigger(t *testing.T) {
	alert := testAlert()
	alert.Occurrences, alert.Details = 3, []byte(`{"load": 0.7, "<b>": "a & b"}`)
	e, body := sendPagerDuty(t, Notification{AlertKey: "alert-123-abc", Alert: alert}, "https://alerts.example.com")
	p := e.Payload
	if e.RoutingKey != pagerdutyTestKey || e.Action != "trigger" || e.DedupKey != "alert-123-abc" || e.Client != "Rustbucket Alerts" ||
		e.ClientURL != "https://alerts.example.com/alerts/123" || len(e.Links) != 1 {
		t.Errorf("event %+v", e)
	}
	if p.Summary != "ERROR: Rustbucket node1 is not responding" || p.Source != "Production Node 1 (BKT123456)" || p.Severity != "critical" ||
		p.Timestamp != "2025-12-12T10:30:00Z" || p.Component != "BKT123456" || p.Group != "rustbuckets" || p.Class != "error" {
		t.Errorf("payload %+v", *p)
	}
	if _, err := time.Parse(time.RFC3339, p.Timestamp); err != nil {
		t.Error(err)
	}
	for _, want := range []string{
		`"links":[{"href":"https://alerts.example.com/alerts/123","text":"Alert 123"}]`,
		`"custom_details":{"message":"Rustbucket node1 is not responding","alert_id":123,"alert_type":"error",` +
			`"rustbucket":{"id":"BKT123456","name":"Production Node 1"},"occurrences":3,"details":{"load":0.7,"<b>":"a & b"}}`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s\nin %s", want, body)
		}
	}
}

func TestPagerDuty_TriggerWithoutTheRest(t *testing.T) {
	for severity, want := range map[models.Severity]string{
		models.SeverityHigh: "critical", models.SeverityMedium: "warning", models.SeverityLow: "info"} {
		alert := testAlert()
		alert.Rustbucket, alert.Severity = nil, severity
		e, body := sendPagerDuty(t, Notification{AlertKey: "k", Alert: alert}, "")
		if e.Payload.Severity != want || e.Payload.Source != "rustbucket-alerts" || e.ClientURL != "" || e.Links != nil {
			t.Errorf("%v: %s", severity, body)
		}
		for _, absent := range []string{"component", "group", `"rustbucket"`, "details\":null", "note"} {
			if strings.Contains(body, absent) {
				t.Errorf("%s in %s", absent, body)
			}
		}
	}
}

// Three names and no more: PagerDuty needs nothing else to close, and would take it for news.
func TestPagerDuty_Resolve(t *testing.T) {
	_, body := sendPagerDuty(t, Notification{AlertKey: "alert-123-abc", Kind: models.TellResolved, Alert: resolvedAlert()}, "https://alerts.example.com")
	if want := `{"routing_key":"` + pagerdutyTestKey + `","event_action":"resolve","dedup_key":"alert-123-abc"}`; body != want {
		t.Errorf("body %s\nwant %s", body, want)
	}
}

// An alert that was resolved before it could be told is told first, and closed by what is told behind it.
func TestPagerDuty_ResolvedAlertIsTriggeredFirst(t *testing.T) {
	if e, body := sendPagerDuty(t, Notification{AlertKey: "k", Alert: resolvedAlert()}, ""); e.Action != "trigger" {
		t.Errorf("body %s", body)
	}
}

func TestPagerDuty_SummaryKeepsTheLimit(t *testing.T) {
	for _, c := range titleCases(pagerdutySummaryMax) {
		alert := testAlert()
		alert.Message = c.message
		e, body := sendPagerDuty(t, Notification{AlertKey: "k", Alert: alert}, "")
		c.check(t, e.Payload.Summary)
		if details := e.Payload.Details.(map[string]any); details["message"] != c.message {
			t.Errorf("%s: the whole message is not in %.200s", c.name, body)
		}
	}
}

// titleCase is a message behind "ERROR: ", and whether that is cut in a title.
type titleCase struct {
	name, message string
	limit         int
	whole         bool
}

// titleCases are messages at the border of a title's limit, one below and one above, in UTF-16 units.
func titleCases(limit int) (cases []titleCase) {
	room := limit - len("ERROR: ")
	for name, unit := range map[string]string{"letters": "x", "emoji": family, "flags": flag, "accents": accents, "right to left": hebrew} {
		fill := strings.Repeat(unit, room/utf16Units(unit))
		fill = strings.Repeat("x", room-utf16Units(fill)) + fill // the border is behind a whole character
		cases = append(cases,
			titleCase{name + ", one below", fill[1:], limit, utf16Units(fill[1:]) <= room},
			titleCase{name + ", at the border", fill, limit, true},
			titleCase{name + ", one above", fill + "x", limit, false},
			titleCase{name + ", a character above", fill + unit, limit, false},
		)
	}
	return cases
}

func (c titleCase) check(t *testing.T, title string) {
	t.Helper()
	whole := "ERROR: " + strings.ToValidUTF8(c.message, "\uFFFD")
	if n := utf16Units(title); n > c.limit || !c.whole && n < c.limit-utf16Units(family) {
		t.Errorf("%s: %d units, limit %d", c.name, n, c.limit)
	}
	if c.whole != (title == whole) {
		t.Errorf("%s: %q, cut is %v", c.name, title, !c.whole)
	}
	if begin, cut := strings.CutSuffix(title, "…"); cut == c.whole || cut && !strings.HasPrefix(whole, begin) {
		t.Errorf("%s: %q", c.name, title)
	}
}

// The alert's details go first; what is left always fits.
func TestPagerDuty_BodyKeepsTheLimit(t *testing.T) {
	size := func(details string) (int, string) {
		alert := testAlert()
		alert.Details = json.RawMessage(details)
		e, body := sendPagerDuty(t, Notification{AlertKey: "k", Alert: alert}, "")
		note, _ := e.Payload.Details.(map[string]any)["note"].(string)
		return len(body), note
	}
	details := func(n int) string { return `{"x":"` + strings.Repeat("x", n) + `"}` }
	empty, _ := size(details(0))
	for _, c := range []struct {
		name string
		n    int
		fits bool
	}{{"one below", pagerdutyBodyMax - empty - 1, true}, {"at the border", pagerdutyBodyMax - empty, true}, {"one above", pagerdutyBodyMax - empty + 1, false}} {
		n, note := size(details(c.n))
		if n > pagerdutyBodyMax || c.fits != (note == "") || c.fits != (n > 1000) {
			t.Errorf("%s: %d bytes, note %q", c.name, n, note)
		}
		if !c.fits && !strings.Contains(note, "left out") {
			t.Errorf("%s: note %q", c.name, note)
		}
	}
}

// The longest texts that there may be, and some that there may not be, fit without their details.
func TestPagerDuty_LongestAlertFits(t *testing.T) {
	for _, unit := range []string{"\x01", "😀", hebrew, "\xff", "<"} {
		name := strings.Repeat(unit, models.MaxName)
		alert := testAlert()
		alert.Type, alert.Message, alert.Rustbucket = name, strings.Repeat(unit, 10*models.MaxMessage), &models.Rustbucket{ID: name, Name: name}
		alert.Details = json.RawMessage(`{"x":"` + strings.Repeat("\xff", pagerdutyBodyMax) + `"}`)
		body, err := encodeJSON((&pagerduty{newPoster(Settings{PublicURL: "https://" + strings.Repeat("x", 4096)})}).event("k", Notification{AlertKey: "k", Alert: alert}))
		if err != nil || len(body) > pagerdutyBodyMax || bytes.ContainsRune(body, 0) || !json.Valid(body) || string(body) != strings.ToValidUTF8(string(body), "") {
			t.Errorf("%q: %d bytes, %v", unit, len(body), err)
		}
	}
}

func TestPagerDuty_Answers(t *testing.T) {
	invalid := func(errors string) string {
		return `{"status":"invalid event","message":"Event object is invalid","errors":[` + errors + `]}`
	}
	for _, c := range []struct {
		name   string
		status int
		body   string
		want   Result
		says   string
	}{
		{"taken", 202, pagerdutyKit.ok, Delivered, ""},
		{"unknown key", 400, "Invalid routing key", ChannelBroken, "Events API v2"},
		{"unknown key, in JSON", 400, invalid(`"Invalid routing key"`), ChannelBroken, "integration key"},
		{"a key of another kind", 400, invalid(`"Length of 'routing_key' is incorrect (should be 32 characters)"`), ChannelBroken, "should be 32 characters"},
		{"a key that is none", 400, invalid(`"'routing_key' cannot contain non-alphanumeric characters."`), ChannelBroken, "non-alphanumeric"},
		{"no key", 400, invalid(`"'routing_key' is missing or blank"`), ChannelBroken, "missing"},
		{"another fault", 400, invalid(`"'payload.severity' is invalid"`), Permanent, "400 Bad Request: Event object is invalid; 'payload.severity' is invalid"},
		{"words of ours", 400, invalid(`"unexpected token at 'routing_key'"`), Permanent, "unexpected token"},
		{"not even an answer of theirs", 400, "<html>nginx</html>", Permanent, "answered 400 Bad Request"},
		{"refused by something in between", 403, "Forbidden by policy", Permanent, "403 Forbidden: Forbidden by policy"},
		{"the key echoed", 400, invalid(`"no such key: ` + pagerdutyTestKey + `"`), Permanent, "no such key: ****"},
		{"too many", 429, "", Retry, "429"},
		{"theirs", 503, "", Retry, "503"},
	} {
		t.Run(c.name, func(t *testing.T) {
			base := serve(t, func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			})
			o := pagerdutyKit.send(t, base)
			if o.Result != c.want || o.StatusCode != c.status || !strings.Contains(o.Error, c.says) || o.RetryAfter != 0 || strings.Contains(o.Error, "<") {
				t.Errorf("outcome %+v; want result %d, %q", o, c.want, c.says)
			}
		})
	}
}

func TestPagerDuty_TestAlert(t *testing.T) {
	n := TestNotification(&models.PagerDutyConfig{RoutingKey: pagerdutyTestKey})
	e := (&pagerduty{newPoster(Settings{PublicURL: "https://alerts.example.com"})}).event(pagerdutyTestKey, n)
	if e.DedupKey == "" || len(e.DedupKey) > 255 || e.ClientURL != "" || e.Payload.Component != "TEST-000" || e.Payload.Severity != "warning" {
		t.Errorf("event %+v %+v", *e, *e.Payload)
	}
}
