package notifiers

import (
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/rustbucket/alerts/models"
)

// headline is how the old registry named an alert: "Rustbucket Alert: ERROR".
func headline(n Notification) string {
	name := cutRunes(strings.ToUpper(oneLine(n.Alert.Type)), 60)
	if n.resolved() {
		name = "RESOLVED: " + name
	}
	return "Rustbucket Alert: " + name
}

// firstWords gives the beginning of a text on one line, cut between two words where that leaves something.
func firstWords(s string, limit int) string {
	s = oneLine(cutRunes(s, 4*limit)) // an alert may be long; what is thrown away need not be looked at
	short := cutRunes(s, limit)
	if short == s {
		return s
	}
	short = strings.TrimSuffix(short, "…")
	if i := strings.LastIndexByte(short, ' '); i > len(short)/2 {
		short = short[:i]
	}
	return strings.TrimRight(short, " .,;:") + "…"
}

// oneLine turns every run of blanks, line breaks and control characters into one blank.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r)
	}), " ")
}

func rustbucketText(r *models.Rustbucket) string {
	if r == nil {
		return "none"
	}
	return fmt.Sprintf("%s (%s)", r.Name, r.ID)
}

func timeText(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

func statusText(n Notification) string {
	switch {
	case n.Alert.IsResolved():
		return "resolved at " + timeText(*n.Alert.ResolvedAt)
	case n.resolved():
		return "resolved"
	}
	return "open"
}

// urlSecrets is what a URL that is a secret hides. A URL that cannot be read is one secret.
func urlSecrets(raw string) redactor {
	var r redactor
	u, err := url.Parse(raw)
	if err != nil {
		r.add(raw)
		return r
	}
	r.addURL(u)
	return r
}
