package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rustbucket/alerts/testkit"
)

// until takes the events of deliveries until so many deliveries have come to a status, and gives the statuses of each, in
// order.
func (sub *subscription) until(status string, deliveries int) map[string][]string {
	sub.t.Helper()
	seen := map[string][]string{}
	for ended := 0; ended < deliveries; {
		d := at(sub.next(), "deliveryUpdated")
		id := at(d, "id").(string)
		seen[id] = append(seen[id], at(d, "status").(string))
		if at(d, "status") == status {
			ended++
		}
	}
	return seen
}

func TestHands_DeliveriesAreSentAgainAndCancelledTogether(t *testing.T) {
	onBothAtOnce(t, func(t *testing.T, url string) {
		s := startServer(t, url)
		r, elsewhere := newReceiver(t), newReceiver(t)
		r.answer(http.StatusBadRequest, "no")
		elsewhere.answer(http.StatusBadRequest, "no")
		id := s.createChannel("hook", webhook(r.URL), "alertTypes", []any{"error"})
		other := s.createChannel("other", webhook(elsewhere.URL), "alertTypes", []any{"error"})
		s.createAlerts(3, nil)
		second := s.createAlerts(4, nil)
		s.untilCount(id, "FAILED", 7)
		s.untilCount(other, "FAILED", 7)
		since := at(s.do(`query($id: ID!) { alert(id: $id) { deliveries { createdAt } } }`, map[string]any{"id": second[0]}), "alert", "deliveries", 0, "createdAt")
		for filter, want := range map[string]float64{"createdAfter": 4, "createdBefore": 3} {
			data := s.do(`query($filter: DeliveryFilter!) { deliveries(filter: $filter) { totalCount nodes { id } } }`, filterOf("channelId", id, filter, since))
			if at(data, "deliveries", "totalCount") != want || len(at(data, "deliveries", "nodes").([]any)) != int(want) {
				t.Errorf("%s: %v", filter, data)
			}
		}
		events := s.subscribe(t, `subscription($filter: DeliveryFilter!) { deliveryUpdated(filter: $filter) { id status attempts error } }`, filterOf("channelId", id, "createdAfter", since))
		all := s.subscribe(t, `subscription($filter: DeliveryFilter!) { deliveryUpdated(filter: $filter) { id status } }`, filterOf("channelId", id))
		do := func(query string, pairs ...any) any {
			t.Helper()
			data := s.do(query, filterOf(pairs...))
			for _, n := range data {
				return n
			}
			return nil
		}

		// A channel since a time.
		r.answer(http.StatusOK, "ok")
		if n := do(retryQuery, "channelId", id, "createdAfter", since); n != 4.0 {
			t.Errorf("%v deliveries were sent again", n)
		}
		for delivery, statuses := range events.until("DELIVERED", 4) {
			if strings.Join(statuses, " ") != "PENDING DELIVERED" {
				t.Errorf("delivery %s: %v", delivery, statuses)
			}
		}
		all.until("DELIVERED", 4)
		if n := do(retryQuery, "channelId", id, "createdAfter", since); n != 0.0 {
			t.Errorf("%v deliveries that were told were sent again", n)
		}
		if failed, untouched := s.count(id, "FAILED"), s.count(other, "FAILED"); failed != 3 || untouched != 7 {
			t.Errorf("%d older ones are left, and %d on the other channel", failed, untouched)
		}

		// What waits is cancelled, and only what waits.
		r.fail()
		waiting := s.createAlerts(3, nil)
		s.until("the first attempts", func() bool {
			data := s.do(`query($id: ID!) { deliveries(filter: {channelId: $id, statuses: [PENDING]}) { nodes { attempts } } }`, map[string]any{"id": id})
			n := 0.0
			for _, d := range at(data, "deliveries", "nodes").([]any) {
				n += at(d, "attempts").(float64)
			}
			return n == 3
		})
		if n := do(cancelQuery, "channelId", id, "statuses", []any{"PENDING"}); n != 3.0 {
			t.Errorf("%v deliveries were cancelled", n)
		}
		for delivery, statuses := range events.until("CANCELLED", 3) {
			if strings.Join(statuses, " ") != "PENDING CANCELLED" {
				t.Errorf("delivery %s: %v", delivery, statuses)
			}
		}
		on := func(alert string) (delivery any) {
			for _, d := range s.deliveries(alert) {
				if at(d, "channel", "id") == id {
					delivery = d
				}
			}
			return delivery
		}
		if d := on(waiting[0]); at(d, "status") != "CANCELLED" || !strings.Contains(fmt.Sprint(at(d, "error")), "by hand") || at(d, "nextAttemptAt") != nil || at(d, "completedAt") == nil {
			t.Errorf("cancelled: %v", d)
		}
		if n := do(cancelQuery, "channelId", id); n != 0.0 || s.health(id)["waiting"] != 0.0 {
			t.Errorf("%v more were cancelled; health %v", n, s.health(id))
		}

		// Cancelled ones are sent again only when they are named.
		r.answer(http.StatusOK, "ok")
		if n := do(retryQuery, "channelId", id); n != 3.0 {
			t.Errorf("%v failed deliveries were sent again, want the first three", n)
		}
		s.untilCount(id, "DELIVERED", 7)
		if n := do(retryQuery, "channelId", id, "statuses", []any{"CANCELLED", "FAILED"}); n != 3.0 {
			t.Errorf("%v cancelled deliveries were sent again", n)
		}
		s.untilCount(id, "DELIVERED", 10)
		if d := on(waiting[0]); at(d, "attempts") != 2.0 || at(d, "error") != nil || len(at(d, "attemptLog").([]any)) != 2 {
			t.Errorf("sent again after it was cancelled: %v", d)
		}

		// A channel that is out of use is left out.
		s.untilCount(other, "FAILED", 10)
		s.do(`mutation($id: ID!) { setChannelsActive(ids: [$id], active: false) { id } }`, map[string]any{"id": other})
		if n := do(retryQuery, "statuses", []any{"FAILED"}); n != 0.0 {
			t.Errorf("%v deliveries of a channel that is deactivated were sent again", n)
		}
		if n := do(retryQuery, "alertId", second[0], "statuses", []any{"FAILED"}); n != 0.0 {
			t.Errorf("%v deliveries of an alert were sent again", n)
		}
		s.wantSamples(`deliveries_ended_total{reason="cancelled",status="cancelled",type="webhook"} 3`,
			`deliveries_ended_total{reason="refused",status="failed",type="webhook"} 17`, `deliveries_ended_total{reason="delivered",status="delivered",type="webhook"} 10`)
	})
}

