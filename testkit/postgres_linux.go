package testkit

import (
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
