package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rustbucket/alerts/testkit"
)

// subscription is one that runs over SSE: what a script with curl uses.
type subscription struct {
	t      *testing.T
	events chan map[string]any // data of each event; closed at the end
	errs   chan string
	cancel context.CancelFunc
}

// subscribe returns when the subscription has begun, or was refused.
func (s *server) subscribe(t *testing.T, query string, variables map[string]any) *subscription {
	t.Helper()
	return s.subscribeAs(t, testToken, query, variables)
}

func (s *server) subscribeAs(t *testing.T, token, query string, variables map[string]any) *subscription {
	t.Helper()
	before := s.feed.Readers()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	body, _ := json.Marshal(map[string]any{"query": query, "variables": variables})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/graphql", strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	sub := &subscription{t: t, events: make(chan map[string]any, 10_000), errs: make(chan string, 100), cancel: cancel}
	go func() {
		defer close(sub.events)
		defer res.Body.Close()
		lines := bufio.NewScanner(res.Body)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			data, ok := strings.CutPrefix(lines.Text(), "data: ")
			if !ok {
				continue
			}
			var a answer
			if err := json.Unmarshal([]byte(data), &a); err != nil {
				sub.errs <- err.Error()
			}
			for _, e := range a.Errors {
				sub.errs <- e.Extensions.Code + " " + e.Message
			}
			if a.Data != nil {
				sub.events <- a.Data
			}
		}
	}()
	s.until("the subscription to begin", func() bool { return s.feed.Readers() > before || len(sub.errs) > 0 })
	return sub
}

// eventWithin is how long an event, or an error, is waited for.
const eventWithin = 45 * time.Second

func (sub *subscription) next() map[string]any {
	sub.t.Helper()
	select {
	case e, ok := <-sub.events:
		if !ok {
			sub.t.Fatal("the subscription has ended")
		}
		return e
	case err := <-sub.errs:
		sub.t.Fatal(err)
	case <-time.After(eventWithin):
		sub.t.Fatal("no event came")
	}
	return nil
}

func TestStreams_EveryProcessSeesEveryEvent(t *testing.T) {
	url := testkit.NewDatabase(t)
	one, two := startServer(t, url), startServer(t, url)
	r := newReceiver(t)
	one.createChannel("hook", webhook(r.URL))
	two.until("the channel to be known in the other process", func() bool { return len(two.settings()) == 1 })
	const query = `subscription { feed { cursor kind alert { message } delivery { status attempts channel { name } } attempt { number statusCode } } }`
	subs := []*subscription{one.subscribe(t, query, nil), two.subscribe(t, query, nil)}
	servers := []*server{one, two}
	const n = 60
	var creating sync.WaitGroup
	for i := range n {
		creating.Go(func() { servers[i%2].createAlert(map[string]any{"message": fmt.Sprint(i)}) })
	}
	defer creating.Wait() // an event may come before the answer to the call that it tells of
	// Both see the same events in the same order: each alert created, then delivered.
	var order [2][]string
	for i, sub := range subs {
		created, delivered := map[string]bool{}, map[string]bool{}
		for len(created) < n || len(delivered) < n {
			e := at(sub.next(), "feed")
			m := at(e, "alert", "message").(string)
			order[i] = append(order[i], at(e, "cursor").(string))
			switch at(e, "kind") {
			case "ALERT_CREATED":
				if created[m] {
					t.Errorf("alert %s was created twice", m)
				}
				created[m] = true
			case "DELIVERY_UPDATED":
				if !created[m] || at(e, "delivery", "status") != "DELIVERED" || at(e, "attempt", "statusCode") != 200.0 || at(e, "delivery", "channel", "name") != "hook" {
					t.Errorf("event %v", e)
				}
				delivered[m] = true
			}
		}
	}
	if strings.Join(order[0], " ") != strings.Join(order[1], " ") {
		t.Errorf("the orders differ:\n%v\n%v", order[0], order[1])
	}
}

