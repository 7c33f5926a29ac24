package main

import (
	"fmt"
	"testing"

	"github.com/rustbucket/alerts/testkit"
)

func TestOutage_ThePostgreSQLServerGoesAndComesBack(t *testing.T) {
	postgres := testkit.PrivatePostgres(t)
	if err := postgres.CreateDatabase(t.Context(), "outage"); err != nil {
		t.Fatal(err)
	}
	s := startServer(t, postgres.URL("outage"))
	r := newReceiver(t)
	s.createChannel("hook", webhook(r.URL))
	sub := s.subscribe(t, `subscription { alertCreated { message } }`, nil)
	s.deliveries(s.createAlert(map[string]any{"message": "before"}))
	if e := sub.next(); at(e, "alertCreated", "message") != "before" {
		t.Fatalf("event %v", e)
	}
	if err := postgres.Crash(); err != nil {
		t.Fatal(err)
	}
	a := s.try(createAlertQuery, alertWith("message", "meanwhile"))
	if len(a.Errors) != 1 || a.Errors[0].Extensions.Code != "INTERNAL" {
		t.Errorf("an alert without a database: %+v", a)
	}
	if err := postgres.Start(); err != nil {
		t.Fatal(err)
	}
	var id string
	s.until("an alert to be taken again", func() bool {
		a := s.try(createAlertQuery, alertWith("message", "after"))
		id, _ = at(a.Data, "createAlert", "id").(string)
		return id != ""
	})
	if d := s.deliveries(id); len(d) != 1 || at(d, 0, "status") != "DELIVERED" {
		t.Errorf("deliveries after the outage: %v", d)
	}
	// The subscription went on by itself, and shows nothing that was not stored.
	if e := sub.next(); at(e, "alertCreated", "message") != "after" {
		t.Errorf("event %v", e)
	}
	if n := at(s.do(`{ alerts { totalCount } }`, nil), "alerts", "totalCount"); fmt.Sprint(n) != "2" {
		t.Errorf("%v alerts are stored", n)
	}
}
