package djangodump

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/rustbucket/alerts/models"
)

func ptr(s string) *string { return &s }

func TestReadChannel_BecomesTheTypeOfItsService(t *testing.T) {
	for name, c := range map[string]struct {
		kind, config string
		want         models.ChannelConfig
		notes        string
	}{
		"email":                   {"email", `{"recipients": ["admin@example.com", " security@example.com "]}`, &models.EmailConfig{Recipients: []string{"admin@example.com", "security@example.com"}}, ""},
		"recipients as JSON text": {"email", `{"recipients": "[\"admin@example.com\"]"}`, &models.EmailConfig{Recipients: []string{"admin@example.com"}}, ""},
		"config as JSON text":     {"email", `"{\"recipients\": [\"admin@example.com\"]}"`, &models.EmailConfig{Recipients: []string{"admin@example.com"}}, ""},
		"slack":                   {"slack", `{"webhook_url": "https://hooks.slack.com/services/YOUR/WEBHOOK/URL"}`, &models.SlackConfig{WebhookURL: "https://hooks.slack.com/services/YOUR/WEBHOOK/URL"}, ""},
		"what takes Slack's JSON": {"slack", `{"webhook_url": " https://chat.example.com/hooks/abc "}`, &models.SlackConfig{WebhookURL: "https://chat.example.com/hooks/abc"}, ""},
		"slack in a webhook":      {"webhook", `{"url": "https://hooks.slack.com/services/T/B/X", "headers": {"X-Custom": "v"}}`, &models.SlackConfig{WebhookURL: "https://hooks.slack.com/services/T/B/X"}, "X-Custom"},
		"webhook": {"webhook", `{"url": "https://your-webhook.example.com/endpoint", "headers": {"X-API-Key": "your-api-key", "Authorization": "Bearer your-token"}}`,
			&models.WebhookConfig{URL: "https://your-webhook.example.com/endpoint", Headers: map[string]string{"X-API-Key": "your-api-key", "Authorization": "Bearer your-token"}}, ""},
		"webhook without headers":   {"webhook", `{"url": "https://example.com/hook"}`, &models.WebhookConfig{URL: "https://example.com/hook"}, ""},
		"webhook with null headers": {"webhook", `{"url": "https://example.com/hook", "headers": null}`, &models.WebhookConfig{URL: "https://example.com/hook"}, ""},
		"pagerduty": {"webhook", `{"url": "https://events.pagerduty.com/v2/enqueue", "headers": {"Content-Type": "application/json", "X-Routing-Key": "your-pagerduty-routing-key"}}`,
			&models.PagerDutyConfig{RoutingKey: "your-pagerduty-routing-key"}, ""},
		"pagerduty, EU, other case": {"Webhook", `{"url": "https://Events.EU.PagerDuty.com/v2/enqueue/", "headers": {"x-routing-key": " key ", "X-More": "x"}}`,
			&models.PagerDutyConfig{RoutingKey: "key", URL: ptr("https://events.eu.pagerduty.com/v2/enqueue")}, "X-More"},
		"pagerduty's transformer": {"webhook", `{"url": "https://events.pagerduty.com/integration/abc/enqueue"}`, &models.WebhookConfig{URL: "https://events.pagerduty.com/integration/abc/enqueue"}, ""},
		"opsgenie":                {"webhook", `{"url": "https://api.opsgenie.com/v2/alerts", "headers": {"Authorization": "GenieKey your-api-key"}}`, &models.OpsgenieConfig{APIKey: "your-api-key"}, ""},
		"opsgenie, EU":            {"webhook", `{"url": "https://api.eu.opsgenie.com/v2/alerts", "headers": {"authorization": "geniekey your-api-key"}}`, &models.OpsgenieConfig{APIKey: "your-api-key", URL: ptr("https://api.eu.opsgenie.com/v2/alerts")}, ""},
		"opsgenie's successor": {"webhook", `{"url": "https://api.atlassian.com/jsm/ops/integration/v2/alerts", "headers": {"Authorization": "GenieKey k"}}`,
			&models.OpsgenieConfig{APIKey: "k", URL: ptr("https://api.atlassian.com/jsm/ops/integration/v2/alerts")}, ""},
		"opsgenie's webhook integration": {"webhook", `{"url": "https://api.opsgenie.com/v1/json/webhook?apiKey=k"}`, &models.WebhookConfig{URL: "https://api.opsgenie.com/v1/json/webhook?apiKey=k"}, ""},
		"teams workflow": {"webhook", `{"url": "https://prod-00.westeurope.logic.azure.com/workflows/abc/triggers/manual/paths/invoke?sig=secret"}`,
			&models.TeamsConfig{WebhookURL: "https://prod-00.westeurope.logic.azure.com/workflows/abc/triggers/manual/paths/invoke?sig=secret"}, ""},
		"discord":                     {"webhook", `{"url": "https://discord.com/api/webhooks/YOUR/WEBHOOK/URL"}`, &models.DiscordConfig{WebhookURL: "https://discord.com/api/webhooks/YOUR/WEBHOOK/URL"}, ""},
		"discord as Slack, thread_id": {"slack", `{"webhook_url": "https://discord.com/api/webhooks/1/x/slack?thread_id=7"}`, &models.DiscordConfig{WebhookURL: "https://discord.com/api/webhooks/1/x?thread_id=7"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := channelOf(`"channel_type": "` + c.kind + `", "config": ` + c.config)
			if got.Problem != nil {
				t.Fatal(got.Problem)
			}
			if !reflect.DeepEqual(got.Here.Config, c.want) {
				t.Errorf("config %#v, want %#v", got.Here.Config, c.want)
			}
			info := c.want.Type().Info()
			if got.Here.NotifyOnResolve != info.NotifyOnResolve || got.Here.RateLimit != info.RateLimit {
				t.Errorf("not the type's own: %+v", got.Here)
			}
			if notes := strings.Join(got.Notes, " "); (c.notes == "") != (notes == "") || !strings.Contains(notes, c.notes) {
				t.Errorf("notes %q, want %q", notes, c.notes)
			}
		})
	}
}

