// Package testkit brings real services to the tests and to the bench.
//
// It promises: what it starts is the real thing and private to the caller; it listens on the loopback only, is stopped
// when the caller is done, and does not outlive the process that asked for it. A service that is missing on this machine
// is an error of one line that says what to install: tests then fail, they never skip.
//
// The server never imports this package.
package testkit
