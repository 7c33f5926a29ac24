package dispatch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/notifiers"
	"github.com/rustbucket/alerts/store"
	"github.com/rustbucket/alerts/testkit"
)

// mailbox is the other side of mail to three people. A message to whoever does not have it yet is taken for all whom refuse does not
// name at that moment.
type mailbox struct {
	mu     sync.Mutex
	got    map[string]map[int64]int // by person and alert
	refuse map[string]models.DeliveryStatus
	sizes  []int // of the messages
	sign   notifiers.Sign
}

func (m *mailbox) send(_ context.Context, n notifiers.Notification) notifiers.Outcome {
	m.mu.Lock()
	defer m.mu.Unlock()
	alerts := []*models.Alert{n.Alert}
	if n.Digest != nil {
		alerts = nil
		for _, item := range n.Digest.Items {
			alerts = append(alerts, item.Alert)
		}
	}
	m.sizes = append(m.sizes, len(alerts))
	list := n.Recipients
	if list == nil {
		list = []models.RecipientOutcome{{Address: "a", Status: models.Pending}, {Address: "b", Status: models.Pending}, {Address: "c", Status: models.Pending}}
	}
	o := notifiers.Outcome{Recipients: slices.Clone(list), Channel: m.sign}
	for i := range o.Recipients {
		r := &o.Recipients[i]
		if status := m.refuse[r.Address]; r.Status == models.Pending && status != "" {
			r.Status = status
		} else if r.Status == models.Pending {
			r.Status = models.Delivered
			for _, a := range alerts {
				if m.got[r.Address] == nil {
					m.got[r.Address] = make(map[int64]int)
				}
				m.got[r.Address][a.ID]++
			}
		}
		switch r.Status {
		case models.Pending:
			o.Result, o.Error = notifiers.Retry, "not all"
		case models.Failed:
			if o.Result == notifiers.Delivered {
				o.Result, o.Error = notifiers.Permanent, "refused"
			}
		}
	}
	return o
}

func (m *mailbox) refuses(who map[string]models.DeliveryStatus) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refuse = who
}

// once fails the test where somebody got an alert more than once, and says how many each got.
func (m *mailbox) once(t *testing.T) map[string]int {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	n := make(map[string]int)
	for who, alerts := range m.got {
		n[who] = len(alerts)
		for id, times := range alerts {
			if times != 1 {
				t.Errorf("%s got alert %d %d times", who, id, times)
			}
		}
	}
	return n
}

// Deliveries that are told together need not have the same people left: then they part, in slots of their own, and nobody gets
// anything twice, while new ones keep coming.
func TestRecipients_DigestsPartWhereTheirPeopleDiffer(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, url string) {
		t.Parallel()
		m := &mailbox{got: make(map[string]map[int64]int), sign: notifiers.SignWorks}
		w := newWorld(t, url, m.send)
		c := w.channel("limited", func(c *models.Channel) { c.RateLimit = &models.RateLimit{PerMinute: 300, Burst: 1} })
		made := 0
		more := func(severity models.Severity, n int) {
			made += n
			if _, err := w.intake.Create(t.Context(), w.createOf(severity, n)); err != nil {
				t.Fatal(err)
			}
		}
		told := func(who string, at int) {
			t.Helper()
			testkit.Until(t, fmt.Sprintf("%s to have %d", who, at), func() bool {
				m.mu.Lock()
				defer m.mu.Unlock()
				return len(m.got[who]) >= at
			})
		}
		more(models.SeverityLow, 1)
		told("c", 1)
		m.refuses(map[string]models.DeliveryStatus{"a": models.Pending})
		more(models.SeverityLow, 5)
		told("c", 6)
		m.refuses(map[string]models.DeliveryStatus{"b": models.Pending})
		more(models.SeverityLow, 5)
		told("c", 11)
		m.refuses(nil)
		// New and worse ones in every slot, until the others were tried again, which is due after about five seconds.
		testkit.Until(t, "everybody to be told everything", func() bool {
			if w.count(models.Delivered, c) < made-20 {
				time.Sleep(100 * time.Millisecond)
			} else if w.store.Now().Sub(w.deliveries(c)[made-1].CreatedAt) < 7*time.Second {
				more(models.SeverityHigh, 3)
				time.Sleep(100 * time.Millisecond)
			}
			return w.count(models.Delivered, c) == made
		})
		for who, n := range m.once(t) {
			if n != made {
				t.Errorf("%s got %d of %d", who, n, made)
			}
		}
		if w.health(c).State != models.HealthOK {
			t.Errorf("health %+v", w.health(c))
		}
		if len(m.sizes) >= made {
			t.Errorf("%d messages about %d alerts", len(m.sizes), made)
		}
	})
}

