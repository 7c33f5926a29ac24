package models

// SlackConfig is a Slack incoming webhook.
type SlackConfig struct {
	WebhookURL string `json:"webhookUrl"`
}

var slackType = TypeInfo{
	Type: Slack, Title: "Slack", New: func() ChannelConfig { return new(SlackConfig) },
	Help: "A Slack channel, by an incoming webhook.",
	Fields: []ConfigField{
		{Name: "webhookUrl", Title: "Webhook URL", Help: `From the Slack app's page "Incoming Webhooks".`, Kind: FieldText, Required: true, Secret: true, Example: "https://hooks.slack.com/services/T000/B000/XXXX"},
	},
	Digests:   true,
	RateLimit: &RateLimit{PerMinute: 60, Burst: 10}, // one message a second, short bursts allowed
}

func (*SlackConfig) IsChannelConfig() {}

// Type is Slack.
func (*SlackConfig) Type() ChannelType { return Slack }

func (c *SlackConfig) Valid(path string) error {
	return validURL(path+".slack.webhookUrl", c.WebhookURL)
}

func (c *SlackConfig) Masked() ChannelConfig { return &SlackConfig{maskURL(c.WebhookURL)} }

func (c *SlackConfig) Unmask(old ChannelConfig) ChannelConfig {
	return &SlackConfig{unmaskURL(c.WebhookURL, old.(*SlackConfig).WebhookURL)}
}
