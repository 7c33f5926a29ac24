package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rustbucket/alerts/testkit"
)

func TestTraces_GoFromTheCallThroughTheDelivery(t *testing.T) {
	const traceID, callersSpan, text = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "text-of-the-alert"
	collector := testkit.NewCollector(t)
	r := newReceiver(t)
	p := newProcess(t, "ADMIN_TOKEN="+testToken, "OTEL_EXPORTER_OTLP_ENDPOINT="+collector.URL, "OTEL_BSP_SCHEDULE_DELAY=1000")
	p.start()
	call := func(query string, variables map[string]any, traceparent string) {
		t.Helper()
		body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+"/graphql", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer "+testToken)
		req.Header.Set("Traceparent", traceparent)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	}
	// A caller that says that it is not traced has no spans.
	call(createChannelQuery, channelWith("config", webhook(r.URL+"/secret-path")), "00-"+strings.Repeat("1", 32)+"-"+callersSpan+"-00")
	call(`mutation Report($m: String!) { createAlert(input: {type: "error", message: $m, dedupKey: "`+text+`"}) { id } }`,
		map[string]any{"m": text}, "00-"+traceID+"-"+callersSpan+"-01")
	call(`query($m: ID!) { channel(id: $m) { id } }`, map[string]any{"m": text}, "00-"+traceID+"-"+callersSpan+"-01")
	testkit.Until(t, "the alert to be told", func() bool { return len(r.all()) == 1 })
	testkit.Until(t, "the attempt's span", func() bool { return collector.Span("deliver webhook") != nil })
	call(`{ viewer { name } }`, nil, "00-"+traceID+"-"+callersSpan+"-01")
	began := time.Now()
	p.stop() // what was not sent yet is sent now, unless that takes too long
	if took := time.Since(began); collector.Span("query viewer") == nil && took < stopTraces {
		t.Errorf("the last span was not sent by the end, %v after it was told to stop", took)
	}

	request, operation, failed := collector.Span("POST /graphql"), collector.Span("mutation createAlert"), collector.Span("query channel")
	attempt := collector.Span("deliver webhook")
	if request == nil || operation == nil || failed == nil || attempt == nil {
		t.Fatalf("the collector got %v", collector.Resources())
	}
	if hex.EncodeToString(request.TraceId) != traceID || hex.EncodeToString(request.ParentSpanId) != callersSpan {
		t.Errorf("the request is not part of the caller's trace: %v", request)
	}
	if !bytes.Equal(operation.TraceId, request.TraceId) || !bytes.Equal(operation.ParentSpanId, request.SpanId) {
		t.Errorf("the operation is not part of the request: %v", operation)
	}
	if !bytes.Equal(attempt.TraceId, request.TraceId) || !bytes.Equal(attempt.ParentSpanId, operation.SpanId) {
		t.Errorf("the attempt is not part of the operation: %v", attempt)
	}
	if attempt.StartTimeUnixNano < operation.StartTimeUnixNano || attempt.EndTimeUnixNano < attempt.StartTimeUnixNano || attempt.Status.GetMessage() != "" {
		t.Errorf("the attempt: %v", attempt)
	}
	if failed.Status.GetMessage() != "BAD_USER_INPUT" {
		t.Errorf("an operation that failed has the status %v", failed.Status)
	}
	if span := collector.Span("mutation createChannel"); span != nil {
		t.Errorf("a span of a caller that is not traced: %v", span)
	}
	all := fmt.Sprint(collector.Resources())
	for _, want := range []string{"rustbucket-alerts", "service.version", "Report", "rustbucket.delivery.id", "rustbucket.alert.id", "rustbucket.channel.id", "rustbucket.attempt"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %s in %s", want, all)
		}
	}
	for _, secret := range []string{text, testToken, "secret-path"} {
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
