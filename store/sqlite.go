package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/gofrs/flock"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// foldCase gives SQLite a lower() that knows more letters than A to Z, as PostgreSQL's does.
var foldCase = sync.OnceValue(func() error {
	return sqlite.RegisterDeterministicScalarFunction("fold_case", 1,
		func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
			s, ok := args[0].(string)
			if !ok {
				return args[0], nil
			}
			return strings.ToLower(s), nil
		})
})

func (s *Store) openSQLite(ctx context.Context, path string, alone bool) error {
	if err := foldCase(); err != nil {
		return fmt.Errorf("open SQLite: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("open SQLite: %w", err)
	}
	if alone {
		s.lock = flock.New(path + ".lock")
		got, err := s.lock.TryLock()
		if err != nil {
			return fmt.Errorf("lock %s: %w", path, err)
		}
		if !got {
			return fmt.Errorf("%s is in use by another server: stop that one, or set DATABASE_URL to a PostgreSQL database to run several", path)
		}
	}
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() + "?_pragma=busy_timeout(10000)&_pragma=foreign_keys(1)&_pragma=synchronous(FULL)&_time_format=sqlite"
	// One connection writes: SQLite allows one writer, and waiting in Go is fairer than in its busy handler.
	writer, err := sql.Open("sqlite", dsn+"&_pragma=journal_mode(WAL)&_txlock=immediate")
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	writer.SetMaxOpenConns(1)
	s.db = bun.NewDB(writer, sqlitedialect.New(), bun.WithDiscardUnknownColumns())
	if err := s.db.PingContext(ctx); err != nil {
		return s.explain("open "+path, err)
	}
	reader, err := sql.Open("sqlite", dsn+"&_pragma=query_only(1)")
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	reader.SetMaxOpenConns(4)
	reader.SetMaxIdleConns(4)
	s.read = bun.NewDB(reader, sqlitedialect.New(), bun.WithDiscardUnknownColumns())
	return nil
}

func sqliteCode(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return 0
}

func isSQLiteUnique(err error) bool { return sqliteCode(err) == sqlite3.SQLITE_CONSTRAINT_UNIQUE }

func isSQLiteRefusal(err error) bool {
	code := sqliteCode(err) & 0xff
	return code == sqlite3.SQLITE_CONSTRAINT || code == sqlite3.SQLITE_TOOBIG || code == sqlite3.SQLITE_MISMATCH
}

func isSQLiteReadOnly(err error) bool {
	code := sqliteCode(err) & 0xff
	return code == sqlite3.SQLITE_READONLY || code == sqlite3.SQLITE_CANTOPEN || code == sqlite3.SQLITE_PERM
}

func isSQLiteFull(err error) bool { return sqliteCode(err)&0xff == sqlite3.SQLITE_FULL }
