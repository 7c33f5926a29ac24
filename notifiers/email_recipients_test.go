package notifiers

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/textproto"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/testkit"
)

// What became of each recipient, against a real mail server.

// tell makes an attempt, given how the recipients stand after the one before.
func tell(t *testing.T, s MailSettings, before []models.RecipientOutcome, recipients ...string) Outcome {
	t.Helper()
	return sendNotification(t, s, Notification{Key: "k", Alert: testAlert(), Recipients: before}, recipients...)
}

// standing puts recipients into words: "a DELIVERED, b FAILED 550".
func standing(list []models.RecipientOutcome) string {
	words := make([]string, len(list))
	for i, r := range list {
		name, _, _ := strings.Cut(r.Address, "@")
		words[i] = name + " " + string(r.Status)
		if r.StatusCode != nil {
			words[i] += fmt.Sprint(" ", *r.StatusCode)
		}
		if (r.StatusCode == nil) != (r.Error == nil) {
			words[i] += fmt.Sprint(" with error ", r.Error)
		}
	}
	return strings.Join(words, ", ")
}

// Three recipients, each of them taken, refused for now (in each of the ways that there are) or refused for good: all combinations.
func TestEmail_EveryRecipientHasAnOutcomeOfItsOwn(t *testing.T) {
	type manner struct {
		times, code int
		enhanced    [3]int
		text        string
		want        Result // Delivered = taken, perhaps later
	}
	manners := map[string]manner{
		"taken":                {0, 0, [3]int{}, "", Delivered},
		"greylisted":           {1, 450, [3]int{4, 2, 0}, "Greylisted", Delivered},
		"too many recipients":  {1, 552, [3]int{5, 5, 3}, "Too many recipients", Delivered},
		"daily quota":          {1, 550, [3]int{5, 4, 5}, "Daily user sending limit exceeded", Delivered},
		"unknown":              {9, 550, [3]int{5, 1, 1}, "No such user", Permanent},
		"unknown, other words": {9, 553, [3]int{5, 1, 3}, "Not an address", Permanent},
	}
	names := slices.Sorted(maps.Keys(manners))
	people := []string{"a@example.com", "B <b@example.com>", "c@example.com"}
	for _, first := range names {
		for _, second := range names {
			for _, third := range names {
				t.Run(first+", "+second+", "+third, func(t *testing.T) {
					server, settings := mailServer(t, testkit.MailOptions{Encryption: testkit.NoTLS})
					later, gone := 0, 0
					var refused []string
					for i, name := range []string{first, second, third} {
						m := manners[name]
						address := string(rune('a'+i)) + "@example.com"
						server.RefuseTimes(address, m.times, m.code, m.enhanced, m.text)
						if m.want == Permanent {
							gone++
							refused = append(refused, address+": "+fmt.Sprint(m.code))
						} else if m.times > 0 {
							later++
						}
					}
					o := tell(t, settings, nil, people...)
					want := Delivered
					switch {
					case later > 0:
						want = Retry
					case gone > 0:
						want = Permanent
					}
					if o.Result != want || len(o.Recipients) != 3 {
						t.Fatalf("outcome %+v", o)
					}
					if now := 3 - later - gone; now > 0 && want == Retry && o.Channel != SignWorks || now == 0 && o.Channel != ByResult {
						t.Errorf("%d were told, and of the channel it says %v", now, o.Channel)
					}
					if want == Retry {
						o = tell(t, settings, o.Recipients, people...)
					}
					want = Delivered
					if gone > 0 {
						want = Permanent
					}
					if o.Result != want {
						t.Errorf("in the end %+v", o)
					}
					for _, who := range refused {
						if !strings.Contains(o.Error, who) {
							t.Errorf("error %q does not name %s", o.Error, who)
						}
					}
					if told := 3 - gone; gone > 0 && told > 0 && !strings.HasPrefix(o.Error, fmt.Sprintf("sent to %d of 3 recipients; refused: ", told)) {
						t.Errorf("error %q", o.Error)
					}
					for i, name := range []string{first, second, third} {
						address, m := string(rune('a'+i))+"@example.com", manners[name]
						taken, asked, status := 1, m.times+1, models.Delivered
						if m.want == Permanent { // not even asked again
							taken, asked, status = 0, 1, models.Failed
						}
						if server.Taken()[address] != taken || server.Asked(address) != asked || o.Recipients[i].Status != status {
							t.Errorf("%s: %d mails of %d, asked %d times of %d, %+v", address, server.Taken()[address], taken, server.Asked(address), asked, o.Recipients[i])
						}
					}
					for _, m := range server.Mails() {
						to, err := parseMail(t, m.Data).header.AddressList("To")
						if err != nil || len(to) != 3 {
							t.Errorf("To: %v, %v", to, err)
						}
					}
				})
			}
		}
	}
}

