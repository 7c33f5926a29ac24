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

func TestRateLimit_WhatComesTooFastIsToldInDigestsAndNothingIsLost(t *testing.T) {
	onBothAtOnce(t, func(t *testing.T, url string) {
		s := startServer(t, url)
		slack, hook := newReceiver(t), newReceiver(t)
		slackID := s.createChannel("slack", map[string]any{"slack": map[string]any{"webhookUrl": slack.URL + "/services/x"}})
		hookID := s.createChannel("hook", webhook(hook.URL), "rateLimit", limit(60, 2))
		began := time.Now()
		var inputs []any
		severities := []string{"LOW", "LOW", "LOW", "MEDIUM", "MEDIUM", "HIGH"}
		for i := range 30 {
			inputs = append(inputs, map[string]any{"type": "error", "severity": severities[i%len(severities)], "message": fmt.Sprint("number ", i)})
		}
		s.do(createAlertsQuery, map[string]any{"inputs": inputs})
		s.untilCount(slackID, "DELIVERED", 30)
		s.untilCount(hookID, "DELIVERED", 30)
		took := time.Since(began)
		if took < 900*time.Millisecond {
			t.Errorf("all were told after %v, before a slot opened", took)
		}

		// What the API says about it, and what arrived, are the same.
		arrived := map[string][]float64{slackID: nil, hookID: nil} // sizes of messages
		seen := map[float64]int{}
		for i, body := range hook.told(t) {
			if body["digest"] != true {
				arrived[hookID] = append(arrived[hookID], 1)
				seen[body["alert_id"].(float64)]++
				if body["severity"] != "high" {
					t.Errorf("message %d of the hook is about %v", i, body)
				}
				continue
			}
			arrived[hookID] = append(arrived[hookID], body["count"].(float64))
			list := body["alerts"].([]any)
			bySeverity := map[string]any{"high": 0.0, "medium": 0.0, "low": 0.0}
			worst := 0
			for _, a := range list {
				seen[at(a, "alert_id").(float64)]++
				severity := at(a, "severity").(string)
				bySeverity[severity] = bySeverity[severity].(float64) + 1
				rank := slices.Index([]string{"high", "medium", "low"}, severity)
				if rank < worst || len(a.(map[string]any)) != 7 {
					t.Errorf("in a digest, out of order or not as alone: %v", a)
				}
				worst = rank
			}
			if body["omitted"] != 0.0 || float64(len(list)) != body["count"] || len(body) != 6 ||
				!reflect.DeepEqual(body["by_severity"], bySeverity) || !reflect.DeepEqual(body["by_type"], map[string]any{"error": body["count"]}) {
				t.Errorf("digest %v", body)
			}
		}
		if len(seen) != 30 {
			t.Errorf("the hook was told of %d alerts: %v", len(seen), seen)
		}
		for alert, n := range seen {
			if n != 1 {
				t.Errorf("the hook was told of alert %v %d times", alert, n)
			}
		}
		for _, body := range slack.told(t) {
			title := fmt.Sprint(at(body, "attachments", 0, "title"))
			n := 1.0
			if _, err := fmt.Sscanf(title, "Rustbucket Alert: %f alerts", &n); err == nil {
				s.checkSlackDigest(body, n)
			}
			arrived[slackID] = append(arrived[slackID], n)
		}
		for id, burst := range map[string]int{slackID: 10, hookID: 2} {
			if most := burst + int(took/time.Second) + 1; len(arrived[id]) > most || arrived[id][burst-1] != 1 || arrived[id][len(arrived[id])-1] == 1 {
				t.Errorf("channel %s: messages about %v alerts in %v", id, arrived[id], took)
			}
			data := s.do(`query($id: ID!) { deliveries(filter: {channelId: $id}) { nodes { kind attempts digestSize attemptLog { digestSize statusCode } } } }`, map[string]any{"id": id})
			said := map[float64]float64{}
			for _, d := range at(data, "deliveries", "nodes").([]any) {
				size, digest := at(d, "digestSize").(float64)
				if !digest {
					size = 1
				}
				said[size]++
				if at(d, "digestSize") != at(d, "attemptLog", 0, "digestSize") || at(d, "kind") != "ALERT" || at(d, "attempts") != 1.0 || at(d, "attemptLog", 0, "statusCode") != 200.0 {
					t.Errorf("delivery %v", d)
				}
			}
			want := map[float64]float64{}
			for _, n := range arrived[id] {
				want[n] += n
			}
			if !reflect.DeepEqual(said, want) {
				t.Errorf("channel %s: deliveries by size of their message: %v, want %v", id, said, want)
			}
		}
		digests := func(id string) (n, told float64) {
			for _, size := range arrived[id] {
				if size > 1 {
					n, told = n+1, told+size
				}
			}
			return n, told
		}
		n, told := digests(slackID)
		s.wantSamples(fmt.Sprintf(`digests_sent_total{type="slack"} %v`, n), fmt.Sprintf(`digested_deliveries_total{type="slack"} %v`, told),
			`deliveries_ended_total{reason="delivered",status="delivered",type="slack"} 30`, `delivery_latency_seconds_count{type="slack"} 30`,
			fmt.Sprintf(`attempts_total{result="delivered",type="webhook"} %d`, len(arrived[hookID])))
	})
}

