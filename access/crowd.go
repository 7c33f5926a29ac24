package access

import (
	"context"
	"net/netip"
	"sync"
)

// How many streams (sockets and event streams), subscriptions and exports may be open at once on one server. A team behind one address
// stays far below.
const (
	maxStreamsOfToken         = 2000
	maxStreamsOfAddress       = 2000
	maxSubscriptionsOfToken   = 5000 // on sockets, several each; one takes some 35 KB
	maxSubscriptionsOfAddress = 10_000
	maxExportsOfToken         = 4
	maxExportsOfAddress       = 8
)

// Crowd counts the streams that are open, so that nobody takes all the room.
type Crowd struct {
	ofToken, ofAddress int

	mu       sync.Mutex
	tokens   map[string]int // by name: ADMIN_TOKEN has no id
	networks map[netip.Prefix]int
}

// NewCrowd makes an empty one, for streams.
func NewCrowd() *Crowd { return newCrowd(maxStreamsOfToken, maxStreamsOfAddress) }

// NewSubscriptionCrowd makes an empty one, for subscriptions.
func NewSubscriptionCrowd() *Crowd {
	return newCrowd(maxSubscriptionsOfToken, maxSubscriptionsOfAddress)
}

// NewExportCrowd makes an empty one, for exports.
func NewExportCrowd() *Crowd { return newCrowd(maxExportsOfToken, maxExportsOfAddress) }

func newCrowd(ofToken, ofAddress int) *Crowd {
	return &Crowd{ofToken: ofToken, ofAddress: ofAddress, tokens: make(map[string]int), networks: make(map[netip.Prefix]int)}
}

// EnterFrom takes a place for a stream from the address of ctx, which must be left; ok is false when there is none.
func (c *Crowd) EnterFrom(ctx context.Context) (leave func(), ok bool) {
	return enter(&c.mu, c.networks, network(AddressFrom(ctx)), c.ofAddress)
}

// EnterAs takes a place for a stream of the viewer, which must be left; ok is false when there is none.
func (c *Crowd) EnterAs(viewer string) (leave func(), ok bool) {
	return enter(&c.mu, c.tokens, viewer, c.ofToken)
}

func enter[K comparable](mu *sync.Mutex, counts map[K]int, key K, most int) (leave func(), ok bool) {
	mu.Lock()
	defer mu.Unlock()
	if counts[key] >= most {
		return func() {}, false
	}
	counts[key]++
	return sync.OnceFunc(func() {
		mu.Lock()
		defer mu.Unlock()
		if counts[key]--; counts[key] <= 0 {
			delete(counts, key)
		}
	}), true
}
