package testkit

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"math/big"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// MailEncryption is how a MailServer encrypts.
type MailEncryption int

// The ways to encrypt. The certificate is made at the start; MailServer.RootCAs trusts it.
const (
	StartTLS    MailEncryption = iota // offered, and AUTH only after it
	ImplicitTLS                       // from the first byte
	NoTLS                             // none, and AUTH in clear
)

// Stage is a point in an SMTP session at which a MailServer can be told to misbehave.
type Stage string

// The stages, in the order of a session.
const (
	AtGreeting Stage = "greeting" // connected, nothing said
	AtHello    Stage = "EHLO"     // not with StartTLS, whose EHLO comes twice: both
	AtAuth     Stage = "AUTH"
	AtMail     Stage = "MAIL"
	AtRcpt     Stage = "RCPT"
	AtData     Stage = "DATA" // the message was read, nothing answered
)

// MailOptions is what a MailServer is from its start. The zero value offers STARTTLS, wants no login and takes everything.
type MailOptions struct {
	Encryption MailEncryption
	Users      map[string]string // name to password; with any, a login is required
	Mechanisms []string          // of PLAIN and LOGIN; nil = both
}

// Mail is a message that was taken.
type Mail struct {
	From string
	To   []string
	User string // who was logged in
	TLS  bool
	Data []byte // header and body
}

// MailServer is an SMTP server that keeps what it is sent. Its methods may be called at any time, by several goroutines.
type MailServer struct {
	Host    string // 127.0.0.1, which the certificate is for
	Port    int
	RootCAs *x509.CertPool

	options  MailOptions
	server   *smtp.Server
	listener net.Listener
	stopped  chan struct{}
	serving  sync.WaitGroup
	mu       sync.Mutex
	mails    []Mail
	stuck    int
	open     int
	changed  chan struct{} // closed and replaced when mails, stuck or open changes
	refusals map[string]*refusal
	asked    map[string]int
	replies  map[Stage]*smtp.SMTPError
	hang     Stage
	drop     Stage
	wire     bytes.Buffer
	sessions int
}

// StartMailServer starts one on a free port of 127.0.0.1. Close ends it.
func StartMailServer(options MailOptions) (*MailServer, error) {
	certificate, pool, err := selfSigned()
	if err != nil {
		return nil, fmt.Errorf("making a certificate: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for mail: %w", err)
	}
	m := &MailServer{
		Host: "127.0.0.1", Port: listener.Addr().(*net.TCPAddr).Port, RootCAs: pool,
		options: options, stopped: make(chan struct{}), changed: make(chan struct{}),
		refusals: map[string]*refusal{}, asked: map[string]int{}, replies: map[Stage]*smtp.SMTPError{},
	}
	m.server = smtp.NewServer(smtp.BackendFunc(m.newSession))
	m.server.Domain = "mail.example.com"
	m.server.ErrorLog = log.New(io.Discard, "", 0)
	m.server.AllowInsecureAuth = options.Encryption == NoTLS
	m.server.MaxMessageBytes = 1 << 20
	config := &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	m.listener = listener // closed by Close, too: the server knows it only once it serves
	listener = &tappedListener{listener, m}
	switch options.Encryption {
	case StartTLS:
		m.server.TLSConfig = config
	case ImplicitTLS:
		listener = tls.NewListener(listener, config)
	}
	m.serving.Go(func() { _ = m.server.Serve(listener) })
	return m, nil
}

// Close stops the server and cuts its connections off.
func (m *MailServer) Close() {
	m.mu.Lock()
	select {
	case <-m.stopped:
	default:
		close(m.stopped)
	}
	m.mu.Unlock()
	_ = m.server.Close()
	_ = m.listener.Close()
	m.serving.Wait()
}

// Refuse answers every RCPT for this address with the code (such as 550), the enhanced code (such as 5.1.1) and a text.
func (m *MailServer) Refuse(recipient string, code int, enhanced [3]int, text string) {
	m.RefuseTimes(recipient, math.MaxInt, code, enhanced, text)
}

