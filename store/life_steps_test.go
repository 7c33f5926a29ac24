package store_test

import (
	"slices"
	"time"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/store"
)

// What may happen in a walk, besides what processes do with deliveries.

// operations are all steps of a walk, and how often each is taken.
var operations = []struct {
	weight int
	do     func(*walk)
}{
	{20, (*walk).createSome},
	{25, func(w *walk) { w.claim(w.anyAlive(), w.anyChannel(), 1+w.rng.IntN(5)) }},
	{25, (*walk).recordSome},
	{12, (*walk).turn},
	{12, func(w *walk) { w.beat(w.anyProcess()) }},
	{3, (*walk).crash},
	{2, (*walk).leave},
	{4, (*walk).releaseSome},
	{2, (*walk).orphans},
	{12, (*walk).change},
	{2, (*walk).deleteAlert},
	{5, (*walk).retryOne},
	{2, (*walk).retryMany},
	{3, (*walk).cancelMany},
	{4, func(w *walk) { w.setActive(w.anyChannel(), w.rng.IntN(3) > 0) }},
	{3, (*walk).update},
	{1, (*walk).deleteOne},
	{2, (*walk).cancelStranded},
	{2, (*walk).test},
	{2, (*walk).noteSuccess},
	{2, (*walk).beginPause},
	{4, (*walk).resume},
	{4, (*walk).claimExpired},
}

func (w *walk) anyChannel() *modelChannel { return pick(w, w.sorted()) }

func (w *walk) anyProcess() *process { return pick(w, w.processes[len(w.processes)-4:]) }

// anyAlive gives a process that lives, after a beat if none does.
func (w *walk) anyAlive() *process {
	p := w.anyProcess()
	if !p.until.After(w.s.Now()) {
		w.beat(p)
	}
	return p
}

func (w *walk) anyDelivery() *modelDelivery {
	return pick(w, w.all(func(*modelDelivery) bool { return true }))
}

// pick gives one of several at random, or nothing when there are none.
func pick[T any](w *walk, from []T) (one T) {
	if len(from) > 0 {
		one = from[w.rng.IntN(len(from))]
	}
	return one
}

func (w *walk) name(kind string) string {
	w.names++
	return sprintf("%s-%d-%d", kind, w.seed, w.names)
}

// turn lets time pass: mostly a little, now and then so much that everything has waited too long.
func (w *walk) turn() {
	most := pick(w, []time.Duration{10 * time.Second, 30 * time.Second, 5 * time.Minute, 2 * time.Hour})
	if w.rng.IntN(25) == 0 {
		most = 50 * time.Hour
	}
	d := time.Duration(w.rng.Int64N(int64(most)))
	w.note("%v pass", d)
	w.s.TurnClock(d)
}

// join adds a process.
func (w *walk) join() {
	w.processes = append(w.processes, &process{id: w.name("process")})
	w.beat(w.processes[len(w.processes)-1])
}

// beat says that a process lives: also one that was taken for dead.
func (w *walk) beat(p *process) {
	until, err := w.s.Beat(w.t.Context(), p.id, walkLives)
	w.must(err)
	if !p.until.After(w.s.Now()) {
		p.life++
	}
	p.until = until
}

// crash ends a process for good, with all that it knows.
func (w *walk) crash() {
	p := w.anyProcess()
	w.note("%s crashes", p.id)
	p.hand = nil
	i := slices.Index(w.processes, p)
	w.processes = slices.Insert(slices.Delete(w.processes, i, i+1), 0, p)
	w.join()
}

// leave ends a process in good order; what it did not hand back is late from then on.
func (w *walk) leave() {
	p := w.anyProcess()
	w.note("%s leaves", p.id)
	w.must(w.s.Leave(w.t.Context(), p.id))
	p.until = time.Time{}
}

