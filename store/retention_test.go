package store_test

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rustbucket/alerts/feed"
	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/store"
	"github.com/rustbucket/alerts/testkit"
)

// ended creates n alerts in one transaction, each told to all the channels at once, with this status.
func ended(t *testing.T, s *store.Store, n int, status models.DeliveryStatus, channels ...*models.Channel) []store.AlertResult {
	t.Helper()
	var batch []store.AlertInsert
	for range n {
		in := insert(alert("error"), channels...)
		for i := range in.Deliveries {
			in.Deliveries[i].Leased = true
		}
		batch = append(batch, in)
	}
	results, err := s.CreateAlerts(t.Context(), batch, "me")
	if err != nil {
		t.Fatal(err)
	}
	var outcomes []store.Outcome
	for _, r := range results {
		for _, d := range r.Deliveries {
			outcomes = append(outcomes, store.Outcome{
				Delivery: d, Status: status, Attempt: &models.DeliveryAttempt{DeliveryID: d.ID, Number: 1, StartedAt: time.Now()},
			})
		}
	}
	if applied := record(t, s, "me", outcomes...); len(applied) != len(outcomes) {
		t.Fatalf("recorded %d of %d", len(applied), len(outcomes))
	}
	return results
}

// age makes what comes from here on younger than the moment that it gives.
func age(t *testing.T, s *store.Store) time.Time {
	t.Helper()
	if err := s.Place(t.Context()); err != nil {
		t.Fatal(err)
	}
	moment := s.Now().Add(time.Microsecond)
	testkit.Until(t, "the clock to go on", func() bool { return s.Now().After(moment) })
	return moment
}

// sweep removes everything that is old, in batches, and checks that none is larger than it may be.
func sweep(t *testing.T, s *store.Store, before time.Time, limit int) store.Trimmed {
	t.Helper()
	var sum store.Trimmed
	for more := true; more; {
		step, err := s.Trim(t.Context(), before, sum.After, limit)
		if err != nil {
			t.Fatal(err)
		}
		if step.Alerts > limit || step.Events > 0 && step.Alerts > 0 {
			t.Errorf("one batch removed %+v", step)
		}
		sum.Alerts += step.Alerts
		sum.Deliveries += step.Deliveries
		sum.Attempts += step.Attempts
		sum.Events += step.Events
		sum.After, more = step.After, step.More
	}
	return sum
}

func counts(t *testing.T, s *store.Store) (alerts, deliveries int) {
	t.Helper()
	alerts, err := s.CountAlerts(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if deliveries, err = s.CountDeliveries(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	return alerts, deliveries
}

func TestTrim_RemovesWhatIsOldInSmallBatches(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		one, two := newChannel(t, s, "one"), newChannel(t, s, "two")
		for range 10 {
			ended(t, s, 1, models.Delivered, one, two)
		}
		before := age(t, s)
		young := ended(t, s, 1, models.Delivered, one, two)[0]
		if sum, want := sweep(t, s, before, 3), (store.Trimmed{Alerts: 10, Deliveries: 20, Attempts: 20, Events: 30}); sum.Alerts != want.Alerts ||
			sum.Deliveries != want.Deliveries || sum.Attempts != want.Attempts || sum.Events != want.Events {
			t.Errorf("removed %+v, want %+v", sum, want)
		}
		if alerts, deliveries := counts(t, s); alerts != 1 || deliveries != 2 {
			t.Errorf("%d alerts and %d deliveries are left, want 1 and 2", alerts, deliveries)
		}
		log, err := s.AttemptsOfDeliveries(t.Context(), []int64{young.Deliveries[0].ID, young.Deliveries[1].ID})
		if err != nil || len(log) != 2 {
			t.Errorf("attempts of the young alert: %v, %v", log, err)
		}
		if channels, err := s.Channels(t.Context()); err != nil || len(channels) != 2 {
			t.Errorf("channels %v, %v", channels, err)
		}
		if sum := sweep(t, s, before, 3); sum.Alerts > 0 || sum.Events > 0 {
			t.Errorf("removed once more: %+v", sum)
		}
	})
}

