package notifiers

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"

	"code.dny.dev/ssrf"
)

// Egress says which addresses may be called although they are not public. The zero value opens none.
type Egress struct {
	allowed []netip.Prefix // masked, IPv4 never in its IPv6 form
}

// NewEgress opens these ranges. IPv4 ranges are given in their own form, never as ::ffff:0:0/96.
func NewEgress(prefixes []netip.Prefix) Egress {
	e := Egress{allowed: make([]netip.Prefix, len(prefixes))}
	for i, p := range prefixes {
		e.allowed[i] = p.Masked()
	}
	return e
}

// BlockedError reports that an address may not be called. Its text names the address and the setting that would open it.
type BlockedError struct {
	Addr netip.Addr
	kind string
	open netip.Prefix // what to add to EGRESS_ALLOW
}

func (e *BlockedError) Error() string {
	return fmt.Sprintf("%s is a %s address: add %s to EGRESS_ALLOW to allow it", e.Addr, e.kind, e.open)
}

// guard decides about every address right before it is connected to, which is after DNS: a name that resolves to another
// address the second time gains nothing.
type guard struct {
	egress Egress
	public *ssrf.Guardian
}

func newGuard(e Egress) *guard {
	var v4, v6 []netip.Prefix
	for _, p := range e.allowed {
		if p.Addr().Is4() {
			v4 = append(v4, p)
		} else {
			v6 = append(v6, p)
		}
	}
	return &guard{egress: e, public: ssrf.New(
		ssrf.WithAnyPort(), // a receiver may listen anywhere; the address decides
		ssrf.WithNetworks("tcp4", "tcp6"),
		ssrf.WithAllowedV4Prefixes(v4...),
		// Behind NAT64 the whole IPv4 internet has addresses in here. What is embedded is judged on its own below.
		ssrf.WithAllowedV6Prefixes(append(v6, ssrf.IPv6NAT64Prefix)...),
	)}
}

// control is a net.Dialer's Control.
func (g *guard) control(network, address string, conn syscall.RawConn) error {
	target, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("cannot read the address to connect to: %w", err)
	}
	if err := g.check(target.Addr()); err != nil {
		return err
	}
	// Network and address once more in the library's own words; it sees what check has seen already, but for the mapped form.
	target = netip.AddrPortFrom(target.Addr().Unmap().WithZone(""), target.Port())
	return g.public.Safe(network, target.String(), conn)
}

// check returns a BlockedError unless the address, and every IPv4 address embedded in it, may be called.
func (g *guard) check(addr netip.Addr) error {
	addr = addr.Unmap().WithZone("")
	if isMetadata(addr) && !g.egress.names(addr) {
		return &BlockedError{Addr: addr, kind: "cloud metadata", open: netip.PrefixFrom(addr, addr.BitLen())}
	}
	if err := g.public.SafeAddr(addr); err != nil {
		return blocked(addr)
	}
	if inner, ok := embeddedIPv4(addr); ok && !g.egress.names(addr) {
		if err := g.check(inner); err != nil {
			var b *BlockedError
			if errors.As(err, &b) {
				return fmt.Errorf("%s leads to %w", addr, b)
			}
			return err
		}
	}
	return nil
}

// names reports whether a prefix of exactly this address was given.
func (e Egress) names(addr netip.Addr) bool {
	return slices.Contains(e.allowed, netip.PrefixFrom(addr, addr.BitLen()))
}

// isMetadata reports whether a cloud gives a machine its credentials at this address.
func isMetadata(addr netip.Addr) bool {
	switch addr.String() {
	case "169.254.169.254", // AWS, Google, Azure, Oracle, DigitalOcean and most others
		"169.254.169.253", // AWS: resolver of the network
		"169.254.170.2",   // AWS: container credentials
		"169.254.170.23",  // AWS: pod identity
		"169.254.0.23",    // Tencent
		"169.254.42.42",   // Scaleway
		"100.100.100.200", // Alibaba
		"168.63.129.16",   // Azure's host agent: a public address by its number
		"192.0.0.192",     // Oracle, classic
		"fd00:ec2::254",   // AWS
		"fd00:ec2::253",   // AWS: resolver of the network
		"fd00:ec2::23",    // AWS: pod identity
		"fd20:ce::254",    // Google
		"fd00:42::42":     // Scaleway
		return true
	}
	return false
}

// embeddedIPv4 gives the IPv4 address that a packet to this IPv6 address would be handed on to: NAT64 (RFC 6052, 8215),
// 6to4 (RFC 3056), Teredo (RFC 4380), IPv4-compatible (RFC 4291).
func embeddedIPv4(addr netip.Addr) (netip.Addr, bool) {
	if !addr.Is6() {
		return netip.Addr{}, false
	}
	b := addr.As16()
	switch {
	case ssrf.IPv6NAT64Prefix.Contains(addr),
		b[0] == 0 && b[1] == 0x64 && b[2] == 0xff && b[3] == 0x9b && b[4] == 0 && b[5] == 1: // 64:ff9b:1::/48
		return netip.AddrFrom4([4]byte(b[12:16])), true
	case b[0] == 0x20 && b[1] == 0x02:
		return netip.AddrFrom4([4]byte(b[2:6])), true
	case b[0] == 0x20 && b[1] == 0x01 && b[2] == 0 && b[3] == 0:
		return netip.AddrFrom4([4]byte{^b[12], ^b[13], ^b[14], ^b[15]}), true // the client's address is kept inverted
	case [12]byte(b[:12]) == [12]byte{} && addr != netip.IPv6Loopback() && addr != netip.IPv6Unspecified():
		return netip.AddrFrom4([4]byte(b[12:16])), true
	}
	return netip.Addr{}, false
}

// blocked says what kind of address it is and which range would open it.
func blocked(addr netip.Addr) *BlockedError {
	for _, r := range []struct{ kind, cidr string }{
		{"loopback", "127.0.0.0/8"},
		{"private", "10.0.0.0/8"},
		{"private", "172.16.0.0/12"},
		{"private", "192.168.0.0/16"},
		{"shared (carrier)", "100.64.0.0/10"},
		{"link-local", "169.254.0.0/16"},
		{"loopback", "::1/128"},
		{"private", "fc00::/7"},
		{"link-local", "fe80::/10"},
	} {
		if prefix := netip.MustParsePrefix(r.cidr); prefix.Contains(addr) {
			return &BlockedError{Addr: addr, kind: r.kind, open: prefix}
		}
	}
	return &BlockedError{Addr: addr, kind: "reserved", open: netip.PrefixFrom(addr, addr.BitLen())}
}
