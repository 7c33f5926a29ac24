package notifiers

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rustbucket/alerts/models"
)

// drainBytes is how much of an answer beyond the kept part is read so that the connection can be used again. A new
// connection is cheaper than reading more.
const drainBytes = 32 << 10

// maxErrorRunes is the length of an error whose text comes from the other side, in characters.
const maxErrorRunes = 500

// maxRetryAfter bounds what a service can ask for, so that a nonsense value cannot keep a channel silent for long while all looks well: it
// is asked again in a day, and what has waited for longer than models.MaxWait is given up then, which others are told.
const maxRetryAfter = 24 * time.Hour

// poster makes the one attempt of every HTTP notifier.
type poster struct {
	client    *http.Client
	userAgent string
	publicURL string // see Settings
	now       func() time.Time
	buffers   *sync.Pool // of *[]byte, models.MaxResponseBytes long
}

func newPoster(s Settings) *poster {
	version := s.Version
	if version == "" {
		version = "dev"
	}
	return &poster{
		client:    NewClient(s.Egress),
		userAgent: "Rustbucket-Alerts/" + version,
		publicURL: s.PublicURL,
		now:       time.Now,
		buffers: &sync.Pool{New: func() any {
			b := make([]byte, models.MaxResponseBytes)
			return &b
		}},
	}
}

// answer is what came back, before it is judged.
type answer struct {
	status   int
	header   http.Header
	body     string // at most models.MaxResponseBytes, valid UTF-8, without NUL and secrets
	raw      string // the body as it came: for deciding only, never for an Outcome
	complete bool   // the whole body was read, or as much of it as is kept
}

// classifier turns an answer into an Outcome; RetryAfter, StatusCode and Response are filled in for it.
type classifier func(answer) Outcome

// post sends the request and judges the answer. secrets is only called when there is text that could hold one.
func (p *poster) post(ctx context.Context, req *http.Request, secrets func() redactor, judge classifier) Outcome {
	if user := req.URL.User; user != nil && len(req.Header["Authorization"]) == 0 {
		password, _ := user.Password()
		req.SetBasicAuth(user.Username(), password)
	}
	// The transport without the client around it: nothing to follow redirects, and no url.Error with the URL in it.
	var reached progress
	resp, err := p.client.Transport.RoundTrip(req.WithContext(httptrace.WithClientTrace(req.Context(), reached.trace())))
	if err != nil {
		return failedOutcome(ctx, reached.locate(err), secrets)
	}
	a := p.read(resp, secrets)
	o := judge(a)
	o.StatusCode, o.Response = a.status, a.body
	if o.Result == Retry && o.RetryAfter == 0 {
		o.RetryAfter = parseRetryAfter(a.header.Get("Retry-After"), p.now())
	}
	o.Asked = o.Result == Retry && o.RetryAfter > 0 && a.status == http.StatusTooManyRequests
	return o
}

// postJSON posts v as JSON. header may be nil.
func (p *poster) postJSON(ctx context.Context, url string, header http.Header, v any, secrets func() redactor, judge classifier) Outcome {
	body, err := encodeJSON(v)
	if err != nil {
		return Outcome{Result: Permanent, Error: "cannot write the message as JSON: " + err.Error()}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil { // its text holds the URL
		return Outcome{Result: ChannelBroken, Error: "the channel's URL cannot be used"}
	}
	for name, values := range header {
		req.Header[name] = values
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", p.userAgent)
	return p.post(ctx, req, secrets, judge)
}

// link is where people see an alert; empty when it is not known, or the alert is none that is stored.
func (p *poster) link(a *models.Alert) string { return alertLink(p.publicURL, a) }

func alertLink(publicURL string, a *models.Alert) string {
	if publicURL == "" || a.ID == 0 {
		return ""
	}
	return publicURL + "/alerts/" + strconv.FormatInt(a.ID, 10)
}

// progress is how far an attempt got: the transport's error does not tell when a context ends it. The dial may go on
// behind an attempt that has ended.
type progress struct{ shaking, connected atomic.Bool }

func (p *progress) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		TLSHandshakeStart: func() { p.shaking.Store(true) },
		GotConn:           func(httptrace.GotConnInfo) { p.connected.Store(true) },
	}
}

// locate puts the stage into the error of a context that ended before there was a connection. Others know it themselves.
func (p *progress) locate(err error) error {
	switch {
	case p.connected.Load() || !errors.Is(err, context.DeadlineExceeded):
		return err
	case p.shaking.Load():
		return &net.OpError{Op: opHandshake, Net: "tcp", Err: err}
	}
	return &net.OpError{Op: "dial", Net: "tcp", Err: err}
}

