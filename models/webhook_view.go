package models

import (
	"encoding/json"
	"errors"
	"mime"
	"strings"
	"time"

	"github.com/rustbucket/alerts/models/bodytemplate"
)

// EventDigest is .Event in a body template's view of a digest; for a single alert see DigestItem.Event.
const EventDigest = "digest"

// Event says in one word what is told about an alert: "alert", "acknowledged", "resolved", "reopened", or "test".
func (i DigestItem) Event() string {
	switch {
	case i.Alert.ID == 0: // never stored: see notifiers.TestNotification
		return "test"
	case i.Kind == "":
		return "alert"
	}
	return strings.ToLower(string(i.Kind))
}

// BodyFacts is what a body template is told beside the alerts.
type BodyFacts struct {
	Title string              // of a digest, for .Message
	Link  func(*Alert) string // where people see an alert; empty when it is not known
}

// AlertView is what a body template sees of one alert. docs/channels/webhook.md lists it.
func AlertView(i DigestItem, f BodyFacts) bodytemplate.Record {
	view := itemView(i, f)
	view["Alerts"] = bodytemplate.List{itemView(i, f)}
	view["Count"], view["Omitted"] = int64(1), int64(0)
	return view
}

// DigestView is what a body template sees of a digest, of which it lists so many alerts.
func DigestView(d *Digest, listed int, f BodyFacts) bodytemplate.Record {
	oldest, newest := d.Span()
	occurrences, resolved := 0, true
	for _, item := range d.Items {
		occurrences += item.Alert.Occurrences
		resolved = resolved && item.resolved()
	}
	view := bodytemplate.Record{
		"ID": int64(0), "Type": EventDigest, "Severity": d.Worst().String(), "SeverityLower": d.Worst().Lower(), "Message": f.Title,
		"IsResolved": resolved, "Event": EventDigest, "By": "", "Note": "", "CreatedAt": viewTime(oldest), "ResolvedAt": "",
		"Rustbucket": bodytemplate.Record{"ID": "", "Name": ""}, "Details": json.RawMessage("{}"), "Occurrences": int64(occurrences), "Link": "",
		"Count": int64(len(d.Items)), "Omitted": int64(len(d.Items) - listed),
	}
	if resolved {
		view["ResolvedAt"] = viewTime(newest)
	}
	alerts := make(bodytemplate.List, listed)
	for i, item := range d.Items[:listed] {
		alerts[i] = itemView(item, f)
	}
	view["Alerts"] = alerts
	return view
}

func (i DigestItem) resolved() bool { return i.Kind == TellResolved || i.Alert.IsResolved() }

// itemView is an alert among .Alerts.
func itemView(i DigestItem, f BodyFacts) bodytemplate.Record {
	a := i.Alert
	view := bodytemplate.Record{
		"ID": a.ID, "Type": a.Type, "Severity": a.Severity.String(), "SeverityLower": a.Severity.Lower(), "Message": a.Message,
		"IsResolved": i.resolved(), "Event": i.Event(), "By": "", "Note": "", "CreatedAt": viewTime(a.CreatedAt), "ResolvedAt": "",
		"Rustbucket": bodytemplate.Record{"ID": "", "Name": ""}, "Details": json.RawMessage("{}"), "Occurrences": int64(a.Occurrences), "Link": "",
	}
	if i.Change != nil {
		view["By"] = i.Change.By
		if i.Change.Text != nil {
			view["Note"] = *i.Change.Text
		}
	}
	if a.ResolvedAt != nil {
		view["ResolvedAt"] = viewTime(*a.ResolvedAt)
	}
	if a.Rustbucket != nil {
		view["Rustbucket"] = bodytemplate.Record{"ID": a.Rustbucket.ID, "Name": a.Rustbucket.Name}
	}
	if len(a.Details) > 0 {
		view["Details"] = a.Details
	}
	if f.Link != nil {
		view["Link"] = f.Link(a)
	}
	return view
}

// viewTime writes a time as the usual body does: RFC 3339, UTC, whole seconds without a fraction.
func viewTime(t time.Time) string {
	return t.UTC().Truncate(time.Microsecond).Format(time.RFC3339Nano)
}

// validBodyTemplate runs the template on alerts of every kind. With a Content-Type of JSON it must make JSON of all of them.
func (c *WebhookConfig) validBodyTemplate(field string) error {
	t, err := bodytemplate.Compile(*c.BodyTemplate)
	if err != nil {
		return Invalid(field, "%s", err)
	}
	for _, s := range bodySamples() {
		if _, err := t.Try(s.view, c.sendsJSON()); err != nil {
			var e *bodytemplate.Error
			if errors.As(err, &e) && e.Line > 0 {
				return Invalid(field, "line %d, for %s: %s", e.Line, s.name, e.Message)
			}
			return Invalid(field, "for %s: %s", s.name, err)
		}
	}
	return nil
}

// sendsJSON reports whether the channel says that its bodies are JSON.
func (c *WebhookConfig) sendsJSON() bool {
	for name, value := range c.Headers {
		if strings.EqualFold(name, "Content-Type") {
			kind, _, err := mime.ParseMediaType(value)
			return err == nil && (kind == "application/json" || strings.HasSuffix(kind, "+json"))
		}
	}
	return true
}
