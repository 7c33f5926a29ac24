//go:build !linux

package testkit

import (
	"errors"
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
