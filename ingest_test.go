package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/testkit"
)

// ingest posts a body to a path below /ingest/, and gives the status and the answer.
func (s *server) ingest(token, path, body string, headers ...string) (int, map[string]any) {
	s.t.Helper()
	res, text := s.send(http.MethodPost, "/ingest/"+path, body, append(headers, "Authorization", "Bearer "+token)...)
	var a map[string]any
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		s.t.Fatalf("status %d, not JSON: %s", res.StatusCode, text)
	}
	return res.StatusCode, a
}

// group is a body of Alertmanager's about these alerts, each "firing NAME" or "resolved NAME".
func group(alerts ...string) string {
	var list []string
	for _, a := range alerts {
		status, name, _ := strings.Cut(a, " ")
		list = append(list, fmt.Sprintf(`{"status": %q, "labels": {"alertname": %q, "severity": "critical"}, "annotations": {"summary": "about %s"},
			"startsAt": "2026-11-26T00:52:06.666Z", "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "", "fingerprint": "%s"}`, status, name, name, name))
	}
	return `{"version": "4", "groupKey": "{}:{}", "status": "firing", "receiver": "r", "externalURL": "http://alertmanager.example.com",
		"groupLabels": {}, "commonLabels": {}, "commonAnnotations": {}, "truncatedAlerts": 0, "alerts": [` + strings.Join(list, ",") + `]}`
}

func TestIngest_FiringCreatesAndResolvedResolves(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		_, token := s.newToken("prometheus", models.Reporter)
		hook := newReceiver(t)
		s.createChannel("ops", webhook(hook.URL), "notifyOnResolve", true, "minSeverity", "HIGH")
		firing, err := os.ReadFile("ingest/testdata/alertmanager-firing.json")
		if err != nil {
			t.Fatal(err)
		}
		resolved, err := os.ReadFile("ingest/testdata/alertmanager-resolved.json")
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range []struct {
			body string
			want string
		}{
			{string(firing), "created:2 counted:0 resolved:0"},
			{string(firing), "created:0 counted:2 resolved:0"}, // Alertmanager tries again when it did not hear the answer
			{string(resolved), "created:0 counted:1 resolved:1"},
			{string(resolved), "created:0 counted:1 resolved:0"},
		} {
			status, a := s.ingest(token, "alertmanager", c.body)
			if got := fmt.Sprintf("created:%v counted:%v resolved:%v", a["created"], a["counted"], a["resolved"]); status != http.StatusOK || len(a) != 3 || got != c.want {
				t.Errorf("body %d: %d %v, want %s", i, status, a, c.want)
			}
		}
		alerts := at(s.do(`{ alerts { nodes { id type severity message isResolved occurrences dedupKey source rustbucket { id name } details } } }`, nil), "alerts", "nodes").([]any)
		if len(alerts) != 2 {
			t.Fatalf("alerts %v", alerts)
		}
		first := alerts[1]
		if at(first, "dedupKey") != "alertmanager:79e26407d423298f" {
			first = alerts[0]
		}
		if at(first, "type") != "HighCPU" || at(first, "severity") != "HIGH" || at(first, "message") != "CPU of node1 above 90 %" || at(first, "isResolved") != true ||
			at(first, "occurrences") != 2.0 || at(first, "source") != "API" || at(first, "rustbucket", "name") != "BKT123456" || at(first, "details", "labels", "job") != "node" {
			t.Errorf("the first is %v", first)
		}
		s.until("both notifications", func() bool { return len(hook.all()) >= 2 })
		s.deliveries(at(first, "id").(string))
		got := hook.all()
		if len(got) != 2 || !strings.Contains(got[0].body, `"is_resolved":false`) || !strings.Contains(got[1].body, `"is_resolved":true`) {
			t.Errorf("told %+v", got)
		}
		log := at(s.do(`{ auditLog(filter: {actions: [ALERT_RESOLVED]}) { nodes { by subjectId } } }`, nil), "auditLog", "nodes").([]any)
		if len(log) != 1 || at(log[0], "by") != "prometheus" || at(log[0], "subjectId") != at(first, "id") {
			t.Errorf("noted %v", log)
		}
	})
}

