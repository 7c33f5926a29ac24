package ingest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/rustbucket/alerts/dispatch"
	"github.com/rustbucket/alerts/models"
)

const (
	keyPrefix      = "alertmanager:" // of dedup keys
	maxFingerprint = 200             // bytes; Alertmanager's have 16
	maxGroupText   = 1024            // characters that are kept of what is said of the group: it is kept with each of its alerts
	nameless       = "alertmanager"  // type of an alert without the label alertname
)

// notification is what Alertmanager posts to a webhook receiver, as far as it matters here
// (https://prometheus.io/docs/alerting/latest/configuration/#webhook_config). Grafana's body has the same fields and some more
// (https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/).
type notification struct {
	groupKey, externalURL string
	truncated             int // alerts that Alertmanager left out
	alerts                []firing
}

// firing is one alert of a notification.
type firing struct {
	resolved            bool
	labels, annotations map[string]string
	fingerprint         string
	more                map[string]string // what else is kept: times and addresses
}

// kept is what of an alert goes into details as it is, where it is not empty. The last four are Grafana's.
var kept = []string{"startsAt", "generatorURL", "dashboardURL", "panelURL", "silenceURL", "valueString"}

func parseNotification(body []byte) (n notification, err error) {
	o, err := parseObject("", body)
	if err != nil {
		return n, err
	}
	version, err := o.text("version")
	if err != nil {
		return n, err
	}
	if version != "" && version != "4" && version != "1" {
		return n, models.Invalid("version", "is %.20q: this reads Alertmanager's version 4 and Grafana's version 1", version)
	}
	if n.groupKey, err = o.text("groupKey"); err != nil {
		return n, err
	}
	if n.externalURL, err = o.text("externalURL"); err != nil {
		return n, err
	}
	n.groupKey, n.externalURL = fit(n.groupKey, maxGroupText), fit(n.externalURL, maxGroupText)
	if o.has("truncatedAlerts") && json.Unmarshal(o.fields["truncatedAlerts"], &n.truncated) != nil {
		return n, models.Invalid("truncatedAlerts", "is not a number")
	}
	if !o.has("alerts") {
		return n, models.Invalid("alerts", "is missing: this takes what Alertmanager and Grafana post to a webhook; a body of your own goes to /ingest/json")
	}
	list, err := parseList("alerts", o.fields["alerts"], dispatch.MaxReports)
	if err != nil {
		return n, err
	}
	over := make(turns)
	for i, raw := range list {
		f, err := parseFiring(place("alerts", i), raw)
		if err != nil {
			return n, err
		}
		if f.resolved && !over.take(f.key()) {
			return n, tooManyTurns(place("alerts", i) + ".fingerprint")
		}
		n.alerts = append(n.alerts, f)
	}
	return n, nil
}

func parseFiring(path string, raw json.RawMessage) (f firing, err error) {
	o, err := parseObject(path, raw)
	if err != nil {
		return f, err
	}
	if f.resolved, err = isResolved(o, false); err != nil {
		return f, err
	}
	if !o.has("labels") {
		return f, models.Invalid(o.at("labels"), "is missing")
	}
	if f.labels, err = o.texts("labels"); err != nil {
		return f, err
	}
	if f.annotations, err = o.texts("annotations"); err != nil {
		return f, err
	}
	if f.fingerprint, err = o.text("fingerprint"); err != nil {
		return f, err
	}
	f.more = make(map[string]string)
	for _, name := range kept {
		value, err := o.text(name)
		if err != nil {
			return f, err
		}
		if value != "" {
			f.more[name] = value
		}
	}
	return f, nil
}

// reports gives what a notification says. Texts of any length and content are taken: an alert is worth more than its last letter.
func (n *notification) reports(by reporter) []models.Report {
	reports := make([]models.Report, len(n.alerts))
	for i, f := range n.alerts {
		key := f.key()
		r := by.report()
		if !r.EndsAll {
			r.OwnKey = models.TokenKey + strconv.FormatInt(r.By.TokenID, 10) + ":" + strings.TrimPrefix(key, keyPrefix)
		}
		if f.resolved {
			r.Over = key
		} else {
			r.Alert = &models.NewAlert{
				Type: f.name(), Severity: severityOf(f.labels), Message: f.message(), Details: n.details(&f), Rustbucket: f.rustbucket(),
				DedupKey: &key, Notify: true, CreatedBy: r.By.TokenID, TraceParent: by.trace,
			}
		}
		reports[i] = r
	}
	return reports
}

