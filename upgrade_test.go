package main

import (
	"context"
	"database/sql"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rustbucket/alerts/testkit"
)

func TestServer_TellsThatANewerOneHasMigratedTheDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "alerts.db")
	s := startServer(t, "sqlite:"+path)
	ctx, cancel := context.WithCancel(t.Context())
	told := new(logBuffer)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tellOfNewer(ctx, s.store, time.Millisecond, slog.New(slog.NewTextHandler(told, nil)))
	}()
	defer func() { cancel(); <-ended }()
	before := s.store.Queries()
	testkit.Until(t, "it to have looked some times", func() bool { return s.store.Queries() > before+20 })
	if text := told.String(); text != "" {
		t.Errorf("told of its own migrations: %s", text)
	}
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(60000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), `INSERT INTO bun_migrations (name, group_id, migrated_at) VALUES ('9999', 99, '2030-01-01 00:00:00')`); err != nil {
		t.Fatal(err)
	}
	testkit.Until(t, "a word of the newer version", func() bool { return strings.Contains(told.String(), "migration=9999") })
	<-ended
	if n := strings.Count(told.String(), "\n"); n != 1 {
		t.Errorf("told %d times", n)
	}
}