func TestHands_WhatIsBeingSentIsCancelledUnlessItSucceeds(t *testing.T) {
	onBothAtOnce(t, func(t *testing.T, url string) {
		s := startServer(t, url)
		answer := make(chan struct{})
		var begun sync.WaitGroup
		holding := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			begun.Done()
			<-answer
			status := http.StatusOK
			_, _ = fmt.Sscanf(req.URL.Path, "/%d", &status)
			w.WriteHeader(status)
		}))
		t.Cleanup(holding.Close)
		for _, status := range []string{"200", "400", "503"} {
			begun.Add(1)
			s.createChannel(status, webhook(holding.URL+"/"+status), "alertTypes", []any{"error"})
		}
		id := s.createAlert(nil)
		begun.Wait()
		if n := at(s.do(cancelQuery, filterOf("alertId", id)), "cancelDeliveries"); n != 3.0 {
			t.Errorf("%v deliveries were cancelled", n)
		}
		if n := at(s.do(cancelQuery, filterOf("alertId", id)), "cancelDeliveries"); n != 0.0 {
			t.Errorf("%v deliveries were cancelled twice", n)
		}
		close(answer)
		for _, d := range s.deliveries(id) {
			want := "CANCELLED"
			if at(d, "channel", "name") == "200" {
				want = "DELIVERED"
			}
			if at(d, "status") != want || at(d, "attempts") != 1.0 || len(at(d, "attemptLog").([]any)) != 1 {
				t.Errorf("answered %v: %v", at(d, "channel", "name"), d)
			}
		}
		if n := at(s.do(`{ alerts(filter: {types: ["delivery_failed"]}) { totalCount } }`, nil), "alerts", "totalCount"); n != 0.0 {
			t.Errorf("%v alerts about what somebody had cancelled", n)
		}
	})
}

