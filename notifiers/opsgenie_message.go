package notifiers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/rustbucket/alerts/models"
)

// Limits of an alert at Opsgenie (https://docs.opsgenie.com/docs/alert-api), in UTF-16 units: it is written in a language
// that counts so. An alias may have 512; Notification.AlertKey is far shorter.
const (
	opsgenieMessageMax     = 130
	opsgenieDescriptionMax = 15_000
	opsgenieNoteMax        = 25_000
	opsgenieEntityMax      = 512
	opsgenieTagMax         = 50
	opsgenieDetailsMax     = 8000 // names and values together
	opsgenieValueMax       = 2000 // ours: one value leaves room for others
)

type opsgenieAlert struct {
	Message     string            `json:"message"`
	Alias       string            `json:"alias,omitempty"`
	Description string            `json:"description"`
	Tags        []string          `json:"tags"`
	Details     map[string]string `json:"details"`
	Entity      string            `json:"entity,omitempty"`
	Source      string            `json:"source"`
	Priority    string            `json:"priority"`
}

// opsgenieNote is the body that closes or acknowledges an alert. The alias stands in the URL.
type opsgenieNote struct {
	Source string `json:"source"`
	Note   string `json:"note"`
}

// opsgenieNoting says what was done with the alert, by whom, and their note.
func opsgenieNoting(n Notification) opsgenieNote {
	words := "The alert was " + strings.ToLower(newsOf(n.tells()))
	if n.Change != nil {
		words += " by " + cutRunes(visible(n.Change.By), maxBy)
	}
	words += "."
	if note := noteText(n); note != "" {
		words += "\n\n" + note
	}
	return opsgenieNote{Source: ourName, Note: cut(words, opsgenieNoteMax, utf16Units)}
}

// opening is the alert to be created. Its alias is how the service knows it when it is to be closed, and a second copy.
func (o *opsgenie) opening(n Notification) opsgenieAlert {
	a, link := n.Alert, o.link(n.Alert)
	message := opsgenieAlert{
		Message:     incidentTitle(a, opsgenieMessageMax, utf16Units),
		Alias:       n.AlertKey,
		Description: opsgenieDescription(a, link),
		Tags:        []string{cut(oneLine(a.Type), opsgenieTagMax, utf16Units), a.Severity.Lower()},
		Details:     opsgenieDetails(a, link),
		Source:      ourName,
		Priority:    opsgeniePriority(a.Severity),
	}
	if a.Rustbucket != nil {
		message.Entity = cut(rustbucketText(a.Rustbucket), opsgenieEntityMax, utf16Units)
	}
	return message
}

func opsgeniePriority(s models.Severity) string {
	switch s {
	case models.SeverityHigh:
		return "P1"
	case models.SeverityMedium:
		return "P3"
	}
	return "P5"
}

// opsgenieDescription is the whole message with the facts below it, which stay when the message is cut.
func opsgenieDescription(a *models.Alert, link string) string {
	facts := fmt.Sprintf("\n\nSeverity: %s\nTime: %s", a.Severity, timeText(a.CreatedAt))
	if a.Rustbucket != nil {
		facts += "\nRustbucket: " + cutRunes(rustbucketText(a.Rustbucket), 2*models.MaxName+3)
	}
	if link != "" {
		facts += "\n" + link
	}
	return cut(a.Message, opsgenieDescriptionMax-utf16Units(facts), utf16Units) + facts
}

// opsgenieDetails are the properties of the alert: ours, then the alert's own details in the order of their names, as many as
// fit. Values that are no strings stand there as JSON.
func opsgenieDetails(a *models.Alert, link string) map[string]string {
	p := properties{values: make(map[string]string), room: opsgenieDetailsMax}
	p.add("alert_id", strconv.FormatInt(a.ID, 10))
	p.add("alert_type", a.Type)
	p.add("severity", a.Severity.Lower())
	p.add("occurrences", strconv.Itoa(a.Occurrences))
	if a.Rustbucket != nil {
		p.add("rustbucket_id", a.Rustbucket.ID)
		p.add("rustbucket_name", a.Rustbucket.Name)
	}
	if link != "" {
		p.add("link", link)
	}
	const note, noteRoom = "left_out", 60
	p.room -= noteRoom
	var own map[string]json.RawMessage
	if err := json.Unmarshal(a.Details, &own); err != nil {
		return p.values // there are none: they are an object, see models.Alert
	}
	for _, name := range slices.Sorted(maps.Keys(own)) {
		p.addOwn(name, own[name])
	}
	if p.room += noteRoom; p.missing > 0 {
		p.add(note, fmt.Sprintf("%d more did not fit", p.missing))
	}
	return p.values
}

// properties gathers names and values as long as there is room.
type properties struct {
	values  map[string]string
	room    int // UTF-16 units
	missing int
}

func (p *properties) add(name, value string) {
	name, value = strings.ToValidUTF8(name, "\uFFFD"), cut(value, opsgenieValueMax, utf16Units)
	if need := utf16Units(name) + utf16Units(value); need <= p.room {
		p.values[name] = value
		p.room -= need
		return
	}
	p.missing++
}

// addOwn adds one of the alert's own details. A name that we use, or that is none, is told apart.
func (p *properties) addOwn(name string, value json.RawMessage) {
	if _, taken := p.values[name]; taken || strings.TrimSpace(name) == "" || name == "left_out" {
		name = "details." + name
	}
	var text string
	if json.Unmarshal(value, &text) != nil {
		var compact bytes.Buffer
		if json.Compact(&compact, value) != nil {
			return
		}
		text = compact.String()
	}
	p.add(name, text)
}
