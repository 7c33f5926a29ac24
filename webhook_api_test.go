package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/rustbucket/alerts/models"
)

const hookConfigQuery = `query($id: ID!) { channel(id: $id) { warnings config { ... on WebhookConfig { url headers signingSecret previousSigningSecret bodyTemplate } } } }`

func TestAPI_RotatesASigningSecret(t *testing.T) {
	s := startServer(t, "")
	r := newReceiver(t)
	old := models.NewSigningSecret()
	id := s.createChannel("hook", map[string]any{"webhook": map[string]any{
		"url": r.URL, "headers": map[string]any{"X-Key": "hunter3"}, "signingSecret": old, "bodyTemplate": `{"text": {{json .Message}}}`}})
	rotate := `mutation($id: ID!) { rotateSigningSecret(id: $id) { signingSecret channel { id } } }`
	fresh := at(s.do(rotate, map[string]any{"id": id}), "rotateSigningSecret", "signingSecret").(string)
	shown := at(s.do(hookConfigQuery, map[string]any{"id": id}), "channel", "config")
	if at(shown, "signingSecret") != models.Mask || at(shown, "previousSigningSecret") != models.Mask || at(shown, "headers", "X-Key") != models.Mask ||
		at(shown, "bodyTemplate") != `{"text": {{json .Message}}}` {
		t.Errorf("shown %v", shown)
	}
	signed := func(secret string) bool {
		t.Helper()
		s.deliveries(s.createAlert(nil))
		got := r.all()[len(r.all())-1]
		verifier, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			t.Fatal(err)
		}
		return verifier.Verify([]byte(got.body), got.header) == nil
	}
	if !signed(old) || !signed(fresh) {
		t.Error("one of the two secrets does not verify")
	}
	// A rotation on top of it would leave receivers without a secret that they know.
	if a := s.try(rotate, map[string]any{"id": id}); len(a.Errors) != 1 || a.Errors[0].Extensions.Code != "CONFLICT" || !strings.Contains(a.Errors[0].Message, "dropPreviousSigningSecret") {
		t.Errorf("again: %+v", a)
	}
	// Masks sent back as they were shown change nothing.
	update := `mutation($id: ID!, $config: WebhookConfigInput!) { updateChannel(id: $id, input: {config: {webhook: $config}}) { id } }`
	s.do(update, map[string]any{"id": id, "config": shown})
	if !signed(old) || !signed(fresh) {
		t.Error("masks sent back have changed a secret")
	}
	s.do(`mutation($id: ID!) { dropPreviousSigningSecret(id: $id) { id } }`, map[string]any{"id": id})
	if signed(old) || !signed(fresh) {
		t.Error("the old secret is still valid, or the new one is not")
	}
	// The same with a secret of the user's own, and null to end it.
	own := models.NewSigningSecret()
	s.do(update, map[string]any{"id": id, "config": map[string]any{"url": r.URL, "signingSecret": own, "previousSigningSecret": fresh}})
	if !signed(fresh) || !signed(own) {
		t.Error("one of the two secrets given does not verify")
	}
	s.do(update, map[string]any{"id": id, "config": map[string]any{"url": r.URL, "signingSecret": models.Mask, "previousSigningSecret": nil}})
	if signed(fresh) || !signed(own) {
		t.Error("null has not ended it")
	}
	other := s.createChannel("slack", map[string]any{"slack": map[string]any{"webhookUrl": r.URL}})
	if a := s.try(rotate, map[string]any{"id": other}); len(a.Errors) != 1 || a.Errors[0].Extensions.Code != "BAD_USER_INPUT" || a.Errors[0].Extensions.Field != "id" {
		t.Errorf("of a Slack channel: %+v", a)
	}
	for _, secret := range []string{old, fresh, own} {
		if strings.Contains(s.log.String(), strings.TrimPrefix(secret, "whsec_")) {
			t.Error("a secret was logged")
		}
	}
}

