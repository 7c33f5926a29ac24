package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rustbucket/alerts/access"
	"github.com/rustbucket/alerts/models"
)

func TestBudget_AFloodIsSlowedDownAndRefusedAndNobodyElse(t *testing.T) {
	s := startServer(t, "", "COST_PER_SECOND=1000")
	ctx, cancel := context.WithCancel(t.Context())
	var callers sync.WaitGroup
	defer callers.Wait()
	defer cancel()
	var answered, refused atomic.Int64
	dear := `{"query": "{ alerts(first: 500) { nodes { id } } }"}` // costs 1051: 4000 are saved up, 5000 may be waited for
	began := time.Now()
	flood := func() {
		for ctx.Err() == nil {
			req, _ := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/graphql", strings.NewReader(dear))
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("Authorization", "Bearer "+testToken)
			res, err := http.DefaultTransport.RoundTrip(req)
			if err != nil {
				return // was still held up at the end
			}
			text, _ := io.ReadAll(res.Body)
			res.Body.Close()
			switch {
			case res.StatusCode == http.StatusOK:
				answered.Add(1)
			case res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") != strconv.Itoa(int(access.MaxWait.Seconds())) || !strings.Contains(string(text), `"code":"OVERLOADED"`):
				t.Errorf("status %d, %v: %s", res.StatusCode, res.Header, text)
			default:
				refused.Add(1)
				time.Sleep(20 * time.Millisecond)
			}
		}
	}
	for range 16 {
		callers.Go(flood)
	}
	s.until("what is saved up to be spent, and some to be refused", func() bool { return answered.Load() >= 3 && refused.Load() >= 20 })
	if n, most := answered.Load(), (4000+int64(time.Since(began)/time.Millisecond))/1051+1; n > most {
		t.Errorf("%d are answered, want at most %d", n, most)
	}
	start := time.Now()
	for range 50 { // alerts come in all the same, from the same token and address
		s.createAlert(map[string]any{"message": "m"})
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("50 alerts took %v meanwhile", took)
	}
	for name, body := range map[string]string{
		"a long query":         `{"query": "{ viewer { name } } ` + strings.Repeat(" ", 100<<10) + `"}`,
		"a body without limit": strings.Repeat(" ", 2<<20),
	} {
		res, text := s.send(http.MethodPost, "/graphql", body, "Authorization", "Bearer "+testToken)
		if res.StatusCode != http.StatusTooManyRequests {
			t.Errorf("%s: status %d: %s", name, res.StatusCode, text)
		}
	}
	if _, text := s.send(http.MethodGet, "/metrics", "", "Authorization", "Bearer "+testToken); strings.Contains(text, `requests_refused_total{reason="pace"} 0`) || !strings.Contains(text, `requests_refused_total{reason="pace"} `) {
		t.Errorf("the metric does not count them: %s", text)
	}
	_, text := s.send(http.MethodPost, "/graphql", `{"query": "subscription { alertCreated { id } } `+strings.Repeat(" ", 100<<10)+`"}`, "Authorization", "Bearer "+testToken, "Accept", "text/event-stream")
	if !strings.Contains(text, "OVERLOADED") {
		t.Errorf("an event stream is answered %s", text)
	}
}

// Long queries are parsed one at a time; who is held up for having spent too much does not hold up the others with that.
func TestBudget_WhoIsHeldUpKeepsNoLongQueryWaiting(t *testing.T) {
	s := startServer(t, "", "COST_PER_SECOND=1000")
	_, viewer := s.newToken("viewer", models.Viewing)
	sent, answered := make(chan struct{}), make(chan int, 1)
	go func() { // the reading takes what is saved up, and for the rest it waits 4 s
		query := `{ alerts(first: 500) { nodes { id type message severity occurrences isResolved createdAt resolvedAt } } } ` + strings.Repeat(" ", 70<<10)
		trace := &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { close(sent) }}
		req, _ := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), http.MethodPost, s.url+"/graphql", strings.NewReader(`{"query": "`+query+`"}`))
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer "+viewer)
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			answered <- 0
			return
		}
		res.Body.Close()
		answered <- res.StatusCode
	}()
	<-sent
	start := time.Now()
	for _, name := range []string{"one", "two"} {
		_, token := s.newToken(name, models.Reporter)
		literal := `mutation { createAlerts(inputs: [` + strings.Repeat(`{type: "t", message: "a message of some length", severity: LOW, notify: false} `, 900) + `]) { id } }`
		if a := s.as(token, literal, nil); len(a.Errors) > 0 {
			t.Errorf("%s: %+v", name, a.Errors)
		}
	}
	if len(answered) > 0 {
		t.Errorf("the alerts waited %v for another's query", time.Since(start))
	}
	if status := <-answered; status != http.StatusOK || time.Since(start) < 3*time.Second {
		t.Errorf("who has spent too much is answered %d after %v", status, time.Since(start))
	}
}

func TestLimits_AQueryOfTooManyTokensIsNotParsed(t *testing.T) {
	s := startServer(t, "")
	var aliases strings.Builder
	for i := range 50_000 {
		aliases.WriteString(" a" + strconv.Itoa(i) + ":viewer{name}")
	}
	for i, accept := range []string{"application/json", "text/event-stream"} {
		_, text := s.send(http.MethodPost, "/graphql", `{"query": "{`+aliases.String()+`}"}`, "Authorization", "Bearer "+testToken, "Accept", accept)
		if !strings.Contains(text, "GRAPHQL_PARSE_FAILED") || !strings.Contains(text, "tokens") {
			t.Errorf("%s is answered %s", accept, text)
		}
		if _, text := s.send(http.MethodGet, "/metrics", "", "Authorization", "Bearer "+testToken); !strings.Contains(text, `requests_refused_total{reason="query"} `+strconv.Itoa(i+1)) {
			t.Error("the metric does not count it")
		}
	}
	literal := `mutation { createAlerts(inputs: [` + strings.Repeat(`{type: "t", message: "a message of some length", severity: LOW, notify: false} `, 1000) + `]) { id } }`
	if n := len(s.do(literal, nil)["createAlerts"].([]any)); n != 1000 {
		t.Errorf("%d alerts were created by a long query", n)
	}
}

func TestLimits_AQueryThatTakesLongToValidateIsNotBegun(t *testing.T) {
	s := startServer(t, "")
	query := "{ viewer {" + strings.Repeat(" name", 12_000) + " } }" // 20 s of a processor
	for i, accept := range []string{"application/json", "text/event-stream"} {
		start := time.Now()
		_, text := s.send(http.MethodPost, "/graphql", `{"query": "`+query+`"}`, "Authorization", "Bearer "+testToken, "Accept", accept)
		if !strings.Contains(text, "GRAPHQL_VALIDATION_FAILED") || !strings.Contains(text, "too long to validate") {
			t.Errorf("%s is answered %s", accept, text)
		}
		if took := time.Since(start); took > 3*time.Second {
			t.Errorf("%s is refused after %v", accept, took)
		}
		if _, text := s.send(http.MethodGet, "/metrics", "", "Authorization", "Bearer "+testToken); !strings.Contains(text, `requests_refused_total{reason="query"} `+strconv.Itoa(i+1)) {
			t.Error("the metric does not count it")
		}
	}
}
