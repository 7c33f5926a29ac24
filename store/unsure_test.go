package store_test

import (
	"testing"
	"time"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/store"
)

// A process that dies may have sent what it held: nobody knows. What undoes that is told then, or an incident would stay closed, or
// acknowledged, for ever while its alert is open.
func TestStore_WhatADeadProcessMayHaveToldIsUndone(t *testing.T) {
	for name, c := range map[string]struct {
		told   models.AlertEventKind // what the dead process was sending
		undone models.AlertEventKind
		want   models.DeliveryKind
		early  bool // it is undone before anybody notices the death
	}{
		"resolved, reopened at once":     {models.WasResolved, models.WasReopened, models.TellReopened, true},
		"resolved, reopened later":       {models.WasResolved, models.WasReopened, models.TellReopened, false},
		"acknowledged, reopened at once": {models.WasAcknowledged, models.WasReopened, models.TellReopened, true},
		"acknowledged, reopened later":   {models.WasAcknowledged, models.WasReopened, models.TellReopened, false},
		"acknowledged, resolved at once": {models.WasAcknowledged, models.WasResolved, models.TellResolved, true},
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, s *store.Store) {
				channel, x := claimOne(t, s, "dead")
				_, err := s.UpdateChannel(t.Context(), channel.ID, func(u *models.Channel) error {
					u.NotifyOnResolve, u.NotifyOnAcknowledge = true, true
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
				record(t, s, "dead", attempted(x, models.Delivered, ""))
				change := func(kind models.AlertEventKind) {
					if _, _, err := s.ChangeAlert(t.Context(), x.Alert.ID, models.AlertChange{Kind: kind}); err != nil {
						t.Fatal(err)
					}
				}
				change(c.told)
				if got := claim(t, s, channel, 1, "dead"); len(got) != 1 {
					t.Fatalf("claimed %+v", got)
				}
				if c.early {
					change(c.undone)
				}
				s.TurnClock(time.Hour)
				alive(t, s, "me")
				if n, err := s.Reclaim(t.Context()); n != 1 || err != nil {
					t.Fatalf("reclaimed %d, %v", n, err)
				}
				if !c.early {
					change(c.undone)
				}
				got := claim(t, s, channel, 10, "me")
				if len(got) != 1 || got[0].Delivery.Kind != c.want || got[0].NotToTell != "" {
					t.Errorf("claimed %+v", got)
				}
			})
		})
	}
}
