// Package store keeps everything, in PostgreSQL or SQLite: every query of the program stands here, in terms of models.
//
// It promises: a method that changes something does so in one transaction, events for subscribers included, and has
// changed nothing when it returns an error; both databases behave alike (one conformance suite runs over both); times are
// UTC with microseconds. Errors that are the caller's own mistake are *models.Error. It never sends anything anywhere.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/seal"
)

// Errors of the storage itself, in words that may be shown.
var (
	ErrReadOnly = errors.New("the database cannot be written: it is read-only")
	ErrFull     = errors.New("the database cannot be written: there is no space left")
)

// Options say how to open a store.
type Options struct {
	URL     string        // postgres://… or sqlite:PATH
	Keyring *seal.Keyring // seals what is secret in channels
	Log     *slog.Logger
	// Alone makes an SQLite file this process's own: opening fails when another server has it. PostgreSQL is always shared.
	Alone bool
	// Wall is the machine's clock; nil = time.Now. Tests set another.
	Wall func() time.Time
}

// Store is the database. Its methods may be called from any goroutine.
type Store struct {
	db         *bun.DB // writes, and reads that must see them
	read       *bun.DB // reads; on SQLite a pool of its own beside the one writer
	pool       *pgxpool.Pool
	keyring    *seal.Keyring
	log        *slog.Logger
	lock       *flock.Flock
	databaseID string
	clock      clock
	appended   chan struct{}
	onCancel   func(channelID int64, reason string)
	queries    counter
	statsTime  time.Duration
	counting   chan struct{} // statistics that are being counted
}

// Open connects to the database. It creates an SQLite file, but no tables: call Migrate before anything else.
func Open(ctx context.Context, o Options) (*Store, error) {
	s := &Store{keyring: o.Keyring, log: o.Log, appended: make(chan struct{}, 1), statsTime: statsTime, counting: make(chan struct{}, statsAtOnce)}
	if o.Wall == nil {
		o.Wall = time.Now
	}
	s.clock.wall = o.Wall
	var err error
	if path, ok := strings.CutPrefix(o.URL, "sqlite:"); ok {
		err = s.openSQLite(ctx, path, o.Alone)
	} else {
		err = s.openPostgres(ctx, o.URL)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	shared := s.read == s.db
	s.db = s.db.WithQueryHook(&s.queries)
	if s.read = s.read.WithQueryHook(&s.queries); shared {
		s.read = s.db
	}
	return s, nil
}

// OnCancel sets what is called for each delivery that the store cancels by itself, a little before that is committed. It is
// for counting, and set before anything else is called.
func (s *Store) OnCancel(f func(channelID int64, reason string)) { s.onCancel = f }

// Close ends all connections.
func (s *Store) Close() {
	if s.read != nil && s.read != s.db {
		_ = s.read.Close()
	}
	if s.db != nil {
		_ = s.db.Close()
	}
	if s.pool != nil {
		s.pool.Close()
	}
	if s.lock != nil {
		_ = s.lock.Close()
	}
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error { return s.db.PingContext(ctx) }

// Shared reports whether other processes may work on the same database.
func (s *Store) Shared() bool { return s.isPostgres() }

// Keyring seals what only the servers of this database may read.
func (s *Store) Keyring() *seal.Keyring { return s.keyring }

// DatabaseID is a name that this database got when it was made. Cursors carry it.
func (s *Store) DatabaseID() string { return s.databaseID }

// Appended receives a value, soon after the commit, when this process has committed events. Several commits may share one.
func (s *Store) Appended() <-chan struct{} { return s.appended }

func (s *Store) isPostgres() bool { return s.db.Dialect().Name() == dialect.PG }

// inTx runs f in a transaction. Inside f only tx may be used: on SQLite the store itself would wait for f for ever. f runs
// again when PostgreSQL had to end the transaction to resolve a deadlock.
func (s *Store) inTx(ctx context.Context, what string, f func(tx bun.Tx) error) error {
	err := afterDeadlocks(func() error {
		return s.db.RunInTx(ctx, &sql.TxOptions{}, func(_ context.Context, tx bun.Tx) error { return f(tx) })
	})
	return s.explain(what, err)
}

// deadlockTries is how often something is tried that others keep from its end.
const deadlockTries = 5

// afterDeadlocks does something again that a deadlock has undone.
func afterDeadlocks(do func() error) (err error) {
	for range deadlockTries {
		if err = do(); !isDeadlock(err) {
			break
		}
	}
	return err
}

// run carries out statements whose answers nobody needs, in their order. On PostgreSQL they go as one message, which is a
// transaction by itself outside of one.
func (s *Store) run(ctx context.Context, db bun.IDB, statements []bun.Query) error {
	if !s.isPostgres() {
		for _, q := range statements {
			if _, err := db.NewRaw("?", q).Exec(ctx); err != nil {
				return err
			}
		}
		return nil
	}
	if len(statements) == 0 {
		return nil
	}
	args := make([]any, len(statements))
	for i, q := range statements {
		args[i] = q
	}
	_, err := db.NewRaw(strings.TrimSuffix(strings.Repeat("?;\n", len(args)), ";\n"), args...).Exec(ctx)
	return err
}

// explain says what was being done when err happened, and leaves errors that are the caller's as they are.
func (s *Store) explain(what string, err error) error {
	var own *models.Error
	switch {
	case err == nil || errors.As(err, &own):
		return err
	case isReadOnly(err):
		return fmt.Errorf("%s: %w (%w)", what, ErrReadOnly, err)
	case isFull(err):
		return fmt.Errorf("%s: %w (%w)", what, ErrFull, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// one turns sql.ErrNoRows into a NOT_FOUND that names the thing.
func one(kind string, id any, err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return models.Missing(kind, id)
	}
	return err
}

// Queries says how many statements were sent to the database so far.
func (s *Store) Queries() int64 { return s.queries.Load() }

// counter is a bun.QueryHook.
type counter struct{ atomic.Int64 }

func (c *counter) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context {
	c.Add(1)
	return ctx
}

func (c *counter) AfterQuery(context.Context, *bun.QueryEvent) {}