func TestIngest_TakesJSON(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		_, token := s.newToken("script", models.Reporter)
		status, a := s.ingest(token, "json", `[{"type": "disk", "severity": "high", "message": "full", "rustbucket": {"id": "BKT1", "name": "Node 1"}, "details": {"free": 0}, "dedupKey": "disk"},
			{"type": "disk", "message": "still full", "dedupKey": "disk"}, {"type": "note", "message": "for the record", "notify": false}]`)
		if status != http.StatusOK || at(a, "alerts", 0, "outcome") != "created" || at(a, "alerts", 1, "outcome") != "counted" || at(a, "alerts", 2, "outcome") != "created" ||
			at(a, "alerts", 0, "id") != at(a, "alerts", 1, "id") || at(a, "alerts", 1, "occurrences") != 2.0 {
			t.Fatalf("%d %v", status, a)
		}
		id := at(a, "alerts", 0, "id").(string)
		if got := at(s.as(token, `query ($id: ID!) { alert(id: $id) { severity message rustbucket { name } details occurrences } }`, map[string]any{"id": id}).Data, "alert"); at(got, "severity") != "HIGH" ||
			at(got, "message") != "full" || at(got, "rustbucket", "name") != "Node 1" || at(got, "details", "free") != 0.0 || at(got, "occurrences") != 2.0 {
			t.Errorf("its creator sees %v", got)
		}
		if status, a := s.ingest(token, "json", `{"status": "resolved", "dedupKey": "disk"}`); status != http.StatusOK || at(a, "alerts", 0, "id") != id || at(a, "alerts", 0, "outcome") != "resolved" {
			t.Errorf("resolved: %d %v", status, a)
		}
		if status, a := s.ingest(token, "json", `{"status": "resolved", "dedupKey": "disk"}`); status != http.StatusOK || at(a, "alerts", 0, "id") != nil || at(a, "alerts", 0, "outcome") != "unchanged" {
			t.Errorf("resolved again: %d %v", status, a)
		}
		// All or nothing: what is wrong further back keeps the first from being stored.
		status, a = s.ingest(token, "json", `[{"type": "x", "message": "m"}, {"type": "x", "message": "m", "severity": "urgent"}]`)
		if status != http.StatusBadRequest || at(a, "errors", 0, "extensions", "field") != "1.severity" || at(a, "errors", 0, "extensions", "code") != "BAD_USER_INPUT" {
			t.Errorf("%d %v", status, a)
		}
		if n := at(s.do(`{ alerts { totalCount } }`, nil), "alerts", "totalCount"); n != 2.0 {
			t.Errorf("%v alerts are stored", n)
		}
	})
}

func TestIngest_AReporterResolvesWhatItCreated(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		oneID, one := s.newToken("one", models.Reporter)
		_, two := s.newToken("two", models.Reporter)
		s.ingest(one, "alertmanager", group("firing a"))
		if _, a := s.ingest(two, "alertmanager", group("resolved a")); a["resolved"] != 0.0 {
			t.Errorf("another's alert is resolved: %v", a)
		}
		// The alert of another token swallows nothing.
		if _, a := s.ingest(two, "alertmanager", group("firing a")); a["created"] != 1.0 {
			t.Errorf("it is not told anew: %v", a)
		}
		if _, a := s.ingest(two, "alertmanager", group("resolved a")); a["resolved"] != 1.0 {
			t.Errorf("its own is not resolved: %v", a)
		}
		// Nor do several, with every key that the other's alert may get.
		for _, key := range []string{"alertmanager:c", "alertmanager:c:" + oneID, "alertmanager@" + oneID + ":c"} {
			s.as(two, `mutation($key: String!) { createAlert(input: {type: "x", message: "m", notify: false, dedupKey: $key}) { id } }`, map[string]any{"key": key})
		}
		s.ingest(two, "alertmanager", group("firing c", "firing c:"+oneID, "firing @"+oneID+":c"))
		if _, a := s.ingest(one, "alertmanager", group("firing c")); a["created"] != 1.0 {
			t.Errorf("it is swallowed: %v", a)
		}
		if _, a := s.ingest(one, "alertmanager", group("resolved c")); a["resolved"] != 1.0 {
			t.Errorf("it is not resolved: %v", a)
		}
		if _, a := s.ingest(one, "json", `{"status": "resolved", "dedupKey": "alertmanager:a"}`); at(a, "alerts", 0, "outcome") != "resolved" {
			t.Errorf("by its key: %v", a)
		}
		s.ingest(one, "alertmanager", group("firing b"))
		if _, a := s.ingest(testToken, "alertmanager", group("resolved b")); a["resolved"] != 1.0 {
			t.Errorf("ADMIN resolves every alert: %v", a)
		}
		if _, a := s.ingest(two, "json", `{"type": "x", "message": "m", "dedupKey": "k"}`); at(a, "alerts", 0, "outcome") != "created" {
			t.Errorf("%v", a)
		}
		if _, a := s.ingest(one, "json", `[{"type": "x", "message": "m", "dedupKey": "k"}, {"status": "resolved", "dedupKey": "k"}]`); at(a, "alerts", 0, "outcome") != "counted" || at(a, "alerts", 1, "outcome") != "unchanged" {
			t.Errorf("a key that another has chosen: %v", a)
		}
	})
}

