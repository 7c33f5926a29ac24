package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rustbucket/alerts/testkit"
)

const silenceQuery = `mutation($input: CreateSilenceInput!) { createSilence(input: $input) {
	id types severities rustbucketIds reason startsAt endsAt endedAt createdAt createdBy isActive silencedAlerts } }`

// silence creates a silence of an hour unless the fields, by pairs, say otherwise.
func (s *server) silence(fields ...any) map[string]any {
	s.t.Helper()
	input := map[string]any{"reason": "moving house", "endsAt": time.Now().Add(time.Hour)}
	for i := 0; i < len(fields); i += 2 {
		input[fields[i].(string)] = fields[i+1]
	}
	return at(s.do(silenceQuery, map[string]any{"input": input}), "createSilence").(map[string]any)
}

func (s *server) endSilence(id any) any {
	s.t.Helper()
	return s.do(`mutation($id: ID!) { endSilence(id: $id) { id endedAt isActive silencedAlerts } }`, map[string]any{"id": id})["endSilence"]
}

// shownAlert gives what the API shows of how an alert was routed.
func (s *server) shownAlert(id string) any {
	s.t.Helper()
	return s.do(`query($id: ID!) { alert(id: $id) { id occurrences silence { id reason } pauseReason routing { reason willNotify channel { name } } deliveries { kind status } } }`,
		map[string]any{"id": id})["alert"]
}

