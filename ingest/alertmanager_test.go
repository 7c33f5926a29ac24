package ingest

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rustbucket/alerts/models"
)

var node = reporter{actor: models.Actor{Name: "prometheus", TokenID: 7}}

func read(t *testing.T, name string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// told gives what a body says.
func told(t *testing.T, body []byte) []models.Report {
	t.Helper()
	n, err := parseNotification(body)
	if err != nil {
		t.Fatal(err)
	}
	return n.reports(node)
}

// alert makes a body with one alert of these labels and annotations.
func alert(t *testing.T, labels, annotations map[string]string, more ...string) []byte {
	t.Helper()
	one := map[string]any{"status": "firing", "labels": labels, "annotations": annotations}
	for i := 0; i < len(more); i += 2 {
		one[more[i]] = more[i+1]
	}
	body, err := json.Marshal(map[string]any{"version": "4", "groupKey": "{}:{}", "alerts": []any{one}})
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestAlertmanager_ReadsWhatItSends(t *testing.T) {
	firing := told(t, read(t, "alertmanager-firing.json"))
	if len(firing) != 2 || firing[0].Alert == nil || firing[1].Alert == nil {
		t.Fatalf("read %+v", firing)
	}
	a := firing[0].Alert
	if a.Type != "HighCPU" || a.Severity != models.SeverityHigh || a.Message != "CPU of node1 above 90 %" || !a.Notify || a.CreatedBy != 7 ||
		*a.DedupKey != "alertmanager:79e26407d423298f" || *a.Rustbucket != (models.Rustbucket{ID: "BKT123456", Name: "BKT123456"}) {
		t.Errorf("the first is %+v", a)
	}
	if firing[0].OwnKey != "alertmanager@7:79e26407d423298f" || firing[0].By != node.actor || firing[0].EndsAll {
		t.Errorf("the first is reported as %+v", firing[0])
	}
	var details map[string]any
	if err := json.Unmarshal(a.Details, &details); err != nil {
		t.Fatal(err)
	}
	labels, _ := details["labels"].(map[string]any)
	annotations, _ := details["annotations"].(map[string]any)
	if labels["instance"] != "node1:9100" || annotations["runbook_url"] != "https://example.com/runbooks/cpu" ||
		details["startsAt"] != "2026-11-26T00:52:06.666047884Z" || details["generatorURL"] != "http://prometheus.example.com/graph?g0.expr=up" ||
		details["groupKey"] != `{}:{alertname="HighCPU"}` || details["externalURL"] != "http://alertmanager.example.com" || details["truncated"] != nil {
		t.Errorf("details %s", a.Details)
	}
	if b := firing[1].Alert; b.Severity != models.SeverityMedium || b.Message != "CPU of node2 above 70 %" || b.Rustbucket != nil {
		t.Errorf("the second is %+v", b)
	}
	mixed := told(t, read(t, "alertmanager-resolved.json"))
	if len(mixed) != 2 || mixed[0].Alert != nil || mixed[0].Over != *a.DedupKey || mixed[1].Alert == nil {
		t.Errorf("one is over: %+v", mixed)
	}
	admin := reporter{actor: models.Actor{Name: "ADMIN_TOKEN"}, all: true}
	if n, _ := parseNotification(read(t, "alertmanager-firing.json")); n.reports(admin)[0].OwnKey != "" {
		t.Error("an ADMIN, who may resolve every alert, needs no key of its own")
	}
}

func TestAlertmanager_ReadsWhatGrafanaSends(t *testing.T) {
	reports := told(t, read(t, "grafana.json"))
	if len(reports) != 2 || reports[0].Alert == nil || reports[1].Over != "alertmanager:bc97ff14869b13e3" {
		t.Fatalf("read %+v", reports)
	}
	a := reports[0].Alert
	if a.Type != "High memory usage" || a.Severity != models.SeverityMedium || a.Message != "This alert was triggered for zone us-1" ||
		!strings.Contains(string(a.Details), `"silenceURL":"https://grafana.example.com/alerting/silence/new?alertmanager=grafana&matchers`) ||
		strings.Contains(string(a.Details), "panelURL") {
		t.Errorf("the first is %+v with %s", a, a.Details)
	}
}

func TestAlertmanager_Severity(t *testing.T) {
	for label, want := range map[string]models.Severity{
		"critical": models.SeverityHigh, "page": models.SeverityHigh, "error": models.SeverityHigh, "high": models.SeverityHigh, "CRITICAL": models.SeverityHigh,
		"warning": models.SeverityMedium, "medium": models.SeverityMedium, "": models.SeverityMedium, " Warning ": models.SeverityMedium,
		"info": models.SeverityLow, "none": models.SeverityLow, "low": models.SeverityLow, "p5": models.SeverityLow,
	} {
		if got := told(t, alert(t, map[string]string{"alertname": "x", "severity": label}, nil))[0].Alert.Severity; got != want {
			t.Errorf("severity %q is %v, want %v", label, got, want)
		}
	}
	if got := told(t, alert(t, map[string]string{"alertname": "x"}, nil))[0].Alert.Severity; got != models.SeverityMedium {
		t.Errorf("without the label it is %v", got)
	}
}

func TestAlertmanager_Message(t *testing.T) {
	labels := map[string]string{"alertname": "Down", "job": "node", "instance": `a"b`}
	for _, c := range []struct {
		annotations map[string]string
		want        string
	}{
		{map[string]string{"summary": "s", "description": "d", "message": "m"}, "s"},
		{map[string]string{"summary": " \n", "description": "d", "message": "m"}, "d"},
		{map[string]string{"message": "m"}, "m"},
		{map[string]string{"summary": "a\x00b"}, "a�b"},
		{nil, `Down {instance="a\"b", job="node"}`},
	} {
		if got := told(t, alert(t, labels, c.annotations))[0].Alert.Message; got != c.want {
			t.Errorf("of %v it is %q, want %q", c.annotations, got, c.want)
		}
	}
	if a := told(t, alert(t, map[string]string{"foo": ""}, nil))[0].Alert; a.Type != nameless || a.Message != `alertmanager {foo=""}` {
		t.Errorf("without a name it is %q: %q", a.Type, a.Message)
	}
	if a := told(t, alert(t, map[string]string{"alertname": "Down"}, nil))[0].Alert; a.Message != "Down" {
		t.Errorf("with nothing but its name it is %q", a.Message)
	}
}

func TestAlertmanager_CutsWhatIsTooLong(t *testing.T) {
	long := strings.Repeat("ü", 200_000)
	many := map[string]string{"alertname": long, "rustbucket_id": long, "rustbucket_name": long}
	annotations := map[string]string{"summary": long}
	for i := range 3000 {
		annotations["a"+string(rune('一'+i))] = "x"
	}
	for name, body := range map[string][]byte{
		"long texts":   alert(t, many, map[string]string{"summary": long}),
		"many texts":   alert(t, many, annotations),
		"blanks first": alert(t, many, map[string]string{"summary": strings.Repeat(" ", 20_000) + "here"}),
		"long names":   alert(t, map[string]string{long: "x", "alertname": "y"}, nil),
	} {
		a := told(t, body)[0].Alert
		if err := a.Valid("alert"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !utf8.ValidString(a.Message) || !json.Valid(a.Details) {
			t.Errorf("%s: %.100q, %.100q", name, a.Message, a.Details)
		}
		if name != "blanks first" && !strings.Contains(string(a.Details), `"truncated":true`) {
			t.Errorf("%s: nobody sees that something was left out: %.100q", name, a.Details)
		}
		if name == "blanks first" && a.Message != "here" {
			t.Errorf("%s: %.100q", name, a.Message)
		}
	}
	a := told(t, alert(t, map[string]string{"alertname": "x"}, map[string]string{"summary": long}))[0].Alert
	if n := utf8.RuneCountInString(a.Message); n != models.MaxMessage || !strings.HasSuffix(a.Message, "ü…") {
		t.Errorf("the message has %d characters, at its end %q", n, a.Message[len(a.Message)-8:])
	}
}

func TestAlertmanager_KeepsLittleOfTheGroupWithEachAlert(t *testing.T) {
	one := map[string]any{"status": "firing", "labels": map[string]string{"alertname": "x"}, "annotations": map[string]string{"summary": "s"}}
	body, err := json.Marshal(map[string]any{"groupKey": strings.Repeat("k", 1<<20), "externalURL": strings.Repeat("u", 1<<20), "alerts": slices.Repeat([]any{one}, 200)})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range told(t, body) {
		if err := r.Alert.Valid("alert"); err != nil || len(r.Alert.Details) > 3*maxGroupText || !strings.Contains(string(r.Alert.Details), "kkk…") {
			t.Fatalf("%v, %d bytes of details: %.100s", err, len(r.Alert.Details), r.Alert.Details)
		}
	}
}

func TestAlertmanager_KeyWithoutAFingerprint(t *testing.T) {
	key := func(labels map[string]string, more ...string) string {
		return *told(t, alert(t, labels, nil, more...))[0].Alert.DedupKey
	}
	one := key(map[string]string{"alertname": "x", "a": "b"})
	if one != key(map[string]string{"a": "b", "alertname": "x"}) || len(one) != len("alertmanager:")+32 {
		t.Errorf("it is %q", one)
	}
	for _, other := range []map[string]string{{"alertname": "x"}, {"alertname": "x", "a": "c"}, {"alertname": "xa", "b": ""}, {"alertname": "x", "ab": ""}} {
		if key(other) == one {
			t.Errorf("%v has the same key", other)
		}
	}
	if got := key(map[string]string{"alertname": "x", "a": "b"}, "fingerprint", strings.Repeat("f", 300)); got != one {
		t.Errorf("with one that is too long it is %q", got)
	}
}

func TestAlertmanager_NamesWhatIsWrong(t *testing.T) {
	for body, field := range map[string]string{
		`[]`:                                     "",
		`{`:                                      "",
		`{"alerts": []} {}`:                      "",
		`{"version": "4"}`:                       "alerts",
		`{"alerts": null}`:                       "alerts",
		`{"alerts": {}}`:                         "alerts",
		`{"Alerts": []}`:                         "alerts",
		`{"version": "3", "alerts": []}`:         "version",
		`{"version": 4, "alerts": []}`:           "version",
		`{"groupKey": 1, "alerts": []}`:          "groupKey",
		`{"externalURL": [], "alerts": []}`:      "externalURL",
		`{"truncatedAlerts": "x", "alerts": []}`: "truncatedAlerts",
		`{"alerts": ["x"]}`:                      "alerts.0",
		`{"alerts": [null]}`:                     "alerts.0",
		`{"alerts": [{"status": "firing", "labels": {}}, {"labels": {}}]}`:                                      "alerts.1.status",
		`{"alerts": [{"status": "pending", "labels": {}}]}`:                                                     "alerts.0.status",
		`{"alerts": [{"status": "firing"}]}`:                                                                    "alerts.0.labels",
		`{"alerts": [{"status": "firing", "labels": ["x"]}]}`:                                                   "alerts.0.labels",
		`{"alerts": [{"status": "firing", "labels": {"job": 1}}]}`:                                              "alerts.0.labels.job",
		`{"alerts": [{"status": "firing", "labels": {}, "annotations": {"summary": {}}}]}`:                      "alerts.0.annotations.summary",
		`{"alerts": [{"status": "firing", "labels": {}, "fingerprint": 12}]}`:                                   "alerts.0.fingerprint",
		`{"alerts": [{"status": "firing", "labels": {}, "startsAt": 12}]}`:                                      "alerts.0.startsAt",
		`{"alerts": [{"status": "firing", "labels": {"` + strings.Repeat("x", 10_000) + `": 1}, "values": 1}]}`: "alerts.0.labels." + strings.Repeat("x", 100) + "…",
	} {
		_, err := parseNotification([]byte(body))
		var own *models.Error
		if !errors.As(err, &own) || own.Code != models.BadUserInput || own.Field != field || len(own.Message) > 300 {
			t.Errorf("%.100s: %v, want the field %q", body, err, field)
		}
	}
	if n, err := parseNotification([]byte(`{"alerts": [], "somethingNew": {"a": 1}}`)); err != nil || len(n.alerts) != 0 {
		t.Errorf("no alerts and a field that is new: %v", err)
	}
	turn := `{"status": "firing", "labels": {}, "fingerprint": "f"}, {"status": "resolved", "labels": {}, "fingerprint": "f"},`
	back := func(n int) []byte {
		return []byte(`{"alerts": [` + strings.TrimSuffix(strings.Repeat(turn, n), ",") + `]}`)
	}
	var own *models.Error
	if _, err := parseNotification(back(11)); !errors.As(err, &own) || own.Field != "alerts.21.fingerprint" {
		t.Errorf("one alert that begins and ends 11 times: %v", err)
	}
	if _, err := parseNotification(back(10)); err != nil {
		t.Errorf("one alert that begins and ends 10 times: %v", err)
	}
	many := `{"alerts": [` + strings.TrimSuffix(strings.Repeat(`{"status": "firing", "labels": {}},`, 5001), ",") + `]}`
	if _, err := parseNotification([]byte(many)); !errors.As(err, new(errTooMany)) {
		t.Errorf("too many: %v", err)
	}
}

// FuzzAlertmanager: whatever comes in is refused with an error of the caller's, or makes alerts that can be stored.
func FuzzAlertmanager(f *testing.F) {
	for _, name := range []string{"alertmanager-firing.json", "alertmanager-resolved.json", "grafana.json"} {
		body, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Add([]byte(`{"alerts":[{"status":"firing","labels":{"alertname":"\u0000\ud800 "},"fingerprint":"\u0000"}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		n, err := parseNotification(body)
		if err != nil {
			if !models.HasCode(err, models.BadUserInput) {
				t.Fatalf("%v", err)
			}
			return
		}
		for _, r := range n.reports(node) {
			check(t, r)
			if models.ValidText("", r.OwnKey, models.MaxName) != nil || !strings.HasPrefix(r.Key(), keyPrefix) {
				t.Errorf("the keys are %q and %q", r.Key(), r.OwnKey)
			}
		}
	})
}

// check holds a report to what the store takes.
func check(t *testing.T, r models.Report) {
	t.Helper()
	if r.Alert == nil {
		if err := models.ValidText("", r.Over, models.MaxName); err != nil {
			t.Errorf("%q is over: %v", r.Over, err)
		}
		return
	}
	if err := r.Alert.Valid("alert"); err != nil {
		t.Error(err)
	}
	if r.Alert.Details != nil && (!json.Valid(r.Alert.Details) || r.Alert.Details[0] != '{') {
		t.Errorf("details %.200q", r.Alert.Details)
	}
}
