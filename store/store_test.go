package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/seal"
	"github.com/rustbucket/alerts/store"
	"github.com/rustbucket/alerts/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.Run(m)) }

// onBoth runs a test of the conformance suite over both databases: what it asserts is what the rest of the program may
// rely on, whichever is used.
func onBoth(t *testing.T, test func(t *testing.T, s *store.Store)) {
	for name, url := range map[string]func(t *testing.T) string{
		"SQLite":     func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "alerts.db") },
		"PostgreSQL": func(t *testing.T) string { return testkit.NewDatabase(t) },
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, url(t))
			test(t, s)
		})
	}
}

// onBothStopped runs a test on both databases, in which time passes only where the test turns the clock.
func onBothStopped(t *testing.T, test func(t *testing.T, s *store.Store)) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		s.StopClock()
		test(t, s)
	})
}

func open(t *testing.T, url string) *store.Store {
	t.Helper()
	keys, err := seal.New(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), store.Options{URL: url, Keyring: keys, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if _, err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func newChannel(t *testing.T, s *store.Store, name string) *models.Channel {
	t.Helper()
	c := &models.Channel{Name: name, IsActive: true, AlertTypes: []string{}, Config: &models.WebhookConfig{
		URL: "https://example.com/hook?key=secret", Headers: map[string]string{"X-Key": "secret"},
	}}
	if err := s.CreateChannel(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	return c
}

func alert(kind string) *models.NewAlert {
	return &models.NewAlert{Type: kind, Severity: models.SeverityHigh, Message: "message of " + kind, Notify: true}
}

func insert(a *models.NewAlert, channels ...*models.Channel) store.AlertInsert {
	in := store.AlertInsert{New: a, Decisions: models.Route(a, false, nil, nil, channels)}
	for _, d := range in.Decisions {
		if d.WillNotify() {
			in.Deliveries = append(in.Deliveries, store.NewDelivery{ChannelID: d.ChannelID})
		}
	}
	return in
}

func create(t *testing.T, s *store.Store, batch ...store.AlertInsert) []store.AlertResult {
	t.Helper()
	results, err := s.CreateAlerts(t.Context(), batch, "nobody")
	if err != nil {
		t.Fatal(err)
	}
	return results
}

// alive says that these processes live, so that what is leased to them is theirs: for longer than a test takes, unless it turns the
// clock by an hour.
func alive(t *testing.T, s *store.Store, processes ...string) {
	t.Helper()
	for _, p := range processes {
		if _, err := s.Beat(t.Context(), p, 30*time.Minute); err != nil {
			t.Fatal(err)
		}
	}
}

// claim claims for a process, and gives what was claimed whatever message it is in.
func claim(t *testing.T, s *store.Store, c *models.Channel, room int, holder string) []store.Claimed {
	t.Helper()
	claims, err := s.Claim(t.Context(), c, room, holder, time.Minute)
	if err != nil {
		t.Error(err)
		return nil
	}
	return slices.Concat(claims.Messages...)
}

// reclaim hands back what dead processes hold, which is to be so many deliveries.
func reclaim(t *testing.T, s *store.Store, want int) {
	t.Helper()
	if n, err := s.Reclaim(t.Context()); err != nil || n != want {
		t.Fatalf("reclaimed %d deliveries, %v, want %d", n, err, want)
	}
}

// record reports outcomes of a process whose channels are of no interest, and gives what applied.
func record(t *testing.T, s *store.Store, holder string, outcomes ...store.Outcome) map[int64]*models.Delivery {
	t.Helper()
	r, err := s.Record(t.Context(), holder, outcomes, func([]*store.StateChange) store.Reaction { return store.Reaction{} })
	if err != nil {
		t.Fatal(err)
	}
	return r.Applied
}

func TestStore_KeepsAnAlertAsItWasGiven(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		c := newChannel(t, s, "one")
		a := alert("error")
		a.Message = "it's \"quoted\" ? ?0 \\ %s \n Größe 漢字 🚨"
		a.Details = json.RawMessage(`{"b":1,"a":{"x":[1,2.50,"?"]}}`)
		a.Rustbucket = &models.Rustbucket{ID: "BKT1", Name: "Node 1"}
		a.CreatedBy = 7
		key := "disk:1"
		a.DedupKey = &key
		got := create(t, s, insert(a, c))[0]
		stored, err := s.Alert(t.Context(), got.Alert.ID)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(stored, got.Alert) {
			t.Errorf("stored  %+v\nanswered %+v", stored, got.Alert)
		}
		if stored.Message != a.Message || string(stored.Details) != string(a.Details) || *stored.Rustbucket != *a.Rustbucket ||
			*stored.DedupKey != key || stored.CreatedBy != 7 || stored.Occurrences != 1 || time.Since(stored.CreatedAt) > time.Minute {
			t.Errorf("stored %+v", stored)
		}
		want := models.Decisions{{ChannelID: c.ID, Reason: models.Matched}}
		if !reflect.DeepEqual(stored.Decisions, want) {
			t.Errorf("decisions %v, want %v", stored.Decisions, want)
		}
	})
}

func TestStore_AnswersABatchInItsOrder(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		one, two := newChannel(t, s, "one"), newChannel(t, s, "two")
		var batch []store.AlertInsert
		for i := range 1000 {
			channels := []*models.Channel{two, one}
			batch = append(batch, insert(alert(fmt.Sprintf("type-%d", i)), channels[:i%3%len(channels)+i%2]...))
		}
		results := create(t, s, batch...)
		for i, r := range results {
			if want := fmt.Sprintf("type-%d", i); r.Alert.Type != want {
				t.Fatalf("answer %d is %q", i, r.Alert.Type)
			}
			stored, err := s.DeliveriesOfAlerts(t.Context(), []int64{r.Alert.ID})
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Deliveries) != len(batch[i].Deliveries) || len(stored[r.Alert.ID]) != len(r.Deliveries) {
				t.Fatalf("alert %d has %d deliveries, %d stored, want %d", i, len(r.Deliveries), len(stored[r.Alert.ID]), len(batch[i].Deliveries))
			}
			for j, d := range r.Deliveries {
				if d.ChannelID != batch[i].Deliveries[j].ChannelID || d.AlertID != r.Alert.ID || stored[r.Alert.ID][j].ID != d.ID {
					t.Fatalf("delivery %d of alert %d: %+v", j, i, d)
				}
			}
			if i%100 == 0 {
				if a, err := s.Alert(t.Context(), r.Alert.ID); err != nil || a.Type != r.Alert.Type {
					t.Fatalf("alert %d is stored as %+v, %v", i, a, err)
				}
			}
		}
	})
}