func TestSilence_NobodyIsToldOfWhatItNames(t *testing.T) {
	onBothAtOnce(t, func(t *testing.T, url string) {
		s := startServer(t, url)
		r := newReceiver(t)
		channel := s.createChannel("hook", webhook(r.URL), "notifyOnResolve", true)
		s.createChannel("high only", webhook(r.URL), "minSeverity", "HIGH")
		stream := s.subscribe(t, `subscription { alertCreated(filter: {isSilenced: true}) { id silence { reason silencedAlerts } routing { reason } } }`, nil)
		audible := s.subscribe(t, `subscription { alertCreated(filter: {isSilenced: false}) { id silence { reason } } }`, nil)
		second := s.subscribe(t, `subscription { alertCreated(filter: {silenceId: 1}) { type silence { id } } }`, nil)
		short := s.silence("types", []any{"disk", "cpu"}, "endsAt", time.Now().Add(30*time.Minute))
		x := s.silence("types", []any{"disk"}, "rustbucketIds", []any{"BKT1", 2})
		if x["isActive"] != true || x["createdBy"] != "ADMIN_TOKEN" || x["silencedAlerts"] != 0.0 || x["endedAt"] != nil || x["startsAt"] != x["createdAt"] ||
			!reflect.DeepEqual(x["rustbucketIds"], []any{"BKT1", "2"}) || !reflect.DeepEqual(x["severities"], []any{}) {
			t.Errorf("created %v", x)
		}
		input := map[string]any{"type": "disk", "message": "m", "rustbucket": map[string]any{"id": "BKT1", "name": "node 1"}}
		preview := s.do(`query($input: CreateAlertInput!) { previewRouting(input: $input) { reason willNotify channel { name } } }`, map[string]any{"input": input})["previewRouting"]
		id := s.createAlert(input)
		a := s.shownAlert(id)
		if at(a, "silence", "id") != x["id"] || at(a, "silence", "reason") != "moving house" || len(at(a, "deliveries").([]any)) != 0 ||
			at(a, "routing", 1, "reason") != "SILENCED" || at(a, "routing", 1, "willNotify") != false || at(a, "routing", 0, "reason") != "BELOW_MIN_SEVERITY" {
			t.Errorf("silenced: %v", a)
		}
		if !reflect.DeepEqual(preview, at(a, "routing")) {
			t.Errorf("the preview was %v, the routing is %v", preview, at(a, "routing"))
		}
		if e := at(stream.next(), "alertCreated"); at(e, "id") != id || at(e, "silence", "silencedAlerts") != 1.0 || at(e, "routing", 1, "reason") != "SILENCED" {
			t.Errorf("streamed: %v", e)
		}
		// The end of what was not told is not told either.
		s.do(`mutation($id: ID!) { resolveAlert(id: $id) { id } }`, map[string]any{"id": id})
		quiet := s.createAlert(map[string]any{"type": "disk", "notify": false, "rustbucket": input["rustbucket"]})
		if a := s.shownAlert(quiet); at(a, "silence", "id") != x["id"] || at(a, "routing", 0, "reason") != "NOTIFY_FALSE" {
			t.Errorf("not to notify, and silenced: %v", a)
		}
		if a := s.shownAlert(s.createAlert(map[string]any{"type": "cpu"})); at(a, "silence", "id") != short["id"] {
			t.Errorf("under the other silence: %v", a)
		}
		loud := s.createAlert(map[string]any{"type": "memory", "rustbucket": input["rustbucket"]})
		if d := s.deliveries(loud); len(d) != 1 || at(d, 0, "status") != "DELIVERED" || at(s.shownAlert(loud), "silence") != nil {
			t.Errorf("of no silence's type: %v", d)
		}
		if e := at(audible.next(), "alertCreated"); at(e, "id") != loud || at(e, "silence") != nil {
			t.Errorf("streamed: %v", e)
		}
		for silenced, want := range map[bool]float64{true: 3, false: 1} {
			list := s.do(`query($yes: Boolean!) { alerts(filter: {isSilenced: $yes}) { totalCount nodes { silence { id } } } }`, map[string]any{"yes": silenced})["alerts"]
			if at(list, "totalCount") != want || len(at(list, "nodes").([]any)) != int(want) || (at(list, "nodes", 0, "silence") != nil) != silenced {
				t.Errorf("silenced %v: %v", silenced, list)
			}
		}
		list := s.do(`query($id: ID!) { alerts(filter: {silenceId: $id}) { totalCount nodes { type silence { id } } } }`, map[string]any{"id": short["id"]})["alerts"]
		if at(list, "totalCount") != 1.0 || at(list, "nodes", 0, "type") != "cpu" || at(list, "nodes", 0, "silence", "id") != short["id"] {
			t.Errorf("of one silence: %v", list)
		}
		if e := at(second.next(), "alertCreated"); at(e, "type") != "cpu" || at(e, "silence", "id") != short["id"] {
			t.Errorf("streamed of one silence: %v", e)
		}
		s.wantSamples("silenced_total 3", `created_total{source="api"} 4`)

		ended := s.endSilence(x["id"])
		if at(ended, "isActive") != false || at(ended, "endedAt") == nil || at(ended, "silencedAlerts") != 2.0 || !reflect.DeepEqual(s.endSilence(x["id"]), ended) {
			t.Errorf("ended %v", ended)
		}
		if d := s.endSilence(short["id"]); at(d, "endedAt") == nil {
			t.Errorf("ended %v", d)
		}
		if d := s.deliveries(s.createAlert(input)); len(d) != 1 || at(d, 0, "status") != "DELIVERED" {
			t.Errorf("after the end: %v", d)
		}
		if news := r.news(t); !reflect.DeepEqual(news, []string{"disk", "memory"}) || s.count(channel, "DELIVERED") != 2 {
			t.Errorf("the channel was told %v", news)
		}
		lists := s.do(`query($id: ID!) { all: silences { id isActive silencedAlerts } over: silences(isActive: false) { id } active: silences(isActive: true) { id } silence(id: $id) { id isActive silencedAlerts } }`, map[string]any{"id": x["id"]})
		if at(lists, "all", 0, "id") != x["id"] || at(lists, "all", 1, "silencedAlerts") != 1.0 || len(lists["over"].([]any)) != 2 || len(lists["active"].([]any)) != 0 ||
			!reflect.DeepEqual(lists["silence"], at(lists, "all", 0)) {
			t.Errorf("listed: %v", lists)
		}
		var audited []string
		for _, line := range s.audited() {
			if line, ours := strings.CutPrefix(line, "ADMIN_TOKEN SILENCE_"); ours {
				audited = append(audited, strings.ReplaceAll(line, fmt.Sprint(x["endsAt"]), "LATER"))
			}
		}
		want := fmt.Sprintf(`CREATED - {"endsAt":"LATER","reason":"moving house","rustbucketIds":["BKT1","2"],"severities":[],"startsAt":%q,"types":["disk"]}`, x["startsAt"])
		if len(audited) != 4 || audited[1] != want || audited[2] != `ENDED - {"reason":"moving house"}` {
			t.Errorf("audited %q, want %s", audited, want)
		}
		for query, want := range map[string]string{
			`{ silence(id: 999) { id } }`:             "NOT_FOUND",
			`mutation { endSilence(id: 999) { id } }`: "NOT_FOUND",
		} {
			if a := s.try(query, nil); len(a.Errors) != 1 || a.Errors[0].Extensions.Code != want {
				t.Errorf("%s: %+v", query, a.Errors)
			}
		}
	})
}

