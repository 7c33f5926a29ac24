package notifiers

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestConformance_NoAnswer(t *testing.T) {
	// Each of these reads the request and then does something to the bare connection.
	stages := map[string]func(net.Conn){
		"closed":        func(c net.Conn) { _ = c.Close() },
		"closed midway": func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 200"); _ = c.Close() },
		"not HTTP": func(c net.Conn) {
			_, _ = io.WriteString(c, "SSH-2.0-x /path-s3cret tokens3cret\r\n\r\n")
			_ = c.Close()
		},
		"endless headers": func(c net.Conn) { endless(c, "HTTP/1.1 200 OK\r\n", "X-Filler: "+strings.Repeat("x", 1000)+"\r\n") },
	}
	for name, stage := range stages {
		t.Run(name, func(t *testing.T) {
			forEachKit(t, func(t *testing.T, k kit) {
				if o := k.send(t, rawServer(t, stage)); o.Result != Retry || o.StatusCode != 0 || strings.Contains(o.Error, "timed out") {
					t.Errorf("result %d, status %d, %q; want a retry", o.Result, o.StatusCode, o.Error)
				}
			})
		})
	}
	t.Run("nobody listens", func(t *testing.T) {
		forEachKit(t, func(t *testing.T, k kit) {
			if o := k.send(t, "http://"+nobodyListens(t).String()); o.Result != Retry || strings.Contains(o.Error, "timed out") {
				t.Errorf("result %d, %q; want a retry", o.Result, o.Error)
			}
		})
	})
	t.Run("no such host", func(t *testing.T) {
		forEachKit(t, func(t *testing.T, k kit) {
			if o := k.send(t, "http://nowhere.invalid"); o.Result != Retry {
				t.Errorf("result %d, %q; want a retry", o.Result, o.Error)
			}
		})
	})
	t.Run("cancelled", func(t *testing.T) {
		forEachKit(t, func(t *testing.T, k kit) {
			ctx, cancel := context.WithCancel(t.Context())
			base := rawServer(t, func(net.Conn) { cancel() })
			o := testSet(t)[k.channel].Send(ctx, Notification{Key: "k", Alert: testAlert(), Config: k.config(base)})
			k.check(t, o)
			if o.Result != Retry {
				t.Errorf("result %d, %q; want a retry", o.Result, o.Error)
			}
		})
	})
}

// Each of these is silent from one moment on; the attempt ends with its context, and says so.
func TestConformance_TimesOutAtEveryStage(t *testing.T) {
	https := func(base string) string { return strings.Replace(base, "http://", "https://", 1) }
	for name, c := range map[string]struct {
		base func(t *testing.T) string
		at   stage
		says string
	}{
		"connection":    {fullBacklog, atOnce, "timed out: no connection within the time limit"},
		"TLS handshake": {func(t *testing.T) string { return https(rawServer(t, func(net.Conn) {})) }, whenShaking, "timed out: the TLS handshake did not end within the time limit"},
		"request body":  {func(t *testing.T) string { return rawServer(t, func(net.Conn) {}) }, whenConnected, "timed out: no answer within the time limit"},
		"headers": {func(t *testing.T) string {
			return rawServer(t, func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Le") })
		}, whenAnswered, "timed out: no answer within the time limit"},
	} {
		t.Run(name, func(t *testing.T) {
			base := c.base(t)
			forEachKit(t, func(t *testing.T, k kit) {
				t.Parallel() // each waits for its time limit
				o := stall(t, 200*time.Millisecond, c.at, func(ctx context.Context, limit time.Duration) Outcome {
					return k.tellWithin(ctx, t, k.largest(), base, limit) // more than the other side's buffers take
				})
				if o.Result != Retry || o.Error != c.says {
					t.Errorf("result %d, %q; want %q", o.Result, o.Error, c.says)
				}
			})
		})
	}
}

// A certificate is renewed, mostly within a day: that is worth a retry. Nothing is sent before.
func TestConformance_BrokenTLS(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		template x509.Certificate
		says     string
	}{
		"unknown authority": {x509.Certificate{NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}},
			"unknown authority"},
		"expired": {x509.Certificate{NotBefore: now.Add(-2 * time.Hour), NotAfter: now.Add(-time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}},
			"has expired"},
		"of another host": {x509.Certificate{NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), DNSNames: []string{"other.example.com"}},
			"127.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			certificate := selfSigned(t, c.template)
			forEachMessage(t, func(t *testing.T, k kit, n Notification) {
				var requests atomic.Int64
				base := serveTLS(t, certificate, func(http.ResponseWriter, *http.Request) { requests.Add(1) })
				o := k.tell(t, n, base)
				if o.Result != Retry || o.StatusCode != 0 || !strings.Contains(o.Error, "certificate is not trusted") || !strings.Contains(o.Error, c.says) {
					t.Errorf("result %d, status %d, %q", o.Result, o.StatusCode, o.Error)
				}
				if requests.Load() != 0 {
					t.Error("something was sent")
				}
			})
		})
	}
	t.Run("none at all", func(t *testing.T) {
		forEachKit(t, func(t *testing.T, k kit) {
			base := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("something was sent") })
			if o := k.send(t, strings.Replace(base, "http://", "https://", 1)); o.Result != Retry {
				t.Errorf("result %d, %q", o.Result, o.Error)
			}
		})
	})
}