func TestPause_DropsWhatComesInAndKeepsWhatWaited(t *testing.T) {
	onBothAtOnce(t, func(t *testing.T, url string) {
		s := startServer(t, url)
		r := newReceiver(t)
		id := s.createChannel("hook", webhook(r.URL))
		if data := s.do(`mutation { resumeNotifications }`, nil); data["resumeNotifications"] != false {
			t.Errorf("resumed what was not paused: %v", data)
		}
		r.fail()
		before := s.createAlert(nil)
		s.untilHealth(id, "FAILING")
		r.answer(http.StatusOK, "ok")

		data := s.do(pauseQuery, map[string]any{"reason": "moving house", "afterwards": "DROP"})
		p := at(data, "pauseNotifications")
		if at(p, "reason") != "moving house" || at(p, "afterwards") != "DROP" || at(p, "by") != "ADMIN_TOKEN" || at(p, "until") != nil {
			t.Errorf("paused: %v", p)
		}
		shown := at(s.do(`{ notificationPause { since until reason afterwards by } }`, nil), "notificationPause")
		if fmt.Sprint(shown) != fmt.Sprint(p) {
			t.Errorf("answered %v, shown %v", p, shown)
		}
		waiting := at(s.do(`query($id: ID!) { alert(id: $id) { pauseReason deliveries { id } } }`, map[string]any{"id": before}), "alert")
		s.do(`mutation($id: ID!) { retryDelivery(id: $id) { id } }`, map[string]any{"id": at(waiting, "deliveries", 0, "id")})
		dropped := s.createAlerts(2, nil)
		for _, alert := range dropped {
			a := at(s.do(`query($id: ID!) { alert(id: $id) { pauseReason source routing { reason willNotify } deliveries { id } } }`, map[string]any{"id": alert}), "alert")
			if at(a, "pauseReason") != "moving house" || at(a, "routing", 0, "reason") != "NOTIFICATIONS_PAUSED" || at(a, "routing", 0, "willNotify") != false || len(at(a, "deliveries").([]any)) != 0 {
				t.Errorf("came in meanwhile: %v", a)
			}
		}
		if reason := at(s.do(`{ previewRouting(input: {type: "error", message: "m"}) { reason } }`, nil), "previewRouting", 0, "reason"); reason != "NOTIFICATIONS_PAUSED" {
			t.Errorf("preview: %v", reason)
		}
		if test := s.do(`mutation($id: ID!) { testChannel(id: $id) { success } }`, map[string]any{"id": id}); at(test, "testChannel", "success") != true {
			t.Errorf("a test meanwhile: %v", test)
		}
		s.wantSamples("notifications_paused 1", `deliveries_waiting{type="webhook"} 1`)
		if h := s.health(id); h["waiting"] != 1.0 || len(r.all()) != 2 { // the first attempt, and the test
			t.Errorf("while paused: %d messages, health %v", len(r.all()), h)
		}
		if data := s.do(`mutation { resumeNotifications again: resumeNotifications }`, nil); data["resumeNotifications"] != true || data["again"] != false {
			t.Errorf("resumed: %v", data)
		}
		if d := s.deliveries(before)[0]; at(d, "status") != "DELIVERED" || at(d, "attempts") != 2.0 || at(waiting, "pauseReason") != nil {
			t.Errorf("what waited before: %v", d)
		}
		after := s.createAlert(nil)
		s.deliveries(after)
		if a := s.do(`query($id: ID!) { alert(id: $id) { pauseReason } notificationPause { since } }`, map[string]any{"id": after}); at(a, "alert", "pauseReason") != nil || a["notificationPause"] != nil {
			t.Errorf("afterwards: %v", a)
		}
		if n := len(r.all()); n != 4 {
			t.Errorf("%d messages in all", n)
		}
	})
}

