package dispatch

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/notifiers"
	"github.com/rustbucket/alerts/testkit"
)

// loseAnswers stands between a client and PostgreSQL. While it is on, the server gets what inserts alerts, and the client
// gets no answer to it: the connection is cut.
func loseAnswers(t *testing.T, database string) (through string, on *atomic.Bool, lost *atomic.Int64) {
	t.Helper()
	target, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	on, lost = new(atomic.Bool), new(atomic.Int64)
	address := target.Host
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer client.Close()
				server, err := net.Dial("tcp", address)
				if err != nil {
					return
				}
				defer server.Close()
				var cut atomic.Bool
				go func() {
					b := make([]byte, 64<<10)
					for {
						n, err := client.Read(b)
						if err != nil {
							server.Close()
							return
						}
						if on.Load() && bytes.Contains(b[:n], []byte(`INSERT INTO "alerts"`)) && lost.Add(1) == 1 {
							cut.Store(true)
						}
						if _, err := server.Write(b[:n]); err != nil {
							return
						}
					}
				}()
				b := make([]byte, 64<<10)
				for {
					n, err := server.Read(b)
					if err != nil || cut.Load() { // the server has answered, so it has done it
						return
					}
					if _, err := client.Write(b[:n]); err != nil {
						_, _ = io.Copy(io.Discard, server)
						return
					}
				}
			}()
		}
	}()
	target.Host = l.Addr().String()
	return target.String(), on, lost
}

func TestIntake_StoresNothingTwiceWhenAnAnswerIsLost(t *testing.T) {
	database, on, lost := loseAnswers(t, testkit.NewDatabase(t))
	w := newWorld(t, database, func(context.Context, notifiers.Notification) notifiers.Outcome { return notifiers.Outcome{} })
	on.Store(true)
	var callers sync.WaitGroup
	var failed atomic.Int64
	for c := range 16 {
		callers.Go(func() {
			for i := range 20 {
				a := &models.NewAlert{Type: "error", Message: fmt.Sprintf("%d-%d", c, i)}
				if _, err := w.intake.Create(t.Context(), []*models.NewAlert{a}); err != nil {
					failed.Add(1)
				}
			}
		})
	}
	callers.Wait()
	if lost.Load() == 0 || failed.Load() == 0 {
		t.Fatalf("%d answers were lost, %d calls failed: nothing was tried", lost.Load(), failed.Load())
	}
	stored, err := w.store.Alerts(t.Context(), nil, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, a := range stored {
		if seen[a.Message] {
			t.Errorf("alert %s is stored twice", a.Message)
		}
		seen[a.Message] = true
	}
	if int64(len(seen)) < 320-failed.Load() {
		t.Errorf("%d stored, %d of 320 failed", len(seen), failed.Load())
	}
}

func TestDispatcher_FindsWhatWasLeasedToItWithoutItsKnowing(t *testing.T) {
	t.Parallel()
	database, on, lost := loseAnswers(t, testkit.NewDatabase(t))
	w := newWorld(t, database, func(context.Context, notifiers.Notification) notifiers.Outcome { return notifiers.Outcome{} })
	c := w.channel("hook")
	on.Store(true)
	a := &models.NewAlert{Type: "error", Message: "m", Notify: true}
	if _, err := w.intake.Create(t.Context(), []*models.NewAlert{a}); err == nil || lost.Load() != 1 {
		t.Fatalf("%d answers were lost, %v: nothing was tried", lost.Load(), err)
	}
	if d := w.deliveries(c); len(d) != 1 || d[0].Status != models.Pending {
		t.Fatalf("deliveries %+v", d)
	}
	testkit.Until(t, "the delivery", func() bool { return w.count(models.Delivered, c) == 1 })
	testkit.Until(t, "the dispatcher to count nothing as its own any more", func() bool { // a moment after the commit
		w.dispatcher.mu.Lock()
		defer w.dispatcher.mu.Unlock()
		return len(w.dispatcher.held) == 0
	})
}