func TestStore_CountsUpAnOpenAlertWithTheSameKey(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		c := newChannel(t, s, "one")
		keyed := func(key string) store.AlertInsert {
			a := alert("error")
			a.DedupKey = &key
			return insert(a, c)
		}
		first := create(t, s, keyed("a"), insert(alert("other"), c), keyed("a"), keyed("b"))
		if first[0].Duplicate || !first[2].Duplicate || first[3].Duplicate || first[0].Alert.ID != first[2].Alert.ID {
			t.Fatalf("first batch: %+v", first)
		}
		if n := first[2].Alert.Occurrences; n != 2 {
			t.Errorf("occurrences %d, want 2", n)
		}
		if len(first[0].Deliveries) != 1 || len(first[2].Deliveries) != 0 {
			t.Errorf("deliveries: %d and %d, want 1 and 0", len(first[0].Deliveries), len(first[2].Deliveries))
		}
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if _, err := s.CreateAlerts(t.Context(), []store.AlertInsert{keyed("b"), keyed("a")}, "x"); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		a, err := s.Alert(t.Context(), first[0].Alert.ID)
		if err != nil || a.Occurrences != 22 {
			t.Errorf("alert %+v, %v: want 22 occurrences", a, err)
		}
		if _, _, err := s.ChangeAlert(t.Context(), a.ID, resolve); err != nil {
			t.Fatal(err)
		}
		if again := create(t, s, keyed("a"))[0]; again.Duplicate || again.Alert.ID == a.ID {
			t.Errorf("a resolved alert was counted up: %+v", again)
		}
		if n, _ := s.CountAlerts(t.Context(), nil); n != 4 {
			t.Errorf("%d alerts, want 4", n)
		}
	})
}

