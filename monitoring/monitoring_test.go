// Package monitoring holds what operators import into Grafana and Prometheus. Its tests keep that in step with the metrics.
package monitoring

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/rustbucket/alerts/metrics"
	"github.com/rustbucket/alerts/models"
)

const ours = "rustbucket_alerts_"

// series has the labels of every series that Prometheus gets from the server.
type series map[string][]string

// scraped gives the families that /metrics shows when everything has happened once.
func scraped(t *testing.T) map[string]*dto.MetricFamily {
	t.Helper()
	m := metrics.New("1.2.3", slog.New(slog.DiscardHandler))
	since := time.Now()
	m.Watch(metrics.Source{
		Backlog:     func(context.Context) (map[models.ChannelType]models.Backlog, error) { return nil, nil },
		Channels:    func(context.Context) (map[metrics.ChannelGroup]int, error) { return nil, nil },
		EventsLag:   func(context.Context) (models.Backlog, error) { return models.Backlog{Waiting: 1, Oldest: &since}, nil },
		Rustbuckets: func(context.Context) (map[models.HeartbeatState]int, error) { return nil, nil },
		Paused:      func(context.Context) (bool, error) { return false, nil },
		Subscribers: func() int { return 1 },
		InFlight:    func() map[models.ChannelType]int { return nil },
	})
	m.AlertsCreated(models.FromAPI, 1)
	m.Attempt(models.Webhook, metrics.ResultDelivered, time.Second)
	m.DeliveryEnded(models.Webhook, models.Delivered, metrics.ReasonDelivered, time.Second)
	m.MetaAlert("kind")
	server := httptest.NewServer(m.Handler(func(context.Context, string) (*models.Viewer, error) {
		return &models.Viewer{Role: models.Viewing}, nil
	}))
	defer server.Close()
	res, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return families
}

// known gives the series of the families, with the labels that Prometheus adds, and those that it makes itself.
func known(families map[string]*dto.MetricFamily) series {
	all := series{"up": {"job", "instance"}}
	for name, f := range families {
		labels := []string{"job", "instance"}
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, l.GetName())
		}
		switch f.GetType() {
		case dto.MetricType_HISTOGRAM:
			all[name+"_bucket"] = append(slices.Clone(labels), "le")
			all[name+"_sum"], all[name+"_count"] = labels, labels
		case dto.MetricType_SUMMARY:
			all[name] = append(slices.Clone(labels), "quantile")
			all[name+"_sum"], all[name+"_count"] = labels, labels
		default:
			all[name] = labels
		}
	}
	return all
}

var (
	literals  = regexp.MustCompile(`"(\\.|[^"\\])*"`)
	ranges    = regexp.MustCompile(`\[[^\]]*\]`)
	groupings = regexp.MustCompile(`\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)`)
	selectors = regexp.MustCompile(`([A-Za-z_:][A-Za-z0-9_:]*)\s*\{([^}]*)\}`)
	words     = regexp.MustCompile(`\b[A-Za-z_:][A-Za-z0-9_:]*(\s*\()?`)
	shown     = regexp.MustCompile(`\{\{\s*(?:\$labels\.)?([a-z_]+)\s*\}\}`)
)

var operators = []string{"and", "or", "unless", "bool", "offset"}

// problems says what a query names that is not there. text is what is shown with its result: the labels in it must be ones
// that the result has. This reads what the files beside it have, not all of PromQL.
func (s series) problems(query, text string) []string {
	var found []string
	query = ranges.ReplaceAllString(literals.ReplaceAllString(query, ""), "")
	carried := map[string]bool{}
	bare := selectors.ReplaceAllString(groupings.ReplaceAllString(query, ""), "$1 ")
	for _, w := range words.FindAllString(bare, -1) {
		if strings.HasSuffix(w, "(") || slices.Contains(operators, w) {
			continue
		}
		if _, ok := s[w]; !ok {
			found = append(found, "there is no metric "+w)
		}
		for _, l := range s[w] {
			carried[l] = true
		}
	}
	for _, m := range selectors.FindAllStringSubmatch(query, -1) {
		for matcher := range strings.SplitSeq(m[2], ",") {
			if l := strings.Trim(matcher, "=~! "); l != "" && s[m[1]] != nil && !slices.Contains(s[m[1]], l) {
				found = append(found, m[1]+" has no label "+l)
			}
		}
	}
	result := carried
	for i, g := range groupings.FindAllStringSubmatch(query, -1) {
		kept := map[string]bool{}
		for l := range strings.SplitSeq(g[1], ",") {
			if l = strings.TrimSpace(l); !carried[l] {
				found = append(found, "no metric has the label "+l)
			}
			kept[l] = true
		}
		if i == 0 { // the outermost
			result = kept
		}
	}
	for _, l := range shown.FindAllStringSubmatch(text, -1) {
		if !result[l[1]] {
			found = append(found, "the result has no label "+l[1])
		}
	}
	return found
}

