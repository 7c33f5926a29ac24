package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"flag"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"net/textproto"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
)

// receiveMail is a mail server for people to look at: it takes every mail, prints it and keeps nothing.
func receiveMail(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("bench mail", flag.ContinueOnError)
	addr := flags.String("addr", "127.0.0.1:2525", "address to listen on")
	raw := flags.Bool("raw", false, "print mails as they came over the wire")
	if err := flags.Parse(args); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return fmt.Errorf("starting the mail server: %w", err)
	}
	host, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return fmt.Errorf("starting the mail server: %w", err)
	}
	fmt.Fprintf(out, "Taking mail on %s. Start the server with EMAIL_HOST=%s EMAIL_PORT=%s and without EMAIL_USE_TLS and\n"+
		"EMAIL_HOST_USER. Ctrl-C ends.\n", listener.Addr(), host, port)
	p := &mailPrinter{out: out, raw: *raw}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &mailSession{printer: p}, nil }))
	server.Domain = "localhost"
	server.MaxMessageBytes = 10 << 20
	server.ReadTimeout, server.WriteTimeout = time.Minute, time.Minute
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.Serve(listener); err != nil && ctx.Err() == nil {
		return fmt.Errorf("taking mail: %w", err)
	}
	return nil
}

// mailSession is one client's. It takes whatever it is given.
type mailSession struct {
	printer *mailPrinter
	from    string
	to      []string
}

func (s *mailSession) Mail(from string, _ *smtp.MailOptions) error { s.from = from; return nil }
func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error   { s.to = append(s.to, to); return nil }
func (s *mailSession) Reset()                                      { s.from, s.to = "", nil }
func (s *mailSession) Logout() error                               { return nil }

func (s *mailSession) Data(r io.Reader) error {
	message, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.printer.print(s.from, s.to, message)
	return nil
}

// mailPrinter prints mails, one at a time.
type mailPrinter struct {
	out   io.Writer
	raw   bool
	mu    sync.Mutex
	count int
}

func (p *mailPrinter) print(from string, to []string, message []byte) {
	text := indented(string(message))
	if !p.raw {
		text = readable(message)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count++
	fmt.Fprintf(p.out, "\n#%d  %s  from %s to %s\n%s", p.count, time.Now().Format("15:04:05.000"),
		printable(from), printable(strings.Join(to, ", ")), text)
}

// readable gives a mail as a mail program shows it: the header that people look at, and the text.
func readable(message []byte) string {
	m, err := netmail.ReadMessage(bytes.NewReader(message))
	if err != nil {
		return "  (no mail as RFC 5322 has it: " + printable(err.Error()) + ")\n" + indented(string(message))
	}
	var b strings.Builder
	var words mime.WordDecoder
	for _, name := range []string{"From", "To", "Subject", "Date", "Message-Id"} {
		for _, value := range m.Header[name] {
			if decoded, err := words.DecodeHeader(value); err == nil {
				value = decoded
			}
			fmt.Fprintf(&b, "  %s: %s\n", name, printable(value))
		}
	}
	b.WriteString("\n")
	writeBody(&b, textproto.MIMEHeader(m.Header), m.Body, 0)
	return b.String()
}

// writeBody writes what is plain text, and mentions everything else.
func writeBody(b *strings.Builder, header textproto.MIMEHeader, body io.Reader, depth int) {
	kind, params, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		kind = "text/plain" // as RFC 2045 has it
	}
	if strings.HasPrefix(kind, "multipart/") && depth < 5 {
		parts := multipart.NewReader(body, params["boundary"])
		for {
			part, err := parts.NextRawPart()
			if err != nil {
				return // the end, or nothing that could be read
			}
			writeBody(b, part.Header, part, depth+1)
		}
	}
	switch strings.ToLower(header.Get("Content-Transfer-Encoding")) {
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	}
	content, err := io.ReadAll(body)
	if kind == "text/plain" {
		b.WriteString(indented(string(content)))
	} else {
		fmt.Fprintf(b, "  (and %s, %d bytes: -raw shows it)\n", printable(kind), len(content))
	}
	if err != nil {
		fmt.Fprintf(b, "  (then: %s)\n", printable(err.Error()))
	}
}
