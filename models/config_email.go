package models

import (
	"net/mail"
	"slices"
	"strings"
)

// EmailConfig is mail to one or more people.
type EmailConfig struct {
	Recipients []string `json:"recipients"`
}

var emailType = TypeInfo{
	Type: Email, Title: "Email", New: func() ChannelConfig { return new(EmailConfig) },
	Help: "Mail to one or more people, through the mail server of the EMAIL_ settings.",
	Fields: []ConfigField{
		{Name: "recipients", Title: "Recipients", Help: "Whom to mail, as oncall@example.com or On Call <oncall@example.com>.", Kind: FieldList, Required: true, Example: "oncall@example.com"},
	},
	Digests: true,
}

func (*EmailConfig) IsChannelConfig() {}

// Type is Email.
func (*EmailConfig) Type() ChannelType { return Email }

func (c *EmailConfig) Valid(path string) error {
	path += ".email.recipients"
	if len(c.Recipients) == 0 {
		return Invalid(path, "is empty: name at least one address")
	}
	if len(c.Recipients) > MaxRecipients {
		return Invalid(path, "has %d addresses; at most %d are allowed", len(c.Recipients), MaxRecipients)
	}
	seen := make(map[string]bool, len(c.Recipients))
	for i, r := range c.Recipients {
		field := pathIndex(path, i)
		if err := ValidText(field, r, MaxName); err != nil {
			return err
		}
		addr, err := mail.ParseAddress(r)
		if err != nil || strings.ContainsAny(r, "\r\n") {
			return Invalid(field, "%q is not a mail address: write it as oncall@example.com", r)
		}
		key := AddressKey(addr.Address)
		if seen[key] {
			return Invalid(field, "%q is named twice", addr.Address)
		}
		seen[key] = true
	}
	return nil
}

func (c *EmailConfig) Masked() ChannelConfig {
	return &EmailConfig{Recipients: slices.Clone(c.Recipients)}
}

func (c *EmailConfig) Unmask(ChannelConfig) ChannelConfig { return c }
