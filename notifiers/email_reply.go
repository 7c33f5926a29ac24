package notifiers

import (
	"fmt"
	"net/textproto"
	"strings"
)

// judgeReply says what a reply other than success means, given the command that it answers; "" is the greeting.
func judgeReply(reply *textproto.Error, stage string) Result {
	switch {
	case reply.Code == 530, reply.Code == 534, reply.Code == 535:
		return ChannelBroken // the login: nothing gets through until somebody corrects it
	case reply.Code/100 == 4:
		return Retry
	case reply.Code == 552 && stage == "RCPT":
		return Retry // RFC 5321, 4.5.3.1.10: too many recipients, said the old way
	case reply.Code == 550 && strings.HasPrefix(strings.TrimSpace(reply.Msg), "5.4.5"):
		return Retry // Gmail's daily quota: clears in hours
	case reply.Code/100 != 5:
		return Retry // not a reply that belongs here: the session is out of step
	}
	switch stage {
	case "", "EHLO", "HELO", "STARTTLS":
		return Retry // about the server or this machine's address, not about this message; Postfix waits here, too
	case "AUTH", "QUIT": // the library says goodbye when a login fails
		return ChannelBroken
	}
	return Permanent
}

func replyText(reply *textproto.Error) string {
	return fmt.Sprintf("%d %s", reply.Code, oneLine(reply.Msg))
}
