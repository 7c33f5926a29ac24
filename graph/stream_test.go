package graph

import (
	"context"
	"testing"
	"time"
)

func TestTurns_BoundHowManyAreAtIt(t *testing.T) {
	turns := newTurns()
	var leave []func()
	for range cap(turns) {
		leave = append(leave, turns.enter(t.Context()))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	turns.enter(ctx)() // one too many waits, until it has no reason to any more; to leave then is to leave nothing
	if len(turns) != cap(turns) {
		t.Errorf("%d of %d turns are taken", len(turns), cap(turns))
	}
	leave[0]()
	leave[0]() // only the first time counts
	if len(turns) != cap(turns)-1 {
		t.Errorf("%d of %d turns are taken, want one less", len(turns), cap(turns))
	}
	entered := make(chan struct{})
	go func() { turns.enter(t.Context()); close(entered) }()
	select {
	case <-entered:
	case <-time.After(45 * time.Second):
		t.Error("a turn that was left is not free")
	}
}