func (w *walk) newChannel(limited, mail bool) *modelChannel {
	c := &models.Channel{
		Name: w.name("channel"), IsActive: true, AlertTypes: []string{}, NotifyOnResolve: w.rng.IntN(3) > 0,
		NotifyOnAcknowledge: w.rng.IntN(3) > 0,
		Config:              &models.WebhookConfig{URL: "https://example.com/hook"},
	}
	if limited {
		c.RateLimit = &models.RateLimit{PerMinute: 6, Burst: 2}
	}
	if mail {
		c.Config = &models.PagerDutyConfig{RoutingKey: "secret"}
	}
	w.must(w.s.CreateChannel(w.t.Context(), c))
	m := &modelChannel{Channel: c, state: models.ChannelState{ChannelID: c.ID, Health: models.HealthOK, Since: c.CreatedAt}}
	w.channels[c.ID] = m
	return m
}

// createSome creates a few alerts. Now and then a process has not heard yet that a channel is out of use.
func (w *walk) createSome() {
	now, p := w.s.Now(), w.anyProcess()
	var batch []store.AlertInsert
	for range 1 + w.rng.IntN(4) {
		a := &models.NewAlert{Type: "error", Severity: models.Severity(w.rng.IntN(3)), Message: "m", Notify: true}
		if w.rng.IntN(3) == 0 {
			key := sprintf("%d-%d", w.seed, w.rng.IntN(3))
			a.DedupKey = &key
		}
		in := store.AlertInsert{New: a}
		for _, c := range w.sorted() {
			if able := c.IsActive && c.DeletedAt == nil; able && w.rng.IntN(2) > 0 || !able && w.rng.IntN(20) == 0 {
				in.Deliveries = append(in.Deliveries, store.NewDelivery{ChannelID: c.ID, Leased: p.until.After(now) && w.rng.IntN(3) > 0})
			}
		}
		batch = append(batch, in)
	}
	results, err := w.s.CreateAlerts(w.t.Context(), batch, p.id)
	w.must(err)
	for i, r := range results {
		key := ""
		if k := batch[i].New.DedupKey; k != nil {
			key = *k
		}
		open := slices.ContainsFunc(w.alerts, func(a *modelAlert) bool { return key != "" && a.key == key && !a.resolved })
		if r.Duplicate != open || open && len(r.Deliveries) > 0 || !open && len(r.Deliveries) != len(batch[i].Deliveries) {
			w.fail("alert with the key %q: %+v", key, r)
		}
		if open {
			continue
		}
		w.alerts = append(w.alerts, &modelAlert{id: r.Alert.ID, key: key, severity: r.Alert.Severity})
		for j, d := range r.Deliveries {
			m := w.born(d, r.Alert.Severity)
			if !batch[i].Deliveries[j].Leased {
				w.move(m, created)
				continue
			}
			w.move(m, createdHeld)
			m.holder = p.id
			p.hand = append(p.hand, inHand{Claimed: store.Claimed{Delivery: d, Alert: r.Alert}, at: now, life: p.life})
		}
	}
	w.note("%s creates %d alerts", p.id, len(batch))
}

func (w *walk) born(d *models.Delivery, severity models.Severity) *modelDelivery {
	m := &modelDelivery{
		id: d.ID, alert: d.AlertID, channel: w.channels[d.ChannelID], kind: d.Kind, severity: severity, due: d.CreatedAt, began: d.CreatedAt,
	}
	w.deliveries[d.ID] = m
	return m
}

func (w *walk) setActive(c *modelChannel, active bool) {
	w.note("channel %d active: %v", c.ID, active)
	t0 := w.s.Now()
	_, err := w.s.SetChannelsActive(w.t.Context(), []int64{c.ID}, active)
	if c.DeletedAt != nil {
		w.expectCode(err, models.NotFound)
		return
	}
	w.must(err)
	switch {
	case c.IsActive == active:
	case active:
		c.IsActive = true
		c.mend(t0, w.s.Now())
	default:
		w.putOut(c)
	}
}

