package notifiers

import (
	"fmt"
	"strings"

	"github.com/rustbucket/alerts/models"
)

// mailLine is one alert of a digest in HTML.
type mailLine struct{ Text, Color string }

func (e *email) digestContent(d *models.Digest) (mailContent, error) {
	t := describeDigest(d)
	color := mailGood
	if worst, open := digestWorst(d); open {
		color = mailColor(worst)
	}
	facts := []mailFact{{"Severity", t.severities}, {"Type", t.types}, {"Time", t.span}}
	rest := "To see all in full, paste this into the playground:"
	if left := len(d.Items) - len(t.lines); left > 0 {
		rest = fmt.Sprintf("There are %d more. To see all in full, paste this into the playground:", left)
	}
	var text, html strings.Builder
	text.WriteString(t.title + "\n\n")
	writeFacts(&text, facts)
	text.WriteString("\nThe worst first:\n\n")
	lines := make([]mailLine, len(t.lines))
	for i, line := range t.lines {
		fmt.Fprintf(&text, "* %s\n", line.text)
		lines[i] = mailLine{line.text, mailColor(line.severity)}
		if line.resolved {
			lines[i].Color = mailGood
		}
	}
	fmt.Fprintf(&text, "\n%s\n\n%s\n%s", rest, t.query, mailSignature)
	err := e.html.ExecuteTemplate(&html, "digest", struct {
		Title, Color, Rest, Query string
		Facts                     []mailFact
		Lines                     []mailLine
	}{t.title, color, rest, t.query, facts, lines})
	return mailContent{t.title + ": " + t.severities, text.String(), html.String()}, err
}
