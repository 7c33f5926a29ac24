package store_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/store"
)

// happened is an alert and what became of it on some channels.
type happened struct {
	at         time.Time
	kind       string
	severity   models.Severity
	resolved   bool
	deliveries []outcome
}

type outcome struct {
	channel *models.Channel
	status  models.DeliveryStatus
	took    time.Duration
}

func shown(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

// put stores what happened, at its times.
func put(t *testing.T, s *store.Store, all []happened) {
	t.Helper()
	for _, h := range all {
		a := alert(h.kind)
		a.Severity = h.severity
		in := store.AlertInsert{New: a}
		for _, d := range h.deliveries {
			in.Deliveries = append(in.Deliveries, store.NewDelivery{ChannelID: d.channel.ID})
		}
		made := create(t, s, in)[0]
		do := func(query string, args ...any) {
			if err := s.Do(t.Context(), query, args...); err != nil {
				t.Fatal(err)
			}
		}
		do("UPDATE alerts SET created_at = ? WHERE id = ?", h.at, made.Alert.ID)
		if h.resolved {
			do("UPDATE alerts SET resolved_at = ? WHERE id = ?", h.at.Add(time.Minute), made.Alert.ID)
		}
		for i, d := range h.deliveries {
			do("UPDATE deliveries SET created_at = ?, status = ? WHERE id = ?", h.at, d.status, made.Deliveries[i].ID)
			if d.status != models.Pending {
				do("UPDATE deliveries SET completed_at = ?, next_attempt_at = NULL WHERE id = ?", h.at.Add(d.took), made.Deliveries[i].ID)
			}
		}
	}
}

var statsDay = time.Date(2025, 12, 12, 0, 0, 0, 0, time.UTC)

func TestStats_AreCounted(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		one, two, three := newChannel(t, s, "one"), newChannel(t, s, "two"), newChannel(t, s, "three")
		ms := time.Millisecond
		put(t, s, []happened{
			{statsDay.Add(9*time.Hour + 59*time.Minute), "before", models.SeverityHigh, false, nil},
			{statsDay.Add(10 * time.Hour), "disk", models.SeverityHigh, true, []outcome{{one, models.Delivered, 10 * ms}, {two, models.Failed, time.Hour}}},
			{statsDay.Add(10*time.Hour + 59*time.Minute + 59*time.Second + 999999*time.Microsecond), "disk", models.SeverityLow, false,
				[]outcome{{one, models.Delivered, 30*ms + 1*time.Microsecond}, {two, models.Cancelled, 0}}},
			{statsDay.Add(12*time.Hour + 500*ms), "cpu", models.SeverityMedium, false, []outcome{{one, models.Delivered, 26 * time.Hour}, {two, models.Pending, 0}}},
			{statsDay.Add(13 * time.Hour), "behind", models.SeverityHigh, false, []outcome{{one, models.Delivered, ms}}},
		})
		r := models.StatsRange{From: statsDay.Add(10 * time.Hour), To: statsDay.Add(13 * time.Hour), Bucket: models.PerHour}
		alerts, err := s.AlertStats(t.Context(), r, nil)
		if err != nil {
			t.Fatal(err)
		}
		at := func(hour int) time.Time { return statsDay.Add(time.Duration(hour) * time.Hour) }
		wantAlerts := &models.AlertStats{
			AlertCounts: models.AlertCounts{Low: 1, Medium: 1, High: 1}, Open: 2,
			Types: []*models.AlertTypeStats{{Type: "disk", Total: 2, Open: 1}, {Type: "cpu", Total: 1, Open: 1}},
			Buckets: []*models.AlertStatsBucket{
				{From: at(10), AlertCounts: models.AlertCounts{Low: 1, High: 1}}, {From: at(11)}, {From: at(12), AlertCounts: models.AlertCounts{Medium: 1}},
			},
		}
		if !reflect.DeepEqual(alerts, wantAlerts) {
			t.Errorf("alerts\n%+v\nwant\n%+v", shown(alerts), shown(wantAlerts))
		}
		deliveries, err := s.DeliveryStats(t.Context(), r, nil)
		if err != nil {
			t.Fatal(err)
		}
		day := 26.0 * 3600 * 1000
		wantDeliveries := &models.DeliveryStats{
			DeliveryCounts: models.DeliveryCounts{Delivered: 3, Failed: 1, Cancelled: 1, Pending: 1, P50Ms: new(30.001), P99Ms: &day},
			Channels: []*models.ChannelDeliveryStats{
				{ChannelID: one.ID, DeliveryCounts: models.DeliveryCounts{Delivered: 3, P50Ms: new(30.001), P99Ms: &day}},
				{ChannelID: two.ID, DeliveryCounts: models.DeliveryCounts{Failed: 1, Cancelled: 1, Pending: 1}},
			},
			Buckets: []*models.DeliveryStatsBucket{
				{From: at(10), DeliveryCounts: models.DeliveryCounts{Delivered: 2, Failed: 1, Cancelled: 1, P50Ms: new(10.0), P99Ms: new(30.001)}},
				{From: at(11)},
				{From: at(12), DeliveryCounts: models.DeliveryCounts{Delivered: 1, Pending: 1, P50Ms: &day, P99Ms: &day}},
			},
		}
		if !reflect.DeepEqual(deliveries, wantDeliveries) {
			t.Errorf("deliveries\n%s\nwant\n%s", shown(deliveries), shown(wantDeliveries))
		}
		if rate := deliveries.SuccessRate(); rate == nil || *rate != 0.75 {
			t.Errorf("success rate %v", rate)
		}
		few, err := s.DeliveryStats(t.Context(), r, []int64{two.ID, three.ID})
		if err != nil || few.Total() != 3 || few.SuccessRate() == nil || *few.SuccessRate() != 0 || few.P50Ms != nil || len(few.Channels) != 1 || len(few.Buckets) != 3 {
			t.Errorf("two channels: %s, %v", shown(few), err)
		}
		high, err := s.AlertStats(t.Context(), r, &models.AlertFilter{Severities: []models.Severity{models.SeverityHigh}, Search: new("DISK"), CreatedAfter: &r.From})
		if err != nil || high.Total() != 1 || high.Open != 0 || len(high.Types) != 1 || len(high.Buckets) != 3 {
			t.Errorf("with a filter: %s, %v", shown(high), err)
		}
		none, err := s.DeliveryStats(t.Context(), models.StatsRange{From: statsDay.AddDate(-1, 0, 0), To: statsDay, Bucket: models.PerDay}, nil)
		if err != nil || none.Total() != 0 || none.SuccessRate() != nil || none.P99Ms != nil || len(none.Buckets) != 365 || none.Channels == nil {
			t.Errorf("when there was nothing: %s, %v", shown(none), err)
		}
	})
}

