package store_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/store"
)

// silence creates one of a type, that begins and ends so long from now.
func silence(t *testing.T, s *store.Store, kind string, begins, ends time.Duration) *models.Silence {
	t.Helper()
	now := s.Now()
	x := &models.Silence{Types: []string{kind}, Reason: "moving house", StartsAt: now.Add(begins), EndsAt: now.Add(ends), CreatedAt: now, CreatedBy: "me"}
	if err := s.CreateSilence(t.Context(), x); err != nil {
		t.Fatal(err)
	}
	return x
}

func silenceIDs(list []*models.Silence) (ids []int64) {
	for _, x := range list {
		ids = append(ids, x.ID)
	}
	return ids
}

func TestStore_SilencesAreListedAndEnded(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		_, first, err := s.LiveSilences(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		a := silence(t, s, "a", 0, time.Hour)
		b := silence(t, s, "b", time.Minute, time.Hour)
		c := silence(t, s, "c", -time.Hour, 20*time.Millisecond)
		d := silence(t, s, "d", 0, time.Hour)
		for s.Now().Before(c.EndsAt) {
			time.Sleep(time.Millisecond)
		}
		yes, no := true, false
		list := func(active *bool) []int64 {
			t.Helper()
			found, err := s.Silences(t.Context(), active)
			if err != nil {
				t.Fatal(err)
			}
			return silenceIDs(found)
		}
		if got := list(nil); !slices.Equal(got, []int64{d.ID, c.ID, b.ID, a.ID}) {
			t.Errorf("all: %v", got)
		}
		if got := list(&yes); !slices.Equal(got, []int64{d.ID, a.ID}) {
			t.Errorf("active: %v", got)
		}
		if got := list(&no); !slices.Equal(got, []int64{c.ID, b.ID}) {
			t.Errorf("not active: %v", got)
		}
		live, revision, err := s.LiveSilences(t.Context())
		if err != nil || revision <= first || !slices.Equal(silenceIDs(live), []int64{d.ID, b.ID, a.ID}) {
			t.Errorf("live: %v, revision %d, was %d, %v", silenceIDs(live), revision, first, err)
		}
		if got := live[0]; got.Reason != "moving house" || got.CreatedBy != "me" || !got.StartsAt.Equal(d.StartsAt) || !got.EndsAt.Equal(d.EndsAt) || got.Severities == nil || got.RustbucketIDs == nil {
			t.Errorf("read back %+v, was %+v", got, d)
		}

		for _, id := range []int64{a.ID, b.ID} {
			if x, err := s.EndSilence(t.Context(), id); err != nil || x.EndedAt == nil || !x.Over(s.Now()) {
				t.Errorf("ended: %+v, %v", x, err)
			}
		}
		_, ended, err := s.LiveSilences(t.Context())
		if err != nil || ended <= revision {
			t.Errorf("revision %d after an end, was %d, %v", ended, revision, err)
		}
		before, err := s.EndSilence(t.Context(), c.ID)
		if err != nil || before.EndedAt != nil {
			t.Errorf("one whose time was over: %+v, %v", before, err)
		}
		again, err := s.EndSilence(t.Context(), a.ID)
		if _, same, _ := s.LiveSilences(t.Context()); err != nil || again.EndedAt == nil || same != ended {
			t.Errorf("ended twice: %+v, %v, revision %d, was %d", again, err, same, ended)
		}
		if _, err := s.EndSilence(t.Context(), 999); !models.HasCode(err, models.NotFound) {
			t.Errorf("no silence: %v", err)
		}
		if got := list(&yes); !slices.Equal(got, []int64{d.ID}) {
			t.Errorf("active afterwards: %v", got)
		}
		entries, err := s.AuditLog(t.Context(), &models.AuditFilter{Actions: []models.AuditAction{models.SilenceCreated, models.SilenceEnded}}, 0, 100)
		if err != nil || len(entries) != 6 || entries[0].Action != models.SilenceEnded || *entries[0].SubjectID != b.ID {
			t.Errorf("%d audited, %v", len(entries), err)
		}
	})
}

