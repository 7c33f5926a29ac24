package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rustbucket/alerts/testkit"
)

// eventActions gives what a receiver got as PagerDuty, in its order.
func (r *receiver) eventActions(t *testing.T) (actions []string) {
	t.Helper()
	keys := map[string]bool{}
	for _, got := range r.all() {
		var body struct {
			Action string `json:"event_action"`
			Key    string `json:"dedup_key"`
		}
		if err := json.Unmarshal([]byte(got.body), &body); err != nil {
			t.Fatal(err)
		}
		keys[body.Key] = true
		actions = append(actions, body.Action)
	}
	if len(keys) > 1 {
		t.Errorf("one alert has the keys %v", keys)
	}
	return actions
}

func pagerduty(url string) map[string]any {
	return map[string]any{"pagerduty": map[string]any{"routingKey": strings.Repeat("k", 32), "url": url}}
}

func TestAlertLife_IsToldInOrder(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		pager, hook, quiet := newReceiver(t), newReceiver(t), newReceiver(t)
		pager.answer(http.StatusAccepted, `{"status":"success"}`)
		s.createChannel("pager", pagerduty(pager.URL))
		s.createChannel("hook", webhook(hook.URL), "notifyOnAcknowledge", true)
		s.createChannel("quiet", webhook(quiet.URL))
		id := s.createAlert(nil)
		s.deliveries(id)
		for _, change := range []string{"acknowledgeAlert", "acknowledgeAlert", "resolveAlert", "resolveAlert", "reopenAlert", "acknowledgeAlert", "reopenAlert", "resolveAlert"} {
			s.do(`mutation ($id: ID!) { `+change+`(id: $id) { id } }`, map[string]any{"id": id})
			s.deliveries(id)
		}
		want := []string{"trigger", "acknowledge", "resolve", "trigger", "acknowledge", "trigger", "resolve"}
		if got := pager.eventActions(t); !slices.Equal(got, want) {
			t.Errorf("PagerDuty was told %v, want %v", got, want)
		}
		var events []string
		for _, got := range hook.all() { // it hears of no resolve, and of what undoes an acknowledge
			events = append(events, got.header.Get("webhook-event"))
		}
		if want := []string{"alert", "acknowledged", "reopened", "acknowledged", "reopened"}; !slices.Equal(events, want) {
			t.Errorf("the webhook was told %v, want %v", events, want)
		}
		if n := len(quiet.all()); n != 1 {
			t.Errorf("a channel that wants no more than alerts got %d messages", n)
		}
	})
}

// TestAlertLife_WhatIsOvertakenIsNotTold resolves, and reopens, while the channel does not answer.
func TestAlertLife_WhatIsOvertakenIsNotTold(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		pager := newReceiver(t)
		pager.fail()
		s.createChannel("pager", pagerduty(pager.URL))
		id := s.createAlert(nil)
		s.until("the first attempt", func() bool { return len(pager.all()) == 1 })
		for _, change := range []string{"acknowledgeAlert", "resolveAlert", "reopenAlert", "acknowledgeAlert"} {
			s.do(`mutation ($id: ID!) { `+change+`(id: $id) { id } }`, map[string]any{"id": id})
		}
		pager.answer(http.StatusAccepted, `{"status":"success"}`)
		list := at(s.do(`query ($id: ID!) { alert(id: $id) { deliveries { id kind } } }`, map[string]any{"id": id}), "alert", "deliveries").([]any)
		s.until("the retry", func() bool { // by hand, when the first attempt is recorded
			a := s.try(`mutation ($id: ID!) { retryDelivery(id: $id) { id } }`, map[string]any{"id": at(list[0], "id")})
			return len(a.Errors) == 0 || strings.Contains(a.Errors[0].Message, "delivered already")
		})
		s.deliveries(id)
		if got, want := pager.eventActions(t), []string{"trigger", "trigger", "acknowledge"}; !slices.Equal(got, want) {
			t.Errorf("PagerDuty was told %v, want %v", got, want)
		}
		var ends []string
		for _, d := range at(s.do(`query ($id: ID!) { alert(id: $id) { deliveries { kind status error } } }`, map[string]any{"id": id}), "alert", "deliveries").([]any) {
			ends = append(ends, fmt.Sprint(at(d, "kind"), " ", at(d, "status"), " ", at(d, "error")))
		}
		want := `ALERT DELIVERED <nil>; ACKNOWLEDGED CANCELLED not sent: the alert was resolved before the channel was told; ` +
			`RESOLVED CANCELLED not sent: the alert was reopened before the channel was told; ACKNOWLEDGED DELIVERED <nil>`
		if got := strings.Join(ends, "; "); got != want {
			t.Errorf("the deliveries are\n%s, want\n%s", got, want)
		}
	})
}

