package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func (s *server) health(channelID string) map[string]any {
	s.t.Helper()
	data := s.do(`query($id: ID!) { channel(id: $id) { health {
		state since lastError lastErrorAt lastSuccessAt nextProbeAt heldUntil waiting oldestWaitingSince oldestWaitingAge } } }`, map[string]any{"id": channelID})
	return at(data, "channel", "health").(map[string]any)
}

func (s *server) untilHealth(channelID, state string) map[string]any {
	s.t.Helper()
	var health map[string]any
	s.until("channel "+channelID+" to be "+state, func() bool {
		health = s.health(channelID)
		return health["state"] == state
	})
	return health
}

// untilCount waits until so many deliveries of a channel have a status.
func (s *server) untilCount(channelID, status string, want int) {
	s.t.Helper()
	s.until(fmt.Sprintf("%d deliveries of channel %s to be %s", want, channelID, status), func() bool {
		return s.count(channelID, status) == want
	})
}

func (s *server) count(channelID, status string) int {
	s.t.Helper()
	data := s.do(`query($id: ID!, $status: DeliveryStatus!) { deliveries(filter: {channelId: $id, statuses: [$status]}) { totalCount } }`,
		map[string]any{"id": channelID, "status": status})
	return int(at(data, "deliveries", "totalCount").(float64))
}

// createAlerts stores n alerts at once and gives their ids.
func (s *server) createAlerts(n int, input map[string]any) []string {
	s.t.Helper()
	inputs := make([]any, n)
	for i := range inputs {
		one := map[string]any{"type": "error", "message": fmt.Sprint("alert ", i)}
		for k, v := range input {
			one[k] = v
		}
		inputs[i] = one
	}
	var ids []string
	for _, a := range at(s.do(createAlertsQuery, map[string]any{"inputs": inputs}), "createAlerts").([]any) {
		ids = append(ids, at(a, "id").(string))
	}
	return ids
}

// told gives the bodies that a webhook got, in order.
func (r *receiver) told(t *testing.T) []map[string]any {
	t.Helper()
	var bodies []map[string]any
	for _, got := range r.all() {
		var body map[string]any
		if err := json.Unmarshal([]byte(got.body), &body); err != nil {
			t.Fatalf("%v: %s", err, got.body)
		}
		bodies = append(bodies, body)
	}
	return bodies
}

// news puts what a webhook got into short words: type, and "over" for a resolve.
func (r *receiver) news(t *testing.T) []string {
	t.Helper()
	var news []string
	for _, body := range r.told(t) {
		what := fmt.Sprint(body["alert_type"])
		if body["is_resolved"] == true {
			what += " over"
		}
		news = append(news, what)
	}
	slices.Sort(news)
	return news
}

// wantSamples waits for figures of the metrics, written as on the page: they are counted just after the API shows them.
func (s *server) wantSamples(samples ...string) {
	s.t.Helper()
	var wrong []string
	defer func() {
		if len(wrong) > 0 {
			s.t.Logf("not in the metrics: %q", wrong)
		}
	}()
	s.until("the figures to be counted", func() bool {
		_, page := scrape(s.t, s.url, testToken)
		wrong = nil
		for _, sample := range samples {
			if strings.Contains(page, "\nrustbucket_alerts_"+sample+"\n") {
				continue
			}
			wrong = append(wrong, sample)
			name, _, _ := strings.Cut(sample, "{")
			for line := range strings.Lines(page) {
				if strings.HasPrefix(line, "rustbucket_alerts_"+name) && !strings.HasSuffix(line, " 0\n") {
					wrong = append(wrong, "but "+strings.TrimSpace(line))
				}
			}
		}
		return len(wrong) == 0
	})
}

// watch creates two channels for the server's own alerts: one that hears of their end, and one that does not.
func (s *server) watch(t *testing.T) (all, beginnings *receiver) {
	all, beginnings = newReceiver(t), newReceiver(t)
	own := []any{"channel_failing", "delivery_failed"}
	s.createChannel("watch", webhook(all.URL), "alertTypes", own, "notifyOnResolve", true)
	s.createChannel("watch beginnings", webhook(beginnings.URL), "alertTypes", own)
	return all, beginnings
}

func wantNews(t *testing.T, who string, r *receiver, want ...string) {
	t.Helper()
	if got := r.news(t); !slices.Equal(got, want) {
		t.Errorf("%s was told %q, want %q", who, got, want)
	}
}

