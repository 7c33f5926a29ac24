package store_test

import (
	"context"
	"encoding/json"
	"reflect"
	"slices"
	"testing"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/store"
)

// What people do with alerts most.
var (
	acknowledge = models.AlertChange{Kind: models.WasAcknowledged}
	resolve     = models.AlertChange{Kind: models.WasResolved}
	reopen      = models.AlertChange{Kind: models.WasReopened}
)

func ptr[T any](v T) *T { return &v }

// as is a context in which somebody acts.
func as(t *testing.T, name string) context.Context {
	return models.WithActor(t.Context(), models.Actor{Name: name})
}

// makeAlerts stores alerts that nobody is told of, each with its key, or none.
func makeAlerts(t *testing.T, s *store.Store, keys ...string) (ids []int64) {
	t.Helper()
	for _, key := range keys {
		a := alert("error")
		if key != "" {
			a.DedupKey = &key
		}
		results, err := s.CreateAlerts(t.Context(), []store.AlertInsert{insert(a)}, "me")
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, results[0].Alert.ID)
	}
	return ids
}

// events gives what the feed tells behind a position.
func events(t *testing.T, s *store.Store, from int64) (all []*models.FeedEvent) {
	t.Helper()
	if err := s.Place(t.Context()); err != nil {
		t.Fatal(err)
	}
	for {
		some, upto, err := s.Events(t.Context(), from, 500)
		if err != nil {
			t.Fatal(err)
		}
		if upto == from {
			return all
		}
		all, from = append(all, some...), upto
	}
}

func head(t *testing.T, s *store.Store) int64 {
	t.Helper()
	if err := s.Place(t.Context()); err != nil {
		t.Fatal(err)
	}
	position, _, err := s.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return position
}

func TestChangeAlert_LeavesAStoryThatEverybodyReads(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		id, from := makeAlerts(t, s, "")[0], head(t, s)
		steps := []struct {
			by      string
			change  models.AlertChange
			state   models.AlertState
			changes bool
		}{
			{"oncall", models.AlertChange{Kind: models.WasAcknowledged, Text: ptr("on it")}, models.Acknowledged, true},
			{"deputy", acknowledge, models.Acknowledged, false},
			{"oncall", models.AlertChange{Kind: models.WasAssigned, Assignee: ptr("team storage")}, models.Acknowledged, true},
			{"oncall", models.AlertChange{Kind: models.WasAssigned, Assignee: ptr("team storage")}, models.Acknowledged, false},
			{"deputy", models.AlertChange{Kind: models.WasCommented, Text: ptr("the disk was full")}, models.Acknowledged, true},
			{"deputy", models.AlertChange{Kind: models.WasResolved, Text: ptr("made room")}, models.Resolved, true},
			{"oncall", resolve, models.Resolved, false},
			{"oncall", reopen, models.Open, true},
			{"oncall", reopen, models.Open, false},
			{"oncall", models.AlertChange{Kind: models.WasAssigned}, models.Open, true},
			{"oncall", models.AlertChange{Kind: models.WasAssigned}, models.Open, false},
			{"deputy", resolve, models.Resolved, true},
		}
		var want []string
		for i, step := range steps {
			a, _, err := s.ChangeAlert(as(t, step.by), id, step.change)
			if err != nil || a.State() != step.state || a.IsResolved() != (step.state == models.Resolved) {
				t.Fatalf("step %d: %v, %+v", i, err, a)
			}
			if step.changes {
				want = append(want, sprintf("%s %s %q %q", step.by, step.change.Kind, text(step.change.Text), text(step.change.Assignee)))
			}
			stored, err := s.Alert(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			got, _ := json.Marshal(a)
			if as, _ := json.Marshal(stored); string(as) != string(got) {
				t.Errorf("step %d answers\n%s, stored is\n%s", i, got, as)
			}
		}
		histories, err := s.Histories(t.Context(), []int64{id})
		if err != nil {
			t.Fatal(err)
		}
		var history, feed []string
		for _, e := range histories[id] {
			history = append(history, sprintf("%s %s %q %q", e.By, e.Kind, text(e.Text), text(e.Assignee)))
		}
		told := events(t, s, from)
		for i, e := range told {
			if e.Kind != models.AlertUpdated || e.Change == nil {
				t.Fatalf("event %+v", e)
			}
			feed = append(feed, sprintf("%s %s %q %q", e.Change.By, e.Change.Kind, text(e.Change.Text), text(e.Change.Assignee)))
			if c := *e.Change; c.ID != histories[id][i].ID || !c.At.Equal(histories[id][i].At) || c.AlertID != id {
				t.Errorf("the feed has %+v, the history %+v", c, histories[id][i])
			}
		}
		if !slices.Equal(history, want) || !slices.Equal(feed, want) {
			t.Errorf("the history is\n%q, the feed\n%q, want\n%q", history, feed, want)
		}
		if a := told[0].Alert; a.State() != models.Acknowledged || text(a.AcknowledgedBy) != "oncall" || a.Assignee != nil {
			t.Errorf("the first event shows the alert as %+v", a)
		}
		if a := told[3].Alert; a.State() != models.Resolved || text(a.ResolvedBy) != "deputy" || text(a.AcknowledgedBy) != "oncall" || text(a.Assignee) != "team storage" {
			t.Errorf("the resolve shows the alert as %+v", a)
		}
	})
}

