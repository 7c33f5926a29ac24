package main

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestRateLimit_WhatComesTooFastIsToldInDigestsAndNothingIsLost(t *testing.T) {
	onBothAtOnce(t, func(t *testing.T, url string) {
		s := startServer(t, url)
		slack, hook := newReceiver(t), newReceiver(t)
		// One message in 10 s beyond the burst: a slot that opens, and no second one while the machine stands still for a while.
		slackID := s.createChannel("slack", map[string]any{"slack": map[string]any{"webhookUrl": slack.URL + "/services/x"}}, "rateLimit", limit(6, 10))
		hookID := s.createChannel("hook", webhook(hook.URL), "rateLimit", limit(6, 2))
		began := s.store.Now()
		var inputs []any
		severities := []string{"LOW", "LOW", "LOW", "MEDIUM", "MEDIUM", "HIGH"}
		for i := range 30 {
			inputs = append(inputs, map[string]any{"type": "error", "severity": severities[i%len(severities)], "message": fmt.Sprint("number ", i)})
		}
		s.do(createAlertsQuery, map[string]any{"inputs": inputs})
		s.until("the bursts to be told", func() bool { return len(slack.all()) >= 10 && len(hook.all()) >= 2 })
		s.store.TurnClock(9 * time.Second)
		s.untilCount(slackID, "DELIVERED", 30)
		s.untilCount(hookID, "DELIVERED", 30)
		took := s.store.Now().Sub(began)

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
			title := fmt.Sprint(at(body, "attachments", 0, "fallback"))
			n := 1.0
			if _, err := fmt.Sscanf(title, "Rustbucket Alert: %f alerts", &n); err == nil {
				s.checkSlackDigest(body, n)
			}
			arrived[slackID] = append(arrived[slackID], n)
		}
		for id, burst := range map[string]int{slackID: 10, hookID: 2} {
			slices.Sort(arrived[id]) // the digest is the last one claimed, but two may overtake each other on their way
			if most := burst + int(took/(10*time.Second)); len(arrived[id]) > most || arrived[id][burst-1] != 1 || arrived[id][len(arrived[id])-1] == 1 {
				t.Errorf("channel %s: messages about %v alerts in %v", id, arrived[id], took)
			}
			data := s.do(`query($id: ID!) { deliveries(filter: {channelId: $id}) { nodes { kind attempts digestSize attemptLog { digestSize statusCode startedAt } } } }`, map[string]any{"id": id})
			said := map[float64]float64{}
			for _, d := range at(data, "deliveries", "nodes").([]any) {
				size, digest := at(d, "digestSize").(float64)
				if !digest {
					size = 1
				} else if told, err := time.Parse(time.RFC3339Nano, fmt.Sprint(at(d, "attemptLog", 0, "startedAt"))); err != nil || told.Sub(began) < 10*time.Second {
					t.Errorf("channel %s: a digest was sent %v after the alerts came in, before a slot opened (%v)", id, told.Sub(began), err)
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
	var texts []string
	for _, b := range at(body, "attachments", 0, "blocks").([]any) {
		block := b.(map[string]any)
		fields, _ := block["fields"].([]any)
		for _, o := range append(fields, block["text"]) {
			if o != nil {
				texts = append(texts, fmt.Sprint(at(o, "text")))
			}
		}
	}
	all := strings.Join(texts, "\n")
	_, query, _ := strings.Cut(all, "```")
	query, _, ended := strings.Cut(query, "```")
	if !strings.Contains(all, "LOW 15") || !strings.Contains(all, fmt.Sprintf("*By type*\nerror %v\n", n)) || !ended ||
		!strings.Contains(all, "*Alerts, the worst first*\n🟡 MEDIUM") || at(body, "attachments", 0, "color") != "warning" {
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
