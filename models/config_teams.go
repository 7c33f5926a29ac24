package models

// TeamsConfig is a Microsoft Teams channel.
type TeamsConfig struct {
	WebhookURL string `json:"webhookUrl"`
}

var teamsType = TypeInfo{
	Type: Teams, Title: "Microsoft Teams", New: func() ChannelConfig { return new(TeamsConfig) },
	Help: `A Teams channel, by a workflow "When a Teams webhook request is received".`,
	Fields: []ConfigField{
		{Name: "webhookUrl", Title: "Webhook URL", Help: "The HTTP URL of the workflow.", Kind: FieldText, Required: true, Secret: true, Example: "https://prod-00.westeurope.logic.azure.com/workflows/…"},
	},
	Digests: true,
}

func (*TeamsConfig) IsChannelConfig() {}

// Type is Teams.
func (*TeamsConfig) Type() ChannelType { return Teams }

func (c *TeamsConfig) Valid(path string) error {
	return validURL(path+".teams.webhookUrl", c.WebhookURL)
}

func (c *TeamsConfig) Masked() ChannelConfig { return &TeamsConfig{maskURL(c.WebhookURL)} }

func (c *TeamsConfig) Unmask(old ChannelConfig) ChannelConfig {
	return &TeamsConfig{unmaskURL(c.WebhookURL, old.(*TeamsConfig).WebhookURL)}
}
