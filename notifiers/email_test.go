package notifiers

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"strings"
	"testing"
	"time"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/testkit"
)

const mailPassword = "app-passw0rd"

// mailServer starts one that knows the user alerts@example.com, and gives settings that fit it.
func mailServer(t *testing.T, options testkit.MailOptions) (*testkit.MailServer, MailSettings) {
	t.Helper()
	if options.Users == nil {
		options.Users = map[string]string{"alerts@example.com": mailPassword}
	}
	server, err := testkit.StartMailServer(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return server, MailSettings{
		Host: server.Host, Port: server.Port, RootCAs: server.RootCAs,
		UseTLS: options.Encryption == testkit.StartTLS, UseSSL: options.Encryption == testkit.ImplicitTLS,
		User: "alerts@example.com", Password: mailPassword, From: "Rustbucket Alerts <alerts@example.com>",
	}
}

func sendMail(t *testing.T, s MailSettings, alert *models.Alert, recipients ...string) Outcome {
	t.Helper()
	return sendNotification(t, s, Notification{Key: "alert-123-channel-4", Alert: alert}, recipients...)
}

func sendNotification(t *testing.T, s MailSettings, n Notification, recipients ...string) Outcome {
	t.Helper()
	if len(recipients) == 0 {
		recipients = []string{"oncall@example.com", "Security Team <security@example.com>"}
	}
	ctx, cancel := context.WithTimeout(t.Context(), ample)
	defer cancel()
	n.Config = &models.EmailConfig{Recipients: recipients}
	o := NewEmail(s).Send(ctx, n)
	if strings.Contains(o.Error+o.Response, mailPassword) {
		t.Errorf("the password is in %+v", o)
	}
	if (o.Error == "") != (o.Result == Delivered) {
		t.Errorf("result %d with error %q", o.Result, o.Error)
	}
	return o
}

// parsed is a mail as a mail program reads it.
type parsed struct {
	header mail.Header
	parts  map[string]string // by content type
}

func parseMail(t *testing.T, data []byte) parsed {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(data))
	if err != nil {
		t.Fatalf("%v in\n%s", err, data)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("content type %q: %v", m.Header.Get("Content-Type"), err)
	}
	p := parsed{m.Header, map[string]string{}}
	reader := multipart.NewReader(m.Body, params["boundary"])
	for {
		part, err := reader.NextRawPart()
		if err == io.EOF {
			return p
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil {
			t.Fatal(err)
		}
		kind, params, _ := mime.ParseMediaType(part.Header.Get("Content-Type"))
		if !strings.EqualFold(params["charset"], "utf-8") {
			t.Errorf("%s has charset %q", kind, params["charset"])
		}
		p.parts[kind] = strings.ReplaceAll(string(text), "\r\n", "\n")
	}
}

func (p parsed) subject(t *testing.T) string {
	t.Helper()
	s, err := new(mime.WordDecoder).DecodeHeader(p.header.Get("Subject"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestEmail_IsTakenOverEveryKindOfConnection(t *testing.T) {
	for name, options := range map[string]testkit.MailOptions{
		"STARTTLS":        {Encryption: testkit.StartTLS},
		"STARTTLS, LOGIN": {Encryption: testkit.StartTLS, Mechanisms: []string{"LOGIN"}},
		"implicit TLS":    {Encryption: testkit.ImplicitTLS},
		"clear":           {Encryption: testkit.NoTLS},
	} {
		t.Run(name, func(t *testing.T) {
			server, settings := mailServer(t, options)
			o := sendMail(t, settings, testAlert())
			if o.Result != Delivered || o.StatusCode != 250 || !strings.HasPrefix(o.Response, "250 2.0.0 OK") {
				t.Fatalf("outcome %+v", o)
			}
			mails := server.Mails()
			if len(mails) != 1 {
				t.Fatalf("%d mails", len(mails))
			}
			m := mails[0]
			if m.From != "alerts@example.com" || strings.Join(m.To, " ") != "oncall@example.com security@example.com" ||
				m.User != "alerts@example.com" || m.TLS != (options.Encryption != testkit.NoTLS) {
				t.Errorf("from %s to %v by %s, TLS %v", m.From, m.To, m.User, m.TLS)
			}
			if encrypted := !bytes.Contains(server.Wire(), []byte("AUTH")); encrypted != m.TLS {
				t.Errorf("on the wire: %.300q", server.Wire())
			}
		})
	}
}

func TestEmail_Message(t *testing.T) {
	server, settings := mailServer(t, testkit.MailOptions{})
	alert := testAlert()
	alert.Message = "Rustbucket node1 is not responding\n.\n<script>alert(1)</script> & é 😀 " + strings.Repeat("x", 2000)
	sendMail(t, settings, alert)
	sendMail(t, settings, alert)
	mails := server.Mails()
	if len(mails) != 2 {
		t.Fatalf("%d mails", len(mails))
	}
	p, again := parseMail(t, mails[0].Data), parseMail(t, mails[1].Data)
	for name, want := range map[string]string{
		"From": `"Rustbucket Alerts" <alerts@example.com>`, "To": `<oncall@example.com>, "Security Team" <security@example.com>`,
		"Message-Id": "<alert-123-channel-4.1765535400000000@example.com>", "Auto-Submitted": "auto-generated", "Mime-Version": "1.0",
	} {
		if got := p.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if p.header.Get("Message-Id") != again.header.Get("Message-Id") {
		t.Error("the second attempt has another Message-ID")
	}
	if at, err := p.header.Date(); err != nil || time.Since(at).Abs() > time.Minute {
		t.Errorf("Date %v, %v", at, err)
	}
	if got := p.subject(t); got != "Rustbucket Alert: ERROR: Rustbucket node1 is not responding…" {
		t.Errorf("subject %q", got)
	}
	if text := p.parts["text/plain"]; !strings.Contains(text, alert.Message) || !strings.Contains(text, "Severity:   HIGH") ||
		!strings.Contains(text, "Production Node 1 (BKT123456)") {
		t.Errorf("text %s", text)
	}
	html := p.parts["text/html"]
	if strings.Contains(html, "<script>") || !strings.Contains(html, "&lt;script&gt;alert(1)&lt;/script&gt; &amp; é 😀") ||
		!strings.Contains(html, "#c62828") || !strings.Contains(html, "viewport") {
		t.Errorf("html %s", html)
	}
	for _, line := range strings.Split(string(mails[0].Data), "\r\n") {
		if len(line) > 998 {
			t.Errorf("a line of %d bytes", len(line))
		}
	}
}

func TestEmail_SubjectIsSafe(t *testing.T) {
	server, settings := mailServer(t, testkit.MailOptions{})
	for message, want := range map[string]string{
		"a\r\nBcc: evil@example.com\r\n\r\nbody": "Rustbucket Alert: ERROR: a Bcc: evil@example.com body",
		"Größe überschritten: 日本語 😀":             "Rustbucket Alert: ERROR: Größe überschritten: 日本語 😀",
		"=?utf-8?q?x?= _ ?":                      "",
		strings.Repeat("日本語😀", 2000):             "Rustbucket Alert: ERROR: " + strings.Repeat("日本語😀", 14) + "日本語…",
		strings.Repeat("word ", 1500):            "Rustbucket Alert: ERROR: " + strings.TrimSpace(strings.Repeat("word ", 11)) + "…",
	} {
		alert := testAlert()
		alert.Message = message
		before := len(server.Mails())
		if o := sendMail(t, settings, alert, "oncall@example.com"); o.Result != Delivered {
			t.Fatalf("outcome %+v", o)
		}
		p := parseMail(t, server.Mails()[before].Data)
		if got := p.subject(t); want != "" && got != want {
			t.Errorf("subject %q\nwant    %q", got, want)
		}
		if p.header.Get("Bcc") != "" || len(p.parts) != 2 {
			t.Errorf("header %v, %d parts", p.header, len(p.parts))
		}
		if text := p.parts["text/plain"]; !strings.Contains(text, strings.ReplaceAll(message, "\r\n", "\n")) {
			t.Errorf("the message is not whole: %.100q", text)
		}
	}
}

func TestEmail_ManyRecipients(t *testing.T) {
	server, settings := mailServer(t, testkit.MailOptions{})
	var recipients []string
	for i := range models.MaxRecipients {
		recipients = append(recipients, "Bereitschaft Süd <team"+string(rune('a'+i%26))+strings.Repeat("x", i/26)+"@example.com>")
	}
	if o := sendMail(t, settings, testAlert(), recipients...); o.Result != Delivered {
		t.Fatalf("outcome %+v", o)
	}
	m := server.Mails()[0]
	to, err := parseMail(t, m.Data).header.AddressList("To")
	if err != nil || len(to) != len(recipients) || len(m.To) != len(recipients) || to[99].Name != "Bereitschaft Süd" {
		t.Errorf("%d in the header, %d in the envelope: %v", len(to), len(m.To), err)
	}
}

func TestEmail_NoSTARTTLSOffered(t *testing.T) {
	server, settings := mailServer(t, testkit.MailOptions{Encryption: testkit.NoTLS})
	settings.UseTLS = true
	o := sendMail(t, settings, testAlert())
	if o.Result != Retry || !strings.Contains(o.Error, "STARTTLS") {
		t.Errorf("outcome %+v", o)
	}
	if wire := string(server.Wire()); strings.Count(wire, "\r\n") != 1 || !strings.HasPrefix(wire, "EHLO ") {
		t.Errorf("on the wire: %q", wire)
	}
}

func TestEmail_UntrustedCertificate(t *testing.T) {
	for _, encryption := range []testkit.MailEncryption{testkit.StartTLS, testkit.ImplicitTLS} {
		server, settings := mailServer(t, testkit.MailOptions{Encryption: encryption})
		settings.RootCAs = nil
		if o := sendMail(t, settings, testAlert()); o.Result != Retry || !strings.Contains(o.Error, "certificate") {
			t.Errorf("outcome %+v", o)
		}
		if len(server.Mails()) != 0 || bytes.Contains(server.Wire(), []byte("AUTH")) {
			t.Error("something was sent")
		}
	}
}

// Whoever can write into the connection before it is encrypted must not get a word in after it.
func TestEmail_InjectionBeforeEncryption(t *testing.T) {
	base := scriptedMail(t, "220 x\r\n", "250-x\r\n250 STARTTLS\r\n", "220 go\r\n250 injected\r\n")
	o := sendMail(t, MailSettings{Host: "127.0.0.1", Port: base, UseTLS: true, From: "a@example.com"}, testAlert())
	if o.Result != Retry || !strings.Contains(o.Error, "before the encryption") {
		t.Errorf("outcome %+v", o)
	}
}

func TestEmail_Replies(t *testing.T) {
	for name, c := range map[string]struct {
		stage    testkit.Stage
		code     int
		enhanced [3]int
		text     string
		want     Result
	}{
		"wrong password":            {testkit.AtAuth, 535, [3]int{5, 7, 8}, "Bad login", ChannelBroken},
		"password too weak":         {testkit.AtAuth, 534, [3]int{5, 7, 9}, "Application-specific password required", ChannelBroken},
		"login needed":              {testkit.AtMail, 530, [3]int{5, 7, 0}, "Authentication required", ChannelBroken},
		"login service down":        {testkit.AtAuth, 454, [3]int{4, 7, 0}, "Temporary failure", Retry},
		"sender refused":            {testkit.AtMail, 550, [3]int{5, 7, 1}, "Not allowed", Permanent},
		"too busy":                  {testkit.AtMail, 421, [3]int{4, 3, 2}, "Busy", Retry},
		"recipient unknown":         {testkit.AtRcpt, 550, [3]int{5, 1, 1}, "No such user", Permanent},
		"recipient greylisted":      {testkit.AtRcpt, 450, [3]int{4, 2, 0}, "Greylisted", Retry},
		"too many recipients, 552":  {testkit.AtRcpt, 552, [3]int{5, 5, 3}, "Too many recipients", Retry},
		"daily quota":               {testkit.AtRcpt, 550, [3]int{5, 4, 5}, "Daily user sending limit exceeded", Retry},
		"message refused":           {testkit.AtData, 554, [3]int{5, 7, 1}, "Spam", Permanent},
		"message too large":         {testkit.AtData, 552, [3]int{5, 3, 4}, "Too large", Permanent},
		"daily quota at the end":    {testkit.AtData, 550, [3]int{5, 4, 5}, "Daily user sending limit exceeded", Retry},
		"storage full":              {testkit.AtData, 452, [3]int{4, 3, 1}, "Insufficient storage", Retry},
		"shutting down at the end":  {testkit.AtData, 421, [3]int{4, 3, 0}, "Shutting down", Retry},
		"echoes what it was sent":   {testkit.AtAuth, 535, [3]int{5, 7, 8}, "Bad password " + mailPassword, ChannelBroken},
		"echoes it in base64":       {testkit.AtAuth, 535, [3]int{5, 7, 8}, "Bad AGFsZXJ0c0BleGFtcGxlLmNvbQBhcHAtcGFzc3cwcmQ=", ChannelBroken},
		"several lines":             {testkit.AtRcpt, 550, [3]int{5, 7, 1}, "one\ntwo", Permanent},
		"recipient refused and 421": {testkit.AtRcpt, 421, [3]int{4, 7, 0}, "Too many errors", Retry},
	} {
		t.Run(name, func(t *testing.T) {
			server, settings := mailServer(t, testkit.MailOptions{})
			server.Reply(c.stage, c.code, c.enhanced, c.text)
			o := sendMail(t, settings, testAlert())
			if o.Result != c.want || o.StatusCode != c.code {
				t.Errorf("outcome %+v, want result %d", o, c.want)
			}
			if strings.Contains(o.Error+o.Response, "AGFsZXJ0c0") {
				t.Errorf("credentials in %+v", o)
			}
			if first, _, _ := strings.Cut(c.text, "\n"); !strings.Contains(c.text, "Bad") && !strings.Contains(o.Response, first) {
				t.Errorf("response %q does not hold %q", o.Response, first)
			}
			if len(server.Mails()) != 0 {
				t.Error("a mail was taken")
			}
			ctx, cancel := context.WithTimeout(t.Context(), ample)
			defer cancel()
			if err := server.WaitClosed(ctx); err != nil {
				t.Errorf("the connection stays open: %v", err)
			}
		})
	}
}

func TestEmail_WrongPassword(t *testing.T) {
	for _, mechanism := range []string{"PLAIN", "LOGIN"} {
		_, settings := mailServer(t, testkit.MailOptions{Mechanisms: []string{mechanism}})
		settings.Password = "wrong-password"
		if o := sendMail(t, settings, testAlert()); o.Result != ChannelBroken || o.StatusCode != 535 {
			t.Errorf("%s: outcome %+v", mechanism, o)
		}
	}
	_, settings := mailServer(t, testkit.MailOptions{})
	settings.User, settings.Password = "", ""
	if o := sendMail(t, settings, testAlert()); o.Result != ChannelBroken || o.StatusCode != 530 {
		t.Errorf("without a login: outcome %+v", o)
	}
	_, settings = mailServer(t, testkit.MailOptions{Mechanisms: []string{"XOAUTH2"}})
	if o := sendMail(t, settings, testAlert()); o.Result != ChannelBroken {
		t.Errorf("no known mechanism: outcome %+v", o)
	}
}

func TestEmail_RefusedRecipientsDoNotStopTheOthers(t *testing.T) {
	server, settings := mailServer(t, testkit.MailOptions{})
	server.Refuse("gone@example.com", 550, [3]int{5, 1, 1}, "No such user")
	server.Refuse("full@example.com", 452, [3]int{4, 2, 2}, "Mailbox full")
	o := sendMail(t, settings, testAlert(), "gone@example.com", "a@example.com", "Full <full@example.com>", "b@example.com")
	if o.Result != Retry || o.StatusCode != 452 {
		t.Errorf("outcome %+v", o)
	}
	for _, want := range []string{"sent to 2 of 4", "gone@example.com: 550 5.1.1 No such user", "full@example.com: 452 4.2.2 Mailbox full"} {
		if !strings.Contains(o.Error, want) {
			t.Errorf("error %q does not say %q", o.Error, want)
		}
	}
	if !strings.Contains(o.Response, "250 2.0.0 OK") {
		t.Errorf("response %q", o.Response)
	}
	mails := server.Mails()
	if len(mails) != 1 || strings.Join(mails[0].To, " ") != "a@example.com b@example.com" {
		t.Fatalf("mails %+v", mails)
	}
	// Nobody took it: nothing was sent, so what may pass later is tried later.
	if o := sendMail(t, settings, testAlert(), "gone@example.com", "full@example.com"); o.Result != Retry || o.StatusCode != 452 {
		t.Errorf("outcome %+v", o)
	}
	if o := sendMail(t, settings, testAlert(), "gone@example.com"); o.Result != Permanent || o.StatusCode != 550 {
		t.Errorf("outcome %+v", o)
	}
	if n := len(server.Mails()); n != 1 {
		t.Errorf("%d mails", n)
	}
}

func TestEmail_ServerThatHangsOrDrops(t *testing.T) {
	for _, encryption := range []testkit.MailEncryption{testkit.StartTLS, testkit.ImplicitTLS} {
		for _, stage := range []testkit.Stage{testkit.AtGreeting, testkit.AtHello, testkit.AtAuth, testkit.AtMail, testkit.AtRcpt, testkit.AtData} {
			t.Run(fmt.Sprint(encryption, stage), func(t *testing.T) {
				t.Parallel() // each waits for its time limit
				server, settings := mailServer(t, testkit.MailOptions{Encryption: encryption})
				server.Hang(stage)
				// Long enough to get to the stage on a busy machine.
				settings.Timeout = 400 * time.Millisecond
				start := time.Now()
				o := sendMail(t, settings, testAlert())
				if took := time.Since(start); o.Result != Retry || !strings.Contains(o.Error, "timed out") || took > settings.Timeout+tolerance {
					t.Errorf("hanging: %+v after %v", o, took)
				}
				server.Hang("")
				server.Drop(stage)
				settings.Timeout = 0
				if o := sendMail(t, settings, testAlert()); o.Result != Retry {
					t.Errorf("dropping: %+v", o)
				}
				if len(server.Mails()) != 0 {
					t.Error("a mail was taken")
				}
			})
		}
	}
}

func TestEmail_ContextEndsIt(t *testing.T) {
	server, settings := mailServer(t, testkit.MailOptions{})
	server.Hang(testkit.AtData)
	ctx, cancel := context.WithTimeout(t.Context(), ample)
	defer cancel()
	outcomes := make(chan Outcome, 1)
	go func() {
		outcomes <- NewEmail(settings).Send(ctx, Notification{Key: "k", Alert: testAlert(),
			Config: &models.EmailConfig{Recipients: []string{"a@example.com"}}})
	}()
	if err := server.WaitStuck(ctx, 1); err != nil {
		t.Fatal(err)
	}
	cancel()
	select {
	case o := <-outcomes:
		if o.Result != Retry || strings.Contains(o.Error, "timed out") {
			t.Errorf("outcome %+v", o)
		}
	case <-time.After(tolerance):
		t.Fatal("Send did not return")
	}
}

func TestEmail_NobodyListens(t *testing.T) {
	s := MailSettings{Host: "127.0.0.1", Port: nobodyListens(t).Port, UseTLS: true, From: "a@example.com"}
	if o := sendMail(t, s, testAlert()); o.Result != Retry || o.StatusCode != 0 {
		t.Errorf("outcome %+v", o)
	}
	s.Host = "nowhere.invalid"
	if o := sendMail(t, s, testAlert()); o.Result != Retry {
		t.Errorf("outcome %+v", o)
	}
}

func TestEmail_EndlessReply(t *testing.T) {
	port := scriptedMail(t, strings.Repeat("220-"+strings.Repeat("x", 1000)+"\r\n", 3000))
	o := sendMail(t, MailSettings{Host: "127.0.0.1", Port: port, From: "a@example.com"}, testAlert())
	if o.Result != Retry || !strings.Contains(o.Error, "more than it should") {
		t.Errorf("outcome %.300v", o)
	}
}

func TestEmail_NotSetUp(t *testing.T) {
	for want, s := range map[string]MailSettings{
		"EMAIL_HOST":         {},
		"EMAIL_USE_SSL":      {Host: "127.0.0.1", UseTLS: true, UseSSL: true, From: "a@example.com"},
		"DEFAULT_FROM_EMAIL": {Host: "127.0.0.1", User: "alerts"},
	} {
		if o := sendMail(t, s, testAlert()); o.Result != Permanent || !strings.Contains(o.Error, "mail is not set up") || !strings.Contains(o.Error, want) {
			t.Errorf("outcome %+v, want %s", o, want)
		}
	}
}

// hangUp in a script closes the connection, without waiting for the client.
const hangUp = "hang up"

// scriptedMail says these lines on each connection, each but the first after one line of the client (after a 354: after the
// whole message), and then nothing.
func scriptedMail(t *testing.T, lines ...string) (port int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				client, end := bufio.NewReader(c), "\n"
				for i, line := range lines {
					if line == hangUp {
						return
					}
					if i > 0 {
						for said := ""; !strings.HasSuffix(said, end); {
							more, err := client.ReadString('\n')
							if err != nil {
								return
							}
							said += more
						}
					}
					if end = "\n"; strings.HasPrefix(line, "354") {
						end = "\r\n.\r\n"
					}
					if _, err := io.WriteString(c, line); err != nil {
						return
					}
				}
				_, _ = io.Copy(io.Discard, c)
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}
