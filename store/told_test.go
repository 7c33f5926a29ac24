package store_test

import (
	"strings"
	"testing"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/store"
)

// An alert whose delivery is sent again by hand is told how it is by now, once, whatever became of it before.
func TestRetryDelivery_TellsHowTheAlertIsByNow(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		channel := newChannel(t, s, "hook")
		if _, err := s.UpdateChannel(t.Context(), channel.ID, func(c *models.Channel) error {
			c.NotifyOnResolve, c.NotifyOnAcknowledge = true, true
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct {
			before, after []models.AlertChange // the alert's own delivery fails
			want          string
		}{
			"still open":            {[]models.AlertChange{resolve, reopen}, nil, "ALERT PENDING, RESOLVED CANCELLED"},
			"resolved again":        {[]models.AlertChange{resolve, reopen, resolve}, nil, "ALERT PENDING, RESOLVED CANCELLED, RESOLVED PENDING"},
			"resolved after":        {nil, []models.AlertChange{acknowledge, resolve}, "ALERT PENDING, RESOLVED PENDING"},
			"acknowledged again":    {[]models.AlertChange{acknowledge, reopen, acknowledge}, nil, "ALERT PENDING, ACKNOWLEDGED CANCELLED, ACKNOWLEDGED PENDING"},
			"acknowledged after":    {[]models.AlertChange{resolve}, []models.AlertChange{reopen, acknowledge}, "ALERT PENDING, RESOLVED CANCELLED, ACKNOWLEDGED PENDING"},
			"acknowledged, then no": {[]models.AlertChange{acknowledge}, []models.AlertChange{reopen}, "ALERT PENDING, ACKNOWLEDGED CANCELLED"},
		} {
			results, err := s.CreateAlerts(t.Context(), []store.AlertInsert{insert(alert("error"), channel)}, "me")
			if err != nil {
				t.Fatal(err)
			}
			id := results[0].Alert.ID
			change := func(all []models.AlertChange) {
				for _, c := range all {
					if _, _, err := s.ChangeAlert(t.Context(), id, c); err != nil {
						t.Fatal(err)
					}
				}
			}
			end := func(status models.DeliveryStatus) {
				for _, x := range claim(t, s, channel, 10, "me") {
					why := "refused"
					o := store.Outcome{Delivery: x.Delivery, Alert: x.Alert, Status: status, Error: &why}
					if x.NotToTell != "" {
						o.Status, o.Error = models.Cancelled, &x.NotToTell
					}
					if _, err := s.Record(t.Context(), "me", []store.Outcome{o}, silent); err != nil {
						t.Fatal(err)
					}
				}
			}
			change(c.before)
			end(models.Failed)
			end(models.Failed) // what waited behind it
			change(c.after)
			if _, err := s.RetryDelivery(t.Context(), results[0].Deliveries[0].ID); err != nil {
				t.Fatal(err)
			}
			all, err := s.DeliveriesOfAlerts(t.Context(), []int64{id})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, d := range all[id] {
				got = append(got, sprintf("%s %s", d.Kind, d.Status))
			}
			if strings.Join(got, ", ") != c.want {
				t.Errorf("%s: %v, want %s", name, got, c.want)
			}
			if _, _, err := s.CancelDeliveries(t.Context(), &models.DeliveryFilter{AlertID: &id}); err != nil {
				t.Fatal(err)
			}
		}
	})
}
