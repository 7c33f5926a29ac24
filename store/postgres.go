package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
)

// Topics of the notifications between the processes on one PostgreSQL.
const (
	TopicFeed     = "alerts_feed"     // events got their positions
	TopicChannels = "alerts_channels" // a channel was created, changed or deleted
)

// oldestPostgres is the first server version that is supported, as server_version_num has it.
const oldestPostgres = 130000

func (s *Store) openPostgres(ctx context.Context, url string) error {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		// pgx's error repeats the URL, password removed; ours need not.
		return errors.New("DATABASE_URL is not a PostgreSQL address: write it as postgres://user:password@host:5432/database")
	}
	// bun writes arguments into the SQL. In every other mode each such statement would be prepared anew.
	config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	config.ConnConfig.RuntimeParams["timezone"] = "UTC"
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = 10 * time.Second
	}
	if config.MaxConns < 10 {
		config.MaxConns = 10
	}
	// Compiling a query for a long backlog took 400 ms, longer than carrying it out. Not as a parameter of the start, which
	// PgBouncer refuses; and an engine without it goes on as it is.
	config.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "SET jit = off")
		if pgCode(err) != "" {
			return nil
		}
		return err
	}
	if s.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	sqldb := stdlib.OpenDBFromPool(s.pool)
	sqldb.SetMaxIdleConns(0) // the pool below keeps them
	// A newer server may have added columns.
	s.db = bun.NewDB(sqldb, pgdialect.New(), bun.WithDiscardUnknownColumns())
	s.read = s.db
	s.clock.wall = nil
	if err := s.syncClock(ctx); err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	var version int
	if err := s.db.NewRaw("SELECT current_setting('server_version_num')::int").Scan(ctx, &version); err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	if version < oldestPostgres {
		return fmt.Errorf("PostgreSQL %d is too old: version 13 or later is needed", version/10000)
	}
	return nil
}

// Listen calls told for every notification of another process (and of this one) until ctx ends, and once with each topic
// after every new connection, since some may have been missed. It needs a direct connection: PgBouncer in transaction mode
// does not carry notifications; the callers' own slow polls stand behind it. On SQLite it only waits for ctx.
func (s *Store) Listen(ctx context.Context, told func(topic string)) {
	if !s.isPostgres() {
		<-ctx.Done()
		return
	}
	for ctx.Err() == nil {
		err := s.listenOnce(ctx, told)
		if ctx.Err() != nil {
			return
		}
		s.log.Warn("listening for notifications of other processes was interrupted, trying again in a second", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

func (s *Store) listenOnce(ctx context.Context, told func(topic string)) error {
	conn, err := pgx.ConnectConfig(ctx, s.pool.Config().ConnConfig.Copy())
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, "LISTEN "+TopicFeed+"; LISTEN "+TopicChannels); err != nil {
		return err
	}
	told(TopicFeed)
	told(TopicChannels)
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		told(n.Channel)
	}
}

func pgCode(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// Refused reports whether the database has said that it does not take a statement's data, so that nothing of its transaction
// was stored. False also when that is not known, such as after a lost connection.
func Refused(err error) bool {
	code := pgCode(err)
	if code != "" {
		return strings.HasPrefix(code, "22") || strings.HasPrefix(code, "23") || strings.HasPrefix(code, "54")
	}
	return isSQLiteRefusal(err)
}

// SQLSTATE codes: https://www.postgresql.org/docs/current/errcodes-appendix.html
func isUnique(err error) bool   { return pgCode(err) == "23505" || isSQLiteUnique(err) }
func isReadOnly(err error) bool { return pgCode(err) == "25006" || isSQLiteReadOnly(err) }
func isDeadlock(err error) bool { return pgCode(err) == "40P01" }
func isFull(err error) bool     { return pgCode(err) == "53100" || isSQLiteFull(err) }
