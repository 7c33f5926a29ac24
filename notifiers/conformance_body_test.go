package notifiers

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rustbucket/alerts/models"
)

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
			sayNoMore(c)
		},
		"half of it, then silence": func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
		},
	}
	for name, body := range bodies {
		t.Run(name, func(t *testing.T) {
			forEachKit(t, func(t *testing.T, k kit) {
				t.Parallel() // most wait for their time limit
				want := Delivered
				if k.channel == models.Slack {
					want = Retry
				}
				base := rawServer(t, body)
				o := stall(t, 300*time.Millisecond, whenAnswered, func(ctx context.Context, limit time.Duration) Outcome {
					return k.tellWithin(ctx, t, k.messages()["alert"], base, limit)
				})
				if o.Result != want || o.StatusCode != 200 {
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
		o := k.send(t, base)
		<-finished
		if o.Result != Retry || len(o.Response) < models.MaxResponseBytes-4 {
			t.Errorf("result %d, %d bytes kept", o.Result, len(o.Response))
		}
		if n := written.Load(); n >= 50<<20 {
			t.Errorf("all %d bytes were taken", n)
		}
	})
}

// What unfolds into 1 GB is never unfolded, whatever it says it is.
func TestConformance_CompressedAnswerIsBounded(t *testing.T) {
	var member bytes.Buffer
	z := gzip.NewWriter(&member)
	if _, err := z.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	bomb := bytes.Repeat(member.Bytes(), 1024) // members one after the other are one file
	forEachSize(t, func(t *testing.T, k kit, n Notification) {
		base := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if accepts := r.Header.Get("Accept-Encoding"); accepts != "" {
				t.Errorf("asks for %s", accepts)
			}
			w.Header().Set("Content-Encoding", "gzip")
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write(bomb)
		})
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		o := k.tell(t, n, base)
		runtime.ReadMemStats(&after)
		if o.Result != Retry || o.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("result %d, status %d, %q", o.Result, o.StatusCode, o.Error)
		}
		// Of both sides, and mostly for what is sent: the largest digest is made up of 500 alerts.
		if took := after.TotalAlloc - before.TotalAlloc; took > 64<<20 {
			t.Errorf("%d bytes were allocated", took)
		}
	})
}

func TestConformance_EchoedSecretsAreRedacted(t *testing.T) {
	forEachMessage(t, func(t *testing.T, k kit, n Notification) {
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
				o := k.tell(t, n, base)
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
