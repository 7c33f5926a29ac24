package dispatch

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/notifiers"
	"github.com/rustbucket/alerts/store"
	"github.com/rustbucket/alerts/testkit"
)

// told is a receiver that keeps what it was told, in order.
type told struct {
	mu   sync.Mutex
	sent []notifiers.Notification
}

func (r *told) send(_ context.Context, n notifiers.Notification) notifiers.Outcome {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent = append(r.sent, n)
	return notifiers.Outcome{StatusCode: 200}
}

func (r *told) all() []notifiers.Notification {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]notifiers.Notification(nil), r.sent...)
}

func (w *world) createOf(severity models.Severity, n int) []*models.NewAlert {
	alerts := make([]*models.NewAlert, n)
	for i := range alerts {
		alerts[i] = &models.NewAlert{Type: severity.Lower(), Severity: severity, Message: fmt.Sprint(i), Notify: true}
	}
	return alerts
}

func (w *world) resolve(id int64) {
	w.t.Helper()
	_, channels, err := w.store.ChangeAlert(w.t.Context(), id, models.AlertChange{Kind: models.WasResolved})
	if err != nil {
		w.t.Fatal(err)
	}
	w.dispatcher.Wake(channels)
}

func TestLimit_WhatWaitsIsToldInOneDigestTheWorstFirst(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, url string) {
		t.Parallel()
		var r told
		w := newWorld(t, url, r.send)
		c := w.channel("limited", func(c *models.Channel) { c.RateLimit = &models.RateLimit{PerMinute: 60, Burst: 2} })
		began := w.store.Now()
		_, err := w.intake.Create(t.Context(), append(append(w.createOf(models.SeverityLow, 6), w.createOf(models.SeverityHigh, 3)...), w.createOf(models.SeverityMedium, 4)...))
		if err != nil {
			t.Fatal(err)
		}
		testkit.Until(t, "all deliveries", func() bool { return w.count(models.Delivered, c) == 13 })
		took := w.store.Now().Sub(began)
		sent := r.all()
		last := slices.IndexFunc(sent, func(n notifiers.Notification) bool { return n.Digest != nil })
		// While nobody looks for two seconds, two slots open, and there is room for two more that need no digest.
		if last < 2 || last != len(sent)-1 || last > 2 && took < 2*time.Second {
			t.Fatalf("%d messages for 13 alerts in %v, digest %d: %+v", len(sent), took, last, sent)
		}
		if sent[0].Alert.Severity != models.SeverityHigh || sent[1].Alert.Severity != models.SeverityHigh {
			t.Errorf("the first were %+v and %+v", sent[0].Alert, sent[1].Alert)
		}
		rest := 13 - last
		if d := sent[last].Digest; len(d.Items) != rest || d.ChannelID != c.ID ||
			!slices.IsSortedFunc(d.Items, func(a, b models.DigestItem) int { return cmp.Compare(b.Alert.Severity, a.Alert.Severity) }) || last == 2 && d.Items[0].Alert.Severity != models.SeverityHigh {
			t.Errorf("digest %+v", d)
		}
		if took < time.Second {
			t.Errorf("the slot after a burst opened after %v", took)
		}
		alone, together := 0, 0
		for _, d := range w.deliveries(c) {
			switch {
			case d.DigestSize == nil:
				alone++
			case *d.DigestSize == rest:
				together++
			}
		}
		if alone != last || together != rest {
			t.Errorf("%d deliveries say that they went alone, %d in a digest", alone, together)
		}
		log, err := w.store.AttemptsOfDeliveries(t.Context(), []int64{w.deliveries(c)[12].ID})
		if err != nil || len(log) != 1 {
			t.Errorf("attempts %v, %v", log, err)
		}
	})
}

func TestLimit_ADigestThatFailsIsTriedAgainWhole(t *testing.T) {
	t.Parallel()
	var r told
	var failed atomic.Bool
	w := newWorld(t, "sqlite:"+t.TempDir()+"/alerts.db", func(ctx context.Context, n notifiers.Notification) notifiers.Outcome {
		r.send(ctx, n)
		if n.Digest != nil && failed.CompareAndSwap(false, true) {
			return notifiers.Outcome{Result: notifiers.Retry, Error: "not now"}
		}
		return notifiers.Outcome{}
	})
	c := w.channel("limited", func(c *models.Channel) { c.RateLimit = &models.RateLimit{PerMinute: 600, Burst: 1} })
	w.create(1)
	w.create(5)
	testkit.Until(t, "all deliveries", func() bool { return w.count(models.Delivered, c) == 6 })
	var keys []string
	for _, n := range r.all() {
		if n.Digest != nil {
			keys = append(keys, n.Key)
		}
	}
	if len(keys) != 2 || keys[0] != keys[1] {
		t.Errorf("digests %v, want the same one twice", keys)
	}
}

