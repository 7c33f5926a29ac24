package store_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/store"
	"github.com/rustbucket/alerts/testkit"
)

// fires and ends make reports of a token about a dedup key; shares gives one a key of its own beside.
func fires(token int64, key string) store.ReportInsert {
	a := &models.NewAlert{Type: "x", Message: key, DedupKey: &key, Notify: true, CreatedBy: token}
	return store.ReportInsert{
		Report: models.Report{Alert: a, By: models.Actor{Name: fmt.Sprint("token ", token), TokenID: token}},
		Insert: store.AlertInsert{New: a},
	}
}

func ends(token int64, key string) store.ReportInsert {
	return store.ReportInsert{Report: models.Report{Over: key, By: models.Actor{Name: fmt.Sprint("token ", token), TokenID: token}}}
}

func shares(r store.ReportInsert) store.ReportInsert {
	r.OwnKey = fmt.Sprint(r.Key(), ":", r.By.TokenID)
	return r
}

// take carries out a batch and gives what became of each.
func take(t *testing.T, s *store.Store, batch ...store.ReportInsert) string {
	t.Helper()
	results, _, _, err := s.TakeReports(t.Context(), batch, "p1")
	if err != nil {
		t.Fatal(err)
	}
	var outcomes []string
	began := make(map[string]int64) // dedup key -> the last alert that has it
	for i, r := range results {
		outcomes = append(outcomes, string(r.Outcome))
		key := batch[i].Key()
		switch {
		case (r.Alert == nil) != (r.Outcome == models.ReportUnchanged):
			t.Errorf("%s with the alert %+v", r.Outcome, r.Alert)
		case r.Outcome == models.ReportResolved && (!r.Alert.IsResolved() || began[key] != 0 && began[key] != r.Alert.ID):
			t.Errorf("%s is over: %+v, want alert %d", key, r.Alert, began[key])
		case r.Outcome == models.ReportCreated:
			began[key] = r.Alert.ID
		}
	}
	return strings.Join(outcomes, " ")
}

func TestReports_AreCarriedOutInTheirOrder(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		for _, c := range []struct {
			name  string
			batch []store.ReportInsert
			want  string
		}{
			{"it begins", []store.ReportInsert{fires(1, "a"), fires(1, "b")}, "created created"},
			{"it goes on, and ends", []store.ReportInsert{fires(1, "a"), ends(1, "b")}, "counted resolved"},
			{"the same again", []store.ReportInsert{fires(1, "a"), ends(1, "b")}, "counted unchanged"},
			{"it ends and begins", []store.ReportInsert{ends(1, "a"), fires(1, "a")}, "resolved created"},
			{"it begins and ends", []store.ReportInsert{fires(1, "c"), ends(1, "c")}, "created resolved"},
			{"back and forth", []store.ReportInsert{fires(1, "c"), ends(1, "c"), fires(1, "d"), fires(1, "c"), ends(1, "c"), ends(1, "c"), fires(1, "c")},
				"created resolved created created resolved unchanged created"},
			{"what was never there", []store.ReportInsert{ends(1, "z")}, "unchanged"},
		} {
			if got := take(t, s, c.batch...); got != c.want {
				t.Errorf("%s: %s, want %s", c.name, got, c.want)
			}
		}
		isResolved := false
		open, err := s.Alerts(t.Context(), &models.AlertFilter{IsResolved: &isResolved}, 0, 10)
		if err != nil {
			t.Fatal(err)
		}
		var keys []string
		for _, a := range open {
			keys = append(keys, *a.DedupKey)
		}
		slices.Sort(keys)
		if !slices.Equal(keys, []string{"a", "c", "d"}) {
			t.Errorf("%q are open", keys)
		}
	})
}

func TestReports_EndOnlyWhatTheirTokenCreated(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		take(t, s, fires(1, "a"))
		if got := take(t, s, fires(2, "a"), ends(2, "a")); got != "counted unchanged" {
			t.Errorf("another token, with the key as it is: %q", got)
		}
		admin := ends(0, "a")
		admin.EndsAll = true
		if got := take(t, s, admin); got != "resolved" {
			t.Errorf("who may end every alert: %q", got)
		}
		own := fires(models.ServerItself, "rustbucket-alerts:x")
		take(t, s, own)
		admin.Over = "rustbucket-alerts:x"
		if got := take(t, s, admin); got != "unchanged" {
			t.Errorf("one of the server's own: %q", got)
		}
	})
}

