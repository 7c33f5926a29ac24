package main

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

const alertLife = `id state isResolved acknowledgedAt acknowledgedBy assignee resolvedAt resolvedBy history { id at by kind text assignee }`

func TestAlertLife_OverTheAPI(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		analyst := at(s.do(`mutation { createToken(input: {name: "oncall", role: ANALYST}) { secret } }`, nil), "createToken", "secret").(string)
		id := s.createAlert(map[string]any{"notify": false})
		change := func(token, call string) answer {
			t.Helper()
			return s.as(token, `mutation ($id: ID!) { done: `+call+` { `+alertLife+` } }`, map[string]any{"id": id})
		}
		var last any
		for _, c := range []struct{ call, state string }{
			{`acknowledgeAlert(id: $id, note: "on it")`, "ACKNOWLEDGED"}, {`acknowledgeAlert(id: $id)`, "ACKNOWLEDGED"},
			{`assignAlert(id: $id, assignee: "team storage")`, "ACKNOWLEDGED"}, {`commentAlert(id: $id, text: "the disk was full")`, "ACKNOWLEDGED"},
			{`resolveAlert(id: $id, note: "made room")`, "RESOLVED"}, {`reopenAlert(id: $id)`, "OPEN"}, {`assignAlert(id: $id)`, "OPEN"},
		} {
			a := change(analyst, c.call)
			if last = at(a.Data, "done"); len(a.Errors) > 0 || at(last, "state") != c.state {
				t.Fatalf("%s: %+v", c.call, a)
			}
		}
		var kinds []string
		for _, e := range at(last, "history").([]any) {
			kinds = append(kinds, fmt.Sprint(at(e, "by"), " ", at(e, "kind"), " ", at(e, "text"), " ", at(e, "assignee")))
		}
		want := `oncall ACKNOWLEDGED on it <nil>; oncall ASSIGNED <nil> team storage; oncall COMMENTED the disk was full <nil>; oncall RESOLVED made room <nil>; oncall REOPENED <nil> <nil>; oncall ASSIGNED <nil> <nil>`
		if got := strings.Join(kinds, "; "); got != want {
			t.Errorf("the history is\n%s, want\n%s", got, want)
		}
		if got := s.do(`query ($id: ID!) { alert(id: $id) { `+alertLife+` } }`, map[string]any{"id": id})["alert"]; fmt.Sprint(got) != fmt.Sprint(last) {
			t.Errorf("read back as\n%v, answered\n%v", got, last)
		}
		for call, code := range map[string]string{
			`acknowledgeAlert(id: $id, note: " ")`:                               "BAD_USER_INPUT note",
			`commentAlert(id: $id, text: "")`:                                    "BAD_USER_INPUT text",
			`commentAlert(id: $id, text: "` + strings.Repeat("x", 10_001) + `")`: "BAD_USER_INPUT text",
			`assignAlert(id: $id, assignee: "")`:                                 "BAD_USER_INPUT assignee",
			`resolveAlert(id: $id, note: "\u0000")`:                              "BAD_USER_INPUT note",
			`assignAlert(id: $id, assignee: "` + strings.Repeat("x", 256) + `")`: "BAD_USER_INPUT assignee",
		} {
			if a := change(analyst, call); len(a.Errors) != 1 && code != "" || code != "" && a.Errors[0].Extensions.Code+" "+a.Errors[0].Extensions.Field != code {
				t.Errorf("%.60s: %+v, want %s", call, a.Errors, code)
			}
		}
		if a := s.as(analyst, `mutation { reopenAlert(id: 987654321) { id } }`, nil); len(a.Errors) != 1 || a.Errors[0].Extensions.Code != "NOT_FOUND" {
			t.Errorf("an alert that is none: %+v", a)
		}
	})
}

func TestAlertLife_Bulk(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		var ids []string
		for range 3 {
			ids = append(ids, s.createAlert(map[string]any{"notify": false, "type": "bulk"}))
		}
		vars := map[string]any{"ids": map[string]any{"ids": ids}, "filter": map[string]any{"filter": map[string]any{"types": []string{"bulk"}, "states": []string{"ACKNOWLEDGED"}}},
			"empty": map[string]any{"filter": map[string]any{"types": []string{}}}, "none": map[string]any{"ids": []string{}}, "both": map[string]any{"ids": ids, "filter": map[string]any{}},
			"any text": map[string]any{"filter": map[string]any{"search": ""}}}
		call := func(mutation string, which string) answer {
			return s.try(`mutation ($which: AlertSelection!) { n: `+mutation+` }`, map[string]any{"which": vars[which]})
		}
		for _, c := range []struct {
			mutation, which string
			want            any
		}{
			{`acknowledgeAlerts(which: $which, note: "on it")`, "ids", 3.0}, {`acknowledgeAlerts(which: $which)`, "ids", 0.0},
			{`assignAlerts(which: $which, assignee: "oncall")`, "filter", 3.0}, {`resolveAlerts(which: $which)`, "filter", 3.0},
			{`resolveAlerts(which: $which)`, "filter", 0.0}, {`reopenAlerts(which: $which)`, "ids", 3.0},
			{`deleteAlerts(which: $which)`, "empty", "BAD_USER_INPUT which.filter"}, {`deleteAlerts(which: $which)`, "any text", "BAD_USER_INPUT which.filter"},
			{`resolveAlerts(which: $which)`, "none", "BAD_USER_INPUT which.ids"},
			{`resolveAlerts(which: $which)`, "both", "BAD_USER_INPUT which"}, {`resolveAlerts(which: $which, note: "")`, "ids", "BAD_USER_INPUT note"},
			{`deleteAlerts(which: $which)`, "ids", 3.0}, {`deleteAlerts(which: $which)`, "ids", "NOT_FOUND "},
		} {
			a := call(c.mutation, c.which)
			got := at(a.Data, "n")
			if len(a.Errors) > 0 {
				got = a.Errors[0].Extensions.Code + " " + a.Errors[0].Extensions.Field
			}
			if got != c.want {
				t.Errorf("%s of %s: %v, want %v", c.mutation, c.which, a, c.want)
			}
		}
		text, _ := json.Marshal(s.do(`{ alerts { totalCount nodes { id } } auditLog(filter: {actions: [ALERTS_DELETED]}) { nodes { by subjectId changes } } }`, nil))
		if want := fmt.Sprintf(`{"alerts":{"nodes":[],"totalCount":0},"auditLog":{"nodes":[{"by":"ADMIN_TOKEN","changes":{"ids":["%s"]},"subjectId":null}]}}`, strings.Join(ids, `","`)); string(text) != want {
			t.Errorf("left is\n%s, want\n%s", text, want)
		}
	})
}

