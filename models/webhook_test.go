package models

import (
	"errors"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rustbucket/alerts/models/bodytemplate"
)

const (
	secretOne = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	secretTwo = "whsec_c2lnbmluZy1zZWNyZXQtb2YtdGhlLWtpdA=="
)

func text(s string) *string { return &s }

// invalid gives the field and the words of a refusal.
func invalid(t *testing.T, err error) (field, message string) {
	t.Helper()
	if err == nil {
		return "", ""
	}
	var e *Error
	if !errors.As(err, &e) || e.Code != BadUserInput {
		t.Fatalf("%v", err)
	}
	return e.Field, e.Message
}

func TestWebhookConfig_PreviousSecretStandsBesideAnother(t *testing.T) {
	for name, c := range map[string]struct {
		secret, previous *string
		field, says      string
	}{
		"none":             {nil, nil, "", ""},
		"one":              {text(secretOne), nil, "", ""},
		"both":             {text(secretOne), text(secretTwo), "", ""},
		"previous alone":   {nil, text(secretTwo), "previousSigningSecret", "stands alone"},
		"the same":         {text(secretOne), text(secretOne), "previousSigningSecret", "the same"},
		"bad form":         {text(secretOne), text("whsec_short"), "previousSigningSecret", "24 to 64 bytes"},
		"masked, for none": {text(secretOne), text(Mask), "previousSigningSecret", "is masked"},
		"new masked":       {text(Mask), text(secretOne), "signingSecret", "is masked"},
	} {
		config := &WebhookConfig{URL: "https://example.com", SigningSecret: c.secret, PreviousSigningSecret: c.previous}
		field, says := invalid(t, config.Valid("input.config"))
		if strings.TrimPrefix(field, "input.config.webhook.") != c.field || !strings.Contains(says, c.says) {
			t.Errorf("%s: %s %s", name, field, says)
		}
	}
}

func TestWebhookConfig_Rotated(t *testing.T) {
	c := &WebhookConfig{URL: "https://example.com", BodyTemplate: text("{}")}
	first, err := c.Rotated(NewSigningSecret())
	if err != nil || first.PreviousSigningSecret != nil || first.Valid("config") != nil || c.SigningSecret != nil {
		t.Fatalf("%+v, %v", first, err)
	}
	second, err := first.Rotated(NewSigningSecret())
	if err != nil || *second.PreviousSigningSecret != *first.SigningSecret || second.Valid("config") != nil || *second.BodyTemplate != "{}" {
		t.Fatalf("%+v, %v", second, err)
	}
	if _, err := second.Rotated(NewSigningSecret()); !HasCode(err, Conflict) {
		t.Errorf("a second rotation on top of the first: %v", err)
	}
}

func TestWebhookConfig_BodyTemplateIsTriedWhenSaved(t *testing.T) {
	const json, plain = "", "text/plain; charset=utf-8"
	for _, c := range []struct {
		template, contentType, says string
	}{
		{`{"text": {{json .Message}}}`, json, ""},
		{`{"text": {{json .Message}}}`, "application/vnd.example+json; charset=utf-8", ""},
		{"{{.Message}}", plain, ""},
		{`{"node": {{json .Rustbucket.Name}}, "load": {{json .Details.load}}, "more": {{json .Details.limits.load}}}`, json, ""},
		{`[{{range $i, $a := .Alerts}}{{if $i}}, {{end}}{"id": {{.ID}}, "link": {{json .Link}}, "at": {{json (date "unix" .CreatedAt)}}}{{end}}]`, json, ""},
		{"{\n\"text\": \"{{.Message}}\"}", json, "line 2, for an alert with quotes and line breaks: what {{.Message}} writes makes the body no JSON"},
		{"{\n\"text\": \"{{.Message}}\"}", "application/json", "write {{json .Message}}, without quotes around it"},
		{`{"text": {{json .Message}}, "load": {{.Details.load}}}`, json, "line 1, for an alert without rustbucket and details"},
		{"{{if .IsResolved}}\n{{.Nonsense}}{{end}}{}", json, "line 2, for an alert that was resolved: there is no .Nonsense here"},
		{"{{if eq .Event \"digest\"}}{{.Nonsense}}{{end}}{}", json, "line 1, for a digest: there is no .Nonsense"},
		{"{{if eq .Event \"test\"}}x{{end}}{}", json, "line 1, for a test: the body is no JSON"},
		{"{{if", json, "line 1: unclosed"},
		{"", json, "is empty"},
		{strings.Repeat("x", 64<<10+1), plain, "at most 65536"},
		{"{{range .Message}}{{end}}", plain, "line 1, for an ordinary alert: range over"},
		{"{{range .Alerts}}{{range $.Alerts}}{{.Message}}{{end}}{{end}}", plain, ""},
	} {
		config := &WebhookConfig{URL: "https://example.com", BodyTemplate: &c.template}
		if c.contentType != "" {
			config.Headers = map[string]string{"content-TYPE": c.contentType}
		}
		field, says := invalid(t, config.Valid("input.config"))
		if (says == "") != (c.says == "") || !strings.Contains(says, c.says) || says != "" && field != "input.config.webhook.bodyTemplate" {
			t.Errorf("%.80q as %q: %s %s\nwant %s", c.template, c.contentType, field, says, c.says)
		}
	}
}

