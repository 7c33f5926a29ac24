package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/rustbucket/alerts/djangodump"
	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/store"
)

// importReport tells what an import has done, or would do. No secret gets into it: configs are shown masked.
type importReport struct {
	out       io.Writer
	dryRun    bool
	retention time.Duration // 0 = everything is kept
	kept      time.Time     // what is older will soon be removed

	failedChannels, newChannels int
	alertsHere                  int // before
	counts                      map[alertGroup]*[2]int
	old, unknownEnds, noZone    int
	oldest                      time.Time
	problems                    map[string]*problem // by what is wrong
}

type alertGroup struct {
	severity models.Severity
	resolved bool
}

// problem is what keeps some alerts from being taken over.
type problem struct {
	n   int
	pks []string // of the first ones
}

// How much of what is wrong with alerts is shown.
const (
	shownProblems = 20
	shownPKs      = 3
	otherProblems = "other reasons: mend these first"
)

func (r *importReport) failed() bool { return r.failedChannels > 0 || len(r.problems) > 0 }

// channels shows what becomes of the channels; results are those of the ones that can be taken over.
func (r *importReport) channels(channels []djangodump.Channel, results []store.ImportedChannel) error {
	fmt.Fprintf(r.out, "Channels: %d in the file\n", len(channels))
	w := tabwriter.NewWriter(r.out, 0, 0, 2, ' ', 0)
	if len(channels) > 0 {
		fmt.Fprintln(w, "  PK\tNAME\tTYPE\tCONFIG\tSTATE")
	}
	var notes []string
	for _, c := range channels {
		name := printable(c.Name)
		if c.Here == nil {
			r.failedChannels++
			fmt.Fprintf(w, "  %s\t%s\t%s\t\tskipped: %s\n", printable(c.PK), name, printable(c.OldType), printable(c.Problem.Error()))
			continue
		}
		var result store.ImportedChannel
		result, results = results[0], results[1:]
		state := r.state(c, result)
		config, err := json.Marshal(c.Here.Config.Masked())
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "  %s\t%s\t%s -> %s\t%s\t%s\n", printable(c.PK), name, printable(c.OldType), c.Here.Type(), config, state)
		for _, note := range c.Notes {
			notes = append(notes, fmt.Sprintf("channel %s (%s): %s", printable(c.PK), name, printable(note)))
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, note := range notes {
		fmt.Fprintln(r.out, "note:", note)
	}
	return nil
}

func (r *importReport) state(c djangodump.Channel, result store.ImportedChannel) string {
	state := ""
	switch result.Fate {
	case store.FateKnown:
		state = "exists already"
		if result.Name != c.Here.Name {
			state += ", as " + printable(result.Name)
		}
		return state
	case store.FateDeleted:
		return "was imported before and deleted here: stays deleted"
	case store.FateThere:
		return "exists already, made by hand with the same config: left as it is"
	case store.FateNew:
		state = "new"
	case store.FateRenamed:
		state = "new, as " + printable(result.Name) + ": another channel has the name"
	}
	r.newChannels++
	if !c.Here.IsActive {
		state += ", inactive"
	}
	return state
}

// read counts what the dump says about an alert.
func (r *importReport) read(a djangodump.Alert) {
	if a.Problem == nil {
		if a.EndUnknown {
			r.unknownEnds++
		}
		if a.NoZone {
			r.noZone++
		}
		return
	}
	if r.problems == nil {
		r.problems = make(map[string]*problem)
	}
	why := a.Problem.Error()
	if r.problems[why] == nil && len(r.problems) >= shownProblems {
		why = otherProblems
	}
	p := r.problems[why]
	if p == nil {
		p = new(problem)
		r.problems[why] = p
	}
	if p.n++; len(p.pks) < shownPKs {
		p.pks = append(p.pks, printable(a.PK))
	}
}

// alerts counts what became of a batch.
func (r *importReport) alerts(batch []store.AlertImport, isNew []bool) {
	if r.counts == nil {
		r.counts = make(map[alertGroup]*[2]int)
	}
	for i, a := range batch {
		group := alertGroup{a.New.Severity, a.ResolvedAt != nil}
		if r.counts[group] == nil {
			r.counts[group] = new([2]int)
		}
		if !isNew[i] {
			r.counts[group][1]++
			continue
		}
		r.counts[group][0]++
		if at := a.Origin.CreatedAt; at.Before(r.kept) {
			if r.old++; r.oldest.IsZero() || at.Before(r.oldest) {
				r.oldest = at
			}
		}
	}
}

func (r *importReport) newAlerts() int { return r.count(0) }

func (r *importReport) count(column int) (n int) {
	for _, counts := range r.counts {
		n += counts[column]
	}
	return n
}

// end shows what became of the alerts, and what there is to do.
func (r *importReport) end(dump *djangodump.Dump) {
	fmt.Fprintf(r.out, "Alerts: %d in the file, %d new, %d imported before\n", dump.Alerts, r.count(0), r.count(1))
	r.table()
	for _, why := range slices.Sorted(maps.Keys(r.problems)) {
		p := r.problems[why]
		more := ""
		if p.n > len(p.pks) {
			more = ", …"
		}
		fmt.Fprintf(r.out, "skipped, alerts: %d (pk %s%s): %s\n", p.n, strings.Join(p.pks, ", "), more, printable(why))
	}
	if len(dump.Others) > 0 {
		var others []string
		for _, label := range slices.Sorted(maps.Keys(dump.Others)) {
			others = append(others, fmt.Sprintf("%s %d", printable(label), dump.Others[label]))
		}
		fmt.Fprintf(r.out, "Stays behind: %s\n", strings.Join(others, ", "))
	}
	r.notes()
	switch {
	case r.dryRun:
		fmt.Fprintln(r.out, "Nothing was changed: this was a dry run.")
	case r.newChannels > 0:
		fmt.Fprintln(r.out, "Next: test each channel, with test-notification --channel NAME, or --all for all active ones.")
	}
}

func (r *importReport) table() {
	w := tabwriter.NewWriter(r.out, 0, 0, 2, ' ', 0)
	if len(r.counts) > 0 {
		fmt.Fprintln(w, "  SEVERITY\tSTATE\tNEW\tIMPORTED BEFORE")
	}
	for severity := models.SeverityHigh; severity >= models.SeverityLow; severity-- {
		for _, resolved := range []bool{false, true} {
			state := "open"
			if resolved {
				state = "resolved"
			}
			if n := r.counts[alertGroup{severity, resolved}]; n != nil {
				fmt.Fprintf(w, "  %s\t%s\t%d\t%d\n", severity, state, n[0], n[1])
			}
		}
	}
	_ = w.Flush()
}

func (r *importReport) notes() {
	if r.old > 0 {
		days := int(time.Since(r.oldest)/day) + 30
		fmt.Fprintf(r.out, "note: new alerts that are older than RETENTION=%[2]s: %[1]d; a running server removes them within minutes: to keep them, set RETENTION=%[3]dd, or off, and restart it before you import them\n",
			r.old, retentionTime(r.retention), days)
	}
	if r.unknownEnds > 0 {
		fmt.Fprintf(r.out, "note: alerts that are resolved without a resolved_at: %d; their created_at stands for it\n", r.unknownEnds)
	}
	if r.noZone > 0 {
		fmt.Fprintf(r.out, "note: alerts whose times have no time zone: %d; they count as UTC\n", r.noZone)
	}
	if r.count(0) > 0 && r.alertsHere > r.count(1) {
		fmt.Fprintln(r.out, "note: there are alerts here already: in lists, which go by the order in which alerts came here, the imported ones stand before those")
	}
}

// printable keeps what others wrote from steering the terminal, and on one line.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) {
			return c
		}
		return '?'
	}, oneLine(s))
}
