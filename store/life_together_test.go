package store_test

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/seal"
	"github.com/rustbucket/alerts/store"
	"github.com/rustbucket/alerts/testkit"
)

// TestLife_ProcessesAtOnceLeaveTheStoryWhole lets processes do at the same time what a walk does one after the other. None
// may meet an error, such as a deadlock; in the end everything comes to its end, and what is stored tells one story.
func TestLife_ProcessesAtOnceLeaveTheStoryWhole(t *testing.T) {
	c, stored := together(t, false)
	for _, d := range stored {
		if n := len(c.applied[d.ID]); n != d.Attempts {
			t.Errorf("delivery %d: %d attempts applied: %+v", d.ID, n, *d.Delivery)
		}
	}
}

// TestLife_WhatIsToldLastIsHowTheAlertIs lets people acknowledge, resolve and reopen the same alerts at the same time, through
// several processes, while others send. Nothing is given up, so in the end every channel knows how each alert is.
func TestLife_WhatIsToldLastIsHowTheAlertIs(t *testing.T) {
	c, stored := together(t, true)
	type pair struct{ alert, channel int64 }
	last := make(map[pair]models.DeliveryKind)
	told := make(map[models.DeliveryKind]int)
	for _, d := range stored {
		if d.Status != models.Delivered {
			if d.Attempts > 0 { // it may have been taken: what comes next is told whatever was told before
				last[pair{d.AlertID, d.ChannelID}] = "nobody knows what"
			}
			continue
		}
		told[d.Kind]++
		was, is := last[pair{d.AlertID, d.ChannelID}], d.Kind
		if was == is || was == "" && is != models.TellAlert || was == models.TellResolved && is == models.TellAcknowledged {
			t.Errorf("channel %d was told %s of alert %d after %q", d.ChannelID, is, d.AlertID, was)
		}
		last[pair{d.AlertID, d.ChannelID}] = is
	}
	for p, kind := range last {
		want := map[models.AlertState][]models.DeliveryKind{
			models.Open: {models.TellAlert, models.TellReopened}, models.Acknowledged: {models.TellAcknowledged}, models.Resolved: {models.TellResolved},
		}[c.states[p.alert]]
		if !slices.Contains(want, kind) {
			t.Errorf("alert %d is %s, channel %d was told %s last", p.alert, c.states[p.alert], p.channel, kind)
		}
	}
	if told[models.TellAcknowledged] == 0 || told[models.TellResolved] == 0 {
		t.Errorf("not all kinds were told: %v", told)
	}
	t.Logf("told %v", told)
}

