package main

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rustbucket/alerts/testkit"
)

// mailbox starts a mail server, and gives the settings of a server that sends through it.
func mailbox(t *testing.T) (*testkit.MailServer, []string) {
	t.Helper()
	mail, err := testkit.StartMailServer(testkit.MailOptions{Encryption: testkit.NoTLS})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(mail.Close)
	return mail, []string{"EMAIL_HOST=" + mail.Host, "EMAIL_PORT=" + strconv.Itoa(mail.Port), "DEFAULT_FROM_EMAIL=alerts@example.com", "EMAIL_TIMEOUT=60"}
}

func emailTo(recipients ...any) map[string]any {
	return map[string]any{"email": map[string]any{"recipients": recipients}}
}

// standing gives the recipients of an alert's first delivery in words, and that delivery.
func (s *server) standing(alertID string) (string, any) {
	s.t.Helper()
	data := s.do(`query($id: ID!) { alert(id: $id) { deliveries { id status attempts error recipients { address status error statusCode } } } }`, map[string]any{"id": alertID})
	d := at(data, "alert", "deliveries", 0)
	list, _ := at(d, "recipients").([]any)
	words := make([]string, len(list))
	for i, r := range list {
		name, _, _ := strings.Cut(at(r, "address").(string), "@")
		words[i] = name + " " + at(r, "status").(string)
		if code := at(r, "statusCode"); code != nil {
			words[i] += fmt.Sprint(" ", code)
		}
	}
	return strings.Join(words, ", "), d
}

// retryUntil sends a delivery again by hand, rather than to wait for its schedule, until it has made so many attempts.
func (s *server) retryUntil(deliveryID any, attempts float64) {
	s.t.Helper()
	s.until(fmt.Sprintf("attempt %v", attempts), func() bool {
		data := s.do(`query($id: ID!) { delivery(id: $id) { attempts nextAttemptAt status } }`, map[string]any{"id": deliveryID})
		if at(data, "delivery", "attempts").(float64) >= attempts {
			return true
		}
		if at(data, "delivery", "nextAttemptAt") != nil {
			s.try(`mutation($id: ID!) { retryDelivery(id: $id) { id } }`, map[string]any{"id": deliveryID})
		}
		return false
	})
}

func TestMail_EachRecipientHasItOnceWhateverBecomesOfTheOthers(t *testing.T) {
	onBothAtOnce(t, func(t *testing.T, url string) {
		mail, settings := mailbox(t)
		mail.RefuseTimes("busy@example.com", 2, 450, [3]int{4, 2, 0}, "Greylisted")
		mail.Refuse("gone@example.com", 550, [3]int{5, 1, 1}, "No such user")
		s := startServer(t, url, settings...)
		channel := s.createChannel("mail", emailTo("good@example.com", "Busy <busy@example.com>", "gone@example.com"))
		other := newReceiver(t)
		s.createChannel("hook", webhook(other.URL), "alertTypes", []any{"other"})
		events := s.subscribe(t, `subscription { deliveryUpdated { status attempts recipients { address status } } }`, nil)

		id := s.createAlert(nil)
		s.until("the first attempt", func() bool {
			got, _ := s.standing(id)
			return got == "good DELIVERED, busy PENDING 450, gone FAILED 550"
		})
		if health := s.health(channel); health["state"] != "OK" {
			t.Errorf("a mail that some have makes the channel %v", health)
		}
		event := at(events.next(), "deliveryUpdated")
		if at(event, "recipients", 0, "status") != "DELIVERED" || at(event, "recipients", 1, "status") != "PENDING" || at(event, "recipients", 2, "status") != "FAILED" {
			t.Errorf("event %v", event)
		}
		_, d := s.standing(id)
		s.retryUntil(at(d, "id"), 3)
		got, d := s.standing(id)
		if got != "good DELIVERED, busy DELIVERED, gone FAILED 550" || at(d, "status") != "FAILED" || at(d, "attempts") != 3.0 {
			t.Errorf("in the end: %s, %v", got, d)
		}
		if text := fmt.Sprint(at(d, "error")); text != "sent to 2 of 3 recipients; refused: gone@example.com: 550 5.1.1 No such user" {
			t.Errorf("error %q", text)
		}
		want := map[string]int{"good@example.com": 1, "busy@example.com": 1}
		if taken := mail.Taken(); !maps.Equal(taken, want) || mail.Asked("gone@example.com") != 1 || mail.Asked("good@example.com") != 1 {
			t.Errorf("mails %v, and who was refused for good was asked for %d times", taken, mail.Asked("gone@example.com"))
		}
		if health := s.health(channel); health["state"] != "FAILING" || !strings.Contains(fmt.Sprint(health["lastError"]), "gone@example.com") {
			t.Errorf("health %v", health)
		}

		// Somebody mends the mailbox, and sends it again.
		mail.RefuseTimes("gone@example.com", 0, 0, [3]int{}, "")
		s.do(`mutation($id: ID!) { retryDelivery(id: $id) { id } }`, map[string]any{"id": at(d, "id")})
		s.deliveries(id)
		got, d = s.standing(id)
		want["gone@example.com"] = 1
		if got != "good DELIVERED, busy DELIVERED, gone DELIVERED" || at(d, "status") != "DELIVERED" || at(d, "error") != nil || !maps.Equal(mail.Taken(), want) {
			t.Errorf("sent again: %s, %v, mails %v", got, d, mail.Taken())
		}
		if n := len(mail.Mails()); n != 3 {
			t.Errorf("%d mails", n)
		}
		ids := map[string]bool{}
		for _, m := range mail.Mails() {
			_, after, _ := strings.Cut(string(m.Data), "Message-Id: ")
			line, _, _ := strings.Cut(after, "\r\n")
			ids[line] = true
		}
		if len(ids) != 1 {
			t.Errorf("Message-IDs %v", ids)
		}

		// Other types have none.
		hooked := s.createAlert(map[string]any{"type": "other"})
		s.deliveries(hooked)
		for _, d := range at(s.do(`query($id: ID!) { alert(id: $id) { deliveries { recipients { address } channel { type } } } }`, map[string]any{"id": hooked}), "alert", "deliveries").([]any) {
			if (at(d, "recipients") == nil) != (at(d, "channel", "type") == "WEBHOOK") {
				t.Errorf("delivery %v", d)
			}
		}
	})
}

