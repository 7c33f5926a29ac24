package store_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/store"
	"github.com/rustbucket/alerts/testkit"
)

func beat(t *testing.T, s *store.Store, ids ...string) []*models.Rustbucket {
	t.Helper()
	beats := make([]models.Beat, len(ids))
	for i, id := range ids {
		beats[i].RustbucketID = id
	}
	rustbuckets, _, err := s.Heartbeats(t.Context(), beats)
	if err != nil {
		t.Fatal(err)
	}
	return rustbuckets
}

// expect expects heartbeats every so many seconds; 0 = none any more.
func expect(t *testing.T, s *store.Store, seconds int, ids ...string) {
	t.Helper()
	for _, id := range ids {
		w := models.Watch{RustbucketID: id, Severity: models.SeverityMedium}
		if seconds > 0 {
			w.IntervalSeconds = &seconds
		}
		if _, _, err := s.ExpectHeartbeat(t.Context(), w); err != nil {
			t.Fatal(err)
		}
	}
}

func offline(channels ...*models.Channel) func(*models.Rustbucket) store.AlertInsert {
	return func(r *models.Rustbucket) store.AlertInsert {
		key := models.OfflineKey(r.ID)
		return insert(&models.NewAlert{
			Type: models.RustbucketOffline, Message: "offline", Severity: r.Heartbeat.Severity, Rustbucket: r, DedupKey: &key, Notify: true, CreatedBy: models.ServerItself,
		}, channels...)
	}
}

// look looks once, and gives the rustbuckets that were missed.
func look(t *testing.T, s *store.Store) (missed []string) {
	t.Helper()
	for more := true; more; {
		var recorded *store.Recorded
		var err error
		if recorded, more, err = s.Sweep(t.Context(), 3, offline()); err != nil {
			t.Fatal(err)
		}
		for _, r := range recorded.Raised {
			if r.Duplicate {
				t.Errorf("%s: counted up", r.Alert.Rustbucket.ID)
			}
			missed = append(missed, r.Alert.Rustbucket.ID)
		}
	}
	slices.Sort(missed)
	return missed
}

// pass lets time pass while somebody looks every second, and gives the rustbuckets that were missed in it.
func pass(t *testing.T, s *store.Store, seconds int) (missed []string) {
	t.Helper()
	for range seconds {
		s.TurnClock(time.Second)
		missed = append(missed, look(t, s)...)
	}
	return missed
}

