package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// TestBench_MeasuresASmallServer makes each measurement of what goes wrong with small numbers, on SQLite.
func TestBench_MeasuresASmallServer(t *testing.T) {
	binary, err := buildServer(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		waiting int
		check   func(*testing.T, result)
		lines   []string
	}{
		// So many that the slow neighbour is not through with them before the others are measured, even when that takes ten times as long.
		{neighbours, 6000, checkNeighbours, []string{"beside them ÷ alone", "waiting at the end"}},
		{retries, 0, checkRetries, []string{"220 = 200 + 20"}},
		{backlog, 2500, checkBacklog, []string{"created per second, 1000 in a call", "2500, "}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := options{
				databases: []string{sqlite}, only: []string{c.name}, server: binary, dir: t.TempDir(), timeout: 5 * time.Minute,
				single: 1, alerts: 1, callers: 1, steady: 100, waiting: c.waiting, retried: 200,
			}
			r, err := measure(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			c.check(t, r.results[0])
			var text, markdown bytes.Buffer
			r.print(&text, false)
			r.print(&markdown, true)
			for _, line := range c.lines {
				if !strings.Contains(text.String(), line) || !strings.Contains(markdown.String(), line) {
					t.Errorf("%q is missing in\n%s\n%s", line, text.String(), markdown.String())
				}
			}
		})
	}
}

func checkNeighbours(t *testing.T, res result) {
	n := res.neighbours
	if n.before.p50 <= 0 || n.with.p50 <= 0 || n.again.p50 <= 0 || n.without.max < max(n.before.max, n.again.max) || n.lost+int(n.twice) != 0 {
		t.Errorf("measured %+v", n)
	}
	if n.waiting[hung] == 0 || n.waiting[failing] == 0 || n.stillWaiting[slow] == 0 || n.stillWaiting[slow] >= n.waiting[slow] {
		t.Errorf("%v waited, and then %v", n.waiting, n.stillWaiting)
	}
}

func checkRetries(t *testing.T, res result) {
	r := res.retries
	if r.accepted != 200 || r.refused != 20 || r.attempts != 220 || r.recorded != 200 || r.lost+int(r.twice) != 0 {
		t.Errorf("measured %+v", r)
	}
	if r.pause.p50 < 4*time.Second || r.allRecorded < r.pause.max {
		t.Errorf("tried again after %+v, all recorded after %v", r.pause, r.allRecorded)
	}
}

func checkBacklog(t *testing.T, res result) {
	d := res.backlog
	if d.early != 0 || d.recorded != 2500 || d.lost+int(d.twice) != 0 || d.created <= 0 || d.arrived <= 0 || d.allRecorded < d.arrived {
		t.Errorf("measured %+v", d)
	}
}
