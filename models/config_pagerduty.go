package models

// PagerDutyConfig is a PagerDuty service.
type PagerDutyConfig struct {
	RoutingKey string  `json:"routingKey"`
	URL        *string `json:"url,omitempty"` // nil = PagerDuty's own
}

var pagerdutyType = TypeInfo{
	Type: PagerDuty, Title: "PagerDuty", New: func() ChannelConfig { return new(PagerDutyConfig) },
	Help: "A PagerDuty service: an alert triggers an incident, its resolve closes it.",
	Fields: []ConfigField{
		{Name: "routingKey", Title: "Integration key", Help: `Of an integration "Events API v2" on the service.`, Kind: FieldText, Required: true, Secret: true, Example: "0123456789abcdef0123456789abcdef"},
		{Name: "url", Title: "URL", Help: "Only for the EU region.", Kind: FieldText, Secret: true, Example: "https://events.eu.pagerduty.com/v2/enqueue"},
	},
	NotifyOnResolve:     true, // it closes the incident
	NotifyOnAcknowledge: true,
}

func (*PagerDutyConfig) IsChannelConfig() {}

// Type is PagerDuty.
func (*PagerDutyConfig) Type() ChannelType { return PagerDuty }

func (c *PagerDutyConfig) Valid(path string) error {
	return validKey(path+".pagerduty", "routingKey", c.RoutingKey, c.URL)
}

func (c *PagerDutyConfig) Masked() ChannelConfig {
	return &PagerDutyConfig{RoutingKey: Mask, URL: maskURLPtr(c.URL)}
}

func (c *PagerDutyConfig) Unmask(old ChannelConfig) ChannelConfig {
	o := old.(*PagerDutyConfig)
	return &PagerDutyConfig{RoutingKey: unmaskKey(c.RoutingKey, o.RoutingKey), URL: unmaskURLPtr(c.URL, o.URL)}
}
