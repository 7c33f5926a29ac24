package notifiers

import (
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"time"

	simplemail "github.com/xhit/go-simple-mail/v2"

	"github.com/rustbucket/alerts/models"
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
// oldest, keeps apart two servers, or two lives of one database, that count their alerts alike. A mail that tells of a
// resolve is no reply to the alert's: that one's id comes from another delivery, which is not known here.
func messageID(n Notification, from *mail.Address) string {
	_, domain, _ := strings.Cut(from.Address, "@")
	key := strings.Map(func(r rune) rune {
		if isPlain(r) {
			return r
		}
		return '-'
	}, n.Key)
	var at time.Time
	if n.Digest != nil {
		at, _ = n.Digest.Span()
	} else {
		at = n.Alert.CreatedAt
	}
	return fmt.Sprintf("<%s.%d@%s>", key, at.UnixMicro(), domain)
}

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
	title, color, news := headline(n), mailColor(a.Severity), ""
	if n.resolved() {
		color, news = mailGood, "This alert was "+statusText(n)+"."
	}
	var text, html strings.Builder
	text.WriteString(title + "\n\n")
	if news != "" {
		text.WriteString(news + "\n\n")
	}
	text.WriteString(a.Message + "\n\n")
	writeFacts(&text, facts)
	text.WriteString(mailSignature)
	err := e.html.ExecuteTemplate(&html, "alert", struct {
		Title, News, Message, Color string
		Facts                       []mailFact
	}{title, news, a.Message, color, facts})
	return mailContent{title + ": " + firstWords(a.Message, subjectWords), text.String(), html.String()}, err
}

const mailSignature = "\n-- \nRustbucket Alerts\n"

func writeFacts(b *strings.Builder, facts []mailFact) {
	for _, f := range facts {
		fmt.Fprintf(b, "%-12s%s\n", f.Name+":", oneLine(f.Value))
	}
}

const mailGood = "#2e7d32"

func mailColor(s models.Severity) string {
	switch s {
	case models.SeverityHigh:
		return "#c62828"
	case models.SeverityMedium:
		return "#b26a00"
	}
	return mailGood
}
