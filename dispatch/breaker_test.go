package dispatch

import (
	"context"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/notifiers"
	"github.com/rustbucket/alerts/store"
	"github.com/rustbucket/alerts/testkit"
)

// faulty is a receiver that a test breaks and mends.
type faulty struct {
	outcome atomic.Pointer[notifiers.Outcome] // of channel "bad"; nil = it works
	sends   atomic.Int64                      // to it
}

func (f *faulty) send(_ context.Context, n notifiers.Notification) notifiers.Outcome {
	if host(n) != "bad" {
		return notifiers.Outcome{}
	}
	f.sends.Add(1)
	if o := f.outcome.Load(); o != nil {
		return *o
	}
	return notifiers.Outcome{}
}

var (
	unreachable = &notifiers.Outcome{Result: notifiers.Retry, Error: "no answer"}
	gone        = &notifiers.Outcome{Result: notifiers.ChannelBroken, Error: "no such webhook", StatusCode: 404}
)

func TestBreaker_PausesAChannelAndResumesItAfterAProbe(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, url string) {
		t.Parallel()
		var f faulty
		f.outcome.Store(unreachable)
		w := newWorld(t, url, f.send)
		bad, good := w.channel("bad"), w.channel("good")
		began := time.Now()
		w.create(1)
		w.untilHealth(bad, models.HealthFailing)
		w.create(100)
		w.untilHealth(bad, models.HealthPaused)
		testkit.Until(t, "the sends in flight to end", func() bool { return w.count(models.Delivered, good) >= 101 })
		h := w.health(bad)
		if *h.LastError != "no answer" || h.NextProbeAt == nil || h.Waiting != 101 || h.OldestWaitingAge == nil || h.LastSuccessAt != nil {
			t.Errorf("health %+v", h)
		}
		// What came in before it was paused may have been tried, nothing since.
		tried := f.sends.Load()
		if tried > models.PauseAfter+2*maxInFlight {
			t.Errorf("%d sends on a channel that fails", tried)
		}
		w.create(50)
		f.outcome.Store(nil)
		w.untilHealth(bad, models.HealthOK)
		testkit.Until(t, "what waited", func() bool { return w.count(models.Delivered, bad) >= 151 })
		most := 3 + int(time.Since(began)/(15*time.Second)) // the longer it takes, the more often it is tried
		for _, d := range w.deliveries(bad) {
			if d.Kind == models.TellAlert && d.Attempts > most {
				t.Errorf("delivery %d took %d attempts", d.ID, d.Attempts)
			}
		}
		if h := w.health(bad); h.LastSuccessAt == nil || h.NextProbeAt != nil || h.Waiting != 0 {
			t.Errorf("health %+v", h)
		}
	})
}

func TestBreaker_ABrokenChannelWaitsUntilSomebodyMendsIt(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, url string) {
		t.Parallel()
		var f faulty
		f.outcome.Store(gone)
		w := newWorld(t, url, f.send)
		bad := w.channel("bad")
		w.create(1)
		w.untilHealth(bad, models.HealthBroken)
		if n := w.count(models.Failed, bad); n != 1 {
			t.Errorf("%d deliveries are final at once, want the one that was tried", n)
		}
		w.create(10)
		if n := w.count(models.Pending, bad); n != 10 {
			t.Errorf("%d deliveries wait", n)
		}
		f.outcome.Store(nil)
		_, err := w.store.UpdateChannel(t.Context(), bad.ID, func(c *models.Channel) error {
			c.Config = &models.WebhookConfig{URL: "http://good"}
			return nil
		})
		if err != nil || w.directory.Refresh(t.Context()) != nil {
			t.Fatal(err)
		}
		w.dispatcher.Wake([]int64{bad.ID})
		testkit.Until(t, "what waited", func() bool { return w.count(models.Delivered, bad) == 10 })
		if f.sends.Load() != 1 || w.health(bad).State != models.HealthOK {
			t.Errorf("%d sends to the old place, health %+v", f.sends.Load(), w.health(bad))
		}
	})
}

func TestBreaker_ATestThatWorksPutsAChannelIntoService(t *testing.T) {
	t.Parallel()
	var f faulty
	f.outcome.Store(gone)
	w := newWorld(t, "sqlite:"+t.TempDir()+"/alerts.db", f.send)
	bad := w.channel("bad")
	w.create(2)
	w.untilHealth(bad, models.HealthBroken)
	w.create(5)
	if r := w.dispatcher.Test(t.Context(), bad, bad.Config); r.Success || w.health(bad).State != models.HealthBroken {
		t.Errorf("a test that fails: %+v, %+v", r, w.health(bad))
	}
	f.outcome.Store(nil)
	if r := w.dispatcher.Test(t.Context(), bad, bad.Config); !r.Success {
		t.Errorf("a test that works: %+v", r)
	}
	testkit.Until(t, "what waited", func() bool { return w.count(models.Pending, bad) == 0 })
	w.untilHealth(bad, models.HealthOK)
}

