package ingest

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/rustbucket/alerts/models"
)

// maxPlain is how many alerts one body of our own may have, as createAlerts may.
const maxPlain = 1000

// maxTurns is how often one body may say of one dedup key that it is over: each time is a step of its own.
const maxTurns = 10

// turns counts that, by dedup key.
type turns map[string]int

func (t turns) take(key string) bool {
	t[key]++
	return t[key] <= maxTurns
}

func tooManyTurns(field string) error {
	return models.Invalid(field, "is resolved more than %d times in one body: send it in parts", maxTurns)
}

// parsePlain reads a body of /ingest/json: one alert, or an array of them. The fields are those of createAlert.
func parsePlain(body []byte, by reporter) ([]models.Report, error) {
	list := []json.RawMessage{body}
	array := bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("["))
	if array {
		var err error
		if list, err = parseList("", body, maxPlain); err != nil {
			return nil, err
		}
		if len(list) == 0 {
			return nil, wrong("", "has no alerts: give 1 to %d", maxPlain)
		}
	}
	reports := make([]models.Report, len(list))
	over := make(turns)
	for i, raw := range list {
		path := ""
		if array {
			path = place("", i)
		}
		r, err := parseReport(path, raw, by)
		if err != nil {
			return nil, err
		}
		if r.Alert == nil && !over.take(r.Over) {
			return nil, tooManyTurns(object{path: path}.at("dedupKey"))
		}
		reports[i] = r
	}
	return reports, nil
}

func parseReport(path string, raw json.RawMessage, by reporter) (models.Report, error) {
	r := by.report()
	o, err := parseObject(path, raw)
	if err != nil {
		return r, err
	}
	if err := o.only("type", "severity", "message", "rustbucket", "details", "dedupKey", "notify", "status"); err != nil {
		return r, err
	}
	resolved, err := isResolved(o, true)
	if err != nil {
		return r, err
	}
	a := &models.NewAlert{Notify: true, CreatedBy: r.By.TokenID, TraceParent: by.trace}
	if a.Type, err = o.text("type"); err != nil {
		return r, err
	}
	if a.Message, err = o.text("message"); err != nil {
		return r, err
	}
	if a.Severity, err = severityIn(o); err != nil {
		return r, err
	}
	if a.Rustbucket, err = rustbucketIn(o); err != nil {
		return r, err
	}
	if a.Details, err = detailsIn(o); err != nil {
		return r, err
	}
	if o.has("notify") && json.Unmarshal(o.fields["notify"], &a.Notify) != nil {
		return r, models.Invalid(o.at("notify"), "is neither true nor false")
	}
	if o.has("dedupKey") {
		key, err := o.text("dedupKey")
		if err != nil {
			return r, err
		}
		a.DedupKey = &key
	}
	if !resolved {
		r.Alert = a
		return r, under(path, a.Valid(""))
	}
	if a.DedupKey == nil {
		return r, models.Invalid(o.at("dedupKey"), "is missing: it says which alert is resolved")
	}
	over := models.NewAlert{Type: "x", Message: "x", DedupKey: a.DedupKey, CreatedBy: a.CreatedBy} // the key alone counts
	r.Over = *a.DedupKey
	return r, under(path, over.Valid(""))
}

// isResolved reads the field status.
func isResolved(o object, optional bool) (bool, error) {
	status, err := o.text("status")
	switch {
	case err != nil:
		return false, err
	case status == "firing", status == "" && optional && !o.has("status"):
		return false, nil
	case status == "resolved":
		return true, nil
	}
	return false, models.Invalid(o.at("status"), `is %.40q: it is "firing" or "resolved"`, status)
}

func severityIn(o object) (severity models.Severity, err error) {
	name, err := o.text("severity")
	if err != nil || !o.has("severity") {
		return models.SeverityLow, err
	}
	if err := severity.UnmarshalGQL(strings.ToUpper(name)); err != nil {
		return severity, models.Invalid(o.at("severity"), "is %.40q: use one of low, medium, high", name)
	}
	return severity, nil
}

func rustbucketIn(o object) (*models.Rustbucket, error) {
	if !o.has("rustbucket") {
		return nil, nil
	}
	inner, err := o.object("rustbucket")
	if err != nil {
		return nil, err
	}
	if err := inner.only("id", "name"); err != nil {
		return nil, err
	}
	r := new(models.Rustbucket)
	if r.ID, err = inner.text("id"); err != nil {
		return nil, err
	}
	r.Name, err = inner.text("name")
	return r, err
}

// detailsIn keeps numbers as they were written, and gives what it reads written anew, as createAlert does.
func detailsIn(o object) (json.RawMessage, error) {
	if !o.has("details") {
		return nil, nil
	}
	if n := len(o.fields["details"]); n > 8*models.MaxDetailsBytes { // what is written shorter, without escapes and spaces, may fit
		return nil, models.Invalid(o.at("details"), "is %d bytes of JSON; at most %d are kept", n, models.MaxDetailsBytes)
	}
	if _, err := o.object("details"); err != nil {
		return nil, err
	}
	var details any
	dec := json.NewDecoder(bytes.NewReader(o.fields["details"]))
	dec.UseNumber()
	if err := dec.Decode(&details); err != nil {
		return nil, notJSON(o.at("details"), err)
	}
	return encode(details), nil
}