// key is what the alert is known by: its fingerprint, which Alertmanager makes of all its labels. Where that is missing, or none
// that could be kept, one is made of the labels here.
func (f *firing) key() string {
	if models.ValidText("", f.fingerprint, maxFingerprint) == nil {
		return keyPrefix + f.fingerprint
	}
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(f.labels)) {
		// Neither a name nor a value in UTF-8 has a byte 0xff, so that no two sets of labels give the same text.
		h.Write([]byte(name + "\xff" + f.labels[name] + "\xff"))
	}
	return keyPrefix + hex.EncodeToString(h.Sum(nil)[:16])
}

func (f *firing) name() string {
	if name := fit(f.labels["alertname"], models.MaxName); name != "" {
		return name
	}
	return nameless
}

// severityOf reads the label severity, whatever its case. Who sets none has not said that it is unimportant.
func severityOf(labels map[string]string) models.Severity {
	switch strings.ToLower(strings.TrimSpace(labels["severity"])) {
	case "critical", "page", "error", "high":
		return models.SeverityHigh
	case "warning", "medium", "":
		return models.SeverityMedium
	}
	return models.SeverityLow
}

func (f *firing) message() string {
	for _, name := range []string{"summary", "description", "message"} {
		if text := fit(f.annotations[name], models.MaxMessage); text != "" {
			return text
		}
	}
	var labels []string
	for _, name := range slices.Sorted(maps.Keys(f.labels)) {
		if name != "alertname" {
			labels = append(labels, name+"="+strconv.Quote(f.labels[name]))
		}
	}
	if len(labels) == 0 {
		return f.name()
	}
	return fit(f.name()+" {"+strings.Join(labels, ", ")+"}", models.MaxMessage)
}

// rustbucket is the machine that the labels rustbucket_id and rustbucket_name tell of. The label instance tells of none: it names
// an address that was scraped, several for one machine.
func (f *firing) rustbucket() *models.Rustbucket {
	id := fit(f.labels["rustbucket_id"], models.MaxName)
	if id == "" {
		return nil
	}
	name := fit(f.labels["rustbucket_name"], models.MaxName)
	if name == "" {
		name = id // which the store takes for not known
	}
	return &models.Rustbucket{ID: id, Name: name}
}

// details keeps what the alert and its group say, cut where that is more than may be kept: long texts first, then annotations,
// then labels.
func (n *notification) details(f *firing) json.RawMessage {
	all := map[string]any{}
	for name, value := range f.more {
		all[name] = value
	}
	for name, value := range map[string]string{"groupKey": n.groupKey, "externalURL": n.externalURL} {
		if value != "" {
			all[name] = value
		}
	}
	for _, most := range []int{models.MaxDetailsBytes, 4096, 1024, 256, 64} {
		kept := make(map[string]any, len(all)+3)
		for name, value := range all {
			kept[name] = fit(value.(string), most)
		}
		kept["labels"], kept["annotations"] = fitAll(f.labels, most), fitAll(f.annotations, most)
		if most < models.MaxDetailsBytes {
			kept["truncated"] = true
		}
		if text := encode(kept); len(text) <= models.MaxDetailsBytes {
			return text
		}
	}
	short := map[string]any{"labels": fitAll(f.labels, 64), "truncated": true}
	if text := encode(short); len(text) <= models.MaxDetailsBytes {
		return text
	}
	return encode(map[string]any{"truncated": true})
}

func fitAll(texts map[string]string, most int) map[string]string {
	fitted := make(map[string]string, len(texts))
	for name, text := range texts {
		fitted[strings.ReplaceAll(name, "\x00", "�")] = fit(text, most)
	}
	return fitted
}

// fit gives a text that can be kept: at most so many characters, without NUL, and "" when it has only blanks.
func fit(s string, most int) string {
	s = strings.ReplaceAll(s, "\x00", "�")
	if strings.TrimSpace(s) == "" {
		return ""
	}
	n, end := 0, 0
	for at := range s { // no further than needed: the text may be long, and be looked at for each of many alerts
		switch n++; n {
		case most:
			end = at
		case most + 1:
			if strings.TrimSpace(s[:end]) == "" { // all it says stands further back
				return fit(strings.TrimSpace(s), most)
			}
			return s[:end] + "…"
		}
	}
	return s
}

func encode(v any) json.RawMessage {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // maps of strings
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
