package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"
)

// Bounds of the waiting.
const (
	warmUp        = 100              // alerts before those whose latency is measured
	progressEvery = 2 * time.Second  // between two lines that say how far it is
	stallTimeout  = 30 * time.Second // without any arrival: what has not arrived by then is lost
	lookEvery     = 5 * time.Millisecond
)

// bench is what all measurements share.
type bench struct {
	options
	receiver *receiver
	binary   string
}

// under is what one measurement works with: an empty database and a fresh server on it.
type under struct {
	*bench
	what     string // for the progress lines
	server   *server
	database *database
	channel  string // is told about alerts of alertType, by the bench's own receiver
	ledger   *ledger
}

// measure makes all measurements. The report is nil when there was nothing to report; with an error it has what was
// measured before.
func measure(ctx context.Context, o options) (*report, error) {
	folder, err := os.MkdirTemp("", "alerts-bench-build-")
	if err != nil {
		return nil, fmt.Errorf("making a folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(folder) }()
	b := &bench{options: o, binary: o.server}
	if b.binary == "" {
		say("building the server")
		if b.binary, err = buildServer(ctx, folder); err != nil {
			return nil, err
		}
	}
	if b.receiver, err = startReceiver(); err != nil {
		return nil, err
	}
	defer b.receiver.close()
	r := &report{options: o}
	if r.sync, err = syncTime(o.dir); err != nil {
		return nil, err
	}
	if r.straight, err = b.straight(ctx); err != nil {
		return nil, err
	}
	for _, kind := range o.databases {
		result, err := b.on(ctx, kind)
		r.results = append(r.results, result)
		if err != nil {
			return r, fmt.Errorf("on %s: %w", kind, err)
		}
	}
	return r, nil
}

// on makes the measurements on one database. A measurement that fails does not keep the others from being made.
func (b *bench) on(ctx context.Context, kind string) (_ result, err error) {
	d, err := openDatabase(ctx, kind, b.dir)
	if err != nil {
		return result{database: kind}, err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	res := result{database: d.name, version: d.version}
	for _, m := range []struct {
		name   string
		alerts int
		run    func(context.Context, *under, *result) error
	}{
		{latency, warmUp + b.single, latencyOf},
		{throughput, b.alerts, throughputOf},
		{fanout, maxProbes + pacedEvents + b.events, fanoutOf},
		{neighbours, warmUp + 3*b.steady, neighboursOf},
		{retries, b.retried, retriesOf},
		{backlog, b.waiting, backlogOf},
		{floods, warmUp + 6*floodFor, floodsOf},
	} {
		if !slices.Contains(b.only, m.name) {
			continue
		}
		if e := b.once(ctx, d, m.name, m.alerts, &res, m.run); e != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", m.name, e))
			if ctx.Err() != nil {
				break
			}
		}
	}
	return res, err
}

// once makes one measurement.
func (b *bench) once(ctx context.Context, d *database, name string, alerts int, res *result, run func(context.Context, *under, *result) error) (err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, b.timeout, fmt.Errorf("it took longer than -timeout=%v", b.timeout))
	defer cancel()
	url, err := d.create(ctx)
	if err != nil {
		return err
	}
	s, err := startServer(ctx, b.binary, b.dir, url)
	if err != nil {
		return err
	}
	defer func() {
		if n, first := s.warnings(); n > 0 {
			res.warnings += n
			say("%s on %s: the server logged %d warnings; the first: %s", name, d.name, n, first)
		}
		err = errors.Join(err, s.stop())
	}()
	channel, err := s.createChannel(ctx, "bench", b.receiver.url(), alertType)
	if err != nil {
		return err
	}
	u := &under{bench: b, what: name + " on " + d.name, server: s, database: d, channel: channel, ledger: newLedger(alerts)}
	b.receiver.note(u.ledger, nil)
	return run(ctx, u, res)
}

// load makes callers of createAlert.
func (u *under) load(callers int) load {
	return load{addr: u.server.addr, path: "/graphql", token: u.server.token, kind: alertType, notify: true, callers: callers, accept: alertCreated}
}

// cpu is CPU time spent.
type cpu struct{ server, database, bench time.Duration }

func (u *under) cpu() cpu {
	return cpu{server: cpuOf(u.server.pid()), database: u.database.cpu(), bench: cpuOf(os.Getpid())}
}

func (c cpu) since(before cpu) cpu {
	return cpu{c.server - before.server, c.database - before.database, c.bench - before.bench}
}

// await waits until so many have come, or until nothing has come for stallTimeout. It returns the context's cause when the
// time is over; what is missing then is for the caller to find.
func await(ctx context.Context, count func() int64, want int64) error {
	seen, since := count(), time.Now()
	for seen < want {
		if err := sleep(ctx, lookEvery); err != nil {
			return err
		}
		if now := count(); now != seen {
			seen, since = now, time.Now()
		} else if time.Since(since) > stallTimeout {
			return nil
		}
	}
	return nil
}

// sleep waits, and returns the context's cause when the time is over before.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// progress says every now and then how far it is, until it is stopped; that may be done twice.
func progress(what string, how func() string) (stop func()) {
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(progressEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				say("%s: %s", what, how())
			case <-end:
				return
			}
		}
	}()
	return sync.OnceFunc(func() { close(end); <-ended })
}

// say writes a line about what is going on, on standard error: standard output is for the table.
func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s  %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}
