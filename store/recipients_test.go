package store_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/store"
)

// three recipients: one has it, one waits, one was refused for good. Their addresses and words are such as to break JSON or SQL.
func three() []models.RecipientOutcome {
	return []models.RecipientOutcome{
		{Address: `"it's \"?\" ?0"@example.com`, Status: models.Delivered},
		{Address: "größe@example.com", Status: models.Pending, Error: new(`452 "status":"DELIVERED" 😀 \ '`), StatusCode: new(452)},
		{Address: "gone@example.com", Status: models.Failed, Error: new("550 No such user"), StatusCode: new(550)},
	}
}

// stand gives the statuses of recipients.
func stand(d *models.Delivery) (statuses []models.DeliveryStatus) {
	for _, r := range d.Recipients {
		statuses = append(statuses, r.Status)
	}
	return statuses
}

func TestStore_RecipientsAreKeptOverAttemptsAndTakenUpByTheNextClaim(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		channel, c := claimOne(t, s, "me")
		create(t, s, insert(alert("other"), channel))
		other := claim(t, s, channel, 1, "me")[0]
		if c.Delivery.Recipients != nil {
			t.Fatalf("before the first attempt: %+v", c.Delivery)
		}
		now := s.Now()
		again := func(c store.Claimed, recipients []models.RecipientOutcome) store.Outcome {
			o := attempted(c, models.Pending, "not all")
			o.NextAttemptAt, o.Recipients = &now, recipients
			return o
		}
		// In one statement with a delivery that has no recipients.
		applied := record(t, s, "me", again(c, three()), again(other, nil))
		if len(applied) != 2 || !reflect.DeepEqual(applied[c.Delivery.ID].Recipients, three()) || applied[other.Delivery.ID].Recipients != nil {
			t.Fatalf("applied %+v, %+v", applied[c.Delivery.ID], applied[other.Delivery.ID])
		}
		got := claim(t, s, channel, 2, "me")
		if len(got) != 2 || !reflect.DeepEqual(got[0].Delivery.Recipients, three()) || got[1].Delivery.Recipients != nil {
			t.Fatalf("claimed %+v", got)
		}
		// An attempt that says nothing about them leaves them as they were; one that is not ours changes nothing.
		none := three()
		none[0].Status = models.Pending
		record(t, s, "somebody else", again(got[0], none))
		record(t, s, "me", again(got[0], nil))
		record(t, s, "me", again(got[0], none)) // told twice
		d, err := s.Delivery(t.Context(), c.Delivery.ID)
		if err != nil || d.Attempts != 2 || !reflect.DeepEqual(d.Recipients, three()) {
			t.Errorf("%+v, %v", d, err)
		}
		if err := s.Place(t.Context()); err != nil {
			t.Fatal(err)
		}
		events, _, err := s.Events(t.Context(), 0, 100)
		seen := 0
		for _, e := range events {
			if e.Delivery != nil && e.Delivery.ID == c.Delivery.ID {
				seen++
				if !reflect.DeepEqual(e.Delivery.Recipients, three()) {
					t.Errorf("event %+v", e.Delivery)
				}
			}
		}
		if err != nil || seen != 2 {
			t.Errorf("%d events of it, %v", seen, err)
		}
	})
}

func TestStore_RecipientsWaitNoMoreWhenTheirDeliveryHasEnded(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		for holder, c := range map[string]struct {
			end  func(store.Claimed, *models.Channel)
			want models.DeliveryStatus // of the one who waited
		}{
			"given up": {func(c store.Claimed, _ *models.Channel) {
				o := attempted(c, models.Failed, "given up")
				o.Recipients = three()
				record(t, s, "given up", o)
			}, models.Failed},
			"expired": {func(c store.Claimed, channel *models.Channel) {
				o, at := attempted(c, models.Pending, "not all"), s.Now()
				o.Recipients, o.NextAttemptAt = three(), &at
				record(t, s, "expired", o)
				c = claim(t, s, channel, 1, "expired")[0]
				record(t, s, "expired", store.Outcome{Delivery: c.Delivery, Alert: c.Alert, Status: models.Failed, Error: new("36 hours")})
			}, models.Failed},
			"cancelled": {func(c store.Claimed, channel *models.Channel) {
				o, at := attempted(c, models.Pending, "not all"), s.Now().Add(time.Hour)
				o.Recipients, o.NextAttemptAt = three(), &at
				record(t, s, "cancelled", o)
				if n, _, err := s.CancelDeliveries(t.Context(), &models.DeliveryFilter{ChannelID: &channel.ID}); n != 1 || err != nil {
					t.Fatalf("cancelled %d, %v", n, err)
				}
			}, models.Cancelled},
			"cancelled while it was sent": {func(c store.Claimed, channel *models.Channel) {
				if n, _, err := s.CancelDeliveries(t.Context(), &models.DeliveryFilter{ChannelID: &channel.ID}); n != 1 || err != nil {
					t.Fatalf("cancelled %d, %v", n, err)
				}
				o, at := attempted(c, models.Pending, "not all"), s.Now()
				o.Recipients, o.NextAttemptAt = three(), &at
				record(t, s, "cancelled while it was sent", o)
			}, models.Cancelled},
		} {
			channel, x := claimOne(t, s, holder)
			c.end(x, channel)
			d, err := s.Delivery(t.Context(), x.Delivery.ID)
			if want := []models.DeliveryStatus{models.Delivered, c.want, models.Failed}; err != nil || !reflect.DeepEqual(stand(d), want) {
				t.Errorf("%s: %v, %v, %v", holder, stand(d), d.Status, err)
			}
			// By hand, everybody but who has it gets another chance, whichever way it is done.
			if holder == "expired" {
				if n, _, err := s.RetryDeliveries(t.Context(), &models.DeliveryFilter{ChannelID: &channel.ID}); n != 1 || err != nil {
					t.Errorf("retried %d, %v", n, err)
				}
			} else if _, err := s.RetryDelivery(t.Context(), x.Delivery.ID); err != nil {
				t.Error(err)
			}
			want := []models.DeliveryStatus{models.Delivered, models.Pending, models.Pending}
			if got := claim(t, s, channel, 1, holder); len(got) != 1 || !reflect.DeepEqual(stand(got[0].Delivery), want) {
				t.Errorf("%s, claimed again: %+v", holder, got)
			}
		}
	})
}

// Who has the mail about an alert hears of its end, though others were refused.
func TestStore_ResolveIsToldWhereSomeOfTheRecipientsWereTold(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		for holder, told := range map[string]bool{"some": true, "nobody": false} {
			channel, x := claimOne(t, s, holder)
			if _, err := s.UpdateChannel(t.Context(), channel.ID, func(c *models.Channel) error { c.NotifyOnResolve = true; return nil }); err != nil {
				t.Fatal(err)
			}
			o := attempted(x, models.Failed, "not all")
			o.Recipients = three()[1:]
			if told {
				o.Recipients = three()
			}
			record(t, s, holder, o)
			_, channels, err := s.ChangeAlert(t.Context(), x.Alert.ID, resolve)
			if err != nil || (len(channels) == 1) != told {
				t.Errorf("%s: channels %v, %v", holder, channels, err)
			}
			if got := claim(t, s, channel, 1, holder); told && (len(got) != 1 || got[0].NotToTell != "" || got[0].Delivery.Kind != models.TellResolved) {
				t.Errorf("%s: claimed %+v", holder, got)
			}
		}
	})
}
