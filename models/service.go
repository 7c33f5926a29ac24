package models

import (
	"net/url"
	"strings"
)

// ServiceOf recognises the service that a URL belongs to, by its host and path. Webhook is for all that are unknown. retired
// says that it is a connector of Microsoft Teams, which Microsoft has switched off
// (https://devblogs.microsoft.com/microsoft365dev/retirement-of-office-365-connectors-within-microsoft-teams/).
func ServiceOf(raw string) (t ChannelType, retired bool) {
	u, err := url.Parse(raw)
	if err != nil {
		return Webhook, false
	}
	host, path := strings.TrimSuffix(strings.ToLower(u.Hostname()), "."), u.Path
	below := func(domain string) bool { return host == domain || strings.HasSuffix(host, "."+domain) }
	switch {
	case host == "events.pagerduty.com", host == "events.eu.pagerduty.com":
		return PagerDuty, false
	case host == "api.opsgenie.com", host == "api.eu.opsgenie.com",
		host == "api.atlassian.com" && strings.HasPrefix(path, "/jsm/ops/"):
		return Opsgenie, false
	case below("hooks.slack.com"), host == "hooks.slack-gov.com":
		return Slack, false
	case (below("discord.com") || below("discordapp.com")) && strings.HasPrefix(path, "/api/"):
		return Discord, false
	case below("webhook.office.com"),
		(host == "outlook.office.com" || host == "outlook.office365.com") && strings.HasPrefix(path, "/webhook"):
		return Teams, true
	case below("logic.azure.com") && strings.Contains(path, "/workflows/"),
		below("api.powerplatform.com") && strings.Contains(path, "/workflows/"):
		return Teams, false
	}
	return Webhook, false
}
