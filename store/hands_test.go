package store_test

import (
	"testing"
	"time"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/store"
)

// claimOne creates an alert for a new channel and has a living process claim its delivery.
func claimOne(t *testing.T, s *store.Store, holder string) (*models.Channel, store.Claimed) {
	t.Helper()
	c := newChannel(t, s, holder+"'s channel")
	create(t, s, insert(alert("error"), c))
	alive(t, s, holder)
	got := claim(t, s, c, 1, holder)
	if len(got) != 1 {
		t.Fatalf("claimed %d", len(got))
	}
	return c, got[0]
}

// attempted is the outcome of an attempt; why is empty when it succeeded.
func attempted(c store.Claimed, status models.DeliveryStatus, why string) store.Outcome {
	o := store.Outcome{Delivery: c.Delivery, Alert: c.Alert, Status: status}
	o.Attempt = &models.DeliveryAttempt{DeliveryID: c.Delivery.ID, Number: c.Delivery.Attempts + 1, StartedAt: c.Delivery.CreatedAt}
	if why != "" {
		o.Error, o.Attempt.Error = &why, &why
	}
	return o
}

func TestStore_CancelledWhileSentEndsAsCancelledUnlessItSucceeds(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		for holder, c := range map[string]struct {
			status models.DeliveryStatus
			why    string
			want   models.DeliveryStatus
		}{
			"one": {models.Delivered, "", models.Delivered}, "two": {models.Failed, "refused", models.Cancelled},
		} {
			channel, x := claimOne(t, s, holder)
			if n, _, err := s.CancelDeliveries(t.Context(), &models.DeliveryFilter{ChannelID: &channel.ID}); n != 1 || err != nil {
				t.Fatalf("cancelled %d, %v", n, err)
			}
			record(t, s, holder, attempted(x, c.status, c.why))
			if d, err := s.Delivery(t.Context(), x.Delivery.ID); err != nil || d.Status != c.want || d.Attempts != 1 {
				t.Errorf("after an attempt that ended as %s: %+v, %v", c.status, d, err)
			}
		}
	})
}

func TestStore_RetryByHandUndoesACancelThatADeadProcessLeft(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		channel, x := claimOne(t, s, "me")
		if _, _, err := s.CancelDeliveries(t.Context(), &models.DeliveryFilter{ChannelID: &channel.ID}); err != nil {
			t.Fatal(err)
		}
		s.TurnClock(time.Hour) // the process is dead by now
		d, err := s.RetryDelivery(t.Context(), x.Delivery.ID)
		if err != nil || d.NextAttemptAt == nil {
			t.Fatalf("retried %+v, %v", d, err)
		}
		if got := claim(t, s, channel, 1, "you"); len(got) != 1 {
			t.Errorf("claimed %+v", got)
		}
	})
}

func TestStore_RetryByHandAnswersAndTellsOfAPendingDelivery(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		_, x := claimOne(t, s, "me")
		record(t, s, "me", attempted(x, models.Failed, "refused"))
		d, err := s.RetryDelivery(t.Context(), x.Delivery.ID)
		if err != nil || d.Status != models.Pending || d.CompletedAt != nil || d.NextAttemptAt == nil {
			t.Errorf("retried %+v, %v", d, err)
		}
		told, err := toldOf(t.Context(), s, 0)
		if events := told[x.Delivery.ID]; err != nil || len(events) != 2 || events[1].Delivery.CompletedAt != nil {
			t.Errorf("told %+v, %v", events, err)
		}
	})
}

func TestStore_TwoOutcomesOfOneDeliveryInABatchCountOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		_, x := claimOne(t, s, "me")
		dropped := store.Outcome{Delivery: x.Delivery, Alert: x.Alert, Status: models.Cancelled, Error: new(string)}
		*dropped.Error = "not sent"
		late := attempted(x, models.Failed, "refused")
		late.Observed = &models.Observation{At: s.Now(), Kind: models.Unusable, Error: "refused"}
		record(t, s, "me", attempted(x, models.Delivered, ""), late, dropped)
		stored, err := s.StoredDeliveries(t.Context(), []int64{x.Delivery.ChannelID})
		if err != nil || len(stored) != 1 || stored[0].Status != models.Delivered {
			t.Fatalf("stored %+v, %v", stored, err)
		}
		for _, fault := range history(t.Context(), s, 0, stored) {
			t.Error(fault)
		}
		states, err := s.States(t.Context())
		if state := states[x.Delivery.ChannelID]; err != nil || state.Health != models.HealthOK {
			t.Errorf("what did not apply says something about the channel: %+v, %v", state, err)
		}
	})
}
