package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rustbucket/alerts/testkit"
)

func TestFront_AsksTheDatabaseOnceForAllWhoWantToKnow(t *testing.T) {
	web := newFront(nil)
	var pings atomic.Int64
	var away atomic.Bool
	web.open(map[string]http.Handler{}, func(context.Context) error {
		pings.Add(1)
		if away.Load() {
			return errors.New("away")
		}
		return nil
	})
	ask := func() int {
		answer := httptest.NewRecorder()
		web.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", nil))
		return answer.Code
	}
	began := time.Now()
	var callers sync.WaitGroup
	for range 1000 {
		callers.Go(func() {
			if code := ask(); code != http.StatusOK {
				t.Errorf("it is answered %d", code)
			}
		})
	}
	callers.Wait()
	if n, most := pings.Load(), 1+int64(time.Since(began)/pingEvery); n > most {
		t.Errorf("the database is asked %d times, want at most %d", n, most)
	}
	away.Store(true)
	testkit.Until(t, "it to be seen that the database is away", func() bool { return ask() == http.StatusServiceUnavailable })
}
