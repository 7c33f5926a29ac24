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

// endOf gives what tells of the end of an alert, of which there must be one.
func endOf(t *testing.T, s *store.Store, c *models.Channel, alertID int64) store.StoredDelivery {
	t.Helper()
	stored, err := s.StoredDeliveries(t.Context(), []int64{c.ID})
	if err != nil {
		t.Fatal(err)
	}
	var ends []store.StoredDelivery
	for _, d := range stored {
		if d.AlertID == alertID && d.Kind == models.TellResolved {
			ends = append(ends, d)
		}
	}
	if len(ends) != 1 {
		t.Fatalf("the end of alert %d is told by %d deliveries", alertID, len(ends))
	}
	return ends[0]
}

// An incident that is opened after its alert was resolved would stay open for ever.
func TestStore_RetryByHandTellsTheEndOfAResolvedAlertToo(t *testing.T) {
	notifying := func(t *testing.T, s *store.Store, holder string) (*models.Channel, store.Claimed) {
		c, x := claimOne(t, s, holder)
		c, err := s.UpdateChannel(t.Context(), c.ID, func(u *models.Channel) error { u.NotifyOnResolve = true; return nil })
		if err != nil {
			t.Fatal(err)
		}
		return c, x
	}
	resolve := func(t *testing.T, s *store.Store, x store.Claimed) {
		if _, _, err := s.ChangeAlert(t.Context(), x.Alert.ID, resolve); err != nil {
			t.Fatal(err)
		}
	}
	retryOne := func(t *testing.T, s *store.Store, c *models.Channel, x store.Claimed) {
		if _, err := s.RetryDelivery(t.Context(), x.Delivery.ID); err != nil {
			t.Fatal(err)
		}
	}
	retryAll := func(t *testing.T, s *store.Store, c *models.Channel, x store.Claimed) {
		if n, _, err := s.RetryDeliveries(t.Context(), &models.DeliveryFilter{ChannelID: &c.ID}); n == 0 || err != nil {
			t.Fatalf("retried %d, %v", n, err)
		}
	}
	drop := func(x store.Claimed) store.Outcome {
		why := "not sent"
		return store.Outcome{Delivery: x.Delivery, Alert: x.Alert, Status: models.Cancelled, Error: &why}
	}
	for name, before := range map[string]func(t *testing.T, s *store.Store, c *models.Channel, x store.Claimed){
		"failed before its end": func(t *testing.T, s *store.Store, c *models.Channel, x store.Claimed) {
			record(t, s, "me", attempted(x, models.Failed, "refused"))
			resolve(t, s, x)
		},
		"failed behind its end, which was cancelled with it": func(t *testing.T, s *store.Store, c *models.Channel, x store.Claimed) {
			resolve(t, s, x)
			record(t, s, "me", attempted(x, models.Failed, "refused"))
			end := claim(t, s, c, 1, "me")
			if len(end) != 1 || end[0].NotToTell == "" {
				t.Fatalf("claimed %+v", end)
			}
			record(t, s, "me", drop(end[0]))
		},
		"cancelled together with its end": func(t *testing.T, s *store.Store, c *models.Channel, x store.Claimed) {
			resolve(t, s, x)
			if err := s.Release(t.Context(), "me", []int64{x.Delivery.ID}); err != nil {
				t.Fatal(err)
			}
			for _, active := range []bool{false, true} {
				if _, err := s.SetChannelsActive(t.Context(), []int64{c.ID}, active); err != nil {
					t.Fatal(err)
				}
			}
			if d := endOf(t, s, c, x.Alert.ID); d.Status != models.Cancelled {
				t.Fatalf("the end is %s", d.Status)
			}
		},
		"its end still waits": func(t *testing.T, s *store.Store, c *models.Channel, x store.Claimed) {
			resolve(t, s, x)
			record(t, s, "me", attempted(x, models.Failed, "refused"))
			s.TurnClock(models.MaxWait + time.Hour) // by itself, it would be given up soon
			alive(t, s, "me")
		},
	} {
		for way, retry := range map[string]func(*testing.T, *store.Store, *models.Channel, store.Claimed){"alone": retryOne, "by filter": retryAll} {
			t.Run(name+", "+way, func(t *testing.T) {
				onBoth(t, func(t *testing.T, s *store.Store) {
					c, x := notifying(t, s, "me")
					before(t, s, c, x)
					began := s.Now()
					retry(t, s, c, x)
					end := endOf(t, s, c, x.Alert.ID)
					if end.Status != models.Pending || end.ID < x.Delivery.ID || end.SeriesBegan.Before(began.Add(-time.Second)) || end.CompletedAt != nil {
						t.Errorf("the end is %+v", *end.Delivery)
					}
					for range 2 { // the alert, then its end
						got := claim(t, s, c, 10, "me")
						if len(got) != 1 || got[0].Delivery.Kind == models.TellResolved && got[0].NotToTell != "" {
							t.Fatalf("claimed %+v", got)
						}
						record(t, s, "me", attempted(got[0], models.Delivered, ""))
					}
					stored, err := s.StoredDeliveries(t.Context(), []int64{c.ID})
					if err != nil || len(stored) != 2 || stored[0].Status != models.Delivered || stored[1].Status != models.Delivered {
						t.Errorf("stored %+v, %v", stored, err)
					}
					for _, fault := range history(t.Context(), s, 0, stored) {
						t.Error(fault)
					}
				})
			})
		}
	}
	t.Run("its end is about to be dropped", func(t *testing.T) {
		onBoth(t, func(t *testing.T, s *store.Store) {
			c, x := notifying(t, s, "me")
			resolve(t, s, x)
			record(t, s, "me", attempted(x, models.Failed, "refused"))
			held := claim(t, s, c, 1, "me")
			retryOne(t, s, c, x)
			if applied := record(t, s, "me", drop(held[0])); len(applied) != 0 {
				t.Errorf("dropped %+v", applied)
			}
			if end := endOf(t, s, c, x.Alert.ID); end.Status != models.Pending || end.LeasedBy != nil {
				t.Errorf("the end is %+v", end)
			}
		})
	})
	t.Run("nobody wants to hear of it, or it has not come", func(t *testing.T) {
		onBoth(t, func(t *testing.T, s *store.Store) {
			c, x := claimOne(t, s, "me") // without notifyOnResolve
			record(t, s, "me", attempted(x, models.Failed, "refused"))
			resolve(t, s, x)
			retryOne(t, s, c, x)
			c2, open := notifying(t, s, "you")
			record(t, s, "you", attempted(open, models.Failed, "refused"))
			retryAll(t, s, c2, open)
			for _, c := range []*models.Channel{c, c2} {
				if stored, err := s.StoredDeliveries(t.Context(), []int64{c.ID}); err != nil || len(stored) != 1 {
					t.Errorf("stored %+v, %v", stored, err)
				}
			}
		})
	})
}
