package notifiers

import (
	"fmt"
	"net/mail"
	"net/textproto"
	"strings"

	"github.com/rustbucket/alerts/models"
)

// recipients is how each recipient of a mail stands while an attempt is made.
type recipients struct {
	list    []recipient
	gone    []models.RecipientOutcome // have it, and are named no more: were they named again, they would still have it
	had     int                       // how many of the list had it before
	replies []string                  // to those that were refused in this attempt
	final   string                    // the reply to the message
}

// recipient is one that the channel names.
type recipient struct {
	models.RecipientOutcome
	reply *textproto.Error // refused in this attempt
}

// waits reports whether it is to be sent the message.
func (r *recipient) waits() bool { return r.Status == models.Pending && r.reply == nil }

// newRecipients puts together whom the channel names now, and how they stand after the attempts before.
func newRecipients(named []string, before []models.RecipientOutcome) (*recipients, error) {
	known := make(map[string]models.RecipientOutcome, len(before))
	for _, r := range before {
		known[models.AddressKey(r.Address)] = r
	}
	to := &recipients{list: make([]recipient, len(named))}
	for i, name := range named {
		address, err := mail.ParseAddress(name)
		if err != nil || strings.ContainsAny(address.Address, "\r\n") {
			return nil, fmt.Errorf("%q is not a mail address", name)
		}
		key := models.AddressKey(address.Address)
		r, ok := known[key]
		delete(known, key)
		if !ok {
			r.Status = models.Pending
		}
		r.Address = address.Address
		to.list[i].RecipientOutcome = r
		if r.Status == models.Delivered {
			to.had++
		}
	}
	for _, r := range before {
		if _, left := known[models.AddressKey(r.Address)]; left && r.Status == models.Delivered {
			to.gone = append(to.gone, r)
		}
	}
	return to, nil
}

// waiting is how many are to be sent the message.
func (to *recipients) waiting() (n int) {
	for i := range to.list {
		if to.list[i].waits() {
			n++
		}
	}
	return n
}

// refuse notes what the server said of a recipient.
func (to *recipients) refuse(i int, reply *textproto.Error, text string) {
	r := &to.list[i]
	words := cutRunes(oneLine(text), 200)
	r.reply, r.Error, r.StatusCode = reply, &words, &reply.Code
	if judgeReply(reply, "RCPT") != Retry {
		r.Status = models.Failed
	}
	to.replies = append(to.replies, text)
}

// take notes who was sent the message, and what the server said to it.
func (to *recipients) take(taken []int, reply string) {
	for _, i := range taken {
		to.list[i].RecipientOutcome = models.RecipientOutcome{Address: to.list[i].Address, Status: models.Delivered}
	}
	to.final = reply
}

// all gives how every one stands, to be stored.
func (to *recipients) all() []models.RecipientOutcome {
	all := make([]models.RecipientOutcome, 0, len(to.list)+len(to.gone))
	for _, r := range to.list {
		all = append(all, r.RecipientOutcome)
	}
	return append(all, to.gone...)
}

// with gives those that stand so.
func (to *recipients) with(status models.DeliveryStatus) []*recipient {
	var found []*recipient
	for i := range to.list {
		if to.list[i].Status == status {
			found = append(found, &to.list[i])
		}
	}
	return found
}

// outcome is what became of an attempt that the server heard to its end. Whoever may still take the message gets it in the next
// attempt; when nobody is left, somebody who was refused for good makes it fail, and the others have it all the same.
func (to *recipients) outcome() Outcome {
	o := Outcome{Recipients: to.all()}
	told, later, refused := to.with(models.Delivered), to.with(models.Pending), to.with(models.Failed)
	o.Response = cutBytes(strings.TrimPrefix(strings.Join(to.replies, "\n")+"\n"+to.final, "\n"), models.MaxResponseBytes)
	switch {
	case len(later) > 0:
		o.Result, o.StatusCode, o.Channel = Retry, code(later), to.sign(len(told), later)
	case len(refused) > 0:
		// The channel is seen as with any other message that was refused for good (see models.Refused): it is never paused, and
		// shows until its list of recipients is mended whom it does not reach. As a success it would be taken for mended at once.
		o.Result, o.StatusCode = Permanent, code(refused)
	default:
		if to.final != "" {
			o.StatusCode = 250
		}
		return o
	}
	o.Error = to.progress("the mail server took no recipient: ")
	switch {
	case len(told) == 0:
		o.Error += refusalText(append(later, refused...))
	case len(later) == 0:
		o.Error += "refused: " + refusalText(refused)
	default:
		o.Error += "not yet: " + refusalText(later)
		if len(refused) > 0 {
			o.Error += "; refused: " + refusalText(refused)
		}
	}
	return o
}

// sign is what it shows about the channel that some were refused for now. A mailbox that is full, or a server that wants to be asked
// twice, must not pause the channel for all the others; only when nobody ever took the message, or the sender's own quota is used
// up, does it stand for the channel.
func (to *recipients) sign(told int, later []*recipient) Sign {
	switch {
	case told > to.had:
		return SignWorks
	case told == 0:
		return ByResult
	}
	for _, r := range later {
		if r.reply != nil && r.reply.Code == 550 { // the quota: other refusals with this code are for good
			return ByResult
		}
	}
	return SignAnswers
}

// failed completes the Outcome of an attempt that ended early. A message that will never be taken, by anybody, leaves nobody waiting.
func (to *recipients) failed(o Outcome) Outcome {
	if o.Result == Permanent {
		why := cutRunes(oneLine(o.Response), 200)
		for _, r := range to.with(models.Pending) {
			r.Status, r.Error, r.StatusCode = models.Failed, &why, &o.StatusCode
		}
	}
	o.Error = cutRunes(to.progress("")+o.Error, maxErrorRunes)
	o.Recipients = to.all()
	return o
}

// progress says how many have it; otherwise is said when nobody has.
func (to *recipients) progress(otherwise string) string {
	if told := len(to.with(models.Delivered)); told > 0 {
		return fmt.Sprintf("sent to %d of %d recipients; ", told, len(to.list))
	}
	return otherwise
}

// code is the first of the codes with which these were refused.
func code(refused []*recipient) int {
	for _, r := range refused {
		if r.StatusCode != nil {
			return *r.StatusCode
		}
	}
	return 0
}

// refusalText names the recipients and what was said about them, for at most five of them.
func refusalText(refused []*recipient) string {
	var b strings.Builder
	for i, r := range refused {
		if i == 5 {
			fmt.Fprintf(&b, " and %d more", len(refused)-i)
			break
		}
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(r.Address)
		if r.Error != nil {
			b.WriteString(": " + *r.Error)
		}
	}
	return oneLine(b.String())
}
