package notifiers

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/rustbucket/alerts/models"
)

var webhookKit = kit{
	name: "webhook", channel: models.Webhook,
	config: func(base string) models.ChannelConfig {
		secret, previous := "whsec_c2lnbmluZy1zZWNyZXQtb2YtdGhlLWtpdA==", "whsec_cHJldmlvdXMtc2VjcmV0LW9mLXRoZS1raXQhISE="
		return &models.WebhookConfig{
			URL:           strings.Replace(base, "://", "://user-s3cret:pass-s3cret@", 1) + "/path-s3cret/deep?key=query-s3cret",
			Headers:       map[string]string{"Authorization": "Bearer header-s3cret", "X-Api-Key": "a/key+s3cret"},
			SigningSecret: &secret, PreviousSigningSecret: &previous,
		}
	},
	ok: `{"taken":true}`,
	secrets: []string{"user-s3cret", "pass-s3cret", "path-s3cret", "query-s3cret", "header-s3cret", "a/key+s3cret",
		"a%2Fkey%2Bs3cret", `a\/key+s3cret`, "c2lnbmluZy1zZWNyZXQtb2YtdGhlLWtpdA==", "cHJldmlvdXMtc2VjcmV0LW9mLXRoZS1raXQhISE=", "dXNlci1zM2NyZXQ6cGFzcy1zM2NyZXQ="},
}

// received is a request as a receiver sees it.
type received struct {
	host   string
	header http.Header
	body   string
}

// receiver takes every message and hands it on.
func receiver(t testing.TB, answer string) (base string, requests <-chan received) {
	t.Helper()
	ch := make(chan received, 100)
	base = serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		ch <- received{r.Host, r.Header, string(body)}
		_, _ = io.WriteString(w, answer)
	})
	return base, ch
}

