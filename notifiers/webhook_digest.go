package notifiers

import (
	"encoding/json"

	"github.com/rustbucket/alerts/models"
)

// Bounds of a digest's body in bytes: receivers refuse what is too large, mostly from 1 MB on.
const (
	webhookDigestMax = 256 << 10
	webhookTypesMax  = 32 << 10 // of by_type in it
	// webhookFrameMax is more than all of the body beside by_type and the alerts takes.
	webhookFrameMax = 256
)

// webhookDigest is the body that tells several alerts.
type webhookDigest struct {
	Digest     bool              `json:"digest"` // always true: it tells a digest from an alert
	Count      int               `json:"count"`
	BySeverity webhookSeverities `json:"by_severity"`
	ByType     map[string]int    `json:"by_type"`
	Alerts     []json.RawMessage `json:"alerts"` // each a webhookBody, the worst first
	Omitted    int               `json:"omitted"`
}

type webhookSeverities struct {
	High   int `json:"high"`
	Medium int `json:"medium"`
	Low    int `json:"low"`
}

// marshalDigest writes the body of at most webhookDigestMax bytes. What does not fit is left out from the end, which is the
// least severe and oldest, and of the types the rarest.
func marshalDigest(d *models.Digest) ([]byte, error) {
	body := webhookDigest{Digest: true, Count: len(d.Items), ByType: map[string]int{}, Alerts: []json.RawMessage{}}
	for _, item := range d.Items {
		switch item.Alert.Severity {
		case models.SeverityHigh:
			body.BySeverity.High++
		case models.SeverityMedium:
			body.BySeverity.Medium++
		default:
			body.BySeverity.Low++
		}
	}
	types := 0
	for _, c := range d.ByType() {
		name, err := encodeJSON(c.Name)
		if err != nil {
			return nil, err
		}
		if types += len(name) + len(`:500,`); types > webhookTypesMax {
			break
		}
		body.ByType[c.Name] = c.N
	}
	room := webhookDigestMax - webhookFrameMax - min(types, webhookTypesMax)
	for i, item := range d.Items {
		alert, err := marshalWebhook(item.Alert, item.Kind)
		if err != nil {
			return nil, err
		}
		if room -= len(alert) + len(","); room < 0 {
			body.Omitted = len(d.Items) - i
			break
		}
		body.Alerts = append(body.Alerts, alert)
	}
	return encodeJSON(&body)
}