// RefuseTimes is Refuse for so many RCPTs to come; then the address is taken. 0 ends a refusal.
func (m *MailServer) RefuseTimes(recipient string, times int, code int, enhanced [3]int, text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refusals[strings.ToLower(recipient)] = &refusal{times, &smtp.SMTPError{Code: code, EnhancedCode: enhanced, Message: text}}
}

// refusal is what an address is answered, and how many times more.
type refusal struct {
	times int
	reply *smtp.SMTPError
}

// Reply answers at this stage with this instead of going on; at AtGreeting only where the greeting is in clear.
func (m *MailServer) Reply(at Stage, code int, enhanced [3]int, text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.replies[at] = &smtp.SMTPError{Code: code, EnhancedCode: enhanced, Message: text}
}

// Hang makes sessions stop for ever at this stage, until the server is closed; "" ends it for sessions to come.
func (m *MailServer) Hang(at Stage) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hang = at
}

// Drop makes the server close the connection at this stage; "" ends it.
func (m *MailServer) Drop(at Stage) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.drop = at
}

// Mails gives what was taken so far, in order.
func (m *MailServer) Mails() []Mail {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.mails)
}

// Wait returns as soon as so many mails were taken, or with the context's error.
func (m *MailServer) Wait(ctx context.Context, count int) ([]Mail, error) {
	err := m.until(ctx, func() bool { return len(m.mails) >= count })
	return m.Mails(), err
}

// WaitStuck returns as soon as so many sessions hang where Hang told them to, or with the context's error.
func (m *MailServer) WaitStuck(ctx context.Context, count int) error {
	return m.until(ctx, func() bool { return m.stuck >= count })
}

// WaitClosed returns as soon as no connection is open, or with the context's error.
func (m *MailServer) WaitClosed(ctx context.Context) error {
	return m.until(ctx, func() bool { return m.open == 0 })
}

// until waits for a condition, which is asked while mu is held.
func (m *MailServer) until(ctx context.Context, ok func() bool) error {
	for {
		m.mu.Lock()
		done, changed := ok(), m.changed
		state := fmt.Sprintf("%d mails, %d sessions hanging, %d connections open", len(m.mails), m.stuck, m.open)
		m.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("waiting for the mail server (%s): %w", state, ctx.Err())
		}
	}
}

// wake wakes whoever waits. The caller holds mu.
func (m *MailServer) wake() {
	close(m.changed)
	m.changed = make(chan struct{})
}

// Wire gives what clients sent, as it went over the wire: of an encrypted session only what came before the encryption
// can be read. At most the first 64 KiB are kept.
func (m *MailServer) Wire() []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return bytes.Clone(m.wire.Bytes())
}

// Asked is how many RCPTs there were for an address, whatever they were answered.
func (m *MailServer) Asked(recipient string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.asked[strings.ToLower(recipient)]
}

// Taken gives how many mails were taken for each address, in lower case.
func (m *MailServer) Taken() map[string]int {
	taken := make(map[string]int)
	for _, mail := range m.Mails() {
		for _, to := range mail.To {
			taken[strings.ToLower(to)]++
		}
	}
	return taken
}

// Connections is how many connections were accepted.
func (m *MailServer) Connections() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sessions
}

// misbehave does what the server was told to do at this stage. The error is the reply to give.
func (m *MailServer) misbehave(at Stage, conn net.Conn) error {
	m.mu.Lock()
	hang, drop, reply := m.hang == at, m.drop == at, m.replies[at]
	m.mu.Unlock()
	switch {
	case hang:
		m.mu.Lock()
		m.stuck++
		m.wake()
		m.mu.Unlock()
		<-m.stopped
		return io.EOF
	case drop:
		_ = conn.Close()
		return io.EOF
	case reply != nil:
		return reply
	}
	return nil
}

func (m *MailServer) newSession(c *smtp.Conn) (smtp.Session, error) {
	if err := m.misbehave(AtHello, c.Conn()); err != nil {
		return nil, err
	}
	_, encrypted := c.TLSConnectionState()
	return &mailSession{server: m, conn: c.Conn(), mail: Mail{TLS: encrypted}}, nil
}

type mailSession struct {
	server *MailServer
	conn   net.Conn
	user   string
	mail   Mail
}