// A process is told of what another one changes, rather than to find it out when it reads everything again, every 15 s.
func TestStreams_EveryProcessIsToldOfChanges(t *testing.T) {
	url := testkit.NewDatabase(t)
	one, two := startServer(t, url), startServer(t, url)
	began := time.Now()
	const n = 5 // found out, the last four would take a minute
	for i := range n {
		one.createChannel(fmt.Sprint("hook ", i), webhook("https://example.com"))
		two.until("the channel to be known in the other process", func() bool { return len(two.settings()) == i+1 })
	}
	if took := time.Since(began); took > 45*time.Second {
		t.Errorf("%d new channels were known in the other process after %v", n, took)
	}
}

func TestStreams_TheFeedGoesOnWhereItWasLeft(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		for i := range 3 {
			s.createAlert(map[string]any{"message": fmt.Sprint("before ", i)})
		}
		const query = `subscription($after: String, $filter: FeedFilter) { feed(after: $after, filter: $filter) { cursor alert { message type } } }`
		first := s.subscribe(t, query, nil)
		s.createAlert(map[string]any{"message": "0"})
		e := at(first.next(), "feed")
		if at(e, "alert", "message") != "0" {
			t.Fatalf("a feed without after begins with %v", e)
		}
		first.cancel()
		s.until("the first to end", func() bool { return s.feed.Readers() == 0 })
		for i := 1; i < 1200; { // more than one read, in several rows
			var inputs []any
			for ; i < 1200 && len(inputs) < 10; i++ {
				inputs = append(inputs, map[string]any{"message": fmt.Sprint(i), "type": fmt.Sprint("type-", i%3)})
			}
			s.do(createAlertsQuery, map[string]any{"inputs": inputs})
		}
		again := s.subscribe(t, query, map[string]any{"after": at(e, "cursor")})
		filtered := s.subscribe(t, query, map[string]any{"after": at(e, "cursor"), "filter": map[string]any{"types": []any{"type-0"}}})
		for i := 1; i < 1200; i++ {
			if m := at(again.next(), "feed", "alert", "message"); m != fmt.Sprint(i) {
				t.Fatalf("event %d is %v", i, m)
			}
			if i%3 == 0 {
				if m := at(filtered.next(), "feed", "alert", "message"); m != fmt.Sprint(i) {
					t.Fatalf("filtered event %d is %v", i, m)
				}
			}
		}
		for name, cursor := range map[string]string{"nonsense": "nonsense", "of another list": "YTphYmNkZWY6NQ", "from the future": ""} {
			if cursor == "" {
				cursor = futureCursor(s)
			}
			sub := s.subscribe(t, query, map[string]any{"after": cursor})
			select {
			case err := <-sub.errs:
				if !strings.HasPrefix(err, "BAD_USER_INPUT") {
					t.Errorf("a cursor %s: %s", name, err)
				}
			case <-time.After(eventWithin):
				t.Errorf("a cursor %s was taken", name)
			}
		}
	})
}

func TestStreams_NothingIsMissedBetweenWhatIsReadAndTheFeed(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		s.createAlert(map[string]any{"message": "before"})
		place := s.do(`{ feedCursor }`, nil)["feedCursor"]
		s.createAlert(map[string]any{"message": "meanwhile"})
		sub := s.subscribe(t, `subscription($after: String) { feed(after: $after) { cursor alert { message } } }`, map[string]any{"after": place})
		e := at(sub.next(), "feed")
		if at(e, "alert", "message") != "meanwhile" {
			t.Errorf("the feed goes on with %v", e)
		}
		if now := s.do(`{ feedCursor }`, nil)["feedCursor"]; now != at(e, "cursor") {
			t.Errorf("the newest event is at %v, and feedCursor says %v", at(e, "cursor"), now)
		}
	})
}

