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
	seed, _ := lifeSeed(t)
	url := testkit.NewDatabase(t)
	c := &crowd{t: t, s: open(t, url), applied: make(map[int64]map[int]bool)}
	for i := range 4 {
		c.channels = append(c.channels, newChannel(t, c.s, sprintf("channel %d", i)))
		c.ids = append(c.ids, c.channels[i].ID)
		if _, err := c.s.UpdateChannel(t.Context(), c.ids[i], func(u *models.Channel) error { u.NotifyOnResolve = true; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	for i := range uint64(8) {
		m := &member{crowd: c, s: openAgain(t, url), id: sprintf("process %d", i), rng: rand.New(rand.NewPCG(seed, i))}
		wg.Go(func() {
			for range 150 {
				m.step()
			}
		})
	}
	wg.Wait()
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
		if n := len(c.applied[d.ID]); n != d.Attempts {
			t.Errorf("delivery %d: %d attempts applied: %+v", d.ID, n, *d.Delivery)
		}
	}
	for _, fault := range history(t.Context(), c.s, 0, stored) {
		t.Error(fault)
	}
	t.Logf("%d deliveries", len(stored))
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
	switch n := m.rng.IntN(100); {
	case n < 15:
		// Often it dies before its next beat, while others are at work.
		_, err = m.s.Beat(ctx, m.id, time.Duration(m.rng.Int64N(int64(200*time.Millisecond))))
	case n < 30:
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
	case n < 78:
		if id := m.anyAlert(); id != 0 {
			_, _, err = m.s.ChangeAlert(ctx, id, resolve)
		}
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
	if err != nil && !models.HasCode(err, models.Conflict) {
		m.t.Errorf("%s: %v", m.id, err)
	}
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
		case m.fine:
			o.Observed = &models.Observation{At: now, Kind: models.Worked}
		case plain || n < 5:
		case n < 8:
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

// drain lets everything come to its end.
func (c *crowd) drain() {
	ctx := c.t.Context()
	if _, err := c.s.SetChannelsActive(ctx, nil, true); err != nil {
		c.t.Fatal(err)
	}
	m := &member{crowd: c, s: c.s, id: "last", rng: rand.New(rand.NewPCG(0, 0)), fine: true}
	for range 20 {
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
