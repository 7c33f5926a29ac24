package notifiers

import (
	"context"
	"fmt"
	"net/mail"
	"net/textproto"
	"strings"
	"time"

	"github.com/rustbucket/alerts/models"
)

// transfer offers the message to every recipient who waits for it, and sends it when at least one is taken. The library stops at the
// first recipient that is refused, so this part of the session is our own. An error is about the session or the message; what the
// server says of one recipient goes to that one. A server that is slow with each address has half of the time for them, so that those
// whom it took get the message.
func (e *email) transfer(ctx context.Context, conn *mailConn, message string, to *recipients) error {
	text := textproto.NewConn(conn)
	if _, err := command(text, 250, e.mailCommand(conn, message, to)); err != nil {
		return err
	}
	var taken []int
	var login error // wanted for an address
	late := halfTime(ctx, e.now())
	for i := range to.list {
		r := &to.list[i]
		if !r.waits() {
			continue
		}
		if len(taken) > 0 && e.now().After(late) {
			break // the next attempt is for the others
		}
		_, err := command(text, 25, "RCPT TO:"+mailPath(r.Address))
		reply, refused := asReply(err)
		switch {
		case err == nil:
			taken = append(taken, i)
			continue
		case !refused || reply.Code == 421: // the server hangs up
			return err
		case judgeReply(reply, "RCPT") == ChannelBroken:
			login = err
		}
		to.refuse(i, reply, e.redact(conn.reply()))
	}
	switch {
	case len(taken) > 0:
	case len(to.with(models.Delivered))+len(to.with(models.Pending)) == 0: // a relay may want a login for the addresses of others alone
		return login
	default:
		return nil // nothing was sent, and nothing is left to say
	}
	if _, err := command(text, 354, "DATA"); err != nil {
		return err
	}
	w := text.DotWriter()
	if _, err := w.Write([]byte(message)); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	if _, _, err := text.ReadResponse(250); err != nil {
		return err
	}
	to.take(taken, e.redact(conn.reply()))
	// Politeness only: the message is taken, so nothing waits for the answer.
	_, _ = conn.Write([]byte("QUIT\r\n"))
	return nil
}

// mailCommand begins a message. Its size lets the server refuse it before it is sent; that addresses are not in ASCII is said
// only when some are not, for the next server on the way may know nothing of it.
func (e *email) mailCommand(conn *mailConn, message string, to *recipients) string {
	line := "MAIL FROM:" + mailPath(e.from.Address)
	if conn.offer("SIZE") {
		line += fmt.Sprintf(" SIZE=%d", len(message))
	}
	addresses := e.from.Address
	for _, r := range to.list {
		addresses += r.Address
	}
	if conn.offer("SMTPUTF8") && strings.ContainsFunc(addresses, func(r rune) bool { return r > 0x7f }) {
		line += " SMTPUTF8"
	}
	return line
}

// mailPath writes an address as SMTP has it: some have quotes, which parsing took off.
func mailPath(address string) string { return (&mail.Address{Address: address}).String() }

// halfTime is when half of the time that is left has gone by.
func halfTime(ctx context.Context, now time.Time) time.Time {
	if end, ok := ctx.Deadline(); ok {
		return now.Add(end.Sub(now) / 2)
	}
	return now.Add(24 * time.Hour)
}
