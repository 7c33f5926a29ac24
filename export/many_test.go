//go:build !race

package export

// many is how many alerts the long exports have.
const many = 100_000
