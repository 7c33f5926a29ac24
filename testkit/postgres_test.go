package testkit

import (
	"bufio"
	"context"
	"errors"
	"io/fs"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

func TestMain(m *testing.M) {
	// The test of the sudden end starts this binary again, as somebody who never stops the server.
	if os.Getenv("TESTKIT_BE_ABANDONED") != "" {
		p, err := StartPostgres("")
		if err != nil {
			panic(err)
		}
		println(p.folder + " " + p.URL("postgres"))
		select {}
	}
	code := m.Run()
	if err := StopPostgres(); err != nil {
		println(err.Error())
		code = 1
	}
	os.Exit(code)
}

func TestNewDatabase_IsEmptyAndDroppedAfterwards(t *testing.T) {
	var name string
	t.Run("first", func(t *testing.T) {
		dsn := NewDatabase(t)
		u, err := url.Parse(dsn)
		if err != nil {
			t.Fatal(err)
		}
		name = strings.TrimPrefix(u.Path, "/")
		conn := connect(t, dsn) // left open: the drop must not wait for it
		run(t, conn, "CREATE TABLE here (n int)")
	})
	t.Run("second", func(t *testing.T) {
		conn := connect(t, NewDatabase(t))
		if n := one[int](t, conn, "SELECT count(*) FROM pg_tables WHERE tablename = 'here'"); n != 0 {
			t.Error("the second database has the first one's table")
		}
		if n := one[int](t, conn, "SELECT count(*) FROM pg_database WHERE datname = '"+name+"'"); n != 0 {
			t.Errorf("database %s is still there", name)
		}
	})
}

func TestPostgres_IsPrivate(t *testing.T) {
	p := SharedPostgres(t)
	conn := connect(t, p.URL("postgres"))
	if got := one[string](t, conn, "SHOW listen_addresses"); got != "127.0.0.1" {
		t.Errorf("listens on %q", got)
	}
	if got := one[string](t, conn, "SHOW server_encoding"); got != "UTF8" {
		t.Errorf("encoding is %q", got)
	}
	if got := one[string](t, conn, "SELECT lower('É')"); got != "é" {
		t.Errorf("lower('É') is %q", got)
	}
	u, _ := url.Parse(p.URL("postgres"))
	u.User = url.UserPassword("postgres", "guess")
	if c, err := pgx.Connect(t.Context(), u.String()); err == nil {
		_ = c.Close(t.Context())
		t.Error("a wrong password was let in")
	}
}

func TestPostgres_KeepsCommitsOverCrash(t *testing.T) {
	p := PrivatePostgres(t)
	conn := connect(t, p.URL("postgres"))
	run(t, conn, "CREATE TABLE kept (n int)")
	run(t, conn, "INSERT INTO kept VALUES (1)")
	before := p.URL("postgres")
	if err := p.Crash(); err != nil {
		t.Fatal(err)
	}
	if c, err := pgx.Connect(t.Context(), before); err == nil {
		_ = c.Close(t.Context())
		t.Fatal("the server answers after a crash")
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	if got := one[int](t, connect(t, before), "SELECT n FROM kept"); got != 1 {
		t.Errorf("the row is %d", got)
	}
}

func TestPostgres_StopRemovesEverything(t *testing.T) {
	p := PrivatePostgres(t, Durable(), Setting("max_connections", "17"))
	conn := connect(t, p.URL("postgres"))
	if got := one[string](t, conn, "SHOW fsync"); got != "on" {
		t.Errorf("fsync is %q in a durable server", got)
	}
	if got := one[string](t, conn, "SHOW max_connections"); got != "17" {
		t.Errorf("max_connections is %q", got)
	}
	for range 2 {
		if err := p.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(p.folder); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder is still there: %v", err)
	}
	if err := p.Start(); err == nil {
		t.Error("a stopped server could be started")
	}
}

func TestPostgres_EndsWithTheProcessThatStartedIt(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "TESTKIT_BE_ABANDONED=1")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stderr).ReadString('\n')
	folder, dsn, _ := strings.Cut(strings.TrimSpace(line), " ")
	if killErr := cmd.Process.Kill(); killErr != nil || err != nil {
		t.Fatal(killErr, err, line)
	}
	_ = cmd.Wait()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	Until(t, "the server's end", func() bool {
		c, err := net.Dial("tcp", u.Host)
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})
	// Others may be at it at this moment, and what they have taken is passed by.
	Until(t, "the folder of a dead process to be cleared away", func() bool {
		removeAbandoned(filepath.Dir(folder))
		_, err := os.Stat(folder)
		return errors.Is(err, fs.ErrNotExist)
	})
	if _, err := os.Stat(SharedPostgres(t).folder); err != nil {
		t.Errorf("the folder of a living process was cleared away: %v", err)
	}
}

func TestStartPostgres_SaysWhatIsMissing(t *testing.T) {
	t.Setenv("TEST_POSTGRES_BIN", t.TempDir())
	_, err := StartPostgres("")
	if err == nil || !strings.Contains(err.Error(), "TEST_POSTGRES_BIN") || strings.Contains(err.Error(), "\n") {
		t.Errorf("error is %v", err)
	}
}

func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func run(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func one[T any](t *testing.T, conn *pgx.Conn, sql string) (value T) {
	t.Helper()
	if err := conn.QueryRow(t.Context(), sql).Scan(&value); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return value
}