// A restart between two attempts forgets nobody, and a list that was mended meanwhile counts.
func TestMail_RecipientsOutliveARestartAndMayChange(t *testing.T) {
	onBothAtOnce(t, func(t *testing.T, url string) {
		mail, settings := mailbox(t)
		mail.Refuse("busy@example.com", 452, [3]int{4, 2, 2}, "Mailbox full")
		s := startServer(t, url, settings...)
		channel := s.createChannel("mail", emailTo("good@example.com", "busy@example.com", "never@example.com"))
		mail.Refuse("never@example.com", 450, [3]int{4, 2, 1}, "Later")
		id := s.createAlert(nil)
		s.until("the first attempt", func() bool {
			got, _ := s.standing(id)
			return got == "good DELIVERED, busy PENDING 452, never PENDING 450"
		})
		s.stop()
		s = startServer(t, url, settings...)
		s.do(`mutation($id: ID!, $config: ChannelConfigInput!) { updateChannel(id: $id, input: {config: $config}) { id } }`,
			map[string]any{"id": channel, "config": emailTo("GOOD@example.com", "busy@example.com", "new@example.com")})
		mail.RefuseTimes("busy@example.com", 0, 0, [3]int{}, "")
		mail.RefuseTimes("never@example.com", 0, 0, [3]int{}, "")
		_, d := s.standing(id)
		s.retryUntil(at(d, "id"), 2)
		s.deliveries(id)
		got, d := s.standing(id)
		if got != "GOOD DELIVERED, busy DELIVERED, new DELIVERED" || at(d, "status") != "DELIVERED" {
			t.Errorf("%s, %v", got, d)
		}
		if taken := mail.Taken(); !maps.Equal(taken, map[string]int{"good@example.com": 1, "busy@example.com": 1, "new@example.com": 1}) {
			t.Errorf("mails %v", taken)
		}
	})
}

// A process that is killed after the server took the mail, and before that was recorded, sends it again to those: at least once. Who
// was recorded before gets nothing again.
func TestMail_WhatWasRecordedSurvivesAKill(t *testing.T) {
	t.Parallel()
	mail, settings := mailbox(t)
	p := newProcess(t, append(settings, "ADMIN_TOKEN="+testToken)...)
	p.start()
	s := p.api()
	mail.Refuse("busy@example.com", 450, [3]int{4, 2, 0}, "Greylisted")
	s.createChannel("mail", emailTo("good@example.com", "busy@example.com", "also@example.com"))
	id := s.createAlert(nil)
	s.until("the first attempt", func() bool {
		got, _ := s.standing(id)
		return got == "good DELIVERED, busy PENDING 450, also DELIVERED"
	})
	mail.Hang(testkit.AtData) // in the second attempt, with the mail in the server's hands
	mail.RefuseTimes("busy@example.com", 0, 0, [3]int{}, "")
	_, d := s.standing(id)
	s.try(`mutation($id: ID!) { retryDelivery(id: $id) { id } }`, map[string]any{"id": at(d, "id")})
	if err := mail.WaitStuck(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	_ = p.cmd.Process.Kill()
	<-p.ended
	mail.Hang("")
	p.start()
	began := time.Now()
	s.deliveries(id)
	got, d := s.standing(id)
	if got != "good DELIVERED, busy DELIVERED, also DELIVERED" || at(d, "status") != "DELIVERED" {
		t.Errorf("%s, %v", got, d)
	}
	if taken := mail.Taken(); !maps.Equal(taken, map[string]int{"good@example.com": 1, "busy@example.com": 1, "also@example.com": 1}) {
		t.Errorf("mails %v after %v", taken, time.Since(began))
	}
}

// A test of a channel names those who were refused.
func TestMail_ATestNamesWhoWasRefused(t *testing.T) {
	mail, settings := mailbox(t)
	mail.Refuse("gone@example.com", 550, [3]int{5, 1, 1}, "No such user")
	mail.Refuse("full@example.com", 452, [3]int{4, 2, 2}, "Mailbox full")
	s := startServer(t, "", settings...)
	channel := s.createChannel("mail", emailTo("good@example.com", "full@example.com", "gone@example.com"))
	data := s.do(`mutation($id: ID!) { testChannel(id: $id) { success message statusCode response } }`, map[string]any{"id": channel})
	const want = "sent to 1 of 3 recipients; not yet: full@example.com: 452 4.2.2 Mailbox full; refused: gone@example.com: 550 5.1.1 No such user"
	if r := at(data, "testChannel"); at(r, "success") != false || at(r, "message") != want || at(r, "statusCode") != 452.0 {
		t.Errorf("%v", r)
	}
}
