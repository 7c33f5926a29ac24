package feed

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/seal"
	"github.com/rustbucket/alerts/store"
	"github.com/rustbucket/alerts/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.Run(m)) }

// onBoth runs a test with a running feed on each database.
func onBoth(t *testing.T, test func(t *testing.T, s *store.Store, f *Feed)) {
	for name, url := range map[string]func(t *testing.T) string{
		"SQLite":     func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "alerts.db") },
		"PostgreSQL": func(t *testing.T) string { return testkit.NewDatabase(t) },
	} {
		t.Run(name, func(t *testing.T) {
			keys, err := seal.New(make([]byte, 32))
			if err != nil {
				t.Fatal(err)
			}
			log := slog.New(slog.DiscardHandler)
			s, err := store.Open(t.Context(), store.Options{URL: url(t), Keyring: keys, Log: log})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(s.Close)
			if _, err := s.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			f := New(s, log)
			ctx, cancel := context.WithCancel(context.Background())
			var running sync.WaitGroup
			running.Go(func() { f.Run(ctx) })
			t.Cleanup(func() { cancel(); running.Wait() })
			test(t, s, f)
		})
	}
}

func create(t *testing.T, s *store.Store, from, n, detailBytes int) {
	t.Helper()
	for i := range n {
		a := &models.NewAlert{Type: "error", Message: fmt.Sprint(from + i)}
		if detailBytes > 0 {
			a.Details = json.RawMessage(`{"x":"` + strings.Repeat("x", detailBytes) + `"}`)
		}
		if _, err := s.CreateAlerts(t.Context(), []store.AlertInsert{{New: a}}, "me"); err != nil {
			t.Fatal(err)
		}
	}
}

// read takes n events and checks that they are alerts from number on, without a gap.
func read(t *testing.T, r *Reader, from, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for got := 0; got < n; {
		events, err := r.Next(ctx)
		if err != nil {
			t.Fatalf("after %d of %d: %v", got, n, err)
		}
		for _, e := range events {
			if want := fmt.Sprint(from + got); e.Alert.Message != want {
				t.Fatalf("event %d is alert %s, want %s", got, e.Alert.Message, want)
			}
			got++
		}
	}
}

func openReader(t *testing.T, f *Feed, after *int64) *Reader {
	t.Helper()
	r, err := f.Open(t.Context(), after)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func TestFeed_ASlowReaderMissesNothingAndHoldsNobodyUp(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store, f *Feed) {
		create(t, s, 1000, 5, 0) // before anybody reads
		slow, quick := openReader(t, f, nil), openReader(t, f, nil)
		const n, size = 400, 60 << 10 // more than the ring holds
		create(t, s, 0, n, size)
		read(t, quick, 0, n)
		f.mu.Lock()
		if f.size > ringBytes || len(f.ring) == 0 || f.ring[0].Position <= slow.position+1 {
			t.Errorf("the ring holds %d events, %d bytes, from %d on", len(f.ring), f.size, f.ring[0].Position)
		}
		f.mu.Unlock()
		read(t, slow, 0, n)
		create(t, s, n, 3, 0)
		read(t, slow, n, 3)
		read(t, quick, n, 3)
	})
}

func TestFeed_ReadersComeAndGo(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store, f *Feed) {
		for round := range 5 {
			r, err := f.Open(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			create(t, s, round*10, 2, 0)
			read(t, r, round*10, 2)
			position := r.position
			r.Close()
			create(t, s, round*10+2, 2, 0) // while nobody reads
			again, err := f.Open(t.Context(), &position)
			if err != nil {
				t.Fatal(err)
			}
			read(t, again, round*10+2, 2)
			again.Close()
		}
	})
}

func TestFeed_RefusesPositionsThatAreNotItsOwn(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store, f *Feed) {
		create(t, s, 0, 3, 0)
		future := int64(4)
		if _, err := f.Open(t.Context(), &future); !models.HasCode(err, models.BadUserInput) {
			t.Errorf("a position from the future: %v", err)
		}
		beginning := int64(0)
		read(t, openReader(t, f, &beginning), 0, 3)
	})
}