func TestBreaker_IsSharedByProcessesAndHoldsOverRestarts(t *testing.T) {
	t.Parallel()
	url := testkit.NewDatabase(t)
	var f faulty
	f.outcome.Store(unreachable)
	w := newWorld(t, url, f.send)
	bad := w.channel("bad")
	other := newWorld(t, url, f.send)
	w.create(40)
	w.untilHealth(bad, models.HealthPaused)
	testkit.Until(t, "the other process to know", func() bool { return other.directory.State(bad.ID).Health == models.HealthPaused })
	sends := f.sends.Load()
	other.create(40)
	w.stop()
	third := newWorld(t, url, f.send)
	third.create(40)
	if h := third.health(bad); h.State != models.HealthPaused || h.Waiting != 120 {
		t.Errorf("health after a restart: %+v", h)
	}
	if n := f.sends.Load() - sends; n > 1+maxInFlight { // one probe at most, and what was in flight
		t.Errorf("%d sends while it was paused", n)
	}
	f.outcome.Store(nil)
	third.untilHealth(bad, models.HealthOK)
	testkit.Until(t, "what waited", func() bool { return third.count(models.Delivered, bad) == 120 })
}

func TestBreaker_AServiceThatAsksForTimeGetsItFromAllDeliveries(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, url string) {
		t.Parallel()
		var asked atomic.Int64
		var early atomic.Int64
		var until atomic.Int64
		var w *world
		w = newWorld(t, url, func(_ context.Context, n notifiers.Notification) notifiers.Outcome {
			now := w.store.Now() // by the clock by which it waits
			if now.UnixMicro() < until.Load() {
				early.Add(1)
			}
			if asked.Add(1) == 1 {
				until.Store(now.Add(1500 * time.Millisecond).UnixMicro())
				return notifiers.Outcome{Result: notifiers.Retry, Error: "slow down", StatusCode: 429, RetryAfter: 1500 * time.Millisecond, Asked: true}
			}
			return notifiers.Outcome{}
		})
		c := w.channel("limited")
		first := w.create(1)
		var put *models.Delivery
		testkit.Until(t, "the service to ask for time", func() bool { put = w.deliveries(c)[0]; return put.SeriesStart == 1 })
		if h := w.health(c); h.HeldUntil == nil && put.NextAttemptAt != nil && w.store.Now().Before(*put.NextAttemptAt) {
			t.Errorf("health while the service has time: %+v", h)
		}
		w.create(50)
		testkit.Until(t, "all deliveries", func() bool { return w.count(models.Delivered, c) == 51 })
		if n := early.Load(); n > 0 {
			t.Errorf("%d sends before the time that the service asked for was over", n)
		}
		all := w.deliveries(c)
		d := all[len(all)-1]
		if d.AlertID != first[0].ID || d.Attempts != 2 || d.SeriesStart != 1 {
			t.Errorf("the delivery that was put off: %+v", d)
		}
		if h := w.health(c); h.State != models.HealthOK || h.HeldUntil != nil {
			t.Errorf("health %+v", h)
		}
	})
}

func TestAnnounce_TellsTheOtherChannelsOnceAndSaysWhenItIsOver(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, url string) {
		t.Parallel()
		var f faulty
		f.outcome.Store(unreachable)
		w := newWorld(t, url, f.send)
		bad := w.channel("bad")
		good := w.channel("good", func(c *models.Channel) { c.NotifyOnResolve = true })
		w.create(60)
		w.untilHealth(bad, models.HealthPaused)
		testkit.Until(t, "the alert about it", func() bool { return w.count(models.Delivered, good) == 61 })
		raised := w.alerts(channelFailing)
		if len(raised) != 1 {
			t.Fatalf("%d alerts were raised", len(raised))
		}
		a := raised[0]
		if a.Source() != models.FromServer || a.Severity != models.SeverityHigh || !strings.Contains(a.Message, `"bad"`) || !strings.Contains(a.Message, "no answer") {
			t.Errorf("alert %+v", a)
		}
		for _, d := range a.Decisions {
			if want := map[int64]models.RoutingReason{bad.ID: models.AboutItself, good.ID: models.Matched}[d.ChannelID]; d.Reason != want {
				t.Errorf("decision %+v, want %s", d, want)
			}
		}
		f.outcome.Store(nil)
		testkit.Until(t, "the end of it to be told", func() bool { return w.count(models.Delivered, good) == 62 })
		if a := w.alerts(channelFailing)[0]; !a.IsResolved() || a.Occurrences != 1 {
			t.Errorf("alert %+v", a)
		}
		if last := w.deliveries(good)[0]; last.Kind != models.TellResolved || last.AlertID != a.ID {
			t.Errorf("the last delivery is %+v", last)
		}
	})
}

