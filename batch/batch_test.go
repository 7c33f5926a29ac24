package batch_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rustbucket/alerts/batch"
	"github.com/rustbucket/alerts/models"
)

func TestBatcher_RefusesWhenTooMuchWaits(t *testing.T) {
	release := make(chan struct{})
	b := batch.New(batch.Options[int, int]{What: "things", Size: func(n int) int { return n }, Max: 10, Room: 20, Work: func(_ context.Context, calls []int) ([]int, []error) {
		<-release
		return calls, make([]error, len(calls))
	}})
	stop := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() { b.Run(context.Background(), stop) })
	var answered, refused atomic.Int64
	var callers sync.WaitGroup
	for range 100 {
		callers.Go(func() {
			switch _, err := b.Do(t.Context(), 5); {
			case err == nil:
				answered.Add(1)
			case models.HasCode(err, models.Overloaded):
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	for refused.Load() < 90 { // at most one batch at work and 20 waiting
		time.Sleep(time.Millisecond)
	}
	close(release)
	callers.Wait()
	close(stop)
	running.Wait()
	if answered.Load()+refused.Load() != 100 || answered.Load() == 0 {
		t.Errorf("%d answered, %d refused", answered.Load(), refused.Load())
	}
	if _, err := b.Do(t.Context(), 1); !models.HasCode(err, models.Overloaded) {
		t.Errorf("after its end: %v", err)
	}
}

func TestBatcher_LeavesTimeBetweenBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const apart = 50 * time.Millisecond
		var began []time.Time
		b := batch.New(batch.Options[int, int]{What: "things", Size: func(int) int { return 1 }, Max: 100, Room: 100, Apart: apart,
			Work: func(_ context.Context, calls []int) ([]int, []error) {
				began = append(began, time.Now())
				return calls, make([]error, len(calls))
			}})
		stop := make(chan struct{})
		var running sync.WaitGroup
		running.Go(func() { b.Run(context.Background(), stop) })
		var callers sync.WaitGroup
		start := time.Now()
		for n := range 100 {
			time.Sleep(time.Millisecond)
			callers.Go(func() {
				if got, err := b.Do(t.Context(), n); got != n || err != nil {
					t.Errorf("%d was answered with %d, %v", n, got, err)
				}
			})
		}
		callers.Wait()
		close(stop)
		running.Wait()
		if len(began) != 3 || began[0].Sub(start) > time.Millisecond || began[1].Sub(began[0]) != apart || began[2].Sub(began[1]) != apart {
			t.Errorf("batches began %v", began)
		}
	})
}