func TestPause_TellsAfterwardsAndEndsByItself(t *testing.T) {
	onBothAtOnce(t, func(t *testing.T, url string) {
		s := startServer(t, url)
		r := newReceiver(t)
		id := s.createChannel("hook", webhook(r.URL))
		first := at(s.do(pauseQuery, map[string]any{"reason": "moving house"}), "pauseNotifications")
		if at(first, "afterwards") != "TELL" {
			t.Errorf("paused: %v", first)
		}
		ids := s.createAlerts(3, nil)
		if h := s.health(id); h["state"] != "OK" || h["waiting"] != 3.0 {
			t.Errorf("health while paused: %v", h)
		}
		// A second pause replaces the first, also over a restart.
		until := time.Now().Add(time.Hour).UTC()
		second := at(s.do(pauseQuery, map[string]any{"reason": "still moving", "until": until.Format(time.RFC3339Nano)}), "pauseNotifications")
		if at(second, "reason") != "still moving" || at(second, "since") != at(first, "since") || at(second, "until") == nil {
			t.Errorf("paused again: %v, first %v", second, first)
		}
		s.stop()
		s = startServer(t, url)
		if p := at(s.do(`{ notificationPause { since until reason afterwards by } }`, nil), "notificationPause"); fmt.Sprint(p) != fmt.Sprint(second) {
			t.Errorf("after a restart: %v, before %v", p, second)
		}
		ids = append(ids, s.createAlert(nil))
		if h := s.health(id); h["waiting"] != 4.0 || len(r.all()) != 0 {
			t.Errorf("while paused: %d messages, health %v", len(r.all()), h)
		}
		s.store.TurnClock(time.Hour)
		for i, alert := range ids {
			d := s.deliveries(alert)[0]
			began, err := time.Parse(time.RFC3339Nano, fmt.Sprint(at(d, "attemptLog", 0, "startedAt")))
			if err != nil || at(d, "status") != "DELIVERED" || at(d, "attempts") != 1.0 || began.Before(until) {
				t.Errorf("alert %d, told at %v before the end at %v, %v: %v", i, began, until, err, d)
			}
		}
		if p := s.do(`{ notificationPause { reason } }`, nil); p["notificationPause"] != nil {
			t.Errorf("still paused: %v", p)
		}
		if data := s.do(`mutation { resumeNotifications }`, nil); data["resumeNotifications"] != false {
			t.Errorf("resumed what was over: %v", data)
		}
		if n := len(r.all()); n != 4 {
			t.Errorf("%d messages for 4 alerts", n)
		}
	})
}

func TestPause_HoldsInEveryProcess(t *testing.T) {
	t.Parallel()
	url := testkit.NewDatabase(t)
	one, two := startServer(t, url), startServer(t, url)
	r := newReceiver(t)
	id := one.createChannel("hook", webhook(r.URL))
	two.until("the channel to be known in the other process", func() bool { return len(two.settings()) == 1 })
	paused := func(s *server) bool { return s.do(`{ notificationPause { reason } }`, nil)["notificationPause"] != nil }
	one.do(pauseQuery, map[string]any{"reason": "moving house"})
	two.until("the pause to be known in the other process", func() bool { return paused(two) })
	two.createAlerts(5, nil)
	if h := one.health(id); h["waiting"] != 5.0 || len(r.all()) != 0 {
		t.Errorf("health %v", h)
	}
	two.do(`mutation { resumeNotifications }`, nil)
	one.until("the end to be known in the other process", func() bool { return !paused(one) })
	one.untilCount(id, "DELIVERED", 5)
	if n := len(r.all()); n != 5 {
		t.Errorf("%d messages for 5 alerts", n)
	}
}

// busy is a service that asks for time once, and then takes everything.
type busy struct {
	mu       sync.Mutex
	calls    []time.Time
	earliest time.Time
}

