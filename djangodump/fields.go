package djangodump

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"github.com/rustbucket/alerts/models"
)

// fields are the columns of a row. The errors of its methods name the column and never show what is in it.
type fields map[string]json.RawMessage

func readFields(raw json.RawMessage) (fields, error) {
	var f fields
	err := json.Unmarshal(raw, &f)
	return f, err
}

// lacks reports whether there is nothing, or null, under a name.
func (f fields) lacks(name string) bool {
	raw, ok := f[name]
	return !ok || string(bytes.TrimSpace(raw)) == "null"
}

// text gives a text, "" when there is none.
func (f fields) text(path, name string) (string, error) {
	var s string
	if !f.lacks(name) && json.Unmarshal(f[name], &s) != nil {
		return "", models.Invalid(path+name, "is not a text")
	}
	return s, nil
}

// flag gives true or false, otherwise when there is neither.
func (f fields) flag(name string, otherwise bool) (bool, error) {
	if !f.lacks(name) && json.Unmarshal(f[name], &otherwise) != nil {
		return false, models.Invalid(name, "is neither true nor false")
	}
	return otherwise, nil
}

// texts gives a list of texts; it may be JSON in a text, as older forms of the admin stored it.
func (f fields) texts(path, name string) ([]string, error) {
	var list []string
	if f.lacks(name) || unwrap(f[name], &list) == nil {
		for i := range list {
			list[i] = strings.TrimSpace(list[i])
		}
		return list, nil
	}
	return nil, models.Invalid(path+name, `is not a list of texts, such as ["one", "two"]`)
}

// object gives a JSON object; it may be JSON in a text.
func (f fields) object(path, name string) (fields, error) {
	var o fields
	if f.lacks(name) || unwrap(f[name], &o) == nil {
		return o, nil
	}
	return nil, models.Invalid(path+name, "is not a JSON object")
}

// unwrap reads JSON, also when it stands in a text. An empty text is nothing.
func unwrap(raw json.RawMessage, into any) error {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return json.Unmarshal(raw, into)
	}
	if strings.TrimSpace(s) == "" {
		return nil
	}
	return json.Unmarshal([]byte(s), into)
}

// moment gives a time in UTC, nil when there is none. One without a zone, as Django writes it with USE_TZ = False, counts
// as UTC, and zoned says so.
func (f fields) moment(name string) (t *time.Time, zoned bool, err error) {
	s, err := f.text("", name)
	if err != nil || s == "" {
		return nil, true, err
	}
	s = strings.Replace(s, " ", "T", 1)
	zoned = true
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		zoned = false
		at, err = time.Parse("2006-01-02T15:04:05", s)
	}
	at = at.UTC().Truncate(time.Microsecond) // the zone may lead out of the years that can be stored
	if err != nil || at.Year() < 1 || at.Year() > 9999 {
		return nil, true, models.Invalid(name, "is not a time such as 2025-12-12T10:30:00Z")
	}
	return &at, zoned, nil
}

// severity gives the severity; the registry counted one without as low.
func (f fields) severity(name string) (models.Severity, error) {
	s, err := f.text("", name)
	if err != nil || s == "" {
		return models.SeverityLow, err
	}
	var severity models.Severity
	if severity.UnmarshalGQL(strings.ToUpper(strings.TrimSpace(s))) != nil {
		return severity, models.Invalid(name, "%.40q is not a severity: it is low, medium or high", s)
	}
	return severity, nil
}

// key gives the key of the row that this one belongs to, "" when there is none.
func (f fields) key(name string) (string, error) {
	key, err := keyText(f[name])
	if err != nil {
		return "", models.Invalid(name, "is no key of another row")
	}
	return key, nil
}
