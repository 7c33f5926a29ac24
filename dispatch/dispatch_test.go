package dispatch

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/notifiers"
	"github.com/rustbucket/alerts/seal"
	"github.com/rustbucket/alerts/store"
	"github.com/rustbucket/alerts/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.Run(m)) }

// notifierFunc lets a test decide what becomes of a send; everything else is the real thing.
type notifierFunc func(ctx context.Context, n notifiers.Notification) notifiers.Outcome

func (f notifierFunc) Send(ctx context.Context, n notifiers.Notification) notifiers.Outcome {
	return f(ctx, n)
}

// world is an intake and a dispatcher at work on a database.
type world struct {
	t          *testing.T
	store      *store.Store
	directory  *Directory
	dispatcher *Dispatcher
	intake     *Intake
	stop       func()
}

func newWorld(t *testing.T, url string, send notifierFunc) *world {
	return newWorldWith(t, store.Options{URL: url}, send)
}

func newWorldWith(t *testing.T, o store.Options, send notifierFunc) *world {
	t.Helper()
	keys, err := seal.New(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	o.Keyring, o.Log = keys, log
	s, err := store.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, store: s, directory: NewDirectory(s, log)}
	if err := w.directory.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.dispatcher = NewDispatcher(s, w.directory, notifiers.Set{models.Webhook: send}, 2*time.Second, nil, log)
	w.intake = NewIntake(s, w.directory, w.dispatcher)
	ctx, cancel := context.WithCancel(context.Background())
	taking := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() { w.dispatcher.Run(ctx) })
	running.Go(func() { w.directory.Run(ctx) })
	running.Go(func() {
		s.Listen(ctx, func(topic string) {
			if topic == store.TopicChannels {
				w.directory.Changed()
			}
		})
	})
	testkit.Until(t, "the dispatcher to say that it lives", w.dispatcher.alive)
	taken := make(chan struct{})
	running.Go(func() { defer close(taken); w.intake.Run(context.Background(), taking) })
	w.stop = sync.OnceFunc(func() { close(taking); <-taken; cancel(); running.Wait(); s.Close() })
	t.Cleanup(w.stop)
	return w
}

func onBoth(t *testing.T, test func(t *testing.T, url string)) {
	t.Run("SQLite", func(t *testing.T) { test(t, "sqlite:"+filepath.Join(t.TempDir(), "alerts.db")) })
	t.Run("PostgreSQL", func(t *testing.T) { test(t, testkit.NewDatabase(t)) })
}

