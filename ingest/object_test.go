package ingest

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/rustbucket/alerts/models"
)

func TestEntries_AreCountedAsJSONHasThem(t *testing.T) {
	for text, want := range map[string]int{
		`[]`: 0, " [ \n] ": 0, `{}`: 0, `[1]`: 1, `[[]]`: 1, `[{}]`: 1, `[""]`: 1, `[null, 2 , 3]`: 3, `[[1,2],[3,4]]`: 2,
		`["a,b", "c\",d", "\\", "]"]`: 4, `{"a": [1,2], "b,": {"c": 1, "d": 2}}`: 2, `{"a": "}{", "b": 1, "a": 2}`: 3,
	} {
		if !json.Valid([]byte(text)) {
			t.Errorf("%s is not JSON", text)
		}
		if n := entries([]byte(text)); n != want {
			t.Errorf("%s has %d, want %d", text, n, want)
		}
	}
	for _, text := range []string{``, `[`, `]`, `"`, `"\`, `[1,`, `}{`, `,,`} { // no JSON: anything but a panic
		_ = entries([]byte(text))
	}
}

// What is tiny in a body takes many times as much when it is read: too many are refused before.
func TestObject_HasNoMoreFieldsThanItMay(t *testing.T) {
	many := strings.Repeat(`"a": 1,`, maxFields) + `"b": 1}`
	for name, c := range map[string]struct{ body, field string }{
		"a body":      {`{` + many, ""},
		"labels":      {`{"alerts": [{"status": "firing", "labels": {` + many + `}]}`, "alerts.0.labels"},
		"annotations": {`{"alerts": [{"status": "firing", "labels": {}, "annotations": {` + many + `}]}`, "alerts.0.annotations"},
	} {
		_, err := parseNotification([]byte(c.body))
		var own *models.Error
		if !errors.As(err, &own) || own.Code != models.BadUserInput || own.Field != c.field || !strings.Contains(own.Message, "10001 fields") {
			t.Errorf("%s: %v", name, err)
		}
	}
	details := `{"type": "x", "message": "m", "details": {"a": [` + strings.Repeat("1,", 300_000) + `1]}}`
	_, err := parsePlain([]byte(details), node)
	var own *models.Error
	if !errors.As(err, &own) || own.Field != "details" {
		t.Errorf("details: %v", err)
	}
}