// TestAlertLife_DeletedWhileItIsTold deletes alerts while their messages are on the way. What comes of those is dropped.
func TestAlertLife_DeletedWhileItIsTold(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		came, answer := make(chan struct{}, 100), make(chan struct{})
		slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			came <- struct{}{}
			<-answer
			if r.Header.Get("X-Fails") != "" {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		}))
		t.Cleanup(slow.Close)
		open := sync.OnceFunc(func() { close(answer) })
		t.Cleanup(open)
		s.createChannel("slow", webhook(slow.URL))
		s.createChannel("failing", map[string]any{"webhook": map[string]any{"url": slow.URL, "headers": map[string]any{"X-Fails": "yes"}}})
		var ids []string
		for range 5 {
			ids = append(ids, s.createAlert(nil))
		}
		for range 10 {
			<-came
		}
		if n := at(s.do(`mutation ($which: AlertSelection!) { deleteAlerts(which: $which) }`, map[string]any{"which": map[string]any{"ids": ids}}), "deleteAlerts"); n != 5.0 {
			t.Errorf("deleted %v", n)
		}
		open()
		s.until("the outcomes to come too late", func() bool { return strings.Count(s.log.String(), "came too late") == 10 })
		last := s.createAlert(nil) // all goes on
		s.until("the next alert to be told", func() bool {
			return at(s.do(`query ($id: ID!) { deliveries(filter: {alertId: $id, statuses: [DELIVERED]}) { totalCount } }`, map[string]any{"id": last}), "deliveries", "totalCount") == 1.0
		})
		if log := s.log.String(); strings.Contains(log, "level=ERROR") || strings.Contains(log, "recording outcomes failed") {
			t.Errorf("the log has\n%s", log)
		}
	})
}

// TestAlertLife_OverSeveralServers does the same thing with the same alerts through two servers at once: it is done once.
func TestAlertLife_OverSeveralServers(t *testing.T) {
	url := testkit.NewDatabase(t)
	servers := []*server{startServer(t, url), startServer(t, url)}
	pager := newReceiver(t)
	pager.answer(http.StatusAccepted, `{"status":"success"}`)
	servers[0].createChannel("pager", pagerduty(pager.URL))
	servers[1].until("the channel to be known in the other process", func() bool { return len(servers[1].settings()) == 1 })
	id := servers[0].createAlert(nil)
	servers[0].deliveries(id)
	for _, change := range []string{"acknowledgeAlert", "resolveAlert", "reopenAlert", "resolveAlert"} {
		var calls sync.WaitGroup
		for i := range 10 {
			calls.Go(func() {
				if a := servers[i%2].try(`mutation ($id: ID!) { `+change+`(id: $id) { id } }`, map[string]any{"id": id}); len(a.Errors) > 0 {
					t.Errorf("%s: %+v", change, a.Errors)
				}
			})
		}
		calls.Wait()
		servers[0].deliveries(id)
	}
	if got, want := pager.eventActions(t), []string{"trigger", "acknowledge", "resolve", "trigger", "resolve"}; !slices.Equal(got, want) {
		t.Errorf("PagerDuty was told %v, want %v", got, want)
	}
	var kinds []any
	for _, e := range at(servers[1].do(`query ($id: ID!) { alert(id: $id) { history { kind } } }`, map[string]any{"id": id}), "alert", "history").([]any) {
		kinds = append(kinds, at(e, "kind"))
	}
	if got, want := fmt.Sprint(kinds), "[ACKNOWLEDGED RESOLVED REOPENED RESOLVED]"; got != want {
		t.Errorf("the history is %s, want %s", got, want)
	}
}