// channelOf reads a channel with these columns beside its name.
func channelOf(columns string) Channel {
	return readChannel(object{PK: "7", Fields: json.RawMessage(`{"name": "Channel", ` + columns + `}`)})
}

const mail = `"channel_type": "email", "config": {"recipients": ["admin@example.com"]}`

func TestReadChannel_KeepsItsSettings(t *testing.T) {
	got := channelOf(mail + `, "min_severity": "High", "is_active": false, "alert_types": ["error", "warning", "error"], "created_at": "2025-12-12T23:15:00.123+01:00"`)
	want := models.Channel{
		Name: "Channel", MinSeverity: models.SeverityHigh, AlertTypes: []string{"error", "warning"}, Config: &models.EmailConfig{Recipients: []string{"admin@example.com"}},
		CreatedAt: time.Date(2025, 12, 12, 22, 15, 0, 123e6, time.UTC),
	}
	if got.Problem != nil || !reflect.DeepEqual(*got.Here, want) || !got.CreatedAt.Equal(want.CreatedAt) || got.PK != "7" {
		t.Errorf("%+v, want %+v (%v)", got.Here, want, got.Problem)
	}
	for columns, types := range map[string][]string{`null`: nil, `[]`: nil, `""`: nil, `"[\"error\"]"`: {"error"}} {
		got := channelOf(mail + `, "alert_types": ` + columns)
		if got.Problem != nil || !reflect.DeepEqual(got.Here.AlertTypes, types) || !got.Here.IsActive || got.Here.MinSeverity != models.SeverityLow {
			t.Errorf("alert_types %s: %+v, %v", columns, got.Here, got.Problem)
		}
	}
}

