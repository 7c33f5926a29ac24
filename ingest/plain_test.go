package ingest

import (
	"errors"
	"strings"
	"testing"

	"github.com/rustbucket/alerts/models"
)

func TestPlain_ReadsOneOrMany(t *testing.T) {
	reports, err := parsePlain([]byte(` {"type": "high_cpu", "severity": "High", "message": "m", "rustbucket": {"id": "BKT1", "name": "Node 1"},
		"details": {"load": 0.70, "big": 12345678901234567890, "url": "https://example.com/?a&b"}, "dedupKey": "cpu", "notify": false}`), node)
	if err != nil || len(reports) != 1 {
		t.Fatal(reports, err)
	}
	a := reports[0].Alert
	if a.Type != "high_cpu" || a.Severity != models.SeverityHigh || a.Message != "m" || *a.Rustbucket != (models.Rustbucket{ID: "BKT1", Name: "Node 1"}) ||
		string(a.Details) != `{"big":12345678901234567890,"load":0.70,"url":"https://example.com/?a&b"}` || *a.DedupKey != "cpu" || a.Notify || a.CreatedBy != 7 {
		t.Errorf("read %+v with %s", a, a.Details)
	}
	reports, err = parsePlain([]byte(`[{"type": "x", "message": "m", "severity": null, "status": "firing"}, {"status": "resolved", "dedupKey": "cpu", "type": "x", "message": ""}]`), node)
	if err != nil || len(reports) != 2 {
		t.Fatal(reports, err)
	}
	if a := reports[0].Alert; a.Severity != models.SeverityLow || !a.Notify || a.Rustbucket != nil || a.Details != nil || a.DedupKey != nil {
		t.Errorf("what is left out: %+v", a)
	}
	if reports[1].Alert != nil || reports[1].Over != "cpu" || reports[1].OwnKey != "" {
		t.Errorf("resolved: %+v", reports[1])
	}
}

func TestPlain_NamesWhatIsWrong(t *testing.T) {
	for body, field := range map[string]string{
		`"x"`:                                "",
		`{"type": "x"`:                       "",
		`[]`:                                 "",
		`[{"type": "x", "message": "m"}, 1]`: "1",
		`{"type": "x", "message": "m", "Severity": "low"}`:             "Severity",
		`{"type": "x", "message": "m", "details": {}, "createdBy": 1}`: "createdBy",
		`{"type": "x"}`:                                                                       "message",
		`{"message": "m"}`:                                                                    "type",
		`{"type": 1, "message": "m"}`:                                                         "type",
		`[{"type": "x", "message": " "}]`:                                                     "0.message",
		`{"type": "x", "message": "m", "severity": "urgent"}`:                                 "severity",
		`{"type": "x", "message": "m", "severity": 2}`:                                        "severity",
		`{"type": "x", "message": "m", "status": "open"}`:                                     "status",
		`{"type": "x", "message": "m", "status": ""}`:                                         "status",
		`{"type": "x", "message": "m", "notify": "no"}`:                                       "notify",
		`{"type": "x", "message": "m", "rustbucket": "BKT1"}`:                                 "rustbucket",
		`{"type": "x", "message": "m", "rustbucket": {"id": "BKT1"}}`:                         "rustbucket.name",
		`[{"type": "x", "message": "m", "rustbucket": {"id": "BKT1", "name": "n", "ip": 1}}]`: "0.rustbucket.ip",
		`{"type": "x", "message": "m", "details": []}`:                                        "details",
		`{"type": "x", "message": "m", "details": {"a": "\u0000"}}`:                           "details",
		`{"type": "x", "message": "m", "dedupKey": ""}`:                                       "dedupKey",
		`{"type": "x", "message": "m", "dedupKey": "rustbucket-alerts:x"}`:                    "dedupKey",
		`{"status": "resolved", "dedupKey": "rustbucket-alerts:channel_failing:1"}`:           "dedupKey",
		`{"status": "resolved"}`:                                                              "dedupKey",
		`[{"status": "resolved", "dedupKey": "` + strings.Repeat("k", 256) + `"}]`:            "0.dedupKey",
		`[` + strings.Repeat(`{"status": "resolved", "dedupKey": "k"},`, 10) + `{"status": "resolved", "dedupKey": "k"}]`: "10.dedupKey",
	} {
		_, err := parsePlain([]byte(body), node)
		var own *models.Error
		if !errors.As(err, &own) || own.Code != models.BadUserInput || own.Field != field || own.Message == "" {
			t.Errorf("%s: %v, want the field %q", body, err, field)
		}
	}
	many := `[` + strings.Repeat(`{"type": "x", "message": "m"},`, 1000) + `{"type": "x", "message": "m"}]`
	if _, err := parsePlain([]byte(many), node); !errors.As(err, new(errTooMany)) {
		t.Errorf("too many: %v", err)
	}
}

// FuzzPlain: whatever comes in is refused with an error of the caller's, or makes alerts that can be stored.
func FuzzPlain(f *testing.F) {
	f.Add([]byte(`{"type": "high_cpu", "severity": "High", "message": "m", "rustbucket": {"id": "BKT1", "name": "Node 1"}, "details": {"load": 0.70}, "dedupKey": "cpu", "notify": false}`))
	f.Add([]byte(`[{"type": "x", "message": "m"}, {"status": "resolved", "dedupKey": "k"}]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		reports, err := parsePlain(body, node)
		if err != nil {
			if !models.HasCode(err, models.BadUserInput) {
				t.Fatalf("%v", err)
			}
			return
		}
		for _, r := range reports {
			check(t, r)
		}
	})
}
