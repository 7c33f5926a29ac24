package notifiers

import (
	"errors"
	"fmt"
	"html/template"
	"net/mail"
	"strings"

	simplemail "github.com/xhit/go-simple-mail/v2"

	"github.com/rustbucket/alerts/models"
)

// subjectWords is how many characters of the message a subject has.
const subjectWords = 60

// compose builds the message, in text and HTML, and gives the bare addresses that it goes to.
func (e *email) compose(n Notification, recipients []string) (message string, to []string, err error) {
	a := n.Alert
	facts := []mailFact{
		{"Severity", a.Severity.String()},
		{"Rustbucket", rustbucketText(a.Rustbucket)},
		{"Time", timeText(a.CreatedAt)},
		{"Status", statusText(a)},
	}
	if a.ID != 0 {
		facts = append(facts, mailFact{"Alert", fmt.Sprint(a.ID)})
	}
	html, err := e.htmlBody(a, facts)
	if err != nil {
		return "", nil, err
	}
	m := simplemail.NewMSG()
	m.AllowDuplicateAddress = true // some systems tell upper and lower case apart; the config was checked already
	m.SetFrom(e.from.String())
	m.AddTo(recipients...)
	m.SetSubject(headline(a) + ": " + firstWords(a.Message, subjectWords))
	m.SetDate(e.now().UTC().Format("2006-01-02 15:04:05 UTC"))
	m.AddHeader("Message-ID", messageID(n, e.from))
	// Keeps out-of-office replies away (RFC 3834).
	m.AddHeader("Auto-Submitted", "auto-generated")
	m.SetBody(simplemail.TextPlain, textBody(a, facts))
	m.AddAlternative(simplemail.TextHTML, html)
	if m.Error != nil {
		return "", nil, fmt.Errorf("cannot write the mail: %w", errors.New(strings.TrimPrefix(m.Error.Error(), "Mail Error: ")))
	}
	return m.GetMessage(), m.GetRecipients(), nil
}

// messageID is the same in every attempt, so that a second copy can be recognised. The time of the alert keeps apart two
// servers, or two lives of one database, that count their alerts alike.
func messageID(n Notification, from *mail.Address) string {
	_, domain, _ := strings.Cut(from.Address, "@")
	key := strings.Map(func(r rune) rune {
		if isPlain(r) {
			return r
		}
		return '-'
	}, n.Key)
	return fmt.Sprintf("<%s.%d@%s>", key, n.Alert.CreatedAt.UnixMicro(), domain)
}

type mailFact struct{ Name, Value string }

func textBody(a *models.Alert, facts []mailFact) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n%s\n\n", headline(a), a.Message)
	for _, f := range facts {
		fmt.Fprintf(&b, "%-12s%s\n", f.Name+":", oneLine(f.Value))
	}
	b.WriteString("\n-- \nRustbucket Alerts\n")
	return b.String()
}

func (e *email) htmlBody(a *models.Alert, facts []mailFact) (string, error) {
	color := "#2e7d32"
	switch a.Severity {
	case models.SeverityHigh:
		color = "#c62828"
	case models.SeverityMedium:
		color = "#b26a00"
	}
	var b strings.Builder
	err := e.html.Execute(&b, struct {
		Title, Message, Color string
		Facts                 []mailFact
	}{headline(a), a.Message, color, facts})
	if err != nil {
		return "", fmt.Errorf("cannot write the mail: %w", err)
	}
	return b.String(), nil
}

// mailTemplate is plain enough for every mail program, and one column, so that a phone need not zoom.
func mailTemplate() *template.Template {
	return template.Must(template.New("mail").Parse(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Title}}</title>
</head>
<body style="margin:0;padding:16px;background:#f4f4f5;color:#1f2328;font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;font-size:16px;line-height:1.5">
<div style="max-width:600px;margin:0 auto;background:#ffffff;border-top:6px solid {{.Color}};border-radius:6px;padding:16px 20px">
<h1 style="margin:0 0 12px;font-size:20px;color:{{.Color}};overflow-wrap:anywhere">{{.Title}}</h1>
<p style="margin:0 0 16px;white-space:pre-wrap;overflow-wrap:anywhere">{{.Message}}</p>
<table role="presentation" cellpadding="0" cellspacing="0" style="width:100%;border-collapse:collapse;font-size:15px">
{{range .Facts}}<tr><td style="padding:4px 12px 4px 0;color:#59636e;vertical-align:top;white-space:nowrap">{{.Name}}</td><td style="padding:4px 0;overflow-wrap:anywhere">{{.Value}}</td></tr>
{{end}}</table>
</div>
<p style="max-width:600px;margin:12px auto 0;color:#59636e;font-size:13px">Rustbucket Alerts</p>
</body>
</html>
`))
}