func (w *world) channel(name string, change ...func(*models.Channel)) *models.Channel {
	w.t.Helper()
	c := &models.Channel{Name: name, IsActive: true, Config: &models.WebhookConfig{URL: "http://" + name}}
	for _, f := range change {
		f(c)
	}
	if err := w.store.CreateChannel(w.t.Context(), c); err != nil {
		w.t.Fatal(err)
	}
	if err := w.directory.Refresh(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (w *world) create(n int) []*models.Alert {
	w.t.Helper()
	alerts := make([]*models.NewAlert, n)
	for i := range alerts {
		alerts[i] = &models.NewAlert{Type: "error", Message: fmt.Sprint(i), Notify: true}
	}
	var all []*models.Alert
	for part := range slices.Chunk(alerts, 250) { // a commit has its time limit, which a slow machine needs for more
		created, err := w.intake.Create(w.t.Context(), part)
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, created...)
	}
	return all
}

// deliveries gives all deliveries on a channel, newest first.
func (w *world) deliveries(c *models.Channel) []*models.Delivery {
	w.t.Helper()
	all, err := w.store.Deliveries(w.t.Context(), &models.DeliveryFilter{ChannelID: &c.ID}, 0, 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

func (w *world) health(c *models.Channel) *models.ChannelHealth {
	w.t.Helper()
	h, err := w.store.Healths(w.t.Context(), []int64{c.ID})
	if err != nil {
		w.t.Fatal(err)
	}
	return h[c.ID]
}

func (w *world) untilHealth(c *models.Channel, want models.HealthState) {
	w.t.Helper()
	testkit.Until(w.t, fmt.Sprintf("channel %s to be %s", c.Name, want), func() bool {
		return w.health(c).State == want && w.directory.State(c.ID).Health == want
	})
}

// alerts gives the alerts of a type, newest first.
func (w *world) alerts(kind string) []*models.Alert {
	w.t.Helper()
	all, err := w.store.Alerts(w.t.Context(), &models.AlertFilter{Types: []string{kind}}, 0, 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

func (w *world) count(status models.DeliveryStatus, channel *models.Channel) int {
	w.t.Helper()
	n, err := w.store.CountDeliveries(w.t.Context(), &models.DeliveryFilter{Statuses: []models.DeliveryStatus{status}, ChannelID: &channel.ID})
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

func host(n notifiers.Notification) string {
	return n.Config.(*models.WebhookConfig).URL[len("http://"):]
}

func TestDispatcher_AHungChannelHoldsUpNobodyElse(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		var hanging atomic.Int64
		end := make(chan struct{})
		w := newWorld(t, url, func(ctx context.Context, n notifiers.Notification) notifiers.Outcome {
			if host(n) == "good" {
				return notifiers.Outcome{}
			}
			hanging.Add(1)
			<-end // for longer than a notifier may: none of them ends before the good channel has been told everything
			<-ctx.Done()
			return notifiers.Outcome{Result: notifiers.Retry, Error: "no answer"}
		})
		defer close(end)
		bad, good := w.channel("bad"), w.channel("good")
		w.create(1000)
		testkit.Until(t, "as many sends to hang as may", func() bool { return hanging.Load() >= maxInFlight })
		testkit.Until(t, "the good channel", func() bool { return w.count(models.Delivered, good) == 1000 })
		if n := w.count(models.Pending, bad); n != 1000 {
			t.Errorf("%d deliveries of the hung channel wait", n)
		}
		if n := hanging.Load(); n != maxInFlight {
			t.Errorf("%d sends in flight on one channel, want at most %d", n, maxInFlight)
		}
	})
}

// When the database was away for longer than a process may be silent, all have been. What they have sent meanwhile must not be
// taken from them before they can say that they live, or it is sent again.
func TestDispatcher_ALapseTakesNothingFromTheLiving(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		var sends atomic.Int64 // of its own delivery
		answer := make(chan struct{})
		send := func(_ context.Context, n notifiers.Notification) notifiers.Outcome {
			if n.Alert.Type == "error" {
				sends.Add(1)
				<-answer
			}
			return notifiers.Outcome{StatusCode: 200}
		}
		w := newWorld(t, url, send)
		c := w.channel("good")
		w.create(1)
		testkit.Until(t, "the send", func() bool { return sends.Load() == 1 })
		if _, err := w.store.Beat(t.Context(), "other", time.Hour); err != nil { // or it would be taken for dead before anything lapses
			t.Fatal(err)
		}
		others := []store.AlertInsert{{New: &models.NewAlert{Type: "x", Message: "x"}, Deliveries: []store.NewDelivery{{ChannelID: c.ID, Leased: true}}}}
		if _, err := w.store.CreateAlerts(t.Context(), others, "other"); err != nil {
			t.Fatal(err)
		}
		w.dispatcher.aliveUntil.Store(w.store.Now().Add(-time.Second).UnixMicro()) // first: from here on it takes nothing from anybody
		for _, process := range []string{"other", w.dispatcher.holder} {
			if _, err := w.store.Beat(t.Context(), process, -time.Second); err != nil {
				t.Fatal(err)
			}
		}
		w.dispatcher.due(t.Context())
		w.dispatcher.beat(t.Context())
		w.dispatcher.due(t.Context())
		if leased, err := w.store.Leased(t.Context(), "other"); err != nil || len(leased) != 1 {
			t.Errorf("the other process holds %v, %v", leased, err)
		}
		close(answer)
		testkit.Until(t, "its own delivery", func() bool { return w.count(models.Delivered, c) >= 1 })
		if n := sends.Load(); n != 1 {
			t.Errorf("sent %d times", n)
		}
	})
}

// As many come in as can be sent, so that the lane never runs low: what waits in the database has its turn all the same.
func TestDispatcher_WhatComesInDoesNotPassByWhatWaits(t *testing.T) {
	var sent atomic.Int64
	old := make(chan struct{}, 1)
	w := newWorld(t, "sqlite:"+filepath.Join(t.TempDir(), "alerts.db"), func(_ context.Context, n notifiers.Notification) notifiers.Outcome {
		if n.Alert.Type == "old" {
			select {
			case old <- struct{}{}:
			default:
			}
		}
		time.Sleep(100 * time.Millisecond)
		sent.Add(1)
		return notifiers.Outcome{StatusCode: 200}
	})
	c := w.channel("busy")
	created, until := 0, time.Now().Add(time.Minute)
	for waits := false; ; time.Sleep(10 * time.Millisecond) {
		if n := 200 - (created - int(sent.Load())); n > 0 {
			w.create(n)
			created += n
		}
		if !waits { // as a second attempt does
			waits = true
			a := &models.NewAlert{Type: "old", Message: "waits", Notify: true}
			_, err := w.store.CreateAlerts(t.Context(), []store.AlertInsert{{New: a, Deliveries: []store.NewDelivery{{ChannelID: c.ID}}}}, "")
			if err != nil {
				t.Fatal(err)
			}
		}
		select {
		case <-old:
			return
		default:
		}
		if time.Now().After(until) {
			t.Fatalf("it was passed by for a minute: %d of %d were sent", sent.Load(), created)
		}
	}
}

func TestDispatcher_ABacklogIsDrainedWholeAndInOrder(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		var mu sync.Mutex
		sent := map[string]int{}
		w := newWorld(t, url, func(_ context.Context, n notifiers.Notification) notifiers.Outcome {
			mu.Lock()
			defer mu.Unlock()
			sent[n.Key]++
			return notifiers.Outcome{StatusCode: 200}
		})
		c := w.channel("good")
		for range 3 {
			w.create(1000) // more than a lane holds: the rest waits in the database
		}
		testkit.Until(t, "all deliveries", func() bool { return w.count(models.Delivered, c) == 3000 })
		mu.Lock()
		defer mu.Unlock()
		for key, n := range sent {
			if n != 1 {
				t.Errorf("%s was sent %d times", key, n)
			}
		}
		if len(sent) != 3000 {
			t.Errorf("%d of 3000 were sent", len(sent))
		}
	})
}

