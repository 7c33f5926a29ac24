package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/store"
)

// remind looks once for rustbuckets that are offline longer than a silence, and gives those that were reported again; but not those
// named by muted, for which another silence holds.
func remind(t *testing.T, s *store.Store, c *models.Channel, muted ...string) (told []string) {
	t.Helper()
	for after, first := int64(0), true; first || after > 0; first = false {
		recorded, last, err := s.Outlasted(t.Context(), after, 2, func(open *models.Alert) store.AlertInsert {
			again := open.Again(new(models.NewAlert))
			again.DedupKey = open.DedupKey
			in := insert(again, c)
			in.Again = func(*models.Alert) *store.AlertInsert {
				if slices.Contains(muted, open.Rustbucket.ID) {
					return nil
				}
				anew := insert(again, c)
				return &anew
			}
			return in
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range recorded.Raised {
			if told = append(told, r.Alert.Rustbucket.ID); !r.Duplicate || len(r.Deliveries) != 1 || r.Alert.Occurrences != 2 {
				t.Errorf("reported again as %+v", r)
			}
		}
		if len(recorded.Raised) > 0 && !slices.Equal(recorded.Waiting, slices.Repeat([]int64{c.ID}, len(recorded.Raised))) {
			t.Errorf("waiting on %v", recorded.Waiting)
		}
		after = last
	}
	return told
}

func TestOutlasted_ReportsOnceWhoIsOfflineAfterASilence(t *testing.T) {
	onBothStopped(t, func(t *testing.T, s *store.Store) {
		c := newChannel(t, s, "hook")
		x := silence(t, s, models.RustbucketOffline, 0, 30*time.Second)
		var ids []string
		for i := range 7 {
			ids = append(ids, fmt.Sprint("BKT", i))
		}
		look(t, s)
		expect(t, s, 5, ids...)
		muted := func(r *models.Rustbucket) store.AlertInsert {
			in := offline()(r)
			in.SilenceID, in.Decisions = &x.ID, models.Decisions{{ChannelID: c.ID, Reason: models.Silenced}}
			return in
		}
		for range 6 {
			s.TurnClock(time.Second)
			if _, _, err := s.Sweep(t.Context(), 100, muted); err != nil {
				t.Fatal(err)
			}
		}
		open, err := s.Alerts(t.Context(), &models.AlertFilter{Types: []string{models.RustbucketOffline}}, 0, 100)
		if err != nil || len(open) != len(ids) {
			t.Fatalf("%d are offline, %v", len(open), err)
		}
		alertOf := make(map[string]int64)
		for _, a := range open {
			alertOf[a.Rustbucket.ID] = a.ID
		}
		if told := remind(t, s, c); len(told) > 0 {
			t.Errorf("told %v during the silence", told)
		}
		change := func(id string, kind models.AlertEventKind) {
			if _, _, err := s.ChangeAlert(t.Context(), alertOf[id], models.AlertChange{Kind: kind}); err != nil {
				t.Fatal(err)
			}
		}
		change("BKT1", models.WasAcknowledged)
		change("BKT2", models.WasResolved)
		beat(t, s, "BKT3")      // it is back
		expect(t, s, 0, "BKT4") // and this one need not be
		s.TurnClock(30 * time.Second)
		if told := remind(t, s, c, "BKT0", "BKT6"); !slices.Equal(told, []string{"BKT5"}) {
			t.Errorf("told %v", told)
		}
		if told := remind(t, s, c, "BKT6"); !slices.Equal(told, []string{"BKT0"}) {
			t.Errorf("told %v when no other silence held any more", told)
		}
		change("BKT1", models.WasReopened)
		if told := remind(t, s, c); len(told) != 2 || !slices.Contains(told, "BKT1") || !slices.Contains(told, "BKT6") {
			t.Errorf("told %v when nobody was on it any more", told)
		}
		if told := remind(t, s, c); len(told) > 0 {
			t.Errorf("told %v twice", told)
		}
		if got := claim(t, s, c, 100, "me"); len(got) != 4 {
			t.Errorf("%d deliveries", len(got))
		}
		if plan, err := s.ExplainOutlasted(t.Context()); err != nil || !strings.Contains(plan, "alerts_muted_offline") {
			t.Errorf("looked for by\n%s, %v", plan, err)
		}
	})
}
