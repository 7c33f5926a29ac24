package tracing

import (
	"encoding/hex"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/testkit"
)

// begin sends traces to a collector; end sends what is left.
func begin(t *testing.T) (c *testkit.Collector, end func()) {
	t.Helper()
	c = testkit.NewCollector(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.URL)
	stop, err := Start("1.2.3", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	end = func() { stop(time.Minute) }
	t.Cleanup(end)
	return c, end
}

func TestStart_IsOffUnlessAnEndpointIsSet(t *testing.T) {
	for _, env := range []map[string]string{
		{},
		{"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
		{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_SDK_DISABLED": "true"},
		{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318", "OTEL_TRACES_EXPORTER": "none"},
	} {
		t.Run(fmt.Sprint(env), func(t *testing.T) {
			for name, value := range env {
				t.Setenv(name, value)
			}
			stop, err := Start("1", slog.New(slog.DiscardHandler))
			if err != nil || On() {
				t.Errorf("on: %t, error: %v", On(), err)
			}
			stop(time.Second)
			ctx, end := StartOperation(t.Context(), "query", "viewer", "")
			end(nil)
			if got := Parent(ctx); got != "" {
				t.Errorf("there is a parent: %s", got)
			}
			next := new(handler)
			if Handler(next) != http.Handler(next) {
				t.Error("requests go through the instrumentation")
			}
		})
	}
}

type handler struct{}

func (*handler) ServeHTTP(http.ResponseWriter, *http.Request) {}

func TestStartAttempt_CostsNothingWhenOff(t *testing.T) {
	allocations := testing.AllocsPerRun(100, func() {
		_, end := StartAttempt("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", Attempt{Type: models.Webhook, DeliveryID: 1})
		end("")
		Parent(t.Context())
	})
	if allocations != 0 {
		t.Errorf("%v allocations", allocations)
	}
}

func TestStart_RefusesWhatItCannotDo(t *testing.T) {
	const good = "http://127.0.0.1:4318"
	for _, c := range []struct{ name, value, want string }{
		{"OTEL_TRACES_EXPORTER", "zipkin", "accepted: otlp, none"},
		{"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "accepted: http/protobuf"},
		{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json", "accepted: http/protobuf"},
		{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "127.0.0.1:4318", "accepted: such as http://"},
		{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "ftp://user:hunter2@host", "accepted: such as http://"},
	} {
		t.Run(c.name+"="+c.value, func(t *testing.T) {
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", good)
			t.Setenv(c.name, c.value)
			_, err := Start("1", slog.New(slog.DiscardHandler))
			if err == nil || !strings.Contains(err.Error(), c.name) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error: %v", err)
			}
			if On() {
				t.Error("tracing is on")
			}
		})
	}
}

func TestStartAttempt_ContinuesTheStoredTrace(t *testing.T) {
	c, end := begin(t)
	ctx, endOperation := StartOperation(t.Context(), "mutation", "createAlert", "Report")
	stored := Parent(ctx)
	endOperation(nil)
	attempt, endAttempt := StartAttempt(stored, Attempt{Type: models.Webhook, ChannelID: 3, AlertID: 4, DeliveryID: 5, Number: 2})
	if inside := Parent(attempt); inside == "" || inside == stored {
		t.Errorf("the attempt's context has the span %q", inside)
	}
	endAttempt("Post \"https://hooks.example.com/secret/path?key=1\": connection refused")
	end()

	operation, span := c.Span("mutation createAlert"), c.Span("deliver webhook")
	if operation == nil || span == nil {
		t.Fatalf("the collector got %v", c.Resources())
	}
	if want := fmt.Sprintf("00-%s-%s-01", hex.EncodeToString(operation.TraceId), hex.EncodeToString(operation.SpanId)); stored != want {
		t.Errorf("stored %s, not %s", stored, want)
	}
	if string(span.TraceId) != string(operation.TraceId) || string(span.ParentSpanId) != string(operation.SpanId) {
		t.Error("the attempt is not the operation's child")
	}
	if span.Status.GetCode() != tracepb.Status_STATUS_CODE_ERROR || !strings.Contains(span.Status.Message, "connection refused") {
		t.Errorf("status %v", span.Status)
	}
	for _, want := range []string{"rustbucket.alert.id", "rustbucket.delivery.id", "rustbucket.channel.id", "rustbucket.channel.type", "rustbucket.attempt"} {
		if !strings.Contains(fmt.Sprint(span), want) {
			t.Errorf("no %s in %v", want, span)
		}
	}
	if strings.Contains(fmt.Sprint(span), "hooks.example.com") {
		t.Errorf("the span has the channel's URL: %v", span)
	}
}

func TestStartAttempt_DigestIsLinkedToItsDeliveries(t *testing.T) {
	c, end := begin(t)
	var links []string
	for range 3 {
		ctx, endOperation := StartOperation(t.Context(), "mutation", "createAlert", "")
		links = append(links, Parent(ctx), "", "nonsense")
		endOperation(nil)
	}
	_, endAttempt := StartAttempt("", Attempt{Type: models.Slack, ChannelID: 3, Digest: 3, Links: links})
	endAttempt("")
	end()
	span := c.Span("deliver slack")
	if span == nil || len(span.ParentSpanId) != 0 || len(span.Links) != 3 || span.Status.GetCode() == tracepb.Status_STATUS_CODE_ERROR {
		t.Errorf("the digest's span is %v", span)
	}
}

func TestStartAttempt_KeepsTheCallersChoiceNotToTrace(t *testing.T) {
	c, end := begin(t)
	_, endAttempt := StartAttempt("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", Attempt{Type: models.Email})
	endAttempt("")
	end()
	if got := c.Resources(); len(got) > 0 {
		t.Errorf("the collector got %v", got)
	}
}

func TestStop_WaitsNoLongerThanToldForACollectorThatHangs(t *testing.T) {
	hang := make(chan struct{})
	collector := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hang }))
	defer collector.Close()
	defer close(hang)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	for _, name := range []string{"OTEL_EXPORTER_OTLP_TIMEOUT", "OTEL_BSP_EXPORT_TIMEOUT"} {
		t.Setenv(name, "600000") // in ms: what would end it otherwise
	}
	var log strings.Builder
	stop, err := Start("1", slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	_, end := StartOperation(t.Context(), "query", "viewer", "")
	end(nil)
	began := time.Now()
	stop(200 * time.Millisecond)
	if took := time.Since(began); took > 45*time.Second {
		t.Errorf("it took %v", took)
	}
	if On() || !strings.Contains(log.String(), "could not be sent") {
		t.Errorf("on: %t, the log: %s", On(), log.String())
	}
}

func TestHandler_LeavesOutRequestsThatStayOpen(t *testing.T) {
	c, end := begin(t)
	server := httptest.NewServer(Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Errorf("no deadline can be set: %v", err)
		}
		if _, ok := w.(http.Hijacker); !ok {
			t.Error("the connection cannot be taken over")
		}
	})))
	defer server.Close()
	get := func(header, value string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/graphql?query=secret-query", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set(header, value)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	}
	get("Accept", "text/event-stream")
	get("Upgrade", "websocket")
	get("Authorization", "Bearer secret-token")
	end()
	spans := 0
	for _, r := range c.Resources() {
		for _, s := range r.ScopeSpans {
			spans += len(s.Spans)
		}
	}
	if spans != 1 {
		t.Errorf("%d spans: %v", spans, c.Resources())
	}
	for _, secret := range []string{"secret-query", "secret-token"} {
		if strings.Contains(fmt.Sprint(c.Resources()), secret) {
			t.Errorf("a span has %s: %v", secret, c.Resources())
		}
	}
}

func TestComplainer_DoesNotFloodTheLog(t *testing.T) {
	var log strings.Builder
	c := &complainer{log: slog.New(slog.NewTextHandler(&log, nil))}
	for range 100 {
		c.Handle(net.ErrClosed)
	}
	if n := strings.Count(log.String(), "\n"); n != 1 {
		t.Errorf("%d lines", n)
	}
}