func TestWebhook_BodyIsTheContract(t *testing.T) {
	resolved := time.Date(2025, 12, 12, 11, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		change func(*models.Alert)
		want   string
	}{
		"as documented": {func(*models.Alert) {},
			`{"alert_id":123,"alert_type":"error","severity":"high","message":"Rustbucket node1 is not responding","is_resolved":false,"created_at":"2025-12-12T10:30:00Z","rustbucket":{"id":"BKT123456","name":"Production Node 1"}}`},
		"no rustbucket, resolved, fraction, another zone": {func(a *models.Alert) {
			a.Rustbucket, a.ResolvedAt, a.Severity = nil, &resolved, models.SeverityLow
			a.CreatedAt = time.Date(2025, 12, 12, 12, 30, 0, 123456789, time.FixedZone("", 2*3600))
		}, `{"alert_id":123,"alert_type":"error","severity":"low","message":"Rustbucket node1 is not responding","is_resolved":true,"created_at":"2025-12-12T10:30:00.123456Z","rustbucket":null}`},
		"characters": {func(a *models.Alert) { a.Message, a.Rustbucket = "a <b> & \"c\" \\ é 😀\n", nil },
			`{"alert_id":123,"alert_type":"error","severity":"high","message":"a <b> & \"c\" \\ é 😀\n","is_resolved":false,"created_at":"2025-12-12T10:30:00Z","rustbucket":null}`},
	} {
		t.Run(name, func(t *testing.T) {
			base, requests := receiver(t, "")
			alert := testAlert()
			c.change(alert)
			o := testSet(t)[models.Webhook].Send(t.Context(),
				Notification{Key: "alert-123-channel-4", Alert: alert, Config: &models.WebhookConfig{URL: base}})
			if !reflect.DeepEqual(o, Outcome{Result: Delivered, StatusCode: 200}) {
				t.Fatalf("outcome %+v", o)
			}
			if got := (<-requests).body; got != c.want {
				t.Errorf("body\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestWebhook_Headers(t *testing.T) {
	base, requests := receiver(t, "")
	secret := "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	config := &models.WebhookConfig{URL: base, SigningSecret: &secret, Headers: map[string]string{
		"content-type": "application/vnd.example+json", "X-API-Key": "key", "AUTHORIZATION": "Bearer t",
		"Host": "evil.example.com", "Content-Length": "1", "connection": "close", "Transfer-Encoding": "chunked",
		"TE": "trailers", "Upgrade": "h2c", "Keep-Alive": "1", "Proxy-Authorization": "x", "Trailer": "x",
		"webhook-id": "mine", "Webhook-Timestamp": "1", "WEBHOOK-SIGNATURE": "v1,x", "webhook-other": "x",
	}}
	set := testSet(t)
	for range 2 { // the id stays, the signature is made for each attempt
		o := set[models.Webhook].Send(t.Context(), Notification{Key: "alert-123-channel-4", Alert: testAlert(), Config: config})
		if o.Result != Delivered {
			t.Fatalf("outcome %+v", o)
		}
		got := <-requests
		for name, want := range map[string]string{
			"Content-Type": "application/vnd.example+json", "X-Api-Key": "key", "Authorization": "Bearer t",
			"User-Agent": "Rustbucket-Alerts/1.2.3", "Webhook-Id": "alert-123-channel-4",
			"Connection": "", "Transfer-Encoding": "", "Te": "", "Upgrade": "", "Keep-Alive": "", "Trailer": "",
			"Proxy-Authorization": "", "Webhook-Other": "", "Accept-Encoding": "",
		} {
			if g := strings.Join(got.header.Values(name), "|"); g != want {
				t.Errorf("%s: %q, want %q", name, g, want)
			}
		}
		if got.host != strings.TrimPrefix(base, "http://") {
			t.Errorf("Host: %q", got.host)
		}
		if got.header.Get("Content-Length") == "1" {
			t.Error("the channel set Content-Length")
		}
		verify(t, secret, got)
	}
}

// verify fails the test unless a message is signed with this secret.
func verify(t *testing.T, secret string, got received) {
	t.Helper()
	verifier, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	if err := verifier.Verify([]byte(got.body), got.header); err != nil {
		t.Errorf("signature: %v", err)
	}
}

func TestWebhook_SignsWithBothSecretsWhileOneIsChanged(t *testing.T) {
	base, requests := receiver(t, "")
	fresh, previous := "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_c2lnbmluZy1zZWNyZXQtb2YtdGhlLWtpdA=="
	for _, c := range []struct {
		secret, previous *string
		signatures       int
	}{{&fresh, &previous, 2}, {&fresh, nil, 1}, {nil, nil, 0}} {
		o := testSet(t)[models.Webhook].Send(t.Context(), Notification{Key: "k", Alert: testAlert(),
			Config: &models.WebhookConfig{URL: base, SigningSecret: c.secret, PreviousSigningSecret: c.previous}})
		if o.Result != Delivered {
			t.Fatalf("outcome %+v", o)
		}
		got := <-requests
		signatures := strings.Fields(got.header.Get("Webhook-Signature"))
		if len(signatures) != c.signatures {
			t.Errorf("signatures %q", signatures)
		}
		for i, secret := range []*string{c.secret, c.previous} {
			if secret != nil {
				alone := got
				alone.header = got.header.Clone()
				alone.header.Set("Webhook-Signature", signatures[i]) // the new secret's is the first
				verify(t, *secret, alone)
				verify(t, *secret, got)
			}
		}
	}
}

func TestWebhook_UnsignedAndDefaultHeaders(t *testing.T) {
	base, requests := receiver(t, "")
	config := &models.WebhookConfig{URL: strings.Replace(base, "http://", "http://user:pa%20ss@", 1)}
	testSet(t)[models.Webhook].Send(t.Context(), Notification{Key: "k", Alert: testAlert(), Config: config})
	h := (<-requests).header
	if h.Get("Content-Type") != "application/json" || h.Get("Webhook-Id") != "k" || h.Get("Webhook-Timestamp") == "" ||
		h.Get("Webhook-Signature") != "" || h.Get("Authorization") != "Basic dXNlcjpwYSBzcw==" {
		t.Errorf("headers %v", h)
	}
}

// The vector of the Standard Webhooks specification.
func TestWebhook_SignatureVector(t *testing.T) {
	secret := "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	p := newPoster(Settings{})
	p.now = func() time.Time { return time.Unix(1614265330, 0) }
	h := http.Header{}
	err := (&webhook{p}).setHeaders(h, "msg_p5jXN8AQM9LWM0D4loKWxJek", &models.WebhookConfig{SigningSecret: &secret},
		[]byte(`{"test": 2432232314}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := h.Get("webhook-signature"); got != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" {
		t.Errorf("signature %s", got)
	}
	if got := h.Get("webhook-timestamp"); got != "1614265330" {
		t.Errorf("timestamp %s", got)
	}
}

func TestTestNotification(t *testing.T) {
	base, requests := receiver(t, "")
	config := &models.WebhookConfig{URL: base}
	n := TestNotification(config)
	if other := TestNotification(config); n.Key == other.Key {
		t.Error("two tests have the same key")
	}
	if o := testSet(t)[models.Webhook].Send(t.Context(), n); o.Result != Delivered {
		t.Fatalf("outcome %+v", o)
	}
	var body webhookBody
	if err := json.Unmarshal([]byte((<-requests).body), &body); err != nil {
		t.Fatal(err)
	}
	if body.AlertID != 0 || body.AlertType != "test" || body.Severity != "medium" ||
		*body.Rustbucket != (webhookRustbucket{"TEST-000", "Test Rustbucket"}) || !strings.Contains(body.Message, "test") {
		t.Errorf("body %+v", body)
	}
}

func BenchmarkWebhook_Send(b *testing.B) {
	for name, answer := range map[string]string{"empty answer": "", "answer with text": `{"status":"accepted","id":"0123456789"}`} {
		b.Run(name, func(b *testing.B) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.WriteString(w, answer)
			}))
			defer s.Close()
			secret := "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
			n := Notification{Key: "alert-123-channel-4", Alert: testAlert(), Config: &models.WebhookConfig{
				URL: s.URL + "/hooks/0123456789abcdef", SigningSecret: &secret, Headers: map[string]string{"Authorization": "Bearer token"}}}
			notifier := testSet(b)[models.Webhook]
			b.ReportAllocs()
			b.SetParallelism(32)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if o := notifier.Send(b.Context(), n); o.Result != Delivered {
						b.Errorf("outcome %+v", o)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "sends/s")
		})
	}
}

// What Send costs beside the network: the body, the request, the headers, the signature.
func BenchmarkWebhook_Prepare(b *testing.B) {
	secret := "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	w := &webhook{newPoster(Settings{})}
	config := &models.WebhookConfig{SigningSecret: &secret}
	alert := testAlert()
	b.ReportAllocs()
	for b.Loop() {
		body, err := marshalWebhook(alert, models.TellAlert)
		if err != nil {
			b.Fatal(err)
		}
		if err := w.setHeaders(http.Header{}, "alert-123-channel-4", config, body); err != nil {
			b.Fatal(err)
		}
	}
}
