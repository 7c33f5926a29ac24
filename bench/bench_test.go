package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestQuantile_IsTheSmallestSampleThatCoversTheShare(t *testing.T) {
	var hundred []time.Duration
	for i := range 100 {
		hundred = append(hundred, time.Duration(100-i))
	}
	for _, c := range []struct {
		samples  []time.Duration
		p50, p99 time.Duration
	}{
		{nil, 0, 0},
		{[]time.Duration{7}, 7, 7},
		{[]time.Duration{3, 1}, 1, 3},
		{[]time.Duration{3, 1, 2}, 2, 3},
		{hundred, 50, 99},
	} {
		if q := newQuantiles(c.samples); q.p50 != c.p50 || q.p99 != c.p99 {
			t.Errorf("%d samples: p50 %d and p99 %d, want %d and %d", len(c.samples), q.p50, q.p99, c.p50, c.p99)
		}
	}
}

func TestSeq_IsFoundWhereItWasPut(t *testing.T) {
	body := []byte(alertRequest(3, alertType, true))
	for _, seq := range []int{0, 7, 12_345_678} {
		putSeq(body[bytes.Index(body, []byte(marker))+len(marker):], seq)
		if got, ok := seqIn(body); !ok || got != seq {
			t.Errorf("put %d, found %d, %t", seq, got, ok)
		}
	}
	for _, text := range []string{"", "bench seq=", "bench seq=1234567", "bench seq=1234567x", "seq=12345678"} {
		if got, ok := seqIn([]byte(text)); ok {
			t.Errorf("found %d in %q", got, text)
		}
	}
}

func TestParseStat_SkipsTheProgramsName(t *testing.T) {
	line := "42 (a) b (c) S 7 42 42 0 -1 4194560 1 2 3 4 150 50 300 100 20 0 9 0 100 1 2"
	got, ok := parseStat(line)
	if want := (stat{parent: 7, self: 2 * time.Second, ended: 4 * time.Second}); !ok || got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if _, ok := parseStat("42 (a) S 7"); ok {
		t.Error("half a line was taken")
	}
}

