package store_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/store"
)

var longAgo = time.Date(2025, 12, 12, 10, 30, 0, 123e6, time.UTC)

func channelImport(pk, name, url string) store.ChannelImport {
	return store.ChannelImport{Origin: store.Origin{PK: pk, CreatedAt: longAgo}, Channel: &models.Channel{
		Name: name, IsActive: true, MinSeverity: models.SeverityHigh, AlertTypes: []string{"error"}, CreatedAt: longAgo,
		NotifyOnResolve: true, RateLimit: &models.RateLimit{PerMinute: 7, Burst: 3}, Config: &models.WebhookConfig{URL: url},
	}}
}

func importChannels(t *testing.T, s *store.Store, dryRun bool, imports ...store.ChannelImport) []store.ImportedChannel {
	t.Helper()
	results, err := s.ImportChannels(t.Context(), imports, dryRun)
	if err != nil {
		t.Fatal(err)
	}
	return results
}

func channelNames(t *testing.T, s *store.Store) []string {
	t.Helper()
	channels, err := s.Channels(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range channels {
		names = append(names, c.Name)
	}
	slices.Sort(names)
	return names
}

func TestStore_ImportsChannelsOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		byHand := newChannel(t, s, "by hand")
		same := channelImport("1", "by hand", "")
		same.Channel.Config = byHand.Config
		imports := []store.ChannelImport{
			same,
			channelImport("2", "hook", "https://example.com/2"),
			channelImport("3", "hook", "https://example.com/2"), // names were not unique there, and each channel had its filters
			channelImport("4", "hook", "https://example.com/4"),
			channelImport("5", "by hand", "https://example.com/5"),
			channelImport("6", strings.Repeat("é", models.MaxName), "https://example.com/6"),
			channelImport("7", strings.Repeat("é", models.MaxName), "https://example.com/7"),
			channelImport("7", "seven again", "https://example.com/7"),
		}
		long := strings.Repeat("é", models.MaxName)
		want := []store.ImportedChannel{
			{Fate: store.FateThere, Name: "by hand"},
			{Fate: store.FateNew, Name: "hook"},
			{Fate: store.FateRenamed, Name: "hook (imported)"},
			{Fate: store.FateRenamed, Name: "hook (imported 2)"},
			{Fate: store.FateRenamed, Name: "by hand (imported)"},
			{Fate: store.FateNew, Name: long},
			{Fate: store.FateRenamed, Name: strings.Repeat("é", models.MaxName-len(" (imported)")) + " (imported)"},
			{Fate: store.FateKnown, Name: "seven again"},
		}
		if got := importChannels(t, s, true, imports...); !reflect.DeepEqual(got, want) {
			t.Errorf("the dry run says %+v, want %+v", got, want)
		}
		if got := channelNames(t, s); len(got) != 1 {
			t.Fatalf("the dry run has made %v", got)
		}
		if got := importChannels(t, s, false, imports...); !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, want %+v", got, want)
		}
		if got := channelNames(t, s); len(got) != 7 {
			t.Errorf("channels %v", got)
		}
		channels, err := s.Channels(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		hook := channels[slices.IndexFunc(channels, func(c *models.Channel) bool { return c.Name == "hook" })]
		expected := *imports[1].Channel
		expected.ID, expected.UpdatedAt = hook.ID, hook.UpdatedAt
		if !reflect.DeepEqual(*hook, expected) || time.Since(hook.UpdatedAt) > time.Minute {
			t.Errorf("channel %+v, want %+v", hook, expected)
		}
		states, err := s.States(t.Context())
		if err != nil || states[hook.ID] == nil || states[hook.ID].Health != models.HealthOK {
			t.Errorf("state %+v, %v", states[hook.ID], err)
		}

		// What users have done since stays.
		_, err = s.UpdateChannel(t.Context(), hook.ID, func(c *models.Channel) error { c.Name = "our hook"; c.IsActive = false; return nil })
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.UpdateChannel(t.Context(), byHand.ID, func(c *models.Channel) error {
			c.Config = &models.WebhookConfig{URL: "https://example.com/moved"}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		gone := channels[slices.IndexFunc(channels, func(c *models.Channel) bool { return c.Name == "hook (imported)" })]
		if _, err := s.DeleteChannels(t.Context(), []int64{gone.ID}); err != nil {
			t.Fatal(err)
		}
		got := importChannels(t, s, false, imports...)
		if got[0] != (store.ImportedChannel{Fate: store.FateKnown, Name: "by hand"}) || got[1] != (store.ImportedChannel{Fate: store.FateKnown, Name: "our hook"}) ||
			got[2] != (store.ImportedChannel{Fate: store.FateDeleted, Name: "hook"}) || got[3].Fate != store.FateKnown {
			t.Errorf("the second time: %+v", got)
		}
		if got := channelNames(t, s); len(got) != 6 || !slices.Contains(got, "our hook") {
			t.Errorf("after the second time: %v", got)
		}
		// The same key with another moment is a channel of another registry.
		other := channelImport("2", "hook", "https://example.com/other")
		other.Origin.CreatedAt = longAgo.Add(time.Millisecond)
		if got := importChannels(t, s, false, other); got[0].Fate != store.FateNew {
			t.Errorf("of another registry: %+v", got)
		}
		untimed := channelImport("9", "untimed", "https://example.com/9")
		untimed.Origin.CreatedAt, untimed.Channel.CreatedAt = time.Time{}, time.Time{}
		if first, second := importChannels(t, s, false, untimed), importChannels(t, s, false, untimed); first[0].Fate != store.FateNew || second[0].Fate != store.FateKnown {
			t.Errorf("without a time: %+v, then %+v", first, second)
		}
	})
}