func selfSigned(t *testing.T, template x509.Certificate) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(1)
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestConformance_ConnectionsAreUsedAgain(t *testing.T) {
	forEachKit(t, func(t *testing.T, k kit) {
		var connections atomic.Int64
		s := httptest.NewUnstartedServer(http.HandlerFunc(k.succeed))
		s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				connections.Add(1)
			}
		}
		s.Start()
		defer s.Close()
		notifier := testSet(t)[k.channel]
		for range 20 {
			o := notifier.Send(t.Context(), Notification{Key: "k", Alert: testAlert(), Config: k.config(s.URL)})
			if o.Result != Delivered {
				t.Fatalf("result %d, %q", o.Result, o.Error)
			}
		}
		// A connection whose request is answered before it is known here to be sent is not kept: that happens on a busy machine.
		if n := connections.Load(); n > 5 {
			t.Errorf("20 messages took %d connections", n)
		}
	})
}

// fullBacklog is a listener that takes no further connection: who dials waits.
func fullBacklog(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	shrinkBacklog(t, l.(*net.TCPListener))
	// One that does not get through may be due to a machine that stood still: it is full when several in a row do not.
	for dials, waiting := 0, 0; waiting < 3; dials++ {
		if dials > 100 {
			t.Fatal("the backlog is never full")
		}
		c, err := net.DialTimeout("tcp", l.Addr().String(), 100*time.Millisecond)
		if err != nil {
			waiting++
			continue
		}
		waiting = 0
		t.Cleanup(func() { c.Close() })
	}
	return "http://" + l.Addr().String()
}

// nobodyListens gives an address of this machine at which nobody listens, nor will while the test runs: its port is a connection's.
func nobodyListens(t *testing.T) *net.TCPAddr {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.LocalAddr().(*net.TCPAddr)
}

// rawServer reads one request's headers on each connection and then leaves it to f; what f leaves open stays open until
// the test ends.
func rawServer(t *testing.T, f func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() {
		close(ended)
		l.Close()
	})
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				go func() { <-ended; c.Close() }()
				buf, all := make([]byte, 4096), ""
				for !strings.Contains(all, "\r\n\r\n") {
					n, err := c.Read(buf)
					if err != nil {
						return
					}
					all += string(buf[:n])
				}
				f(c)
				<-ended
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

// sayNoMore ends the answer and takes what still comes: a connection that is closed with something unread is reset, and the other
// side may not see what was written before.
func sayNoMore(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.CloseWrite()
	}
	_, _ = io.Copy(io.Discard, c)
	_ = c.Close()
}

// endless writes until the other side has had enough.
func endless(c net.Conn, first, more string) {
	_, err := io.WriteString(c, first)
	for err == nil {
		_, err = io.WriteString(c, more)
	}
}
