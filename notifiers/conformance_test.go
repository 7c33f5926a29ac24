package notifiers

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/netip"
	"os"
	"strings"
	"sync"
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
	config  func(base string) models.ChannelConfig // base is http://host:port, or https
	ok      string                                 // the body of a success
	result  string                                 // the same, where what became of a message is asked for (GET)
	secrets []string                               // what config holds and no Outcome may
	differs map[int]Result                         // statuses that this service means otherwise than the shared table
}

// kits has every HTTP notifier's, from the file of its tests.
var kits = []kit{webhookKit, slackKit, teamsKit, discordKit, pagerdutyKit, opsgenieKit}

// succeed answers with status 200 as the service does.
func (k kit) succeed(w http.ResponseWriter, r *http.Request) {
	body := k.ok
	if r.Method == http.MethodGet {
		body = k.result
	}
	_, _ = io.WriteString(w, body)
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

// messages are what a notifier has to tell, by name.
func (k kit) messages() map[string]Notification {
	m := map[string]Notification{
		"alert":        {Key: "alert-123-delivery-4", AlertKey: "alert-123", Kind: models.TellAlert, Alert: testAlert()},
		"resolved":     {Key: "alert-123-delivery-5", AlertKey: "alert-123", Kind: models.TellResolved, Alert: resolvedAlert()},
		"acknowledged": newsOfAlert(models.TellAcknowledged),
	}
	if k.channel.Info().Digests {
		m["digest"] = Notification{Key: "digest-6", Digest: testDigest()}
	}
	return m
}

// largest is the largest message that the notifier may have to tell.
func (k kit) largest() Notification {
	if k.channel.Info().Digests {
		return Notification{Key: "digest-7", Digest: largestDigest("😀")}
	}
	return k.messages()["alert"]
}

// forEachMessage is for what must hold whatever is told.
func forEachMessage(t *testing.T, f func(t *testing.T, k kit, n Notification)) {
	forEachKit(t, func(t *testing.T, k kit) {
		for name, n := range k.messages() {
			t.Run(name, func(t *testing.T) { f(t, k, n) })
		}
	})
}

// forEachSize is forEachMessage for what may depend on how much is sent as well.
func forEachSize(t *testing.T, f func(t *testing.T, k kit, n Notification)) {
	forEachMessage(t, f)
	forEachKit(t, func(t *testing.T, k kit) {
		t.Run("largest", func(t *testing.T) { f(t, k, k.largest()) })
	})
}

// The limits of time in these tests: of an attempt that ends by itself, and of how much later than its context one may end. Both are
// there for what hangs; a machine that stands still for some seconds is no fault.
const (
	ample     = time.Minute
	tolerance = 45 * time.Second
)

// send makes one attempt to tell an alert.
func (k kit) send(t *testing.T, base string) Outcome {
	t.Helper()
	return k.tell(t, k.messages()["alert"], base)
}

// tell makes one attempt of the kit's notifier, which has all the time it needs, and fails the test if it takes much longer or if the
// Outcome breaks a promise.
func (k kit) tell(t *testing.T, n Notification, base string) Outcome {
	t.Helper()
	return k.tellWithin(t.Context(), t, n, base, ample)
}

func (k kit) tellWithin(ctx context.Context, t *testing.T, n Notification, base string, limit time.Duration) Outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	n.Config = k.config(base)
	start := time.Now()
	o := testSet(t)[k.channel].Send(ctx, n)
	if took := time.Since(start); took > limit+tolerance {
		t.Errorf("Send took %v with a limit of %v", took, limit)
	}
	k.check(t, o)
	return o
}

// stage is a moment in an attempt: it has reached called then.
type stage func(trace *httptrace.ClientTrace, reached func())

func atOnce(_ *httptrace.ClientTrace, reached func())          { reached() }
func whenShaking(trace *httptrace.ClientTrace, reached func()) { trace.TLSHandshakeStart = reached }
func whenConnected(trace *httptrace.ClientTrace, reached func()) {
	trace.GotConn = func(httptrace.GotConnInfo) { reached() }
}
func whenAnswered(trace *httptrace.ClientTrace, reached func()) { trace.GotFirstResponseByte = reached }

// stall is for an attempt that hangs from a stage on, until its time is over. The time is doubled until one gets to the stage in the first
// half of it: how long that takes is for the machine to say.
func stall(t *testing.T, limit time.Duration, at stage, attempt func(ctx context.Context, limit time.Duration) Outcome) Outcome {
	t.Helper()
	for ; ; limit *= 2 {
		var inTime atomic.Bool
		half, trace := time.Now().Add(limit/2), new(httptrace.ClientTrace)
		at(trace, func() {
			if time.Now().Before(half) {
				inTime.Store(true)
			}
		})
		o := attempt(httptrace.WithClientTrace(t.Context(), trace), limit)
		if inTime.Load() || limit > ample {
			return o
		}
	}
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
	if want := o.Result == Retry && o.StatusCode == http.StatusTooManyRequests && o.RetryAfter > 0; o.Asked != want {
		t.Errorf("result %d, status %d, retry after %v: asked is %v", o.Result, o.StatusCode, o.RetryAfter, o.Asked)
	}
	if text := logged.take(); text != "" {
		t.Errorf("was logged: %s", text)
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

// logged is what was written to the process's log while the tests ran. A notifier logs nothing: a line of its own could
// hold a secret.
var logged capture

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))) // package log's, too
	code := m.Run()
	if text := logged.take(); text != "" {
		fmt.Fprintln(os.Stderr, "was logged:", text)
		code = 1
	}
	os.Exit(code)
}

type capture struct {
	mu   sync.Mutex
	text strings.Builder
}

func (c *capture) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.Write(p)
}

// take gives what was written since the last call.
func (c *capture) take() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.text.Reset()
	return c.text.String()
}

func serve(t testing.TB, h http.HandlerFunc) string {
	t.Helper()
	return start(t, h, nil)
}

// serveTLS serves over TLS with this certificate.
func serveTLS(t testing.TB, certificate tls.Certificate, h http.HandlerFunc) string {
	t.Helper()
	return start(t, h, &certificate)
}

func start(t testing.TB, h http.Handler, certificate *tls.Certificate) string {
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // the log is watched, and this is the other side's
	if certificate != nil {
		s.TLS = &tls.Config{Certificates: []tls.Certificate{*certificate}, MinVersion: tls.VersionTLS12}
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s.URL
}
