package notifiers

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/testkit"
)

// The conformance kit of mail: what the server says, and whether it says anything, at every stage of a session.

func mailNotices() map[string]Notification {
	return map[string]Notification{
		"alert":    {Key: "alert-123-delivery-4", Alert: testAlert()},
		"resolved": {Key: "alert-123-delivery-5", Kind: models.TellResolved, Alert: resolvedAlert()},
		"digest":   {Key: "digest-6", Digest: testDigest()},
	}
}

func TestEmail_RefusalAtEveryStage(t *testing.T) {
	for _, c := range []struct {
		stage    testkit.Stage
		for5yz   Result
		noGoOnAs string // what must not be sent after it
	}{
		// Nobody is told that a message will never be taken before it was offered.
		{testkit.AtGreeting, Retry, "MAIL"}, {testkit.AtHello, Retry, "MAIL"},
		{testkit.AtAuth, ChannelBroken, "MAIL"},
		{testkit.AtMail, Permanent, "RCPT"}, {testkit.AtRcpt, Permanent, "DATA"}, {testkit.AtData, Permanent, "\r\n.\r\nMAIL"},
	} {
		for _, encryption := range []testkit.MailEncryption{testkit.StartTLS, testkit.NoTLS} {
			for _, code := range []int{421, 451, 454, 499, 500, 550, 554, 599} {
				want := Retry
				if code >= 500 {
					want = c.for5yz
				}
				server, settings := mailServer(t, testkit.MailOptions{Encryption: encryption})
				server.Reply(c.stage, code, [3]int{code / 100, 7, 1}, "not now "+mailPassword)
				for name, n := range mailNotices() {
					o := sendNotification(t, settings, n)
					if o.Result != want {
						t.Errorf("%d at %s, %s: outcome %+v, want result %d", code, c.stage, name, o, want)
					}
					// A server that refuses EHLO for good has no STARTTLS: that is then what is wrong.
					if o.StatusCode != code && (c.stage != testkit.AtHello || encryption != testkit.StartTLS || code < 500) {
						t.Errorf("%d at %s, %s: status %d, %q", code, c.stage, name, o.StatusCode, o.Error)
					}
				}
				if wire := string(server.Wire()); encryption == testkit.NoTLS && strings.Contains(wire, c.noGoOnAs) {
					t.Errorf("%d at %s: went on with %s: %q", code, c.stage, c.noGoOnAs, wire)
				}
				if len(server.Mails()) != 0 {
					t.Errorf("%d at %s: a mail was taken", code, c.stage)
				}
			}
		}
	}
}

// session is what a server without extensions says when all goes well.
var session = []string{"220 mail.example.com\r\n", "250 mail.example.com\r\n", "250 sender\r\n", "250 recipient\r\n", "354 go on\r\n", "250 taken\r\n"}

// go-smtp always goes on after DATA and STARTTLS: here the answers to these come from a script.
func TestEmail_RefusalWhereTheServerNeverRefuses(t *testing.T) {
	for _, code := range []int{421, 451, 554} {
		line := fmt.Sprintf("%d not now\r\n", code)
		want := Retry
		if code == 554 {
			want = Permanent
		}
		port := scriptedMail(t, append(session[:4:4], line, line, line)...)
		o := sendMail(t, MailSettings{Host: "127.0.0.1", Port: port, From: "a@example.com"}, testAlert(), "b@example.com")
		if o.Result != want || o.StatusCode != code {
			t.Errorf("%d at DATA: outcome %+v", code, o)
		}
		port = scriptedMail(t, "220 x\r\n", "250-x\r\n250 STARTTLS\r\n", line)
		o = sendMail(t, MailSettings{Host: "127.0.0.1", Port: port, UseTLS: true, From: "a@example.com"}, testAlert())
		if o.Result != Retry || o.StatusCode != code {
			t.Errorf("%d at STARTTLS: outcome %+v", code, o)
		}
	}
}

// A script that ends says nothing more, or closes: both at every stage, until the message is taken.
func TestEmail_SilentOrLostAtEveryLine(t *testing.T) {
	scripts := map[string][]string{"STARTTLS": {"220 x\r\n", "250-x\r\n250 STARTTLS\r\n"}, "TLS handshake": {"220 x\r\n", "250-x\r\n250 STARTTLS\r\n", "220 go\r\n"}}
	for i := range session[:5] {
		scripts[strings.TrimSpace(session[i])] = session[:i+1]
		scripts["half of "+strings.TrimSpace(session[i])] = append(session[:i:i], session[i][:2])
	}
	for name, lines := range scripts {
		for _, end := range []string{"silent", "lost"} {
			t.Run(end+" after "+name, func(t *testing.T) {
				t.Parallel() // each waits for its time limit
				script := lines
				settings := MailSettings{Host: "127.0.0.1", From: "a@example.com", UseTLS: strings.Contains(name, "TLS"), Timeout: 250 * time.Millisecond}
				if end == "lost" {
					script, settings.Timeout = append(lines[:len(lines):len(lines)], hangUp), 0
				}
				settings.Port = scriptedMail(t, script...)
				start := time.Now()
				o := sendMail(t, settings, testAlert(), "b@example.com")
				if o.Result != Retry || o.StatusCode != 0 || end == "silent" && !strings.Contains(o.Error, "timed out") {
					t.Errorf("outcome %+v", o)
				}
				if took := time.Since(start); took > settings.Timeout+tolerance {
					t.Errorf("took %v", took)
				}
			})
		}
	}
}

// A second attempt would be a second mail: what comes after the server took the message does not count.
func TestEmail_TakenIsTakenWhateverComesAfter(t *testing.T) {
	for _, after := range []string{"", hangUp, "500 what?\r\n"} {
		port := scriptedMail(t, append(session[:6:6], after)...)
		o := sendMail(t, MailSettings{Host: "127.0.0.1", Port: port, From: "a@example.com", Timeout: ample}, testAlert(), "b@example.com")
		if o.Result != Delivered || o.StatusCode != 250 {
			t.Errorf("then %q: outcome %+v", after, o)
		}
	}
}

func TestEmail_TimesOutWhereNobodyAcceptsTheConnection(t *testing.T) {
	host, port, err := net.SplitHostPort(strings.TrimPrefix(fullBacklog(t), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	s := MailSettings{Host: host, From: "a@example.com", Timeout: 200 * time.Millisecond}
	if _, err := fmt.Sscan(port, &s.Port); err != nil {
		t.Fatal(err)
	}
	if o := sendMail(t, s, testAlert()); o.Result != Retry || !strings.Contains(o.Error, "no connection within the time limit") {
		t.Errorf("outcome %+v", o)
	}
}

// The server took the command and reads nothing more: a message larger than the buffers must not hold up the attempt.
func TestEmail_MessageIsNotRead(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_ = c.(*net.TCPConn).SetReadBuffer(4096)
		buf := make([]byte, 512)
		for _, line := range session[:5] {
			if _, err := io.WriteString(c, line); err != nil {
				return
			}
			if strings.HasPrefix(line, "354") {
				break
			}
			if _, err := c.Read(buf); err != nil {
				return
			}
		}
		<-t.Context().Done()
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	s := MailSettings{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, From: "a@example.com"}
	o := NewEmail(s).Send(ctx, Notification{Key: "k", Digest: largestDigest("😀"), Config: &models.EmailConfig{Recipients: []string{"b@example.com"}}})
	if o.Result != Retry || !strings.Contains(o.Error, "timed out") {
		t.Errorf("outcome %+v", o)
	}
}
