package notifiers

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/rustbucket/alerts/models"
)

// The conformance kit: every HTTP notifier goes through the same misbehaviour of the other side. A notifier takes part by
// an entry in kits.

type kit struct {
	name    string
	channel models.ChannelType
	config  func(base string) models.ChannelConfig // base is http://host:port
	ok      string                                 // the body of a success
	secrets []string                               // what config holds and no Outcome may
	differs map[int]Result                         // statuses that this service means otherwise than the shared table
}

var kits = []kit{
	{
		name: "webhook", channel: models.Webhook,
		config: func(base string) models.ChannelConfig {
			secret := "whsec_c2lnbmluZy1zZWNyZXQtb2YtdGhlLWtpdA=="
			return &models.WebhookConfig{
				URL:           strings.Replace(base, "http://", "http://user-s3cret:pass-s3cret@", 1) + "/path-s3cret/deep?key=query-s3cret",
				Headers:       map[string]string{"Authorization": "Bearer header-s3cret", "X-Api-Key": "a/key+s3cret"},
				SigningSecret: &secret,
			}
		},
		ok: `{"taken":true}`,
		secrets: []string{"user-s3cret", "pass-s3cret", "path-s3cret", "query-s3cret", "header-s3cret", "a/key+s3cret",
			"a%2Fkey%2Bs3cret", `a\/key+s3cret`, "c2lnbmluZy1zZWNyZXQtb2YtdGhlLWtpdA==", "dXNlci1zM2NyZXQ6cGFzcy1zM2NyZXQ="},
	},
	{
		name: "slack", channel: models.Slack,
		config: func(base string) models.ChannelConfig {
			return &models.SlackConfig{WebhookURL: base + "/services/T0S3CRET/B0S3CRET/tokens3cret"}
		},
		ok:      "ok",
		secrets: []string{"T0S3CRET", "B0S3CRET", "tokens3cret"},
		differs: map[int]Result{
			201: Permanent, 202: Permanent, 204: Permanent, // Slack itself answers 200 and nothing else
			401: ChannelBroken, 403: ChannelBroken, 404: ChannelBroken,
		},
	},
}

func forEachKit(t *testing.T, f func(t *testing.T, k kit)) {
	for _, k := range kits {
		t.Run(k.name, func(t *testing.T) { f(t, k) })
	}
}

// loopbackOnly opens what test servers listen on.
func loopbackOnly() Egress { return open("127.0.0.0/8,::1/128") }

// open gives an Egress with these ranges, separated by commas.
func open(list string) Egress {
	var prefixes []netip.Prefix
	for part := range strings.SplitSeq(list, ",") {
		if part != "" {
			prefixes = append(prefixes, netip.MustParsePrefix(part))
		}
	}
	return NewEgress(prefixes)
}

func testSet(t testing.TB) Set {
	return NewSet(Settings{Version: "1.2.3", Egress: loopbackOnly()})
}

func testAlert() *models.Alert {
	return &models.Alert{
		ID: 123, Type: "error", Severity: models.SeverityHigh, Message: "Rustbucket node1 is not responding",
		Rustbucket: &models.Rustbucket{ID: "BKT123456", Name: "Production Node 1"},
		CreatedAt:  time.Date(2025, 12, 12, 10, 30, 0, 0, time.UTC),
	}
}

// send makes one attempt of the kit's notifier within the given time, and fails the test if it takes much longer or if
// the Outcome breaks a promise.
func (k kit) send(t *testing.T, base string, limit time.Duration) Outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	start := time.Now()
	o := testSet(t)[k.channel].Send(ctx, Notification{Key: "alert-123-channel-4", Alert: testAlert(), Config: k.config(base)})
	if took := time.Since(start); took > limit+2*time.Second {
		t.Errorf("Send took %v with a limit of %v", took, limit)
	}
	k.check(t, o)
	return o
}

// check looks at what must hold for every Outcome.
func (k kit) check(t *testing.T, o Outcome) {
	t.Helper()
	if (o.Error == "") != (o.Result == Delivered) {
		t.Errorf("result %d with error %q", o.Result, o.Error)
	}
	if o.RetryAfter != 0 && o.Result != Retry {
		t.Errorf("result %d asks to wait %v", o.Result, o.RetryAfter)
	}
	if len(o.Response) > models.MaxResponseBytes {
		t.Errorf("%d bytes of response were kept", len(o.Response))
	}
	for _, text := range []string{o.Error, o.Response} {
		if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			t.Errorf("text is not fit to be stored: %.100q", text)
		}
		for _, secret := range k.secrets {
			if strings.Contains(text, secret) {
				t.Errorf("secret %q in %.300q", secret, text)
			}
		}
	}
}

