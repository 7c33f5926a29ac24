package store_test

import (
	"database/sql"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/rustbucket/alerts/seal"
	"github.com/rustbucket/alerts/store"
	"github.com/rustbucket/alerts/testkit"
)

// TestMigrate_GoesOnWhereItWasCutOff makes it impossible to note one migration, as a crash or a full disk does.
func TestMigrate_GoesOnWhereItWasCutOff(t *testing.T) {
	path := filepath.Join(t.TempDir(), "alerts.db")
	postgres := testkit.NewDatabase(t)
	for name, c := range map[string]struct{ url, driver, dsn, id, cut, mend string }{
		"SQLite": {
			url: "sqlite:" + path, driver: "sqlite", dsn: "file:" + path, id: "INTEGER PRIMARY KEY AUTOINCREMENT",
			cut:  "CREATE TRIGGER cut BEFORE INSERT ON bun_migrations WHEN NEW.name = '0003' BEGIN SELECT RAISE(ABORT, 'cut off'); END",
			mend: "DROP TRIGGER cut",
		},
		"PostgreSQL": {
			url: postgres, driver: "pgx", dsn: postgres, id: "bigserial PRIMARY KEY",
			cut:  "ALTER TABLE bun_migrations ADD CONSTRAINT cut CHECK (name <> '0003')",
			mend: "ALTER TABLE bun_migrations DROP CONSTRAINT cut",
		},
	} {
		t.Run(name, func(t *testing.T) {
			keys, err := seal.New(make([]byte, 32))
			if err != nil {
				t.Fatal(err)
			}
			s, err := store.Open(t.Context(), store.Options{URL: c.url, Keyring: keys, Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			db, err := sql.Open(c.driver, c.dsn)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			table := "CREATE TABLE bun_migrations (id " + c.id + ", name varchar, group_id bigint, migrated_at timestamp NOT NULL DEFAULT current_timestamp)"
			for _, statement := range []string{table, c.cut} {
				if _, err := db.ExecContext(t.Context(), statement); err != nil {
					t.Fatal(err)
				}
			}
			if applied, err := s.Migrate(t.Context()); err == nil {
				t.Fatalf("was not cut off: %v", applied)
			}
			if _, err := db.ExecContext(t.Context(), c.mend); err != nil {
				t.Fatal(err)
			}
			if applied, err := s.Migrate(t.Context()); err != nil || len(applied) == 0 || applied[0] != "0003_queue" {
				t.Fatalf("applied %v, %v", applied, err)
			}
			var rows, names int
			if err := db.QueryRowContext(t.Context(), "SELECT count(*), count(DISTINCT name) FROM bun_migrations").Scan(&rows, &names); err != nil || rows != names {
				t.Errorf("%d rows note %d migrations, %v", rows, names, err)
			}
			if applied, err := s.Migrate(t.Context()); err != nil || len(applied) > 0 {
				t.Errorf("once more: %v, %v", applied, err)
			}
		})
	}
}
