package testkit

import (
	"syscall"
	"testing"
	"time"
)

// Computed is how long this process has computed so far, in all its threads: that does not go on while the machine stands still or
// works for others.
func Computed(t testing.TB) time.Duration {
	t.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
