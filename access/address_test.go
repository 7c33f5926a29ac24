package access

import (
	"crypto/tls"
	"net/http"
	"net/netip"
	"testing"
)

func TestProxies_BelievesOnlyProxies(t *testing.T) {
	proxies := Proxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	for _, c := range []struct {
		name, connection string
		forwarded        []string
		want             string
	}{
		{"straight", "203.0.113.7:1234", nil, "203.0.113.7"},
		{"a stranger's word", "203.0.113.7:1234", []string{"198.51.100.1"}, "203.0.113.7"},
		{"a proxy's", "10.0.0.1:1234", []string{"198.51.100.1"}, "198.51.100.1"},
		{"two proxies'", "10.0.0.1:1234", []string{"198.51.100.1, 10.0.0.2"}, "198.51.100.1"},
		{"in two headers", "10.0.0.1:1234", []string{"198.51.100.1", "10.0.0.2"}, "198.51.100.1"},
		{"made up before the proxy's", "10.0.0.1:1234", []string{"192.0.2.1, 198.51.100.1"}, "198.51.100.1"},
		{"nonsense", "10.0.0.1:1234", []string{"nobody"}, "10.0.0.1"},
		{"none", "10.0.0.1:1234", nil, "10.0.0.1"},
		{"proxies only", "10.0.0.1:1234", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"mapped", "[::ffff:10.0.0.1]:1234", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		{"IPv6", "[::1]:1234", []string{"2001:db8::1"}, "2001:db8::1"},
		{"with a port", "10.0.0.1:1234", []string{"198.51.100.1:80"}, "10.0.0.1"},
		{"no address", "@", nil, "invalid IP"},
	} {
		r := &http.Request{RemoteAddr: c.connection, Header: http.Header{"X-Forwarded-For": c.forwarded}}
		if got := proxies.Client(r).String(); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestCrowd_LetsNobodyTakeAllTheRoom(t *testing.T) {
	c := NewCrowd()
	at := func(address string) func() (func(), bool) {
		return func() (func(), bool) { return c.EnterFrom(WithAddress(t.Context(), netip.MustParseAddr(address))) }
	}
	for name, enter := range map[string]struct{ one, same, other func() (func(), bool) }{
		"token": {
			func() (func(), bool) { return c.EnterAs("one") }, func() (func(), bool) { return c.EnterAs("one") },
			func() (func(), bool) { return c.EnterAs("other") },
		},
		"address": {at("203.0.113.7"), at("203.0.113.7"), at("203.0.113.8")},
		"site":    {at("2001:db8::1"), at("2001:db8::2"), at("2001:db8:0:1::1")},
	} {
		var leave func()
		for range maxStreamsOfToken {
			l, ok := enter.one()
			if !ok {
				t.Fatalf("%s: refused before the limit", name)
			}
			leave = l
		}
		if _, ok := enter.same(); ok {
			t.Errorf("%s: one too many was let in", name)
		}
		if _, ok := enter.other(); !ok {
			t.Errorf("%s: somebody else was refused", name)
		}
		leave()
		leave() // only the first time counts
		if _, ok := enter.same(); !ok {
			t.Errorf("%s: a place that was left is not free", name)
		}
		if _, ok := enter.same(); ok {
			t.Errorf("%s: a place was left twice", name)
		}
	}
}

func TestProxies_OverTLS(t *testing.T) {
	proxies := Proxies{netip.MustParsePrefix("10.0.0.0/8")}
	for _, c := range []struct {
		name, connection, forwarded string
		tls, want                   bool
	}{
		{"straight", "203.0.113.7:1234", "", false, false},
		{"straight over TLS", "203.0.113.7:1234", "", true, true},
		{"a stranger's word", "203.0.113.7:1234", "https", false, false},
		{"a proxy's", "10.0.0.1:1234", "https", false, true},
		{"a proxy's, mapped", "[::ffff:10.0.0.1]:1234", "HTTPS", false, true},
		{"two proxies'", "10.0.0.1:1234", "https, http", false, true},
		{"a proxy's word against it", "10.0.0.1:1234", "http", false, false},
		{"a silent proxy", "10.0.0.1:1234", "", false, false},
		{"no address", "@", "https", false, false},
	} {
		r := &http.Request{RemoteAddr: c.connection, Header: http.Header{"X-Forwarded-Proto": {c.forwarded}}}
		if c.tls {
			r.TLS = new(tls.ConnectionState)
		}
		if got := proxies.OverTLS(r); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
