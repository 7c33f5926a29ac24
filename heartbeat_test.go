package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/testkit"
)

// beat sends heartbeats, all at once.
func (s *server) beat(ids ...string) {
	s.t.Helper()
	var sending sync.WaitGroup
	for _, id := range ids {
		sending.Go(func() {
			if a := s.try(`mutation ($id: ID!) { heartbeat(rustbucketId: $id) { id } }`, map[string]any{"id": id}); len(a.Errors) > 0 {
				s.t.Error(a.Errors)
			}
		})
	}
	sending.Wait()
}

func (s *server) expect(seconds any, ids ...string) {
	s.t.Helper()
	for _, id := range ids {
		s.do(`mutation ($id: ID!, $s: Int) { expectHeartbeat(rustbucketId: $id, intervalSeconds: $s) { id } }`, map[string]any{"id": id, "s": seconds})
	}
}

// offline gives the alerts that rustbuckets are offline, the newest first.
func (s *server) offline() []any {
	s.t.Helper()
	return s.offlineSince(time.Time{}.AddDate(1, 0, 0))
}

func (s *server) offlineSince(began time.Time) []any {
	s.t.Helper()
	data := s.do(`query ($at: Time!) { alerts(filter: {types: ["rustbucket_offline"], createdAfter: $at}, first: 500) { nodes {
		id message severity source isResolved occurrences dedupKey rustbucket { id name heartbeat { state } } } } }`, map[string]any{"at": began})
	return at(data, "alerts", "nodes").([]any)
}

func TestHeartbeat_AMissedOneIsToldAndItsReturnToo(t *testing.T) {
	onBothAtOnce(t, func(t *testing.T, url string) {
		s := startServer(t, url)
		r := newReceiver(t)
		s.createChannel("hook", webhook(r.URL), "notifyOnResolve", true, "minSeverity", "HIGH")
		created := s.subscribe(t, `subscription { alertCreated(filter: {types: ["rustbucket_offline"]}) { rustbucket { id heartbeat { state } } } }`, nil)
		reporter := s.tokens()[string(models.Reporter)]
		a := s.as(reporter, `mutation { heartbeat(rustbucketId: "BKT1", name: "Node 1") { id name heartbeat { state intervalSeconds dueAt } } }`, nil)
		if at(a.Data, "heartbeat", "name") != "Node 1" || at(a.Data, "heartbeat", "heartbeat", "state") != "UNWATCHED" {
			t.Fatalf("a heartbeat: %+v", a)
		}
		watched := s.do(`mutation { expectHeartbeat(rustbucketId: "BKT1", intervalSeconds: 5) { name heartbeat { state intervalSeconds severity lastSeenAt dueAt } } }`, nil)["expectHeartbeat"]
		if at(watched, "name") != "Node 1" || at(watched, "heartbeat", "state") != "ONLINE" || at(watched, "heartbeat", "severity") != "HIGH" || at(watched, "heartbeat", "dueAt") == nil {
			t.Errorf("watched: %v", watched)
		}
		s.until("the rustbucket to be missed", func() bool { return len(r.all()) == 1 })
		if body := r.all()[0].body; !strings.Contains(body, `"alert_type":"rustbucket_offline","severity":"high"`) || !strings.Contains(body, `"rustbucket":{"id":"BKT1","name":"Node 1"}`) {
			t.Errorf("told %s", body)
		}
		if e := created.next(); at(e, "alertCreated", "rustbucket", "id") != "BKT1" || at(e, "alertCreated", "rustbucket", "heartbeat", "state") != "OFFLINE" {
			t.Errorf("streamed %v", e)
		}
		alert := s.offline()[0]
		if at(alert, "source") != "SERVER" || !strings.HasPrefix(at(alert, "message").(string), "Rustbucket Node 1 (BKT1) is offline: a heartbeat is expected every 5 s, and the last one came at 20") {
			t.Errorf("the alert %v", alert)
		}
		if n := at(s.do(`{ rustbucket(id: "BKT1") { openAlerts } }`, nil), "rustbucket", "openAlerts"); n != 1.0 {
			t.Errorf("%v open alerts", n)
		}
		s.until("the metrics to show it", func() bool {
			_, page := scrape(t, s.url, testToken)
			return strings.Contains(page, `rustbucket_alerts_rustbuckets{state="offline"} 1`) && strings.Contains(page, `rustbucket_alerts_meta_alerts_total{kind="rustbucket_offline"} 1`)
		})
		s.expect(3600, "BKT1") // it stays offline, and is not missed again at once
		if a := s.as(reporter, `mutation { heartbeat(rustbucketId: "BKT1") { heartbeat { state } } }`, nil); at(a.Data, "heartbeat", "heartbeat", "state") != "ONLINE" {
			t.Errorf("its return: %+v", a)
		}
		s.until("its return to be told", func() bool { return len(r.all()) == 2 })
		if body := r.all()[1].body; !strings.Contains(body, `"is_resolved":true`) || at(s.offline()[0], "isResolved") != true {
			t.Errorf("told %s", body)
		}
	})
}