const opHandshake = "TLS handshake"

// read takes the first models.MaxResponseBytes of the body, and a bit more to be able to use the connection again.
func (p *poster) read(resp *http.Response, secrets func() redactor) answer {
	defer resp.Body.Close()
	a := answer{status: resp.StatusCode, header: resp.Header}
	buf := p.buffers.Get().(*[]byte)
	defer p.buffers.Put(buf)
	n, err := 0, error(nil)
	for n < len(*buf) && err == nil {
		var got int
		got, err = resp.Body.Read((*buf)[n:])
		n += got
	}
	a.complete = err == nil || err == io.EOF
	a.raw = string((*buf)[:n])
	if n >= minSecret {
		a.body = clean(a.raw, err == nil, secrets())
	} else if n > 0 {
		a.body = clean(a.raw, false, nil)
	}
	if resp.ContentLength <= models.MaxResponseBytes+drainBytes {
		for left := drainBytes; left > 0 && err == nil; {
			var got int
			got, err = resp.Body.Read(*buf)
			left -= got
		}
	}
	return a
}

// clean makes the text of an answer fit to be kept and shown. cut says that more text followed it.
func clean(text string, cut bool, secrets redactor) string {
	text = secrets.redact(text, cut)
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
	return cutBytes(text, models.MaxResponseBytes)
}

// byStatus is the table that every HTTP service shares.
func byStatus(a answer) Outcome {
	text := strconv.Itoa(a.status)
	if name := http.StatusText(a.status); name != "" {
		text += " " + name
	}
	switch {
	case a.status >= 200 && a.status < 300:
		return Outcome{Result: Delivered}
	case a.status == http.StatusRequestTimeout, a.status == http.StatusTooEarly, a.status == http.StatusTooManyRequests,
		a.status >= 500 && a.status < 600:
		return Outcome{Result: Retry, Error: "the receiver answered " + text}
	case a.status == http.StatusGone:
		return Outcome{Result: ChannelBroken, Error: "the receiver answered " + text + ": this URL is no longer in use"}
	case a.status >= 300 && a.status < 400:
		return Outcome{Result: Permanent, Error: "the receiver answered " + text +
			": redirects are never followed; give the channel the final URL"}
	}
	return Outcome{Result: Permanent, Error: "the receiver answered " + text}
}

// failedOutcome judges an attempt that brought no answer.
func failedOutcome(ctx context.Context, err error, secrets func() redactor) Outcome {
	var blocked *BlockedError
	if errors.As(err, &blocked) {
		// Only the operator can change it: trying again for a day would hide that.
		return Outcome{Result: Permanent, Error: "not sent: " + blocked.Error()}
	}
	return Outcome{Result: Retry, Error: cutRunes(clean(describe(ctx, err), false, secrets()), maxErrorRunes)}
}

// describe says in a user's words why there was no answer, without any URL.
func describe(ctx context.Context, err error) string {
	// A url.Error's text begins with the URL. Nothing below needs it.
	var urlErr *url.Error
	for errors.As(err, &urlErr) {
		err = urlErr.Err
	}
	var (
		netErr net.Error
		dns    *net.DNSError
		op     *net.OpError
		cert   *tls.CertificateVerificationError
	)
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return "the attempt was cut off before there was an answer"
	case ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded):
		if errors.As(err, &op) && op.Op == "dial" {
			return "timed out: no connection within the time limit"
		}
		if op != nil && op.Op == opHandshake {
			return "timed out: the TLS handshake did not end within the time limit"
		}
		return "timed out: no answer within the time limit"
	case errors.As(err, &dns):
		return fmt.Sprintf("cannot find the host %s: %s", dns.Name, dns.Err)
	case errors.As(err, &cert):
		return "the receiver's certificate is not trusted: " + cert.Err.Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was closed before there was an answer"
	case errors.As(err, &netErr) && netErr.Timeout():
		return "timed out: " + err.Error()
	}
	return "no answer: " + err.Error()
}

// parseRetryAfter reads seconds, fractional seconds or an HTTP date. 0 means that nothing usable was asked for.
func parseRetryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if value == "" {
		return 0
	}
	if strings.Trim(value, "0123456789.") == "" {
		seconds, err := strconv.ParseFloat(value, 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return 0
		}
		if seconds >= maxRetryAfter.Seconds() {
			return maxRetryAfter
		}
		return time.Duration(seconds * float64(time.Second))
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), maxRetryAfter)
}

// basicAuth is what an Authorization header shows for a user and a password in a URL.
func basicAuth(user *url.Userinfo) string {
	password, _ := user.Password()
	return base64.StdEncoding.EncodeToString([]byte(user.Username() + ":" + password))
}