func TestIngest_RefusesWhatItCannotTake(t *testing.T) {
	s := startServer(t, "")
	tokens := s.tokens()
	small := group("firing a")
	for _, c := range []struct {
		name, method, path, role, contentType, body string
		status                                      int
		code                                        string
	}{
		{"no token", "POST", "alertmanager", "", "application/json", small, 401, "UNAUTHENTICATED"},
		{"VIEWER", "POST", "alertmanager", "VIEWER", "application/json", small, 403, "FORBIDDEN"},
		{"ANALYST", "POST", "json", "ANALYST", "application/json", small, 403, "FORBIDDEN"},
		{"a GET", "GET", "alertmanager", "REPORTER", "application/json", "", 405, "BAD_USER_INPUT"},
		{"a form", "POST", "json", "REPORTER", "application/x-www-form-urlencoded", "type=x", 415, "BAD_USER_INPUT"},
		{"no JSON", "POST", "json", "REPORTER", "application/json", "type=x", 400, "BAD_USER_INPUT"},
		{"nothing", "POST", "json", "REPORTER", "application/json", "", 400, "BAD_USER_INPUT"},
		{"no UTF-8", "POST", "json", "REPORTER", "application/json", "{\"type\": \"\xff\", \"message\": \"m\"}", 400, "BAD_USER_INPUT"},
		{"too large", "POST", "alertmanager", "REPORTER", "application/json", strings.Repeat(" ", 4<<20) + small, 413, "BAD_USER_INPUT"},
		{"too many", "POST", "json", "REPORTER", "application/json", "[" + strings.Repeat("{},", 1000) + "{}]", 413, "BAD_USER_INPUT"},
		{"somewhere else", "POST", "opsgenie", "REPORTER", "application/json", small, 404, "NOT_FOUND"},
		{"ADMIN", "POST", "alertmanager", "ADMIN", "application/json; charset=utf-8", small, 200, ""},
		{"REPORTER", "POST", "alertmanager", "REPORTER", "application/json", group(), 200, ""},
	} {
		headers := []string{"Content-Type", c.contentType}
		if c.role != "" {
			headers = append(headers, "Authorization", "Bearer "+tokens[c.role])
		}
		res, text := s.send(c.method, "/ingest/"+c.path, c.body, headers...)
		var a map[string]any
		_ = json.Unmarshal([]byte(text), &a)
		if code, _ := at(a, "errors", 0, "extensions", "code").(string); res.StatusCode != c.status || code != c.code {
			t.Errorf("%s: %d %s", c.name, res.StatusCode, text)
		}
	}
	if res, text := s.send(http.MethodPost, "/ingest/json", small, "Content-Type", "application/json", "Content-Encoding", "gzip", "Authorization", "Bearer "+tokens["REPORTER"]); res.StatusCode != http.StatusUnsupportedMediaType || !strings.Contains(text, "Content-Encoding") {
		t.Errorf("packed: %d %s", res.StatusCode, text)
	}
	// A browser's session is not enough: what is posted here is no page's.
	if res, text := s.send(http.MethodPost, "/ingest/json", `{"type": "x", "message": "m"}`, "Cookie", s.signIn(testToken)); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("with a session: %d %s", res.StatusCode, text)
	}
	_, scrape := s.send(http.MethodGet, "/metrics", "", "Authorization", "Bearer "+testToken)
	for _, line := range []string{`rustbucket_alerts_requests_refused_total{reason="token"} 2`, `rustbucket_alerts_requests_refused_total{reason="body"} 2`} {
		if !strings.Contains(scrape, line) {
			t.Errorf("the metrics lack %s", line)
		}
	}
}