func TestReports_AreNeverSwallowedByTheAlertOfAnotherToken(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		take(t, s, fires(1, "a"))
		if got := take(t, s, shares(fires(2, "a"))); got != "created" {
			t.Fatalf("the key is taken: %q", got)
		}
		if got := take(t, s, shares(fires(2, "a")), shares(fires(3, "a"))); got != "counted created" {
			t.Errorf("again: %q", got)
		}
		if got := take(t, s, shares(ends(2, "a"))); got != "resolved" {
			t.Errorf("over: %q", got)
		}
		take(t, s, ends(1, "a"))
		if got := take(t, s, shares(fires(3, "a")), shares(ends(3, "a"))); got != "counted resolved" {
			t.Errorf("the key is free again, and its own is in use: %q", got)
		}
		// Two in one batch, and nothing is open: the first has the key.
		if got := take(t, s, shares(fires(4, "a")), shares(fires(5, "a"))); got != "created created" {
			t.Errorf("two at once: %q", got)
		}
		a, err := s.Alerts(t.Context(), nil, 0, 2)
		if err != nil || a[0].CreatedBy == a[1].CreatedBy {
			t.Errorf("they are %+v, %v", a, err)
		}
		if got := take(t, s, shares(ends(4, "a")), shares(ends(5, "a"))); got != "resolved resolved" {
			t.Errorf("both over: %q", got)
		}
	})
}

func TestReports_AreToldAndNoted(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		c := newChannel(t, s, "ops")
		c.NotifyOnResolve = true
		if _, err := s.UpdateChannel(t.Context(), c.ID, func(was *models.Channel) error { was.NotifyOnResolve = true; return nil }); err != nil {
			t.Fatal(err)
		}
		firing := fires(1, "a")
		firing.Insert.Deliveries = []store.NewDelivery{{ChannelID: c.ID}}
		other := fires(1, "b")
		_, created, told, err := s.TakeReports(t.Context(), []store.ReportInsert{firing, other, ends(1, "a"), ends(1, "b")}, "p1")
		if err != nil || len(created[0].Deliveries) != 1 || !slices.Equal(told, []int64{c.ID}) {
			t.Fatalf("created %+v, told %v, %v", created, told, err)
		}
		list, err := s.DeliveriesOfAlerts(t.Context(), []int64{created[0].Alert.ID})
		if err != nil {
			t.Fatal(err)
		}
		deliveries := list[created[0].Alert.ID]
		if len(deliveries) != 2 || deliveries[0].Kind != models.TellAlert || deliveries[1].Kind != models.TellResolved {
			t.Errorf("deliveries %+v", deliveries)
		}
		entries, err := s.AuditLog(t.Context(), &models.AuditFilter{Actions: []models.AuditAction{models.AlertsResolved}}, 0, 10)
		if err != nil || len(entries) != 1 || entries[0].By != "token 1" || *entries[0].TokenID != 1 || entries[0].SubjectID != nil || !strings.Contains(string(entries[0].Changes), `"ids"`) {
			t.Errorf("noted %+v, %v", entries, err)
		}
	})
}

func TestReports_KnowAMachineByItsIDAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		at := func(id, name string) *models.Alert {
			r := fires(1, "k"+id+name)
			r.Alert.Rustbucket = &models.Rustbucket{ID: id, Name: name}
			results, _, _, err := s.TakeReports(t.Context(), []store.ReportInsert{r}, "p1")
			if err != nil {
				t.Fatal(err)
			}
			return results[0].Alert
		}
		for _, c := range []struct{ given, want string }{{"BKT1", "BKT1"}, {"Node 1", "Node 1"}, {"BKT1", "Node 1"}, {"Node one", "Node one"}} {
			if a := at("BKT1", c.given); a.Rustbucket.Name != c.want {
				t.Errorf("given %q its name is %q, want %q", c.given, a.Rustbucket.Name, c.want)
			}
		}
	})
}

// Several processes hear of the same alerts at once: each of a pair of Alertmanagers tells its own server.
func TestReports_OfManyProcessesAgree(t *testing.T) {
	url := testkit.NewDatabase(t)
	const rounds, keys = 15, 8
	var runs sync.WaitGroup
	for p := range 3 {
		s := open(t, url)
		token := int64(1 + p%2)
		runs.Go(func() {
			for n := range rounds {
				var batch []store.ReportInsert
				for k := range keys {
					key := fmt.Sprint("k", (k*7+n+p)%keys)
					batch = append(batch, shares(fires(token, key)))
					if n == rounds-1 || (n+k)%3 == 0 {
						batch = append(batch, shares(ends(token, key)))
					}
				}
				if _, _, _, err := s.TakeReports(t.Context(), batch, fmt.Sprint("p", p)); err != nil {
					t.Errorf("process %d: %v", p, err)
				}
			}
		})
	}
	runs.Wait()
	s := open(t, url)
	for _, token := range []int64{1, 2} { // what the last of two with one token began anew
		for k := range keys {
			take(t, s, shares(ends(token, fmt.Sprint("k", k))))
		}
	}
	open := false
	left, err := s.CountAlerts(t.Context(), &models.AlertFilter{IsResolved: &open})
	if err != nil || left != 0 {
		t.Errorf("%d alerts are open for ever, %v", left, err)
	}
}
