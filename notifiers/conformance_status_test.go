package notifiers

import (
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rustbucket/alerts/models"
)

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
	forEachMessage(t, func(t *testing.T, k kit, n Notification) {
		var status atomic.Int64
		base := serve(t, func(w http.ResponseWriter, r *http.Request) {
			s := int(status.Load())
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(s)
			if s == 200 {
				k.succeed(w, r)
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
			o := k.tell(t, n, base)
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
		value string // or the layout of a date
		want  time.Duration
		date  bool // so much later than now
	}{
		{"", 0, false},
		{"120", 120 * time.Second, false},
		{" 3 ", 3 * time.Second, false},
		{"0.75", 750 * time.Millisecond, false},
		{"-5", 0, false},
		{"soon", 0, false},
		{"NaN", 0, false},
		{"1.2.3", 0, false},
		{"99999999999999999999999", maxRetryAfter, false},
		{http.TimeFormat, 3 * time.Hour, true},
		{time.RFC850, 3 * time.Hour, true},
		{time.ANSIC, 3 * time.Hour, true},
		{http.TimeFormat, -time.Hour, true},
	} {
		t.Run(c.value, func(t *testing.T) {
			forEachKit(t, func(t *testing.T, k kit) {
				for _, status := range []int{429, 503} {
					value, least, most := c.value, c.want, max(c.want, 0)
					if c.date {
						value = time.Now().Add(c.want).UTC().Format(c.value)
						least -= 5 * time.Minute // what a test may take, by far; the date is of whole seconds
					}
					base := serve(t, func(w http.ResponseWriter, r *http.Request) {
						w.Header().Set("Retry-After", value)
						w.WriteHeader(status)
					})
					o := k.send(t, base)
					if o.Result != Retry || o.RetryAfter < max(least, 0) || o.RetryAfter > most {
						t.Errorf("%d: result %d after %v, want %v to %v", status, o.Result, o.RetryAfter, max(least, 0), most)
					}
					// Only this is a wish; the others are failures that say how long they may last.
					if want := status == 429 && most > 0; o.Asked != want {
						t.Errorf("%d: asked is %v, want %v", status, o.Asked, want)
					}
				}
			})
		})
	}
}

// The wish counts although the rest of the answer never comes.
func TestConformance_RetryAfterWithHalfAnAnswer(t *testing.T) {
	forEachSize(t, func(t *testing.T, k kit, n Notification) {
		base := rawServer(t, func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 429 Slow down\r\nRetry-After: 2.5\r\nContent-Length: 100\r\n\r\nhalf")
			sayNoMore(c)
		})
		if o := k.tell(t, n, base); !o.Asked || o.RetryAfter != 2500*time.Millisecond {
			t.Errorf("outcome %+v", o)
		}
	})
}

func TestConformance_RedirectsAreNotFollowed(t *testing.T) {
	forEachMessage(t, func(t *testing.T, k kit, n Notification) {
		var second atomic.Int64
		target := serve(t, func(http.ResponseWriter, *http.Request) { second.Add(1) })
		for _, status := range []int{301, 302, 303, 307, 308} {
			for _, location := range []string{target + "/x", "://bad path-s3cret tokens3cret", "", "?again"} {
				var first atomic.Int64
				base := serve(t, func(w http.ResponseWriter, r *http.Request) {
					first.Add(1)
					w.Header().Set("Location", location) // the last two come back here: a loop
					w.WriteHeader(status)
				})
				if o := k.tell(t, n, base); o.Result != Permanent || o.StatusCode != status {
					t.Errorf("%d to %q: result %d, status %d, %q", status, location, o.Result, o.StatusCode, o.Error)
				}
				if got := first.Load(); got != 1 {
					t.Errorf("%d to %q: %d requests", status, location, got)
				}
			}
		}
		if second.Load() != 0 {
			t.Error("a redirect was followed")
		}
	})
}

// A service that goes on asking for time does not keep a channel silent: a delivery is tried again, and given up, within two days.
func TestRetryAfter_IsShorterThanWhatADeliveryWaits(t *testing.T) {
	now := time.Date(2025, 12, 12, 10, 30, 0, 0, time.UTC)
	for _, value := range []string{"2592000", now.Add(30 * 24 * time.Hour).Format(http.TimeFormat)} {
		if asked := parseRetryAfter(value, now); asked > 24*time.Hour || asked >= models.MaxWait {
			t.Errorf("%s keeps a channel silent for %v", value, asked)
		}
	}
}