func state(t *testing.T, s *store.Store, id string) models.HeartbeatState {
	t.Helper()
	r, err := s.Rustbucket(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if r.Heartbeat == nil {
		return ""
	}
	return r.Heartbeat.State()
}

// offlineAlerts gives the alerts that a rustbucket is offline, the newest first.
func offlineAlerts(t *testing.T, s *store.Store, id string) []*models.Alert {
	t.Helper()
	alerts, err := s.Alerts(t.Context(), &models.AlertFilter{Types: []string{models.RustbucketOffline}, RustbucketID: &id}, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	return alerts
}

func TestHeartbeats_OneThatIsMissedIsToldOnceAndItsReturnResolves(t *testing.T) {
	onBothStopped(t, func(t *testing.T, s *store.Store) {
		expect(t, s, 10, "BKT1", "BKT2")
		if r := beat(t, s, "BKT1")[0]; r.Name != "BKT1" || r.Heartbeat.State() != models.Online || r.Heartbeat.DueAt.Sub(*r.Heartbeat.LastSeenAt) != 10*time.Second {
			t.Errorf("answered %+v, %+v", r, r.Heartbeat)
		}
		if missed := pass(t, s, 8); missed != nil {
			t.Errorf("missed %v before their time", missed)
		}
		beat(t, s, "BKT1")
		if missed := pass(t, s, 8); !slices.Equal(missed, []string{"BKT2"}) {
			t.Errorf("missed %v", missed)
		}
		if missed := pass(t, s, 60); !slices.Equal(missed, []string{"BKT1"}) {
			t.Errorf("missed %v", missed)
		}
		alerts := offlineAlerts(t, s, "BKT2")
		if len(alerts) != 1 || alerts[0].IsResolved() || alerts[0].Source() != models.FromServer || alerts[0].Severity != models.SeverityMedium || state(t, s, "BKT2") != models.Offline {
			t.Fatalf("alerts %+v, %s", alerts, state(t, s, "BKT2"))
		}
		for range 2 {
			beat(t, s, "BKT2", "BKT2")
		}
		if alerts := offlineAlerts(t, s, "BKT2"); len(alerts) != 1 || !alerts[0].IsResolved() || state(t, s, "BKT2") != models.Online {
			t.Errorf("after its return: %+v", alerts[0])
		}
		if missed := pass(t, s, 11); !slices.Equal(missed, []string{"BKT2"}) {
			t.Errorf("missed again: %v", missed)
		}
		if n := len(offlineAlerts(t, s, "BKT2")); n != 2 {
			t.Errorf("%d alerts", n)
		}
	})
}

func TestHeartbeats_NoStormAfterNobodyLooked(t *testing.T) {
	onBothStopped(t, func(t *testing.T, s *store.Store) {
		expect(t, s, 5, "short")
		expect(t, s, 60, "long 1", "long 2", "gone")
		pass(t, s, 4)
		s.TurnClock(4 * time.Second) // too long for the short interval, nothing for the others
		if missed := look(t, s); missed != nil {
			t.Errorf("missed %v after 4 s", missed)
		}
		if missed := pass(t, s, 4); missed != nil {
			t.Errorf("missed %v before the short interval was over again", missed)
		}
		if missed := pass(t, s, 2); !slices.Equal(missed, []string{"short"}) {
			t.Errorf("missed %v", missed)
		}
		beat(t, s, "long 1", "long 2", "gone")
		if missed := pass(t, s, 61); len(missed) != 3 {
			t.Errorf("missed %v", missed)
		}
		beat(t, s, "long 1", "long 2")
		for range 3 { // a server that comes up, and goes again
			s.TurnClock(time.Hour)
			if missed := look(t, s); missed != nil {
				t.Errorf("missed %v after an hour", missed)
			}
		}
		pass(t, s, 50)
		beat(t, s, "long 1")
		if missed := pass(t, s, 12); !slices.Equal(missed, []string{"long 2"}) {
			t.Errorf("missed %v", missed)
		}
		if n := len(offlineAlerts(t, s, "gone")); n != 1 {
			t.Errorf("who was offline all the time has %d alerts", n)
		}
	})
}

func TestHeartbeats_AnAlertResolvedByHandIsNotRaisedAgainBeforeItsReturn(t *testing.T) {
	onBothStopped(t, func(t *testing.T, s *store.Store) {
		expect(t, s, 5, "BKT1")
		pass(t, s, 6)
		if _, _, err := s.ChangeAlert(t.Context(), offlineAlerts(t, s, "BKT1")[0].ID, models.AlertChange{Kind: models.WasResolved}); err != nil {
			t.Fatal(err)
		}
		if missed := pass(t, s, 30); missed != nil {
			t.Errorf("missed %v", missed)
		}
		expect(t, s, 6, "BKT1") // changes nothing of that
		if missed := pass(t, s, 30); missed != nil || state(t, s, "BKT1") != models.Offline {
			t.Errorf("missed %v, %s", missed, state(t, s, "BKT1"))
		}
		beat(t, s, "BKT1")
		if missed := pass(t, s, 7); len(missed) != 1 {
			t.Errorf("missed %v after its return", missed)
		}
	})
}

func TestHeartbeats_TellsOfANewTroubleAlsoWhenSomebodyHasReopenedTheAlertOfAnOldOne(t *testing.T) {
	onBothStopped(t, func(t *testing.T, s *store.Store) {
		expect(t, s, 5, "BKT1")
		pass(t, s, 6)
		beat(t, s, "BKT1")
		old := offlineAlerts(t, s, "BKT1")[0].ID
		if a, _, err := s.ChangeAlert(t.Context(), old, models.AlertChange{Kind: models.WasReopened}); err != nil || a.ResolvedAt != nil {
			t.Fatalf("%+v, %v", a, err)
		}
		if missed := pass(t, s, 6); len(missed) != 1 { // counted up is an error
			t.Errorf("missed %v", missed)
		}
		alerts := offlineAlerts(t, s, "BKT1")
		if len(alerts) != 2 || alerts[0].ResolvedAt != nil || alerts[1].ID != old || alerts[1].ResolvedAt == nil || alerts[1].Occurrences != 1 {
			t.Errorf("%d alerts: %+v", len(alerts), alerts[0])
		}
	})
}

func TestHeartbeats_ExpectingBeginsAndEndsTheWatch(t *testing.T) {
	onBothStopped(t, func(t *testing.T, s *store.Store) {
		expect(t, s, 0, "new")
		if state(t, s, "new") != "" {
			t.Errorf("nothing expected, nothing heard: %s", state(t, s, "new"))
		}
		beat(t, s, "seen")
		if state(t, s, "seen") != models.Unwatched {
			t.Errorf("heard of, nothing expected: %s", state(t, s, "seen"))
		}
		expect(t, s, 10, "new", "seen")
		pass(t, s, 8)
		expect(t, s, 10, "new")  // the same again: the interval goes on
		expect(t, s, 20, "seen") // another one begins
		if missed := pass(t, s, 4); !slices.Equal(missed, []string{"new"}) {
			t.Errorf("missed %v", missed)
		}
		expect(t, s, 0, "new", "seen")
		if a := offlineAlerts(t, s, "new"); len(a) != 1 || !a[0].IsResolved() || state(t, s, "new") != "" || state(t, s, "seen") != models.Unwatched {
			t.Errorf("after the watch: %+v", a)
		}
		if missed := pass(t, s, 60); missed != nil {
			t.Errorf("missed %v", missed)
		}
		entries, err := s.AuditLog(t.Context(), &models.AuditFilter{Actions: []models.AuditAction{models.HeartbeatExpected}}, 0, 10)
		if err != nil || len(entries) != 5 { // new, seen; seen; new, seen
			t.Fatalf("%d entries, %v", len(entries), err)
		}
		var changes map[string]map[string]any
		if e := entries[4]; json.Unmarshal(e.Changes, &changes) != nil || *e.SubjectName != "new" || e.SubjectID != nil ||
			changes["intervalSeconds"]["from"] != nil || changes["intervalSeconds"]["to"] != 10.0 || changes["severity"]["to"] != "MEDIUM" {
			t.Errorf("the entry %+v %s", e, e.Changes)
		}
	})
}

func TestHeartbeats_NamesAreKeptUpToDate(t *testing.T) {
	onBothStopped(t, func(t *testing.T, s *store.Store) {
		name := func(want string) {
			t.Helper()
			if r, err := s.Rustbucket(t.Context(), "BKT1"); err != nil || r.Name != want {
				t.Errorf("is called %+v, not %s: %v", r, want, err)
			}
		}
		first, second := "Node 1", "Node one"
		beat(t, s, "BKT1")
		name("BKT1")
		r, _, err := s.Heartbeats(t.Context(), []models.Beat{{RustbucketID: "BKT1", Name: &first}, {RustbucketID: "BKT1"}, {RustbucketID: "BKT2", Name: &first}})
		if err != nil || r[0].Name != first || r[1].Name != first || r[2].ID != "BKT2" {
			t.Errorf("answered %+v, %v", r, err)
		}
		name(first)
		a := alert("error")
		a.Rustbucket = &models.Rustbucket{ID: "BKT1", Name: second}
		create(t, s, insert(a))
		name(second)
		beat(t, s, "BKT1")
		name(second)
		own := offline()(&models.Rustbucket{ID: "BKT1", Name: first, Heartbeat: &models.Heartbeat{}})
		create(t, s, own) // what the server read a moment ago
		name(second)
	})
}

func TestHeartbeats_WithNothingExpectedAreWrittenNowAndThen(t *testing.T) {
	onBothStopped(t, func(t *testing.T, s *store.Store) {
		first := *beat(t, s, "BKT1")[0].Heartbeat.LastSeenAt
		s.TurnClock(9 * time.Second)
		if again := *beat(t, s, "BKT1")[0].Heartbeat.LastSeenAt; again != first {
			t.Errorf("written again after %v", again.Sub(first))
		}
		s.TurnClock(2 * time.Second)
		if again := *beat(t, s, "BKT1")[0].Heartbeat.LastSeenAt; again.Sub(first) < 10*time.Second {
			t.Errorf("last seen %v later", again.Sub(first))
		}
	})
}

func TestHeartbeats_ReturnIsToldWhereTheAlertWas(t *testing.T) {
	onBothStopped(t, func(t *testing.T, s *store.Store) {
		c := newChannel(t, s, "hook")
		c, err := s.UpdateChannel(t.Context(), c.ID, func(c *models.Channel) error { c.NotifyOnResolve = true; return nil })
		if err != nil {
			t.Fatal(err)
		}
		expect(t, s, 5, "BKT1")
		s.TurnClock(time.Second)
		look(t, s)
		var recorded *store.Recorded
		for recorded == nil || len(recorded.Raised) == 0 {
			s.TurnClock(time.Second)
			if recorded, _, err = s.Sweep(t.Context(), 10, offline(c)); err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(recorded.Waiting, []int64{c.ID}) {
			t.Errorf("to be told: %v", recorded.Waiting)
		}
		_, told, err := s.Heartbeats(t.Context(), []models.Beat{{RustbucketID: "BKT1"}})
		if err != nil || !slices.Equal(told, []int64{c.ID}) {
			t.Errorf("to be told of the end: %v, %v", told, err)
		}
		deliveries, err := s.Deliveries(t.Context(), &models.DeliveryFilter{ChannelID: &c.ID}, 0, 10)
		if err != nil || len(deliveries) != 2 || deliveries[0].Kind != models.TellResolved {
			t.Errorf("deliveries %+v, %v", deliveries, err)
		}
	})
}

func TestRustbuckets_AreListedByID(t *testing.T) {
	onBothStopped(t, func(t *testing.T, s *store.Store) {
		ids := []string{"BKT10", "BKT2", "Z", "a", "ß", "日"}
		beat(t, s, slices.Concat(ids[3:], ids[:3])...)
		a := alert("error")
		a.Rustbucket = &models.Rustbucket{ID: "BKT2", Name: "Größer"}
		create(t, s, insert(a), insert(a))
		expect(t, s, 5, "Z", "a")
		pass(t, s, 4)
		beat(t, s, "Z")
		pass(t, s, 2)
		list := func(f *models.RustbucketFilter) (found []string) {
			for after := ""; ; {
				page, err := s.Rustbuckets(t.Context(), f, after, 2)
				if err != nil {
					t.Fatal(err)
				}
				if len(page) == 0 {
					break
				}
				for _, r := range page {
					found = append(found, r.ID)
				}
				after = found[len(found)-1]
			}
			if n, err := s.CountRustbuckets(t.Context(), f); err != nil || n != len(found) {
				t.Errorf("%+v: counted %d of %d, %v", f, n, len(found), err)
			}
			return found
		}
		grown := "GRÖSSER"
		lower := "größer"
		for want, f := range map[string]*models.RustbucketFilter{
			"BKT10 BKT2 Z a ß 日": nil,
			"BKT2":               {Search: &lower},
			"":                   {Search: &grown},
			"Z":                  {HeartbeatStates: []models.HeartbeatState{models.Online}},
			"Z a":                {HeartbeatStates: []models.HeartbeatState{models.Online, models.Offline}},
			"BKT10 BKT2 ß 日":     {HeartbeatStates: []models.HeartbeatState{models.Unwatched}},
		} {
			if got := strings.Join(list(f), " "); got != want {
				t.Errorf("%+v: %q, want %q", f, got, want)
			}
		}
		open, err := s.OpenAlertsOf(t.Context(), ids)
		if err != nil || len(open) != 2 || open["BKT2"] != 2 || open["a"] != 1 {
			t.Errorf("open %v, %v", open, err)
		}
		states, err := s.RustbucketStates(t.Context())
		if err != nil || states[models.Unwatched] != 4 || states[models.Online] != 1 || states[models.Offline] != 1 {
			t.Errorf("states %v, %v", states, err)
		}
		if _, err := s.Rustbucket(t.Context(), "nobody"); !models.HasCode(err, models.NotFound) {
			t.Errorf("one that is not there: %v", err)
		}
	})
}

// Two processes look, and two take heartbeats, while rustbuckets come and go: in the end none that lives has an open alert, and none
// has two.
func TestHeartbeats_ProcessesTogether(t *testing.T) {
	url := testkit.NewDatabase(t)
	a, b := open(t, url), open(t, url)
	a.StopClock() // at one moment for both
	b.StopClock()
	b.TurnClock(a.Now().Sub(b.Now()))
	var ids []string
	for i := range 40 {
		ids = append(ids, fmt.Sprint("BKT", i))
	}
	expect(t, a, 5, ids...)
	if state(t, b, "BKT7") != models.Online {
		t.Error("the other process does not see it")
	}
	raised, began := 0, time.Now()
	for round := 0; round < 10 || raised == 0; round++ { // it is possible that every heartbeat comes before anybody has looked
		if time.Since(began) > 2*time.Minute {
			t.Fatalf("nothing was raised in %d rounds", round)
		}
		// Somebody looked a moment ago, and all are overdue.
		if err := a.Do(t.Context(), "UPDATE heartbeat_sweeps SET swept_at = ?; UPDATE heartbeats SET due_at = ?", a.Now(), a.Now().Add(-time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		var working sync.WaitGroup
		var mu sync.Mutex
		for _, s := range []*store.Store{a, b} {
			working.Go(func() {
				missed := look(t, s)
				mu.Lock()
				defer mu.Unlock()
				raised += len(missed)
			})
			for part := range 4 {
				working.Go(func() { beat(t, s, ids[part*10:part*10+10]...) })
			}
		}
		working.Wait()
	}
	alerts := 0
	for _, id := range ids {
		for _, x := range offlineAlerts(t, a, id) {
			alerts++
			if !x.IsResolved() || x.Occurrences != 1 {
				t.Errorf("%s lives, and has an alert: %+v", id, x)
			}
		}
		if state(t, b, id) != models.Online {
			t.Errorf("%s is %s", id, state(t, b, id))
		}
	}
	if alerts != raised {
		t.Errorf("%d alerts were raised, %d are there", raised, alerts)
	}
}
