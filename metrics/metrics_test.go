package metrics

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/rustbucket/alerts/models"
)

// page is what Prometheus reads.
func page(t *testing.T, m *Metrics) string {
	t.Helper()
	server := httptest.NewServer(m.Handler(everybody))
	defer server.Close()
	res, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("status %d, %v: %s", res.StatusCode, err, text)
	}
	return string(text)
}

// has fails the test unless the page has these samples.
func has(t *testing.T, page string, samples ...string) {
	t.Helper()
	lines := strings.Split(page, "\n")
	for _, s := range samples {
		if !slices.Contains(lines, s) {
			t.Errorf("no sample %s in\n%s", s, page)
		}
	}
}

func TestMetrics_CountsWhatItIsTold(t *testing.T) {
	m := New("1.2.3", slog.New(slog.DiscardHandler))
	use(m)
	has(t, page(t, m),
		`rustbucket_alerts_created_total{source="api"} 3`,
		`rustbucket_alerts_created_total{source="server"} 1`,
		`rustbucket_alerts_deduplicated_total 2`,
		`rustbucket_alerts_refused_total 4`,
		`rustbucket_alerts_attempts_total{result="delivered",type="webhook"} 1`,
		`rustbucket_alerts_attempts_total{result="asked",type="slack"} 1`,
		`rustbucket_alerts_attempt_duration_seconds_bucket{type="webhook",le="0.025"} 1`,
		`rustbucket_alerts_attempt_duration_seconds_count{type="slack"} 1`,
		`rustbucket_alerts_deliveries_ended_total{reason="delivered",status="delivered",type="webhook"} 1`,
		`rustbucket_alerts_deliveries_ended_total{reason="exhausted",status="failed",type="email"} 1`,
		`rustbucket_alerts_delivery_latency_seconds_sum{type="webhook"} 90`,
		`rustbucket_alerts_digests_sent_total{type="slack"} 1`,
		`rustbucket_alerts_digested_deliveries_total{type="slack"} 12`,
		`rustbucket_alerts_leases_reclaimed_total 5`,
		`rustbucket_alerts_meta_alerts_total{kind="channel_down"} 1`,
		`rustbucket_alerts_channel_transitions_total{to="broken",type="teams"} 1`,
	)
	if p := page(t, m); strings.Contains(p, `delivery_latency_seconds_count{type="email"}`) {
		t.Error("the latency of a delivery that failed is measured")
	}
}

// use calls every method.
func use(m *Metrics) {
	m.AlertsCreated(models.FromAPI, 3)
	m.AlertsCreated(models.FromServer, 1)
	m.AlertsDeduplicated(2)
	m.AlertsRefused(4)
	m.Attempt(models.Webhook, ResultDelivered, 20*time.Millisecond)
	m.Attempt(models.Slack, ResultAsked, time.Second)
	m.DeliveryEnded(models.Webhook, models.Delivered, ReasonDelivered, 90*time.Second)
	m.DeliveryEnded(models.Email, models.Failed, ReasonExhausted, 24*time.Hour)
	m.DigestSent(models.Slack, 12)
	m.LeasesReclaimed(5)
	m.MetaAlert("channel_down")
	m.ChannelTransition(models.Teams, models.HealthBroken)
	m.Watch(Source{})
}

func TestMetrics_NilDoesNothing(*testing.T) { use(nil) }

func TestMetrics_CountersStandAtZeroFromTheStart(t *testing.T) {
	has(t, page(t, New("1", slog.New(slog.DiscardHandler))),
		`rustbucket_alerts_created_total{source="server"} 0`,
		`rustbucket_alerts_attempts_total{result="broken",type="pagerduty"} 0`,
		`rustbucket_alerts_deliveries_ended_total{reason="expired",status="failed",type="discord"} 0`,
		`rustbucket_alerts_deliveries_ended_total{reason="not_told",status="cancelled",type="opsgenie"} 0`,
		`rustbucket_alerts_source_errors_total{source="backlog"} 0`,
	)
}

func TestMetrics_LabelsAreBounded(t *testing.T) {
	m := New("1", slog.New(slog.DiscardHandler))
	for i := range 1000 {
		odd := strings.Repeat("x", i)
		m.AlertsCreated(models.AlertSource(odd), 1)
		m.Attempt(models.ChannelType(odd), odd, 0)
		m.DeliveryEnded(models.ChannelType(odd), models.DeliveryStatus(odd), odd, 0)
		m.DigestSent(models.ChannelType(odd), 1)
		m.MetaAlert(odd)
		m.ChannelTransition(models.ChannelType(odd), models.HealthState(odd))
	}
	p := page(t, m)
	has(t, p,
		`rustbucket_alerts_created_total{source="other"} 1000`,
		`rustbucket_alerts_attempts_total{result="other",type="other"} 1000`,
		`rustbucket_alerts_deliveries_ended_total{reason="other",status="other",type="other"} 1000`,
		`rustbucket_alerts_channel_transitions_total{to="other",type="other"} 1000`,
		`rustbucket_alerts_meta_alerts_total{kind="other"} 984`,
	)
	if n := strings.Count(p, "rustbucket_alerts_meta_alerts_total{"); n != maxKinds+1 {
		t.Errorf("%d kinds of alerts about the server itself", n)
	}
}

func TestMetrics_NamesFollowPrometheus(t *testing.T) {
	m := New("1", slog.New(slog.DiscardHandler))
	use(m)
	m.Watch(full())
	problems, err := testutil.GatherAndLint(m.registry)
	if err != nil {
		t.Fatal(err)
	}
	// Go's own collector has names that lint dislikes.
	problems = slices.DeleteFunc(problems, func(p promlint.Problem) bool { return !strings.HasPrefix(p.Metric, namespace) })
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if name := f.GetName(); !strings.HasPrefix(name, namespace+"_") && !strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "process_") {
			t.Errorf("%s does not begin with %s_", name, namespace)
		}
	}
}