func TestDispatcher_AnotherProcessTakesOverWhatADeadOneHeld(t *testing.T) {
	url := testkit.NewDatabase(t)
	w := newWorld(t, url, func(context.Context, notifiers.Notification) notifiers.Outcome { return notifiers.Outcome{} })
	c := w.channel("good")
	// A process that leased a delivery and was killed: it does not say any more that it lives.
	results, err := w.store.CreateAlerts(t.Context(), []store.AlertInsert{{
		New: &models.NewAlert{Type: "error", Message: "m", Notify: true}, Deliveries: []store.NewDelivery{{ChannelID: c.ID, Leased: true}},
	}}, "dead")
	if err != nil {
		t.Fatal(err)
	}
	testkit.Until(t, "the delivery", func() bool { return w.count(models.Delivered, c) == 1 })
	// The dead one was only slow: what it says now comes too late.
	late := []store.Outcome{{Delivery: results[0].Deliveries[0], Status: models.Failed}}
	recorded, err := w.store.Record(t.Context(), "dead", late, w.dispatcher.react)
	if err != nil || len(recorded.Applied) != 0 {
		t.Errorf("a late outcome was recorded: %v, %v", recorded, err)
	}
}

func TestDispatcher_OutcomesDecideWhatBecomesOfADelivery(t *testing.T) {
	w := newWorld(t, "sqlite:"+filepath.Join(t.TempDir(), "alerts.db"), nil)
	now := w.store.Now()
	first, tenth := &models.Delivery{ID: 1, SeriesBegan: now}, &models.Delivery{ID: 1, Attempts: 9, SeriesBegan: now}
	retried := &models.Delivery{ID: 1, Attempts: 12, SeriesStart: 10, SeriesBegan: now}
	old := &models.Delivery{ID: 1, SeriesBegan: now.Add(-models.MaxWait - time.Second)}
	again := func(after time.Duration, asked bool) notifiers.Outcome {
		return notifiers.Outcome{Result: notifiers.Retry, Error: "no", RetryAfter: after, Asked: asked}
	}
	for name, c := range map[string]struct {
		delivery  *models.Delivery
		outcome   notifiers.Outcome
		status    models.DeliveryStatus
		min, max  time.Duration // until the next attempt
		uncounted bool
	}{
		"delivered":                    {first, notifiers.Outcome{}, models.Delivered, 0, 0, false},
		"permanent":                    {first, notifiers.Outcome{Result: notifiers.Permanent, Error: "no"}, models.Failed, 0, 0, false},
		"broken":                       {first, notifiers.Outcome{Result: notifiers.ChannelBroken, Error: "no"}, models.Failed, 0, 0, false},
		"retry":                        {first, again(0, false), models.Pending, 4 * time.Second, 6 * time.Second, false},
		"retry, not before":            {first, again(time.Minute, false), models.Pending, time.Minute, time.Minute, false},
		"retry, may be sooner":         {first, again(time.Second, false), models.Pending, 4 * time.Second, 6 * time.Second, false},
		"the last one":                 {tenth, again(0, false), models.Failed, 0, 0, false},
		"third of a series by hand":    {retried, again(0, false), models.Pending, 96 * time.Second, 144 * time.Second, false},
		"asked for time":               {first, again(time.Second, true), models.Pending, time.Second, time.Second, true},
		"asked for time, tenth":        {tenth, again(time.Second, true), models.Pending, time.Second, time.Second, true},
		"asked for time, for too long": {old, again(time.Second, true), models.Failed, 0, 0, false},
	} {
		attempt := &models.DeliveryAttempt{Number: c.delivery.Attempts + 1, Error: optional(c.outcome.Error)}
		began := w.store.Now()
		o := w.dispatcher.judge(store.Claimed{Delivery: c.delivery}, attempt, c.outcome)
		if o.Status != c.status || (o.Error == nil) != (c.status == models.Delivered) || (o.NextAttemptAt != nil) != (c.status == models.Pending) || o.Uncounted != c.uncounted {
			t.Errorf("%s: %+v", name, o)
		}
		if o.NextAttemptAt != nil {
			if at, ended := *o.NextAttemptAt, w.store.Now(); at.Before(began.Add(c.min)) || at.After(ended.Add(c.max)) {
				t.Errorf("%s, between %v and %v: the next attempt is at %v, want %v to %v later", name, began, ended, at, c.min, c.max)
			}
		}
	}
}