func serve(t testing.TB, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s.URL
}

func TestConformance_EveryStatus(t *testing.T) {
	shared := func(status int) Result {
		switch {
		case status < 300:
			return Delivered
		case status == 408, status == 425, status == 429, status >= 500:
			return Retry
		case status == 410:
			return ChannelBroken
		}
		return Permanent
	}
	statuses := []int{200, 201, 202, 204, 300, 301, 302, 303, 304, 307, 308}
	for s := 400; s <= 431; s++ {
		statuses = append(statuses, s)
	}
	statuses = append(statuses, 451, 500, 501, 502, 503, 504, 507, 511, 520, 599)
	forEachKit(t, func(t *testing.T, k kit) {
		var status atomic.Int64
		base := serve(t, func(w http.ResponseWriter, r *http.Request) {
			s := int(status.Load())
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(s)
			if s == 200 {
				_, _ = io.WriteString(w, k.ok)
			} else if s >= 400 {
				_, _ = io.WriteString(w, "no")
			}
		})
		for _, s := range statuses {
			status.Store(int64(s))
			want, ok := k.differs[s]
			if !ok {
				want = shared(s)
			}
			o := k.send(t, base, 10*time.Second)
			if o.Result != want || o.StatusCode != s {
				t.Errorf("status %d: result %d, status %d, %q; want result %d", s, o.Result, o.StatusCode, o.Error, want)
			}
			if want == Retry && o.RetryAfter != 7*time.Second {
				t.Errorf("status %d: retry after %v, want 7s", s, o.RetryAfter)
			}
		}
	})
}

func TestConformance_RetryAfter(t *testing.T) {
	for _, c := range []struct {
		value    string
		min, max time.Duration
	}{
		{"", 0, 0},
		{"120", 120 * time.Second, 120 * time.Second},
		{" 3 ", 3 * time.Second, 3 * time.Second},
		{"0.75", 750 * time.Millisecond, 750 * time.Millisecond},
		{"-5", 0, 0},
		{"soon", 0, 0},
		{"NaN", 0, 0},
		{"1.2.3", 0, 0},
		{"99999999999999999999999", maxRetryAfter, maxRetryAfter},
		{time.Now().Add(90 * time.Second).UTC().Format(http.TimeFormat), 80 * time.Second, 90 * time.Second},
		{time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat), 0, 0},
	} {
		t.Run(c.value, func(t *testing.T) {
			forEachKit(t, func(t *testing.T, k kit) {
				base := serve(t, func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Retry-After", c.value)
					w.WriteHeader(http.StatusTooManyRequests)
				})
				if o := k.send(t, base, 10*time.Second); o.Result != Retry || o.RetryAfter < c.min || o.RetryAfter > c.max {
					t.Errorf("result %d after %v, want %v to %v", o.Result, o.RetryAfter, c.min, c.max)
				}
			})
		})
	}
}

