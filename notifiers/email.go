package notifiers

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"net/mail"
	"net/textproto"
	"os"
	"strconv"
	"strings"
	"time"

	simplemail "github.com/xhit/go-simple-mail/v2"

	"github.com/rustbucket/alerts/models"
)

// MailSettings is the mail server that every email channel sends through. The comments name the variables they come from.
type MailSettings struct {
	Host     string         // EMAIL_HOST; empty = there is no mail
	Port     int            // EMAIL_PORT; 0 = 587
	UseTLS   bool           // EMAIL_USE_TLS: STARTTLS, and nothing is sent to a server that does not offer it
	UseSSL   bool           // EMAIL_USE_SSL: TLS from the first byte; not together with UseTLS
	User     string         // EMAIL_HOST_USER; empty = no login
	Password string         // EMAIL_HOST_PASSWORD
	Timeout  time.Duration  // EMAIL_TIMEOUT: of one attempt, within the deadline of its context; 0 = that alone
	From     string         // DEFAULT_FROM_EMAIL, as a@example.com or Name <a@example.com>; empty = User
	RootCAs  *x509.CertPool // whom to trust; nil = the system's
	// PublicURL is PUBLIC_URL, see Settings, which sets it.
	PublicURL string
}

// email sends alerts as mail, one message to all recipients of a channel, over a new connection each.
type email struct {
	settings MailSettings
	from     *mail.Address
	broken   string // why nothing can be sent, "" when it can
	helo     string
	now      func() time.Time
	html     *template.Template
}

// NewEmail gives the notifier for mail. With settings that cannot work it says so in the Outcome of every Send: the rest
// of the server is of use without mail.
func NewEmail(s MailSettings) Notifier {
	if s.Port == 0 {
		s.Port = 587
	}
	if s.From == "" {
		s.From = s.User
	}
	e := &email{settings: s, helo: heloName(), now: time.Now, html: mailTemplates()}
	from, err := mail.ParseAddress(s.From)
	switch {
	case s.Host == "":
		e.broken = "mail is not set up: set EMAIL_HOST and DEFAULT_FROM_EMAIL"
	case s.UseTLS && s.UseSSL:
		e.broken = "mail is not set up: EMAIL_USE_TLS and EMAIL_USE_SSL are both True; set one of them to False"
	case err != nil || strings.ContainsAny(s.From, "\r\n"):
		e.broken = fmt.Sprintf("mail is not set up: DEFAULT_FROM_EMAIL is %q; set it to an address such as alerts@example.com", s.From)
	}
	e.from = from
	return e
}

// Send needs a login only where User is set. One message goes to every recipient of the channel who does not have it yet and was
// not refused for good; the Outcome says how each of them stands.
func (e *email) Send(ctx context.Context, n Notification) Outcome {
	if e.broken != "" {
		// Not ChannelBroken: it is not the channel that needs mending.
		return Outcome{Result: Permanent, Error: e.broken}
	}
	config := n.Config.(*models.EmailConfig)
	if e.settings.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, e.settings.Timeout)
		defer cancel()
	}
	to, err := newRecipients(config.Recipients, n.Recipients)
	if err != nil {
		return Outcome{Result: ChannelBroken, Error: "cannot write the mail: " + err.Error()}
	}
	if to.waiting() == 0 { // those who were left are no longer named
		o := to.outcome()
		o.Channel = SignNone
		return o
	}
	message, err := e.compose(n, config.Recipients)
	if err != nil {
		return Outcome{Result: ChannelBroken, Error: err.Error(), Recipients: to.all()}
	}
	conn, err := dialMail(ctx, e.settings, e.helo)
	if err != nil {
		return to.failed(e.judge(ctx, err, nil))
	}
	defer conn.Close()
	// The library's own time limits leave its goroutines behind. A deadline in the past ends whatever it waits for.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()

	server := simplemail.NewSMTPClient()
	server.CustomConn, server.Encryption = conn, simplemail.EncryptionNone // the connection is encrypted already
	server.Host, server.Port, server.Helo = e.settings.Host, e.settings.Port, e.helo
	server.Username, server.Password = e.settings.User, e.settings.Password
	server.ConnectTimeout, server.SendTimeout = 0, 0
	if _, err := server.Connect(); err != nil {
		return to.failed(e.judge(ctx, err, conn))
	}
	if err := e.transfer(ctx, conn, message, to); err != nil {
		return to.failed(e.judge(ctx, err, conn))
	}
	return to.outcome()
}

// judge turns an error of a session into an Outcome. conn is nil when there is no session yet.
func (e *email) judge(ctx context.Context, err error, conn *mailConn) Outcome {
	stage, response := "", ""
	if conn != nil {
		stage, response = conn.stage(), e.redact(conn.reply())
	}
	if reply, ok := asReply(err); ok {
		if !strings.HasPrefix(response, strconv.Itoa(reply.Code)) {
			// There was more talk after it: the library says goodbye when a login fails.
			response = e.redact(fmt.Sprintf("%d %s", reply.Code, reply.Msg))
		}
		return Outcome{
			Result:     judgeReply(reply, stage),
			StatusCode: reply.Code,
			Error:      cutRunes(e.redact("the mail server answered "+replyText(reply)), maxErrorRunes),
			Response:   response,
		}
	}
	var noTLS *noTLSError
	var text string
	switch {
	case errors.As(err, &noTLS):
		// Kept for later rather than given up: somebody in between may have taken the offer out, for now.
		text = noTLS.Error()
	case conn != nil && conn.isOverrun():
		text = "the mail server sent more than it should"
	case strings.Contains(err.Error(), "on determining auth type"):
		return Outcome{Result: ChannelBroken, Response: response,
			Error: "the mail server offers no login that is known here (PLAIN, LOGIN, CRAM-MD5): check EMAIL_HOST and EMAIL_PORT"}
	default:
		text = "mail server " + e.settings.Host + ": " + describe(ctx, err)
	}
	return Outcome{Result: Retry, Error: cutRunes(e.redact(text), maxErrorRunes), Response: response}
}

// redact takes the login out of what the server said.
func (e *email) redact(text string) string {
	var r redactor
	r.add(e.settings.Password)
	r.add(base64.StdEncoding.EncodeToString([]byte(e.settings.Password)))
	r.add(base64.StdEncoding.EncodeToString([]byte("\x00" + e.settings.User + "\x00" + e.settings.Password)))
	return strings.TrimSpace(clean(text, false, r.sorted()))
}

// asReply finds the server's reply in an error.
func asReply(err error) (*textproto.Error, bool) {
	var reply *textproto.Error
	ok := errors.As(err, &reply)
	return reply, ok
}

// heloName is how the client introduces itself: the host's name where it has a usable one.
func heloName() string {
	name, err := os.Hostname()
	if err != nil || name == "" || strings.ContainsFunc(name, func(r rune) bool { return r != '.' && r != '-' && !isPlain(r) }) {
		return "localhost"
	}
	return name
}
