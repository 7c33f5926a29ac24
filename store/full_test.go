package store

import (
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/seal"
)

func TestStore_SaysWhenItIsFullAndKeepsNothingHalf(t *testing.T) {
	keys, err := seal.New(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), Options{URL: "sqlite:" + filepath.Join(t.TempDir(), "alerts.db"), Keyring: keys, Log: slog.Default()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	// What a full disk is to SQLite; the one writing connection keeps the setting.
	if _, err := s.db.Exec("PRAGMA max_page_count = 60"); err != nil {
		t.Fatal(err)
	}
	big := AlertInsert{New: &models.NewAlert{Type: "error", Message: strings.Repeat("x", models.MaxMessage)}}
	stored := 0
	for ; stored < 100; stored++ {
		if _, err = s.CreateAlerts(t.Context(), []AlertInsert{big, big}, "me"); err != nil {
			break
		}
	}
	if !errors.Is(err, ErrFull) {
		t.Fatalf("after %d batches: %v", stored, err)
	}
	if n, err := s.CountAlerts(t.Context(), nil); err != nil || n != 2*stored {
		t.Errorf("%d alerts of %d whole batches, %v", n, stored, err)
	}
}