func TestStore_FiltersAlertsAsTheModelDoes(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		var batch []store.AlertInsert
		for i := range 30 {
			a := alert([]string{"error", "warning", "Über"}[i%3])
			a.Severity = models.Severity(i % 3)
			a.CreatedBy = int64(i % 2)
			a.Message = fmt.Sprintf("disk %d%% full on ÄRGER_%d", i, i)
			if i%4 == 0 {
				a.Rustbucket = &models.Rustbucket{ID: fmt.Sprint("BKT", i%8), Name: "n"}
			}
			batch = append(batch, insert(a))
		}
		results := create(t, s, batch...)
		for i := range 5 {
			if _, _, err := s.ChangeAlert(t.Context(), results[i*3].Alert.ID, resolve); err != nil {
				t.Fatal(err)
			}
		}
		all, err := s.Alerts(t.Context(), nil, 0, 100)
		if err != nil || len(all) != 30 {
			t.Fatalf("%d alerts, %v", len(all), err)
		}
		p := func(s string) *string { return &s }
		yes, no, medium, creator := true, false, models.SeverityMedium, int64(1)
		at := all[0].CreatedAt
		later := at.Add(time.Microsecond)
		for name, f := range map[string]*models.AlertFilter{
			"types":          {Types: []string{"error", "Über"}},
			"severities":     {Severities: []models.Severity{models.SeverityLow, models.SeverityHigh}},
			"minSeverity":    {MinSeverity: &medium},
			"resolved":       {IsResolved: &yes},
			"open":           {IsResolved: &no},
			"rustbucket":     {RustbucketID: p("BKT4")},
			"createdAfter":   {CreatedAfter: &at},
			"later":          {CreatedAfter: &later},
			"createdBefore":  {CreatedBefore: &at},
			"search":         {Search: p("ärger_1")},
			"search percent": {Search: p("1% F")},
			"search type":    {Search: p("über")},
			"creator":        {CreatedBy: &creator},
			"several":        {Types: []string{"error"}, IsResolved: &no, MinSeverity: new(models.Severity), Search: p("full")},
		} {
			got, err := s.Alerts(t.Context(), f, 0, 100)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			var want []int64
			for _, a := range all {
				if f.Match(a) {
					want = append(want, a.ID)
				}
			}
			var ids []int64
			for _, a := range got {
				ids = append(ids, a.ID)
			}
			if !reflect.DeepEqual(ids, want) {
				t.Errorf("%s: the query finds %v, the model %v", name, ids, want)
			}
			if n, err := s.CountAlerts(t.Context(), f); err != nil || n != len(want) {
				t.Errorf("%s: counted %d, %v, want %d", name, n, err, len(want))
			}
		}
		page, err := s.Alerts(t.Context(), nil, all[9].ID, 5)
		if err != nil || len(page) != 5 || page[0].ID != all[10].ID {
			t.Errorf("second page: %v, %v", page, err)
		}
	})
}

func TestStore_ChannelsKeepTheirSecretsSealed(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		c := newChannel(t, s, "one")
		got, err := s.Channels(t.Context())
		if err != nil || len(got) != 1 || !reflect.DeepEqual(got[0], c) {
			t.Fatalf("read %+v, want %+v, %v", got, c, err)
		}
		if err := s.CreateChannel(t.Context(), &models.Channel{Name: "one", Config: c.Config}); !models.HasCode(err, models.Conflict) {
			t.Errorf("the same name again: %v", err)
		}
		two := newChannel(t, s, "two")
		_, err = s.UpdateChannel(t.Context(), two.ID, func(c *models.Channel) error { c.Name = "one"; return nil })
		if !models.HasCode(err, models.Conflict) {
			t.Errorf("renamed to a taken name: %v", err)
		}
		refused := models.Invalid("x", "no")
		if _, err = s.UpdateChannel(t.Context(), two.ID, func(c *models.Channel) error { c.Name = "three"; return refused }); err != refused {
			t.Errorf("update refused by f: %v", err)
		}
		if _, err := s.DeleteChannels(t.Context(), []int64{c.ID, 999}); !models.HasCode(err, models.NotFound) {
			t.Errorf("deleting an unknown channel: %v", err)
		}
		if n, err := s.DeleteChannels(t.Context(), []int64{c.ID}); n != 1 || err != nil {
			t.Errorf("deleted %d, %v", n, err)
		}
		if got, _ := s.Channels(t.Context()); len(got) != 1 || got[0].Name != "two" {
			t.Errorf("after deletion: %+v", got)
		}
		if byID, err := s.ChannelsByID(t.Context(), []int64{c.ID}); err != nil || byID[c.ID].DeletedAt == nil {
			t.Errorf("a deleted channel by id: %+v, %v", byID[c.ID], err)
		}
		newChannel(t, s, "one") // the name is free again
	})
}

