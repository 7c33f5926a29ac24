// Rustbucket Alerts is a GraphQL API server that takes alerts, tells every notification channel that matches, and streams
// what becomes of each. This file wires the rooms together, starts them in order and stops them in the opposite order;
// commands.go has the other commands.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rustbucket/alerts/access"
	"github.com/rustbucket/alerts/dispatch"
	"github.com/rustbucket/alerts/export"
	"github.com/rustbucket/alerts/feed"
	"github.com/rustbucket/alerts/graph"
	"github.com/rustbucket/alerts/heartbeat"
	"github.com/rustbucket/alerts/ingest"
	"github.com/rustbucket/alerts/metrics"
	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/notifiers"
	"github.com/rustbucket/alerts/retention"
	"github.com/rustbucket/alerts/seal"
	"github.com/rustbucket/alerts/store"
	"github.com/rustbucket/alerts/tracing"
)

// version is set when a release is built (-ldflags "-X main.version=…").
var version = "dev"

// How long the parts of a graceful stop may take, beside the sends in flight, which have their own deadline.
const (
	stopRequests = 10 * time.Second
	stopStreams  = 3 * time.Second
	stopTraces   = 3 * time.Second
)

// writeTimeout is the longest time for an ordinary answer, from the request's head on; streams have a deadline for each write.
const writeTimeout = 2 * time.Minute

// serve runs the server until it is told to stop.
func serve(c config) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	listener, err := net.Listen("tcp", string(c.ListenAddr))
	if err != nil {
		return fmt.Errorf("LISTEN_ADDR=%s cannot be listened on: %w", c.ListenAddr, err)
	}
	log := newLogger(c)
	stopTracing, err := tracing.Start(version, log)
	if err != nil {
		return err
	}
	defer stopTracing(stopTraces)
	web := newFront(access.Proxies(c.TrustedProxies))
	httpServer := &http.Server{
		Handler: web, ReadHeaderTimeout: 10 * time.Second, WriteTimeout: writeTimeout, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	served := make(chan error, 1)
	if c.TLSCertFile != "" {
		shown, err := newCertificate(c.TLSCertFile, c.TLSKeyFile, log)
		if err != nil {
			return err
		}
		httpServer.TLSConfig = shown.config()
		go func() { served <- httpServer.ServeTLS(listener, "", "") }()
	} else {
		go func() { served <- httpServer.Serve(listener) }()
	}
	defer httpServer.Close()

	s, err := openStore(ctx, c, log, true)
	if err != nil {
		return err
	}
	defer s.Close()
	applied, err := s.Migrate(ctx)
	if err != nil {
		return err
	}
	doorman := access.NewDoorman(s, string(c.AdminToken), log)
	firstToken, err := doorman.FirstToken(ctx)
	if err != nil {
		return err
	}
	if !s.Shared() { // what was leased is nobody's: the process that held it is gone
		if _, err := s.ReleaseAll(ctx); err != nil {
			return err
		}
	}
	running, err := startRooms(ctx, c, s, doorman, log)
	if err != nil {
		return err
	}
	web.open(running.served, s.Ping)
	greet(listener.Addr(), c, firstToken, applied)
	if c.AdminToken.short() {
		log.Warn("ADMIN_TOKEN is shorter than 16 characters and could be guessed: make one with openssl rand -hex 32")
	}

	select {
	case err = <-served:
		err = fmt.Errorf("serving HTTP: %w", err)
	case <-ctx.Done():
		stop() // a second signal ends the process at once
		web.drain()
		if c.ShutdownDelay > 0 {
			log.Info("told to stop: not ready any more, and going on for a while", "delay", c.ShutdownDelay)
			select {
			case err = <-served:
				err = fmt.Errorf("serving HTTP: %w", err)
			case <-time.After(time.Duration(c.ShutdownDelay)):
			}
		}
		log.Info("stopping: sends in flight finish, everything else is handed over")
	}
	web.drain() // also when it could not serve any more
	running.dispatcher.Drain()
	running.streams.end()
	deadline, cancel := context.WithTimeout(context.Background(), stopRequests)
	defer cancel()
	if e := httpServer.Shutdown(deadline); e != nil {
		log.Warn("some requests did not end in time and are cut off", "error", e)
		httpServer.Close()
	}
	web.waitForCalls(stopStreams)
	running.stop()
	log.Info("stopped")
	return err
}

