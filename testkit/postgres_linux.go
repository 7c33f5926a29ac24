package testkit

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// processAttributes run the server as the account, and end it (an immediate shutdown) when this process ends, however it
// ends.
func processAttributes(a *account) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGQUIT} // a group of its own: Ctrl-C is for us
	if a != nil {
		attr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	}
	return attr
}

// lockFile takes the file's lock, which ends with the process, and fails at once when somebody else has it.
func lockFile(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}

// keepPort gives a free port of 127.0.0.1 that nobody else is given until letGo is called, also while the server is down: it belongs to
// a socket that does not listen, which on Linux keeps no program from listening there that sets SO_REUSEADDR, as PostgreSQL does.
func keepPort() (port int, letGo func(), err error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, nil, fmt.Errorf("looking for a free port: %w", err)
	}
	err = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	if err == nil {
		err = syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	}
	var address syscall.Sockaddr
	if err == nil {
		address, err = syscall.Getsockname(fd)
	}
	if err != nil {
		return 0, nil, errors.Join(fmt.Errorf("looking for a free port: %w", err), syscall.Close(fd))
	}
	return address.(*syscall.SockaddrInet4).Port, func() { _ = syscall.Close(fd) }, nil
}