func alertImports(from, n int) []store.AlertImport {
	var imports []store.AlertImport
	for i := from; i < from+n; i++ {
		in := store.AlertImport{
			Origin: store.Origin{PK: fmt.Sprint(i), CreatedAt: longAgo.Add(time.Duration(i) * time.Second)},
			New:    &models.NewAlert{Type: "error", Severity: models.Severity(i % 3), Message: fmt.Sprint("message ", i), CreatedBy: models.Imported},
		}
		if i%2 == 0 {
			end := in.Origin.CreatedAt.Add(time.Hour)
			in.ResolvedAt = &end
			in.New.Rustbucket = &models.Rustbucket{ID: fmt.Sprint("BKT", i%10), Name: fmt.Sprint("Old name ", i%10)}
		}
		imports = append(imports, in)
	}
	return imports
}

func importAlerts(t *testing.T, s *store.Store, kept time.Time, dryRun bool, imports ...store.AlertImport) (stored int) {
	t.Helper()
	isNew, err := s.ImportAlerts(t.Context(), imports, kept, dryRun)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range isNew {
		if n {
			stored++
		}
	}
	return stored
}

func TestStore_ImportsAlertsWithTheirTimesAndTellsNobody(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		newChannel(t, s, "hook")
		named := alert("error")
		named.Rustbucket = &models.Rustbucket{ID: "BKT2", Name: "New name"}
		create(t, s, insert(named))
		if err := s.Place(t.Context()); err != nil {
			t.Fatal(err)
		}
		head, _, err := s.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		batch := alertImports(0, store.MaxAlertImports)
		if n := importAlerts(t, s, time.Time{}, true, batch...); n != len(batch) {
			t.Errorf("the dry run says %d", n)
		}
		if n, _ := s.CountAlerts(t.Context(), nil); n != 1 {
			t.Fatalf("after the dry run: %d alerts", n)
		}
		if n := importAlerts(t, s, time.Time{}, false, batch...); n != len(batch) {
			t.Errorf("%d are new", n)
		}
		alerts, err := s.Alerts(t.Context(), nil, 0, 3)
		if err != nil {
			t.Fatal(err)
		}
		for i, a := range alerts {
			in := batch[len(batch)-1-i]
			want := &models.Alert{
				ID: a.ID, Type: "error", Severity: in.New.Severity, Message: in.New.Message, Rustbucket: in.New.Rustbucket, Occurrences: 1,
				CreatedAt: in.Origin.CreatedAt, ResolvedAt: in.ResolvedAt, CreatedBy: models.Imported,
			}
			if !reflect.DeepEqual(a, want) || a.Source() != models.FromImport {
				t.Errorf("alert %+v, want %+v", a, want)
			}
		}
		id := "BKT2"
		if about, err := s.Alerts(t.Context(), &models.AlertFilter{RustbucketID: &id}, 0, 1); err != nil || about[0].Rustbucket.Name != "New name" {
			t.Errorf("a name that was here was changed: %+v, %v", about[0].Rustbucket, err)
		}
		if err := s.Place(t.Context()); err != nil {
			t.Fatal(err)
		}
		if now, _, err := s.Head(t.Context()); err != nil || now != head {
			t.Errorf("the feed went from %d to %d, %v", head, now, err)
		}
		if n, err := s.BacklogByType(t.Context()); err != nil || len(n) != 0 {
			t.Errorf("waiting: %v, %v", n, err)
		}
		// A second run, as after a crash, takes what is left; a key that comes twice is one alert.
		again := append(alertImports(900, 200), alertImports(1099, 1)...)
		if n := importAlerts(t, s, time.Time{}, false, again...); n != 100 {
			t.Errorf("the second time %d are new, want 100", n)
		}
		if n, _ := s.CountAlerts(t.Context(), nil); n != 1101 {
			t.Errorf("%d alerts, want 1101", n)
		}
		// They live on like any other.
		open := alerts[slices.IndexFunc(alerts, func(a *models.Alert) bool { return !a.IsResolved() })]
		if a, told, err := s.ChangeAlert(t.Context(), open.ID, resolve); err != nil || !a.IsResolved() || len(told) != 0 {
			t.Errorf("resolving one: %+v, told %v, %v", a, told, err)
		}
	})
}

func TestStore_ImportsAgainWhatRetentionRemovedAndWouldKeepNow(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		batch := alertImports(0, 10)
		importAlerts(t, s, time.Time{}, false, batch...)
		if r, err := s.Trim(t.Context(), longAgo.Add(5*time.Second), 0, 100); err != nil || r.Alerts != 5 {
			t.Fatalf("%+v, %v", r, err)
		}
		if n := importAlerts(t, s, longAgo.Add(5*time.Second), false, batch...); n != 0 {
			t.Errorf("%d came back that retention would remove again", n)
		}
		if n := importAlerts(t, s, longAgo.Add(3*time.Second), false, batch...); n != 2 {
			t.Errorf("%d came back, want 2", n)
		}
		if n := importAlerts(t, s, time.Time{}, false, batch...); n != 3 {
			t.Errorf("%d came back, want 3", n)
		}
		if n, _ := s.CountAlerts(t.Context(), nil); n != 10 {
			t.Errorf("%d alerts", n)
		}
	})
}

func TestStore_ImportsAtOnceStoreEverythingOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				if _, err := s.ImportChannels(t.Context(), []store.ChannelImport{channelImport("1", "hook", "https://example.com/")}, false); err != nil {
					t.Error(err)
				}
				if _, err := s.ImportAlerts(t.Context(), alertImports(0, 100), time.Time{}, false); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n, _ := s.CountAlerts(t.Context(), nil); n != 100 || len(channelNames(t, s)) != 1 {
			t.Errorf("%d alerts, channels %v", n, channelNames(t, s))
		}
	})
}