func TestSilence_BeginsAndEndsByItself(t *testing.T) {
	onBothAtOnce(t, func(t *testing.T, url string) {
		s := startServer(t, url)
		r := newReceiver(t)
		s.createChannel("hook", webhook(r.URL))
		begins := time.Now().Add(time.Hour)
		x := s.silence("severities", []any{"LOW"}, "startsAt", begins, "endsAt", begins.Add(time.Hour))
		if x["isActive"] != false {
			t.Errorf("before it has begun: %v", x)
		}
		before := s.createAlert(nil)
		s.deliveries(before)
		s.stop()
		s = startServer(t, url) // it outlives that
		active := func() bool {
			return at(s.do(`query($id: ID!) { silence(id: $id) { isActive endedAt } }`, map[string]any{"id": x["id"]}), "silence", "isActive").(bool)
		}
		if active() {
			t.Error("it has begun at the restart")
		}
		s.store.TurnClock(61 * time.Minute)
		if !active() {
			t.Error("it has not begun")
		}
		during := s.createAlert(nil)
		s.store.TurnClock(time.Hour)
		if active() {
			t.Error("it has not ended")
		}
		after := s.createAlert(nil)
		if a := s.shownAlert(during); at(a, "silence", "id") != x["id"] || at(a, "routing", 0, "reason") != "SILENCED" {
			t.Errorf("during it: %v", a)
		}
		for _, id := range []string{before, after} {
			if d := s.deliveries(id); len(d) != 1 || at(d, 0, "status") != "DELIVERED" {
				t.Errorf("before or after it: %v", d)
			}
		}
		if x := at(s.do(`{ silences { endedAt } }`, nil), "silences", 0); at(x, "endedAt") != nil {
			t.Errorf("nobody has ended it: %v", x)
		}
	})
}

// A rustbucket that went offline during a silence reports nothing: the server says it when the silence is over, one of them.
func TestSilence_IsOverForARustbucketThatStaysOffline(t *testing.T) {
	onBothAtOnce(t, func(t *testing.T, url string) {
		s := startServer(t, url)
		servers := []*server{s}
		if strings.HasPrefix(url, "postgres") {
			servers = append(servers, startServer(t, url))
		}
		r := newReceiver(t)
		s.createChannel("hook", webhook(r.URL), "notifyOnResolve", true)
		x := s.silence("rustbucketIds", []any{"BKT1"}, "endsAt", time.Now().Add(24*time.Hour))
		s.silence("rustbucketIds", []any{"BKT2"})
		s.expect(5, "BKT1", "BKT2")
		s.until("both to be missed", func() bool { return len(s.offline()) == 2 })
		for _, a := range s.offline() {
			if a := s.shownAlert(at(a, "id").(string)); at(a, "silence") == nil || at(a, "routing", 0, "reason") != "SILENCED" {
				t.Errorf("offline during a silence: %v", a)
			}
		}
		if n := len(r.all()); n != 0 {
			t.Errorf("%d messages during the silences", n)
		}
		for _, s := range servers {
			s.store.TurnClock(time.Hour)
		}
		s.until("one to be told when its silence has come to its end", func() bool { return len(r.all()) == 1 })
		s.endSilence(x["id"])
		s.until("the other one to be told when its silence was ended", func() bool { return len(r.all()) == 2 })
		for i, id := range []string{"BKT2", "BKT1"} {
			if body := r.all()[i].body; !strings.Contains(body, `"rustbucket":{"id":"`+id+`"`) || !strings.Contains(body, `"alert_type":"rustbucket_offline"`) {
				t.Errorf("told %s", body)
			}
		}
		for _, a := range s.offline() {
			if a := s.shownAlert(at(a, "id").(string)); at(a, "occurrences") != 2.0 || at(a, "silence") == nil || at(a, "routing", 0, "reason") != "MATCHED" {
				t.Errorf("told after a silence: %v", a)
			}
		}
		s.beat("BKT1", "BKT2")
		s.until("their return to be told", func() bool { return len(r.all()) == 4 })
	})
}