func TestHealth_AFailingChannelIsPausedComesBackAndTheOthersHearOfIt(t *testing.T) {
	onBothAtOnce(t, func(t *testing.T, url string) {
		s := startServer(t, url)
		r := newReceiver(t)
		id := s.createChannel("hook", webhook(r.URL), "alertTypes", []any{"error"})
		watch, beginnings := s.watch(t)
		s.deliveries(s.createAlert(nil))
		if h := s.health(id); h["state"] != "OK" || h["lastError"] != nil || h["waiting"] != 0.0 {
			t.Errorf("health of a channel that works: %v", h)
		}

		r.answer(http.StatusServiceUnavailable, "later")
		s.createAlert(nil)
		h := s.untilHealth(id, "FAILING")
		if !strings.Contains(fmt.Sprint(h["lastError"]), "503") || h["lastErrorAt"] == nil || h["nextProbeAt"] != nil || h["waiting"] != 1.0 || h["oldestWaitingAge"].(float64) < 0 {
			t.Errorf("health of a channel that has failed once: %v", h)
		}
		wantNews(t, "watch, after one failure,", watch)
		s.createAlerts(20, nil)
		h = s.untilHealth(id, "PAUSED")
		if h["nextProbeAt"] == nil || h["waiting"] != 21.0 || h["oldestWaitingSince"] == nil {
			t.Errorf("health of a paused channel: %v", h)
		}
		s.until("watch to be told", func() bool { return len(watch.all()) == 1 && len(beginnings.all()) == 1 })
		own := at(s.do(`{ alerts(filter: {types: ["channel_failing"]}) { totalCount nodes {
			source severity message isResolved dedupKey routing { reason channel { name } } deliveries { kind channel { name } } } } }`, nil), "alerts")
		reasons := map[any]any{}
		for _, d := range at(own, "nodes", 0, "routing").([]any) {
			reasons[at(d, "channel", "name")] = at(d, "reason")
		}
		if want := map[any]any{"hook": "TYPE_NOT_SELECTED", "watch": "MATCHED", "watch beginnings": "MATCHED"}; !reflect.DeepEqual(reasons, want) {
			t.Errorf("routing of the server's own alert: %v", reasons)
		}
		if at(own, "totalCount") != 1.0 || at(own, "nodes", 0, "source") != "SERVER" || at(own, "nodes", 0, "severity") != "HIGH" || at(own, "nodes", 0, "isResolved") != false ||
			!strings.Contains(fmt.Sprint(at(own, "nodes", 0, "message")), `"hook"`) || !strings.HasPrefix(fmt.Sprint(at(own, "nodes", 0, "dedupKey")), "rustbucket-alerts:") {
			t.Errorf("the server's own alerts: %v", own)
		}
		if at(s.do(`{ alerts(filter: {types: ["error"]}, first: 1) { nodes { source pauseReason } } }`, nil), "alerts", "nodes", 0, "source") != "API" {
			t.Error("a caller's alert is not from the API")
		}
		s.wantSamples(
			`channel_transitions_total{to="failing",type="webhook"} 1`, `channel_transitions_total{to="paused",type="webhook"} 1`,
			`meta_alerts_total{kind="channel_failing"} 1`, `created_total{source="server"} 1`, `created_total{source="api"} 22`,
			`channels{state="paused",type="webhook"} 1`, `channels{state="ok",type="webhook"} 2`, `deliveries_waiting{type="webhook"} 21`,
			`notifications_paused 0`,
		)

		s.stop()
		s = startServer(t, url)
		after := s.health(id)
		for _, field := range []string{"state", "since", "waiting", "oldestWaitingSince"} {
			if after[field] != h[field] {
				t.Errorf("%s was %v before a restart, and is %v after it", field, h[field], after[field])
			}
		}
		if after["nextProbeAt"] == nil || after["lastSuccessAt"] == nil {
			t.Errorf("health after a restart: %v", after)
		}
		r.answer(http.StatusOK, "ok")
		s.store.TurnClock(15 * time.Minute) // the next probe and all retries are due, however many have failed by now
		s.untilCount(id, "DELIVERED", 22)
		if h := s.untilHealth(id, "OK"); h["waiting"] != 0.0 || h["nextProbeAt"] != nil || h["oldestWaitingAge"] != nil || h["since"] == after["since"] || h["lastSuccessAt"].(string) <= after["lastSuccessAt"].(string) {
			t.Errorf("health of a channel that works again: %v", h)
		}
		s.until("watch to be told of the end", func() bool { return len(watch.all()) == 2 })
		wantNews(t, "watch", watch, "channel_failing", "channel_failing over")
		wantNews(t, "watch beginnings", beginnings, "channel_failing")
		s.wantSamples(`channel_transitions_total{to="ok",type="webhook"} 1`, `meta_alerts_total{kind="channel_failing"} 0`)
	})
}