func TestAnnounce_TellsOfDeliveriesOfAnOfflineRustbucketThatAreGivenUp(t *testing.T) {
	var f faulty
	f.outcome.Store(&notifiers.Outcome{Result: notifiers.Permanent, Error: "the receiver answered 400 Bad Request", StatusCode: 400})
	w := newWorld(t, "sqlite:"+filepath.Join(t.TempDir(), "alerts.db"), f.send)
	bad := w.channel("bad")
	key := models.OfflineKey("BKT1")
	offline := &models.NewAlert{Type: models.RustbucketOffline, Message: "m", DedupKey: &key, Notify: true, CreatedBy: models.ServerItself}
	if _, err := w.store.CreateAlerts(t.Context(), []store.AlertInsert{w.dispatcher.Announce(offline)}, ""); err != nil {
		t.Fatal(err)
	}
	w.dispatcher.Wake([]int64{bad.ID})
	testkit.Until(t, "the alert about it", func() bool { return len(w.alerts(deliveryFailed)) == 1 })
}

func TestAnnounce_TellsOfDeliveriesThatAreGivenUpAndNeverOfItsOwn(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, url string) {
		t.Parallel()
		var f faulty
		f.outcome.Store(&notifiers.Outcome{Result: notifiers.Permanent, Error: "the receiver answered 400 Bad Request", StatusCode: 400})
		w := newWorld(t, url, f.send)
		bad := w.channel("bad")
		// Every alert of the server's own fails here, too: it must not raise another.
		worse := w.channel("worse", func(c *models.Channel) {
			c.AlertTypes, c.Config = []string{channelFailing, deliveryFailed}, &models.WebhookConfig{URL: "http://bad"}
		})
		good := w.channel("good")
		w.create(1)
		testkit.Until(t, "the alert about it", func() bool { return w.count(models.Delivered, good) == 2 && w.count(models.Failed, worse) == 1 })
		w.create(4)
		testkit.Until(t, "the others to be given up", func() bool { return w.count(models.Failed, bad) == 5 })
		raised := w.alerts(deliveryFailed)
		if len(raised) != 1 || raised[0].Occurrences < 2 || raised[0].Source() != models.FromServer || !strings.Contains(raised[0].Message, "400") {
			t.Fatalf("raised: %+v", raised)
		}
		if h := w.health(bad); h.State != models.HealthFailing {
			t.Errorf("a channel that refuses messages at once: %+v", h)
		}
		f.outcome.Store(nil)
		w.create(1)
		w.untilHealth(bad, models.HealthOK)
		testkit.Until(t, "the alert to be resolved", func() bool { return w.alerts(deliveryFailed)[0].IsResolved() })
		// Soon again: stored, and nobody is told anew.
		f.outcome.Store(gone)
		w.create(1)
		testkit.Until(t, "the new alert", func() bool { return len(w.alerts(deliveryFailed)) == 2 })
		if a := w.alerts(deliveryFailed)[0]; a.Notify {
			t.Errorf("told again at once: %+v", a)
		}
	})
}

