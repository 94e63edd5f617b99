package consensus

import (
	"context"
	"errors"
	"io"
	"sync/atomic"

	"github.com/hashicorp/raft"
)

// minLogBytes is how much log may gather before a snapshot is made, whatever
// the number of entries: replaying it takes a second or two. A smaller one was
// a fifth of the server's work while jobs of one allocation came in thousands.
const minLogBytes = 32 << 20

// growth watches how much log has gathered since the last snapshot. The
// library counts entries only, and one entry may hold a thousand placements.
type growth struct {
	bytes  int64        // only Raft's goroutine looks
	last   atomic.Int64 // size of the last snapshot
	signal chan struct{}
}

func newGrowth() *growth { return &growth{signal: make(chan struct{}, 1)} }

// add counts an entry, and asks for a snapshot when they come to more than the
// last snapshot did.
func (g *growth) add(n int) {
	g.bytes += int64(n)
	if g.bytes < max(minLogBytes, g.last.Load()) {
		return
	}
	select {
	case g.signal <- struct{}{}:
	default:
	}
}

// counted counts what is written to a snapshot.
type counted struct {
	io.Writer
	n int64
}

func (c *counted) Write(b []byte) (int, error) {
	n, err := c.Writer.Write(b)
	c.n += int64(n)
	return n, err
}

// compactor makes snapshots when they are asked for, until the server closes.
func (r *Raft) compactor(g *growth) {
	defer close(r.compacted)
	for {
		select {
		case <-g.signal:
			err := r.Compact(context.Background())
			if err != nil && !errors.Is(err, raft.ErrNothingNewToSnapshot) && !errors.Is(err, raft.ErrRaftShutdown) {
				r.log.Warn("no snapshot was made, the log grows on", "err", err)
			}
		case <-r.closed:
			return
		}
	}
}

// Compact makes a snapshot of this server now and drops the log before it.
func (r *Raft) Compact(ctx context.Context) error {
	if err := r.wait(ctx, func() raft.Future { return r.raft.Snapshot() }); err != nil {
		return kind("make snapshot", err)
	}
	return nil
}
