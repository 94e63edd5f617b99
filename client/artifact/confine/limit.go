package confine

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Limits of a confined process, each per process but those of processes, which
// are per user.
const (
	memoryBytes = 2 << 30 // of data: what decompression and git need, and no more
	openFiles   = 1024
	processes   = 512 // and threads
	// fileSlack lets a program find its own limit before the kernel's ends it.
	fileSlack = 16 << 20
)

func (s Spec) limit() error {
	list := map[int]uint64{
		unix.RLIMIT_CORE: 0, unix.RLIMIT_DATA: memoryBytes, unix.RLIMIT_NOFILE: openFiles, unix.RLIMIT_MEMLOCK: 0,
	}
	if s.UID >= 0 { // the user has nothing else that would count
		list[unix.RLIMIT_NPROC] = processes
	}
	if s.FileBytes > 0 {
		list[unix.RLIMIT_FSIZE] = uint64(s.FileBytes) + fileSlack
	}
	for what, n := range list {
		var now unix.Rlimit
		if err := unix.Getrlimit(what, &now); err != nil {
			return fmt.Errorf("limit %d: %w", what, err)
		}
		n = min(n, now.Max)
		if err := unix.Prlimit(0, what, &unix.Rlimit{Cur: n, Max: n}, nil); err != nil {
			return fmt.Errorf("limit %d: %w", what, err)
		}
	}
	return nil
}