func TestLimit_HoldsForAllProcessesTogether(t *testing.T) {
	t.Parallel()
	url := testkit.NewDatabase(t)
	var r told
	one := newWorld(t, url, r.send)
	c := one.channel("limited", func(c *models.Channel) { c.RateLimit = &models.RateLimit{PerMinute: 60, Burst: 3} })
	two := newWorld(t, url, r.send)
	// By their own clocks, which follow the database's, and may go forward a little when they are set by it.
	earlier, later := one.store.Now(), one.store.Now()
	if now := two.store.Now(); now.Before(earlier) {
		earlier = now
	}
	var callers sync.WaitGroup
	for _, w := range []*world{one, two} {
		callers.Go(func() {
			for range 20 {
				w.create(1)
			}
		})
	}
	callers.Wait()
	testkit.Until(t, "all deliveries", func() bool { return one.count(models.Delivered, c) == 40 })
	n := len(r.all())
	for _, now := range []time.Time{one.store.Now(), two.store.Now()} {
		if now.After(later) {
			later = now
		}
	}
	if most := 3 + int(later.Sub(earlier)/time.Second) + 1; n > most {
		t.Errorf("%d messages in %v, want at most %d", n, later.Sub(earlier), most)
	}
}

func TestOrder_AResolveNeverOvertakesItsAlert(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, url string) {
		t.Parallel()
		var r told
		release := make(chan struct{})
		var held atomic.Int64
		w := newWorld(t, url, func(ctx context.Context, n notifiers.Notification) notifiers.Outcome {
			if n.Kind == models.TellAlert {
				held.Add(1)
				<-release
			}
			return r.send(ctx, n)
		})
		c := w.channel("pager", func(c *models.Channel) { c.NotifyOnResolve = true })
		quiet := w.channel("quiet")
		alerts := w.create(10)
		testkit.Until(t, "the sends to begin", func() bool { return held.Load() == 20 })
		for _, a := range alerts {
			w.resolve(a.ID)
		}
		w.resolve(alerts[0].ID) // once more changes nothing
		if n := w.count(models.Pending, c); n != 20 {
			t.Errorf("%d deliveries wait, want 10 alerts and 10 resolves", n)
		}
		close(release)
		testkit.Until(t, "all deliveries", func() bool { return w.count(models.Delivered, c) == 20 && w.count(models.Delivered, quiet) == 10 })
		seen := map[int64]models.DeliveryKind{}
		for _, n := range r.all() {
			if host(n) != "pager" {
				continue
			}
			if n.Kind == models.TellResolved && (seen[n.Alert.ID] != models.TellAlert || !n.Alert.IsResolved()) {
				t.Errorf("alert %d: the resolve came before it, or does not say that it is resolved", n.Alert.ID)
			}
			seen[n.Alert.ID] = n.Kind
		}
	})
}

func TestOrder_AResolveOfWhatWasNeverToldIsNotSent(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, url string) {
		t.Parallel()
		var r told
		answer := make(chan struct{})
		w := newWorld(t, url, func(ctx context.Context, n notifiers.Notification) notifiers.Outcome {
			r.send(ctx, n)
			<-answer
			return notifiers.Outcome{Result: notifiers.Permanent, Error: "no"}
		})
		c := w.channel("pager", func(c *models.Channel) { c.NotifyOnResolve = true })
		a := w.create(1)[0]
		testkit.Until(t, "the send to begin", func() bool { return len(r.all()) == 1 })
		w.resolve(a.ID)
		close(answer)
		testkit.Until(t, "the end of both", func() bool { return w.count(models.Cancelled, c) == 1 && w.count(models.Failed, c) == 1 })
		if d := w.deliveries(c)[0]; d.Kind != models.TellResolved || *d.Error != models.NeverTold || d.Attempts != 0 {
			t.Errorf("the resolve: %+v", d)
		}
		// Resolved after it was given up: there is nothing to take back.
		b := w.create(1)[0]
		testkit.Until(t, "the second to be given up", func() bool { return w.count(models.Failed, c) == 2 })
		w.resolve(b.ID)
		if n := len(w.deliveries(c)); n != 3 {
			t.Errorf("%d deliveries", n)
		}
	})
}

func TestPause_KeepsOrDropsWhatComesInMeanwhile(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, url string) {
		t.Parallel()
		var r told
		w := newWorld(t, url, r.send)
		c := w.channel("hook")
		pause := func(p *models.Pause) {
			t.Helper()
			if err := w.store.BeginPause(t.Context(), p); err != nil {
				t.Fatal(err)
			}
			if err := w.directory.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		resume := func() {
			t.Helper()
			if was, err := w.store.EndPause(t.Context()); err != nil || !was {
				t.Errorf("resumed: %v, %v", was, err)
			}
			if err := w.directory.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.dispatcher.Wake([]int64{c.ID})
		}
		pause(&models.Pause{Reason: "moving house", Afterwards: models.TellThem, By: "me"})
		kept := w.create(5)
		if kept[0].PauseReason == nil || *kept[0].PauseReason != "moving house" || kept[0].Decisions[0].Reason != models.Matched {
			t.Errorf("alert %+v", kept[0])
		}
		pause(&models.Pause{Reason: "still moving", Afterwards: models.DropThem, By: "me"})
		dropped := w.create(5)
		if dropped[0].Decisions[0].Reason != models.Paused {
			t.Errorf("alert %+v", dropped[0])
		}
		if stored, err := w.store.Alert(t.Context(), dropped[0].ID); err != nil || *stored.PauseReason != "still moving" {
			t.Errorf("stored %+v, %v", stored, err)
		}
		if due, err := w.store.DueChannels(t.Context()); err != nil || len(due) != 0 || len(r.all()) != 0 {
			t.Errorf("due while paused: %v, %v; %d messages", due, err, len(r.all()))
		}
		resume()
		testkit.Until(t, "what was kept", func() bool { return w.count(models.Delivered, c) == 5 })
		// It ends by itself, too.
		until := w.store.Now().Add(300 * time.Millisecond)
		pause(&models.Pause{Until: &until, Reason: "short", Afterwards: models.TellThem, By: "me"})
		w.create(3)
		testkit.Until(t, "what came in during the short pause", func() bool { return w.count(models.Delivered, c) == 8 })
		if w.store.Now().Before(until) {
			t.Error("told before the pause was over")
		}
		if n := len(r.all()); n != 8 {
			t.Errorf("%d messages", n)
		}
	})
}

