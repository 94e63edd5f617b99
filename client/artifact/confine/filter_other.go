//go:build !amd64 && !arm64

package confine

// filter does nothing here: the numbers of system calls are known for amd64 and
// arm64 only. The other walls stand.
func filter() error { return nil }