func TestAnnounce_TellsOfASecondOutageSoonAfterTheFirstWhenItLasts(t *testing.T) {
	t.Parallel()
	var ahead atomic.Int64
	wall := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	var f faulty
	f.outcome.Store(unreachable)
	w := newWorldWith(t, store.Options{URL: "sqlite:" + t.TempDir() + "/alerts.db", Wall: wall}, f.send)
	later := func(d time.Duration) {
		ahead.Add(int64(d))
		testkit.Until(t, "this process to say that it lives", func() bool { w.dispatcher.beat(t.Context()); return w.dispatcher.alive() })
	}
	bad, good := w.channel("bad"), w.channel("good")
	fail := func() {
		w.create(40)
		w.untilHealth(bad, models.HealthPaused)
	}
	fail()
	testkit.Until(t, "the alert about it", func() bool { return w.count(models.Delivered, good) == 41 })
	f.outcome.Store(nil)
	later(time.Minute)
	w.untilHealth(bad, models.HealthOK)
	testkit.Until(t, "what waited", func() bool { return w.count(models.Pending, bad) == 0 })
	f.outcome.Store(unreachable)
	fail()
	testkit.Until(t, "the second alert", func() bool { return len(w.alerts(channelFailing)) == 2 })
	if a := w.alerts(channelFailing)[0]; a.Notify || a.IsResolved() {
		t.Errorf("the second alert: %+v", a)
	}
	later(tellAgain)
	testkit.Until(t, "the alert about an outage that lasts", func() bool { return w.count(models.Delivered, good) == 82 })
	all := w.alerts(channelFailing)
	if len(all) != 3 || !all[0].Notify || all[0].IsResolved() || !all[1].IsResolved() {
		t.Errorf("the alerts: %+v", all)
	}
	later(tellAgain)
	testkit.Until(t, "another probe", func() bool { return w.health(bad).LastErrorAt.After(all[0].CreatedAt.Add(time.Minute)) })
	if n := len(w.alerts(channelFailing)); n != 3 {
		t.Errorf("%d alerts although people know", n)
	}
}

func TestDispatcher_GivesUpWhatWaitsTooLongForABrokenChannel(t *testing.T) {
	t.Parallel()
	var ahead atomic.Int64
	wall := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	var f faulty
	f.outcome.Store(gone)
	w := newWorldWith(t, store.Options{URL: "sqlite:" + t.TempDir() + "/alerts.db", Wall: wall}, f.send)
	bad := w.channel("bad")
	w.create(1)
	w.untilHealth(bad, models.HealthBroken)
	w.create(3)
	ahead.Store(int64(models.MaxWait + time.Minute))
	testkit.Until(t, "this process to say that it lives", func() bool { w.dispatcher.beat(t.Context()); return w.dispatcher.alive() })
	testkit.Until(t, "all to be given up", func() bool {
		w.dispatcher.expire(t.Context())
		return w.count(models.Failed, bad) == 4
	})
	if d := w.deliveries(bad)[0]; !strings.Contains(*d.Error, "36h") || !strings.Contains(*d.Error, "BROKEN") && !strings.Contains(*d.Error, "no such webhook") {
		t.Errorf("delivery %+v: %s", d, *d.Error)
	}
}

// ahead is a machine's clock that a test sets forward.
type ahead struct{ by atomic.Int64 }

func (a *ahead) now() time.Time { return time.Now().Add(time.Duration(a.by.Load())) }

func TestBreaker_WhatIsOnlyToBeEndedWaitsForNoProbe(t *testing.T) {
	t.Parallel()
	var f faulty
	var clock ahead
	f.outcome.Store(unreachable)
	w := newWorldWith(t, store.Options{URL: "sqlite:" + t.TempDir() + "/alerts.db", Wall: clock.now}, f.send)
	bad := w.channel("bad", func(c *models.Channel) { c.NotifyOnResolve = true })
	a := w.create(1)[0]
	w.untilHealth(bad, models.HealthFailing)
	w.resolve(a.ID)
	f.outcome.Store(gone)
	w.untilHealth(bad, models.HealthBroken)
	clock.by.Store(int64(2 * time.Minute)) // nothing but the resolve of what was never told is left to find out with
	testkit.Until(t, "the end of the resolve", func() bool { return w.count(models.Pending, bad) == 0 })
	if d := w.deliveries(bad)[0]; d.Status != models.Cancelled || *d.Error != models.NeverTold {
		t.Errorf("the resolve: %+v", d)
	}
}

func TestBreaker_AFailureBringsTheLastSuccessAlong(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		t.Parallel()
		var f faulty
		w := newWorld(t, url, f.send)
		c := w.channel("bad")
		w.create(1)
		testkit.Until(t, "a success", func() bool { return w.count(models.Delivered, c) == 1 })
		f.outcome.Store(unreachable)
		w.create(1)
		testkit.Until(t, "a failure", func() bool { return w.health(c).LastError != nil })
		// Successes are stored now and then only; a row of failures must not be counted without them.
		w.dispatcher.mu.Lock()
		_, left := w.dispatcher.successes[c.ID]
		w.dispatcher.mu.Unlock()
		if left {
			t.Error("the failure has left the success behind")
		}
		testkit.Until(t, "the success, should it be stored by itself at this very moment", func() bool { return w.health(c).LastSuccessAt != nil })
		if h := w.health(c); h.State != models.HealthFailing {
			t.Errorf("health %+v", h)
		}
	})
}
