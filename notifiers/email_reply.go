package notifiers

import (
	"fmt"
	"net/textproto"
	"strings"
)

// refusal is one recipient that the server did not take.
type refusal struct {
	recipient string
	reply     *textproto.Error
	text      string // the reply as it came, without secrets
}

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

// allRefused is the Outcome when no recipient was taken, and so nothing was sent: as long as one of them may be taken
// later, it is worth trying again.
func allRefused(refused []refusal) Outcome {
	worst := refused[0]
	result := Permanent
	for _, r := range refused {
		switch judgeReply(r.reply, "RCPT") {
		case Retry:
			worst, result = r, Retry
		case ChannelBroken:
			if result == Permanent {
				worst, result = r, ChannelBroken
			}
		}
	}
	return Outcome{
		Result:     result,
		StatusCode: worst.reply.Code,
		Error:      "the mail server took no recipient: " + refusalText(refused),
		Response:   joinReplies(refused),
	}
}

// refusalText names the recipients and what was said about them, for at most five of them.
func refusalText(refused []refusal) string {
	var b strings.Builder
	for i, r := range refused {
		if i == 5 {
			fmt.Fprintf(&b, " and %d more", len(refused)-i)
			break
		}
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(r.recipient + ": " + cutRunes(r.text, 200))
	}
	return oneLine(b.String())
}

func joinReplies(refused []refusal) string {
	texts := make([]string, len(refused))
	for i, r := range refused {
		texts[i] = r.text
	}
	return strings.Join(texts, "\n")
}

func replyText(reply *textproto.Error) string {
	return fmt.Sprintf("%d %s", reply.Code, oneLine(reply.Msg))
}