func TestStore_ClaimRecordRetry(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		c, other := newChannel(t, s, "one"), newChannel(t, s, "other")
		for i := range 10 {
			create(t, s, insert(alert(fmt.Sprint(i)), c))
		}
		alive(t, s, "me")
		due, err := s.DueChannels(t.Context())
		if err != nil || !reflect.DeepEqual(due, []int64{c.ID}) {
			t.Fatalf("due channels %v, %v (other is %d)", due, err, other.ID)
		}
		var mu sync.Mutex
		claimed := make(map[int64]store.Claimed)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				got := claim(t, s, c, 3, "me")
				if len(got) > 3 {
					t.Errorf("claimed %d", len(got))
				}
				mu.Lock()
				defer mu.Unlock()
				for _, x := range got {
					if _, twice := claimed[x.Delivery.ID]; twice {
						t.Errorf("delivery %d was claimed twice", x.Delivery.ID)
					}
					claimed[x.Delivery.ID] = x
				}
			})
		}
		wg.Wait()
		if rest := claim(t, s, c, 100, "me"); len(claimed)+len(rest) != 10 {
			t.Errorf("claimed %d and %d, want 10 in all", len(claimed), len(rest))
		}
		var any store.Claimed
		for _, any = range claimed {
			break
		}
		if any.Alert == nil || any.Alert.ID != any.Delivery.AlertID {
			t.Errorf("claimed without its alert: %+v", any)
		}
		code, text := 500, "no luck"
		next := time.Now().UTC().Add(time.Hour).Truncate(time.Microsecond)
		o := store.Outcome{
			Delivery: any.Delivery, Status: models.Pending, Error: &text, NextAttemptAt: &next,
			Attempt: &models.DeliveryAttempt{DeliveryID: any.Delivery.ID, Number: 1, StartedAt: time.Now(), Duration: 1500 * time.Microsecond, StatusCode: &code, Error: &text, Response: &text},
		}
		if applied := record(t, s, "somebody else", o); len(applied) != 0 {
			t.Errorf("recorded by another holder: %v", applied)
		}
		applied := record(t, s, "me", o)
		if len(applied) != 1 {
			t.Fatalf("recorded %v", applied)
		}
		stored, err := s.Delivery(t.Context(), any.Delivery.ID)
		if err != nil || !reflect.DeepEqual(stored, applied[stored.ID]) {
			t.Errorf("stored %+v, answered %+v, %v", stored, applied[stored.ID], err)
		}
		if stored.Attempts != 1 || !stored.NextAttemptAt.Equal(next) || *stored.Error != text || stored.CompletedAt != nil {
			t.Errorf("stored %+v", stored)
		}
		log, err := s.AttemptsOfDeliveries(t.Context(), []int64{stored.ID})
		if err != nil || len(log[stored.ID]) != 1 || *log[stored.ID][0].StatusCode != 500 || log[stored.ID][0].DurationMs() != 1.5 {
			t.Errorf("attempts %+v, %v", log, err)
		}
		if applied := record(t, s, "me", o); len(applied) != 0 {
			t.Error("an outcome was recorded twice")
		}
		// By hand: due at once, and the series goes on.
		retried, err := s.RetryDelivery(t.Context(), stored.ID)
		if err != nil || retried.Attempts != 1 || retried.SeriesStart != 0 {
			t.Fatalf("retried %+v, %v", retried, err)
		}
		again := claim(t, s, c, 100, "me")
		if len(again) != 1 {
			t.Fatalf("claimed after retry: %d", len(again))
		}
		if _, err := s.RetryDelivery(t.Context(), stored.ID); !models.HasCode(err, models.Conflict) {
			t.Errorf("retry of what is being sent: %v", err)
		}
		o = store.Outcome{Delivery: again[0].Delivery, Status: models.Delivered, Attempt: &models.DeliveryAttempt{DeliveryID: stored.ID, Number: 2, StartedAt: time.Now()}}
		if applied := record(t, s, "me", o); applied[stored.ID].CompletedAt == nil {
			t.Fatalf("delivered: %v", applied)
		}
		if _, err := s.RetryDelivery(t.Context(), stored.ID); !models.HasCode(err, models.Conflict) {
			t.Errorf("retry of what was delivered: %v", err)
		}
		if _, err := s.RetryDelivery(t.Context(), 999999); !models.HasCode(err, models.NotFound) {
			t.Errorf("retry of nothing: %v", err)
		}
	})
}