func TestStore_AlertsRoutedByWhatHasChangedAreNotStored(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		c := newChannel(t, s, "hook")
		revision := func() int64 {
			t.Helper()
			_, n, err := s.LiveSilences(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		open := silence(t, s, "a", 0, time.Hour)
		for name, change := range map[string]func() error{
			"a new silence": func() error {
				return s.CreateSilence(t.Context(), &models.Silence{Types: []string{"x"}, EndsAt: s.Now().Add(time.Hour)})
			},
			"the end of one": func() error { _, err := s.EndSilence(t.Context(), open.ID); return err },
			"a pause": func() error {
				return s.BeginPause(t.Context(), &models.Pause{Reason: "r", Afterwards: models.DropThem})
			},
			"its end": func() error { _, err := s.EndPause(t.Context()); return err },
		} {
			key := "key of " + name
			plain, keyed := insert(alert("error"), c), insert(alert("error"), c)
			keyed.New.DedupKey = &key
			plain.Revision, keyed.Revision = revision(), revision()
			if err := change(); err != nil {
				t.Fatal(err)
			}
			before, err := s.CountAlerts(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, in := range []store.AlertInsert{plain, keyed} {
				if _, err := s.CreateAlerts(t.Context(), []store.AlertInsert{insert(alert("first")), in}, "me"); !errors.Is(err, store.ErrOutdated) {
					t.Errorf("%s: %v", name, err)
				}
			}
			if n, err := s.CountAlerts(t.Context(), nil); err != nil || n != before {
				t.Errorf("%s: %d alerts were stored, %v", name, n-before, err)
			}
			plain.Revision, keyed.Revision = revision(), 0
			create(t, s, plain, keyed)
		}
	})
}

func TestStore_CountsSilencedAlertsAndFindsThem(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		one, two := silence(t, s, "a", 0, time.Hour), silence(t, s, "b", 0, time.Hour)
		var batch []store.AlertInsert
		for i := range 10 {
			in := insert(alert(fmt.Sprint("type ", i)))
			if i < 7 {
				in.SilenceID = []*int64{&one.ID, &two.ID}[min(i/4, 1)]
			}
			batch = append(batch, in)
		}
		for i, r := range create(t, s, batch...) {
			if (r.Alert.SilenceID != nil) != (i < 7) {
				t.Errorf("alert %d: %+v", i, r.Alert)
			}
		}
		counts, err := s.SilencedAlerts(t.Context(), []int64{one.ID, two.ID, 999})
		if err != nil || counts[one.ID] != 4 || counts[two.ID] != 3 || counts[999] != 0 {
			t.Errorf("counted %v, %v", counts, err)
		}
		for name, c := range map[string]struct {
			f    *models.AlertFilter
			want int
		}{
			"silenced":         {&models.AlertFilter{IsSilenced: new(true)}, 7},
			"not silenced":     {&models.AlertFilter{IsSilenced: new(false)}, 3},
			"by the one":       {&models.AlertFilter{SilenceID: &one.ID}, 4},
			"by the other":     {&models.AlertFilter{SilenceID: &two.ID}, 3},
			"by none there is": {&models.AlertFilter{SilenceID: new(int64(999))}, 0},
		} {
			f := c.f
			found, err := s.Alerts(t.Context(), f, 0, 100)
			n, countErr := s.CountAlerts(t.Context(), f)
			if err != nil || countErr != nil || n != len(found) || len(found) != c.want {
				t.Errorf("%s: %d found, %d counted, %v, %v", name, len(found), n, err, countErr)
			}
			for _, a := range found {
				if !f.Match(a) {
					t.Errorf("the query finds %+v, the model does not", a)
				}
			}
		}
	})
}

func TestStore_DecidesAnewAboutAnOpenAlertOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		c, other := newChannel(t, s, "hook"), newChannel(t, s, "other")
		x := silence(t, s, "disk", 0, time.Hour)
		key := "disk of node 1"
		first := alert("disk")
		first.DedupKey = &key
		in := store.AlertInsert{New: first, SilenceID: &x.ID, Decisions: models.Decisions{{ChannelID: other.ID, Reason: models.Silenced}, {ChannelID: c.ID, Reason: models.Silenced}}}
		stored := create(t, s, in)[0].Alert
		asked := 0
		report := insert(first, other, c)
		report.Again = func(open *models.Alert) *store.AlertInsert {
			if asked++; open.ID != stored.ID || !open.Decisions.Silenced() {
				return nil
			}
			anew := insert(alert("disk"), other, c)
			anew.PauseReason = &x.Reason // as if a pause had begun
			return &anew
		}
		untold := report
		untold.Again = func(*models.Alert) *store.AlertInsert { return nil }
		if r := create(t, s, untold)[0]; !r.Duplicate || len(r.Deliveries) != 0 || !r.Alert.Decisions.Silenced() {
			t.Errorf("counted up while it is silenced: %+v", r)
		}
		// Twice in one batch, among others, and once more: it is told once.
		results := create(t, s, insert(alert("cpu"), c), report, report)
		if r := results[1]; !r.Duplicate || len(r.Deliveries) != 2 || r.Alert.Decisions.Silenced() || r.Deliveries[0].AlertID != stored.ID || r.Deliveries[0].Status != models.Pending {
			t.Errorf("decided anew: %+v", r)
		}
		if r := results[2]; !r.Duplicate || len(r.Deliveries) != 0 || r.Alert.Occurrences != 4 {
			t.Errorf("once more in the batch: %+v", r)
		}
		if len(results[0].Deliveries) != 1 {
			t.Errorf("the other alert: %+v", results[0])
		}
		if r := create(t, s, report)[0]; !r.Duplicate || len(r.Deliveries) != 0 {
			t.Errorf("once more: %+v", r)
		}
		if asked != 2 {
			t.Errorf("asked %d times", asked)
		}
		a, err := s.Alert(t.Context(), stored.ID)
		if err != nil || a.SilenceID == nil || *a.SilenceID != x.ID || a.Occurrences != 5 || len(a.Decisions) != 2 || a.Decisions[0].Reason != models.Matched || a.PauseReason == nil || *a.PauseReason != x.Reason {
			t.Errorf("afterwards %+v, %v", a, err)
		}
		claimed := append(claim(t, s, c, 10, "me"), claim(t, s, other, 10, "me")...)
		told := 0
		for _, d := range claimed {
			if d.Alert.ID == stored.ID && d.Delivery.Kind == models.TellAlert {
				told++
			}
		}
		if told != 2 || len(claimed) != 3 {
			t.Errorf("%d deliveries to claim, %d of them of the alert", len(claimed), told)
		}
	})
}

func TestStore_KeepsNoMoreSilencesThanAreLookedThrough(t *testing.T) {
	s := open(t, "sqlite:"+t.TempDir()+"/alerts.db")
	for range models.MaxSilences {
		silence(t, s, "a", 0, time.Hour)
	}
	x := &models.Silence{Types: []string{"x"}, Reason: "r", EndsAt: s.Now().Add(time.Hour)}
	if err := s.CreateSilence(t.Context(), x); !models.HasCode(err, models.Conflict) {
		t.Errorf("one more: %v", err)
	}
	if _, err := s.EndSilence(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if err := s.CreateSilence(t.Context(), x); err != nil {
		t.Errorf("in the place of another: %v", err)
	}
}
