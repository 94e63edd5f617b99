//go:build !amd64

package contain

// reaper is not there for this kind of processor.
var reaper []byte