// What PostgreSQL knows of the tables is old when a backlog has just come, and when it has counted, it still thinks that fewer wait: it
// must not matter.
func TestStore_AClaimDoesNotSortTheBacklog(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		c := newChannel(t, s, "one")
		batch := make([]store.AlertInsert, 1000)
		for i := range batch {
			batch[i] = insert(alert("error"), c)
		}
		for range 5 {
			create(t, s, batch...)
		}
		check := func(when string) {
			for limited, index := range map[bool]string{false: "deliveries_waiting", true: "deliveries_worst"} {
				plan, err := s.ExplainClaim(t.Context(), c.ID, limited)
				due, _, _ := strings.Cut(plan, "SubPlan") // what comes before the others' turn is looked up for resolves only
				if err != nil || !strings.Contains(due, index) || strings.Contains(due, "Sort") || strings.Contains(due, "FOR ORDER BY") {
					t.Errorf("%s, limited %v: %v\n%s", when, limited, err, plan)
				}
			}
		}
		check("never counted")
		if err := s.FillWithDelivered(t.Context(), newChannel(t, s, "other").ID, 4); err != nil {
			t.Fatal(err)
		}
		check("counted")
	})
}

func TestStore_WhatIsReleasedOrHeldByTheDeadIsClaimedByOthers(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		c := newChannel(t, s, "one")
		in := insert(alert("error"), c)
		in.Deliveries[0].Leased = true
		alive(t, s, "me", "third")
		results, err := s.CreateAlerts(t.Context(), []store.AlertInsert{in}, "me")
		if err != nil {
			t.Fatal(err)
		}
		if got := claim(t, s, c, 9, "you"); len(got) != 0 {
			t.Error("claimed what another holds")
		}
		if err := s.Release(t.Context(), "me", []int64{results[0].Deliveries[0].ID}); err != nil {
			t.Fatal(err)
		}
		if got := claim(t, s, c, 9, "you"); len(got) != 1 {
			t.Error("not claimed after release")
		}
		reclaim(t, s, 1)
		got := claim(t, s, c, 9, "third") // you have never said that you live
		if len(got) != 1 {
			t.Fatal("not claimed from a dead process")
		}
		late := store.Outcome{Delivery: got[0].Delivery, Status: models.Delivered, Attempt: &models.DeliveryAttempt{DeliveryID: got[0].Delivery.ID, Number: 1}}
		if applied := record(t, s, "you", late); len(applied) != 0 {
			t.Errorf("a late answer of the old holder was recorded: %v", applied)
		}
		if err := s.Leave(t.Context(), "third"); err != nil {
			t.Fatal(err)
		}
		reclaim(t, s, 1)
		if got := claim(t, s, c, 9, "me"); len(got) != 1 {
			t.Error("not claimed from a process that has left")
		}
	})
}

func TestStore_TakingAChannelOutOfUseCancelsWhatWaits(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		for name, out := range map[string]func(id int64) error{
			"update": func(id int64) error {
				_, err := s.UpdateChannel(t.Context(), id, func(c *models.Channel) error { c.IsActive = false; return nil })
				return err
			},
			"switch": func(id int64) error { _, err := s.SetChannelsActive(t.Context(), []int64{id}, false); return err },
			"delete": func(id int64) error { _, err := s.DeleteChannels(t.Context(), []int64{id}); return err },
		} {
			c := newChannel(t, s, name)
			waiting := create(t, s, insert(alert("error"), c))[0].Deliveries[0]
			in := insert(alert("error"), c)
			in.Deliveries[0].Leased = true
			alive(t, s, "me")
			sending, err := s.CreateAlerts(t.Context(), []store.AlertInsert{in}, "me")
			if err != nil {
				t.Fatal(err)
			}
			if err := out(c.ID); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			d, err := s.Delivery(t.Context(), waiting.ID)
			if err != nil || d.Status != models.Cancelled || !strings.Contains(*d.Error, "the channel was de") || d.CompletedAt == nil {
				t.Errorf("%s: what waited is %+v, %v", name, d, err)
			}
			d, _ = s.Delivery(t.Context(), sending[0].Deliveries[0].ID)
			if d.Status != models.Pending {
				t.Errorf("%s: what is being sent is %+v", name, d)
			}
			// It would be tried again; now it ends.
			next := s.Now()
			record(t, s, "me", store.Outcome{Delivery: d, Status: models.Pending, NextAttemptAt: &next, Attempt: &models.DeliveryAttempt{DeliveryID: d.ID, Number: 1}})
			if d, _ = s.Delivery(t.Context(), d.ID); d.Status != models.Cancelled || d.Attempts != 1 || !strings.Contains(*d.Error, "the channel was de") {
				t.Errorf("%s: what failed meanwhile is %+v", name, d)
			}
		}
	})
}

