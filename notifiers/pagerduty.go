package notifiers

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/rustbucket/alerts/models"
)

const pagerdutyURL = "https://events.pagerduty.com/v2/enqueue"

// Limits of an event. PagerDuty does not say how it counts characters: of the usual ways, UTF-16 units are the most. A
// dedup_key may have 255; Notification.AlertKey is far shorter.
const (
	pagerdutySummaryMax = 1024
	pagerdutyBodyMax    = 512_000 // bytes: "512 KB", whichever kind of KB is meant
)

// pagerduty opens and closes incidents by PagerDuty's Events API v2
// (https://developer.pagerduty.com/docs/events-api-v2-overview).
type pagerduty struct {
	*poster
}

type pagerdutyEvent struct {
	RoutingKey string            `json:"routing_key"`
	Action     string            `json:"event_action"`
	DedupKey   string            `json:"dedup_key,omitempty"`
	Payload    *pagerdutyPayload `json:"payload,omitempty"`
	Client     string            `json:"client,omitempty"`
	ClientURL  string            `json:"client_url,omitempty"`
	Links      []pagerdutyLink   `json:"links,omitempty"`
}

type pagerdutyPayload struct {
	Summary   string           `json:"summary"`
	Source    string           `json:"source"`
	Severity  string           `json:"severity"`
	Timestamp string           `json:"timestamp"`
	Component string           `json:"component,omitempty"`
	Group     string           `json:"group,omitempty"`
	Class     string           `json:"class"`
	Details   pagerdutyDetails `json:"custom_details"`
}

type pagerdutyDetails struct {
	Message     string             `json:"message"`
	AlertID     int64              `json:"alert_id"`
	AlertType   string             `json:"alert_type"`
	Rustbucket  *webhookRustbucket `json:"rustbucket,omitempty"`
	Occurrences int                `json:"occurrences"`
	Details     json.RawMessage    `json:"details,omitempty"`
	Note        string             `json:"note,omitempty"` // what was left out
}

type pagerdutyLink struct {
	Href string `json:"href"`
	Text string `json:"text"`
}

func (p *pagerduty) Send(ctx context.Context, n Notification) Outcome {
	config := n.Config.(*models.PagerDutyConfig)
	endpoint := pagerdutyURL
	if config.URL != nil {
		endpoint = *config.URL
	}
	secrets := func() redactor { return keySecrets(config.RoutingKey, config.URL) }
	return p.postJSON(ctx, endpoint, nil, p.event(config.RoutingKey, n), secrets, judgePagerDuty)
}

// event is what is told. Events about one alert have one dedup_key, which is how PagerDuty knows the incident to close.
func (p *pagerduty) event(key string, n Notification) *pagerdutyEvent {
	e := &pagerdutyEvent{RoutingKey: key, DedupKey: n.AlertKey}
	switch n.tells() {
	case models.TellResolved:
		e.Action = "resolve"
		return e
	case models.TellAcknowledged:
		e.Action = "acknowledge"
		return e
	}
	// Triggered again, an incident that was closed is a new one with the same key.
	a := n.Alert
	e.Action, e.Client = "trigger", ourName
	e.Payload = &pagerdutyPayload{
		Summary:   incidentTitle(a, pagerdutySummaryMax, utf16Units),
		Source:    "rustbucket-alerts", // what has the problem; must be given
		Severity:  pagerdutySeverity(a.Severity),
		Timestamp: stamp(a.CreatedAt),
		Class:     cutRunes(a.Type, models.MaxName),
		Details: pagerdutyDetails{
			Message: cutRunes(a.Message, models.MaxMessage), AlertID: a.ID, AlertType: cutRunes(a.Type, models.MaxName),
			Occurrences: a.Occurrences, Details: bytes.ToValidUTF8(a.Details, []byte("\uFFFD")),
		},
	}
	if r := a.Rustbucket; r != nil {
		id, name := cutRunes(r.ID, models.MaxName), cutRunes(r.Name, models.MaxName)
		e.Payload.Source = rustbucketText(&models.Rustbucket{ID: id, Name: name})
		e.Payload.Component, e.Payload.Group = id, "rustbuckets"
		e.Payload.Details.Rustbucket = &webhookRustbucket{ID: id, Name: name}
	}
	if link := p.link(a); link != "" {
		e.ClientURL = link
		e.Links = []pagerdutyLink{{Href: link, Text: fmt.Sprintf("Alert %d", a.ID)}}
	}
	e.fit()
	return e
}

// fit leaves out the alert's details when the body would be too large. All the rest is bounded, far below the limit.
func (e *pagerdutyEvent) fit() {
	body, err := encodeJSON(e)
	if err != nil || len(body) <= pagerdutyBodyMax {
		return // postJSON says what cannot be written
	}
	d := &e.Payload.Details
	d.Note = fmt.Sprintf("The alert's details (%d bytes) were left out: PagerDuty takes no more than 512 KB.", len(d.Details))
	d.Details = nil
}

func pagerdutySeverity(s models.Severity) string {
	switch s {
	case models.SeverityHigh:
		return "critical"
	case models.SeverityMedium:
		return "warning"
	}
	return "info"
}

// pagerdutyAnswer is what PagerDuty says of an event that it does not take.
type pagerdutyAnswer struct {
	Message string   `json:"message"`
	Errors  []string `json:"errors"`
}

// judgePagerDuty knows the statuses that PagerDuty documents: 202, 400, 429, 5xx. The key is in the body, so a wrong one makes
// the event invalid: 400, which only the words tell from an event that is invalid otherwise. No event reaches anybody with
// such a key, so the channel is broken. Nothing says that 401 or 403 mean the key: they are from something in between, which
// may dislike this one text, and stay with the table of all.
func judgePagerDuty(a answer) Outcome {
	o := byStatus(a)
	if o.Result == Delivered {
		return o
	}
	var shown, said pagerdutyAnswer
	words := readAnswer(a.body, &shown)
	if words == "" {
		words = firstWords(strings.Join(append([]string{shown.Message}, shown.Errors...), "; "), maxWords)
		words = strings.TrimPrefix(words, "; ")
	}
	plain := readAnswer(a.raw, &said) // masked text may hide the words that decide
	if a.status == http.StatusBadRequest && (refusesKey(plain) || refusesKey(said.Message) || slices.ContainsFunc(said.Errors, refusesKey)) {
		o = Outcome{Result: ChannelBroken, Error: `PagerDuty refuses the integration key: give the channel that of an integration "Events API v2"`}
	}
	return explained(o, words)
}

// refusesKey knows the words for a routing key that is unknown, or is none. They begin an error: further on there may be a
// text of ours.
func refusesKey(words string) bool {
	words = strings.ToLower(strings.TrimSpace(words))
	return strings.HasPrefix(words, "invalid routing key") || strings.HasPrefix(words, "'routing_key'") ||
		strings.HasPrefix(words, "length of 'routing_key'")
}