// rooms are the parts of the server that run.
type rooms struct {
	served map[string]http.Handler // by path
	feed   *feed.Feed

	dispatcher *dispatch.Dispatcher

	streams part // ends first: its clients come back elsewhere, or when the server is up again
	intake  part // ends when every accepted call is answered
	sender  part // ends when what was in flight is recorded
	rest    part
}

// part is something that runs until it is ended.
type part struct {
	ctx  context.Context
	end  context.CancelFunc
	runs *sync.WaitGroup
}

func newPart() part {
	ctx, end := context.WithCancel(context.Background())
	return part{ctx, end, new(sync.WaitGroup)}
}

func (p part) run(f func(ctx context.Context)) { p.runs.Go(func() { f(p.ctx) }) }

func (p part) stop() { p.end(); p.runs.Wait() }

// startRooms wires the rooms together and sets them going.
func startRooms(ctx context.Context, c config, s *store.Store, doorman *access.Doorman, log *slog.Logger) (*rooms, error) {
	directory := dispatch.NewDirectory(s, log)
	if err := directory.Refresh(ctx); err != nil {
		return nil, err
	}
	counted := metrics.New(version, log)
	dispatcher := newDispatcher(c, s, directory, counted, log)
	s.OnCancel(dispatcher.Cancelled)
	intake := dispatch.NewIntake(s, directory, dispatcher)
	heartbeats := heartbeat.New(s, dispatcher, log)
	events := feed.New(s, log)
	r := &rooms{feed: events, dispatcher: dispatcher, streams: newPart(), intake: newPart(), sender: newPart(), rest: newPart()}
	r.rest.run(directory.Run)
	r.rest.run(func(ctx context.Context) { tellOfNewer(ctx, s, newerEvery, log) })
	r.rest.run(doorman.Run)
	r.rest.run(events.Run)
	r.rest.run(func(ctx context.Context) {
		s.Listen(ctx, func(topic string) {
			switch topic {
			case store.TopicFeed:
				events.Placed()
			case store.TopicChannels:
				directory.Changed()
			}
		})
	})
	if c.Retention > 0 {
		r.rest.run(retention.New(s, time.Duration(c.Retention), log).Run)
	}
	counted.Watch(metrics.Source{
		Backlog: s.BacklogByType, Channels: directory.Healths, EventsLag: s.EventsLag, Rustbuckets: s.RustbucketStates,
		Paused:      func(context.Context) (bool, error) { return directory.Pause() != nil, nil },
		Subscribers: events.Readers, InFlight: dispatcher.InFlight,
	})
	sessions := access.NewSessions(doorman, s.Keyring(), counted.RequestRefused)
	r.sender.run(dispatcher.Run)
	r.intake.run(func(ctx context.Context) { intake.Run(context.WithoutCancel(ctx), ctx.Done()) })
	r.intake.run(func(ctx context.Context) { heartbeats.Run(context.WithoutCancel(ctx), ctx.Done()) })
	api := graph.NewHandler(
		&graph.Resolver{
			Store: s, Directory: directory, Intake: intake, Dispatcher: dispatcher, Heartbeats: heartbeats, Feed: events, Doorman: doorman, Log: log,
			PublicURL: string(c.PublicURL), Around: models.Surroundings{NoMail: c.EmailHost == ""},
		},
		graph.Options{AllowedOrigins: c.AllowedOrigins, Sessions: sessions, Metrics: counted, Crowd: access.NewCrowd(), Budget: access.NewBudget(int(c.CostPerSecond)),
			NoIntrospection: !bool(c.Introspection), Draining: r.streams.ctx},
	)
	r.served = map[string]http.Handler{
		graphqlPath: tracing.Handler(api),
		sessionPath: sessions,
		metricsPath: counted.Handler(doorman.Viewer),
		ingestPath:  tracing.Handler(ingest.NewHandler(ingest.Options{Intake: intake, Doorman: doorman, Metrics: counted, Log: log})),
		exportPath:  &export.Handler{Store: s, Doorman: doorman, Sessions: sessions, Crowd: access.NewExportCrowd(), Metrics: counted, Log: log},
	}
	return r, nil
}

