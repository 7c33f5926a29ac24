package notifiers

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/rustbucket/alerts/models"
)

const everyField = `{"id": {{.ID}}, "event": {{json .Event}}, "severity": {{json .Severity}}, "message": {{json .Message}}, "resolved": {{.IsResolved}},
"link": {{json .Link}}, "count": {{.Count}}, "omitted": {{.Omitted}}, "node": {{json .Rustbucket.Name}}, "alerts": [{{range $i, $a := .Alerts}}{{if $i}}, {{end}}{{json .Message}}{{end}}]}`

// sendTemplate gives the body that arrived, and fails unless one did.
func sendTemplate(t *testing.T, source string, n Notification) received {
	t.Helper()
	base, requests := receiver(t, "")
	secret := "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	n.Key, n.Config = "k", &models.WebhookConfig{URL: base, BodyTemplate: &source, SigningSecret: &secret}
	set := NewSet(Settings{Egress: loopbackOnly(), PublicURL: "https://alerts.example.com"})
	if o := set[models.Webhook].Send(t.Context(), n); o.Result != Delivered {
		t.Fatalf("outcome %+v", o)
	}
	return <-requests
}

func TestWebhook_BodyTemplate(t *testing.T) {
	test := TestNotification(nil)
	for name, c := range map[string]struct {
		n    Notification
		want string
	}{
		"alert": {Notification{Kind: models.TellAlert, Alert: testAlert()},
			`{"id":123,"event":"alert","severity":"HIGH","message":"Rustbucket node1 is not responding","resolved":false,"link":"https://alerts.example.com/alerts/123","count":1,"omitted":0,"node":"Production Node 1","alerts":["Rustbucket node1 is not responding"]}`},
		"resolved": {Notification{Kind: models.TellResolved, Alert: resolvedAlert()}, `"event":"resolved"`},
		"test":     {Notification{Alert: test.Alert}, `"event":"test"`},
		"digest":   {Notification{Digest: testDigest()}, `"event":"digest"`},
	} {
		t.Run(name, func(t *testing.T) {
			got := sendTemplate(t, everyField, c.n)
			var body struct{ Alerts []string }
			if err := json.Unmarshal([]byte(got.body), &body); err != nil {
				t.Fatalf("%v in %s", err, got.body)
			}
			plain := strings.NewReplacer(": ", ":", ", ", ",", ",\n", ",").Replace(got.body)
			if !strings.Contains(plain, c.want) {
				t.Errorf("body %s\nwant %s", got.body, c.want)
			}
			if got.header.Get("Content-Type") != "application/json" {
				t.Errorf("headers %v", got.header)
			}
			verify(t, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", got)
			if d := c.n.Digest; d != nil && (len(body.Alerts) != len(d.Items) || !strings.Contains(got.body, describeDigest(d).title)) {
				t.Errorf("digest %s", got.body)
			}
		})
	}
}

// A digest of any size arrives: what has no room is left out and counted.
func TestWebhook_BodyTemplateOfTheLargestDigest(t *testing.T) {
	got := sendTemplate(t, everyField, Notification{Digest: largestDigest("😀")})
	var body struct {
		Count, Omitted int
		Alerts         []string
	}
	if err := json.Unmarshal([]byte(got.body), &body); err != nil {
		t.Fatal(err)
	}
	if body.Count != models.MaxDigest || len(body.Alerts) == 0 || body.Omitted == 0 || body.Omitted+len(body.Alerts) != body.Count {
		t.Errorf("%d alerts of %d, %d omitted, %d bytes", len(body.Alerts), body.Count, body.Omitted, len(got.body))
	}
}

// A template that cannot be carried out is final, says why, and says no secret that stands in it.
func TestWebhook_BodyTemplateThatFails(t *testing.T) {
	base, requests := receiver(t, "")
	for source, says := range map[string]string{
		"\n{{.Nonsense}}": "line 2: there is no .Nonsense",
		"{{if":            "line 1: unclosed",
		"{{range $.Alerts}}" + strings.Repeat("{{.Message}}", 5000) + "{{end}}": "",
		"{{$x := .Message}}" + strings.Repeat("{{$x = json $x}}", 100):          "too much",
		"{{nosuch \"path-s3cret\"}}":                                            "not defined",
		"{{truncate \"path-s3cret\" .Message}}":                                 "truncate: the length",
	} {
		alert := testAlert()
		alert.Message = strings.Repeat("\"", 100)
		o := testSet(t)[models.Webhook].Send(t.Context(), Notification{Key: "k", Alert: alert,
			Config: &models.WebhookConfig{URL: base + "/path-s3cret", BodyTemplate: &source}})
		if says == "" {
			says = "larger than 256 KB"
		}
		if o.Result != Permanent || !strings.Contains(o.Error, says) || strings.Contains(o.Error, "path-s3cret") || len(requests) > 0 {
			t.Errorf("%.60q: %+v, want %q", source, o, says)
		}
	}
}

// A plain webhook that a service of its own type refused says which type that is.
func TestWebhook_WrongServiceIsExplained(t *testing.T) {
	base := serve(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusBadRequest) })
	p := newPoster(Settings{})
	p.client.Transport = &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, strings.TrimPrefix(base, "http://")) // whatever the host is called
	}}
	source := `{"content": {{json .Message}}}`
	for _, c := range []struct {
		url      string
		template *string
		says     string
	}{
		{"http://events.pagerduty.com/v2/enqueue", nil, "400 Bad Request; the URL belongs to PagerDuty, which refuses the webhook's body: it wants the routing key in it and reads no X-Routing-Key header; create a channel of type PAGERDUTY instead"},
		{"http://discord.com/api/webhooks/1/x", nil, "create a channel of type DISCORD instead"},
		{"http://discord.com/api/webhooks/1/x", &source, "400 Bad Request"},
		{"http://events.pagerduty.com.example.com/", nil, "400 Bad Request"},
	} {
		o := (&webhook{p}).Send(t.Context(), Notification{Key: "k", Alert: testAlert(), Config: &models.WebhookConfig{URL: c.url, BodyTemplate: c.template}})
		if o.Result != Permanent || !strings.HasSuffix(o.Error, c.says) {
			t.Errorf("%s: %+v", c.url, o)
		}
	}
}

