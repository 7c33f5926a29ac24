package access

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Proxies are the addresses of proxies whose word about their clients is believed.
type Proxies []netip.Prefix

// Client gives the address that a request comes from: of the connection, or, when that is one of the proxies, the last in
// X-Forwarded-For that is none. What stands before it there may be made up. The zero Addr when there is none.
func (p Proxies) Client(r *http.Request) netip.Addr {
	connection, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	client := plain(connection.Addr())
	said := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(said) {
		if !p.has(client) {
			break
		}
		before, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			break
		}
		client = plain(before)
	}
	return client
}

// OverTLS reports whether a request came over TLS: to the server itself, or, by the word of one of the proxies
// (X-Forwarded-Proto), to the first of them.
func (p Proxies) OverTLS(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	connection, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !p.has(plain(connection.Addr())) {
		return false
	}
	first, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Proto"), ",")
	return strings.EqualFold(strings.TrimSpace(first), "https")
}

func (p Proxies) has(a netip.Addr) bool {
	return slices.ContainsFunc(p, func(prefix netip.Prefix) bool { return prefix.Contains(a) })
}

func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// network is what one client may have: an IPv4 address, or the 64 bits of IPv6 that a site gets.
func network(a netip.Addr) netip.Prefix {
	bits := 32
	if a.Is6() {
		bits = 64
	}
	prefix, _ := a.Prefix(bits) // the zero Prefix for the zero Addr
	return prefix
}

type addressKey struct{}

// WithAddress notes where a request comes from.
func WithAddress(ctx context.Context, a netip.Addr) context.Context {
	return context.WithValue(ctx, addressKey{}, a)
}

// AddressFrom gives where a request comes from; the zero Addr when that was not noted.
func AddressFrom(ctx context.Context) netip.Addr {
	a, _ := ctx.Value(addressKey{}).(netip.Addr)
	return a
}

type tlsKey struct{}

// WithTLS notes whether a request came over TLS.
func WithTLS(ctx context.Context, over bool) context.Context {
	return context.WithValue(ctx, tlsKey{}, over)
}

// OverTLS reports whether that was noted.
func OverTLS(ctx context.Context) bool {
	over, _ := ctx.Value(tlsKey{}).(bool)
	return over
}
