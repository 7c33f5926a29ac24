package notifiers

import (
	"fmt"
	"time"

	"github.com/rustbucket/alerts/models"
)

// What Slack, Teams and Discord have in common: they show an alert as a card with a title, facts and the message.

// chatFact is one line of what is known about an alert. Nothing in it is escaped, and both are never empty.
type chatFact struct{ name, value string }

func chatFacts(n Notification) []chatFact {
	a := n.Alert
	facts := []chatFact{
		{"Severity", a.Severity.String()},
		{"Type", visible(a.Type)},
		{"Rustbucket", visible(rustbucketText(a.Rustbucket))},
		{"Status", statusText(n)},
	}
	if note := noteText(n); note != "" {
		facts = append(facts, chatFact{"Note", visible(note)})
	}
	return facts
}

// visible is a text on one line. Services refuse a field with nothing to see in it.
func visible(s string) string {
	if s = oneLine(s); s != "" {
		return s
	}
	return "–"
}

// toldAt is when what is told happened.
func toldAt(n Notification) time.Time {
	return changedAt(n.tells(), n.Alert, n.Change)
}

// changedAt is when an alert became what is told of it.
func changedAt(kind models.DeliveryKind, a *models.Alert, change *models.AlertEvent) time.Time {
	switch {
	case kind == models.TellResolved && a.ResolvedAt != nil:
		return *a.ResolvedAt
	case kind != models.TellAlert && change != nil:
		return change.At
	}
	return a.CreatedAt
}

// chatFooter says who sends it, and which alert it is unless it is a test.
func chatFooter(a *models.Alert) string {
	if a.ID == 0 {
		return "Rustbucket Alerts"
	}
	return fmt.Sprintf("Rustbucket Alerts, alert %d", a.ID)
}

// chatSeverity is the severity that gives a message its colour; good news is low.
func chatSeverity(n Notification) models.Severity {
	if n.Digest != nil {
		worst, open := digestWorst(n.Digest)
		if !open {
			return models.SeverityLow
		}
		return worst
	}
	if isGood(n.tells()) {
		return models.SeverityLow
	}
	return n.Alert.Severity
}

// chatMark shows at a glance what a line of a digest tells.
func chatMark(line digestLine) string {
	switch {
	case line.kind == models.TellResolved:
		return "✅ "
	case line.kind == models.TellAcknowledged:
		return "👀 "
	case line.severity == models.SeverityHigh:
		return "🔴 "
	case line.severity == models.SeverityMedium:
		return "🟡 "
	}
	return "🟢 "
}

// chatRest introduces the query that shows all of a digest.
func chatRest(left int) string {
	if left > 0 {
		return fmt.Sprintf("%d more, and all in full: paste this into the playground", left)
	}
	return "All in full: paste this into the playground"
}
