package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/migrate"

	"github.com/rustbucket/alerts/migrations"
)

// migrationLock is the advisory lock under which one process at a time migrates ("alerts" in ASCII).
const migrationLock = 0x616c65727473

// Migrate brings the tables up to date. Any number of processes may call it at once. It refuses a database that a newer
// version of the program has migrated. It returns the names of the migrations that it applied.
func (s *Store) Migrate(ctx context.Context) ([]string, error) {
	if s.isPostgres() {
		// A session lock on a connection of its own: it goes with the connection, so that a crash locks nobody out.
		conn, err := s.pool.Acquire(ctx)
		if err != nil {
			return nil, fmt.Errorf("migrate: %w", err)
		}
		defer conn.Release()
		if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1)", migrationLock); err != nil {
			return nil, fmt.Errorf("migrate: %w", err)
		}
		defer func() {
			_, _ = conn.Exec(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", migrationLock)
		}()
	}
	migrator, err := s.migrator()
	if err != nil {
		return nil, err
	}
	if err := migrator.Init(ctx); err != nil {
		return nil, s.explain("migrate", err)
	}
	if err := refuseNewer(ctx, migrator); err != nil {
		return nil, err
	}
	group, err := migrator.Migrate(ctx)
	if err != nil {
		return nil, s.explain("migrate", err)
	}
	var applied []string
	for _, m := range group.Migrations {
		applied = append(applied, m.Name+"_"+m.Comment)
	}
	return applied, s.identify(ctx)
}

// Current returns an error unless the tables are those of this program. It changes nothing.
func (s *Store) Current(ctx context.Context) error {
	migrator, err := s.migrator()
	if err != nil {
		return err
	}
	status, err := migrator.MigrationsWithStatus(ctx)
	if err != nil || len(status.Unapplied()) > 0 {
		return errors.New("the database is not set up: start the server once, or run the command migrate")
	}
	if err := refuseNewer(ctx, migrator); err != nil {
		return err
	}
	return s.identify(ctx)
}

func (s *Store) migrator() (*migrate.Migrator, error) {
	name := "sqlite"
	if s.isPostgres() {
		name = "postgres"
	}
	m, err := migrations.For(name)
	if err != nil {
		return nil, err
	}
	return migrate.NewMigrator(s.db, m, migrate.AfterMigration(markApplied), migrate.WithMarkAppliedOnSuccess(true), migrate.WithUpsert(true)), nil
}

// markApplied notes a migration in its own transaction. The migrator does so once more afterwards; were that all, a program that is
// killed in between would try to make the same tables again, at every start.
func markApplied(ctx context.Context, tx bun.IConn, m *migrate.Migration) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO bun_migrations (name, group_id) VALUES (?, ?)", m.Name, m.GroupID)
	return err
}

// Newer gives the first migration of the database that this program does not know, because a newer one has made it since: what this
// one started with was its own. Empty = there is none.
func (s *Store) Newer(ctx context.Context) (string, error) {
	migrator, err := s.migrator()
	if err != nil {
		return "", err
	}
	return newer(ctx, migrator)
}

func newer(ctx context.Context, migrator *migrate.Migrator) (string, error) {
	missing, err := migrator.MissingMigrations(ctx)
	if err != nil || len(missing) == 0 {
		return "", err
	}
	return missing[0].Name, nil
}

func refuseNewer(ctx context.Context, migrator *migrate.Migrator) error {
	name, err := newer(ctx, migrator)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	if name != "" {
		return fmt.Errorf("the database is newer than this program (it has migration %s): run the newer program", name)
	}
	return nil
}

// identify reads the database's own id and makes one when there is none.
func (s *Store) identify(ctx context.Context) error {
	read := func() error {
		return s.db.NewRaw("SELECT database_id FROM meta WHERE id = 1").Scan(ctx, &s.databaseID)
	}
	if err := read(); !errors.Is(err, sql.ErrNoRows) {
		return s.explain("read the database's id", err)
	}
	var id [6]byte
	_, _ = rand.Read(id[:]) // never fails, as its documentation says
	return s.inTx(ctx, "name the database", func(tx bun.Tx) error {
		_, err := tx.NewRaw("INSERT INTO meta (id, database_id) VALUES (1, ?) ON CONFLICT (id) DO NOTHING", hex.EncodeToString(id[:])).Exec(ctx)
		if err != nil {
			return err
		}
		return tx.NewRaw("SELECT database_id FROM meta WHERE id = 1").Scan(ctx, &s.databaseID)
	})
}