func TestProblems_FindsWhatIsNotThere(t *testing.T) {
	s := known(scraped(t))
	for _, c := range []struct{ query, text, want string }{
		{`sum by (type) (rate(rustbucket_alerts_attempts_total{result="retry"}[5m])) > 0`, "{{type}}", ""},
		{`histogram_quantile(0.5, sum by (type, le) (rate(rustbucket_alerts_attempt_duration_seconds_bucket[1m])))`, "{{type}}", ""},
		{`up{job="x"} == 0 and process_start_time_seconds > 1e3`, "{{ $labels.instance }}", ""},
		{`sum(rate(rustbucket_alerts_attempt_total[5m]))`, "", "no metric rustbucket_alerts_attempt_total"},
		{`rustbucket_alerts_attempt_duration_seconds`, "", "no metric rustbucket_alerts_attempt_duration_seconds"},
		{`rustbucket_alerts_subscribers{type="x"}`, "", "rustbucket_alerts_subscribers has no label type"},
		{`max by (state) (rustbucket_alerts_deliveries_waiting)`, "", "no metric has the label state"},
		{`max by (type) (rustbucket_alerts_channels)`, "{{state}}", "the result has no label state"},
		{`rustbucket_alerts_subscribers`, "{{type}}", "the result has no label type"},
	} {
		got := strings.Join(s.problems(c.query, c.text), "; ")
		if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s, shown as %q: %q, not %q", c.query, c.text, got, c.want)
		}
	}
}

func TestRules_NameOnlyWhatIsThere(t *testing.T) {
	var file struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	if err := yaml.UnmarshalWithOptions(read(t, "prometheus-rules.yml"), &file, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	s, rules := known(scraped(t)), 0
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			rules++
			for _, p := range s.problems(r.Expr, r.Annotations["summary"]+r.Annotations["description"]) {
				t.Errorf("%s: %s", r.Alert, p)
			}
			if r.Labels["severity"] == "" || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
				t.Errorf("%s lacks a severity, a summary or a description", r.Alert)
			}
		}
	}
	if rules == 0 {
		t.Error("there are no rules")
	}
}

func TestDashboard_NamesOnlyWhatIsThere(t *testing.T) {
	type source struct{ Type, UID string }
	var board struct {
		Title, UID string
		Panels     []struct {
			ID          int
			Title, Type string
			Datasource  source
			Targets     []struct {
				Expr, LegendFormat string
				Datasource         source
			}
		}
		Templating struct {
			List []struct{ Name, Type, Definition string }
		}
	}
	if err := json.Unmarshal(read(t, "grafana-dashboard.json"), &board); err != nil {
		t.Fatal(err)
	}
	s, queries, ids := known(scraped(t)), 0, map[int]bool{}
	for _, p := range board.Panels {
		if ids[p.ID] {
			t.Errorf("two panels have the id %d", p.ID)
		}
		ids[p.ID] = true
		for _, q := range p.Targets {
			queries++
			for _, problem := range s.problems(q.Expr, q.LegendFormat) {
				t.Errorf("%s: %s", p.Title, problem)
			}
			if q.Datasource.UID != "${datasource}" || p.Datasource.UID != "${datasource}" {
				t.Errorf("%s does not take its data source from the variable", p.Title)
			}
			if !strings.Contains(q.Expr, `job=~"$job"`) {
				t.Errorf("%s shows more than the job that was chosen: %s", p.Title, q.Expr)
			}
		}
	}
	if queries == 0 {
		t.Error("there are no panels")
	}
	for _, v := range board.Templating.List {
		if name := regexp.MustCompile(`label_values\((\w+),`).FindStringSubmatch(v.Definition); name != nil && s[name[1]] == nil {
			t.Errorf("the variable %s: there is no metric %s", v.Name, name[1])
		}
	}
}

// TestPage_ExplainsEveryMetric: docs/monitoring.md has one line for each, with its type and labels, and none for others.
func TestPage_ExplainsEveryMetric(t *testing.T) {
	rows := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `("+ours+"\\w+)` \\| (.*) \\|$").FindAllStringSubmatch(string(read(t, "../docs/monitoring.md")), -1) {
		rows[m[1]] = m[2]
	}
	for name, f := range scraped(t) {
		if !strings.HasPrefix(name, ours) {
			continue
		}
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, "`"+l.GetName()+"`")
		}
		want := fmt.Sprintf("%s | %s | ", strings.ToLower(f.GetType().String()), strings.Join(labels, ", "))
		if !strings.HasPrefix(rows[name], want) {
			t.Errorf("the row of %s is %q, and should begin with %q", name, rows[name], want)
		}
		delete(rows, name)
	}
	for name := range rows {
		t.Errorf("the page explains %s, which is not there", name)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