func TestConformance_NoAnswer(t *testing.T) {
	// Each of these reads the request and then does something to the bare connection.
	stages := map[string]func(net.Conn){
		"silent":        func(net.Conn) {},
		"half headers":  func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Le") },
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
				if o := k.send(t, rawServer(t, stage), 300*time.Millisecond); o.Result != Retry || o.StatusCode != 0 {
					t.Errorf("result %d, status %d, %q; want a retry", o.Result, o.StatusCode, o.Error)
				}
			})
		})
	}
	t.Run("nobody listens", func(t *testing.T) {
		forEachKit(t, func(t *testing.T, k kit) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			l.Close()
			if o := k.send(t, "http://"+l.Addr().String(), time.Second); o.Result != Retry {
				t.Errorf("result %d, %q; want a retry", o.Result, o.Error)
			}
		})
	})
	t.Run("no such host", func(t *testing.T) {
		forEachKit(t, func(t *testing.T, k kit) {
			if o := k.send(t, "http://nowhere.invalid", 5*time.Second); o.Result != Retry {
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

// A status is an answer, whatever becomes of the body; Slack alone needs the body to know.
func TestConformance_BodyNeverEnds(t *testing.T) {
	bodies := map[string]func(net.Conn){
		"a byte now and then": func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
			tick := time.NewTicker(20 * time.Millisecond)
			defer tick.Stop()
			for range tick.C {
				if _, err := io.WriteString(c, "1\r\nx\r\n"); err != nil {
					return
				}
			}
		},
		"half of it": func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
			_ = c.Close()
		},
		"half of it, then silence": func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
		},
	}
	for name, body := range bodies {
		t.Run(name, func(t *testing.T) {
			forEachKit(t, func(t *testing.T, k kit) {
				want := Delivered
				if k.channel == models.Slack {
					want = Retry
				}
				if o := k.send(t, rawServer(t, body), 300*time.Millisecond); o.Result != want || o.StatusCode != 200 {
					t.Errorf("result %d, status %d, %q; want result %d", o.Result, o.StatusCode, o.Error, want)
				}
			})
		})
	}
}

func TestConformance_HugeAnswerIsBounded(t *testing.T) {
	forEachKit(t, func(t *testing.T, k kit) {
		var written atomic.Int64
		finished := make(chan struct{})
		base := serve(t, func(w http.ResponseWriter, r *http.Request) {
			defer close(finished)
			w.WriteHeader(http.StatusInternalServerError)
			block := bytes.Repeat([]byte("\xff€x\x00"), 10_000)
			for written.Load() < 50<<20 {
				n, err := w.Write(block)
				written.Add(int64(n))
				if err != nil {
					return
				}
			}
		})
		o := k.send(t, base, 10*time.Second)
		<-finished
		if o.Result != Retry || len(o.Response) < models.MaxResponseBytes-4 {
			t.Errorf("result %d, %d bytes kept", o.Result, len(o.Response))
		}
		if n := written.Load(); n >= 50<<20 {
			t.Errorf("all %d bytes were taken", n)
		}
	})
}

func TestConformance_RedirectsAreNotFollowed(t *testing.T) {
	forEachKit(t, func(t *testing.T, k kit) {
		var second atomic.Int64
		target := serve(t, func(http.ResponseWriter, *http.Request) { second.Add(1) })
		for _, location := range []string{target + "/x", "://bad path-s3cret tokens3cret"} {
			for _, status := range []int{301, 302, 303, 307, 308} {
				base := serve(t, func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Location", location)
					w.WriteHeader(status)
				})
				if o := k.send(t, base, 10*time.Second); o.Result != Permanent || o.StatusCode != status {
					t.Errorf("%d to %s: result %d, status %d, %q", status, location, o.Result, o.StatusCode, o.Error)
				}
			}
		}
		if second.Load() != 0 {
			t.Error("a redirect was followed")
		}
	})
}

func TestConformance_EchoedSecretsAreRedacted(t *testing.T) {
	forEachKit(t, func(t *testing.T, k kit) {
		for _, status := range []int{200, 400, 500} {
			for _, filler := range []int{0, 3000, 3900, 4000, 4050, 4080, 4090, 4094, 4096} {
				base := serve(t, func(w http.ResponseWriter, r *http.Request) {
					w.WriteHeader(status)
					_, _ = io.WriteString(w, strings.Repeat(".", filler))
					fmt.Fprintf(w, "you sent %s with %q;", r.RequestURI, r.Header)
					for _, secret := range k.secrets {
						fmt.Fprintf(w, " %s", secret)
					}
				})
				o := k.send(t, base, 10*time.Second)
				if filler == 0 && !strings.Contains(o.Response, models.Mask) {
					t.Errorf("nothing was masked in %q", o.Response)
				}
				// Neither may the beginning of one stand where the text was cut off.
				for _, secret := range k.secrets {
					if half := secret[:len(secret)*2/3]; strings.HasSuffix(o.Response, half) {
						t.Errorf("filler %d: response ends in %q, part of a secret", filler, half)
					}
				}
			}
		}
	})
}

func TestConformance_ConnectionsAreUsedAgain(t *testing.T) {
	forEachKit(t, func(t *testing.T, k kit) {
		var connections atomic.Int64
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, k.ok)
		}))
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
		if n := connections.Load(); n != 1 {
			t.Errorf("20 messages took %d connections", n)
		}
	})
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

// endless writes until the other side has had enough.
func endless(c net.Conn, first, more string) {
	_, err := io.WriteString(c, first)
	for err == nil {
		_, err = io.WriteString(c, more)
	}
}