func TestAPI_SendsABodyOfTheUsersOwn(t *testing.T) {
	s := startServer(t, "", "PUBLIC_URL=https://alerts.example.com/")
	r := newReceiver(t)
	const template = `{"text": {{json .Message}}, "level": {{json .SeverityLower}}, "load": {{json .Details.load}}, "link": {{json .Link}}}`
	s.createChannel("hook", map[string]any{"webhook": map[string]any{"url": r.URL, "bodyTemplate": template}})
	id := s.createAlert(map[string]any{"severity": "HIGH", "message": "say \"hi\"\n", "details": map[string]any{"load": 0.7}})
	s.deliveries(id)
	want := `{"text": "say \"hi\"\n", "level": "high", "load": 0.7, "link": "https://alerts.example.com/alerts/` + id + `"}`
	if got := r.all(); len(got) != 1 || got[0].body != want || got[0].header.Get("Content-Type") != "application/json" {
		t.Errorf("%v\nwant %s", got, want)
	}

	preview := `query($template: String!, $alertId: ID, $kind: DeliveryKind! = ALERT, $digest: Boolean! = false) {
		previewWebhookBody(template: $template, alertId: $alertId, kind: $kind, digest: $digest) }`
	for _, c := range []struct {
		variables map[string]any
		want      string
	}{
		{map[string]any{"template": template, "alertId": id}, want},
		{map[string]any{"template": "{{.ID}} {{.Event}}"}, "123 alert"},
		{map[string]any{"template": "{{.Event}} {{.ResolvedAt}}", "kind": "RESOLVED"}, "resolved 2025-12-12T11:00:00Z"},
		{map[string]any{"template": "{{.Event}} {{.Count}}", "digest": true}, "digest 3"},
	} {
		if got := s.do(preview, c.variables)["previewWebhookBody"]; got != c.want {
			t.Errorf("%v: %v, want %s", c.variables, got, c.want)
		}
	}
	for _, c := range []struct {
		variables         map[string]any
		code, field, says string
	}{
		{map[string]any{"template": "\n{{.Nonsense}}"}, "BAD_USER_INPUT", "template", "line 2: there is no .Nonsense"},
		{map[string]any{"template": "{{"}, "BAD_USER_INPUT", "template", "line 1"},
		{map[string]any{"template": "x", "alertId": "999"}, "NOT_FOUND", "", "999"},
		{map[string]any{"template": "x", "alertId": id, "digest": true}, "BAD_USER_INPUT", "digest", "alertId"},
	} {
		a := s.try(preview, c.variables)
		if len(a.Errors) != 1 || a.Errors[0].Extensions.Code != c.code || a.Errors[0].Extensions.Field != c.field || !strings.Contains(a.Errors[0].Message, c.says) {
			t.Errorf("%v: %+v", c.variables, a.Errors)
		}
	}
	a := s.try(createChannelQuery, map[string]any{"input": map[string]any{"name": "bad", "config": map[string]any{
		"webhook": map[string]any{"url": r.URL, "bodyTemplate": "{\n\"text\": \"{{.Message}}\"}"}}}})
	if len(a.Errors) != 1 || a.Errors[0].Extensions.Field != "input.config.webhook.bodyTemplate" || !strings.Contains(a.Errors[0].Message, "line 2") ||
		!strings.Contains(a.Errors[0].Message, "{{json .Message}}") {
		t.Errorf("%+v", a.Errors)
	}
}

func TestAPI_LetsOnlyAdminsTouchSecretsAndTemplates(t *testing.T) {
	s := startServer(t, "")
	tokens := s.tokens()
	s.createChannel("hook", webhook(newReceiver(t).URL))
	for query, may := range map[string]string{
		`mutation { rotateSigningSecret(id: "1") { channel { id } } dropPreviousSigningSecret(id: "1") { id } }`: "ADMIN",
		`mutation { dropPreviousSigningSecret(id: "1") { id } }`:                                                 "ADMIN",
		`{ previewWebhookBody(template: "x") }`:                                                                  "ADMIN",
		`{ channelTypes { type } channels { warnings } }`:                                                        "VIEWER ANALYST ADMIN",
	} {
		for role, token := range tokens {
			a := s.as(token, query, nil)
			if allowed := slices.Contains(strings.Fields(may), role); allowed && len(a.Errors) > 0 || !allowed && (len(a.Errors) == 0 || a.Errors[0].Extensions.Code != "FORBIDDEN") {
				t.Errorf("%s: %s: %+v", role, query, a.Errors)
			}
		}
	}
}