func TestTogether_TheWorstLeadsUnlessAnotherHasLongBeenDue(t *testing.T) {
	now := time.Now()
	made := func(id int64, ago time.Duration, done ...string) store.Claimed {
		at := now.Add(-ago)
		d := &models.Delivery{ID: id, Status: models.Pending, NextAttemptAt: &at, Attempts: 1}
		for _, who := range done {
			d.Recipients = append(d.Recipients, models.RecipientOutcome{Address: who, Status: models.Delivered})
		}
		d.Recipients = append(d.Recipients, models.RecipientOutcome{Address: "waits@example.com", Status: models.Pending})
		return store.Claimed{Delivery: d}
	}
	ids := func(list []store.Claimed) (ids []int64) {
		for _, c := range list {
			ids = append(ids, c.Delivery.ID)
		}
		return ids
	}
	for name, c := range map[string]struct {
		claimed    []store.Claimed
		same, rest []int64
	}{
		"alone":          {[]store.Claimed{made(1, time.Hour, "a")}, []int64{1}, nil},
		"all the same":   {[]store.Claimed{made(1, 0, "a", "b"), made(2, time.Hour, "B", "a")}, []int64{1, 2}, nil},
		"worst first":    {[]store.Claimed{made(1, 0), made(2, 50*time.Second, "a"), made(3, 0)}, []int64{1, 3}, []int64{2}},
		"long due first": {[]store.Claimed{made(1, 0), made(2, 2*time.Minute, "a"), made(3, time.Hour, "b"), made(4, 0, "b")}, []int64{3, 4}, []int64{1, 2}},
	} {
		same, rest := together(c.claimed, now)
		if !slices.Equal(ids(same), c.same) || !slices.Equal(ids(rest), c.rest) {
			t.Errorf("%s: %v and %v", name, ids(same), ids(rest))
		}
	}
	refused := made(1, 0)
	refused.Delivery.Recipients[0].Status = models.Failed
	if same, _ := together([]store.Claimed{made(2, 0), refused}, now); len(same) != 1 {
		t.Error("who was refused for good is asked again with the others")
	}
}

// A channel that reaches some is no failing one, and one address that is refused never pauses it.
func TestRecipients_SomeWhoAreRefusedNeverPauseTheChannel(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, url string) {
		t.Parallel()
		m := &mailbox{got: make(map[string]map[int64]int), sign: notifiers.SignWorks}
		w := newWorld(t, url, m.send)
		c := w.channel("mail")
		m.refuses(map[string]models.DeliveryStatus{"b": models.Pending})
		w.create(20)
		testkit.Until(t, "the first attempts", func() bool { return m.once(t)["a"] == 20 })
		// From here on only the rest is sent, and refused. Each is tried again by hand rather than waited for.
		m.mu.Lock()
		m.sign = notifiers.SignAnswers
		m.mu.Unlock()
		for attempts := 2; attempts <= 3; attempts++ {
			for _, d := range w.deliveries(c) {
				testkit.Until(t, "the attempt to be recorded", func() bool {
					d, err := w.store.Delivery(t.Context(), d.ID)
					return err == nil && d.Attempts >= attempts-1 && d.NextAttemptAt != nil
				})
				var being *models.Error // CONFLICT: it is being sent
				if _, err := w.store.RetryDelivery(t.Context(), d.ID); err != nil && !errors.As(err, &being) {
					t.Fatal(err)
				}
			}
			w.dispatcher.Wake([]int64{c.ID})
		}
		testkit.Until(t, "the attempts with the rest", func() bool {
			for _, d := range w.deliveries(c) {
				if d.Attempts < 3 {
					return false
				}
			}
			return true
		})
		if h := w.health(c); h.State != models.HealthOK || h.LastError != nil {
			t.Errorf("health %+v", h)
		}
		if n := m.once(t); n["a"] != 20 || n["c"] != 20 || n["b"] != 0 {
			t.Errorf("they got %v", n)
		}
	})
}