func TestTrim_BoundsABatchByItsDeliveriesToo(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		c := newChannel(t, s, "one")
		channels := make([]*models.Channel, 400)
		for i := range channels {
			channels[i] = c
		}
		for range 3 {
			ended(t, s, 1, models.Delivered, channels...)
		}
		before := age(t, s)
		sweepEvents(t, s, before)
		step, err := s.Trim(t.Context(), before, 0, 200)
		if err != nil || step.Alerts != 2 || step.Deliveries != 800 || !step.More {
			t.Errorf("the first batch: %+v, %v", step, err)
		}
		if step, err = s.Trim(t.Context(), before, step.After, 200); err != nil || step.Alerts != 1 || step.More {
			t.Errorf("the second batch: %+v, %v", step, err)
		}
	})
}

func TestTrim_RemovesSilencesThatAreOverAndThatNoAlertNames(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		c := newChannel(t, s, "one")
		silenced := func(x *models.Silence) {
			in := insert(alert("error"), c)
			in.SilenceID = &x.ID
			create(t, s, in)
		}
		var over, named []*models.Silence
		for range 5 { // more than a batch
			over = append(over, silence(t, s, "a", -time.Hour, time.Millisecond))
		}
		for range 4 {
			named = append(named, silence(t, s, "a", 0, time.Hour))
			silenced(named[len(named)-1]) // stays with its alert, of which somebody is still to be told
		}
		ended := silence(t, s, "a", time.Hour, 2*time.Hour)
		later, holds := silence(t, s, "a", time.Hour, 2*time.Hour), silence(t, s, "a", 0, time.Hour)
		for _, x := range append(named, ended) {
			if _, err := s.EndSilence(t.Context(), x.ID); err != nil {
				t.Fatal(err)
			}
		}
		for s.Now().Before(over[4].EndsAt) {
			time.Sleep(time.Millisecond)
		}
		before := age(t, s)
		young := silence(t, s, "a", -time.Hour, time.Hour)
		if _, err := s.EndSilence(t.Context(), young.ID); err != nil {
			t.Fatal(err)
		}
		removed := 0
		sweepEvents(t, s, before)
		for more := true; more; {
			step, err := s.Trim(t.Context(), before, 0, 2)
			if err != nil || step.Silences > 2 || step.Alerts > 0 {
				t.Fatalf("one batch removed %+v, %v", step, err)
			}
			removed += step.Silences
			more = step.Silences > 0
		}
		left, err := s.Silences(t.Context(), nil)
		want := []int64{young.ID, holds.ID, later.ID, named[3].ID, named[2].ID, named[1].ID, named[0].ID}
		if err != nil || removed != 6 || !slices.Equal(silenceIDs(left), want) {
			t.Errorf("removed %d, left %v, want %v, %v", removed, silenceIDs(left), want, err)
		}
		// When its alert is gone, it goes, too.
		claimed := claim(t, s, c, 9, "me")
		if len(claimed) != 4 {
			t.Fatalf("claimed %d", len(claimed))
		}
		d := claimed[0].Delivery
		if applied := record(t, s, "me", store.Outcome{Delivery: d, Status: models.Failed, Attempt: &models.DeliveryAttempt{DeliveryID: d.ID, Number: 1}}); len(applied) != 1 {
			t.Fatal(applied)
		}
		sweep(t, s, before, 9)
		sweep(t, s, before, 9)
		if left, err = s.Silences(t.Context(), nil); err != nil || len(left) != 6 {
			t.Errorf("left %v, %v", silenceIDs(left), err)
		}
	})
}

// sweepEvents removes all events and leaves the alerts.
func sweepEvents(t *testing.T, s *store.Store, before time.Time) {
	t.Helper()
	for {
		head, trimmed, err := s.Head(t.Context())
		if err != nil || head == trimmed {
			return
		}
		if step, err := s.Trim(t.Context(), before, 0, 200); err != nil || step.Events == 0 {
			t.Fatalf("%+v, %v", step, err)
		}
	}
}