func TestReadChannel_SaysWhatIsWrongAndNoSecret(t *testing.T) {
	for columns, says := range map[string]string{
		`"channel_type": "sms", "config": {}`:                                                                                                "channel_type",
		`"channel_type": "email", "config": {"recipients": []}`:                                                                              "recipients",
		`"channel_type": "email", "config": {"recipients": "hunter2"}`:                                                                       "config.recipients",
		`"channel_type": "email", "config": ["hunter2"]`:                                                                                     "config",
		`"channel_type": "email"`:                                                                                                            "recipients",
		`"channel_type": "slack", "config": {"url": "https://hooks.slack.com/hunter2"}`:                                                      "webhookUrl",
		`"channel_type": "slack", "config": {"webhook_url": 5}`:                                                                              "config.webhook_url",
		`"channel_type": "webhook", "config": {"url": "ftp://example.com/hunter2"}`:                                                          "url",
		`"channel_type": "webhook", "config": {"url": "https://example.com/hunter2 x"}`:                                                      "url",
		`"channel_type": "webhook", "config": {"url": "https://example.com/", "headers": {"X-Key": {"hunter2": 1}}}`:                         "config.headers.X-Key",
		`"channel_type": "webhook", "config": {"url": "https://example.com/", "headers": {"X-Key": "hunter2\nX: y"}}`:                        "X-Key",
		`"channel_type": "webhook", "config": {"url": "https://events.pagerduty.com/v2/enqueue", "headers": {"X-API-Key": "hunter2"}}`:       "X-Routing-Key",
		`"channel_type": "webhook", "config": {"url": "https://api.opsgenie.com/v2/alerts", "headers": {"Authorization": "Bearer hunter2"}}`: "GenieKey",
		`"channel_type": "webhook", "config": {"url": "https://x.webhook.office.com/webhookb2/hunter2"}`:                                     "Workflows",
		`"channel_type": "slack", "config": {"webhook_url": "https://outlook.office.com/webhook/hunter2"}`:                                   "Workflows",
		mail + `, "min_severity": "critical"`:                                                                                                "min_severity",
		mail + `, "is_active": "yes"`:                                                                                                        "is_active",
		mail + `, "alert_types": {"error": true}`:                                                                                            "alert_types",
		mail + `, "alert_types": "error"`:                                                                                                    "alert_types",
		mail + `, "alert_types": [""]`:                                                                                                       "alertTypes",
		mail + `, "created_at": "9999-12-31T23:59:59-05:00"`:                                                                                 "created_at",
		mail + `, "created_at": "0001-01-01T00:00:00+14:00"`:                                                                                 "created_at",
		`"channel_type": "webhook", "config": {"url": "https://example.com", "headers": {"Authorization: Bearer hunter2": ""}}`:              "config.headers",
		mail + `, "created_at": "yesterday"`:                                                                                                 "created_at",
		mail + `, "name": "` + strings.Repeat("x", 256) + `"`:                                                                                "name",
		mail + `, "name": " "`: "name",
		mail + `, "name": 5`:   "name",
	} {
		got := channelOf(columns)
		if got.Here != nil || got.Problem == nil || !strings.Contains(got.Problem.Error(), says) || strings.Contains(got.Problem.Error(), "hunter2") {
			t.Errorf("%s: %v", columns, got.Problem)
		}
	}
	if got := readChannel(object{Fields: json.RawMessage(`{"name": "Channel", ` + mail + `}`)}); got.Problem == nil || !strings.Contains(got.Problem.Error(), "--natural-primary") {
		t.Errorf("without a pk: %v", got.Problem)
	}
}