func TestStore_EventsComeInOneOrderWithoutGaps(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		const writers, each = 8, 25
		var wg sync.WaitGroup
		stop := make(chan struct{})
		var placers sync.WaitGroup
		for range 3 {
			placers.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
						if err := s.Place(t.Context()); err != nil {
							t.Error(err)
							return
						}
					}
				}
			})
		}
		for w := range writers {
			wg.Go(func() {
				for i := range each {
					if _, err := s.CreateAlerts(t.Context(), []store.AlertInsert{insert(alert(fmt.Sprintf("%d-%d", w, i))), insert(alert("second"))}, "x"); err != nil {
						t.Error(err)
					}
				}
			})
		}
		// A reader that follows while they write misses nothing and sees nothing twice.
		seen := make(map[int64]bool)
		position := int64(0)
		deadline := time.Now().Add(2 * time.Minute)
		for len(seen) < 2*writers*each {
			if time.Now().After(deadline) {
				t.Errorf("only %d of %d events came", len(seen), 2*writers*each)
				break
			}
			events, upto, err := s.Events(t.Context(), position, 7)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range events {
				if e.Position <= position || seen[e.Alert.ID] || e.Kind != models.AlertCreated {
					t.Fatalf("event %+v behind %d", e, position)
				}
				if e.Position != position+1 {
					t.Fatalf("a gap: %d behind %d", e.Position, position)
				}
				position = e.Position
				seen[e.Alert.ID] = true
			}
			if upto != position {
				t.Fatalf("upto %d, last position %d", upto, position)
			}
		}
		wg.Wait()
		close(stop)
		placers.Wait()
		if head, trimmed, err := s.Head(t.Context()); head != 2*writers*each || trimmed != 0 || err != nil {
			t.Errorf("head %d, trimmed %d, %v", head, trimmed, err)
		}
		// From the middle of a row, too.
		for after := range int64(6) {
			events, _, err := s.Events(t.Context(), after, 3)
			if err != nil || len(events) == 0 || events[0].Position != after+1 {
				t.Errorf("behind %d: %+v, %v", after, events, err)
			}
		}
	})
}

func TestStore_EventsShowThingsAsTheyWere(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		c := newChannel(t, s, "one")
		a := create(t, s, insert(alert("error"), c))[0].Alert
		claimed := claim(t, s, c, 1, "me")
		if len(claimed) != 1 {
			t.Fatal(claimed)
		}
		text, next := "no luck", time.Now().UTC().Add(time.Second).Truncate(time.Microsecond)
		record(t, s, "me", store.Outcome{
			Delivery: claimed[0].Delivery, Status: models.Pending, Error: &text, NextAttemptAt: &next,
			Attempt: &models.DeliveryAttempt{DeliveryID: claimed[0].Delivery.ID, Number: 1},
		})
		if _, _, err := s.ChangeAlert(t.Context(), a.ID, resolve); err != nil {
			t.Fatal(err)
		}
		if _, err := s.DeleteChannels(t.Context(), []int64{c.ID}); err != nil {
			t.Fatal(err)
		}
		if err := s.Place(t.Context()); err != nil {
			t.Fatal(err)
		}
		events, _, err := s.Events(t.Context(), 0, 100)
		if err != nil || len(events) != 4 {
			t.Fatalf("%d events, %v", len(events), err)
		}
		if e := events[0]; e.Kind != models.AlertCreated || e.Alert.IsResolved() || e.Delivery != nil {
			t.Errorf("created: %+v", e)
		}
		if e := events[1]; e.Kind != models.DeliveryUpdated || e.Attempt != 1 || e.Delivery.Status != models.Pending || !e.Delivery.NextAttemptAt.Equal(next) || *e.Delivery.Error != text {
			t.Errorf("attempted: %+v %+v", e, e.Delivery)
		}
		if e := events[2]; e.Kind != models.AlertUpdated || !e.Alert.IsResolved() {
			t.Errorf("resolved: %+v", e)
		}
		if e := events[3]; e.Kind != models.DeliveryUpdated || e.Attempt != 0 || e.Delivery.Status != models.Cancelled {
			t.Errorf("cancelled: %+v %+v", e, e.Delivery)
		}
	})
}

