package store_test

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/store"
	"github.com/rustbucket/alerts/testkit"
)

// TestStore_WorksOnWhenANewerProgramHasAddedToTheTables is what a server does while it is replaced by the next version.
func TestStore_WorksOnWhenANewerProgramHasAddedToTheTables(t *testing.T) {
	path := filepath.Join(t.TempDir(), "alerts.db")
	postgres := testkit.NewDatabase(t)
	for name, c := range map[string]struct{ url, driver, dsn, tables string }{
		"SQLite":     {"sqlite:" + path, "sqlite", "file:" + path, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"},
		"PostgreSQL": {postgres, "pgx", postgres, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, c.url)
			channel := newChannel(t, s, "one")
			db, err := sql.Open(c.driver, c.dsn)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if name, err := s.Newer(t.Context()); err != nil || name != "" {
				t.Errorf("before: newer by %q, %v", name, err)
			}
			addColumns(t, db, c.tables)
			if name, err := s.Newer(t.Context()); err != nil || name != "9999" {
				t.Errorf("afterwards: newer by %q, %v", name, err)
			}
			a := alert("error")
			a.Rustbucket = &models.Rustbucket{ID: "BKT1", Name: "one"}
			id := create(t, s, insert(a, channel), insert(alert("error"), channel))[0].Alert.ID
			claimed := claim(t, s, channel, 9, "me")
			if len(claimed) != 2 {
				t.Fatalf("claimed %d", len(claimed))
			}
			d := claimed[0].Delivery
			o := store.Outcome{Delivery: d, Status: models.Failed, Attempt: &models.DeliveryAttempt{DeliveryID: d.ID, Number: 1, StartedAt: time.Now()}}
			if applied := record(t, s, "me", o); len(applied) != 1 {
				t.Fatal(applied)
			}
			if _, err := s.RetryDelivery(t.Context(), d.ID); err != nil {
				t.Error(err)
			}
			if _, _, err := s.ChangeAlert(t.Context(), id, models.AlertChange{Kind: models.WasResolved}); err != nil {
				t.Error(err)
			}
			if _, _, err := s.ExpectHeartbeat(t.Context(), models.Watch{RustbucketID: "BKT1", IntervalSeconds: new(60)}); err != nil {
				t.Error(err)
			}
			if found, err := s.Rustbuckets(t.Context(), nil, "", 9); err != nil || len(found) != 1 {
				t.Errorf("rustbuckets %v, %v", found, err)
			}
			if err := s.CreateToken(t.Context(), &models.Token{Name: "t", CreatedAt: s.Now()}, []byte("hash")); err != nil {
				t.Error(err)
			}
			if err := s.RevokeToken(t.Context(), "t"); err != nil {
				t.Error(err)
			}
			if err := s.Place(t.Context()); err != nil {
				t.Error(err)
			}
			if events, _, err := s.Events(t.Context(), 0, 99); err != nil || len(events) < 4 {
				t.Errorf("events %v, %v", events, err)
			}
		})
	}
}

// addColumns gives every table another column, as a migration of a newer program.
func addColumns(t *testing.T, db *sql.DB, tables string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), tables)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	names := []string{}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(name, "bun_") {
			names = append(names, name)
		}
	}
	if err := rows.Err(); err != nil || len(names) < 10 {
		t.Fatal(names, err)
	}
	rows.Close()
	for _, name := range names {
		if _, err := db.ExecContext(t.Context(), "ALTER TABLE "+name+" ADD COLUMN made_later text"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.ExecContext(t.Context(), "INSERT INTO bun_migrations (name, group_id, migrated_at) VALUES ('9999', 99, '2030-01-01 00:00:00')"); err != nil {
		t.Fatal(err)
	}
}