// What ends the session before the message is taken leaves everybody as they were, but those who were refused for good.
func TestEmail_RecipientsWhenTheSessionFails(t *testing.T) {
	people := []string{"done@example.com", "gone@example.com", "a@example.com"}
	before := []models.RecipientOutcome{{Address: "done@example.com", Status: models.Delivered}}
	for _, c := range []struct {
		name  string
		spoil func(*testkit.MailServer)
		want  Result
		stand string
	}{
		{"lost", func(s *testkit.MailServer) { s.Drop(testkit.AtData) }, Retry, "done DELIVERED, gone FAILED 550, a PENDING"},
		{"put off at the end", func(s *testkit.MailServer) { s.Reply(testkit.AtData, 451, [3]int{4, 3, 0}, "later") }, Retry,
			"done DELIVERED, gone FAILED 550, a PENDING"},
		{"hung up at RCPT", func(s *testkit.MailServer) { s.Refuse("a@example.com", 421, [3]int{4, 7, 0}, "bye") }, Retry,
			"done DELIVERED, gone FAILED 550, a PENDING"},
		{"message refused", func(s *testkit.MailServer) { s.Reply(testkit.AtData, 554, [3]int{5, 7, 1}, "spam") }, Permanent,
			"done DELIVERED, gone FAILED 550, a FAILED 554"},
		{"sender refused", func(s *testkit.MailServer) { s.Reply(testkit.AtMail, 550, [3]int{5, 7, 1}, "not you") }, Permanent,
			"done DELIVERED, gone FAILED 550, a FAILED 550"},
		{"login refused", func(s *testkit.MailServer) { s.Reply(testkit.AtAuth, 535, [3]int{5, 7, 8}, "no") }, ChannelBroken,
			"done DELIVERED, gone PENDING, a PENDING"},
		{"silent", func(s *testkit.MailServer) { s.Drop(testkit.AtGreeting) }, Retry, "done DELIVERED, gone PENDING, a PENDING"},
	} {
		t.Run(c.name, func(t *testing.T) {
			server, settings := mailServer(t, testkit.MailOptions{})
			server.Refuse("gone@example.com", 550, [3]int{5, 1, 1}, "No such user")
			c.spoil(server)
			o := tell(t, settings, before, people...)
			if got := standing(o.Recipients); o.Result != c.want || got != c.stand || o.Channel != ByResult {
				t.Errorf("outcome %+v\nstanding %s\nwant     %s", o, got, c.stand)
			}
			if !strings.HasPrefix(o.Error, "sent to 1 of 3 recipients; ") {
				t.Errorf("error %q", o.Error)
			}
			if len(server.Mails()) != 0 || server.Asked("done@example.com") != 0 {
				t.Errorf("%d mails, and who has it was asked for %d times", len(server.Mails()), server.Asked("done@example.com"))
			}
		})
	}
}

