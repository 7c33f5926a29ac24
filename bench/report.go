package main

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"
)

// unknown stands where there is nothing to show.
const unknown = "–"

// baseline is what the callers reach without a server.
type baseline struct{ one, many times }

// result is what was measured on one database; nil = not measured.
type result struct {
	database, version string
	latency           *times
	throughput        *flood
	fanout            *fan
	neighbours        *neighbourhood
	retries           *retried
	backlog           *drained
	floods            *besieged
	warnings          int
}

// report is everything that was measured in one run.
type report struct {
	options
	sync     quantiles
	straight baseline
	results  []result
}

// table is what print writes: lines of cells. A line with one cell is a heading.
type table struct {
	header []string
	lines  [][]string
}

func (r *report) print(w io.Writer, markdown bool) {
	versions := []string{fmt.Sprintf("%d cores, %s/%s, %s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())}
	for _, res := range r.results {
		if res.version != "" {
			versions = append(versions, res.database+" "+res.version)
		}
	}
	fmt.Fprintf(w, "\n%s; appending 4 KiB to a file and syncing it: p50 %s, p99 %s.\n\n", strings.Join(versions, ", "), show(r.sync.p50), show(r.sync.p99))
	t := r.table()
	if markdown {
		t.markdown(w)
		return
	}
	t.text(w)
}

func (r *report) table() table {
	t := table{header: []string{"", "straight, in one process"}}
	for _, res := range r.results {
		t.header = append(t.header, res.database)
	}
	if r.measured(func(res result) bool { return res.latency != nil }) {
		r.addLatency(&t)
	}
	if r.measured(func(res result) bool { return res.throughput != nil }) {
		r.addThroughput(&t)
	}
	if r.measured(func(res result) bool { return res.fanout != nil }) {
		r.addFanout(&t)
	}
	if r.measured(func(res result) bool { return res.neighbours != nil }) {
		r.addNeighbours(&t)
	}
	if r.measured(func(res result) bool { return res.retries != nil }) {
		r.addRetries(&t)
	}
	if r.measured(func(res result) bool { return res.backlog != nil }) {
		r.addBacklog(&t)
	}
	if r.measured(func(res result) bool { return res.floods != nil }) {
		r.addFloods(&t)
	}
	return t
}

func (r *report) measured(what func(result) bool) bool {
	for _, res := range r.results {
		if what(res) {
			return true
		}
	}
	return false
}

func (r *report) addLatency(t *table) {
	t.lines = append(t.lines, []string{fmt.Sprintf("One caller, %d alerts one after another", r.single)})
	add := func(name string, cell func(times) string) {
		addLine(t, r.results, name, cell(r.straight.one), func(res result) *times { return res.latency }, cell)
	}
	base := r.straight.one.arrival.p50
	add("call, p50 / p99", func(x times) string { return pair(x.call) })
	add("call to arrival, p50 / p99", func(x times) string { return pair(x.arrival) })
	add("call to arrival, p50 ÷ straight", func(x times) string { return ratio(x.arrival.p50, base) })
	addLine(t, r.results, "call to arrival, p50 ÷ syncing 4 KiB", unknown, func(res result) *times { return res.latency },
		func(x times) string { return ratio(x.arrival.p50, r.sync.p50) })
}

func (r *report) addThroughput(t *table) {
	t.lines = append(t.lines, []string{fmt.Sprintf("%d callers, %d alerts, one webhook channel", r.callers, r.alerts)})
	add := func(name, straight string, cell func(flood) string) {
		addLine(t, r.results, name, straight, func(res result) *flood { return res.throughput }, cell)
	}
	many := r.straight.many
	base := float64(r.alerts) / many.allArrived.Seconds()
	add("alerts accepted per second", perSecond(r.alerts, many.allAnswered), func(f flood) string { return perSecond(f.accepted, f.allAnswered) })
	add("notifications delivered per second", perSecond(r.alerts, many.allArrived), func(f flood) string { return perSecond(f.accepted-f.lost, f.allArrived) })
	add("delivered: share of straight", "1.00", func(f flood) string {
		return fmt.Sprintf("%.2f", float64(f.accepted-f.lost)/f.allArrived.Seconds()/base)
	})
	add("call, p50 / p99", pair(many.call), func(f flood) string { return pair(f.call) })
	add("call to arrival, p50 / p99", pair(many.arrival), func(f flood) string { return pair(f.arrival) })
	add("acknowledged: lost / arrived more than once", unknown, func(f flood) string { return fmt.Sprintf("%d / %d", f.lost, f.twice) })
	add("recorded as DELIVERED, and after", unknown, func(f flood) string { return fmt.Sprintf("%d, %.1f s", f.recorded, f.allRecorded.Seconds()) })
	if r.measured(func(res result) bool { return res.throughput != nil && res.throughput.refused > 0 }) {
		add("refused (OVERLOADED)", unknown, func(f flood) string { return fmt.Sprint(f.refused) })
	}
	add("server's memory after, peak", unknown, func(f flood) string { return megabytes(f.memory.resident) + ", " + megabytes(f.memory.peak) })
	add("CPU per alert: server + database + bench", unknown, func(f flood) string { return f.cpu.each(f.accepted) })
}

func (r *report) addFanout(t *table) {
	t.lines = append(t.lines, []string{fmt.Sprintf("%d subscribers to alertCreated", r.subscribers)})
	add := func(name string, cell func(fan) string) {
		addLine(t, r.results, name, unknown, func(res result) *fan { return res.fanout }, cell)
	}
	add(fmt.Sprintf("call to subscriber at %d alerts/s, p50 / p99", time.Second/pacedEvery), func(f fan) string { return pair(f.paced) })
	add(fmt.Sprintf("%d alerts from %d callers: events per second", r.events, fanoutCallers), func(f fan) string { return perSecond(f.events, f.took) })
	add("… alerts per second", func(f fan) string { return perSecond(f.alerts, f.took) })
	add("… call to subscriber, p50 / p99", func(f fan) string { return pair(f.burst) })
	add("events missed / seen more than once", func(f fan) string { return fmt.Sprintf("%d / %d", f.missed, f.twice) })
	add("server's memory after, peak", func(f fan) string { return megabytes(f.memory.resident) + ", " + megabytes(f.memory.peak) })
	add("CPU per event: server + database + bench", func(f fan) string { return f.cpu.each(f.events) })
}

func (r *report) addNeighbours(t *table) {
	t.lines = append(t.lines, []string{fmt.Sprintf("A good channel at %d alerts/s beside three bad ones", time.Second/steadyEvery)})
	add := func(name string, cell func(neighbourhood) string) {
		addLine(t, r.results, name, unknown, func(res result) *neighbourhood { return res.neighbours }, cell)
	}
	add("alone: call to arrival, p50 / p99", func(n neighbourhood) string { return pair(n.before) })
	add("beside them", func(n neighbourhood) string { return pair(n.with) })
	add("alone again", func(n neighbourhood) string { return pair(n.again) })
	add("beside them ÷ alone (both times), p50 / p99", func(n neighbourhood) string {
		return share(n.with.p50, n.without.p50) + " / " + share(n.with.p99, n.without.p99)
	})
	add("… p99 ÷ alone before / ÷ alone again", func(n neighbourhood) string {
		return share(n.with.p99, n.before.p99) + " / " + share(n.with.p99, n.again.p99)
	})
	add("waiting at the beginning: hung / failing / slow", func(n neighbourhood) string { return counts(n.waiting) })
	add("waiting at the end", func(n neighbourhood) string { return counts(n.stillWaiting) })
	add("acknowledged: lost / arrived more than once", func(n neighbourhood) string { return fmt.Sprintf("%d / %d", n.lost, n.twice) })
	if r.measured(func(res result) bool { return res.neighbours != nil && res.neighbours.refused > 0 }) {
		add("refused (OVERLOADED)", func(n neighbourhood) string { return fmt.Sprint(n.refused) })
	}
	add("server's memory alone, beside them, peak", func(n neighbourhood) string {
		return megabytes(n.memoryBefore.resident) + ", " + megabytes(n.memory.resident) + ", " + megabytes(n.memory.peak)
	})
}

func (r *report) addRetries(t *table) {
	t.lines = append(t.lines, []string{fmt.Sprintf("%d callers, %d alerts, every %dth refused at first", retryCallers, r.retried, refuseEvery)})
	add := func(name string, cell func(retried) string) {
		addLine(t, r.results, name, unknown, func(res result) *retried { return res.retries }, cell)
	}
	add("attempts = alerts + refused", func(x retried) string { return fmt.Sprintf("%d = %d + %d", x.attempts, x.accepted, x.refused) })
	add("refused to arrival, p50 / p99", func(x retried) string { return pair(x.pause) })
	add("… p50 ÷ the first pause of 5 s", func(x retried) string { return share(x.pause.p50, firstPause) })
	add("recorded as DELIVERED, and after", func(x retried) string { return fmt.Sprintf("%d, %.1f s", x.recorded, x.allRecorded.Seconds()) })
	add("… after ÷ the first pause of 5 s", func(x retried) string { return share(x.allRecorded, firstPause) })
	add("acknowledged: lost / arrived more than once", func(x retried) string { return fmt.Sprintf("%d / %d", x.lost, x.twice) })
}

func (r *report) addBacklog(t *table) {
	t.lines = append(t.lines, []string{fmt.Sprintf("%d deliveries that waited for the end of a pause", r.waiting)})
	add := func(name string, cell func(drained) string) {
		addLine(t, r.results, name, unknown, func(res result) *drained { return res.backlog }, cell)
	}
	base := float64(r.alerts) / r.straight.many.allArrived.Seconds()
	add(fmt.Sprintf("created per second, %d in a call", maxAtOnce), func(d drained) string { return perSecond(r.waiting, d.created) })
	add("arrived during the pause", func(d drained) string { return fmt.Sprint(d.early) })
	add("notifications delivered per second", func(d drained) string { return perSecond(r.waiting-d.lost, d.arrived) })
	add(fmt.Sprintf("delivered: share of straight, %d callers", r.callers), func(d drained) string {
		return fmt.Sprintf("%.2f", float64(r.waiting-d.lost)/d.arrived.Seconds()/base)
	})
	add("recorded as DELIVERED, and after", func(d drained) string { return fmt.Sprintf("%d, %.1f s", d.recorded, d.allRecorded.Seconds()) })
	add("acknowledged: lost / arrived more than once", func(d drained) string { return fmt.Sprintf("%d / %d", d.lost, d.twice) })
	add("server's memory before, waiting, after, peak", func(d drained) string {
		return megabytes(d.before.resident) + ", " + megabytes(d.waiting.resident) + ", " + megabytes(d.after.resident) + ", " + megabytes(d.after.peak)
	})
	add("CPU per delivery: server + database + bench", func(d drained) string { return d.cpu.each(r.waiting) })
}

func (r *report) addFloods(t *table) {
	t.lines = append(t.lines, []string{fmt.Sprintf("A well-behaved caller at %d alerts/s while others flood the server", time.Second/steadyEvery)})
	add := func(name string, cell func(besieged) string) {
		addLine(t, r.results, name, unknown, func(res result) *besieged { return res.floods }, cell)
	}
	add("alone: call to arrival, p50 / p99; memory", func(b besieged) string { return pair(b.alone) + "; " + megabytes(b.before.resident) })
	for _, res := range r.results {
		if res.floods == nil {
			continue
		}
		for i, s := range res.floods.floods {
			add(s.name, func(b besieged) string {
				if i >= len(b.floods) {
					return unknown
				}
				f := b.floods[i]
				return fmt.Sprintf("%s; %s; %s", pair(f.with), megabytes(f.memory.resident), f.held)
			})
			add("… p50 / p99 ÷ alone", func(b besieged) string {
				if i >= len(b.floods) {
					return unknown
				}
				return share(b.floods[i].with.p50, b.alone.p50) + " / " + share(b.floods[i].with.p99, b.alone.p99)
			})
		}
		break // they are the same on each database
	}
	add("acknowledged: lost", func(b besieged) string { return fmt.Sprint(b.lost) })
}

// addLine adds a line with a cell for every database.
func addLine[T any](t *table, results []result, name, straight string, part func(result) *T, cell func(T) string) {
	line := []string{name, straight}
	for _, res := range results {
		if p := part(res); p != nil {
			line = append(line, cell(*p))
		} else {
			line = append(line, unknown)
		}
	}
	t.lines = append(t.lines, line)
}

func (t table) text(w io.Writer) {
	out := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(out, strings.Join(t.header, "\t"))
	for _, line := range t.lines {
		if len(line) == 1 {
			fmt.Fprintln(out, line[0]+strings.Repeat("\t", len(t.header)-1))
			continue
		}
		fmt.Fprintln(out, "  "+strings.Join(line, "\t"))
	}
	_ = out.Flush() // nothing to be done when standard output is gone
}

func (t table) markdown(w io.Writer) {
	fmt.Fprintf(w, "| %s |\n|%s\n", strings.Join(t.header, " | "), strings.Repeat(" --- |", len(t.header)))
	for _, line := range t.lines {
		if len(line) == 1 {
			line = append([]string{"**" + line[0] + "**"}, make([]string, len(t.header)-1)...)
		}
		fmt.Fprintf(w, "| %s |\n", strings.Join(line, " | "))
	}
}

// each shows CPU time for each of n things.
func (c cpu) each(n int) string {
	if n == 0 || c.server == 0 {
		return unknown
	}
	of := func(d time.Duration) string {
		us := float64(d.Nanoseconds()) / 1000 / float64(n)
		if us < 10 {
			return fmt.Sprintf("%.1f", us)
		}
		return fmt.Sprintf("%.0f", us)
	}
	return of(c.server) + " + " + of(c.database) + " + " + of(c.bench) + " µs"
}

func pair(q quantiles) string { return show(q.p50) + " / " + show(q.p99) }

// show gives a duration with two or three digits that count.
func show(d time.Duration) string {
	ms := float64(d.Nanoseconds()) / 1e6
	switch {
	case ms == 0:
		return unknown
	case ms < 0.01:
		return fmt.Sprintf("%.1f µs", 1000*ms)
	case ms < 1:
		return fmt.Sprintf("%.0f µs", 1000*ms)
	case ms < 10:
		return fmt.Sprintf("%.2f ms", ms)
	case ms < 100:
		return fmt.Sprintf("%.1f ms", ms)
	case ms < 1000:
		return fmt.Sprintf("%.0f ms", ms)
	}
	return fmt.Sprintf("%.2f s", ms/1000)
}

func perSecond(n int, took time.Duration) string {
	if took <= 0 {
		return unknown
	}
	return fmt.Sprintf("%.0f", float64(n)/took.Seconds())
}

func megabytes(n int64) string {
	if n == 0 {
		return unknown
	}
	return fmt.Sprintf("%.0f MB", float64(n)/1e6)
}

func ratio(a, b time.Duration) string {
	if b <= 0 {
		return unknown
	}
	return fmt.Sprintf("%.1f", float64(a)/float64(b))
}

// share is a ratio near 1.
func share(a, b time.Duration) string {
	if b <= 0 {
		return unknown
	}
	return fmt.Sprintf("%.2f", float64(a)/float64(b))
}

func counts(all [badOnes]int) string {
	return fmt.Sprintf("%d / %d / %d", all[hung], all[failing], all[slow])
}