// The templates on the webhook's page can be saved, and give what stands below them.
func TestWebhookPage_TemplatesGiveWhatItSays(t *testing.T) {
	page, err := os.ReadFile("../docs/channels/webhook.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := regexp.MustCompile("(?s)```gotemplate\n(.*?)\n```.*?```json\n(.*?)\n```").FindAllSubmatch(page, -1)
	if len(examples) < 2 {
		t.Fatalf("%d examples", len(examples))
	}
	for _, example := range examples {
		source, want := string(example[1]), string(example[2])
		if err := (&WebhookConfig{URL: "https://example.com", BodyTemplate: &source}).Valid("config"); err != nil {
			t.Errorf("%s\n%v", source, err)
			continue
		}
		compiled, err := bodytemplate.Compile(source)
		if err != nil {
			t.Fatal(err)
		}
		got, err := compiled.Execute(AlertView(Sample(TellAlert), BodyFacts{Link: sampleLink}))
		if err != nil || got != want {
			t.Errorf("%s\ngives %s, %v\nwant %s", source, got, err, want)
		}
	}
	view := AlertView(Sample(TellAlert), BodyFacts{})
	for name := range view {
		if !strings.Contains(string(page), "`."+name+"`") && name != "Rustbucket" {
			t.Errorf("the page does not tell of .%s", name)
		}
	}
	digest := DigestView(SampleDigest(), 3, BodyFacts{})
	if a, b := slices.Sorted(maps.Keys(view)), slices.Sorted(maps.Keys(digest)); !slices.Equal(a, b) {
		t.Errorf("an alert has %v, a digest %v", a, b)
	}
}

func TestChannel_Warnings(t *testing.T) {
	hook := func(url string) *WebhookConfig { return &WebhookConfig{URL: url} }
	for name, c := range map[string]struct {
		config ChannelConfig
		says   []string // part of each warning, in their order
	}{
		"all is well":           {hook("https://example.com/hook"), nil},
		"PagerDuty":             {&WebhookConfig{URL: "https://events.pagerduty.com/v2/enqueue", Headers: map[string]string{"X-Routing-Key": "hunter2"}}, []string{"no X-Routing-Key header; create a channel of type PAGERDUTY"}},
		"Opsgenie":              {hook("https://api.eu.opsgenie.com/v2/alerts/hunter2"), []string{"channel of type OPSGENIE"}},
		"Slack":                 {hook("https://hooks.slack.com/services/hunter2"), []string{"without text; create a channel of type SLACK"}},
		"Discord":               {hook("https://discord.com/api/webhooks/1/hunter2"), []string{"without content; create a channel of type DISCORD"}},
		"Teams":                 {hook("https://prod-1.westeurope.logic.azure.com/workflows/hunter2"), []string{"cards only: it would take the webhook's body and show nothing; create a channel of type TEAMS"}},
		"a template of its own": {&WebhookConfig{URL: "https://discord.com/api/webhooks/1/hunter2", BodyTemplate: text("{}")}, nil},
		"retired, from before":  {hook("https://example.webhook.office.com/webhookb2/hunter2"), []string{`Workflow "When a Teams webhook request is received"`}},
		"retired, of Teams":     {&TeamsConfig{"https://outlook.office.com/webhook/hunter2"}, []string{"switched those off"}},
		"Discord's for Slack":   {&SlackConfig{"https://discord.com/api/webhooks/1/hunter2"}, []string{"belongs to Discord, and a channel of type SLACK speaks to Slack only: create a channel of type DISCORD"}},
		"Slack's own":           {&SlackConfig{"https://hooks.slack.com/services/hunter2"}, nil},
		"unknown for Slack":     {&SlackConfig{"https://example.com/hunter2"}, nil},
		"PagerDuty's default":   {&PagerDutyConfig{RoutingKey: "hunter2"}, nil},
		"Opsgenie's for it":     {&PagerDutyConfig{RoutingKey: "hunter2", URL: text("https://api.opsgenie.com/v2/alerts")}, []string{"belongs to Opsgenie"}},
		"http, public":          {hook("http://example.com/hunter2"), []string{"begins with http://"}},
		"http, public, header":  {&WebhookConfig{URL: "http://203.0.113.7", Headers: map[string]string{"X-Key": "hunter2"}}, []string{"begins with http://"}},
		"http, nothing to hide": {hook("http://example.com/"), nil},
		"http, this machine":    {hook("http://127.0.0.1:9000/hunter2"), nil},
		"http, this machine v6": {hook("http://[::1]:9000/hunter2"), nil},
		"http, private":         {hook("http://10.1.2.3/hunter2"), nil},
		"http, own name":        {hook("http://receiver:9000/hunter2"), nil},
		"http, internal name":   {hook("http://hooks.corp.internal/hunter2"), nil},
		"http, key":             {&OpsgenieConfig{APIKey: "hunter2", URL: text("http://example.com")}, []string{"begins with http://"}},
		"headers without use":   {&WebhookConfig{URL: "https://example.com", Headers: map[string]string{"host": "hunter2", "Webhook-ID": "hunter2", "X-Key": "hunter2"}}, []string{"signature: Webhook-ID, host."}},
		"mail without a server": {&EmailConfig{Recipients: []string{"oncall@example.com"}}, []string{"set EMAIL_HOST"}},
		"two at once":           {hook("http://hooks.slack.com/services/hunter2"), []string{"type SLACK", "http://"}},
	} {
		got := (&Channel{Config: c.config}).Warnings(Surroundings{NoMail: true})
		if len(got) != len(c.says) {
			t.Errorf("%s: %q", name, got)
			continue
		}
		for i, says := range c.says {
			if !strings.Contains(got[i], says) {
				t.Errorf("%s: %q, want %q", name, got[i], says)
			}
			if strings.Contains(got[i], "hunter2") || !strings.HasSuffix(got[i], ".") {
				t.Errorf("%s: %q", name, got[i])
			}
		}
	}
	if got := (&Channel{Config: &EmailConfig{}}).Warnings(Surroundings{}); len(got) != 0 || got == nil {
		t.Errorf("with a mail server: %v", got)
	}
}

func TestConfig_RetiredConnectorIsRefusedWithTheWayOut(t *testing.T) {
	const url = "https://example.webhook.office.com/webhookb2/hunter2/IncomingWebhook/c/d"
	for _, c := range []struct {
		config ChannelConfig
		field  string
	}{
		{&TeamsConfig{url}, "config.teams.webhookUrl"}, {&WebhookConfig{URL: url}, "config.webhook.url"}, {&SlackConfig{url}, "config.slack.webhookUrl"},
	} {
		field, says := invalid(t, c.config.Valid("config"))
		if field != c.field || !strings.Contains(says, "channel of type TEAMS") || strings.Contains(says, "hunter2") {
			t.Errorf("%s: %s", field, says)
		}
		// One from before the rule may still be renamed and switched off.
		if err := (&Channel{Name: "x", Config: c.config}).ValidButConfig("input"); err != nil {
			t.Error(err)
		}
	}
}
