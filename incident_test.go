package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// incidentServices is PagerDuty and Opsgenie as far as incidents go: both know their incidents by a key, Opsgenie works on a
// request some time after it took it.
type incidentServices struct {
	*httptest.Server
	mu     sync.Mutex
	events []map[string]any // at PagerDuty
	alerts []string         // what was done at Opsgenie, with the alias
	bodies []map[string]any
	asked  map[string]int // for the result of a request
	refuse bool           // to create: PagerDuty at once, Opsgenie when it works on it
}

func newIncidentServices(t *testing.T) *incidentServices {
	s := &incidentServices{asked: make(map[string]int)}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v2/enqueue", s.enqueue)
	mux.HandleFunc("POST /v2/alerts", s.change)
	mux.HandleFunc("POST /v2/alerts/{alias}/close", s.change)
	mux.HandleFunc("GET /v2/alerts/requests/{id}", s.result)
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func (s *incidentServices) enqueue(w http.ResponseWriter, r *http.Request) {
	event := readJSON(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"status":"invalid event","message":"Event object is invalid","errors":["`+event["routing_key"].(string)+` sends too much"]}`)
		return
	}
	s.events = append(s.events, event)
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, `{"status":"success","message":"Event processed"}`)
}

func (s *incidentServices) change(w http.ResponseWriter, r *http.Request) {
	body := readJSON(r)
	if r.Header.Get("Authorization") != "GenieKey hunter2-opsgenie" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	done := "create"
	if alias := r.PathValue("alias"); alias != "" {
		done = "close " + alias + "?" + r.URL.RawQuery
	} else {
		done += " " + body["alias"].(string)
	}
	s.alerts, s.bodies = append(s.alerts, done), append(s.bodies, body)
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, `{"result":"Request will be processed","took":0.3,"requestId":"request-`+strings.Fields(done)[0]+`"}`)
}

// result says at the second time what became of a request.
func (s *incidentServices) result(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := r.PathValue("id")
	switch s.asked[id]++; {
	case s.asked[id] == 1:
		w.WriteHeader(http.StatusNotFound)
	case s.refuse:
		_, _ = io.WriteString(w, `{"data":{"success":false,"isSuccess":false,"status":"hunter2-opsgenie may not"},"requestId":"x"}`)
	default:
		_, _ = io.WriteString(w, `{"data":{"success":true,"isSuccess":true,"status":"done"},"requestId":"x"}`)
	}
}

func (s *incidentServices) setRefuse(refuse bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = refuse
	clear(s.asked)
}

func readJSON(r *http.Request) (body map[string]any) {
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		panic(err) // the server answers nothing, and the test sees that
	}
	return body
}

// incidentChannels creates a channel for each of the services.
func (s *server) incidentChannels(services *incidentServices) {
	s.createChannel("pagerduty", map[string]any{"pagerduty": map[string]any{"routingKey": "hunter2-pagerduty", "url": services.URL + "/v2/enqueue"}})
	s.createChannel("opsgenie", map[string]any{"opsgenie": map[string]any{"apiKey": "hunter2-opsgenie", "url": services.URL + "/v2/alerts"}})
}

const resolveQuery = `mutation($id: ID!) { resolveAlert(id: $id) { id } }`

// expectIncident looks at what both services were told: that one incident was opened, and then closed, by one key.
func (s *server) expectIncident(services *incidentServices) {
	s.t.Helper()
	services.mu.Lock()
	defer services.mu.Unlock()
	events, alerts := services.events, services.alerts
	if len(events) != 2 || len(alerts) != 2 {
		s.t.Fatalf("PagerDuty got %v\nOpsgenie got %v", events, alerts)
	}
	key, _ := events[0]["dedup_key"].(string)
	if key == "" || events[0]["event_action"] != "trigger" || events[1]["event_action"] != "resolve" || events[1]["dedup_key"] != key ||
		events[1]["routing_key"] != "hunter2-pagerduty" || at(events[0], "payload", "summary") != "ERROR: something broke" || at(events[0], "payload", "severity") != "critical" {
		s.t.Errorf("PagerDuty got %v", events)
	}
	if alerts[0] != "create "+key || alerts[1] != "close "+key+"?identifierType=alias" || services.bodies[0]["priority"] != "P1" {
		s.t.Errorf("Opsgenie got %v with %v", alerts, services.bodies)
	}
	if log := s.log.String(); strings.Contains(log, "hunter2") {
		s.t.Error("the log has a key")
	}
}

func TestIncident_IsOpenedAndClosedByOneKey(t *testing.T) {
	onBothAtOnce(t, func(t *testing.T, url string) {
		s, services := startServer(t, url), newIncidentServices(t)
		s.incidentChannels(services)
		id := s.createAlert(map[string]any{"severity": "HIGH"})
		s.deliveries(id)
		s.do(resolveQuery, map[string]any{"id": id})
		for _, d := range s.deliveries(id) {
			if at(d, "status") != "DELIVERED" || at(d, "attempts") != 1.0 || at(d, "attemptLog", 0, "statusCode") != 202.0 {
				t.Errorf("delivery %v", d)
			}
		}
		s.expectIncident(services)
	})
}

// What was refused, and is sent again when its alert is resolved already, opens an incident and closes it.
func TestIncident_ThatIsOpenedLateIsClosedToo(t *testing.T) {
	onBothAtOnce(t, func(t *testing.T, url string) {
		s, services := startServer(t, url), newIncidentServices(t)
		s.incidentChannels(services)
		services.setRefuse(true)
		var id string
		s.until("both services to refuse an alert", func() bool { // Opsgenie is not heard of in time when all stand still for so long
			id = s.createAlert(map[string]any{"severity": "HIGH"})
			return !strings.Contains(fmt.Sprint(s.deliveries(id)), "not known yet")
		})
		for _, d := range s.deliveries(id) {
			if text, _ := at(d, "error").(string); at(d, "status") != "FAILED" || !strings.Contains(text, "****") || strings.Contains(text, "hunter2") {
				t.Errorf("delivery %v", d)
			}
		}
		s.do(resolveQuery, map[string]any{"id": id})
		if n := len(s.deliveries(id)); n != 2 {
			t.Errorf("%d deliveries for an alert that nobody was told of", n)
		}
		services.setRefuse(false)
		services.mu.Lock()
		services.alerts, services.bodies = nil, nil // Opsgenie took it, and made nothing of it
		services.mu.Unlock()
		s.do(`mutation($id: ID!) { retryDeliveries(filter: {alertId: $id}) }`, map[string]any{"id": id})
		list := s.deliveries(id)
		if len(list) != 4 {
			t.Errorf("%d deliveries", len(list))
		}
		for _, d := range list {
			if at(d, "status") != "DELIVERED" {
				t.Errorf("delivery %v", d)
			}
		}
		s.expectIncident(services)
	})
}