func TestHealth_ABrokenSlackChannelWaitsUntilSomebodyMendsIt(t *testing.T) {
	onBothAtOnce(t, func(t *testing.T, url string) {
		s := startServer(t, url)
		old, mended := newReceiver(t), newReceiver(t)
		old.answer(http.StatusNotFound, "no_service")
		id := s.createChannel("slack", map[string]any{"slack": map[string]any{"webhookUrl": old.URL + "/services/hunter2"}})
		watch, beginnings := s.watch(t)
		first := s.createAlert(nil)
		h := s.untilHealth(id, "BROKEN")
		d := s.deliveries(first)[0]
		if at(d, "status") != "FAILED" || at(d, "attemptLog", 0, "statusCode") != 404.0 || !strings.Contains(fmt.Sprint(h["lastError"]), "no_service") || h["nextProbeAt"] == nil {
			t.Errorf("delivery %v, health %v", d, h)
		}
		s.createAlerts(5, nil)
		if r := s.do(`mutation($id: ID!) { testChannel(id: $id) { success channel { health { state waiting } } } }`, map[string]any{"id": id}); at(r, "testChannel", "success") != false ||
			at(r, "testChannel", "channel", "health", "state") != "BROKEN" || at(r, "testChannel", "channel", "health", "waiting") != 5.0 {
			t.Errorf("a test that fails: %v", r)
		}
		s.wantSamples(
			`deliveries_ended_total{reason="channel_broken",status="failed",type="slack"} 1`, `attempts_total{result="broken",type="slack"} 1`,
			`channel_transitions_total{to="broken",type="slack"} 1`, `channels{state="broken",type="slack"} 1`,
			`meta_alerts_total{kind="channel_failing"} 1`, `meta_alerts_total{kind="delivery_failed"} 1`,
		)
		data := s.do(`mutation($id: ID!, $input: UpdateChannelInput!) { updateChannel(id: $id, input: $input) { health { state nextProbeAt } } }`, map[string]any{
			"id": id, "input": map[string]any{"config": map[string]any{"slack": map[string]any{"webhookUrl": mended.URL + "/services/new"}}},
		})
		if at(data, "updateChannel", "health", "state") != "OK" || at(data, "updateChannel", "health", "nextProbeAt") != nil {
			t.Errorf("health after the change: %v", data)
		}
		s.untilCount(id, "DELIVERED", 5)
		if n := len(old.all()); n != 2 {
			t.Errorf("the old place was called %d times, want once for the alert and once for the test", n)
		}
		// The one that found out is sent again by hand.
		if n := at(s.do(retryQuery, filterOf("channelId", id)), "retryDeliveries"); n != 1.0 {
			t.Errorf("%v deliveries were sent again", n)
		}
		s.untilCount(id, "DELIVERED", 6)
		s.until("watch to be told of the end", func() bool { return len(watch.all()) == 4 })
		wantNews(t, "watch", watch, "channel_failing", "channel_failing over", "delivery_failed", "delivery_failed over")
		wantNews(t, "watch beginnings", beginnings, "channel_failing", "delivery_failed")
		for _, body := range watch.told(t) {
			if strings.Contains(fmt.Sprint(body), "hunter2") {
				t.Errorf("the server's own alert has a secret: %v", body)
			}
		}
		// A deleted channel is found through what it was told, with its health.
		s.do(`mutation($id: ID!) { deleteChannels(ids: [$id]) }`, map[string]any{"id": id})
		data = s.do(`query($id: ID!) { deliveries(filter: {channelId: $id}) { nodes { channel { deletedAt rateLimit { perMinute } notifyOnResolve health { state waiting lastError } } } } }`, map[string]any{"id": id})
		if c := at(data, "deliveries", "nodes", 0, "channel"); at(c, "deletedAt") == nil || at(c, "health", "state") != "OK" || at(c, "health", "waiting") != 0.0 {
			t.Errorf("a deleted channel: %v", c)
		}
	})
}

func TestHealth_DeletingAChannelEndsTheAlertsAboutIt(t *testing.T) {
	onBothAtOnce(t, func(t *testing.T, url string) {
		s := startServer(t, url)
		r := newReceiver(t)
		r.answer(http.StatusNotFound, "no_team")
		id := s.createChannel("slack", map[string]any{"slack": map[string]any{"webhookUrl": r.URL}})
		watch, beginnings := s.watch(t)
		s.createAlert(nil)
		s.until("watch to be told", func() bool { return len(watch.all()) == 2 && len(beginnings.all()) == 2 })
		s.do(`mutation($id: ID!) { deleteChannels(ids: [$id]) }`, map[string]any{"id": id})
		if open := at(s.do(`{ alerts(filter: {isResolved: false}) { nodes { type } } }`, nil), "alerts", "nodes").([]any); len(open) != 1 || at(open, 0, "type") != "error" {
			t.Errorf("open alerts: %v", open)
		}
		s.until("watch to be told of the end", func() bool { return len(watch.all()) == 4 })
		wantNews(t, "watch", watch, "channel_failing", "channel_failing over", "delivery_failed", "delivery_failed over")
		wantNews(t, "watch beginnings", beginnings, "channel_failing", "delivery_failed")
	})
}