// putOut is what becomes of a channel that is deactivated.
func (w *walk) putOut(c *modelChannel) {
	c.IsActive = false
	for _, d := range w.all(func(d *modelDelivery) bool { return d.channel == c && d.pending() && d.wish == "" }) {
		w.cancel(d, store.CancelledInactive, w.s.Now())
	}
}

// update changes a channel's settings, its config among them or not, and now and then deactivates it that way.
func (w *walk) update() {
	c, off, mended := w.anyChannel(), w.rng.IntN(4) == 0, w.rng.IntN(2) == 0
	w.note("channel %d is updated, deactivated: %v, mended: %v", c.ID, off, mended)
	t0 := w.s.Now()
	_, err := w.s.UpdateChannel(w.t.Context(), c.ID, func(u *models.Channel) error {
		u.IsActive = u.IsActive && !off
		if mended {
			u.Config = &models.WebhookConfig{URL: sprintf("http://mended/%d", len(w.story))}
		}
		return nil
	})
	switch {
	case c.DeletedAt != nil:
		w.expectCode(err, models.NotFound)
	case c.IsActive && off:
		w.must(err)
		w.putOut(c)
	default:
		w.must(err)
		if mended {
			c.mend(t0, w.s.Now())
		}
	}
}

// deleteOne deletes a channel, and makes another in its place.
func (w *walk) deleteOne() {
	c := w.anyChannel()
	if c.DeletedAt != nil {
		return
	}
	w.note("channel %d is deleted", c.ID)
	_, err := w.s.DeleteChannels(w.t.Context(), []int64{c.ID})
	w.must(err)
	now := w.s.Now()
	c.DeletedAt = &now
	for _, d := range w.all(func(d *modelDelivery) bool { return d.channel == c && d.pending() && d.wish == "" }) {
		w.cancel(d, store.CancelledDeleted, now)
	}
	w.newChannel(c.RateLimit != nil, c.Type() == models.PagerDuty)
}

func (w *walk) cancelStranded() {
	w.note("what is stranded is cancelled")
	w.must(w.s.CancelStranded(w.t.Context()))
	w.strand()
}

// test sees that a channel works.
func (w *walk) test() {
	c, t0 := w.anyChannel(), w.s.Now()
	w.note("channel %d passes a test", c.ID)
	w.must(w.s.ChannelsWork(w.t.Context(), []int64{c.ID}))
	c.mend(t0, w.s.Now())
}

func (w *walk) noteSuccess() {
	c, at := w.anyChannel(), w.s.Now().Add(-time.Duration(w.rng.Int64N(int64(time.Minute)))).Truncate(time.Microsecond)
	w.note("channel %d worked at %s", c.ID, at.Format(time.TimeOnly))
	_, err := w.s.NoteSuccesses(w.t.Context(), map[int64]time.Time{c.ID: at}, silent)
	w.must(err)
	c.state = c.state.Observe(models.Observation{Kind: models.Worked, At: at})
}

func (w *walk) beginPause() {
	p := &models.Pause{Reason: "r", Afterwards: models.TellThem, By: "somebody"}
	if w.rng.IntN(2) > 0 {
		until := w.s.Now().Add(time.Duration(w.rng.Int64N(int64(time.Hour)))).Truncate(time.Microsecond)
		p.Until = &until
	}
	w.note("notifications are paused until %v", p.Until)
	w.must(w.s.BeginPause(w.t.Context(), p))
	w.pause = p
}

func (w *walk) resume() {
	paused := w.pause.At(w.s.Now()) != nil
	w.note("notifications are resumed")
	ended, err := w.s.EndPause(w.t.Context())
	w.must(err)
	if ended != paused {
		w.fail("a pause was ended: %v, want %v", ended, paused)
	}
	w.pause = nil
}

func (w *walk) expectCode(err error, code models.ErrorCode) {
	w.t.Helper()
	if !models.HasCode(err, code) {
		w.fail("the error is %v, want %s", err, code)
	}
}

// silent raises nothing.
func silent([]*store.StateChange) store.Reaction { return store.Reaction{} }
