package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// The load that the tests of faults put on the server, and how slow the other side is at most.
const (
	callers      = 16
	betweenCalls = 40 * time.Millisecond
	answerWithin = 20 * time.Millisecond
)

// ledger is a real endpoint for webhook channels, and the books of a test of faults: what was acknowledged to the callers,
// and what arrived when.
type ledger struct {
	url      string
	channels []string
	stop     chan struct{} // closed to end the callers
	calling  sync.WaitGroup

	mu           sync.Mutex
	arrivals     []*arrival
	arrived      map[string]bool // "channel message"
	missing      map[string]bool // acknowledged and not arrived yet
	acknowledged map[string]bool // messages
	failed       int             // calls
}

// arrival is one send, whatever became of it.
type arrival struct {
	key, message string // of the delivery (webhook-id) and the alert
	place        string // "channel message"
	began        time.Time
	answered     time.Time // zero when the sender was gone before
	ended        time.Time // that, or when the sender was seen to be gone
	line         *line
}

// line is a connection on which sends arrive.
type line struct {
	last   *arrival
	closed time.Time
}

type lineKey struct{}

// brokeOff reports whether the sender's connection ended with this send, as when the sender was killed: those who live wait for an
// answer, and keep the connection. mu of the ledger is held.
func (a *arrival) brokeOff() bool {
	return a.line.last == a && (a.answered.IsZero() || !a.line.closed.IsZero() && a.line.closed.Sub(a.ended) < 10*time.Second)
}

func newLedger(t *testing.T, channels ...string) *ledger {
	l := &ledger{channels: channels, stop: make(chan struct{}), arrived: map[string]bool{}, missing: map[string]bool{}, acknowledged: map[string]bool{}}
	s := httptest.NewUnstartedServer(http.HandlerFunc(l.take))
	lines := map[net.Conn]*line{}
	s.Config.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		l.mu.Lock()
		defer l.mu.Unlock()
		lines[conn] = new(line)
		return context.WithValue(ctx, lineKey{}, lines[conn])
	}
	s.Config.ConnState = func(conn net.Conn, state http.ConnState) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if one := lines[conn]; one != nil && state == http.StateClosed {
			one.closed = time.Now()
			delete(lines, conn)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	l.url = s.URL
	return l
}

// register makes the channels that lead here.
func (l *ledger) register(api *server) {
	for _, name := range l.channels {
		api.createChannel(name, webhook(l.url+"/"+name))
	}
}

func (l *ledger) take(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var sent struct{ Message string }
	if err != nil || json.Unmarshal(body, &sent) != nil {
		return // the sender was killed in the middle of it
	}
	place := strings.TrimPrefix(r.URL.Path, "/") + " " + sent.Message
	a := &arrival{key: r.Header.Get("webhook-id"), message: sent.Message, place: place, began: time.Now(), line: r.Context().Value(lineKey{}).(*line)}
	l.mu.Lock()
	l.arrivals = append(l.arrivals, a)
	a.line.last = a
	l.arrived[place] = true
	delete(l.missing, place)
	l.mu.Unlock()
	select {
	case <-time.After(rand.N(answerWithin)):
	case <-r.Context().Done():
	}
	// Before it is written: an outcome may be recorded as soon as it is.
	l.mu.Lock()
	if a.ended = time.Now(); r.Context().Err() == nil {
		a.answered = a.ended
	}
	l.mu.Unlock()
	w.WriteHeader(http.StatusOK)
}

// call lets callers create alerts on the servers, each with a message of its own, until hangUp. Who fails goes to another
// server and never tries the same alert again.
func (l *ledger) call(urls ...string) {
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: callers}}
	for c := range callers {
		l.calling.Go(func() {
			server := c
			for i := 0; ; i++ {
				message := fmt.Sprintf("caller %d alert %d", c, i)
				ok := acknowledge(client, urls[server%len(urls)], message)
				l.mu.Lock()
				if ok {
					l.acknowledged[message] = true
					for _, channel := range l.channels {
						if place := channel + " " + message; !l.arrived[place] {
							l.missing[place] = true
						}
					}
				} else {
					l.failed++
					server++
				}
				l.mu.Unlock()
				select {
				case <-l.stop:
					return
				case <-time.After(rand.N(betweenCalls)):
				}
			}
		})
	}
}