func TestPreviewBody(t *testing.T) {
	got, err := PreviewBody("{{.ID}} {{.Link}}", Notification{Alert: models.SampleAlert(false)}, "https://alerts.example.com")
	if want := "123 https://alerts.example.com/alerts/123"; got != want || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := PreviewBody("{{", Notification{Alert: models.SampleAlert(false)}, ""); err == nil {
		t.Error("no error")
	}
	got, err = PreviewBody("{{.Message}}", Notification{Digest: models.SampleDigest()}, "")
	if got != models.SampleDigestTitle || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

func BenchmarkWebhook_Template(b *testing.B) {
	n := Notification{Alert: testAlert()}
	for b.Loop() {
		if _, err := templateBody(everyField, n, func(*models.Alert) string { return "" }); err != nil {
			b.Fatal(err)
		}
	}
}

// Not only one alert: the samples of every size are JSON.
func TestWebhook_BodyTemplateKeepsOddTexts(t *testing.T) {
	for _, odd := range []string{"\"", "\\", "\n", "</script>", "{{.ID}}", "\u2028", "😀", "ع", "a\x00b", "\xff"} {
		alert := testAlert()
		alert.Message = odd
		var body map[string]any
		if err := json.Unmarshal([]byte(sendTemplate(t, everyField, Notification{Alert: alert}).body), &body); err != nil {
			t.Fatal(err)
		}
		if want := strings.ToValidUTF8(odd, "\uFFFD"); fmt.Sprint(body["message"]) != want {
			t.Errorf("%q arrived as %q", odd, body["message"])
		}
	}
}