func (b *busy) serve(t *testing.T, retryAfter func(now time.Time) (value string, earliest time.Time)) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		_, _ = io.Copy(io.Discard, req.Body)
		b.mu.Lock()
		defer b.mu.Unlock()
		now := time.Now()
		b.calls = append(b.calls, now)
		if len(b.calls) > 1 {
			return
		}
		value, earliest := retryAfter(now)
		b.earliest = earliest
		w.Header().Set("Retry-After", value)
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestRetryAfter_IsKeptToAndIsNoFailure(t *testing.T) {
	onBothAtOnce(t, func(t *testing.T, url string) {
		s := startServer(t, url)
		services := map[string]*busy{}
		channels := map[string]string{}
		for name, retryAfter := range map[string]func(time.Time) (string, time.Time){
			"seconds":  func(now time.Time) (string, time.Time) { return "3600", now.Add(time.Hour) },
			"fraction": func(now time.Time) (string, time.Time) { return "2700.75", now.Add(2700750 * time.Millisecond) },
			"date": func(now time.Time) (string, time.Time) {
				at := now.UTC().Add(time.Hour).Truncate(time.Second)
				return at.Format(http.TimeFormat), at
			},
		} {
			services[name] = new(busy)
			channels[name] = s.createChannel(name, webhook(services[name].serve(t, retryAfter)))
		}
		first := s.createAlert(nil)
		heldUntil := map[any]time.Time{}
		for name, id := range channels {
			var h map[string]any
			s.until("the service to ask for time in "+name, func() bool {
				h = s.health(id)
				return h["heldUntil"] != nil
			})
			held, err := time.Parse(time.RFC3339Nano, h["heldUntil"].(string))
			heldUntil[name] = held
			// It is shown by the database's clock, which may go a little behind this one.
			if off := held.Sub(services[name].earliest).Abs(); err != nil || off > time.Minute || h["state"] != "OK" || h["lastError"] != nil {
				t.Errorf("%s: asked for time until %v: %v, %v", name, services[name].earliest, h, err)
			}
		}
		// Neither what comes in meanwhile, nor what somebody sends again, goes out sooner.
		second := s.createAlert(nil)
		for _, d := range at(s.do(`query($id: ID!) { alert(id: $id) { deliveries { id } } }`, map[string]any{"id": first}), "alert", "deliveries").([]any) {
			s.try(`mutation($id: ID!) { retryDelivery(id: $id) { id } }`, map[string]any{"id": at(d, "id")})
		}
		free := newReceiver(t)
		s.createChannel("free", webhook(free.URL))
		third := s.createAlert(nil) // others are told at once
		s.until("the free channel to be told", func() bool { return len(free.all()) == 1 })
		for name, b := range services {
			b.mu.Lock()
			if len(b.calls) != 1 {
				t.Errorf("%s: called %d times while it is to have time", name, len(b.calls))
			}
			b.mu.Unlock()
		}
		s.store.TurnClock(time.Hour)
		for _, d := range s.deliveries(first) {
			began, err := time.Parse(time.RFC3339Nano, fmt.Sprint(at(d, "attemptLog", 1, "startedAt")))
			if held := heldUntil[at(d, "channel", "name")]; err != nil || began.Before(held) {
				t.Errorf("%v: told again at %v, before %v", at(d, "channel", "name"), began, held)
			}
			if at(d, "status") != "DELIVERED" || at(d, "attempts") != 2.0 || at(d, "error") != nil || at(d, "attemptLog", 0, "statusCode") != 429.0 ||
				at(d, "attemptLog", 0, "error") == nil || at(d, "attemptLog", 1, "statusCode") != 200.0 {
				t.Errorf("%v: %v", at(d, "channel", "name"), d)
			}
		}
		for _, d := range s.deliveries(second) {
			began, err := time.Parse(time.RFC3339Nano, fmt.Sprint(at(d, "attemptLog", 0, "startedAt")))
			if held := heldUntil[at(d, "channel", "name")]; err != nil || began.Before(held) {
				t.Errorf("%v: told of the next alert at %v, before %v", at(d, "channel", "name"), began, held)
			}
		}
		s.deliveries(third)
		for name, b := range services {
			b.mu.Lock()
			if len(b.calls) != 4 {
				t.Errorf("%s: called %d times for three alerts", name, len(b.calls))
			}
			b.mu.Unlock()
			if h := s.health(channels[name]); h["state"] != "OK" || h["heldUntil"] != nil {
				t.Errorf("%s: health %v", name, h)
			}
		}
		if n := at(s.do(`{ alerts { totalCount } }`, nil), "alerts", "totalCount"); n != 3.0 {
			t.Errorf("%v alerts: the server has raised its own", n)
		}
		s.wantSamples(`attempts_total{result="asked",type="webhook"} 3`, `attempts_total{result="delivered",type="webhook"} 10`,
			`channel_transitions_total{to="failing",type="webhook"} 0`)
	})
}
