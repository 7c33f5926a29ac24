package models

// OpsgenieConfig is an Opsgenie integration.
type OpsgenieConfig struct {
	APIKey string  `json:"apiKey"`
	URL    *string `json:"url,omitempty"` // nil = Opsgenie's own
}

var opsgenieType = TypeInfo{
	Type: Opsgenie, Title: "Opsgenie", New: func() ChannelConfig { return new(OpsgenieConfig) },
	Help: "An Opsgenie team, or Jira Service Management: an alert opens one there, its resolve closes it.",
	Fields: []ConfigField{
		{Name: "apiKey", Title: "API key", Help: "Of an API integration of the team.", Kind: FieldText, Required: true, Secret: true, Example: "01234567-89ab-cdef-0123-456789abcdef"},
		{Name: "url", Title: "URL", Help: "Only for the EU region or Jira Service Management.", Kind: FieldText, Secret: true, Example: "https://api.eu.opsgenie.com/v2/alerts"},
	},
	NotifyOnResolve:     true, // it closes the incident
	NotifyOnAcknowledge: true,
}

func (*OpsgenieConfig) IsChannelConfig() {}

// Type is Opsgenie.
func (*OpsgenieConfig) Type() ChannelType { return Opsgenie }

func (c *OpsgenieConfig) Valid(path string) error {
	return validKey(path+".opsgenie", "apiKey", c.APIKey, c.URL)
}

func (c *OpsgenieConfig) Masked() ChannelConfig {
	return &OpsgenieConfig{APIKey: Mask, URL: maskURLPtr(c.URL)}
}

func (c *OpsgenieConfig) Unmask(old ChannelConfig) ChannelConfig {
	o := old.(*OpsgenieConfig)
	return &OpsgenieConfig{APIKey: unmaskKey(c.APIKey, o.APIKey), URL: unmaskURLPtr(c.URL, o.URL)}
}
