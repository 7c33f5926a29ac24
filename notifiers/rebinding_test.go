package notifiers

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/rustbucket/alerts/models"
)

// nameServer answers every question for an IPv4 address with what next gives, and knows no other. It gives a resolver that asks it
// alone.
func nameServer(t *testing.T, next func(name string) (netip.Addr, bool)) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		for buf := make([]byte, 1500); ; {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			q := m.Questions[0]
			m.Header = dnsmessage.Header{ID: m.Header.ID, Response: true, RecursionAvailable: true}
			m.Additionals = nil
			if addr, ok := next(q.Name.String()); !ok {
				m.Header.RCode = dnsmessage.RCodeNameError
			} else if q.Type == dnsmessage.TypeA {
				m.Answers = []dnsmessage.Resource{{
					Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}, // TTL 0: nobody keeps it
					Body:   &dnsmessage.AResource{A: addr.As4()},
				}}
			}
			if answer, err := m.Pack(); err == nil {
				_, _ = conn.WriteTo(answer, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// A name that led to an open address when somebody looked, and leads inside when it is connected to.
func TestClient_ANameThatChangesItsAnswerGainsNothing(t *testing.T) {
	var inside, outside atomic.Int64
	serve := func(l net.Listener, count *atomic.Int64) {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") }))
		s.Listener.Close()
		s.Listener = counting{l, count}
		s.Start()
		t.Cleanup(s.Close)
	}
	closed, allowed := twoListeners(t)
	serve(allowed, &outside)
	serve(closed, &inside)
	_, port, _ := net.SplitHostPort(allowed.Addr().String())

	answer := atomic.Pointer[netip.Addr]{}
	to := func(s string) { a := netip.MustParseAddr(s); answer.Store(&a) }
	resolver := nameServer(t, func(name string) (netip.Addr, bool) { return *answer.Load(), name == "receiver.example." })
	p := newPoster(Settings{})
	p.client = newClient(open("127.0.0.2/32"), resolver)
	hook := &webhook{poster: p}
	send := func(host string) Outcome {
		ctx, cancel := context.WithTimeout(t.Context(), ample)
		defer cancel()
		return hook.Send(ctx, Notification{Key: "k", Alert: testAlert(), Config: &models.WebhookConfig{URL: "http://" + host + ":" + port + "/"}})
	}
	to("127.0.0.2")
	if o := send("receiver.example"); o.Result != Delivered || outside.Load() != 1 {
		t.Fatalf("the open address: %+v, %d connections", o, outside.Load())
	}
	to("127.0.0.1")
	if o := send("receiver.example"); o.Result != Permanent {
		t.Errorf("the same name inside: %+v", o)
	}
	// Other spellings of 127.0.0.1: decimal, hexadecimal, octal, short. None is an address here, and none is a name.
	for _, host := range []string{"2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001", "127.1", "127.0.1", "127.0.0.1.", "①②⑦.0.0.1"} {
		if o := send(host); o.Result == Delivered {
			t.Errorf("%s: %+v", host, o)
		}
	}
	if n := inside.Load(); n != 0 {
		t.Errorf("%d connections were made inside", n)
	}
}

// twoListeners listen on the same port of two addresses. One that is free on the one may be in use on the other: another is tried then.
func twoListeners(t *testing.T) (first, second net.Listener) {
	t.Helper()
	for try := 0; ; try++ {
		first, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_, port, _ := net.SplitHostPort(first.Addr().String())
		second, err := net.Listen("tcp", "127.0.0.2:"+port)
		if err == nil {
			return first, second
		}
		defer first.Close() // kept until then, so that the next has another port
		if try == 100 {
			t.Fatal(err)
		}
	}
}

// counting counts what a listener accepts.
type counting struct {
	net.Listener
	n *atomic.Int64
}

func (c counting) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err == nil {
		c.n.Add(1)
	}
	return conn, err
}