// TestAlertLife_TheFeedTellsOfDeletedAlerts reads what was told of an alert before somebody deleted it, with everything about it.
func TestAlertLife_TheFeedTellsOfDeletedAlerts(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		r := newReceiver(t)
		s.createChannel("hook", webhook(r.URL))
		feed := `subscription ($after: String) { feed(after: $after) { cursor kind alert { id message state deliveries { id } history { id } routing { reason } }
			delivery { id alert { id } attemptLog { number } } attempt { number } change { id by kind text } } }`
		live := s.subscribe(t, feed, nil)
		id := s.createAlert(map[string]any{"dedupKey": "k", "message": "the disk is full"})
		seen := until(live, "DELIVERY_UPDATED") // which shows the alert as it is when it is read
		s.do(`mutation ($id: ID!) { acknowledgeAlert(id: $id, note: "on it") { id } }`, map[string]any{"id": id})
		seen = append(seen, until(live, "ALERT_UPDATED")...)
		s.do(`mutation ($id: ID!) { deleteAlerts(which: {ids: [$id]}) }`, map[string]any{"id": id})
		seen = append(seen, until(live, "ALERT_DELETED")...)
		again := until(s.subscribe(t, feed, map[string]any{"after": at(seen[0], "cursor")}), "ALERT_DELETED")
		kinds := make([]string, len(seen))
		for i, e := range seen {
			kinds[i] = fmt.Sprint(at(e, "kind"), " ", at(e, "alert", "message"), " ", at(e, "alert", "state"), " ", at(e, "change", "text"))
		}
		want := "ALERT_CREATED the disk is full OPEN <nil>; DELIVERY_UPDATED the disk is full OPEN <nil>; ALERT_UPDATED the disk is full ACKNOWLEDGED on it; ALERT_DELETED the disk is full ACKNOWLEDGED <nil>"
		if got := strings.Join(kinds, "; "); got != want {
			t.Errorf("the feed told\n%s, want\n%s", got, want)
		}
		for i, e := range again { // what hangs on the alert is gone; the rest is as it was
			if was := seen[i+1]; at(e, "cursor") != at(was, "cursor") || at(e, "alert", "message") != at(was, "alert", "message") || at(e, "change", "id") != at(was, "change", "id") {
				t.Errorf("event %d was %v, is %v", i+1, was, e)
			}
		}
		s.createAlert(map[string]any{"dedupKey": "k"}) // the key is free again
	})
}

// until gives the events of a feed up to the first of a kind.
func until(feed *subscription, kind string) (events []any) {
	feed.t.Helper()
	for {
		e := feed.next()["feed"]
		if events = append(events, e); at(e, "kind") == kind {
			return events
		}
	}
}

// The examples of the alerts' page run as they stand there, in their order.
func TestAlertsPage_ExamplesRun(t *testing.T) {
	page, err := os.ReadFile("docs/alerts.md")
	if err != nil {
		t.Fatal(err)
	}
	onBoth(t, func(t *testing.T, s *server) {
		calls := regexp.MustCompile(`(?m)^gql '(.*)'$`).FindAllSubmatch(page, -1)
		for _, call := range calls {
			if a := s.post(testToken, "application/json", call[1]); len(a.Errors) > 0 {
				t.Errorf("%s: %+v", call[1], a.Errors)
			}
		}
		s.createAlert(nil)
		blocks := regexp.MustCompile("(?s)```graphql\n(.*?)\n```").FindAllSubmatch(page, -1)
		for _, block := range blocks {
			if query := string(block[1]); !strings.HasPrefix(query, "subscription") {
				s.do(query, nil)
			} else if sub := s.subscribe(t, query, nil); len(sub.errs) > 0 {
				t.Errorf("%s: %s", query, <-sub.errs)
			}
		}
		if len(calls) < 7 || len(blocks) < 5 {
			t.Errorf("%d calls and %d blocks", len(calls), len(blocks))
		}
	})
}
