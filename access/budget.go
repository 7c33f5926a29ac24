package access

import (
	"context"
	"maps"
	"net/netip"
	"sync"
	"time"
)

const (
	// MaxWait is how long a caller is held up at most for having spent too much.
	MaxWait    = 5 * time.Second
	savedUp    = 4 // seconds' worth that may be spent at once after a quiet time
	ofAddress  = 4 // times as much as a token: one alone does not take all from the others behind a shared address
	sweepEvery = time.Minute
)

// Budget bounds what the operations of one token, and those from one address, may cost in a second, on one server. Who spends
// more is held up: a script that reads all there is as fast as it can is slowed down, and only who has a lot under way at
// once is refused.
type Budget struct {
	perSecond int // of a token; 0 = no bound

	mu       sync.Mutex
	tokens   map[string]*purse // by name: ADMIN_TOKEN has no id
	networks map[netip.Prefix]*purse
	swept    time.Time
}

// purse is what is left to somebody.
type purse struct {
	perSecond float64
	left      float64 // less than nothing while somebody waits
	at        time.Time
}

// NewBudget makes one; perSecond 0 bounds nothing.
func NewBudget(perSecond int) *Budget {
	return &Budget{perSecond: perSecond, tokens: make(map[string]*purse), networks: make(map[netip.Prefix]*purse)}
}

// Spend takes a cost off what the caller of ctx may spend, and waits until it is there. It is false, with nothing taken, when
// that would take longer than MaxWait, and when ctx ends before.
func (b *Budget) Spend(ctx context.Context, cost int) bool {
	if b.perSecond == 0 || cost == 0 {
		return true
	}
	amount := float64(min(cost, savedUp*b.perSecond))
	wait, giveBack := b.take(ctx, amount)
	switch {
	case wait > MaxWait:
		return false
	case wait <= 0:
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

// take takes an amount off both purses and says how long to wait for it; off neither when that is longer than MaxWait.
func (b *Budget) take(ctx context.Context, amount float64) (wait time.Duration, giveBack func()) {
	name := ""
	if v := ViewerFrom(ctx); v != nil {
		name = v.Name
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.sweep(now)
	token := purseOf(b.tokens, name, float64(b.perSecond), now)
	address := purseOf(b.networks, network(AddressFrom(ctx)), ofAddress*float64(b.perSecond), now)
	if wait = max(token.wait(amount), address.wait(amount)); wait > MaxWait {
		return wait, nil
	}
	token.left -= amount
	address.left -= amount
	return wait, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		token.left += amount
		address.left += amount
	}
}

// sweep forgets those that have all of it: they begin anew. b.mu is held.
func (b *Budget) sweep(now time.Time) {
	if now.Sub(b.swept) <= sweepEvery {
		return
	}
	b.swept = now
	maps.DeleteFunc(b.tokens, func(_ string, p *purse) bool { return p.isFull(now) })
	maps.DeleteFunc(b.networks, func(_ netip.Prefix, p *purse) bool { return p.isFull(now) })
}

// purseOf gives somebody's purse, with what has come in by now.
func purseOf[K comparable](of map[K]*purse, key K, perSecond float64, now time.Time) *purse {
	p := of[key]
	if p == nil {
		p = &purse{perSecond: perSecond, left: savedUp * perSecond, at: now}
		of[key] = p
	}
	p.fill(now)
	return p
}

func (p *purse) fill(now time.Time) {
	p.left = min(p.left+p.perSecond*now.Sub(p.at).Seconds(), savedUp*p.perSecond)
	p.at = now
}

func (p *purse) isFull(now time.Time) bool {
	p.fill(now)
	return p.left >= savedUp*p.perSecond
}

// wait is how long it takes until an amount is there.
func (p *purse) wait(amount float64) time.Duration {
	return time.Duration((amount - p.left) / p.perSecond * float64(time.Second))
}