func (s *mailSession) AuthMechanisms() []string {
	switch {
	case len(s.server.options.Users) == 0:
		return nil
	case s.server.options.Mechanisms != nil:
		return s.server.options.Mechanisms
	}
	return []string{sasl.Plain, sasl.Login}
}

func (s *mailSession) Auth(mechanism string) (sasl.Server, error) {
	if err := s.server.misbehave(AtAuth, s.conn); err != nil {
		return nil, err
	}
	check := func(user, password string) error {
		if want, ok := s.server.options.Users[user]; !ok || want != password {
			return smtp.ErrAuthFailed
		}
		s.user = user
		return nil
	}
	switch mechanism {
	case sasl.Plain:
		return sasl.NewPlainServer(func(_, user, password string) error { return check(user, password) }), nil
	case sasl.Login:
		return &loginServer{check: check}, nil
	}
	return nil, smtp.ErrAuthUnknownMechanism
}

func (s *mailSession) Mail(from string, _ *smtp.MailOptions) error {
	if len(s.server.options.Users) > 0 && s.user == "" {
		return &smtp.SMTPError{Code: 530, EnhancedCode: smtp.EnhancedCode{5, 7, 0}, Message: "Authentication required"}
	}
	s.mail.From, s.mail.User = from, s.user
	return s.server.misbehave(AtMail, s.conn)
}

func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.server.mu.Lock()
	s.server.asked[strings.ToLower(to)]++
	refused := s.server.refusals[strings.ToLower(to)]
	if refused != nil && refused.times > 0 {
		refused.times--
		s.server.mu.Unlock()
		return refused.reply
	}
	s.server.mu.Unlock()
	s.mail.To = append(s.mail.To, to)
	return s.server.misbehave(AtRcpt, s.conn)
}

func (s *mailSession) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if err := s.server.misbehave(AtData, s.conn); err != nil {
		return err
	}
	mail := s.mail
	mail.To, mail.Data = slices.Clone(mail.To), data
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.mails = append(s.server.mails, mail)
	s.server.wake()
	return nil
}

func (s *mailSession) Reset()        { s.mail = Mail{TLS: s.mail.TLS} }
func (s *mailSession) Logout() error { return nil }

// loginServer is the server's side of AUTH LOGIN, which go-sasl leaves out.
type loginServer struct {
	check func(user, password string) error
	user  *string
	asked bool
}

func (l *loginServer) Next(response []byte) (challenge []byte, done bool, err error) {
	switch {
	case response == nil && !l.asked:
		l.asked = true
		return []byte("Username:"), false, nil
	case l.user == nil:
		user := string(response)
		l.user = &user
		return []byte("Password:"), false, nil
	}
	if err := l.check(*l.user, string(response)); err != nil {
		return nil, false, err
	}
	return nil, true, nil
}

// tappedListener counts the connections and keeps what comes in over them.
type tappedListener struct {
	net.Listener
	server *MailServer
}

func (l *tappedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.server.mu.Lock()
	l.server.sessions++
	l.server.open++
	l.server.mu.Unlock()
	return &tappedConn{Conn: conn, server: l.server}, nil
}

type tappedConn struct {
	net.Conn
	server *MailServer
	greet  sync.Once
	closed sync.Once
}

func (c *tappedConn) Close() error {
	c.closed.Do(func() {
		c.server.mu.Lock()
		defer c.server.mu.Unlock()
		c.server.open--
		c.server.wake()
	})
	return c.Conn.Close()
}

func (c *tappedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	if room := 64<<10 - c.server.wire.Len(); room > 0 {
		c.server.wire.Write(p[:min(n, room)])
	}
	return n, err
}

func (c *tappedConn) Write(p []byte) (int, error) {
	var err error
	c.greet.Do(func() {
		if err = c.server.misbehave(AtGreeting, c); err != nil {
			var reply *smtp.SMTPError
			if errors.As(err, &reply) {
				_, _ = fmt.Fprintf(c.Conn, "%d %s\r\n", reply.Code, reply.Message)
			}
			_ = c.Close()
			err = errors.New("told not to greet")
		}
	})
	if err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// selfSigned makes a certificate for 127.0.0.1 and localhost that is its own authority.
func selfSigned() (tls.Certificate, *x509.CertPool, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail.example.com"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, IsCA: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, pool, nil
}
