package image

import (
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// lockPoll is how often a lock that somebody else holds is tried again, at most.
const lockPoll = 20 * time.Millisecond

// flock is a lock on a file. It holds between processes and between goroutines,
// as each lock is a file opened anew, and ends with its process.
type flock struct{ file *os.File }

// tryLock takes the lock if nobody has it; nil means that somebody does.
func tryLock(path string) (*flock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err != unix.EINTR {
			break
		}
	}
	if err == nil {
		return &flock{f}, nil
	}
	f.Close()
	if err == unix.EWOULDBLOCK {
		return nil, nil
	}
	return nil, fmt.Errorf("lock %s: %w", path, err)
}

// takeLock waits for the lock until ctx ends.
func takeLock(ctx context.Context, path string) (*flock, error) {
	for wait := lockPoll / 20; ; wait = min(2*wait, lockPoll) {
		l, err := tryLock(path)
		if l != nil || err != nil {
			return l, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for %s: %w", path, context.Cause(ctx))
		case <-time.After(wait):
		}
	}
}

// release gives the lock back. The file stays: to remove it would let two hold it.
func (l *flock) release() { l.file.Close() }