// together lets processes be at work at the same time and everything come to its end. Calm = nothing is given up or cancelled.
func together(t *testing.T, calm bool) (*crowd, []store.StoredDelivery) {
	seed, _ := lifeSeed(t)
	url := testkit.NewDatabase(t)
	c := &crowd{t: t, s: open(t, url), calm: calm, applied: make(map[int64]map[int]bool)}
	for i := range 4 {
		c.channels = append(c.channels, newChannel(t, c.s, sprintf("channel %d", i)))
		c.ids = append(c.ids, c.channels[i].ID)
		if _, err := c.s.UpdateChannel(t.Context(), c.ids[i], func(u *models.Channel) error { u.NotifyOnResolve, u.NotifyOnAcknowledge = true, true; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	steps := 150
	if calm {
		steps = 250
	}
	var wg sync.WaitGroup
	for i := range uint64(8) {
		m := &member{crowd: c, s: openAgain(t, url), id: sprintf("process %d", i), rng: rand.New(rand.NewPCG(seed, i))}
		// Calm: longer than all this takes on any machine, and not beyond the first turn of the clock.
		if _, err := m.s.Beat(t.Context(), m.id, 9*time.Minute); err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			for range steps {
				m.step()
			}
			if !calm {
				return // what it has in hand is lost with it
			}
			ids, err := m.s.Leased(t.Context(), m.id)
			if err == nil {
				err = m.s.Release(t.Context(), m.id, ids)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if calm {
		c.endDifferently()
	}
	c.drain()
	stored, err := c.s.StoredDeliveries(t.Context(), c.ids)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range stored {
		if fault := unsound(d); fault != "" {
			t.Errorf("delivery %d: %s: %+v", d.ID, fault, *d.Delivery)
		}
		if d.Status == models.Pending {
			t.Errorf("delivery %d is stuck: %+v", d.ID, *d.Delivery)
		}
	}
	for _, fault := range history(t.Context(), c.s, 0, stored) {
		t.Error(fault)
	}
	c.checkChanges()
	t.Logf("%d deliveries", len(stored))
	return c, stored
}

// endDifferently leaves one alert resolved and another acknowledged, which by chance none may be.
func (c *crowd) endDifferently() {
	change := func(id int64, what models.AlertChange) bool {
		_, _, err := c.s.ChangeAlert(c.t.Context(), id, what)
		if err != nil && !models.HasCode(err, models.Conflict) {
			c.t.Fatal(err)
		}
		return err == nil
	}
	change(c.alerts[0], resolve)
	for _, id := range c.alerts[1:] {
		if id != c.alerts[0] && (change(id, acknowledge) || change(id, reopen) && change(id, acknowledge)) {
			return
		}
	}
	c.t.Fatal("no alert could be acknowledged")
}

// checkChanges sees to it that alerts and their histories are one story, and notes how it ends.
func (c *crowd) checkChanges() {
	alerts, err := c.s.AlertsByID(c.t.Context(), c.alerts)
	if err != nil {
		c.t.Fatal(err)
	}
	histories, err := c.s.Histories(c.t.Context(), c.alerts)
	if err != nil {
		c.t.Fatal(err)
	}
	c.states = make(map[int64]models.AlertState, len(alerts))
	for id, a := range alerts {
		c.states[id] = a.State()
		state := models.Open
		for _, e := range histories[id] {
			was := state
			switch e.Kind {
			case models.WasAcknowledged:
				state = models.Acknowledged
			case models.WasResolved:
				state = models.Resolved
			case models.WasReopened:
				state = models.Open
			default:
				continue
			}
			if was == state || was == models.Resolved && state == models.Acknowledged {
				c.t.Errorf("alert %d went from %s to %s", id, was, state)
			}
		}
		if a.State() != state {
			c.t.Errorf("alert %d is %s, its history ends with %s", id, a.State(), state)
		}
	}
}

// openAgain opens a database as another process does.
func openAgain(t *testing.T, url string) *store.Store {
	keys, err := seal.New(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), store.Options{URL: url, Keyring: keys, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// crowd is what the processes have in common.
type crowd struct {
	t        *testing.T
	s        *store.Store
	channels []*models.Channel
	ids      []int64

	mu      sync.Mutex
	calm    bool
	states  map[int64]models.AlertState // in the end
	alerts  []int64
	applied map[int64]map[int]bool // numbers of the attempts that were recorded, by delivery
}

// member is one process.
type member struct {
	*crowd
	s    *store.Store
	id   string
	rng  *rand.Rand
	fine bool // every receiver takes what it is sent
	hand []store.Claimed
}

// step does one thing at random. What somebody else came before is no error.
func (m *member) step() {
	ctx := m.t.Context()
	c := m.channels[m.rng.IntN(len(m.channels))]
	var err error
	n := m.rng.IntN(100)
	if m.calm {
		n = 15 + m.rng.IntN(90-15)
	}
	switch {
	case n < 15:
		// Often it dies before its next beat, while others are at work.
		_, err = m.s.Beat(ctx, m.id, time.Duration(m.rng.Int64N(int64(200*time.Millisecond))))
	case n < 30 && !(m.calm && m.has(8)): // calm: few alerts, of which much becomes
		err = m.create(ctx)
	case n < 50:
		var claims *store.Claims
		if _, err = m.s.Reclaim(ctx); err != nil {
			break
		}
		if claims, err = m.s.Claim(ctx, c, 20, m.id, time.Millisecond); err == nil {
			m.hand = append(m.hand, slices.Concat(claims.Messages...)...)
		}
	case n < 70:
		err = m.record(ctx, m.hand)
		m.hand = nil
	case n < 74:
		var ids []int64
		for _, x := range m.hand {
			ids = append(ids, x.Delivery.ID)
		}
		err = m.s.Release(ctx, m.id, ids)
		m.hand = nil
	case n < 78 || m.calm:
		err = m.change(ctx)
	case n < 83:
		if d, found := m.s.Deliveries(ctx, &models.DeliveryFilter{ChannelID: &c.ID}, 0, 50); found == nil && len(d) > 0 {
			_, err = m.s.RetryDelivery(ctx, d[m.rng.IntN(len(d))].ID)
		}
	case n < 86:
		_, _, err = m.s.RetryDeliveries(ctx, &models.DeliveryFilter{ChannelID: &c.ID})
	case n < 90:
		_, _, err = m.s.CancelDeliveries(ctx, &models.DeliveryFilter{ChannelID: &c.ID})
	case n < 94:
		ids := m.ids
		if m.rng.IntN(2) > 0 {
			ids = []int64{c.ID}
		}
		_, err = m.s.SetChannelsActive(ctx, ids, m.rng.IntN(4) > 0)
	case n < 96:
		_, err = m.s.UpdateChannel(ctx, c.ID, func(u *models.Channel) error { u.IsActive = m.rng.IntN(4) > 0; return nil })
	case n < 97:
		err = m.s.CancelStranded(ctx)
	case n < 98:
		_, err = m.s.NoteSuccesses(ctx, map[int64]time.Time{m.ids[0]: m.s.Now(), c.ID: m.s.Now()}, silent)
	case n < 99:
		err = m.s.Leave(ctx, m.id)
	default:
		err = m.s.Place(ctx)
	}
	if err != nil && !models.HasCode(err, models.Conflict) && !models.HasCode(err, models.NotFound) {
		m.t.Errorf("%s: %v", m.id, err)
	}
}

// change does something with alerts: one, some, or all that match.
func (m *member) change(ctx context.Context) error {
	id := m.anyAlert()
	c := models.AlertChange{Kind: []models.AlertEventKind{models.WasAcknowledged, models.WasResolved, models.WasReopened, models.WasCommented}[m.rng.IntN(4)]}
	which := models.AlertSelection{Filter: &models.AlertFilter{MinSeverity: ptr(models.SeverityLow)}}
	if m.rng.IntN(2) > 0 {
		which = models.AlertSelection{IDs: []int64{id, m.anyAlert(), m.anyAlert()}}
	}
	var err error
	switch n := m.rng.IntN(10); {
	case id == 0:
	case n < 7 || m.calm:
		_, _, err = m.s.ChangeAlert(ctx, id, c)
	case n < 8:
		_, _, err = m.s.ChangeAlerts(ctx, which, c)
	default:
		_, _, err = m.s.DeleteAlerts(ctx, models.AlertSelection{IDs: []int64{id}})
	}
	return err
}

func (m *member) create(ctx context.Context) error {
	var batch []store.AlertInsert
	for range 1 + m.rng.IntN(6) {
		a := alert("error")
		if m.rng.IntN(3) == 0 {
			key := sprintf("key %d", m.rng.IntN(3))
			a.DedupKey = &key
		}
		in := insert(a, m.channels...)
		for i := range in.Deliveries {
			in.Deliveries[i].Leased = m.rng.IntN(2) > 0
		}
		batch = append(batch, in)
	}
	results, err := m.s.CreateAlerts(ctx, batch, m.id)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, r := range results {
		m.alerts = append(m.alerts, r.Alert.ID)
		for j, d := range r.Deliveries {
			if batch[i].Deliveries[j].Leased {
				m.hand = append(m.hand, store.Claimed{Delivery: d, Alert: r.Alert})
			}
		}
	}
	return nil
}

// has reports whether there are so many alerts.
func (c *crowd) has(n int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.alerts) >= n
}

func (m *member) anyAlert() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.alerts) == 0 {
		return 0
	}
	return m.alerts[m.rng.IntN(len(m.alerts))]
}

// record reports attempts, in the order in which they happened to end.
func (m *member) record(ctx context.Context, hand []store.Claimed) error {
	var outcomes []store.Outcome
	plain := m.rng.IntN(3) == 0 // nothing but successes goes a way of its own
	for _, i := range m.rng.Perm(len(hand)) {
		x := hand[i]
		now, why := m.s.Now(), "failed"
		o := store.Outcome{Delivery: x.Delivery, Alert: x.Alert, Status: models.Delivered}
		o.Attempt = &models.DeliveryAttempt{DeliveryID: x.Delivery.ID, Number: x.Delivery.Attempts + 1, StartedAt: now}
		switch n := m.rng.IntN(10); {
		case m.fine && x.NotToTell == "":
			o.Observed = &models.Observation{At: now, Kind: models.Worked}
		case x.NotToTell != "":
			o = store.Outcome{Delivery: x.Delivery, Alert: x.Alert, Status: models.Cancelled, Error: &x.NotToTell}
		case plain || n < 5:
		case n < 8 || m.calm:
			o.Status, o.Error, o.Attempt.Error, o.NextAttemptAt = models.Pending, &why, &why, &now
			o.Observed = &models.Observation{At: now, Kind: models.Failing, Error: why}
		default:
			o.Status, o.Error, o.Attempt.Error = models.Failed, &why, &why
			o.Observed = &models.Observation{At: now, Kind: models.Refused, Error: why}
		}
		outcomes = append(outcomes, o)
	}
	for part := range slices.Chunk(outcomes, store.MaxOutcomes) {
		recorded, err := m.s.Record(ctx, m.id, part, silent)
		if err != nil {
			return err
		}
		m.mu.Lock()
		for id, d := range recorded.Applied {
			if m.applied[id] == nil {
				m.applied[id] = make(map[int]bool)
			}
			if d.Attempts > 0 {
				m.applied[id][d.Attempts] = true
			}
		}
		m.mu.Unlock()
	}
	return nil
}

// drain lets everything come to its end. How many times somebody has to look depends on how much waits behind each other.
func (c *crowd) drain() {
	ctx := c.t.Context()
	if _, err := c.s.SetChannelsActive(ctx, nil, true); err != nil {
		c.t.Fatal(err)
	}
	m := &member{crowd: c, s: c.s, id: "last", rng: rand.New(rand.NewPCG(0, 0)), fine: true}
	waiting := &models.DeliveryFilter{Statuses: []models.DeliveryStatus{models.Pending}}
	for range 200 {
		switch n, err := c.s.CountDeliveries(ctx, waiting); {
		case err != nil:
			c.t.Fatal(err)
		case n == 0:
			return
		}
		c.s.TurnClock(10 * time.Minute)
		if _, err := c.s.Beat(ctx, m.id, time.Minute); err != nil {
			c.t.Fatal(err)
		}
		if _, err := c.s.Reclaim(ctx); err != nil {
			c.t.Fatal(err)
		}
		for _, channel := range c.channels {
			hand := claim(c.t, c.s, channel, 500, m.id)
			if err := m.record(ctx, hand); err != nil {
				c.t.Fatal(err)
			}
		}
	}
}
