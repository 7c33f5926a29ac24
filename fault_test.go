package main

import (
	"database/sql"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/rustbucket/alerts/testkit"
)

// What a process holds at most that is sent and not recorded.
const (
	maxInFlight   = 32        // sends of one channel that are not answered
	maxUnrecorded = 128 + 256 // answers in the queue, and in the batch that is being committed
)

// kill is a moment at which a process was killed.
type kill struct {
	from, to time.Time       // sent, and the process is gone
	recorded map[string]bool // sends whose outcome was stored by then, as "channel message"
}

// killNow ends a process without any warning.
func killNow(p *process, databaseURL string) kill {
	p.t.Helper()
	k := kill{from: time.Now()}
	_ = p.cmd.Process.Kill()
	<-p.ended
	k.to = time.Now()
	k.recorded = recorded(p, databaseURL)
	return k
}

// recorded reads of a database whose process was killed which outcomes it has. Of an SQLite file it takes a copy: to put the
// file in order again is left to the program.
func recorded(p *process, databaseURL string) map[string]bool {
	p.t.Helper()
	driver, dsn := "pgx", databaseURL
	if databaseURL == "" {
		driver, dsn = "sqlite", filepath.Join(p.t.TempDir(), "alerts.db")
		for _, suffix := range []string{"", "-wal"} {
			content, err := os.ReadFile(filepath.Join(p.dir, "data", "alerts.db"+suffix))
			if err == nil {
				err = os.WriteFile(dsn+suffix, content, 0o600)
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				p.t.Fatal(err)
			}
		}
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		p.t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(p.t.Context(), `SELECT c.name || ' ' || a.message FROM attempts AS t JOIN deliveries AS d ON d.id = t.delivery_id
		JOIN alerts AS a ON a.id = d.alert_id JOIN channels AS c ON c.id = d.channel_id`)
	if err != nil {
		p.t.Fatal(err)
	}
	defer rows.Close()
	places := map[string]bool{}
	for rows.Next() {
		var place string
		if err := rows.Scan(&place); err != nil {
			p.t.Fatal(err)
		}
		places[place] = true
	}
	if err := rows.Err(); err != nil {
		p.t.Fatal(err)
	}
	return places
}

// reason gives the place of the kill in which the outcome of this send was lost, or -1. mu of the ledger is held.
func reason(kills []kill, a *arrival, again time.Time) int {
	n := slices.IndexFunc(kills, func(k kill) bool {
		return a.began.Before(k.to) && k.from.Before(again) && !k.recorded[a.place]
	})
	if n >= 0 || !a.brokeOff() {
		return n
	}
	for n = len(kills) - 1; n >= 0 && a.began.Before(kills[n].to); n-- {
	}
	if n < 0 || kills[n].recorded[a.place] { // else it was on its way at the kill before, and arrived later
		return -1
	}
	return n
}

// checkDuplicates looks at every delivery that was sent again. The only reason for that is a kill between the send and the
// recording of its outcome: at the kill the send had no attempt in the database. So each kill may repeat once what the process
// had in flight, and what had been answered and waited for the commit of the batch before it, or for that of its own.
func (l *ledger) checkDuplicates(t *testing.T, kills []kill) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	byKey := map[string][]*arrival{}
	for _, a := range l.arrivals {
		byKey[a.key] = append(byKey[a.key], a)
	}
	inFlight, answered := make([]int, len(kills)), make([]int, len(kills))
	for key, sends := range byKey {
		slices.SortFunc(sends, func(a, b *arrival) int { return a.began.Compare(b.began) })
		for i, a := range sends[:len(sends)-1] {
			again := sends[i+1].began
			switch n := reason(kills, a, again); {
			case n < 0:
				t.Errorf("%s was sent at %v, answered at %v, and sent again at %v: no kill is the reason", key, a.began, a.answered, again)
			case a.answered.IsZero():
				inFlight[n]++
			default:
				answered[n]++
			}
		}
	}
	t.Logf("%d deliveries, %d sends; sent again: %d that were in flight at the kills, %d that were answered and not recorded",
		len(byKey), len(l.arrivals), inFlight, answered)
	for n := range kills {
		if most := maxInFlight * len(l.channels); inFlight[n] > most || answered[n] > maxUnrecorded {
			t.Errorf("kill %d repeated %d sends in flight, at most %d can be, and %d answered ones, at most %d can be", n+1, inFlight[n], most, answered[n], maxUnrecorded)
		}
	}
}

func TestFault_NothingIsLostWhenProcessesAreKilled(t *testing.T) {
	for name, c := range map[string]struct {
		processes int
		database  func(t *testing.T) string
	}{
		"SQLite":                    {1, func(*testing.T) string { return "" }},
		"PostgreSQL":                {1, func(t *testing.T) string { return testkit.NewDatabase(t) }},
		"PostgreSQL, two processes": {2, func(t *testing.T) string { return testkit.NewDatabase(t) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seed := uint64(time.Now().UnixNano())
			t.Logf("seed %d", seed)
			random := rand.New(rand.NewPCG(seed, 0))
			database := c.database(t)
			env := []string{"ADMIN_TOKEN=" + testToken, "DATABASE_URL=" + database, "SECRET_KEY=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}
			l := newLedger(t, "one", "two", "three")
			var processes []*process
			var urls []string
			for i := range c.processes {
				p := newProcess(t, env...)
				p.start()
				if i == 0 {
					l.register(p.api()) // before the others start: they know the channels from the first alert on
				}
				processes, urls = append(processes, p), append(urls, p.url)
				t.Cleanup(func() {
					if t.Failed() {
						log := p.stderr.String()
						t.Logf("the end of a process's log:\n%s", log[max(0, len(log)-4000):])
					}
				})
			}
			l.call(urls...)
			var kills []kill
			for range 4 {
				arrivals, _ := l.count()
				arrivals += 100 + random.IntN(600)
				testkit.Until(t, "the moment of the kill", func() bool { n, _ := l.count(); return n >= arrivals })
				p := processes[random.IntN(len(processes))]
				kills = append(kills, killNow(p, database))
				p.start()
			}
			l.hangUp()
			l.settle(processes[0].api())
			l.checkDuplicates(t, kills)
			for _, p := range processes {
				p.stop()
			}
		})
	}
}

func TestFault_NothingIsLostOrStoredTwiceWhenPostgreSQLCrashes(t *testing.T) {
	t.Parallel()
	postgres := testkit.PrivatePostgres(t)
	if err := postgres.CreateDatabase(t.Context(), "crash"); err != nil {
		t.Fatal(err)
	}
	p := newProcess(t, "ADMIN_TOKEN="+testToken, "DATABASE_URL="+postgres.URL("crash"), "SECRET_KEY=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	p.start()
	l := newLedger(t, "one", "two")
	l.register(p.api())
	l.call(p.url)
	for range 2 {
		arrivals, failed := l.count()
		testkit.Until(t, "some alerts to arrive", func() bool { n, _ := l.count(); return n >= arrivals+300 })
		if err := postgres.Crash(); err != nil {
			t.Fatal(err)
		}
		testkit.Until(t, "every caller to notice", func() bool { _, n := l.count(); return n >= failed+2*callers })
		if err := postgres.Start(); err != nil {
			t.Fatal(err)
		}
	}
	arrivals, _ := l.count()
	testkit.Until(t, "alerts to arrive again", func() bool { n, _ := l.count(); return n >= arrivals+300 })
	l.hangUp()
	l.settle(p.api())
	// The process knows the outcomes and records them when the database is back: nothing is sent again.
	l.checkDuplicates(t, nil)
	p.stop()
}