func (r *rooms) stop() {
	r.streams.stop()
	r.intake.stop()
	r.sender.stop()
	r.rest.stop()
}

func newDispatcher(c config, s *store.Store, directory *dispatch.Directory, counted *metrics.Metrics, log *slog.Logger) *dispatch.Dispatcher {
	set := notifiers.NewSet(notifiers.Settings{Version: version, Egress: notifiers.NewEgress(c.EgressAllow), Mail: c.mail(), PublicURL: string(c.PublicURL)})
	return dispatch.NewDispatcher(s, directory, set, time.Duration(c.DeliveryTimeout), counted, log)
}

// openStore opens the database and the key to its secrets.
func openStore(ctx context.Context, c config, log *slog.Logger, alone bool) (*store.Store, error) {
	if err := os.MkdirAll(c.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("DATA_DIR=%s cannot be made: %w", c.DataDir, err)
	}
	key := []byte(c.SecretKey)
	if key == nil {
		var err error
		if key, err = seal.LoadOrCreateKeyFile(filepath.Join(c.DataDir, "secret.key")); err != nil {
			return nil, err
		}
	}
	keyring, err := seal.New(key, c.SecretKeyPrevious...)
	if err != nil {
		return nil, err
	}
	url := string(c.DatabaseURL)
	if path := c.sqlitePath(); path != "" {
		url = "sqlite:" + path
	}
	return store.Open(ctx, store.Options{URL: url, Keyring: keyring, Log: log, Alone: alone})
}

// greet says on standard output, all at once, where the server is found. The first token goes nowhere else.
func greet(addr net.Addr, c config, firstToken string, applied []string) {
	host := addr.String()
	if tcp, ok := addr.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		host = net.JoinHostPort("localhost", fmt.Sprint(tcp.Port))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Rustbucket Alerts %s is ready\n", version)
	s := ""
	if c.TLSCertFile != "" {
		s = "s"
	}
	fmt.Fprintf(&b, "  console      http%s://%s/\n", s, host)
	fmt.Fprintf(&b, "  playground   http%s://%s/playground\n", s, host)
	fmt.Fprintf(&b, "  API          http%s://%s/graphql and ws%s://%s/graphql\n", s, host, s, host)
	database := "PostgreSQL"
	if path := c.sqlitePath(); path != "" {
		database = "SQLite at " + path
	}
	if len(applied) > 0 {
		database += ", brought up to date"
	}
	fmt.Fprintf(&b, "  database     %s\n", database)
	if firstToken != "" {
		fmt.Fprintf(&b, "  admin token  %s   (shown this once: keep it)\n", firstToken)
	}
	fmt.Print(b.String())
}

func newLogger(c config) *slog.Logger {
	options := &slog.HandlerOptions{Level: slog.Level(c.LogLevel)}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, options))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, options))
}

// mail gives the settings of outgoing mail.
func (c config) mail() notifiers.MailSettings {
	return notifiers.MailSettings{
		Host: string(c.EmailHost), Port: int(c.EmailPort), UseTLS: bool(c.EmailUseTLS), UseSSL: bool(c.EmailUseSSL),
		User: c.EmailHostUser, Password: string(c.EmailHostPassword), Timeout: time.Duration(c.EmailTimeout),
		From: c.DefaultFromEmail.String(),
	}
}

// gcPercent trades memory for time: measured on PostgreSQL with 32 callers, 4,700 alerts/s at Go's own 100 and 5,200 at
// 400, where the server has 45 MB resident instead of 33. GOGC in the environment wins.
const gcPercent = 400

func main() {
	// The HTTP client writes what a receiver sends unasked to the standard log, secrets that it echoes included. Ours is slog.
	stdlog.SetOutput(io.Discard)
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if err := run(os.Args[1:]); err != nil {
		if !errors.Is(err, errTold) {
			fmt.Fprintln(os.Stderr, "rustbucket-alerts: "+oneLine(err.Error()))
		}
		os.Exit(1)
	}
}
