package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
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
	if took := time.Since(start); took > 50*access.MaxWait/2 { // each would be held up for most of MaxWait, or refused
		t.Errorf("50 alerts took %v meanwhile", took)
	}
	// When all stood still for a while, something has come in meanwhile, and one that is taken off it is answered.
	padding := strings.Repeat(" ", 100<<10)
	for name, c := range map[string]struct {
		body, accept string
		otherwise    int
	}{
		"a long query":         {`{"query": "{ viewer { name } } ` + padding + `"}`, "application/json", http.StatusOK},
		"a body without limit": {strings.Repeat(" ", 2<<20), "application/json", http.StatusRequestEntityTooLarge},
		"an event stream":      {`{"query": "{ viewer { name } } ` + padding + `"}`, "text/event-stream", http.StatusOK},
	} {
		s.until(name+" to be refused", func() bool {
			res, text := s.send(http.MethodPost, "/graphql", c.body, "Authorization", "Bearer "+testToken, "Accept", c.accept)
			refused := strings.Contains(text, `"code":"OVERLOADED"`)
			if status := res.StatusCode; refused != (status == http.StatusTooManyRequests) && c.accept == "application/json" || !refused && status != c.otherwise {
				t.Fatalf("%s: status %d: %s", name, status, text)
			}
			return refused
		})
	}
	if _, text := s.send(http.MethodGet, "/metrics", "", "Authorization", "Bearer "+testToken); strings.Contains(text, `requests_refused_total{reason="pace"} 0`) || !strings.Contains(text, `requests_refused_total{reason="pace"} `) {
		t.Errorf("the metric does not count them: %s", text)
	}
}

// Long queries are parsed one at a time; who is held up for having spent too much does not hold up the others with that.
func TestBudget_WhoIsHeldUpKeepsNoLongQueryWaiting(t *testing.T) {
	s := startServer(t, "", "COST_PER_SECOND=1000")
	padding := strings.Repeat(" ", 70<<10)
	ask := func(token, query string) int {
		res, _ := s.send(http.MethodPost, "/graphql", `{"query": "`+query+padding+`"}`, "Authorization", "Bearer "+token)
		return res.StatusCode
	}
	round := 0
	s.until("an alert to come in while another's query is held up", func() bool {
		round++
		_, viewer := s.newToken(fmt.Sprint("viewer ", round), models.Viewing)
		_, reporter := s.newToken(fmt.Sprint("reporter ", round), models.Reporter)
		answered := make(chan int, 1)
		go func() { // the reading takes what is saved up, and for the rest it waits 4 s
			answered <- ask(viewer, `{ alerts(first: 500) { nodes { id type message severity occurrences isResolved createdAt resolvedAt } } } `)
		}()
		s.until("the query to be held up", func() bool { return heldUp() || len(answered) > 0 })
		status := ask(reporter, `mutation { createAlert(input: {type: \"t\", message: \"m\", notify: false}) { id } } `)
		overtaken := heldUp()
		if other := <-answered; status != http.StatusOK || other != http.StatusOK {
			t.Fatalf("the alert is answered %d, who has spent too much %d", status, other)
		}
		return overtaken // not when all stood still for so long
	})
}

// heldUp reports whether somebody waits for what was spent.
func heldUp() bool {
	stacks := make([]byte, 4<<20)
	for stack := range strings.SplitSeq(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
		first, _, _ := strings.Cut(stack, "\n")
		if strings.Contains(first, "[select") && strings.Contains(stack, "access.(*Budget).Spend(") {
			return true
		}
	}
	return false
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
	query := "{ viewer {" + strings.Repeat(" name", 40_000) + " } }" // minutes of a processor
	for i, accept := range []string{"application/json", "text/event-stream"} {
		start := time.Now()
		_, text := s.send(http.MethodPost, "/graphql", `{"query": "`+query+`"}`, "Authorization", "Bearer "+testToken, "Accept", accept)
		if !strings.Contains(text, "GRAPHQL_VALIDATION_FAILED") || !strings.Contains(text, "too long to validate") {
			t.Errorf("%s is answered %s", accept, text)
		}
		if took := time.Since(start); took > 30*time.Second {
			t.Errorf("%s is refused after %v", accept, took)
		}
		if _, text := s.send(http.MethodGet, "/metrics", "", "Authorization", "Bearer "+testToken); !strings.Contains(text, `requests_refused_total{reason="query"} `+strconv.Itoa(i+1)) {
			t.Error("the metric does not count it")
		}
	}
}