// The list of recipients may be another one at the next attempt.
func TestEmail_RecipientsThatChange(t *testing.T) {
	server, settings := mailServer(t, testkit.MailOptions{})
	server.Refuse("b@example.com", 450, [3]int{4, 2, 1}, "Later")
	server.Refuse("c@example.com", 550, [3]int{5, 1, 1}, "No such user")
	o := tell(t, settings, nil, "a@example.com", "b@example.com", "c@example.com", "d@example.com")
	if got := standing(o.Recipients); got != "a DELIVERED, b PENDING 450, c FAILED 550, d DELIVERED" {
		t.Fatal(got)
	}
	// One who has it in other letters, one who has it gone, one who waits gone, one who was refused gone, a new one.
	o = tell(t, settings, o.Recipients, "New <e@example.com>", "A@EXAMPLE.com")
	if got := standing(o.Recipients); got != "e DELIVERED, A DELIVERED, d DELIVERED" || o.Result != Delivered {
		t.Errorf("%s: %+v", got, o)
	}
	// Who was gone comes back, and has it. Nobody is left: nothing is sent, and that says nothing about the channel.
	connections := server.Connections()
	o = tell(t, settings, o.Recipients, "D@example.com", "e@example.com")
	if o.Result != Delivered || o.Channel != SignNone || server.Connections() != connections {
		t.Errorf("%d connections: %+v", server.Connections()-connections, o)
	}
	for who, n := range server.Taken() {
		if n != 1 || strings.ContainsAny(who[:1], "bc") {
			t.Errorf("%s got %d mails", who, n)
		}
	}
	// Only those who were refused for good are left.
	o = tell(t, settings, []models.RecipientOutcome{{Address: "a@example.com", Status: models.Failed, Error: new("550 no"), StatusCode: new(550)}}, "a@example.com")
	if o.Result != Permanent || o.StatusCode != 550 || o.Channel != SignNone || server.Connections() != connections {
		t.Errorf("outcome %+v", o)
	}
}

// A mailbox that is full says nothing against a channel that reaches the others; the sender's own quota does.
func TestEmail_WhatTheRestShowsAboutTheChannel(t *testing.T) {
	for _, c := range []struct {
		code     int
		enhanced [3]int
		want     Sign
	}{{452, [3]int{4, 2, 2}, SignAnswers}, {450, [3]int{4, 2, 0}, SignAnswers}, {552, [3]int{5, 5, 3}, SignAnswers}, {550, [3]int{5, 4, 5}, ByResult}} {
		server, settings := mailServer(t, testkit.MailOptions{})
		server.Refuse("b@example.com", c.code, c.enhanced, "not now")
		o := tell(t, settings, nil, "a@example.com", "b@example.com")
		if o.Channel != SignWorks {
			t.Errorf("%d, one was told: %v", c.code, o.Channel)
		}
		if o = tell(t, settings, o.Recipients, "a@example.com", "b@example.com"); o.Result != Retry || o.Channel != c.want || o.StatusCode != c.code {
			t.Errorf("%d, the rest: %+v", c.code, o)
		}
		if o = tell(t, settings, nil, "b@example.com"); o.Channel != ByResult {
			t.Errorf("%d, nobody ever: %v", c.code, o.Channel)
		}
	}
}

// A hundred that are refused take one session and one RCPT each, and what is kept of them is bounded.
func TestEmail_ManyRefused(t *testing.T) {
	server, settings := mailServer(t, testkit.MailOptions{})
	var people []string
	for i := range models.MaxRecipients {
		address := fmt.Sprintf("person%d@example.com", i)
		people = append(people, address)
		if i > 0 {
			server.Refuse(address, 550, [3]int{5, 1, 1}, strings.Repeat("é long words ", 30)+mailPassword)
		}
	}
	o := tell(t, settings, nil, people...)
	if o.Result != Permanent || !strings.HasPrefix(o.Error, "sent to 1 of 100 recipients; refused: person1@example.com: 550") ||
		!strings.HasSuffix(o.Error, " and 94 more") || len(o.Response) > models.MaxResponseBytes || server.Connections() != 1 {
		t.Errorf("outcome %.3000v", o)
	}
	for i, r := range o.Recipients {
		if server.Asked(r.Address) != 1 || r.Error != nil && (len([]rune(*r.Error)) > 200 || strings.Contains(*r.Error, mailPassword)) {
			t.Errorf("recipient %d, asked for %d times: %+v", i, server.Asked(r.Address), r)
		}
	}
}

