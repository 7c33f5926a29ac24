package access

import (
	"context"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rustbucket/alerts/models"
)

func TestBudget_SlowsDownBeforeItRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(1000)
		as := func(token, address string) context.Context {
			return WithViewer(WithAddress(t.Context(), netip.MustParseAddr(address)), &models.Viewer{Name: token})
		}
		one := as("one", "192.0.2.1")
		for _, c := range []struct {
			name string
			ctx  context.Context
			cost int
			want time.Duration
		}{
			{"what was saved up", one, 4000, 0},
			{"and then one after another", one, 2000, 2 * time.Second},
			{"what costs nothing", one, 0, 0},
			{"the same token elsewhere", as("one", "192.0.2.2"), 500, 500 * time.Millisecond},
			{"another token at the same address", as("another", "192.0.2.1"), 4000, 0},
			{"somebody else", as("third", "2001:db8::1"), 4000, 0},
			{"the same site", as("fourth", "2001:db8::2"), 4000, 0},
			{"a third of the site", as("sixth", "2001:db8::3"), 4000, 0},
			{"a fourth of the site", as("seventh", "2001:db8::4"), 4000, 0},
			{"a fifth of the site", as("eighth", "2001:db8::5"), 2000, 500 * time.Millisecond},
			{"more than can be saved up", as("fifth", "192.0.2.5"), 1 << 30, 0},
		} {
			start := time.Now()
			if !b.Spend(c.ctx, c.cost) {
				t.Errorf("%s: refused", c.name)
			}
			if waited := time.Since(start).Round(time.Millisecond); waited != c.want {
				t.Errorf("%s: waited %v, want %v", c.name, waited, c.want)
			}
		}
		time.Sleep(time.Minute)
		at := time.Now()
		var waits []time.Duration
		refused := 0
		ended := make(chan bool)
		for range 12 { // at once
			go func() { ended <- b.Spend(one, 1000) }()
		}
		for range 12 {
			if <-ended {
				waits = append(waits, time.Since(at))
			} else {
				refused++
			}
		}
		if len(waits) != 9 || waits[8].Round(time.Millisecond) != MaxWait || refused != 3 {
			t.Errorf("of 12 at once %d are refused, the others wait %v", refused, waits)
		}
		leaving, leave := context.WithTimeout(one, time.Second)
		defer leave()
		if b.Spend(leaving, 3000) {
			t.Error("one who left before its time has spent")
		}
		start := time.Now()
		if !b.Spend(one, 1000) || time.Since(start) > time.Second {
			t.Error("who left has taken something along")
		}
		time.Sleep(time.Hour)
		b.Spend(one, 1)
		if len(b.tokens) != 1 || len(b.networks) != 1 {
			t.Errorf("%d tokens and %d addresses are remembered after an hour", len(b.tokens), len(b.networks))
		}
		for range 100 {
			if !NewBudget(0).Spend(one, 1<<40) {
				t.Error("no bound refuses")
			}
		}
	})
}

// What is refused to one caller takes nothing from the others, neither at its address nor with its token.
func TestBudget_TakesNothingForWhatItRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(1000)
		as := func(token, address string) context.Context {
			return WithViewer(WithAddress(t.Context(), netip.MustParseAddr(address)), &models.Viewer{Name: token})
		}
		flood := func(ctx context.Context) {
			t.Helper()
			leaving, leave := context.WithCancel(ctx)
			defer synctest.Wait()
			defer leave()
			go b.Spend(leaving, 4000)
			for range 9 { // what is saved up, and what may be waited for
				go b.Spend(leaving, 1000)
			}
			synctest.Wait()
			for range 100 {
				time.Sleep(time.Millisecond)
				if b.Spend(ctx, 4000) {
					t.Fatal("the flood is not refused")
				}
			}
		}
		flood(as("flood", "192.0.2.1"))
		start := time.Now()
		for _, name := range []string{"a", "b", "c"} {
			if !b.Spend(as(name, "192.0.2.1"), 4000) || time.Since(start) > 0 {
				t.Errorf("%s, at the address of a flood, waits %v", name, time.Since(start))
			}
		}
		// The address has nothing left to give; the token has all it had elsewhere.
		if !b.Spend(as("d", "192.0.2.1"), 4000) {
			t.Error("d is refused")
		}
		for range 5 {
			go b.Spend(as("e", "192.0.2.1"), 4000)
			go b.Spend(as("f", "192.0.2.1"), 4000)
			go b.Spend(as("g", "192.0.2.1"), 4000)
		}
		synctest.Wait()
		for range 100 {
			time.Sleep(time.Millisecond)
			if b.Spend(as("h", "192.0.2.1"), 4000) {
				t.Fatal("the address is not full")
			}
		}
		start = time.Now()
		if !b.Spend(as("h", "192.0.2.9"), 4000) || time.Since(start) > 0 {
			t.Errorf("h waits %v elsewhere for what it was refused", time.Since(start))
		}
		time.Sleep(time.Hour)
	})
}
