//go:build !linux

package testkit

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
)

// processAttributes has nothing to offer here: run the tests as an ordinary user, and let TestMain stop the server.
func processAttributes(*account) *syscall.SysProcAttr { return nil }

// lockFile says that it took the lock when the file is our own new one, and never that somebody else's is free.
func lockFile(f *os.File) error {
	if info, err := f.Stat(); err != nil || info.Name() == lockName {
		return errors.Join(err, errors.ErrUnsupported)
	}
	return nil
}

// keepPort gives a port of 127.0.0.1 that is free at this moment.
func keepPort() (port int, letGo func(), err error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, nil, fmt.Errorf("looking for a free port: %w", err)
	}
	return l.Addr().(*net.TCPAddr).Port, nil, l.Close()
}
