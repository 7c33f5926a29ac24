package main

import (
	"testing"
	"time"
)

const askStats = `query ($from: Time!, $to: Time, $bucket: StatsBucket! = HOUR, $filter: AlertFilter, $ids: [ID!]) {
	alertStats(from: $from, to: $to, bucket: $bucket, filter: $filter) { total open low medium high types { type total open } buckets { from total low medium high } }
	deliveryStats(from: $from, to: $to, bucket: $bucket, channelIds: $ids) { total delivered failed cancelled pending successRate p50Ms p99Ms
		channels { channel { id name type deletedAt health { state } } total delivered failed cancelled pending successRate p50Ms p99Ms }
		buckets { from delivered failed cancelled pending p50Ms p99Ms } } }`

func TestStats_ThroughTheAPI(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		good, bad := newReceiver(t), newReceiver(t)
		bad.answer(400, "no")
		works := s.createChannel("works", webhook(good.URL), "alertTypes", []string{"disk"}) // not what the server says about the other
		refuses := s.createChannel("refuses", webhook(bad.URL), "minSeverity", "HIGH")
		first := s.createAlert(map[string]any{"type": "disk", "severity": "HIGH"})
		s.deliveries(first)
		s.deliveries(s.createAlert(map[string]any{"type": "disk", "severity": "LOW"}))
		s.do(`mutation ($id: ID!) { resolveAlert(id: $id) { id } }`, map[string]any{"id": first})
		s.do(`mutation ($id: ID!) { deleteChannels(ids: [$id]) }`, map[string]any{"id": refuses})

		now := s.store.Now()
		got := s.do(askStats, map[string]any{"from": now.Add(-2 * time.Hour), "to": now, "filter": map[string]any{"types": []string{"disk"}}})
		for _, c := range []struct {
			want any
			path []any
		}{
			{2.0, []any{"alertStats", "total"}}, {1.0, []any{"alertStats", "open"}}, {"disk", []any{"alertStats", "types", 0, "type"}},
			{2.0, []any{"deliveryStats", "delivered"}}, {1.0, []any{"deliveryStats", "failed"}},
			{"works", []any{"deliveryStats", "channels", 0, "channel", "name"}}, {1.0, []any{"deliveryStats", "channels", 0, "successRate"}},
			{"refuses", []any{"deliveryStats", "channels", 1, "channel", "name"}}, {0.0, []any{"deliveryStats", "channels", 1, "successRate"}},
			{nil, []any{"deliveryStats", "channels", 1, "p50Ms"}},
		} {
			if shown := at(got, c.path...); shown != c.want {
				t.Errorf("%v is %v, want %v", c.path, shown, c.want)
			}
		}
		if rate := at(got, "deliveryStats", "successRate").(float64); rate < 0.66 || rate > 0.67 {
			t.Errorf("success rate %v", rate)
		}
		if p50, p99 := at(got, "deliveryStats", "p50Ms").(float64), at(got, "deliveryStats", "p99Ms").(float64); p50 <= 0 || p99 < p50 || p99 > 60_000 {
			t.Errorf("p50 %v ms, p99 %v ms", p50, p99)
		}
		for _, list := range []string{"alertStats", "deliveryStats"} {
			buckets := at(got, list, "buckets").([]any)
			if len(buckets) != 3 || at(buckets[0], "from") != now.Add(-2*time.Hour).Truncate(time.Hour).Format(time.RFC3339) {
				t.Errorf("%s: buckets %v", list, buckets)
			}
		}
		if one := s.do(askStats, map[string]any{"from": now.Add(-time.Hour), "ids": []string{works}}); at(one, "deliveryStats", "total") != 2.0 {
			t.Errorf("of one channel: %v", one["deliveryStats"])
		}
		for field, variables := range map[string]map[string]any{
			"bucket": {"from": "2020-01-01T00:00:00Z", "bucket": "MINUTE"},
			"from":   {"from": "2025-12-12T11:00:00Z", "to": "2025-12-12T11:00:00Z"},
		} {
			a := s.try(askStats, variables)
			if len(a.Errors) != 2 || a.Errors[0].Extensions.Code != "BAD_USER_INPUT" || a.Errors[0].Extensions.Field != field {
				t.Errorf("%v: %+v", variables, a.Errors)
			}
		}
	})
}