func TestReceiver_NotesWhatArrivesOnceAndAgain(t *testing.T) {
	r, err := startReceiver()
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	l := newLedger(3)
	r.note(l, nil)
	post := func(path, body string) int {
		resp, err := http.Post("http://"+r.addr()+path, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		_, _ = io.Copy(io.Discard, resp.Body)
		return resp.StatusCode
	}
	for _, c := range []struct {
		path, body string
		status     int
	}{
		{receiverPath, marker + "00000001", 200}, {receiverPath, marker + "00000001", 200}, {receiverPath, marker + "00000003", 200},
		{receiverPath, "{}", 200}, {"/", marker + "00000002", 400},
	} {
		if status := post(c.path, c.body); status != c.status {
			t.Errorf("POST %s %s: %d", c.path, c.body, status)
		}
	}
	l.answered[0], l.answered[1] = 1, 1 // 2 was never acknowledged: it is not lost
	if first, again, strange, lost := l.first.Load(), l.again.Load(), l.strange.Load(), l.lost(0, 3); first != 1 || again != 1 || strange != 2 || lost != 1 {
		t.Errorf("%d arrived, %d again, %d strange, %d lost", first, again, strange, lost)
	}
}

func TestReceiver_TreatsAMessageInItsManner(t *testing.T) {
	r, err := startReceiver()
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	for _, c := range []struct {
		how     manner
		status  int // 0 = no answer
		arrived int64
	}{
		{nil, 200, 1},
		{func([]byte) (time.Duration, string) { return 20 * time.Millisecond, receiverAnswer }, 200, 1},
		{func([]byte) (time.Duration, string) { return 0, receiverFails }, 500, 0},
		{func([]byte) (time.Duration, string) { return 0, receiverBusy }, 503, 0},
		{func([]byte) (time.Duration, string) { return 20 * time.Millisecond, receiverSilent }, 0, 0},
		{func([]byte) (time.Duration, string) { return time.Hour, receiverAnswer }, 0, 1}, // the client gives up
	} {
		l := newLedger(1)
		r.note(l, c.how)
		ctx, leave := context.WithTimeout(t.Context(), time.Minute)
		if c.status == 0 && c.arrived > 0 { // it waits in vain
			go func() {
				for l.first.Load() == 0 && ctx.Err() == nil {
					time.Sleep(time.Millisecond)
				}
				leave()
			}()
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url(), strings.NewReader(marker+"00000000"))
		if err != nil {
			t.Fatal(err)
		}
		status := 0
		if resp, err := http.DefaultClient.Do(req); err == nil {
			_ = resp.Body.Close()
			status = resp.StatusCode
		}
		leave()
		if status != c.status || l.first.Load() != c.arrived {
			t.Errorf("answered %d, %d arrived; want %d and %d", status, l.first.Load(), c.status, c.arrived)
		}
	}
}

func TestFlaky_RefusesTheFirstAttemptOfEveryTenth(t *testing.T) {
	l := newLedger(25)
	f := newFlaky(l)
	n := noting{l, f.treat}
	var refused []int
	for range 2 {
		for seq := range 25 {
			if _, answer := n.take(fmt.Appendf(nil, "%s%0*d", marker, seqDigits, seq)); answer != receiverAnswer {
				refused = append(refused, seq)
			}
		}
	}
	q, again := f.pauses()
	if !slices.Equal(refused, []int{9, 19}) || again != 2 || q.max <= 0 || f.attempts.Load() != 50 || l.first.Load() != 25 {
		t.Errorf("refused %v, %d in all, after %v; %d attempts, %d arrived", refused, again, q, f.attempts.Load(), l.first.Load())
	}
}

func TestLoad_ReachesTheReceiver(t *testing.T) {
	r, err := startReceiver()
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	l := newLedger(100)
	r.note(l, nil)
	to := load{addr: r.addr(), path: receiverPath, kind: alertType, callers: 4, accept: taken}
	if refused, err := to.send(t.Context(), l, 10, 100); err != nil || refused != 0 {
		t.Fatal(refused, err)
	}
	x := l.times(10, 100)
	if n := l.first.Load(); n != 90 || l.lost(0, 100) != 0 {
		t.Errorf("%d arrived, %d lost", n, l.lost(0, 100))
	}
	if x.arrival.p50 <= 0 || x.arrival.max > x.call.max || x.allArrived > x.allAnswered {
		t.Errorf("times are %+v", x)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := to.send(ended, l, 0, 10); err == nil {
		t.Error("no error though the context has ended")
	}
}

func TestAnswer_TellsWhatHappened(t *testing.T) {
	for _, c := range []struct{ response, err string }{
		{"HTTP/1.1 200 OK\r\ncontent-length: 40\r\n\r\n" + `{"data":{"createAlert":{"id":"1234567"}}}`[:40], ""},
		{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "the server answered 200: {}"},
		{"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n\"OVERLOADED\"", "OVERLOADED"},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "unknown or too large"},
		{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", "EOF"},
		{"SSH-2.0-OpenSSH_9.6\r\n", "not HTTP"},
	} {
		in := &caller{in: bufio.NewReader(strings.NewReader(c.response))}
		err := in.answer(alertCreated)
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%q: %v", c.response, err)
		}
	}
}

func TestReadable_ShowsAMailAsPeopleReadIt(t *testing.T) {
	mail := "From: a@example.com\r\nTo: b@example.com\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMIME-Version: 1.0\r\n" +
		"Content-Type: multipart/alternative; boundary=x\r\n\r\n" +
		"--x\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nf=C3=BCnf =1B[2J\r\n" +
		"--x\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\nPGI+PC9iPg==\r\n--x--\r\n"
	want := "  From: a@example.com\n  To: b@example.com\n  Subject: Grüße\n\n  fünf \uFFFD[2J\n  (and text/html, 7 bytes: -raw shows it)\n"
	if got := readable([]byte(mail)); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