func TestDispatcher_ANotifierThatPanicsHarmsOneDelivery(t *testing.T) {
	w := newWorld(t, "sqlite:"+filepath.Join(t.TempDir(), "alerts.db"), func(_ context.Context, n notifiers.Notification) notifiers.Outcome {
		if host(n) == "bad" {
			panic("oops")
		}
		return notifiers.Outcome{}
	})
	bad, good := w.channel("bad"), w.channel("good")
	w.create(5)
	testkit.Until(t, "both channels", func() bool { return w.count(models.Failed, bad) == 5 && w.count(models.Delivered, good) >= 5 })
}

func TestDispatcher_SendsOnAChannelThatAnotherProcessHasJustSwitchedOn(t *testing.T) {
	w := newWorld(t, "sqlite:"+filepath.Join(t.TempDir(), "alerts.db"), func(context.Context, notifiers.Notification) notifiers.Outcome {
		return notifiers.Outcome{}
	})
	c := w.channel("hook", func(c *models.Channel) { c.IsActive = false })
	for n := range 20 {
		// The other process's change, of which this one has not heard; what it knows was read a moment ago.
		if _, err := w.store.SetChannelsActive(t.Context(), []int64{c.ID}, false); err != nil {
			t.Fatal(err)
		}
		if err := w.directory.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := w.store.SetChannelsActive(t.Context(), []int64{c.ID}, true); err != nil {
			t.Fatal(err)
		}
		_, err := w.store.CreateAlerts(t.Context(), []store.AlertInsert{{
			New: &models.NewAlert{Type: "error", Message: "m", Notify: true}, Deliveries: []store.NewDelivery{{ChannelID: c.ID}},
		}}, "another process")
		if err != nil {
			t.Fatal(err)
		}
		w.dispatcher.Wake([]int64{c.ID})
		testkit.Until(t, "the end of the delivery", func() bool { return w.count(models.Pending, c) == 0 })
		if got := w.count(models.Delivered, c); got != n+1 {
			t.Fatalf("%d of %d were delivered: %+v", got, n+1, w.deliveries(c)[0])
		}
	}
}
