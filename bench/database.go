package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rustbucket/alerts/testkit"
)

// The databases that can be measured.
const (
	sqlite   = "sqlite"
	postgres = "postgres"
)

// database gives every measurement an empty database of its own.
type database struct {
	name    string // as people write it
	server  *testkit.Postgres
	pid     int // of PostgreSQL's first process; 0 = none, or not known
	version string
	made    int
}

func openDatabase(ctx context.Context, kind, dir string) (_ *database, err error) {
	if kind == sqlite {
		return &database{name: "SQLite"}, nil
	}
	server, err := testkit.StartPostgres(dir, testkit.Durable())
	if err != nil {
		return nil, err
	}
	d := &database{name: "PostgreSQL", server: server}
	defer func() {
		if err != nil {
			err = errors.Join(err, server.Stop())
		}
	}()
	conn, err := pgx.Connect(ctx, server.URL("postgres"))
	if err != nil {
		return nil, fmt.Errorf("connecting to PostgreSQL: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	var backend int
	var durable string
	err = conn.QueryRow(ctx, "SELECT pg_backend_pid(), split_part(current_setting('server_version'), ' ', 1), concat_ws(' ', "+
		"current_setting('fsync'), current_setting('synchronous_commit'), current_setting('full_page_writes'))").Scan(&backend, &d.version, &durable)
	switch {
	case err != nil:
		return nil, fmt.Errorf("asking PostgreSQL who it is: %w", err)
	case durable != "on on on":
		return nil, fmt.Errorf("PostgreSQL is not durable (fsync, synchronous_commit, full_page_writes are %s): its figures would mean nothing", durable)
	}
	d.pid = parentOf(backend)
	return d, nil
}

// create makes an empty database and gives its URL, empty for SQLite.
func (d *database) create(ctx context.Context) (string, error) {
	if d.server == nil {
		return "", nil
	}
	d.made++
	name := fmt.Sprintf("bench_%d", d.made)
	if err := d.server.CreateDatabase(ctx, name); err != nil {
		return "", err
	}
	return d.server.URL(name), nil
}

// cpu is the CPU time that the database's own processes have used so far. SQLite works within the server.
func (d *database) cpu() time.Duration {
	if d.pid == 0 {
		return 0
	}
	return cpuOfTree(d.pid)
}

func (d *database) close() error {
	if d.server == nil {
		return nil
	}
	return d.server.Stop()
}

// syncTime measures what it takes to append 4 KiB to a file and have it safe on the disk: the least that a commit costs.
func syncTime(dir string) (quantiles, error) {
	f, err := os.CreateTemp(dir, "alerts-bench-sync-")
	if err != nil {
		return quantiles{}, fmt.Errorf("measuring the disk: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }()
	defer func() { _ = f.Close() }()
	block := []byte(strings.Repeat("x", 4<<10))
	samples := make([]time.Duration, 200)
	for i := range samples {
		began := time.Now()
		if _, err := f.Write(block); err != nil {
			return quantiles{}, fmt.Errorf("measuring the disk: %w", err)
		}
		if err := f.Sync(); err != nil {
			return quantiles{}, fmt.Errorf("measuring the disk: %w", err)
		}
		samples[i] = time.Since(began)
	}
	return newQuantiles(samples), nil
}