// The second server is told of changes a little later than the first one answers. It must not go by what it knew.
func TestSilence_HoldsInEveryProcessAtOnce(t *testing.T) {
	t.Parallel()
	url := testkit.NewDatabase(t)
	one, two := startServer(t, url), startServer(t, url)
	r := newReceiver(t)
	one.createChannel("hook", webhook(r.URL))
	two.until("the channel to be known in the other process", func() bool { return len(two.settings()) == 1 })
	reason := func(id string) any { return at(two.shownAlert(id), "routing", 0, "reason") }
	for i := range 25 {
		kind := fmt.Sprint("type ", i)
		input := map[string]any{"type": kind}
		if i%2 == 1 {
			input["dedupKey"] = kind
		}
		x := one.silence("types", []any{kind})
		if id := two.createAlert(input); reason(id) != "SILENCED" {
			t.Errorf("%s: created just after the silence: %v", kind, two.shownAlert(id))
		}
		one.endSilence(x["id"])
		if id := two.createAlert(input); reason(id) != "MATCHED" {
			t.Errorf("%s: created just after its end: %v", kind, two.shownAlert(id))
		}
		// The pause goes the same way.
		one.do(pauseQuery, map[string]any{"reason": "moving house", "afterwards": "DROP"})
		if id := two.createAlert(nil); reason(id) != "NOTIFICATIONS_PAUSED" {
			t.Errorf("created just after the pause: %v", two.shownAlert(id))
		}
		one.do(`mutation { resumeNotifications }`, nil)
	}
	one.until("all that was not silenced to be told", func() bool { return len(r.all()) == 25 })
	for _, kind := range r.news(t) {
		if !strings.HasPrefix(kind, "type ") {
			t.Errorf("told of %q", kind)
		}
	}
}