func TestChangeAlert_RefusesWhatTheStateDoesNotAllow(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		ids := makeAlerts(t, s, "", "key")
		for _, id := range ids {
			if _, _, err := s.ChangeAlert(t.Context(), id, resolve); err != nil {
				t.Fatal(err)
			}
		}
		other := makeAlerts(t, s, "key")[0]
		if _, _, err := s.ChangeAlert(t.Context(), other, acknowledge); err != nil { // it is still open to the key
			t.Fatal(err)
		}
		if again := makeAlerts(t, s, "key")[0]; again != other {
			t.Errorf("an acknowledged alert was not counted up: %d, want %d", again, other)
		}
		for name, c := range map[string]struct {
			id     int64
			change models.AlertChange
			code   models.ErrorCode
		}{
			"acknowledge what is resolved": {ids[0], acknowledge, models.Conflict},
			"a key that is taken":          {ids[1], reopen, models.Conflict},
			"no alert":                     {1 << 40, acknowledge, models.NotFound},
		} {
			if _, _, err := s.ChangeAlert(t.Context(), c.id, c.change); !models.HasCode(err, c.code) {
				t.Errorf("%s: %v", name, err)
			}
		}
		all := models.AlertSelection{IDs: append(ids, other)}
		for name, c := range map[string]struct {
			which  models.AlertSelection
			change models.AlertChange
			code   models.ErrorCode
		}{
			"acknowledge": {all, acknowledge, models.Conflict},
			"reopen":      {all, reopen, models.Conflict},
			"none":        {models.AlertSelection{IDs: []int64{other, 1 << 40}}, resolve, models.NotFound},
		} {
			if n, _, err := s.ChangeAlerts(t.Context(), c.which, c.change); n != 0 || !models.HasCode(err, c.code) {
				t.Errorf("%s by ids: %d, %v", name, n, err)
			}
		}
		if a, _ := s.Alert(t.Context(), other); a.State() != models.Acknowledged {
			t.Errorf("all or none: %+v", a)
		}
	})
}

func TestChangeAlert_AFullHistoryLeavesRoomForTheEnd(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		id := makeAlerts(t, s, "")[0]
		if err := s.Do(t.Context(), sprintf(`
			INSERT INTO alert_events (alert_id, at, by, kind)
			WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
			SELECT id, created_at, 'oncall', 'COMMENTED' FROM alerts, n WHERE id = %d`, models.MaxAlertEvents-2, id)); err != nil {
			t.Fatal(err)
		}
		comment := models.AlertChange{Kind: models.WasCommented, Text: ptr("c")}
		if _, _, err := s.ChangeAlert(t.Context(), id, comment); err != nil {
			t.Fatal(err)
		}
		for _, c := range []models.AlertChange{comment, acknowledge, {Kind: models.WasAssigned, Assignee: ptr("oncall")}} {
			if _, _, err := s.ChangeAlert(t.Context(), id, c); !models.HasCode(err, models.Conflict) {
				t.Errorf("%s in the last place: %v", c.Kind, err)
			}
		}
		if _, _, err := s.ChangeAlert(t.Context(), id, resolve); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.ChangeAlert(t.Context(), id, reopen); !models.HasCode(err, models.Conflict) {
			t.Errorf("reopened: %v", err)
		}
		if h, err := s.Histories(t.Context(), []int64{id}); err != nil || len(h[id]) != models.MaxAlertEvents {
			t.Errorf("%d events, %v", len(h[id]), err)
		}
	})
}