func TestRead_TakesTheWholeGuide(t *testing.T) {
	d := readFile(t, filepath.Join("testdata", "guide.json"))
	if len(d.Channels) != 8 || d.Alerts != 5 || d.Others["auth.user"] != 1 || d.Others["rustbucketregistry.logentry"] != 1 {
		t.Errorf("%d channels, %d alerts, others %v", len(d.Channels), d.Alerts, d.Others)
	}
	var alerts []Alert
	if err := d.EachAlert(func(a Alert) error { alerts = append(alerts, a); return nil }); err != nil {
		t.Fatal(err)
	}
	node, pot := &models.Rustbucket{ID: "BKT123456", Name: "Production Node 1"}, &models.Rustbucket{ID: "BKT654321", Name: "Honeypot 2"}
	for i, want := range []struct {
		kind     string
		severity models.Severity
		machine  *models.Rustbucket
		resolved string
	}{
		{"info", models.SeverityLow, node, "2025-11-02T07:30:00.25Z"},
		{"warning", models.SeverityMedium, pot, ""},
		{"warning", models.SeverityHigh, pot, "2025-12-01T04:00:00Z"},
		{"error", models.SeverityHigh, node, ""},
		{"info", models.SeverityLow, node, "2025-12-12T11:00:00.001Z"},
	} {
		a, resolved := alerts[i], ""
		if a.ResolvedAt != nil {
			resolved = a.ResolvedAt.Format(time.RFC3339Nano)
		}
		if a.Problem != nil || a.New.Type != want.kind || a.New.Severity != want.severity || !reflect.DeepEqual(a.New.Rustbucket, want.machine) || resolved != want.resolved ||
			a.New.Notify || a.New.CreatedBy != models.Imported || a.EndUnknown != (i == 4) {
			t.Errorf("alert %d: %+v %+v, want %+v", i, a, a.New, want)
		}
	}
}

func TestEachAlert_SaysWhatIsWrong(t *testing.T) {
	for columns, says := range map[string]string{
		`"type": "error", "message": "m"`:                                                                                       "created_at",
		`"type": "error", "message": "m", "created_at": "12.12.2025"`:                                                           "created_at",
		`"type": "error", "message": "", "created_at": "2025-12-12T10:30:00Z"`:                                                  "message",
		`"type": "error", "message": ["m"], "created_at": "2025-12-12T10:30:00Z"`:                                               "message",
		`"message": "m", "created_at": "2025-12-12T10:30:00Z"`:                                                                  "type",
		`"type": "error", "message": "m", "severity": "fatal", "created_at": "2025-12-12T10:30:00Z"`:                            "severity",
		`"type": "error", "message": "m", "is_resolved": 2, "created_at": "2025-12-12T10:30:00Z"`:                               "is_resolved",
		`"type": "error", "message": "m", "is_resolved": true, "resolved_at": "?", "created_at": "2025-12-12T10:30:00Z"`:        "resolved_at",
		`"type": "error", "message": "m", "logsink": 99, "created_at": "2025-12-12T10:30:00Z"`:                                  "logsink",
		`"type": "error", "message": "m", "rustbucket": "BKT9", "created_at": "2025-12-12T10:30:00Z"`:                           "rustbucket",
		`"type": "error", "message": "m", "rustbucket": {"id": "BKT1"}, "created_at": "2025-12-12T10:30:00Z"`:                   "rustbucket",
		`"alert_type": "", "message": "m", "rustbucket": ["BKT1"], "created_at": "2025-12-12 10:30:00", "resolved_at": "later"`: "type",
	} {
		a := (&Dump{rustbuckets: map[string]string{"BKT1": "One"}}).readAlert(object{PK: "1", Fields: json.RawMessage("{" + columns + "}")})
		if a.New != nil || a.Problem == nil || !strings.Contains(a.Problem.Error(), says) {
			t.Errorf("%s: %v", columns, a.Problem)
		}
	}
	a := (&Dump{rustbuckets: map[string]string{"BKT1": ""}}).readAlert(object{PK: "1", Fields: json.RawMessage(
		`{"alert_type": "high_cpu", "message": "m", "rustbucket": ["BKT1"], "created_at": "2025-12-12 10:30:00.5", "is_resolved": false, "resolved_at": "2025-12-13T00:00:00Z"}`)})
	if a.Problem != nil || !a.NoZone || a.ResolvedAt != nil || a.New.Type != "high_cpu" || *a.New.Rustbucket != (models.Rustbucket{ID: "BKT1", Name: "BKT1"}) ||
		!a.CreatedAt.Equal(time.Date(2025, 12, 12, 10, 30, 0, 5e8, time.UTC)) {
		t.Errorf("the variants: %+v %v", a, a.Problem)
	}
}

func readFile(t *testing.T, path string) *Dump {
	t.Helper()
	f, err := Open(path, os.Stdin, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	d, err := Read(f)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