func TestSilence_WhatIsStillReportedAfterItsEndIsTold(t *testing.T) {
	onBothAtOnce(t, func(t *testing.T, url string) {
		s := startServer(t, url)
		servers := []*server{s}
		if !strings.HasPrefix(url, "sqlite:") {
			servers = append(servers, startServer(t, url))
		}
		r := newReceiver(t)
		s.createChannel("hook", webhook(r.URL), "notifyOnResolve", true)
		s.createChannel("cpu only", webhook(r.URL), "alertTypes", []any{"cpu"})
		servers[len(servers)-1].until("the channels to be known", func() bool { return len(servers[len(servers)-1].settings()) == 2 })
		updates := s.subscribe(t, `subscription { alertUpdated { id occurrences routing { reason } } }`, nil)
		x := s.silence("types", []any{"disk"})
		other := s.silence("severities", []any{"HIGH"})
		input := map[string]any{"type": "disk", "severity": "HIGH", "dedupKey": "disk of node 1", "rustbucket": map[string]any{"id": "BKT1", "name": "node 1"}}
		report := func(s *server, change ...any) string {
			t.Helper()
			one := map[string]any{}
			for k, v := range input {
				one[k] = v
			}
			for i := 0; i < len(change); i += 2 {
				one[change[i].(string)] = change[i+1]
			}
			return s.createAlert(one)
		}
		preview := func() any {
			t.Helper()
			return at(s.do(`query($input: CreateAlertInput!) { previewRouting(input: $input) { reason } }`,
				map[string]any{"input": map[string]any{"type": "disk", "message": "m", "dedupKey": "disk of node 1"}}), "previewRouting", 1, "reason")
		}
		id := report(s)
		report(s)
		s.endSilence(x["id"])
		report(s) // what it is told of is the alert, which the other silence is about
		if a := s.shownAlert(id); at(a, "occurrences") != 3.0 || at(a, "routing", 1, "reason") != "SILENCED" || len(at(a, "deliveries").([]any)) != 0 || preview() != "DUPLICATE" {
			t.Errorf("while a silence holds: %v, preview %v", a, preview())
		}
		s.endSilence(other["id"])
		report(s, "notify", false) // nobody is to be told because of this one
		if a := s.shownAlert(id); at(a, "routing", 1, "reason") != "SILENCED" || preview() != "MATCHED" {
			t.Errorf("reported without notify: %v, preview %v", a, preview())
		}
		s.do(`mutation($id: ID!) { acknowledgeAlert(id: $id) { id } }`, map[string]any{"id": id})
		report(s) // somebody is on it
		if a := s.shownAlert(id); at(a, "routing", 1, "reason") != "SILENCED" || preview() != "DUPLICATE" {
			t.Errorf("reported while acknowledged: %v, preview %v", a, preview())
		}
		s.do(`mutation($id: ID!) { reopenAlert(id: $id) { id } }`, map[string]any{"id": id})
		var reports sync.WaitGroup
		for i := range 8 { // of another type and severity: it stays the alert that it is
			reports.Go(func() { report(servers[i%len(servers)], "type", "cpu", "severity", "LOW") })
		}
		reports.Wait()
		a := s.shownAlert(id)
		if at(a, "occurrences") != 13.0 || at(a, "routing", 1, "reason") != "MATCHED" || at(a, "routing", 0, "reason") != "TYPE_NOT_SELECTED" || at(a, "silence") == nil || preview() != "DUPLICATE" {
			t.Errorf("reported after the end: %v, preview %v", a, preview())
		}
		if d := s.deliveries(id); len(d) != 1 || at(d, 0, "status") != "DELIVERED" {
			t.Errorf("deliveries %v", d)
		}
		s.do(`mutation($id: ID!) { resolveAlert(id: $id) { id } }`, map[string]any{"id": id})
		s.until("the end to be told", func() bool { return len(r.all()) == 2 })
		if news := r.news(t); !reflect.DeepEqual(news, []string{"disk", "disk over"}) || r.told(t)[0]["severity"] != "high" {
			t.Errorf("told %v", r.told(t))
		}
		for last := 0.0; last < 13; {
			e := at(updates.next(), "alertUpdated")
			if at(e, "id") != id {
				t.Errorf("updated: %v", e)
			}
			last = at(e, "occurrences").(float64)
		}
		// Without a key every report is an alert of its own, and what was silenced stays so.
		once := s.silence("types", []any{"disk"})
		delete(input, "dedupKey")
		silenced := report(s)
		s.endSilence(once["id"])
		s.deliveries(report(s))
		if a := s.shownAlert(silenced); at(a, "routing", 1, "reason") != "SILENCED" || len(at(a, "deliveries").([]any)) != 0 {
			t.Errorf("without a key: %v", a)
		}
	})
}