// Large bodies that come in slowly take the room of their own token, not that of the others.
func TestIngest_SlowBodiesKeepNobodyElseOut(t *testing.T) {
	s := startServer(t, "")
	_, slow := s.newToken("slow", models.Reporter)
	_, other := s.newToken("other", models.Reporter)
	const bodies, room = 20, 4 // of 4 MB each, of which not a byte comes
	turnedAway := make(chan int, bodies)
	for range bodies {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		fmt.Fprintf(conn, "POST /ingest/json HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", slow, 4<<20)
		go func() { // ends when the test closes the connection
			if res, err := http.ReadResponse(bufio.NewReader(conn), nil); err == nil {
				turnedAway <- res.StatusCode
			}
		}()
	}
	for range bodies - room { // the rest is being waited for, and has all the room of its token
		if status := <-turnedAway; status != http.StatusServiceUnavailable {
			t.Fatalf("a body without room: %d", status)
		}
	}
	const one = `{"type": "x", "message": "m"}`
	if status, a := s.ingest(slow, "json", one); status != http.StatusServiceUnavailable {
		t.Errorf("the token that has no room left: %d %v", status, a)
	}
	if status, a := s.ingest(other, "json", one); status != http.StatusOK {
		t.Errorf("another token: %d %v", status, a)
	}
}

func TestIngest_HoldsATokenToItsLimit(t *testing.T) {
	s := startServer(t, "")
	token := at(s.do(`mutation { createToken(input: {name: "prometheus", role: REPORTER, alertsPerMinute: 3}) { secret } }`, nil), "createToken", "secret").(string)
	if status, a := s.ingest(token, "alertmanager", group("firing a", "firing b", "resolved c")); status != http.StatusOK {
		t.Errorf("%d %v", status, a)
	}
	res, text := s.send(http.MethodPost, "/ingest/alertmanager", group("firing c", "firing d"), "Authorization", "Bearer "+token)
	if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" || !strings.Contains(text, "OVERLOADED") {
		t.Errorf("beyond its limit: %d %v %s", res.StatusCode, res.Header, text)
	}
	if status, a := s.ingest(token, "alertmanager", group("resolved a", "resolved b")); status != http.StatusOK || a["resolved"] != 2.0 {
		t.Errorf("what is over is taken all the same: %d %v", status, a)
	}
}

// A large group, from both of a pair of Alertmanagers at once, then its end.
func TestIngest_TakesLargeGroups(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		_, token := s.newToken("prometheus", models.Reporter)
		const n = 800 // of which a call is a batch of its own
		firing, resolved := make([]string, n), make([]string, n)
		for i := range n {
			firing[i], resolved[i] = fmt.Sprint("firing ", i), fmt.Sprint("resolved ", i)
		}
		var pair sync.WaitGroup
		var created, counted [2]float64
		for i := range 2 {
			pair.Go(func() {
				status, a := s.ingest(token, "alertmanager", group(firing...))
				if status != http.StatusOK {
					t.Errorf("%d %v", status, a)
				}
				created[i], _ = a["created"].(float64)
				counted[i], _ = a["counted"].(float64)
			})
		}
		pair.Wait()
		if created[0]+created[1] != n || counted[0]+counted[1] != n {
			t.Errorf("created %v, counted %v", created, counted)
		}
		if status, a := s.ingest(token, "alertmanager", group(resolved...)); status != http.StatusOK || a["resolved"] != float64(n) {
			t.Errorf("%d %v", status, a)
		}
	})
}

func TestIngest_SaysWhenTheDatabaseIsAway(t *testing.T) {
	s := startServer(t, testkit.NewDatabase(t))
	_, token := s.newToken("prometheus", models.Reporter)
	s.ingest(token, "alertmanager", group("firing a"))
	s.store.Close()
	res, text := s.send(http.MethodPost, "/ingest/alertmanager", group("firing b"), "Authorization", "Bearer "+token)
	if res.StatusCode/100 != 5 || !strings.Contains(text, "incident") || strings.Contains(text, "sql") {
		t.Errorf("%d %s", res.StatusCode, text)
	}
}
