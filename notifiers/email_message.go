package notifiers

import (
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"time"

	simplemail "github.com/xhit/go-simple-mail/v2"
)

// subjectWords is how many characters of the message a subject has.
const subjectWords = 60

// mailContent is what a mail says.
type mailContent struct{ subject, text, html string }

// compose builds the message, in text and HTML. It shows all recipients, whoever has it already.
func (e *email) compose(n Notification, recipients []string) (string, error) {
	var content mailContent
	var err error
	if n.Digest != nil {
		content, err = e.digestContent(n.Digest)
	} else {
		content, err = e.alertContent(n)
	}
	if err != nil {
		return "", fmt.Errorf("cannot write the mail: %w", err)
	}
	m := simplemail.NewMSG()
	m.AllowDuplicateAddress = true // some systems tell upper and lower case apart; the config was checked already
	m.SetFrom(e.from.String())
	m.AddTo(recipients...)
	m.SetSubject(content.subject)
	m.SetDate(e.now().UTC().Format("2006-01-02 15:04:05 UTC"))
	m.AddHeader("Message-ID", messageID(n, e.from))
	if n.AlertKey != "" {
		// All mails about an alert, its resolve too, answer the same one, which was never sent: programs put them into one thread.
		thread := mailID(n.AlertKey, n.Alert.CreatedAt, e.from)
		m.AddHeader("In-Reply-To", thread)
		m.AddHeader("References", thread)
	}
	// Keeps out-of-office replies away (RFC 3834).
	m.AddHeader("Auto-Submitted", "auto-generated")
	m.SetBody(simplemail.TextPlain, content.text)
	m.AddAlternative(simplemail.TextHTML, content.html)
	if m.Error != nil {
		return "", fmt.Errorf("cannot write the mail: %w", errors.New(strings.TrimPrefix(m.Error.Error(), "Mail Error: ")))
	}
	return m.GetMessage(), nil
}

// messageID is the same in every attempt, so that a second copy can be recognised. The time of the alert, or of a digest's
// oldest, keeps apart two servers, or two lives of one database, that count their alerts alike.
func messageID(n Notification, from *mail.Address) string {
	at := time.Time{}
	if n.Digest != nil {
		at, _ = n.Digest.Span()
	} else {
		at = n.Alert.CreatedAt
	}
	return mailID(n.Key, at, from)
}

func mailID(key string, at time.Time, from *mail.Address) string {
	_, domain, _ := strings.Cut(from.Address, "@")
	key = strings.Map(func(r rune) rune {
		if isPlain(r) {
			return r
		}
		return '-'
	}, key)
	return fmt.Sprintf("<%s.%d@%s>", key, at.UnixMicro(), domain)
}

// subjectOf is the alert's headline with its first words. A resolve says so first: on a locked phone nothing else is seen. Programs that
// go by References have it in the alert's thread all the same; Gmail compares subjects as well, and shows it by itself. A subject
// that hides the news behind "Re:" would be worse.
func subjectOf(n Notification) string {
	return plainSubject(headline(n) + ": " + firstWords(n.Alert.Message, subjectWords))
}

// plainSubject breaks up what a mail program would take for an encoded word (RFC 2047): it is the alert's own text.
func plainSubject(s string) string { return strings.ReplaceAll(s, "=?", "= ?") }

type mailFact struct{ Name, Value string }

func (e *email) alertContent(n Notification) (mailContent, error) {
	a := n.Alert
	facts := []mailFact{
		{"Severity", a.Severity.String()},
		{"Rustbucket", rustbucketText(a.Rustbucket)},
		{"Time", timeText(a.CreatedAt)},
		{"Status", statusText(n)},
	}
	if a.ID != 0 {
		facts = append(facts, mailFact{"Alert", fmt.Sprint(a.ID)})
	}
	if note := noteText(n); note != "" {
		facts = append(facts, mailFact{"Note", note})
	}
	title, tone, news, badge := headline(n), toneOf(a.Severity), "", a.Severity.String()
	preview := previewOf(a.Severity.String(), rustbucketText(a.Rustbucket), timeText(a.CreatedAt))
	if told := newsOf(n.tells()); told != "" {
		news, badge = "This alert was "+statusText(n)+".", told
		if isGood(n.tells()) {
			tone = toneGood
		}
		preview = previewOf("Was "+statusText(n), "severity "+a.Severity.String(), rustbucketText(a.Rustbucket))
	}
	details, link := describeDetails(a.Details), alertLink(e.settings.PublicURL, a)
	var text, html strings.Builder
	text.WriteString(title + "\n\n")
	if news != "" {
		text.WriteString(news + "\n\n")
	}
	text.WriteString(a.Message + "\n\n")
	writeFacts(&text, facts)
	if details != nil {
		details.write(&text)
	}
	if link != "" {
		text.WriteString("\nOpen the alert: " + link + "\n")
	}
	text.WriteString(mailSignature)
	err := e.html.ExecuteTemplate(&html, "alert", struct {
		Title, Badge, Preview, News, Message string
		Tone                                 mailTone
		Facts                                []mailFact
		Details                              *mailDetails
		Button                               mailButton
	}{title, badge, preview, news, a.Message, tone, facts, details, mailButton{link, "Open the alert"}})
	return mailContent{subjectOf(n), text.String(), html.String()}, err
}

const mailSignature = "\n-- \nRustbucket Alerts\n"

func writeFacts(b *strings.Builder, facts []mailFact) {
	for _, f := range facts {
		fmt.Fprintf(b, "%-12s%s\n", f.Name+":", oneLine(f.Value))
	}
}
