package notifiers

import (
	"net"
	"net/http"
	"time"
)

// idlePerHost is how many connections to one receiver are kept for the next messages. Below the number of messages in
// flight to one host, each message above it would pay for a new connection.
const idlePerHost = 256

// NewClient gives the client under every HTTP notifier. It connects to public addresses and those that egress opens,
// nowhere else, decided on the address that is really connected to. It follows no redirect, uses no proxy from the
// environment, and asks for no compression. It has no time limit of its own: the request's context sets it.
func NewClient(egress Egress) *http.Client { return newClient(egress, nil) }

// newClient asks this resolver for names; nil = the system's.
func newClient(egress Egress, resolver *net.Resolver) *http.Client {
	dialer := &net.Dialer{KeepAlive: 30 * time.Second, Control: newGuard(egress).control, Resolver: resolver}
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                  nil, // a proxy would make the connection, past the guard
			DialContext:            dialer.DialContext,
			TLSHandshakeTimeout:    10 * time.Second,
			MaxIdleConns:           4 * idlePerHost,
			MaxIdleConnsPerHost:    idlePerHost,
			IdleConnTimeout:        90 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
			DisableCompression:     true, // a small compressed answer could unfold into a huge one
			// HTTP/1.1 only (no ForceAttemptHTTP2): a connection carries one message at a time, so a receiver that freezes
			// one holds up no other.
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
