package backup

import (
	"context"
	"errors"
	"io"
)

// ErrBusy is the kind of error for a target whose lock somebody else holds.
var ErrBusy = errors.New("another agent is writing snapshots there")

// Target is where snapshots are kept.
type Target interface {
	// Lock makes the caller the only writer until release is called; ErrBusy
	// when somebody else is.
	Lock(ctx context.Context) (release func(), err error)
	// Names lists what is there, in any order; also what is not ours.
	Names(ctx context.Context) ([]string, error)
	// Put keeps a snapshot: under its name there is all of it, or nothing.
	Put(ctx context.Context, name string, content io.ReadSeeker, size int64, digest [32]byte) error
	// Remove removes a snapshot.
	Remove(ctx context.Context, name string) error
	// String names the target for logs, without anything secret.
	String() string
}
