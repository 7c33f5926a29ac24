package notifiers

import (
	"fmt"
	"strings"

	"github.com/rustbucket/alerts/models"
)

// mailLine is one alert of a digest in HTML.
type mailLine struct {
	Text string
	Tone mailTone
	URL  string
}

func (e *email) digestContent(d *models.Digest) (mailContent, error) {
	t := describeDigest(d)
	tone, badge := toneGood, newsOf(kindOf(d.Items[0]))
	if worst, open := digestWorst(d); open {
		tone, badge = toneOf(worst), worst.String()
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
		lines[i] = mailLine{line.text, toneOf(line.severity), alertLink(e.settings.PublicURL, d.Items[i].Alert)}
		if isGood(line.kind) {
			lines[i].Tone = toneGood
		}
	}
	fmt.Fprintf(&text, "\n%s\n\n%s\n", rest, t.query)
	var button mailButton
	if e.settings.PublicURL != "" {
		button = mailButton{e.settings.PublicURL + "/playground", "Open the playground"}
		text.WriteString("\nThe playground: " + button.URL + "\n")
	}
	text.WriteString(mailSignature)
	err := e.html.ExecuteTemplate(&html, "digest", struct {
		Title, Badge, Preview, Rest, Query string
		Tone                               mailTone
		Facts                              []mailFact
		Lines                              []mailLine
		Button                             mailButton
	}{t.title, badge, previewOf(t.types, t.span), rest, t.query, tone, facts, lines, button})
	return mailContent{plainSubject(t.title + ": " + t.severities), text.String(), html.String()}, err
}
