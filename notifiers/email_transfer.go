package notifiers

import (
	"fmt"
	"net/textproto"
	"strings"
)

// transfer offers the message to every recipient who waits for it, and sends it when at least one is taken. The library stops at the
// first recipient that is refused, so this part of the session is our own. An error is about the session or the message; what the
// server says of one recipient goes to that one.
func (e *email) transfer(conn *mailConn, message string, to *recipients) error {
	text := textproto.NewConn(conn)
	if _, err := command(text, 250, e.mailCommand(conn, message, to)); err != nil {
		return err
	}
	var taken []int
	for i := range to.list {
		r := &to.list[i]
		if !r.waits() {
			continue
		}
		_, err := command(text, 25, "RCPT TO:<"+r.Address+">")
		reply, refused := asReply(err)
		switch {
		case err == nil:
			taken = append(taken, i)
		case refused && reply.Code != 421 && judgeReply(reply, "RCPT") != ChannelBroken:
			to.refuse(i, reply, e.redact(conn.reply()))
		default: // the server hangs up, or wants a login
			return err
		}
	}
	if len(taken) == 0 {
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
	line := "MAIL FROM:<" + e.from.Address + ">"
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
