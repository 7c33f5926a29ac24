package models

import (
	"slices"
	"strings"
)

// RecipientOutcome is what became of one recipient of a message that has several: so far only mail has.
type RecipientOutcome struct {
	Address string `json:"address"` // bare: oncall@example.com
	// Status is PENDING for one who is still to be told, DELIVERED for one who has it and is never sent it again, FAILED for one
	// who was refused for good, or given up. CANCELLED only in a delivery that was.
	Status     DeliveryStatus `json:"status"`
	Error      *string        `json:"error,omitempty"` // why this one was refused last, in words without secrets
	StatusCode *int           `json:"code,omitempty"`  // of that refusal
}

// AddressKey is the same for two spellings of one mail address. Only the domain is without upper and lower case by the rules;
// nobody has two mailboxes that differ in nothing else.
func AddressKey(address string) string { return strings.ToLower(address) }

// SetRecipients gives the delivery its recipients, as they stand with it. Whoever was still to be told when it came to its end
// has come to the same end, and a series of attempts that begins anew gives everybody who was refused another chance.
func (d *Delivery) SetRecipients(list []RecipientOutcome) {
	d.Recipients = slices.Clone(list)
	for i := range d.Recipients {
		switch r := &d.Recipients[i]; {
		case r.Status == Pending && d.Status != Pending:
			r.Status = d.Status
		case r.Status != Delivered && d.Status == Pending && d.Attempts == d.SeriesStart:
			r.Status = Pending
		}
	}
}

// AskNoMore gives the recipients who are not to be told in the present series of attempts, in a form that can be compared: those
// who have it, and those who were refused for good.
func (d *Delivery) AskNoMore() string {
	var keys []string
	for _, r := range d.Recipients {
		if r.Status != Pending {
			keys = append(keys, string(r.Status)+" "+AddressKey(r.Address))
		}
	}
	slices.Sort(keys)
	return strings.Join(keys, "\n")
}
