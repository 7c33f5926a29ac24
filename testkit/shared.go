package testkit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// shared is the one server of this test binary: starting one takes a second or two, a database on it some milliseconds.
var shared struct {
	once      sync.Once
	server    *Postgres
	err       error
	databases atomic.Int64
}

// SharedPostgres is the server that all tests of this binary share, started by the first that asks. The test fails when
// it cannot be started. A test that crashes or reconfigures its server takes PrivatePostgres instead.
func SharedPostgres(t testing.TB) *Postgres {
	t.Helper()
	shared.once.Do(func() { shared.server, shared.err = StartPostgres("") })
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.server
}

// StopPostgres stops the shared server, if there is one, and removes its folder. It belongs into TestMain, after m.Run.
// Where that is missing the server ends with the process on Linux, and the next run clears its folder away.
func StopPostgres() error {
	shared.once.Do(func() { shared.err = errors.New("the shared PostgreSQL was stopped") })
	if shared.server == nil {
		return nil
	}
	return shared.server.Stop()
}

// PrivatePostgres is a server for this test alone, stopped at its end. The test fails when it cannot be started.
func PrivatePostgres(t testing.TB, opts ...Option) *Postgres {
	t.Helper()
	p, err := StartPostgres("", opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// NewDatabase makes an empty database on the shared server and returns its URL. It is dropped at the end of the test,
// with whatever connections are still open.
func NewDatabase(t testing.TB) string {
	t.Helper()
	p := SharedPostgres(t)
	name := fmt.Sprintf("test_%d", shared.databases.Add(1))
	if err := p.CreateDatabase(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.DropDatabase(context.Background(), name); err != nil {
			t.Error(err)
		}
	})
	return p.URL(name)
}

// Run runs the tests of a package and stops the shared server after them. It is all that a TestMain needs:
//
//	func TestMain(m *testing.M) { os.Exit(testkit.Run(m)) }
func Run(m *testing.M) int {
	code := m.Run()
	if err := StopPostgres(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// Until waits for a condition and fails the test when it is not met within two minutes: longer than anything takes, the longest pauses
// of the server included.
func Until(t testing.TB, what string, met func() bool) {
	t.Helper()
	began, looks := time.Now(), 1
	for ; !met(); looks++ {
		if waited := time.Since(began); waited > 2*time.Minute {
			t.Fatalf("waited in vain for %s: looked %d times in %v", what, looks, waited.Round(time.Second))
		}
		time.Sleep(2 * time.Millisecond)
	}
}
