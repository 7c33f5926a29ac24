package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rustbucket/alerts/access"
	"github.com/rustbucket/alerts/feed"
	"github.com/rustbucket/alerts/store"
	"github.com/rustbucket/alerts/testkit"
)

const testToken = "test-admin-token-0123456789"

func TestMain(m *testing.M) {
	code := testkit.Run(m)
	_ = os.RemoveAll(programDir())
	os.Exit(code)
}

// server is all rooms of the program behind a real HTTP server, on a database of its own.
type server struct {
	t     testing.TB
	url   string
	store *store.Store
	feed  *feed.Feed
	log   *logBuffer
	rooms *rooms
	stop  func()
}

// onBoth runs a test against servers on both databases.
func onBoth(t *testing.T, test func(t *testing.T, s *server)) {
	t.Run("SQLite", func(t *testing.T) { test(t, startServer(t, "")) })
	t.Run("PostgreSQL", func(t *testing.T) { test(t, startServer(t, testkit.NewDatabase(t))) })
}

// onBothAtOnce runs a test with both databases side by side, and beside other tests: for those that mostly wait. The test
// starts its servers itself.
func onBothAtOnce(t *testing.T, test func(t *testing.T, databaseURL string)) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		test(t, "sqlite:"+filepath.Join(t.TempDir(), "alerts.db"))
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		test(t, testkit.NewDatabase(t))
	})
}

func startServer(t testing.TB, databaseURL string, settings ...string) *server {
	t.Helper()
	environ := append([]string{
		"ADMIN_TOKEN=" + testToken, "EGRESS_ALLOW=127.0.0.0/8", "DATABASE_URL=" + databaseURL, "DATA_DIR=" + t.TempDir(),
		"SECRET_KEY=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "DELIVERY_TIMEOUT=1m", // no machine stands still for so long
	}, settings...)
	c, err := loadConfig(environ, filepath.Join(t.TempDir(), ".env"))
	if err != nil {
		t.Fatal(err)
	}
	logged := new(logBuffer)
	log := slog.New(slog.NewTextHandler(logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s, err := openStore(t.Context(), c, log, true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	running, err := startRooms(t.Context(), c, s, access.NewDoorman(s, string(c.AdminToken), log), log)
	if err != nil {
		t.Fatal(err)
	}
	web := newFront(access.Proxies(c.TrustedProxies))
	web.open(running.served, s.Ping)
	httpServer := httptest.NewServer(web)
	stop := sync.OnceFunc(func() {
		running.streams.end()
		httpServer.Close()
		web.waitForCalls(stopStreams)
		running.stop()
		s.Close()
	})
	t.Cleanup(func() {
		stop()
		if t.Failed() {
			t.Log("the server's log:\n" + logged.String())
		}
		if strings.Contains(logged.String(), testToken) {
			t.Error("the log has the admin token")
		}
	})
	return &server{t: t, url: httpServer.URL, store: s, feed: running.feed, log: logged, rooms: running, stop: stop}
}

// still ends all that the server does by itself. Then it answers no more than what it reads for the answer.
func (s *server) still() { s.rooms.stop() }

// answer is what the API answers.
type answer struct {
	Data   map[string]any
	Errors []struct {
		Message    string
		Path       []any
		Extensions struct{ Code, Field string }
	}
	Status int
}

// try sends an operation with the admin's token.
func (s *server) try(query string, variables map[string]any) answer {
	s.t.Helper()
	return s.as(testToken, query, variables)
}

func (s *server) as(token, query string, variables map[string]any) answer {
	s.t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		s.t.Fatal(err)
	}
	return s.post(token, "application/json", body)
}

func (s *server) post(token, contentType string, body []byte) answer {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/graphql", bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	a := answer{Status: res.StatusCode}
	if err := json.Unmarshal(text, &a); err != nil {
		s.t.Fatalf("status %d, not JSON: %s", res.StatusCode, text)
	}
	return a
}

// send sends a request with these headers, by pairs; a cookie is one of them. It gives the answer, read.
func (s *server) send(method, path, body string, headers ...string) (*http.Response, string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return res, string(text)
}

// do sends an operation that must succeed and gives its data.
func (s *server) do(query string, variables map[string]any) map[string]any {
	s.t.Helper()
	a := s.try(query, variables)
	if len(a.Errors) > 0 || a.Status != http.StatusOK {
		s.t.Fatalf("status %d, errors %+v\nof %s %v", a.Status, a.Errors, query, variables)
	}
	return a.Data
}

func (s *server) createChannel(name string, config map[string]any, more ...any) string {
	s.t.Helper()
	input := map[string]any{"name": name, "config": config}
	for i := 0; i < len(more); i += 2 {
		input[more[i].(string)] = more[i+1]
	}
	data := s.do(`mutation($input: CreateChannelInput!) { createChannel(input: $input) { id } }`, map[string]any{"input": input})
	return at(data, "createChannel", "id").(string)
}

func (s *server) createAlert(input map[string]any) string {
	s.t.Helper()
	all := map[string]any{"type": "error", "message": "something broke"}
	for k, v := range input {
		all[k] = v
	}
	data := s.do(`mutation($input: CreateAlertInput!) { createAlert(input: $input) { id } }`, map[string]any{"input": all})
	return at(data, "createAlert", "id").(string)
}

// deliveries waits until every delivery of an alert is final and gives them.
func (s *server) deliveries(alertID string) []any {
	s.t.Helper()
	var list []any
	defer func() {
		if s.t.Failed() {
			s.t.Logf("the deliveries of alert %s, as they were seen last: %v", alertID, list)
		}
	}()
	s.until("the deliveries of alert "+alertID+" to be final", func() bool {
		data := s.do(`query($id: ID!) { alert(id: $id) { deliveries {
			id status attempts error completedAt nextAttemptAt channel { id name deletedAt }
			attemptLog { number statusCode error response durationMs startedAt } } } }`, map[string]any{"id": alertID})
		list = at(data, "alert", "deliveries").([]any)
		for _, d := range list {
			if at(d, "status") == "PENDING" {
				return false
			}
		}
		return true
	})
	return list
}

func (s *server) until(what string, met func() bool) {
	s.t.Helper()
	testkit.Until(s.t, what, met)
}

// at gives what stands under a path in an answer: names of fields and places in lists.
func at(v any, path ...any) any {
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[p]
		case int:
			list, _ := v.([]any)
			if p >= len(list) {
				return nil
			}
			v = list[p]
		}
	}
	return v
}

// logBuffer is a log that may be read while it is written.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// receiver is a real HTTP endpoint that keeps what it gets and answers as it is told.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	got    []received
	status int
	body   string
	later  bool
}

type received struct {
	header http.Header
	body   string
}

func newReceiver(t testing.TB) *receiver {
	r := &receiver{status: http.StatusOK, body: "ok"}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got = append(r.got, received{req.Header, string(body)})
		if r.later {
			w.Header().Set("Retry-After", "3600")
		}
		w.WriteHeader(r.status)
		_, _ = io.WriteString(w, r.body)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) answer(status int, body string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status, r.body, r.later = status, body, false
}

// fail answers that it cannot take anything, and will for an hour: what is sent again before, somebody sends by hand.
func (r *receiver) fail() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status, r.body, r.later = http.StatusServiceUnavailable, "later", true
}

func (r *receiver) all() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]received(nil), r.got...)
}

func webhook(url string) map[string]any {
	return map[string]any{"webhook": map[string]any{"url": url}}
}
