// Command bench measures the whole way of an alert: a load generator calls createAlert, a server process of its own stores
// the alert and tells a webhook channel, and a receiver in this process takes the notification. It runs over SQLite and
// over a real PostgreSQL whose commits are as durable as a user's, and compares everything with what the same generator
// and receiver reach without a server between them. It also measures what goes wrong: bad channels beside a good one,
// attempts that are refused, and a backlog.
//
//	go run ./bench            measure
//	go run ./bench receive    a receiver that prints every webhook it gets
//	go run ./bench mail       a mail server that prints every mail it gets
//
// It promises: every acknowledged alert is looked for at the receiver, and the exit status is 1 when one did not arrive,
// or when one for a bad channel is not on record; the number of alerts and the time are bounded. No figure makes it fail:
// a slow machine is no fault.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

const usage = `Usage: go run ./bench [flags]           measure the server
       go run ./bench receive [flags]   print every webhook that comes in
       go run ./bench mail [flags]      print every mail that comes in

Flags of the measurement:
`

// The measurements, in their order.
const (
	latency    = "latency"
	throughput = "throughput"
	fanout     = "fanout"
	neighbours = "neighbours"
	retries    = "retries"
	backlog    = "backlog"
	floods     = "floods"
)

var measurements = []string{latency, throughput, fanout, neighbours, retries, backlog, floods}

// options say what to measure.
type options struct {
	databases   []string
	only        []string
	single      int // alerts of the one caller
	alerts      int // alerts of all callers together
	callers     int
	subscribers int
	events      int // alerts that are fanned out
	steady      int // alerts at a steady pace, in each part of the measurement of neighbours
	waiting     int // deliveries that wait: on a neighbour, and as the backlog
	retried     int // alerts of the measurement of retries
	markdown    bool
	server      string
	dir         string
	timeout     time.Duration
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case "receive":
			return receive(ctx, args[1:], os.Stdout)
		case "mail":
			return receiveMail(ctx, args[1:], os.Stdout)
		}
	}
	o, err := parseOptions(args, os.Stderr)
	if err != nil {
		return err
	}
	r, err := measure(ctx, o)
	if r != nil {
		r.print(os.Stdout, o.markdown) // what was measured before something failed is worth seeing
	}
	return err
}

func parseOptions(args []string, out io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.Usage = func() {
		fmt.Fprint(out, usage)
		flags.PrintDefaults()
	}
	databases := flags.String("db", "sqlite,postgres", "databases to measure, comma-separated")
	only := flags.String("only", strings.Join(measurements, ","), "measurements to make, comma-separated")
	flags.IntVar(&o.single, "single", 500, "alerts of the one caller whose latency is measured")
	flags.IntVar(&o.alerts, "alerts", 20_000, "alerts of the measurement of throughput")
	flags.IntVar(&o.callers, "callers", 32, "callers of the measurement of throughput")
	flags.IntVar(&o.subscribers, "subscribers", 100, "subscribers of the fan-out")
	flags.IntVar(&o.events, "events", 2_000, "alerts that are fanned out to every subscriber")
	flags.IntVar(&o.steady, "steady", 1_500, "alerts at a steady pace, without bad neighbours, with them and without them again")
	flags.IntVar(&o.waiting, "waiting", 100_000, "deliveries that wait: on a bad neighbour, and in the backlog that is worked off")
	flags.IntVar(&o.retried, "retried", 2_000, "alerts of the measurement of retries")
	flags.BoolVar(&o.markdown, "markdown", false, "print the table as Markdown")
	flags.StringVar(&o.server, "server", "", "server `binary` to measure; none = it is built from this module")
	flags.StringVar(&o.dir, "dir", "", "`folder` for the databases; none = the system's for temporary files, which must be on a real disk")
	flags.DurationVar(&o.timeout, "timeout", 5*time.Minute, "longest time for one measurement on one database")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unknown command %q: there are receive and mail", flags.Arg(0))
	}
	var err error
	if o.databases, err = oneOf("-db", *databases, sqlite, postgres); err != nil {
		return o, err
	}
	if o.only, err = oneOf("-only", *only, measurements...); err != nil {
		return o, err
	}
	for _, n := range []struct {
		name       string
		value, max int
	}{
		{"-single", o.single, 100_000}, {"-alerts", o.alerts, 5_000_000}, {"-callers", o.callers, 10_000},
		{"-subscribers", o.subscribers, 10_000}, {"-events", o.events, 100_000},
		{"-steady", o.steady, 100_000}, {"-waiting", o.waiting, 5_000_000}, {"-retried", o.retried, 1_000_000},
	} {
		if n.value < 1 || n.value > n.max {
			return o, fmt.Errorf("%s must be 1 to %d", n.name, n.max)
		}
	}
	return o, nil
}

// oneOf reads a comma-separated list of known words.
func oneOf(flag, list string, known ...string) ([]string, error) {
	var words []string
	for word := range strings.SplitSeq(list, ",") {
		word = strings.TrimSpace(word)
		if !slices.Contains(known, word) {
			return nil, fmt.Errorf("%s knows %s, not %q", flag, strings.Join(known, ", "), word)
		}
		words = append(words, word)
	}
	return words, nil
}
