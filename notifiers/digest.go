package notifiers

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/rustbucket/alerts/models"
)

// Bounds of a digest that people read, in characters unless the name says otherwise. It is an overview: whoever needs the
// rest gets a query for it.
const (
	digestLines   = 20 // alerts that are listed
	digestTypes   = 10 // types that are counted one by one
	digestWords   = 80 // of an alert's message
	digestNameMax = 40 // of a type, and of a rustbucket's name and id
)

// digestText is a digest in words, for every notifier that writes to people. Nothing in it is escaped.
type digestText struct {
	title      string // "Rustbucket Alert: 40 alerts, 1 acknowledged, 2 resolved"
	severities string // "HIGH 3, MEDIUM 20, LOW 19"
	types      string // "high_cpu 30, error 12"
	span       string // when it happened
	lines      []digestLine
	query      string // gives all of it, in the playground
}

// digestLine is one alert of it.
type digestLine struct {
	severity models.Severity
	kind     models.DeliveryKind // what it tells
	text     string
}

// describeDigest puts a digest into words; of the alerts it lists the first, which are the worst.
func describeDigest(d *models.Digest) digestText {
	oldest, newest := digestSpan(d)
	t := digestText{
		title:      "Rustbucket Alert: " + digestCount(d),
		severities: countsText(d.BySeverity(), "severities"),
		types:      countsText(d.ByType(), "types"),
		span:       timeText(oldest) + " to " + timeText(newest),
		query:      digestQuery(d.ChannelID, oldest, newest),
	}
	for _, item := range d.Items[:min(len(d.Items), digestLines)] {
		t.lines = append(t.lines, lineOf(item))
	}
	return t
}

// digestCount keeps apart what came in and what became of alerts: all is told, and it is not the same news.
func digestCount(d *models.Digest) string {
	n := make(map[models.DeliveryKind]int)
	for _, item := range d.Items {
		n[kindOf(item)]++
	}
	var parts []string
	for _, kind := range []models.DeliveryKind{models.TellAlert, models.TellReopened, models.TellAcknowledged, models.TellResolved} {
		if n[kind] == 0 {
			continue
		}
		part := fmt.Sprint(n[kind])
		switch {
		case len(parts) > 0:
		case n[kind] == 1:
			part += " alert"
		default:
			part += " alerts"
		}
		if news := newsOf(kind); news != "" {
			part += " " + strings.ToLower(news)
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}

// kindOf is what an item tells.
func kindOf(item models.DigestItem) models.DeliveryKind { return cmp.Or(item.Kind, models.TellAlert) }

// digestWorst is the severity that gives a digest its colour, good news left out. False means that there is nothing else.
func digestWorst(d *models.Digest) (worst models.Severity, open bool) {
	for _, item := range d.Items {
		if !isGood(kindOf(item)) {
			worst, open = max(worst, item.Alert.Severity), true
		}
	}
	return worst, open
}

// digestSpan is when the deliveries were created: with the alert, or with what became of it, which may be much later.
func digestSpan(d *models.Digest) (oldest, newest time.Time) {
	for n, item := range d.Items {
		at := changedAt(kindOf(item), item.Alert, item.Change)
		if n == 0 || at.Before(oldest) {
			oldest = at
		}
		if at.After(newest) {
			newest = at
		}
	}
	return oldest, newest
}

// digestQuery reaches a second beyond both ends, so that whole seconds do. 500 is the largest page there is.
func digestQuery(channelID int64, oldest, newest time.Time) string {
	after := oldest.UTC().Truncate(time.Second)
	before := newest.UTC().Truncate(time.Second).Add(2 * time.Second)
	return fmt.Sprintf(`{ deliveries(first: 500, filter: {channelId: "%d", createdAfter: "%s", createdBefore: "%s"}) `+
		`{ nodes { status alert { id type severity message } } } }`,
		channelID, after.Format(time.RFC3339), before.Format(time.RFC3339))
}

// countsText lists the first counts and sums up the others.
func countsText(counts []models.Count, what string) string {
	var b strings.Builder
	for i, c := range counts {
		if i == digestTypes {
			rest := 0
			for _, c := range counts[i:] {
				rest += c.N
			}
			fmt.Fprintf(&b, ", and %d of %d other %s", rest, len(counts)-i, what)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s %d", shortName(c.Name), c.N)
	}
	return b.String()
}

func lineOf(item models.DigestItem) digestLine {
	a := item.Alert
	line := digestLine{severity: a.Severity, kind: kindOf(item)}
	var b strings.Builder
	if news := newsOf(line.kind); news != "" {
		b.WriteString(news + " ")
	}
	fmt.Fprintf(&b, "%s %s: %s (", a.Severity, shortName(a.Type), firstWords(a.Message, digestWords))
	if a.Rustbucket != nil {
		fmt.Fprintf(&b, "%s, %s, ", shortName(a.Rustbucket.Name), shortName(a.Rustbucket.ID))
	}
	b.WriteString(timeText(a.CreatedAt))
	if a.ResolvedAt != nil {
		b.WriteString(", resolved at " + timeText(*a.ResolvedAt))
	}
	if line.kind != models.TellAlert && item.Change != nil {
		fmt.Fprintf(&b, ", by %s", shortName(visible(item.Change.By)))
		if item.Change.Text != nil {
			b.WriteString(": " + firstWords(*item.Change.Text, digestWords))
		}
	}
	fmt.Fprintf(&b, ", alert %d)", a.ID)
	line.text = b.String()
	return line
}

func shortName(s string) string { return cutRunes(oneLine(s), digestNameMax) }
