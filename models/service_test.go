package models

import "testing"

func TestServiceOf(t *testing.T) {
	for _, c := range []struct {
		url     string
		want    ChannelType
		retired bool
	}{
		{"https://events.pagerduty.com/v2/enqueue", PagerDuty, false},
		{"https://EVENTS.eu.pagerduty.com:443/v2/enqueue", PagerDuty, false},
		{"https://example.pagerduty.com/", Webhook, false},
		{"https://api.opsgenie.com/v2/alerts", Opsgenie, false},
		{"https://api.eu.opsgenie.com/v2/alerts", Opsgenie, false},
		{"https://api.atlassian.com/jsm/ops/integration/v2/alerts", Opsgenie, false},
		{"https://api.atlassian.com/oauth/token", Webhook, false},
		{"https://hooks.slack.com/services/T/B/X", Slack, false},
		{"https://hooks.slack-gov.com/services/T/B/X", Slack, false},
		{"https://notslack.com/services/T/B/X", Webhook, false},
		{"https://discord.com/api/webhooks/1/x", Discord, false},
		{"https://canary.discord.com/api/v10/webhooks/1/x", Discord, false},
		{"https://discordapp.com/api/webhooks/1/x", Discord, false},
		{"https://discord.com/blog", Webhook, false},
		{"https://notdiscord.com/api/webhooks/1/x", Webhook, false},
		{"https://prod-12.westeurope.logic.azure.com:443/workflows/abc/triggers/manual/paths/invoke?sig=x", Teams, false},
		{"https://default0.1.environment.api.powerplatform.com:443/powerautomate/automations/direct/workflows/a/triggers/manual/paths/invoke?sig=x", Teams, false},
		{"https://example.webhook.office.com/webhookb2/a@b/IncomingWebhook/c/d", Teams, true},
		{"https://outlook.office.com/webhook/a@b/IncomingWebhook/c/d", Teams, true},
		{"https://outlook.office.com/mail", Webhook, false},
		{"https://example.com/hooks.slack.com", Webhook, false},
		{"://", Webhook, false},
		{"", Webhook, false},
	} {
		if got, retired := ServiceOf(c.url); got != c.want || retired != c.retired {
			t.Errorf("%s: %s, %v, want %s, %v", c.url, got, retired, c.want, c.retired)
		}
	}
}
