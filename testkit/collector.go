package testkit

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Collector receives OpenTelemetry traces over OTLP/HTTP. URL is what goes into OTEL_EXPORTER_OTLP_ENDPOINT.
type Collector struct {
	*httptest.Server
	mu  sync.Mutex
	got []*tracepb.ResourceSpans
}

// NewCollector starts a collector, which is stopped at the end of the test. Anything but traces in protobuf fails the test.
func NewCollector(t testing.TB) *Collector {
	c := new(Collector)
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // whoever was sending it has given up or was ended
		}
		var request collectorpb.ExportTraceServiceRequest
		if err = proto.Unmarshal(body, &request); err != nil || r.Method != http.MethodPost || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" {
			t.Errorf("the collector got a %s to %s with %s: %v", r.Method, r.URL.Path, r.Header.Get("Content-Type"), err)
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		c.mu.Lock()
		c.got = append(c.got, request.ResourceSpans...)
		c.mu.Unlock()
		answer, _ := proto.Marshal(&collectorpb.ExportTraceServiceResponse{}) // an empty message always can be
		w.Header().Set("Content-Type", "application/x-protobuf")
		_, _ = w.Write(answer)
	}))
	t.Cleanup(c.Close)
	return c
}

// Resources gives what came so far: spans by the resource that sent them.
func (c *Collector) Resources() []*tracepb.ResourceSpans {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]*tracepb.ResourceSpans(nil), c.got...)
}

// Span gives the first span of this name, or nil.
func (c *Collector) Span(name string) *tracepb.Span {
	for _, r := range c.Resources() {
		for _, s := range r.ScopeSpans {
			for _, span := range s.Spans {
				if span.Name == name {
					return span
				}
			}
		}
	}
	return nil
}