func TestChangeAlerts_ByFilter(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		keys := make([]string, 1203)
		for i := range keys {
			if i%400 == 0 {
				keys[i] = "key"
			}
		}
		batch := make([]store.AlertInsert, len(keys))
		for i := range keys {
			batch[i] = insert(alert("bulk"))
		}
		results, err := s.CreateAlerts(t.Context(), batch, "me")
		if err != nil {
			t.Fatal(err)
		}
		first := results[0].Alert.ID
		other := makeAlerts(t, s, "")[0]
		bulk := models.AlertSelection{Filter: &models.AlertFilter{Types: []string{"bulk"}}}
		count := func(states ...models.AlertState) int {
			n, err := s.CountAlerts(t.Context(), &models.AlertFilter{Types: []string{"bulk"}, States: states})
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		if _, _, err := s.ChangeAlert(t.Context(), first, resolve); err != nil {
			t.Fatal(err)
		}
		from := head(t, s)
		for i, c := range []struct {
			change models.AlertChange
			want   int
			state  models.AlertState
		}{
			{acknowledge, 1202, models.Acknowledged}, {acknowledge, 0, models.Acknowledged}, {models.AlertChange{Kind: models.WasAssigned, Assignee: ptr("oncall")}, 1203, ""},
			{resolve, 1202, models.Resolved}, {reopen, 1203, models.Open}, {resolve, 1203, models.Resolved},
		} {
			n, _, err := s.ChangeAlerts(as(t, "oncall"), bulk, c.change)
			if err != nil || n != c.want || c.state != "" && count(c.state) < 1202 {
				t.Errorf("%d: %s: %d, %v; %d are %s", i, c.change.Kind, n, err, count(c.state), c.state)
			}
		}
		if got := len(events(t, s, from)); got != 1202+1203+1202+1203+1203 {
			t.Errorf("%d events", got)
		}
		if n, err := s.CountAlerts(t.Context(), &models.AlertFilter{Assignee: ptr("oncall")}); err != nil || n != 1203 {
			t.Errorf("%d are oncall's, %v", n, err)
		}
		if a, _ := s.Alert(t.Context(), other); a.State() != models.Open || a.Assignee != nil {
			t.Errorf("an alert that does not match: %+v", a)
		}
		log, err := s.AuditLog(t.Context(), &models.AuditFilter{Actions: []models.AuditAction{models.AlertsAcknowledged, models.AlertsResolved, models.AlertsAssigned, models.AlertsReopened}}, 0, 100)
		if err != nil || len(log) != 5 {
			t.Errorf("%d entries in the audit log, %v", len(log), err)
		}
	})
}

func TestChangeAlerts_AuditTheWholeFilter(t *testing.T) {
	var f models.AlertFilter
	fields := reflect.ValueOf(&f).Elem()
	for i := range fields.NumField() {
		if field := fields.Field(i); field.Kind() == reflect.Slice {
			field.Set(reflect.MakeSlice(field.Type(), 1, 1))
		} else {
			field.Set(reflect.New(field.Type().Elem()))
		}
	}
	if got := store.AuditedAlertFilter(&f); len(got) != fields.NumField()-1 { // CreatedBy is never a caller's
		t.Errorf("of %d fields the audit log has %v", fields.NumField()-1, got)
	}
}

func TestChangeAlerts_OfSeveralWithOneKeyTheNewestIsReopened(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		var ids []int64
		for range 3 {
			id := makeAlerts(t, s, "key")[0]
			ids = append(ids, id)
			if _, _, err := s.ChangeAlert(t.Context(), id, resolve); err != nil {
				t.Fatal(err)
			}
		}
		resolved := models.AlertSelection{Filter: &models.AlertFilter{States: []models.AlertState{models.Resolved}}}
		if n, _, err := s.ChangeAlerts(t.Context(), resolved, reopen); err != nil || n != 1 {
			t.Errorf("%d reopened, %v", n, err)
		}
		if a, _ := s.Alert(t.Context(), ids[2]); a.IsResolved() {
			t.Error("another than the newest was reopened")
		}
		if n, _, err := s.ChangeAlerts(t.Context(), resolved, reopen); err != nil || n != 0 {
			t.Errorf("%d reopened though the key is taken, %v", n, err)
		}
	})
}

func TestAlerts_AreFoundByStateAsTheStreamPicksThem(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		ids := makeAlerts(t, s, "", "", "", "")
		for i, changes := range [][]models.AlertChange{{}, {acknowledge}, {resolve}, {acknowledge, {Kind: models.WasAssigned, Assignee: ptr("oncall")}, resolve}} {
			for _, c := range changes {
				if _, _, err := s.ChangeAlert(t.Context(), ids[i], c); err != nil {
					t.Fatal(err)
				}
			}
		}
		for name, c := range map[string]struct {
			filter models.AlertFilter
			want   []int
		}{
			"open":                 {models.AlertFilter{States: []models.AlertState{models.Open}}, []int{0}},
			"acknowledged":         {models.AlertFilter{States: []models.AlertState{models.Acknowledged}}, []int{1}},
			"resolved":             {models.AlertFilter{States: []models.AlertState{models.Resolved}}, []int{2, 3}},
			"not resolved":         {models.AlertFilter{States: []models.AlertState{models.Open, models.Acknowledged}}, []int{0, 1}},
			"all":                  {models.AlertFilter{States: []models.AlertState{}}, []int{0, 1, 2, 3}},
			"oncall's":             {models.AlertFilter{Assignee: ptr("oncall")}, []int{3}},
			"oncall's, open":       {models.AlertFilter{Assignee: ptr("oncall"), States: []models.AlertState{models.Open}}, nil},
			"nobody of that name":  {models.AlertFilter{Assignee: ptr("Oncall")}, nil},
			"resolved, not the id": {models.AlertFilter{States: []models.AlertState{models.Resolved}, IsResolved: ptr(false)}, nil},
		} {
			found, err := s.Alerts(t.Context(), &c.filter, 0, 10)
			if err != nil {
				t.Fatal(err)
			}
			for i, id := range ids {
				a, err := s.Alert(t.Context(), id)
				if err != nil {
					t.Fatal(err)
				}
				want := slices.Contains(c.want, i)
				inList := slices.ContainsFunc(found, func(f *models.Alert) bool { return f.ID == id })
				if inList != want || c.filter.Match(a) != want {
					t.Errorf("%s: alert %d found: %v, picked: %v, want %v", name, i, inList, c.filter.Match(a), want)
				}
			}
		}
	})
}