func TestTrim_LeavesAnAlertThatSomebodyIsStillToBeToldAbout(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		c, slow := newChannel(t, s, "one"), newChannel(t, s, "slow")
		for range 7 { // more than a batch: what is behind them goes all the same
			in := insert(alert("error"), c, slow)
			in.Deliveries[0].Leased = true
			r, err := s.CreateAlerts(t.Context(), []store.AlertInsert{in}, "me")
			if err != nil {
				t.Fatal(err)
			}
			o := store.Outcome{Delivery: r[0].Deliveries[0], Status: models.Delivered, Attempt: &models.DeliveryAttempt{DeliveryID: r[0].Deliveries[0].ID, Number: 1}}
			if applied := record(t, s, "me", o); len(applied) != 1 {
				t.Fatal(applied)
			}
		}
		gone := ended(t, s, 5, models.Failed, c)
		silent := create(t, s, insert(alert("nobody is told")))
		before := age(t, s)
		if sum := sweep(t, s, before, 3); sum.Alerts != 6 || sum.Deliveries != 5 || sum.Attempts != 5 {
			t.Errorf("removed %+v", sum)
		}
		if _, err := s.Alert(t.Context(), gone[0].Alert.ID); !models.HasCode(err, models.NotFound) {
			t.Errorf("an alert that has failed: %v", err)
		}
		if _, err := s.Alert(t.Context(), silent[0].Alert.ID); !models.HasCode(err, models.NotFound) {
			t.Errorf("an alert that nobody was told about: %v", err)
		}
		if alerts, deliveries := counts(t, s); alerts != 7 || deliveries != 14 {
			t.Errorf("%d alerts and %d deliveries are left, want 7 and 14", alerts, deliveries)
		}
		claimed := append(claim(t, s, c, 9, "me"), claim(t, s, slow, 9, "me")...)
		if len(claimed) != 7 {
			t.Fatalf("claimed %d", len(claimed))
		}
		o := store.Outcome{Delivery: claimed[0].Delivery, Status: models.Delivered, Attempt: &models.DeliveryAttempt{DeliveryID: claimed[0].Delivery.ID, Number: 1}}
		if applied := record(t, s, "me", o); len(applied) != 1 {
			t.Fatal(applied)
		}
		if sum := sweep(t, s, before, 3); sum.Alerts != 1 || sum.Deliveries != 2 || sum.Attempts != 2 {
			t.Errorf("removed %+v when the delivery was made", sum)
		}
	})
}

func TestTrim_LeavesWholeWhatIsBegunAnewMeanwhile(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		c := newChannel(t, s, "one")
		results := ended(t, s, 200, models.Failed, c)
		before := age(t, s)
		var retried sync.Map
		var retries sync.WaitGroup
		for worker := range 4 {
			retries.Go(func() {
				for i := worker; i < len(results); i += 4 {
					id := results[i].Deliveries[0].ID
					switch _, err := s.RetryDelivery(t.Context(), id); {
					case err == nil:
						retried.Store(id, true)
					case !models.HasCode(err, models.NotFound) && !models.HasCode(err, models.Conflict):
						t.Error(err)
					}
				}
			})
		}
		removed := sweep(t, s, before, 10).Alerts
		retries.Wait()
		removed += sweep(t, s, before, 10).Alerts
		left := 0
		for _, r := range results {
			_, alertErr := s.Alert(t.Context(), r.Alert.ID)
			d, err := s.Delivery(t.Context(), r.Deliveries[0].ID)
			if _, ok := retried.Load(r.Deliveries[0].ID); ok != (err == nil) || ok != (alertErr == nil) || ok && d.Status != models.Pending {
				t.Errorf("retried: %v, the delivery is %+v, %v, its alert %v", ok, d, err, alertErr)
			}
			if err == nil {
				left++
			}
		}
		t.Logf("%d removed, %d retried", removed, left)
		if removed+left != len(results) {
			t.Errorf("%d removed and %d left of %d", removed, left, len(results))
		}
	})
}

func TestTrim_OlderCursorsExpire(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		f := feed.New(s, slog.New(slog.DiscardHandler))
		for range 3 {
			create(t, s, insert(alert("old")), insert(alert("old")))
		}
		before := age(t, s)
		create(t, s, insert(alert("young")))
		left, err := f.Open(t.Context(), new(int64(3)))
		if err != nil {
			t.Fatal(err)
		}
		defer left.Close()
		sweep(t, s, before, 2)
		if head, trimmed, err := s.Head(t.Context()); head != 7 || trimmed != 6 || err != nil {
			t.Errorf("head %d, trimmed %d, %v", head, trimmed, err)
		}
		for after := range int64(6) {
			if _, err := f.Open(t.Context(), &after); !models.HasCode(err, models.CursorExpired) {
				t.Errorf("behind %d: %v", after, err)
			}
		}
		if events, err := left.Next(t.Context()); !models.HasCode(err, models.CursorExpired) {
			t.Errorf("a reader that was overtaken got %v, %v", events, err)
		}
		r, err := f.Open(t.Context(), new(int64(6)))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if events, err := r.Next(t.Context()); err != nil || len(events) != 1 || events[0].Alert.Type != "young" {
			t.Errorf("behind the last removed event: %v, %v", events, err)
		}
	})
}

