package models

// DiscordConfig is a Discord channel.
type DiscordConfig struct {
	WebhookURL string `json:"webhookUrl"`
}

var discordType = TypeInfo{
	Type: Discord, Title: "Discord", New: func() ChannelConfig { return new(DiscordConfig) },
	Help: "A Discord channel, by a webhook.",
	Fields: []ConfigField{
		{Name: "webhookUrl", Title: "Webhook URL", Help: "From the channel's settings, Integrations, Webhooks.", Kind: FieldText, Required: true, Secret: true, Example: "https://discord.com/api/webhooks/…/…"},
	},
	Digests:   true,
	RateLimit: &RateLimit{PerMinute: 30, Burst: 5},
}

func (*DiscordConfig) IsChannelConfig() {}

// Type is Discord.
func (*DiscordConfig) Type() ChannelType { return Discord }

func (c *DiscordConfig) Valid(path string) error {
	return validURL(path+".discord.webhookUrl", c.WebhookURL)
}

func (c *DiscordConfig) Masked() ChannelConfig { return &DiscordConfig{maskURL(c.WebhookURL)} }

func (c *DiscordConfig) Unmask(old ChannelConfig) ChannelConfig {
	return &DiscordConfig{unmaskURL(c.WebhookURL, old.(*DiscordConfig).WebhookURL)}
}
