package notifiers

import (
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/rivo/uniseg"

	"github.com/rustbucket/alerts/models"
)

// headline is how the old registry named an alert: "Rustbucket Alert: ERROR".
func headline(n Notification) string {
	name := cutRunes(strings.ToUpper(oneLine(n.Alert.Type)), 60)
	if news := newsOf(n.tells()); news != "" {
		name = news + ": " + name
	}
	return "Rustbucket Alert: " + name
}

// measure says how long a service takes a text to be.
type measure func(string) int

// How services count.
var (
	characters measure = utf8.RuneCountInString // Unicode code points
	octets     measure = func(s string) int { return len(s) }
)

// utf16Units counts as JavaScript and .NET do: most emoji are two.
func utf16Units(s string) int {
	n := 0
	for _, r := range s {
		n += max(1, utf16.RuneLen(r))
	}
	return n
}

// cut gives a text that is at most limit long by this measure, the last of it an ellipsis when something was left out. What
// people see as one character is never cut in half, unless it alone is too long.
func cut(s string, limit int, long measure) string {
	if len(s) <= limit && utf8.ValidString(s) && long(s) <= limit {
		return s
	}
	s = strings.ToValidUTF8(s, "\uFFFD")
	room := limit - long("…")
	used, end, state := 0, 0, -1
	for rest := s; rest != ""; {
		var cluster string
		cluster, rest, _, state = uniseg.FirstGraphemeClusterInString(rest, state)
		used += long(cluster)
		if used > limit {
			return strings.TrimRight(s[:within(s, end, room, long)], " \t\r\n") + "…"
		}
		if used <= room {
			end += len(cluster)
		}
	}
	return s
}

// within is where to cut: at end, a border between what people see as characters, or in the middle of the first of them when it
// is too long by itself.
func within(s string, end, room int, long measure) int {
	if end > 0 {
		return end
	}
	used := 0
	for i, r := range s {
		if used += long(string(r)); used > room {
			return i
		}
	}
	return len(s)
}

// cutEscaped escapes a text and cuts it so that what comes out is at most limit long. No escape is cut in half. escape makes no
// text shorter, and leaves the ellipsis as it is.
func cutEscaped(s string, limit int, long measure, escape func(string) string) string {
	s = cut(s, limit, long)
	text := escape(s)
	if long(text) <= limit {
		return text
	}
	s += "…" // so that even what would fit unescaped is cut
	fits, over := 1, limit
	for over-fits > 1 {
		middle := fits + (over-fits)/2
		if long(escape(cut(s, middle, long))) <= limit {
			fits = middle
		} else {
			over = middle
		}
	}
	return escape(cut(s, fits, long))
}

// cutRunes gives at most so many characters, the last of them an ellipsis when some were left out.
func cutRunes(s string, limit int) string { return cut(s, limit, characters) }

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

// newsOf is the word for what became of an alert; empty for the alert itself.
func newsOf(kind models.DeliveryKind) string {
	if kind == models.TellAlert {
		return ""
	}
	return string(kind)
}

// isGood reports whether what is told is good news: it is over, or somebody is on it.
func isGood(kind models.DeliveryKind) bool {
	return kind == models.TellResolved || kind == models.TellAcknowledged
}

// maxBy is how much of the name of who did something is shown, in characters.
const maxBy = 60

// statusText is how the alert is, and by whom it became so: "acknowledged by oncall at 2025-12-12 10:40:00 UTC".
func statusText(n Notification) string {
	a, by := n.Alert, ""
	if n.Change != nil {
		by = " by " + cutRunes(visible(n.Change.By), maxBy)
	}
	switch kind := n.tells(); {
	case (kind == models.TellAcknowledged || kind == models.TellReopened) && n.Change != nil:
		return strings.ToLower(string(kind)) + by + " at " + timeText(n.Change.At)
	case kind == models.TellAcknowledged || kind == models.TellReopened:
		return strings.ToLower(string(kind))
	case a.IsResolved():
		return "resolved" + by + " at " + timeText(*a.ResolvedAt)
	case kind == models.TellResolved:
		return "resolved" + by
	case a.AcknowledgedAt != nil: // before the alert itself was told
		return "acknowledged at " + timeText(*a.AcknowledgedAt)
	}
	return "open"
}

// noteText is the note of who did what is told; empty when there is none.
func noteText(n Notification) string {
	if n.Change == nil || n.Change.Text == nil {
		return ""
	}
	return *n.Change.Text
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