// What is counted in SQL is what Go counts, whatever the durations are.
func TestStats_PercentilesAreThoseOfTheSortedDurations(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		random := rand.New(rand.NewPCG(1, 2))
		channels := []*models.Channel{newChannel(t, s, "one"), newChannel(t, s, "two")}
		byChannel, byMinute := make(map[int64][]int64), make(map[int64][]int64)
		var all []int64
		var stored []happened
		for range 210 {
			at := statsDay.Add(time.Duration(random.Int64N(int64(3*time.Minute/time.Microsecond))) * time.Microsecond)
			micros := random.Int64N(1 << random.IntN(38))
			micros -= micros % []int64{1, 10, 1000, 100_000, 1_000_000}[random.IntN(5)]
			c := channels[random.IntN(2)]
			stored = append(stored, happened{at, "x", models.SeverityLow, false, []outcome{{c, models.Delivered, time.Duration(micros) * time.Microsecond}}})
			byChannel[c.ID] = append(byChannel[c.ID], micros)
			byMinute[at.Truncate(time.Minute).Unix()] = append(byMinute[at.Truncate(time.Minute).Unix()], micros)
			all = append(all, micros)
		}
		put(t, s, stored)
		got, err := s.DeliveryStats(t.Context(), models.StatsRange{From: statsDay, To: statsDay.Add(3 * time.Minute), Bucket: models.PerMinute}, nil)
		if err != nil {
			t.Fatal(err)
		}
		check := func(what string, c models.DeliveryCounts, durations []int64) {
			t.Helper()
			slices.SortFunc(durations, cmp.Compare)
			n := len(durations)
			p50, p99 := float64(durations[(n+1)/2-1])/1000, float64(durations[(n*99+99)/100-1])/1000
			if c.Delivered != n || *c.P50Ms != p50 || *c.P99Ms != p99 {
				t.Errorf("%s: %d, %v, %v, want %d, %v, %v", what, c.Delivered, *c.P50Ms, *c.P99Ms, n, p50, p99)
			}
		}
		check("all", got.DeliveryCounts, all)
		for _, c := range got.Channels {
			check(fmt.Sprint("channel ", c.ChannelID), c.DeliveryCounts, byChannel[c.ChannelID])
		}
		for _, b := range got.Buckets {
			check(fmt.Sprint(b.From), b.DeliveryCounts, byMinute[b.From.Unix()])
		}
	})
}

func TestStats_NameTheMostFrequentTypes(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		for i := range 60 {
			var batch []store.AlertInsert
			for range 1 + i%3 {
				batch = append(batch, insert(alert(fmt.Sprintf("%c%d", "aBä"[i%3], i))))
			}
			create(t, s, batch...)
		}
		got, err := s.AlertStats(t.Context(), models.StatsRange{From: s.Now().Add(-time.Hour), To: s.Now().Add(time.Hour), Bucket: models.PerDay}, nil)
		if err != nil || got.Total() != 120 || len(got.Types) != models.MaxAlertTypes {
			t.Fatalf("%d alerts of %d types, %v", got.Total(), len(got.Types), err)
		}
		if !slices.IsSortedFunc(got.Types, func(a, b *models.AlertTypeStats) int {
			return cmp.Or(cmp.Compare(b.Total, a.Total), strings.Compare(a.Type, b.Type))
		}) {
			t.Errorf("not in order: %s", shown(got.Types))
		}
	})
}

func TestStats_EndInTime(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		c := newChannel(t, s, "one")
		create(t, s, insert(alert("x"), c))
		r := models.StatsRange{From: s.Now().Add(-time.Hour), To: s.Now().Add(time.Hour), Bucket: models.PerDay}
		s.HurryStats(time.Nanosecond)
		for range 5 { // none of them keeps its place
			_, alerts := s.AlertStats(t.Context(), r, nil)
			_, deliveries := s.DeliveryStats(t.Context(), r, nil)
			for _, err := range []error{alerts, deliveries} {
				own := new(models.Error)
				if !errors.As(err, &own) || own.Code != models.Overloaded && (own.Field != "from" || !strings.Contains(own.Message, "narrow the range")) {
					t.Errorf("out of time: %v", err)
				}
			}
		}
		s.HurryStats(time.Minute)
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.AlertStats(gone, r, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("nobody waits for it: %v", err)
		}
		if got, err := s.DeliveryStats(t.Context(), r, nil); err != nil || got.Total() != 1 {
			t.Errorf("afterwards: %s, %v", shown(got), err)
		}
	})
}
