package access

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/seal"
	"github.com/rustbucket/alerts/store"
)

func TestDoorman_LooksForATokenThatIsNotGoodOnceInAWhile(t *testing.T) {
	keys, err := seal.New(make([]byte, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), store.Options{URL: "sqlite:" + filepath.Join(t.TempDir(), "alerts.db"), Keyring: keys, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	d := NewDoorman(s, "", slog.New(slog.DiscardHandler))
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
	for name, token := range map[string]string{"revoked": over, "unknown": NewToken()} {
		for _, ctx := range []context.Context{t.Context(), away} {
			if v, err := who(ctx, token); v != nil || err != nil {
				t.Errorf("%s: %v, %v", name, v, err)
			}
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