func TestHeartbeat_WhatIsAskedForIsChecked(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		for field, query := range map[string]string{
			"intervalSeconds": `mutation { expectHeartbeat(rustbucketId: "BKT1", intervalSeconds: 4) { id } }`,
			"rustbucketId":    `mutation { heartbeat(rustbucketId: "` + strings.Repeat("x", 256) + `") { id } }`,
			"name":            `mutation { heartbeat(rustbucketId: "BKT1", name: " ") { id } }`,
			"id":              `{ rustbucket(id: "") { id } }`,
			"after":           `{ rustbuckets(after: "x") { totalCount } }`,
			"first":           `{ rustbuckets(first: 501) { totalCount } }`,
		} {
			a := s.try(query, nil)
			if len(a.Errors) != 1 || a.Errors[0].Extensions.Code != "BAD_USER_INPUT" || a.Errors[0].Extensions.Field != field {
				t.Errorf("%s: %+v", query, a.Errors)
			}
		}
		if a := s.try(`{ rustbucket(id: "BKT1") { id } }`, nil); len(a.Errors) != 1 || a.Errors[0].Extensions.Code != "NOT_FOUND" {
			t.Errorf("one that nobody heard of: %+v", a.Errors)
		}
		s.beat("BKT2", "7")
		s.do(`mutation { heartbeat(rustbucketId: 12) { id } }`, nil)
		s.expect(60, "BKT1")
		s.expect(nil, "BKT1")
		reporter := s.tokens()[string(models.Reporter)]
		for _, field := range []string{"createdAt", "openAlerts"} {
			if a := s.as(reporter, `mutation { heartbeat(rustbucketId: "BKT2") { id `+field+` } }`, nil); len(a.Errors) != 1 || a.Errors[0].Extensions.Code != "FORBIDDEN" {
				t.Errorf("a REPORTER asks for %s: %+v", field, a)
			}
		}
		var found []any
		for after := any(nil); ; {
			page := s.do(`query ($after: String) { rustbuckets(first: 3, after: $after) { totalCount nodes { id createdAt openAlerts heartbeat { state } } edges { cursor }
				pageInfo { hasNextPage endCursor } } }`, map[string]any{"after": after})["rustbuckets"]
			for _, n := range at(page, "nodes").([]any) {
				found = append(found, at(n, "id"))
			}
			if after = at(page, "pageInfo", "endCursor"); at(page, "pageInfo", "hasNextPage") != true {
				break
			}
		}
		if fmt.Sprint(found) != "[12 7 BKT1 BKT2]" {
			t.Errorf("listed %v", found)
		}
		lines := strings.Join(s.audited(), "\n")
		for _, want := range []string{`ADMIN_TOKEN HEARTBEAT_EXPECTED BKT1 {"intervalSeconds":{"from":null,"to":60}}`, `ADMIN_TOKEN HEARTBEAT_EXPECTED BKT1 {"intervalSeconds":{"from":60,"to":null}}`} {
			if !strings.Contains(lines, want) {
				t.Errorf("no %s in the audit log\n%s", want, lines)
			}
		}
	})
}

func TestHeartbeat_ARestartIsNoStorm(t *testing.T) {
	onBothAtOnce(t, func(t *testing.T, url string) {
		s := startServer(t, url)
		var lives, gone []string
		for i := range 10 {
			lives, gone = append(lives, fmt.Sprint("lives ", i)), append(gone, fmt.Sprint("gone ", i))
		}
		s.expect(5, lives...)
		s.expect(5, gone...)
		s.beat(slices.Concat(lives, gone)...)
		s.stop()
		time.Sleep(6 * time.Second) // all of them are overdue by then
		began := time.Now()
		s = startServer(t, url)
		var missed []any
		s.until("those that are gone to be missed", func() bool {
			s.beat(lives...)
			missed = s.offlineSince(began)
			if len(missed) > 0 && time.Since(began) < 5*time.Second {
				t.Fatalf("%d rustbuckets were missed %v after the start", len(missed), time.Since(began))
			}
			return len(missed) >= len(gone)
		})
		for _, a := range missed {
			if !strings.HasPrefix(at(a, "rustbucket", "id").(string), "gone") || at(a, "isResolved") != false || at(a, "occurrences") != 1.0 {
				t.Errorf("an alert too many: %v", a)
			}
		}
	})
}

func TestHeartbeat_ServersOnOneDatabaseAgree(t *testing.T) {
	t.Parallel()
	url := testkit.NewDatabase(t)
	a, b := startServer(t, url), startServer(t, url)
	r := newReceiver(t)
	a.createChannel("hook", webhook(r.URL), "notifyOnResolve", true)
	a.expect(5, "BKT1", "BKT2", "silent")
	a.do(`mutation ($at: Time!) { createSilence(input: {rustbucketIds: ["silent"], reason: "it moves house", endsAt: $at}) { id } }`, map[string]any{"at": time.Now().Add(time.Hour)})
	var list []any
	a.until("the one that sends nothing to be missed", func() bool { // the others were to be heard of no later
		time.Sleep(100 * time.Millisecond)
		b.beat("BKT1", "BKT2")
		list = a.offline()
		return len(list) > 0
	})
	if len(list) != 1 || at(list, 0, "rustbucket", "id") != "silent" || len(r.all()) != 0 {
		t.Fatalf("missed although the other server was told, or told although silenced: %v, %d", list, len(r.all()))
	}
	a.until("both to be missed", func() bool { return len(b.offline()) == 3 && len(r.all()) == 2 })
	time.Sleep(2500 * time.Millisecond) // both servers look again
	a.expect(3600, "BKT1")              // it stays offline, and is not missed again at once
	a.beat("BKT1")
	b.beat("BKT1")
	a.until("the return to be told", func() bool { return len(r.all()) == 3 })
	list = a.offline()
	if len(list) != 3 || len(r.all()) != 3 {
		t.Errorf("%d alerts, told %d times", len(list), len(r.all()))
	}
	for _, alert := range list {
		if at(alert, "occurrences") != 1.0 || (at(alert, "isResolved") == true) != (at(alert, "rustbucket", "id") == "BKT1") {
			t.Errorf("the alert %v", alert)
		}
	}
}
