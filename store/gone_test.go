package store_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/store"
)

func TestDeleteAlerts_LeaveTheFeedAsItWas(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		channel := newChannel(t, s, "hook")
		from := head(t, s)
		a := alert("error")
		a.Details, a.Rustbucket = json.RawMessage(`{"disk":"sda"}`), &models.Rustbucket{ID: "BKT1", Name: "node 1"}
		results, err := s.CreateAlerts(t.Context(), []store.AlertInsert{insert(a, channel), insert(alert("warning"), channel)}, "me")
		if err != nil {
			t.Fatal(err)
		}
		gone, stays := results[0].Alert, results[1].Alert
		if _, _, err := s.ChangeAlert(as(t, "oncall"), gone.ID, models.AlertChange{Kind: models.WasAssigned, Assignee: ptr("oncall")}); err != nil {
			t.Fatal(err)
		}
		hand := claim(t, s, channel, 10, "me")
		if len(hand) != 2 {
			t.Fatalf("claimed %d", len(hand))
		}
		before := events(t, s, from)
		if n, _, err := s.DeleteAlerts(t.Context(), models.AlertSelection{IDs: []int64{gone.ID, 1 << 40}}); n != 0 || !models.HasCode(err, models.NotFound) {
			t.Errorf("all or none: %d, %v", n, err)
		}
		n, waited, err := s.DeleteAlerts(t.Context(), models.AlertSelection{IDs: []int64{gone.ID}})
		if err != nil || n != 1 || !slices.Equal(waited, []int64{channel.ID}) {
			t.Fatalf("deleted %d, waited %v, %v", n, waited, err)
		}
		if _, err := s.Alert(t.Context(), gone.ID); !models.HasCode(err, models.NotFound) {
			t.Errorf("the alert is there: %v", err)
		}
		left, err := s.Deliveries(t.Context(), nil, 0, 10)
		if err != nil || len(left) != 1 || left[0].AlertID != stays.ID {
			t.Errorf("deliveries left: %v, %v", left, err)
		}
		// What was in flight comes to nothing, and harms nothing else.
		outcomes := make([]store.Outcome, len(hand))
		for i, h := range hand {
			outcomes[i] = store.Outcome{Delivery: h.Delivery, Alert: h.Alert, Status: models.Delivered,
				Attempt: &models.DeliveryAttempt{DeliveryID: h.Delivery.ID, Number: 1, StartedAt: s.Now()}}
		}
		recorded, err := s.Record(t.Context(), "me", outcomes, silent)
		if err != nil || len(recorded.Applied) != 1 {
			t.Errorf("recorded %+v, %v", recorded, err)
		}
		why := "refused"
		late := store.Outcome{Delivery: hand[0].Delivery, Alert: hand[0].Alert, Status: models.Failed, Error: &why,
			Observed: &models.Observation{Kind: models.Refused, At: s.Now(), Error: why}, Attempt: &models.DeliveryAttempt{DeliveryID: hand[0].Delivery.ID, Number: 1, StartedAt: s.Now(), Error: &why}}
		if recorded, err := s.Record(t.Context(), "me", []store.Outcome{late}, silent); err != nil || len(recorded.Applied) != 0 {
			t.Errorf("a late failure: %+v, %v", recorded, err)
		}
		if err := s.Release(t.Context(), "me", []int64{hand[0].Delivery.ID}); err != nil {
			t.Error(err)
		}
		after := events(t, s, from)
		for i, e := range before {
			was, _ := json.Marshal(e)
			if is, _ := json.Marshal(after[i]); string(is) != string(was) {
				t.Errorf("event %d was\n%s, is\n%s", i, was, is)
			}
		}
		told := after[len(before)]
		if told.Kind != models.AlertDeleted || told.Alert.ID != gone.ID || told.Alert.Message != gone.Message || text(told.Alert.Assignee) != "oncall" || told.Alert.Rustbucket.Name != "node 1" {
			t.Errorf("the deletion is told as %+v of %+v", told, told.Alert)
		}
		if again := makeAlerts(t, s, "")[0]; again <= stays.ID {
			t.Errorf("alert %d has the id of another", again)
		}
		// Retention removes the copy behind the events.
		s.TurnClock(time.Hour)
		for more := true; more; {
			step, err := s.Trim(t.Context(), s.Now(), 0, 10)
			if err != nil {
				t.Fatal(err)
			}
			more = step.More
		}
		if n, err := s.Count(t.Context(), "deleted_alerts"); err != nil || n != 0 {
			t.Errorf("%d copies stay, %v", n, err)
		}
		if n, err := s.Count(t.Context(), "alert_events"); err != nil || n != 0 {
			t.Errorf("%d events of alerts stay, %v", n, err)
		}
	})
}

func TestDeleteAlerts_ByFilter(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		channel := newChannel(t, s, "hook")
		batch := make([]store.AlertInsert, 1100)
		for i := range batch {
			batch[i] = insert(alert("old"), channel)
		}
		if _, err := s.CreateAlerts(t.Context(), batch, "me"); err != nil {
			t.Fatal(err)
		}
		makeAlerts(t, s, "")
		n, _, err := s.DeleteAlerts(as(t, "oncall"), models.AlertSelection{Filter: &models.AlertFilter{Types: []string{"old"}}})
		if err != nil || n != 1100 {
			t.Errorf("deleted %d, %v", n, err)
		}
		if n, err := s.CountAlerts(t.Context(), nil); err != nil || n != 1 {
			t.Errorf("%d are left, %v", n, err)
		}
		if n, err := s.CountDeliveries(t.Context(), nil); err != nil || n != 0 {
			t.Errorf("%d deliveries are left, %v", n, err)
		}
		log, err := s.AuditLog(t.Context(), &models.AuditFilter{Actions: []models.AuditAction{models.AlertsDeleted}}, 0, 100)
		if err != nil || len(log) != 1 || log[0].By != "oncall" || string(log[0].Changes) != `{"filter":{"types":["old"]}}` {
			t.Errorf("the audit log has %+v, %v", log, err)
		}
	})
}
