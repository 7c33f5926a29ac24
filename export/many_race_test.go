//go:build race

package export

// many is smaller here: the race detector makes SQLite, which is Go, some ten times as slow.
const many = 30_000