func (l *ledger) hangUp() {
	close(l.stop)
	l.calling.Wait()
}

// acknowledge creates an alert and reports whether the server answered that it did.
func acknowledge(client *http.Client, url, message string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), client.Timeout)
	defer cancel()
	body := fmt.Sprintf(`{"query":"mutation { createAlert(input: {type: \"x\", message: \"%s\"}) { id } }"}`, message)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/graphql", strings.NewReader(body))
	if err != nil {
		return false
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+testToken)
	res, err := client.Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	return err == nil && strings.Contains(string(answer), `"createAlert":{"id"`)
}

func (l *ledger) count() (arrivals, failed int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.arrivals), l.failed
}

// stillMissing counts what is acknowledged and has not arrived on a channel.
func (l *ledger) stillMissing() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.missing)
}

// untilNone waits until nothing is left, as long as it becomes less.
func (s *server) untilNone(what string, left func() int) {
	s.t.Helper()
	for least, last := -1, time.Now(); ; time.Sleep(100 * time.Millisecond) { // counting is work for the server
		n := left()
		if n == 0 {
			return
		}
		if least < 0 || n < least {
			least, last = n, time.Now()
		}
		if time.Since(last) > 45*time.Second {
			s.t.Fatalf("%d %s, and do not become less", n, what)
		}
	}
}

// settle waits until what was acknowledged has arrived and what is stored has come to its end, and checks the store against
// the books: acknowledged = stored once = delivered, and nothing arrived that is not stored.
func (l *ledger) settle(api *server) {
	api.t.Helper()
	api.untilNone("acknowledged alerts have not arrived on a channel", l.stillMissing)
	api.untilNone("deliveries are not final", func() int {
		return int(at(api.do(`{ deliveries(filter: {statuses: [PENDING]}) { totalCount } }`, nil), "deliveries", "totalCount").(float64))
	})
	stored := map[string]int{}
	for after, more := any(nil), true; more; {
		page := api.do(`query($after: String) { alerts(first: 500, after: $after) {
			nodes { message deliveries { status } } pageInfo { hasNextPage endCursor } } }`, map[string]any{"after": after})["alerts"]
		for _, a := range at(page, "nodes").([]any) {
			message := at(a, "message").(string)
			stored[message]++
			deliveries := at(a, "deliveries").([]any)
			if len(deliveries) != len(l.channels) {
				api.t.Errorf("%s has %d deliveries", message, len(deliveries))
			}
			for _, d := range deliveries {
				if at(d, "status") != "DELIVERED" {
					api.t.Errorf("a delivery of %s is %v", message, at(d, "status"))
				}
			}
		}
		more, after = at(page, "pageInfo", "hasNextPage").(bool), at(page, "pageInfo", "endCursor")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for message, n := range stored {
		if n != 1 {
			api.t.Errorf("%s is stored %d times", message, n)
		}
		for _, channel := range l.channels {
			if !l.arrived[channel+" "+message] {
				api.t.Errorf("%s counts as delivered and never arrived on %s", message, channel)
			}
		}
	}
	for message := range l.acknowledged {
		if stored[message] == 0 {
			api.t.Errorf("%s was acknowledged and is not stored", message)
		}
	}
	for _, a := range l.arrivals {
		if stored[a.message] == 0 {
			api.t.Errorf("%s arrived and is not stored", a.message)
		}
	}
	api.t.Logf("%d alerts acknowledged, %d stored, %d sends arrived, %d calls failed", len(l.acknowledged), len(stored), len(l.arrivals), l.failed)
}