func TestStreams_UpdatesAndFilters(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		high := s.subscribe(t, `subscription { alertCreated(filter: {minSeverity: HIGH, search: "DISK"}) { message } }`, nil)
		updated := s.subscribe(t, `subscription { alertUpdated { message occurrences isResolved } }`, nil)
		failed := s.subscribe(t, `subscription { deliveryUpdated(filter: {statuses: [FAILED]}) { status error attempts alert { message } attemptLog { statusCode } } }`, nil)
		r := newReceiver(t)
		r.answer(http.StatusBadRequest, "no")
		s.createChannel("hook", webhook(r.URL), "minSeverity", "HIGH")
		s.createAlert(map[string]any{"message": "disk low", "severity": "LOW"})
		s.createAlert(map[string]any{"message": "memory", "severity": "HIGH", "notify": false})
		id := s.createAlert(map[string]any{"message": "disk full", "severity": "HIGH", "dedupKey": "d"})
		s.createAlert(map[string]any{"message": "disk full", "severity": "HIGH", "dedupKey": "d"})
		s.do(`mutation($id: ID!) { resolveAlert(id: $id) { id } again: resolveAlert(id: $id) { id } }`, map[string]any{"id": id})
		if e := high.next(); at(e, "alertCreated", "message") != "disk full" {
			t.Errorf("alertCreated: %v", e)
		}
		if e := updated.next(); at(e, "alertUpdated", "occurrences") != 2.0 || at(e, "alertUpdated", "isResolved") != false {
			t.Errorf("alertUpdated: %v", e)
		}
		if e := updated.next(); at(e, "alertUpdated", "isResolved") != true {
			t.Errorf("alertUpdated: %v", e)
		}
		if e := failed.next(); at(e, "deliveryUpdated", "attemptLog", 0, "statusCode") != 400.0 || at(e, "deliveryUpdated", "alert", "message") != "disk full" {
			t.Errorf("deliveryUpdated: %v", e)
		}
	})
}

func TestStreams_OneThatSelectsNothingIsToldWhy(t *testing.T) {
	s := startServer(t, "")
	for _, query := range []string{
		`subscription { feed @skip(if: true) { cursor } }`,
		`subscription($want: Boolean = false) { ... @include(if: $want) { alertCreated { id } } }`,
	} {
		sub := s.subscribe(t, query, nil)
		if err := <-sub.errs; !strings.Contains(err, "BAD_USER_INPUT") || !strings.Contains(err, "@skip") {
			t.Errorf("%s: %s", query, err)
		}
		if e, open := <-sub.events; open {
			t.Errorf("%s: %v", query, e)
		}
	}
}

func TestStreams_WhoAskTheSameAreAnsweredTheSame(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		r := newReceiver(t)
		s.createChannel("hook", webhook(r.URL))
		const query = `subscription($types: [String!]) { feed(filter: {types: $types}) { kind alert { message type } delivery { channel { name } attemptLog { statusCode } } } }`
		const n = 100
		var all, odd []*subscription
		for i := range 12 {
			all = append(all, s.subscribe(t, query, nil))
			if i < 3 {
				odd = append(odd, s.subscribe(t, query, map[string]any{"types": []any{"odd"}}))
			}
		}
		for i := range n {
			s.createAlert(map[string]any{"message": fmt.Sprint(i), "type": []string{"even", "odd"}[i%2]})
			if i%20 == 10 { // who leaves takes nothing from the others
				all[0].cancel()
				all = all[1:]
			}
		}
		var first []string
		for i, sub := range append(odd, all...) {
			want := n
			if i < len(odd) {
				want = n / 2
			}
			var seen []string
			for created, delivered := 0, 0; created < want || delivered < want; {
				e := at(sub.next(), "feed")
				if i < len(odd) && at(e, "alert", "type") != "odd" {
					t.Fatalf("a filtered subscription shows %v", e)
				}
				switch at(e, "kind") {
				case "ALERT_CREATED":
					created++
				case "DELIVERY_UPDATED":
					if at(e, "delivery", "channel", "name") != "hook" || at(e, "delivery", "attemptLog", 0, "statusCode") != 200.0 {
						t.Fatalf("event %v", e)
					}
					delivered++
				}
				seen = append(seen, fmt.Sprint(at(e, "kind"), at(e, "alert", "message")))
			}
			if i == 0 || i == len(odd) {
				first = seen
			}
			if !slices.Equal(seen, first) {
				t.Errorf("subscription %d saw %v, another one like it %v", i, seen, first)
			}
		}
	})
}

// futureCursor names a place that the feed has not reached.
func futureCursor(s *server) string {
	return base64.RawURLEncoding.EncodeToString([]byte("f:" + s.store.DatabaseID() + ":999999999"))
}