func TestEvents_OfBeforeAlertsHadAStateAreRead(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		id, from := makeAlerts(t, s, "")[0], head(t, s)
		if _, _, err := s.ChangeAlert(t.Context(), id, acknowledge); err != nil {
			t.Fatal(err)
		}
		payload := sprintf(`[{"k":"ALERT_UPDATED","t":1765535400000000,"a":%[1]d,"n":3},{"k":"ALERT_UPDATED","t":1765535400000001,"a":%[1]d,"n":3,"r":1765535400000001},`+
			`{"k":"DELIVERY_UPDATED","t":1765535400000002,"a":%[1]d,"d":{"i":5,"c":6,"s":"DELIVERED","n":1,"o":1765535400000000,"l":1}}]`, id)
		if err := s.Do(t.Context(), "UPDATE events SET count = 3, payload = '"+payload+"' WHERE id = (SELECT max(id) FROM events)"); err != nil {
			t.Fatal(err)
		}
		told := events(t, s, from)
		if len(told) != 3 || told[0].Alert.State() != models.Open || told[0].Alert.Occurrences != 3 || told[0].Change != nil ||
			told[1].Alert.State() != models.Resolved || told[1].Alert.ResolvedBy != nil || told[2].Delivery.Kind != models.TellAlert {
			t.Errorf("read as %+v", told)
		}
	})
}

// The server's own alerts are acknowledged like others, and resolved by the server when their channel is no more.
func TestChangeAlert_OfTheServerItself(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		channel := newChannel(t, s, "hook")
		a := alert(models.ChannelFailing)
		a.CreatedBy, a.DedupKey = models.ServerItself, ptr(models.OwnKeyOf(models.ChannelFailing, channel.ID))
		results, err := s.CreateAlerts(t.Context(), []store.AlertInsert{insert(a)}, "me")
		if err != nil {
			t.Fatal(err)
		}
		id := results[0].Alert.ID
		if _, _, err := s.ChangeAlert(as(t, "oncall"), id, acknowledge); err != nil {
			t.Fatal(err)
		}
		if _, err := s.DeleteChannels(t.Context(), []int64{channel.ID}); err != nil {
			t.Fatal(err)
		}
		got, err := s.Alert(t.Context(), id)
		if err != nil || got.State() != models.Resolved || text(got.ResolvedBy) != "server" || text(got.AcknowledgedBy) != "oncall" {
			t.Errorf("%+v, %v", got, err)
		}
		if h, err := s.Histories(t.Context(), []int64{id}); err != nil || len(h[id]) != 2 || h[id][1].By != "server" || h[id][1].Kind != models.WasResolved {
			t.Errorf("the history is %+v, %v", h[id], err)
		}
	})
}

func TestStore_ChangesFewAlertsAtATimeThatWereToldOnManyChannels(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		c := newChannel(t, s, "hook")
		for range 10 {
			create(t, s, insert(alert("disk"), c))
		}
		if err := s.FillWithDelivered(t.Context(), c.ID, 400); err != nil { // 401 deliveries each
			t.Fatal(err)
		}
		events := func() int {
			n, err := s.Count(t.Context(), "events")
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		which := models.AlertSelection{Filter: &models.AlertFilter{Types: []string{"disk"}}}
		before := events()
		if n, _, err := s.ChangeAlerts(t.Context(), which, models.AlertChange{Kind: models.WasCommented}); err != nil || n != 10 || events() != before+3 {
			t.Errorf("changed %d in %d batches, %v", n, events()-before, err)
		}
		before = events()
		if n, _, err := s.DeleteAlerts(t.Context(), which); err != nil || n != 10 || events() != before+3 {
			t.Errorf("deleted %d in %d batches, %v", n, events()-before, err)
		}
	})
}
