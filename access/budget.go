package access

import (
	"context"
	"maps"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// MaxWait is how long a caller is held up at most for having spent too much.
	MaxWait    = 5 * time.Second
	savedUp    = 4 // seconds' worth that may be spent at once after a quiet time
	sweepEvery = time.Minute
)

// Budget bounds what the operations of one token, and those from one address, may cost in a second, on one server. Who spends
// more is held up: a script that reads all there is as fast as it can is slowed down, and only who has a lot under way at
// once is refused.
type Budget struct {
	perSecond int // 0 = no bound

	mu       sync.Mutex
	tokens   map[string]*rate.Limiter // by name: ADMIN_TOKEN has no id
	networks map[netip.Prefix]*rate.Limiter
	swept    time.Time
}

// NewBudget makes one; perSecond 0 bounds nothing.
func NewBudget(perSecond int) *Budget {
	return &Budget{perSecond: perSecond, tokens: make(map[string]*rate.Limiter), networks: make(map[netip.Prefix]*rate.Limiter)}
}

// Spend takes a cost off what the caller of ctx may spend, and waits until it is there. It is false, with nothing taken, when
// that would take longer than MaxWait, and when ctx ends before.
func (b *Budget) Spend(ctx context.Context, cost int) bool {
	if b.perSecond == 0 || cost == 0 {
		return true
	}
	now := time.Now()
	token, address := b.of(ctx, now)
	cost = min(cost, token.Burst())
	one, other := token.ReserveN(now, cost), address.ReserveN(now, cost)
	giveBack := func() { one.Cancel(); other.Cancel() }
	wait := max(one.DelayFrom(now), other.DelayFrom(now))
	switch {
	case wait > MaxWait:
		giveBack()
		return false
	case wait == 0:
		return true
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		giveBack()
		return false
	}
}

// of gives what is left to the token and to the address of ctx.
func (b *Budget) of(ctx context.Context, now time.Time) (token, address *rate.Limiter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.Sub(b.swept) > sweepEvery { // those that have all of it begin anew
		b.swept = now
		maps.DeleteFunc(b.tokens, func(_ string, l *rate.Limiter) bool { return l.TokensAt(now) >= float64(l.Burst()) })
		maps.DeleteFunc(b.networks, func(_ netip.Prefix, l *rate.Limiter) bool { return l.TokensAt(now) >= float64(l.Burst()) })
	}
	name := ""
	if v := ViewerFrom(ctx); v != nil {
		name = v.Name
	}
	return left(b.tokens, name, b.perSecond), left(b.networks, network(AddressFrom(ctx)), b.perSecond)
}

func left[K comparable](of map[K]*rate.Limiter, key K, perSecond int) *rate.Limiter {
	l := of[key]
	if l == nil {
		l = rate.NewLimiter(rate.Limit(perSecond), savedUp*perSecond)
		of[key] = l
	}
	return l
}
