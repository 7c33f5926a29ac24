package access

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/seal"
	"github.com/rustbucket/alerts/store"
)

func TestDoorman_LooksForATokenThatIsNotGoodOnceInAWhile(t *testing.T) {
	d := newDoorman(t)
	token := &models.Token{Name: "over", Role: models.Viewing}
	over, err := d.Create(t.Context(), "", token)
	if err != nil {
		t.Fatal(err)
	}
	who := func(ctx context.Context, token string) (*models.Viewer, error) { return d.Viewer(ctx, "Bearer "+token) }
	if v, err := who(t.Context(), over); v == nil || err != nil {
		t.Fatalf("a good token: %v, %v", v, err)
	}
	if _, err := d.Revoke(t.Context(), token.ID); err != nil {
		t.Fatal(err)
	}
	away, leave := context.WithCancel(t.Context()) // with which the database cannot be asked
	leave()
	later := time.Now().Add(time.Hour)
	for name, token := range map[string]string{"revoked": over, "unknown": NewToken()} {
		for _, ctx := range []context.Context{t.Context(), away} {
			if v, err := who(ctx, token); v != nil || err != nil {
				t.Errorf("%s: %v, %v", name, v, err)
			}
			if until, ok := d.none[bearing(token).hash]; !ok || until.After(later) {
				t.Errorf("%s: remembered is %v, until %v", name, ok, until)
			}
			d.none[bearing(token).hash] = later // for as long as this test may take
		}
	}
	if _, err := who(away, NewToken()); err == nil {
		t.Error("one that was never looked for is not looked for")
	}
	for range maxNone + 10 {
		d.none[bearing(NewToken()).hash] = d.none[bearing(over).hash]
	}
	if _, err := who(t.Context(), NewToken()); err != nil || len(d.none) > maxNone {
		t.Errorf("%d are remembered, %v", len(d.none), err)
	}
}

func newDoorman(t *testing.T) *Doorman {
	t.Helper()
	keys, err := seal.New(make([]byte, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), store.Options{URL: "sqlite:" + filepath.Join(t.TempDir(), "alerts.db"), Keyring: keys, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if _, err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return NewDoorman(s, "", slog.New(slog.DiscardHandler))
}

func TestDoorman_LooksForManyTokensAtOnce(t *testing.T) {
	d := newDoorman(t)
	good, err := d.Create(t.Context(), "", &models.Token{Name: "good", Role: models.Viewing})
	if err != nil {
		t.Fatal(err)
	}
	const tries = 2000
	before := d.store.Queries()
	d.lookups.asking.Lock() // a query is under way
	var callers, begun sync.WaitGroup
	begun.Add(tries + 2)
	ask := func(token string, name string) {
		callers.Go(func() {
			begun.Done()
			v, err := d.Viewer(t.Context(), "Bearer "+token)
			if err != nil || (v == nil) != (name == "") || v != nil && v.Name != name {
				t.Errorf("%q is %+v, %v", name, v, err)
			}
		})
	}
	for range tries {
		ask(NewToken(), "")
	}
	away, leave := context.WithCancel(t.Context())
	callers.Go(func() {
		begun.Done()
		if _, err := d.Viewer(away, "Bearer "+NewToken()); err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("who leaves meanwhile is answered %v", err)
		}
	})
	ask(good, "good")
	begun.Wait()
	time.Sleep(50 * time.Millisecond) // most of them are waiting then, and those who come later find others who wait as well
	leave()
	d.lookups.asking.Unlock()
	callers.Wait()
	if n := d.store.Queries() - before; n < tries/maxLookup || n > tries/10 {
		t.Errorf("%d tokens are looked for in %d queries", tries, n)
	}
}

func TestDoorman_NamesOfTheServersOwnAreTaken(t *testing.T) {
	d := newDoorman(t)
	for _, name := range []string{"ADMIN_TOKEN", "server", "command line", "Server"} {
		if _, err := d.Create(t.Context(), "input.", &models.Token{Name: name, Role: models.Viewing}); !models.HasCode(err, models.BadUserInput) {
			t.Errorf("a token named %q: %v", name, err)
		}
	}
}