func TestStore_Tokens(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		if ok, err := s.CreateFirstToken(t.Context(), &models.Token{Name: "admin", Role: models.Admin}, []byte("h1")); !ok || err != nil {
			t.Fatalf("first token: %v, %v", ok, err)
		}
		if ok, err := s.CreateFirstToken(t.Context(), &models.Token{Name: "again", Role: models.Admin}, []byte("h2")); ok || err != nil {
			t.Errorf("first token again: %v, %v", ok, err)
		}
		if err := s.CreateToken(t.Context(), &models.Token{Name: "admin", Role: models.Viewing}, []byte("h3")); !models.HasCode(err, models.Conflict) {
			t.Errorf("a taken name: %v", err)
		}
		got, err := s.TokensByHash(t.Context(), [][]byte{[]byte("none"), []byte("h1")})
		if admin := got["h1"]; err != nil || len(got) != 1 || admin == nil || admin.Name != "admin" || admin.Role != models.Admin {
			t.Errorf("by hash: %+v, %v", got, err)
		}
		if err := s.RevokeToken(t.Context(), "admin"); err != nil {
			t.Fatal(err)
		}
		if err := s.RevokeToken(t.Context(), "admin"); !models.HasCode(err, models.NotFound) {
			t.Errorf("revoked twice: %v", err)
		}
		if err := s.CreateToken(t.Context(), &models.Token{Name: "admin", Role: models.Viewing}, []byte("h3")); err != nil {
			t.Errorf("the name of a revoked token: %v", err)
		}
		if all, err := s.Tokens(t.Context()); err != nil || len(all) != 2 || all[1].RevokedAt == nil {
			t.Errorf("tokens: %+v, %v", all, err)
		}
	})
}

func TestStore_RemembersEndedSessionsAsLongAsTheyWouldHaveLasted(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		over, ended := []byte("over"), []byte("ended")
		if err := s.EndSession(t.Context(), over, s.Now().Add(-2*time.Hour)); err != nil {
			t.Fatal(err)
		}
		for range 2 { // two servers may hear of it
			if err := s.EndSession(t.Context(), ended, s.Now().Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
		for id, want := range map[string]bool{"over": false, "ended": true, "another": false} {
			if got, err := s.SessionEnded(t.Context(), []byte(id)); err != nil || got != want {
				t.Errorf("%s: %v, %v", id, got, err)
			}
		}
	})
}

func TestStore_MigratesOnceWhenManyStartAtOnce(t *testing.T) {
	url := testkit.NewDatabase(t)
	keys, _ := seal.New(make([]byte, 32))
	ids := make([]string, 10)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			s, err := store.Open(context.Background(), store.Options{URL: url, Keyring: keys, Log: slog.Default()})
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			if _, err := s.Migrate(context.Background()); err != nil {
				t.Error(err)
			}
			ids[i] = s.DatabaseID()
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id == "" || id != ids[0] {
			t.Fatalf("database ids %q", ids)
		}
	}
}

func TestStore_RefusesWhatItCannotUse(t *testing.T) {
	keys, _ := seal.New(make([]byte, 32))
	path := filepath.Join(t.TempDir(), "alerts.db")
	o := store.Options{URL: "sqlite:" + path, Keyring: keys, Log: slog.Default(), Alone: true}
	s, err := store.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Current(t.Context()); err == nil {
		t.Error("a database without tables passed as current")
	}
	if _, err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Current(t.Context()); err != nil {
		t.Errorf("current: %v", err)
	}
	if _, err := store.Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), "PostgreSQL") {
		t.Errorf("a second server on the file: %v", err)
	}
	if _, err := store.Open(t.Context(), store.Options{URL: "postgres://user:hunter2@127.0.0.1:1/x?connect_timeout=1", Keyring: keys, Log: slog.Default()}); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("no server there: %v", err)
	}
}