func TestSilence_OfEverythingBadDoesNotHideThatAChannelFails(t *testing.T) {
	onBothAtOnce(t, func(t *testing.T, url string) {
		s := startServer(t, url)
		r := newReceiver(t)
		r.answer(400, "no")
		failing := s.createChannel("hook", webhook(r.URL), "alertTypes", []any{"error"})
		watch, _ := s.watch(t)
		own := func() (list []any) {
			return at(s.do(`{ alerts(filter: {types: ["delivery_failed"]}) { nodes { id isResolved occurrences silence { id } routing { reason } } } }`, nil), "alerts", "nodes").([]any)
		}
		named := s.silence("types", []any{"delivery_failed"}, "severities", []any{"MEDIUM", "HIGH"})
		s.createAlert(nil)
		s.until("the server to raise an alert", func() bool { return len(own()) == 1 })
		if a := own()[0]; at(a, "silence", "id") != named["id"] || !strings.Contains(fmt.Sprint(at(a, "routing")), "SILENCED") || strings.Contains(fmt.Sprint(at(a, "routing")), "MATCHED") {
			t.Errorf("the server's own alert, silenced by its type: %v", a)
		}
		s.wantSamples("silenced_total 1")
		s.endSilence(named["id"])
		s.silence("severities", []any{"LOW", "MEDIUM", "HIGH"})
		if d := s.deliveries(s.createAlert(nil)); len(d) != 0 {
			t.Errorf("an alert that is silenced by its severity: %v", d)
		}
		s.do(retryQuery, filterOf("channelId", failing)) // it fails again: the trouble lasts
		s.until("the others to be told", func() bool { return len(watch.all()) == 1 })
		wantNews(t, "watch", watch, "delivery_failed")
		if list := own(); len(list) != 2 || at(list, 0, "silence") != nil || at(list, 1, "isResolved") != true {
			t.Errorf("the server's own alerts: %v", list)
		}
	})
}

func silenceWith(fields ...any) map[string]any {
	input := map[string]any{"types": []any{"disk"}, "reason": "moving house", "endsAt": time.Now().Add(time.Hour)}
	for i := 0; i < len(fields); i += 2 {
		input[fields[i].(string)] = fields[i+1]
	}
	return map[string]any{"input": input}
}

func TestSilence_RefusesBadInputAndChangesNothing(t *testing.T) {
	many := make([]any, 101)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	soon := time.Now().Add(30 * time.Minute)
	cases := []bad{
		{"of nothing", silenceQuery, silenceWith("types", []any{}), "BAD_USER_INPUT", "input", "pauseNotifications"},
		{"types null", silenceQuery, silenceWith("types", nil), "BAD_USER_INPUT", "input.types", "null"},
		{"101 types", silenceQuery, silenceWith("types", many), "BAD_USER_INPUT", "input.types", "100"},
		{"101 rustbuckets", silenceQuery, silenceWith("rustbucketIds", many), "BAD_USER_INPUT", "input.rustbucketIds", "100"},
		{"an empty type", silenceQuery, silenceWith("types", []any{"a", " "}), "BAD_USER_INPUT", "input.types.1", "blanks"},
		{"a long rustbucket", silenceQuery, silenceWith("rustbucketIds", []any{strings.Repeat("x", 256)}), "BAD_USER_INPUT", "input.rustbucketIds.0", "255"},
		{"NUL in a type", silenceQuery, silenceWith("types", []any{"a\x00"}), "BAD_USER_INPUT", "input.types.0", "NUL"},
		{"a severity that is none", silenceQuery, silenceWith("severities", []any{"WORST"}), "BAD_USER_INPUT", "input.severities.0", "WORST"},
		{"a type twice", silenceQuery, silenceWith("types", []any{"a", "a"}), "BAD_USER_INPUT", "input.types.1", "twice"},
		{"no reason", silenceQuery, silenceWith("reason", ""), "BAD_USER_INPUT", "input.reason", "empty"},
		{"a long reason", silenceQuery, silenceWith("reason", strings.Repeat("ü", 256)), "BAD_USER_INPUT", "input.reason", "255"},
		{"an end that has passed", silenceQuery, silenceWith("endsAt", time.Now().Add(-time.Minute)), "BAD_USER_INPUT", "input.endsAt", "passed"},
		{"an end before its start", silenceQuery, silenceWith("startsAt", soon, "endsAt", soon.Add(-time.Minute)), "BAD_USER_INPUT", "input.endsAt", "startsAt"},
		{"more than a year", silenceQuery, silenceWith("endsAt", time.Now().AddDate(1, 0, 1)), "BAD_USER_INPUT", "input.endsAt", "a year"},
		{"no end", silenceQuery, silenceWith("endsAt", nil), "BAD_USER_INPUT", "input.endsAt", "null"},
		{"an end that is no time", silenceQuery, silenceWith("endsAt", "tomorrow"), "BAD_USER_INPUT", "input.endsAt", "RFC 3339"},
		{"a start that is no time", silenceQuery, silenceWith("startsAt", "now"), "BAD_USER_INPUT", "input.startsAt", "RFC 3339"},
	}
	onBothAtOnce(t, func(t *testing.T, url string) {
		s := startServer(t, url)
		for _, c := range cases {
			a := s.try(c.query, c.variables)
			if len(a.Errors) != 1 {
				t.Errorf("%s: %d errors: %+v, data %v", c.name, len(a.Errors), a.Errors, a.Data)
			} else if e := a.Errors[0]; e.Extensions.Code != c.code || e.Extensions.Field != c.field || !strings.Contains(e.Message, c.says) {
				t.Errorf("%s: code %q, field %q, message %q; want %q, %q, …%s…", c.name, e.Extensions.Code, e.Extensions.Field, e.Message, c.code, c.field, c.says)
			}
		}
		if x := s.do(`{ silences { id } }`, nil); len(x["silences"].([]any)) != 0 || len(s.audited()) != 0 {
			t.Errorf("there are %v, audited %v", x, s.audited())
		}
		// Who reports may not see what is silenced, nor why.
		reporter := s.tokens()["REPORTER"]
		s.silence("types", []any{"disk"})
		a := s.as(reporter, `mutation { createAlert(input: {type: "disk", message: "m"}) { id silence { reason } } }`, nil)
		if len(a.Errors) != 1 || a.Errors[0].Extensions.Code != "FORBIDDEN" || at(a.Data, "createAlert", "id") == nil || at(a.Data, "createAlert", "silence") != nil {
			t.Errorf("a REPORTER: %+v", a)
		}
	})
}