func TestClock_SetBackHoldsNothingUp(t *testing.T) {
	t.Parallel()
	var back atomic.Int64
	wall := func() time.Time { return time.Now().Add(-time.Duration(back.Load())) }
	path := "sqlite:" + t.TempDir() + "/alerts.db"
	var r told
	first := true
	var mu sync.Mutex
	w := newWorldWith(t, store.Options{URL: path, Wall: wall}, func(ctx context.Context, n notifiers.Notification) notifiers.Outcome {
		mu.Lock()
		defer mu.Unlock()
		if first {
			first = false
			return notifiers.Outcome{Result: notifiers.Retry, Error: "not now"}
		}
		return r.send(ctx, n)
	})
	c := w.channel("hook")
	before := w.create(1)[0]
	testkit.Until(t, "the first attempt", func() bool { return w.deliveries(c)[0].Attempts == 1 })
	back.Store(int64(time.Hour))
	if now := w.store.Now(); now.Before(before.CreatedAt) {
		t.Errorf("the clock went back to %v", now)
	}
	for range 3 {
		w.create(500) // more than a lane takes: some wait in the database
	}
	testkit.Until(t, "all deliveries, the retry too", func() bool { return w.count(models.Delivered, c) == 1501 })
	// After a restart the clock is an hour behind what is stored: what was never tried must not wait for it.
	if err := w.store.BeginPause(t.Context(), &models.Pause{Reason: "x", Afterwards: models.TellThem}); err != nil {
		t.Fatal(err)
	}
	if err := w.directory.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.create(10)
	w.stop()
	again := newWorldWith(t, store.Options{URL: path, Wall: wall}, r.send)
	if _, err := again.store.ReleaseAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := again.store.EndPause(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := again.directory.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	testkit.Until(t, "what waited over the restart", func() bool { return again.count(models.Delivered, c) == 1511 })
}

func TestPause_ThatIsLongLeavesTheSameTimeToBeTaken(t *testing.T) {
	t.Parallel()
	var clock ahead
	var busy atomic.Bool
	busy.Store(true)
	w := newWorldWith(t, store.Options{URL: "sqlite:" + t.TempDir() + "/alerts.db", Wall: clock.now}, func(context.Context, notifiers.Notification) notifiers.Outcome {
		if busy.Load() {
			return notifiers.Outcome{Result: notifiers.Retry, Asked: true, RetryAfter: time.Second, Error: "slow down"}
		}
		return notifiers.Outcome{}
	})
	c := w.channel("hook")
	if err := w.store.BeginPause(t.Context(), &models.Pause{Reason: "a long weekend", Afterwards: models.TellThem, By: "me"}); err != nil {
		t.Fatal(err)
	}
	if err := w.directory.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.create(5)
	clock.by.Store(int64(2 * models.MaxWait))
	if _, err := w.store.EndPause(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.directory.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	testkit.Until(t, "the service to ask for time", func() bool { return w.health(c).HeldUntil != nil })
	busy.Store(false)
	testkit.Until(t, "all of them", func() bool { return w.count(models.Delivered, c) == 5 })
}

func TestHands_WhatIsCancelledInAQueueIsNotSent(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, url string) {
		t.Parallel()
		var sends atomic.Int64
		end := make(chan struct{})
		w := newWorld(t, url, func(context.Context, notifiers.Notification) notifiers.Outcome {
			sends.Add(1)
			<-end
			return notifiers.Outcome{}
		})
		c := w.channel("slow")
		w.create(400)
		testkit.Until(t, "the first sends", func() bool { return sends.Load() == maxInFlight })
		n, channels, err := w.store.CancelDeliveries(t.Context(), &models.DeliveryFilter{ChannelID: &c.ID})
		if n != 400 || err != nil {
			t.Errorf("cancelled %d, %v", n, err)
		}
		w.dispatcher.Recall(channels)
		testkit.Until(t, "what was not sent to be cancelled", func() bool { return w.count(models.Cancelled, c) == 400-maxInFlight })
		close(end)
		testkit.Until(t, "what was being sent", func() bool { return w.count(models.Delivered, c) == maxInFlight })
	})
}