// Some relays take their own people's mail from anybody, and want a login for the others.
func TestEmail_ALoginIsWantedForSomeAddresses(t *testing.T) {
	server, settings := mailServer(t, testkit.MailOptions{Encryption: testkit.NoTLS})
	server.Refuse("other@example.org", 530, [3]int{5, 7, 0}, "log in")
	server.Refuse("later@example.com", 450, [3]int{4, 2, 0}, "later")
	for _, c := range []struct {
		before []models.RecipientOutcome
		people []string
		want   Result
		stand  string
	}{
		{nil, []string{"other@example.org", "a@example.com"}, Permanent, "other FAILED 530, a DELIVERED"},
		{nil, []string{"other@example.org", "later@example.com"}, Retry, "other FAILED 530, later PENDING 450"},
		{nil, []string{"other@example.org"}, ChannelBroken, "other FAILED 530"},
		{[]models.RecipientOutcome{{Address: "a@example.com", Status: models.Delivered}}, []string{"other@example.org", "a@example.com"}, Permanent,
			"other FAILED 530, a DELIVERED"},
	} {
		o := tell(t, settings, c.before, c.people...)
		if got := standing(o.Recipients); o.Result != c.want || o.StatusCode == 0 || got != c.stand {
			t.Errorf("%v: outcome %+v, %s", c.people, o, got)
		}
	}
}

// Addresses in quotes, which a mail program may give, reach the server in quotes: else it refuses them, or takes a part for
// another address.
func TestEmail_QuotedAddresses(t *testing.T) {
	server, settings := mailServer(t, testkit.MailOptions{Encryption: testkit.NoTLS})
	for _, address := range []string{`"on call"@example.com`, `"a@b"@example.com`, `"x> SIZE=1"@example.com`, `"q\"u"@example.com`} {
		tell(t, settings, nil, address)
		if !strings.Contains(string(server.Wire()), "RCPT TO:<"+address+">\r\n") {
			t.Errorf("%s: %q", address, server.Wire())
		}
	}
}

// A server that looks at each address for long would take the whole time of every attempt, and nobody ever had the mail.
func TestEmail_SlowWithEachAddress(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var pauses atomic.Int64 // the clock goes on by them, so that nobody waits
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go slowMail(c, func() { pauses.Add(int64(ample / 10)) })
		}
	}()
	e := NewEmail(MailSettings{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, From: "a@example.com"}).(*email)
	e.now = func() time.Time { return time.Now().Add(time.Duration(pauses.Load())) }
	var people []string
	for i := range 12 {
		people = append(people, fmt.Sprintf("person%d@example.com", i))
	}
	attempt := func(before []models.RecipientOutcome) Outcome {
		pauses.Store(0)
		ctx, cancel := context.WithTimeout(t.Context(), ample)
		defer cancel()
		return e.Send(ctx, Notification{Key: "k", Alert: testAlert(), Recipients: before, Config: &models.EmailConfig{Recipients: people}})
	}
	o := attempt(nil)
	if first := strings.Count(standing(o.Recipients), "DELIVERED"); o.Result != Retry || o.Channel != SignWorks || first == 0 || first > 6 {
		t.Fatalf("first %+v", o)
	}
	for range 12 {
		if o.Result == Retry {
			o = attempt(o.Recipients)
		}
	}
	if o.Result != Delivered {
		t.Errorf("in the end %+v", o)
	}
}

// slowMail is a mail server that takes everything, and each recipient after a pause.
func slowMail(c net.Conn, pause func()) {
	defer c.Close()
	in := textproto.NewConn(c)
	_ = in.PrintfLine("220 x")
	for {
		line, err := in.ReadLine()
		if err != nil {
			return
		}
		switch {
		case strings.HasPrefix(line, "RCPT"):
			pause()
		case line == "DATA":
			_ = in.PrintfLine("354 go on")
			_, _ = in.ReadDotBytes()
		}
		_ = in.PrintfLine("250 ok")
	}
}
