package export

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rustbucket/alerts/access"
	"github.com/rustbucket/alerts/metrics"
	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/seal"
	"github.com/rustbucket/alerts/store"
	"github.com/rustbucket/alerts/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.Run(m)) }

const token = "test-admin-token-0123456789"

// exporter is a handler behind a real HTTP server, on a database of its own.
type exporter struct {
	t         testing.TB
	url       string
	handler   *Handler
	store     *store.Store
	db        *sql.DB // beside the store
	underWay  atomic.Int64
	brokenOff atomic.Int64
}

func onBoth(t *testing.T, test func(t *testing.T, e *exporter)) {
	t.Run("SQLite", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "alerts.db")
		test(t, start(t, "sqlite:"+path, "sqlite", path))
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		url := testkit.NewDatabase(t)
		test(t, start(t, url, "pgx", url))
	})
}

func start(t *testing.T, url, driver, source string) *exporter {
	t.Helper()
	keys, err := seal.New(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	s, err := store.Open(t.Context(), store.Options{URL: url, Keyring: keys, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if _, err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	e := &exporter{t: t, store: s}
	if e.db, err = sql.Open(driver, source); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.db.Close() })
	doorman := access.NewDoorman(s, token, log)
	e.handler = &Handler{
		Store: s, Doorman: doorman, Sessions: access.NewSessions(doorman, keys, func(string) {}), Crowd: access.NewExportCrowd(),
		Metrics: metrics.New("test", log), Log: log,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.underWay.Add(1)
		defer e.underWay.Add(-1)
		defer func() {
			if p := recover(); p != nil {
				e.brokenOff.Add(1)
				panic(p)
			}
		}()
		e.handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	e.url = server.URL
	return e
}

// fill stores alerts with a delivery each, as quickly as the database can.
func (e *exporter) fill(n int) {
	e.t.Helper()
	channel := &models.Channel{Name: "one", IsActive: true, AlertTypes: []string{}, Config: &models.WebhookConfig{URL: "https://example.com/hook?key=secret"}}
	if err := e.store.CreateChannel(e.t.Context(), channel); err != nil {
		e.t.Fatal(err)
	}
	for _, statement := range []string{
		`INSERT INTO alerts (type, severity, message, occurrences, notify, created_at, created_by, decisions)
		WITH RECURSIVE numbers(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM numbers WHERE i < %[1]d)
		SELECT CASE WHEN i %% 1000 = 0 THEN 'rare' ELSE 'error' END, i %% 3, 'the message of alert number ' || i || '%[2]s', 1, true,
			'2025-12-12 10:30:00.5+00:00', 1, '{}' FROM numbers`,
		`INSERT INTO deliveries (id, alert_id, channel_id, status, attempts, series_start, created_at, completed_at, series_began_at)
		SELECT id, id, 1, 'DELIVERED', 1, 0, created_at, created_at, created_at FROM alerts WHERE id <= %[1]d / 20 -- %[2]s`,
	} {
		if _, err := e.db.ExecContext(e.t.Context(), fmt.Sprintf(statement, n, strings.Repeat(", and goes on", 25))); err != nil {
			e.t.Fatal(err)
		}
	}
}

func (e *exporter) open(ctx context.Context, path string) (*http.Response, error) {
	e.t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, e.url+path, nil)
	if err != nil {
		e.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	return http.DefaultClient.Do(req)
}

// get gives a whole file.
func (e *exporter) get(path string) (*http.Response, string) {
	e.t.Helper()
	res, err := e.open(e.t.Context(), path)
	if err != nil {
		e.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		e.t.Fatalf("%s: status %d, %v: %.300s", path, res.StatusCode, err, body)
	}
	return res, string(body)
}

// idle waits until no export is under way.
func (e *exporter) idle() {
	e.t.Helper()
	testkit.Until(e.t, "the exports to end", func() bool { return e.underWay.Load() == 0 })
}

// The tests that need many rows share them: most of their time goes into storing them.
func TestExport_OfManyRows(t *testing.T) {
	onBoth(t, func(t *testing.T, e *exporter) {
		e.fill(many)
		t.Run("streams without holding it", func(t *testing.T) { e.streamsWithoutHoldingIt(t) })
		t.Run("many at a time are refused", func(t *testing.T) { e.refusesManyAtATime(t) })
		t.Run("ends with its client", func(t *testing.T) { e.endsWithItsClient(t) })
		t.Run("broken off is no whole file", func(t *testing.T) { e.brokenOffIsNoWholeFile(t) })
	})
}

func (e *exporter) streamsWithoutHoldingIt(t *testing.T) {
	res, err := e.open(t.Context(), "/export/alerts?format=jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, most := heap(), uint64(0)
	lines := bufio.NewScanner(res.Body)
	n, bytes := 0, 0
	for lines.Scan() {
		bytes += len(lines.Bytes())
		if n++; n%(many/10) == 0 {
			most = max(most, heap())
		}
		if n == 1000 { // what comes in meanwhile is not in it
			e.createAlert(models.NewAlert{Type: "late", Message: "m"})
		}
		if line := (struct{ ID string }{}); n%997 == 0 && (json.Unmarshal(lines.Bytes(), &line) != nil || line.ID != fmt.Sprint(n)) {
			t.Fatalf("line %d is %s", n, lines.Bytes())
		}
	}
	if lines.Err() != nil || n != many {
		t.Fatalf("%d lines, %v", n, lines.Err())
	}
	if bytes < 15<<20 {
		t.Errorf("only %d bytes were exported", bytes)
	}
	if most > before+4<<20 {
		t.Errorf("the heap grew from %d to %d KB for %d KB", before>>10, most>>10, bytes>>10)
	}
	res, body := e.get("/export/deliveries?channelId=1&statuses=DELIVERED&statuses=FAILED")
	if n := strings.Count(body, "\r\n"); n != many/20+1 {
		t.Errorf("%d lines of deliveries", n)
	}
	if strings.Contains(body, "secret") || !strings.HasPrefix(res.Header.Get("Content-Disposition"), `attachment; filename="deliveries-2`) {
		t.Errorf("%v", res.Header)
	}
	_, rare := e.get("/export/alerts?types=rare&types=none&createdAfter=2025-12-12T10:30:00.5Z&createdBefore=2025-12-12T10:30:00.500001Z")
	if n := strings.Count(rare, "\r\n"); n != many/1000+1 {
		t.Errorf("%d lines of rare alerts", n)
	}
}

func (e *exporter) refusesManyAtATime(t *testing.T) {
	ctx, leave := context.WithCancel(t.Context())
	for range 4 {
		res, err := e.open(ctx, "/export/alerts")
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatal(err, res)
		}
		defer res.Body.Close()
	}
	res, err := e.open(ctx, "/export/alerts")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusTooManyRequests || !strings.Contains(string(body), `"code":"OVERLOADED"`) || res.Header.Get("Retry-After") == "" {
		t.Errorf("a fifth: %d %s", res.StatusCode, body)
	}
	leave()
	e.idle()
	e.get("/export/alerts?types=rare")
}

func (e *exporter) endsWithItsClient(t *testing.T) {
	before := e.brokenOff.Load()
	ctx, leave := context.WithCancel(t.Context())
	res, err := e.open(ctx, "/export/alerts")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.ReadFull(res.Body, make([]byte, 1000)); err != nil || e.underWay.Load() != 1 {
		t.Fatalf("%v, %d under way", err, e.underWay.Load())
	}
	leave()
	e.idle()

	// One that stays and reads nothing.
	e.handler.readerTime = 300 * time.Millisecond
	defer func() { e.handler.readerTime = 0 }() // no export is under way then
	conn, err := net.Dial("tcp", strings.TrimPrefix(e.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /export/alerts?format=jsonl HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", token)
	testkit.Until(t, "the export to begin", func() bool { return e.underWay.Load() == 1 || e.brokenOff.Load() == before+2 })
	e.idle()
	if n := e.brokenOff.Load(); n != before+2 {
		t.Errorf("%d exports were broken off, want 2", n-before)
	}
}

func (e *exporter) brokenOffIsNoWholeFile(t *testing.T) {
	broken, err := e.open(t.Context(), "/export/alerts")
	if err != nil {
		t.Fatal(err)
	}
	defer broken.Body.Close()
	if _, err := io.ReadFull(broken.Body, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	e.store.Close() // nothing can be read any more
	if n, err := io.Copy(io.Discard, broken.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%v after %d bytes", err, n)
	}
	e.idle()
	res, err := e.open(t.Context(), "/export/alerts")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusInternalServerError || !strings.Contains(string(body), `"code":"INTERNAL"`) || strings.Contains(string(body), "closed") {
		t.Errorf("an error before the first line: %d %s", res.StatusCode, body)
	}
}

func (e *exporter) createAlert(a models.NewAlert) int64 {
	e.t.Helper()
	made, err := e.store.CreateAlerts(e.t.Context(), []store.AlertInsert{{New: &a}}, "nobody")
	if err != nil {
		e.t.Fatal(err)
	}
	return made[0].Alert.ID
}

func TestExport_KeepsWhatWasWritten(t *testing.T) {
	nasty := []string{
		"plain", "a,b", `say "hi"`, "two\nlines", "two\r\nlines", " blanks ", "Größe 漢字 🚨", "'quoted'", "<b>&amp;</b>",
		"=1+1", "+1", "-1", "@SUM(A1)", "\ttab", "\rreturn", "\nline", "＝1", `=HYPERLINK("http://example.com","x")`,
	}
	onBoth(t, func(t *testing.T, e *exporter) {
		for i, message := range nasty {
			a := models.NewAlert{Type: "t", Severity: models.SeverityHigh, Message: message, Details: json.RawMessage(`{"n":1.50,"s":"<,\"\n>"}`)}
			if i%2 == 0 {
				a.Rustbucket = &models.Rustbucket{ID: "BKT,1", Name: "=cmd"}
			}
			e.createAlert(a)
		}
		res, body := e.get("/export/alerts?format=jsonl&severities=HIGH&severities=LOW&isResolved=false")
		_ = res
		dec := json.NewDecoder(strings.NewReader(body))
		for i, message := range nasty {
			var line struct {
				ID, Severity, Message string
				Details               json.RawMessage
				Rustbucket            *struct{ ID, Name string }
				ResolvedAt            *string
			}
			if err := dec.Decode(&line); err != nil {
				t.Fatal(err)
			}
			if line.Message != message || line.Severity != "HIGH" || string(line.Details) != `{"n":1.50,"s":"<,\"\n>"}` || (line.Rustbucket != nil) != (i%2 == 0) {
				t.Errorf("%q came back as %+v", message, line)
			}
		}
		res, body = e.get("/export/alerts")
		if res.Header.Get("Content-Type") != "text/csv; charset=utf-8; header=present" {
			t.Errorf("%v", res.Header)
		}
		if n := strings.Count(body, "\r\n"); n != len(nasty)+1+1 { // one is within a message
			t.Errorf("%d line ends", n)
		}
		rows, err := csv.NewReader(bytes.NewReader([]byte(body))).ReadAll()
		if err != nil || len(rows) != len(nasty)+1 {
			t.Fatalf("%d rows, %v", len(rows), err)
		}
		for i, message := range nasty {
			if i >= 9 {
				message = "'" + message
			}
			row := rows[i+1]
			if got := row[3]; got != strings.ReplaceAll(message, "\r\n", "\n") { // the reader's own habit
				t.Errorf("%q came back as %q", message, got)
			}
			if i%2 == 0 && (row[5] != "BKT,1" || row[6] != "'=cmd") {
				t.Errorf("rustbucket %q", row[5:7])
			}
		}
	})
}
