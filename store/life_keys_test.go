package store_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/store"
	"github.com/rustbucket/alerts/testkit"
)

// TestLife_AFilterReopensWhileAlertsWithTheSameKeysComeIn: what is open anew with its key is left out, and ends nothing.
func TestLife_AFilterReopensWhileAlertsWithTheSameKeysComeIn(t *testing.T) {
	s := open(t, testkit.NewDatabase(t)) // SQLite lets nobody in between
	const keys = 200
	keyed := func(n int) store.AlertInsert {
		a := alert("error")
		a.DedupKey = new(fmt.Sprintf("key %d", n%keys))
		return insert(a)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var others sync.WaitGroup
	for worker := range 4 {
		others.Go(func() {
			for n := worker; ctx.Err() == nil; n += 7 {
				if _, err := s.CreateAlerts(t.Context(), []store.AlertInsert{keyed(n)}, "nobody"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	which := models.AlertSelection{Filter: &models.AlertFilter{Types: []string{"error"}}}
	reopened, began := 0, time.Now()
	for time.Since(began) < 1500*time.Millisecond || reopened == 0 {
		if time.Since(began) > 2*time.Minute {
			t.Error("nothing was reopened in all this time")
			break
		}
		if _, _, err := s.ChangeAlerts(t.Context(), which, models.AlertChange{Kind: models.WasResolved}); err != nil {
			t.Errorf("resolving: %v", err)
		}
		n, _, err := s.ChangeAlerts(t.Context(), which, models.AlertChange{Kind: models.WasReopened})
		if err != nil {
			t.Errorf("reopening: %v", err)
		}
		reopened += n
	}
	cancel()
	others.Wait()
}
