package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/rustbucket/alerts/testkit"
)

func TestTraces_CreateAlertContinuesTheCallersTrace(t *testing.T) {
	const traceID, callersSpan, text = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "text-of-the-alert"
	collector := testkit.NewCollector(t)
	p := newProcess(t, "ADMIN_TOKEN="+testToken, "OTEL_EXPORTER_OTLP_ENDPOINT="+collector.URL)
	p.start()
	for _, query := range []string{
		`mutation Report($m: String!) { createAlert(input: {type: "error", message: $m, dedupKey: "` + text + `"}) { id } }`,
		`query($m: ID!) { channel(id: $m) { id } }`,
	} {
		body, err := json.Marshal(map[string]any{"query": query, "variables": map[string]any{"m": text}})
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+"/graphql", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer "+testToken)
		req.Header.Set("Traceparent", "00-"+traceID+"-"+callersSpan+"-01")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	}
	p.stop() // what was not sent yet is sent now

	request, operation, failed := collector.Span("POST /graphql"), collector.Span("mutation createAlert"), collector.Span("query channel")
	if request == nil || operation == nil || failed == nil {
		t.Fatalf("the collector got %v", collector.Resources())
	}
	if hex.EncodeToString(request.TraceId) != traceID || hex.EncodeToString(request.ParentSpanId) != callersSpan {
		t.Errorf("the request is not part of the caller's trace: %v", request)
	}
	if !bytes.Equal(operation.TraceId, request.TraceId) || !bytes.Equal(operation.ParentSpanId, request.SpanId) {
		t.Errorf("the operation is not part of the request: %v", operation)
	}
	if failed.Status.GetMessage() != "BAD_USER_INPUT" {
		t.Errorf("an operation that failed has the status %v", failed.Status)
	}
	all := fmt.Sprint(collector.Resources())
	for _, want := range []string{"rustbucket-alerts", "service.version", "Report"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %s in %s", want, all)
		}
	}
	for _, secret := range []string{text, testToken} {
		if strings.Contains(all, secret) {
			t.Errorf("a span has %s: %s", secret, all)
		}
	}
}

func TestTraces_WrongVariableStopsTheStartInOneLine(t *testing.T) {
	p := newProcess(t, "ADMIN_TOKEN="+testToken, "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317", "OTEL_EXPORTER_OTLP_PROTOCOL=grpc")
	stdout, stderr, status := p.run("serve")
	if status != 1 || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, `OTEL_EXPORTER_OTLP_PROTOCOL="grpc"`) {
		t.Errorf("status %d, %s%s", status, stdout, stderr)
	}
}
