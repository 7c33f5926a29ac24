//go:build unix

package notifiers

import (
	"net"
	"syscall"
	"testing"
)

// shrinkBacklog makes the kernel keep as few connections as it can for a listener that accepts none.
func shrinkBacklog(t *testing.T, l *net.TCPListener) {
	t.Helper()
	conn, err := l.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if ctlErr := conn.Control(func(fd uintptr) { err = syscall.Listen(int(fd), 0) }); ctlErr != nil || err != nil {
		t.Fatal(ctlErr, err)
	}
}