func TestAPI_ChannelTypesDescribeThemselves(t *testing.T) {
	s := startServer(t, "")
	types := s.do(`{ channelTypes { type title help fields { name title help kind required secret example } notifyOnResolve digests rateLimit { perMinute burst } docs } }`, nil)["channelTypes"].([]any)
	byType := map[any]any{}
	for _, info := range types {
		byType[at(info, "type")] = info
	}
	slack := byType["SLACK"]
	if at(slack, "title") != "Slack" || at(slack, "fields", 0, "name") != "webhookUrl" || at(slack, "fields", 0, "required") != true || at(slack, "fields", 0, "secret") != true ||
		at(slack, "fields", 0, "kind") != "TEXT" || at(slack, "rateLimit", "perMinute") != 60.0 || at(slack, "digests") != true ||
		!strings.HasSuffix(at(slack, "docs").(string), "/docs/channels/slack.md") {
		t.Errorf("%v", slack)
	}
	hook, _ := json.Marshal(byType["WEBHOOK"])
	for _, want := range []string{`"name":"bodyTemplate"`, `"kind":"LONG_TEXT"`, `"name":"previousSigningSecret"`, `"rateLimit":null`} {
		if !strings.Contains(string(hook), want) {
			t.Errorf("%s lacks %s", hook, want)
		}
	}
}

func TestAPI_WarnsOfChannelsThatWillNotWork(t *testing.T) {
	s := startServer(t, "")
	for name, c := range map[string]struct {
		config map[string]any
		says   string
	}{
		"PagerDuty": {webhook("https://events.pagerduty.com/v2/hunter2"), "type PAGERDUTY"},
		"Discord":   {webhook("https://discord.com/api/webhooks/1/hunter2"), "type DISCORD"},
		"mail":      {map[string]any{"email": map[string]any{"recipients": []any{"oncall@example.com"}}}, "EMAIL_HOST"},
		"well":      {webhook("https://example.com/hunter2"), ""},
	} {
		data := s.do(`mutation($input: CreateChannelInput!) { createChannel(input: $input) { id warnings } }`, map[string]any{"input": map[string]any{"name": name, "config": c.config, "isActive": false}})
		warnings, _ := at(data, "createChannel", "warnings").([]any)
		if warnings == nil || (len(warnings) > 0) != (c.says != "") {
			t.Errorf("%s: %v", name, data)
			continue
		}
		if c.says != "" && (!strings.Contains(warnings[0].(string), c.says) || strings.Contains(warnings[0].(string), "hunter2")) {
			t.Errorf("%s: %v", name, warnings)
		}
	}
	mailed := startServer(t, "", "EMAIL_HOST=127.0.0.1")
	id := mailed.createChannel("mail", map[string]any{"email": map[string]any{"recipients": []any{"oncall@example.com"}}})
	if got := at(mailed.do(hookConfigQuery, map[string]any{"id": id}), "channel", "warnings").([]any); len(got) != 0 {
		t.Errorf("with a mail server: %v", got)
	}
}

// A channel from before a rule is loaded as it was, and can be renamed and switched off.
func TestAPI_RetiredConnectorFromBeforeStaysLoadable(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		const retired = "https://example.webhook.office.com/webhookb2/hunter2"
		a := s.try(createChannelQuery, map[string]any{"input": map[string]any{"name": "new", "config": webhook(retired)}})
		if len(a.Errors) != 1 || a.Errors[0].Extensions.Field != "input.config.webhook.url" || !strings.Contains(a.Errors[0].Message, "Workflow") || strings.Contains(a.Errors[0].Message, "hunter2") {
			t.Errorf("%+v", a.Errors)
		}
		old := &models.Channel{Name: "old", Config: &models.WebhookConfig{URL: retired}, IsActive: true}
		if err := s.store.CreateChannel(t.Context(), old); err != nil {
			t.Fatal(err)
		}
		s.createChannel("other", webhook("https://example.com")) // which reads the channels anew
		data := s.do(`mutation { updateChannel(id: "1", input: {name: "renamed", isActive: false}) { name isActive warnings } }`, nil)
		if at(data, "updateChannel", "name") != "renamed" || at(data, "updateChannel", "isActive") != false || !strings.Contains(at(data, "updateChannel", "warnings", 0).(string), "type TEAMS") {
			t.Errorf("%v", data)
		}
	})
}
