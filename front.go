package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rustbucket/alerts/access"
	"github.com/rustbucket/alerts/console"
	"github.com/rustbucket/alerts/playground"
)

// Where the rooms are found.
const (
	graphqlPath = "/graphql"
	sessionPath = "/session"
	metricsPath = "/metrics"
	ingestPath  = "/ingest/"
	exportPath  = "/export/"
)

// front answers for the server from its first moment to its last: before the rooms are ready and while they are closing it
// says so.
type front struct {
	mux     *http.ServeMux
	proxies access.Proxies
	state   atomic.Pointer[state]
	calls   sync.WaitGroup // sockets included, which http.Server does not wait for

	pinging  sync.Mutex
	pingedAt time.Time
	pingErr  error // what came of it
}

const (
	pingEvery   = 200 * time.Millisecond
	pingTimeout = 2 * time.Second
)

type state struct {
	rooms map[string]http.Handler // by path; empty before the server is ready
	ping  func(context.Context) error
	not   string // why not ready; empty when ready
}

func newFront(proxies access.Proxies) *front {
	f := &front{mux: http.NewServeMux(), proxies: proxies}
	f.state.Store(&state{not: "starting"})
	for _, path := range []string{graphqlPath, sessionPath, metricsPath, ingestPath, exportPath} {
		f.mux.Handle(path, f.room(path))
	}
	page := playground.Handler()
	f.mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	f.mux.HandleFunc("/readyz", f.ready)
	f.mux.Handle("/playground", page)
	f.mux.Handle("/playground/", page)
	f.mux.Handle("/", console.Handler())
	return f
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	over := f.proxies.OverTLS(r)
	setHeaders(w.Header(), over)
	f.mux.ServeHTTP(w, r.WithContext(access.WithTLS(access.WithAddress(r.Context(), f.proxies.Client(r)), over)))
}

// open lets callers in to the rooms, which are named by their paths.
func (f *front) open(rooms map[string]http.Handler, ping func(context.Context) error) {
	f.state.Store(&state{rooms: rooms, ping: ping})
}

// drain makes load balancers send callers elsewhere; who comes all the same is still served.
func (f *front) drain() {
	now := *f.state.Load()
	now.not = "stopping"
	f.state.Store(&now)
}

func (f *front) ready(w http.ResponseWriter, r *http.Request) {
	now := f.state.Load()
	why := now.not
	if why == "" {
		if err := f.pinged(r.Context(), now.ping); err != nil {
			why = "the database does not answer"
		}
	}
	if why != "" {
		http.Error(w, "not ready: "+why, http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ready")
}

// pinged asks the database for all who ask within a moment: anybody may.
func (f *front) pinged(ctx context.Context, ping func(context.Context) error) error {
	f.pinging.Lock()
	defer f.pinging.Unlock()
	if time.Since(f.pingedAt) < pingEvery {
		return f.pingErr
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pingTimeout)
	defer cancel()
	f.pingErr = ping(ctx)
	f.pingedAt = time.Now()
	return f.pingErr
}

// room hands calls on to the room of a path.
func (f *front) room(path string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		now := f.state.Load()
		room := now.rooms[path]
		if room == nil {
			w.Header().Set("Retry-After", "1")
			http.Error(w, "not ready: "+now.not, http.StatusServiceUnavailable)
			return
		}
		f.calls.Add(1)
		defer f.calls.Done()
		room.ServeHTTP(w, r)
	}
}

// waitForCalls waits until no call is in a room any more.
func (f *front) waitForCalls(atMost time.Duration) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f.calls.Wait()
	}()
	select {
	case <-ended:
	case <-time.After(atMost):
	}
}