func TestTrim_AReaderHearsThatItsProcessStoodStillForTooLong(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		f := feed.New(s, slog.New(slog.NewTextHandler(t.Output(), nil)))
		limit, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		r, err := f.Open(limit, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		stop := follow(f)
		create(t, s, insert(alert("seen")))
		if events, err := r.Next(limit); err != nil || len(events) != 1 {
			t.Fatal(events, err)
		}
		stop()
		create(t, s, insert(alert("missed")))
		before := age(t, s)
		create(t, s, insert(alert("young")))
		sweep(t, s, before, 9)
		defer follow(f)()
		if events, err := r.Next(limit); !models.HasCode(err, models.CursorExpired) {
			t.Errorf("got %v, %v", events, err)
		}
	})
}

// follow runs a feed until the function that it gives is called.
func follow(f *feed.Feed) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { f.Run(ctx) })
	return func() { cancel(); running.Wait() }
}

func TestTrim_LeavesEventsThatHaveNoPositionYet(t *testing.T) {
	s := open(t, testkit.NewDatabase(t)) // on SQLite there are none
	c := newChannel(t, s, "one")
	create(t, s, insert(alert("error"), c)) // stays, so that its event can be shown
	step, err := s.Trim(t.Context(), time.Now().Add(time.Hour), 0, 200)
	if err != nil || step.Events != 0 || step.Alerts != 0 {
		t.Fatalf("removed %+v, %v", step, err)
	}
	if err := s.Place(t.Context()); err != nil {
		t.Fatal(err)
	}
	if events, _, err := s.Events(t.Context(), 0, 9); err != nil || len(events) != 1 {
		t.Errorf("events %v, %v", events, err)
	}
}

func TestTrim_AReaderThatKeepsUpMissesNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		f := feed.New(s, slog.New(slog.NewTextHandler(t.Output(), nil)))
		defer follow(f)()
		var creator sync.WaitGroup
		defer creator.Wait()
		defer cancel()
		r, err := f.Open(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		const n = 300
		creator.Go(func() {
			for range n {
				if _, err := s.CreateAlerts(ctx, []store.AlertInsert{insert(alert("error"))}, "x"); err != nil {
					t.Error(err)
					return
				}
			}
		})
		removed := 0
		for position := int64(0); position < n; {
			events, err := r.Next(ctx)
			if err != nil {
				t.Fatalf("behind %d: %v", position, err)
			}
			for _, e := range events {
				if position++; e.Position != position {
					t.Fatalf("event %d came as number %d", e.Position, position)
				}
			}
			// Everything that was seen is old, the last event itself is not.
			sum := sweep(t, s, events[len(events)-1].At, 5)
			removed += sum.Events
		}
		if removed == 0 {
			t.Error("nothing was removed meanwhile")
		}
	})
}

func TestTrim_SeveralProcessesDoItTogether(t *testing.T) {
	url := testkit.NewDatabase(t)
	stores := []*store.Store{open(t, url), open(t, url), open(t, url)}
	c := newChannel(t, stores[0], "one")
	const n = 300
	ended(t, stores[0], n, models.Delivered, c)
	before := age(t, stores[0])
	var mu sync.Mutex
	var sum store.Trimmed
	var processes sync.WaitGroup
	giveUp := time.Now().Add(2 * time.Minute)
	for _, s := range stores {
		processes.Go(func() {
			// Who finds another one at it has done nothing, and may do so as often as the scheduler likes: the end is
			// when all is removed, and a little later, should anything be counted twice.
			for later, after := 0, int64(0); later < 10 && time.Now().Before(giveUp); {
				step, err := s.Trim(t.Context(), before, after, 7)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				sum.Alerts += step.Alerts
				sum.Deliveries += step.Deliveries
				sum.Attempts += step.Attempts
				sum.Events += step.Events
				if sum.Alerts >= n {
					later++
				}
				mu.Unlock()
				if after = step.After; !step.More { // another one is at it, or nothing is left
					after = 0
				}
			}
		})
	}
	processes.Wait()
	if sum.Alerts != n || sum.Deliveries != n || sum.Attempts != n || sum.Events != 2*n {
		t.Errorf("removed %+v of %d alerts", sum, n)
	}
}