func TestSilence_OfAListIsReadInAFixedNumberOfQueries(t *testing.T) {
	t.Parallel()
	s := startServer(t, testkit.NewDatabase(t))
	n := 0
	more := func(silences int) {
		for range silences {
			n++
			s.silence("types", []any{fmt.Sprint("type ", n)})
			s.createAlerts(2, map[string]any{"type": fmt.Sprint("type ", n)})
		}
	}
	lists := map[string]string{
		"silences": `{ silences { silencedAlerts } }`,
		"alerts":   `{ alerts(first: 100) { nodes { silence { reason silencedAlerts } } } }`,
		"created":  `mutation { createAlerts(inputs: [{type: "type 1", message: "m"}, {type: "type 2", message: "m"}, {type: "type 3", message: "m"}]) { silence { silencedAlerts } } }`,
	}
	few := map[string]int64{}
	more(3)
	for name, query := range lists {
		few[name] = s.queries(query, 0)
	}
	more(12)
	for name, query := range lists {
		if many := s.queries(query, few[name]+2); many > few[name]+2 { // what is done in between may differ
			t.Errorf("%s: %d queries for 3 silences, %d for 15", name, few[name], many)
		}
	}
}

func TestSilence_TheExamplesOfItsPageRun(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("docs/silences.md")
	if err != nil {
		t.Fatal(err)
	}
	s := startServer(t, "sqlite:"+filepath.Join(t.TempDir(), "alerts.db"))
	examples := regexp.MustCompile("(?s)```graphql\n(.*?)```").FindAllSubmatch(page, -1)
	for _, e := range examples {
		s.do(string(e[1]), map[string]any{"end": time.Now().Add(time.Hour)})
	}
	if len(examples) != 3 || at(s.do(`{ silences { endedAt } }`, nil), "silences", 0, "endedAt") == nil {
		t.Errorf("%d examples", len(examples))
	}
	curl := regexp.MustCompile("(?s)```sh\n(.*?)```").FindSubmatch(page)
	script := exec.Command("bash", "-c", strings.ReplaceAll(string(curl[1]), "http://127.0.0.1:8080", s.url))
	script.Env = append(os.Environ(), "ADMIN_TOKEN="+testToken)
	if out, err := script.CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != `{"data":{"createSilence":{"id":"2"}}}` {
		t.Errorf("the script: %v, %s", err, out)
	}
}
