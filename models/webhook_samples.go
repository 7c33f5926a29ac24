package models

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/rustbucket/alerts/models/bodytemplate"
)

// bodySample is a view that a body template is tried on when it is saved.
type bodySample struct {
	name string
	view bodytemplate.Record
}

// bodySamples are alerts of every kind that a template has to cope with.
func bodySamples() []bodySample {
	bare, odd := SampleAlert(false), SampleAlert(false)
	bare.Rustbucket, bare.Details = nil, nil
	odd.Message = "\"quoted\" and 'quoted', a \\ backslash,\na line break,\ta tab, {{braces}}, <b>&amp;</b>, שלום 👩‍👩‍👧"
	odd.Type, odd.Rustbucket = "odd \"type\"\n", &Rustbucket{ID: "BKT\"1", Name: "Node \"1\"\n"}
	odd.Details = json.RawMessage(`{"load":"\"high\"","tags":[],"limits":null}`)
	test := SampleAlert(false)
	test.ID, test.Details = 0, nil
	digest := SampleDigest()
	facts := BodyFacts{Title: SampleDigestTitle, Link: sampleLink}
	return []bodySample{
		{"an ordinary alert", AlertView(Sample(TellAlert), facts)},
		{"an alert without rustbucket and details", AlertView(DigestItem{Alert: bare}, BodyFacts{})},
		{"an alert with quotes and line breaks", AlertView(DigestItem{Alert: odd}, facts)},
		{"an alert that was resolved", AlertView(Sample(TellResolved), facts)},
		{"an alert that was acknowledged", AlertView(Sample(TellAcknowledged), facts)},
		{"an alert that was reopened", AlertView(Sample(TellReopened), facts)},
		{"a digest", DigestView(digest, len(digest.Items), facts)},
		{"a test", AlertView(DigestItem{Alert: test}, BodyFacts{})},
	}
}

// SampleDigestTitle is what a digest like SampleDigest is called.
const SampleDigestTitle = "Rustbucket Alert: 2 alerts, 1 resolved"

// SampleAlert is an alert as a template may meet it.
func SampleAlert(resolved bool) *Alert {
	a := &Alert{
		ID: 123, Type: "high_cpu", Severity: SeverityHigh, Message: "Load above 0.9 for 5 minutes", Occurrences: 2, Notify: true,
		Details:    json.RawMessage(`{"load":0.97,"cores":8,"tags":["eu","web"],"limits":{"load":0.9}}`),
		Rustbucket: &Rustbucket{ID: "BKT123456", Name: "Production Node 1"},
		CreatedAt:  time.Date(2025, 12, 12, 10, 30, 0, 0, time.UTC),
	}
	if resolved {
		at := a.CreatedAt.Add(30 * time.Minute)
		a.ResolvedAt = &at
	}
	return a
}

// Sample is what may be told of an alert.
func Sample(kind DeliveryKind) DigestItem {
	i := DigestItem{Kind: kind, Alert: SampleAlert(kind == TellResolved)}
	if kind != TellAlert {
		note := "The backup \"nightly\" was still running"
		i.Change = &AlertEvent{At: i.Alert.CreatedAt.Add(30 * time.Minute), By: "on call", Kind: AlertEventKind(kind), Text: &note}
	}
	return i
}

// SampleDigest is a digest as a template may meet it.
func SampleDigest() *Digest {
	second := SampleAlert(false)
	second.ID, second.Severity, second.Message, second.Rustbucket, second.Details = 124, SeverityLow, "Backup \"nightly\" took\n2 hours", nil, nil
	return NewDigest(1, []DigestItem{{Kind: TellAlert, Alert: SampleAlert(false)}, {Kind: TellAlert, Alert: second}, {Kind: TellResolved, Alert: SampleAlert(true)}})
}

func sampleLink(a *Alert) string { return fmt.Sprintf("https://alerts.example.com/alerts/%d", a.ID) }