// checkSlackDigest looks at a digest of n alerts, and follows its query.
func (s *server) checkSlackDigest(body map[string]any, n float64) {
	s.t.Helper()
	fields := map[string]string{}
	query := ""
	for _, f := range at(body, "attachments", 0, "fields").([]any) {
		fields[fmt.Sprint(at(f, "title"))] = fmt.Sprint(at(f, "value"))
		query = fmt.Sprint(at(f, "value"))
	}
	if !strings.Contains(fields["By severity"], "LOW 15") || fields["By type"] != fmt.Sprintf("error %v", n) || fields["Time"] == "" ||
		!strings.HasPrefix(fields["Alerts, the worst first"], "• MEDIUM") || at(body, "attachments", 0, "color") != "warning" {
		s.t.Errorf("Slack got the digest %v", body)
	}
	if found := len(at(s.do(query, nil), "deliveries", "nodes").([]any)); found != 30 {
		s.t.Errorf("the digest's query finds %d deliveries: %s", found, query)
	}
}

func TestResolve_IsToldWhereItIsWanted(t *testing.T) {
	onBothAtOnce(t, func(t *testing.T, url string) {
		s := startServer(t, url)
		both, alone := newReceiver(t), newReceiver(t)
		s.createChannel("both", webhook(both.URL), "notifyOnResolve", true)
		s.createChannel("alone", webhook(alone.URL))
		id := s.createAlert(map[string]any{"severity": "HIGH"})
		s.deliveries(id)
		for range 2 { // the second changes nothing
			s.do(`mutation($id: ID!) { resolveAlert(id: $id) { id } }`, map[string]any{"id": id})
		}
		s.deliveries(id)
		list := at(s.do(`query($id: ID!) { alert(id: $id) { deliveries { kind status channel { name } } } }`, map[string]any{"id": id}), "alert", "deliveries").([]any)
		var last []any
		for _, d := range list {
			if at(d, "kind") == "RESOLVED" {
				last = append(last, d)
			}
		}
		if len(list) != 3 || len(last) != 1 || at(last, 0, "status") != "DELIVERED" || at(last, 0, "channel", "name") != "both" {
			t.Errorf("deliveries %v", list)
		}
		got := both.told(t)
		if len(got) != 2 || got[0]["is_resolved"] != false || got[1]["is_resolved"] != true || len(got[1]) != 7 {
			t.Fatalf("it got %v", got)
		}
		got[1]["is_resolved"] = false
		if !reflect.DeepEqual(got[0], got[1]) {
			t.Errorf("the resolve differs in more than is_resolved: %v, %v", got[0], got[1])
		}
		if n := len(alone.all()); n != 1 {
			t.Errorf("the channel without notifyOnResolve got %d messages", n)
		}
		if first, second := both.all()[0].header.Get("Webhook-Id"), both.all()[1].header.Get("Webhook-Id"); first == second {
			t.Errorf("alert and resolve have the same webhook-id %s", first)
		}
	})
}
