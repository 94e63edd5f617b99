package client

import (
	"cmp"
	"context"
	"errors"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/steps"
)

// collectLoop removes finished allocations: those that nobody knows any more at
// once, others when there are too many of them or the disk is too full. What
// runs is never touched.
func (c *Client) collectLoop(ctx context.Context) {
	tick := time.NewTicker(c.cfg.GC.Interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			c.removeStray()
		case <-c.collect:
		}
		c.collectSome(ctx)
	}
}

// finished gives the allocations that may be collected, the oldest first, and
// how many at their beginning nobody knows any more.
func (c *Client) finished() (out []*entry, unknown int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.allocs {
		if e.acked && e.Over() {
			out = append(out, e)
			if e.unknown {
				unknown++
			}
		}
	}
	slices.SortFunc(out, func(a, b *entry) int { return cmp.Compare(endOf(a), endOf(b)) })
	return out, unknown
}

// endOf says when an allocation ended; those that nobody knows come first.
func endOf(e *entry) int64 {
	if e.unknown {
		return 0
	}
	return e.Reported().ModifyTime
}

func (c *Client) collectSome(ctx context.Context) {
	done, unknown := c.finished()
	n := max(unknown, len(done)-c.cfg.GC.MaxAllocs)
	c.destroyAll(ctx, done[:n])
	for _, e := range done[n:] {
		if ctx.Err() != nil || !c.diskFull() {
			return
		}
		c.destroyAll(ctx, []*entry{e})
	}
}

// destroyAll removes allocations, a few at a time.
func (c *Client) destroyAll(ctx context.Context, list []*entry) {
	slots := make(chan struct{}, c.cfg.GC.ParallelDestroys)
	var all sync.WaitGroup
	for _, e := range list {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			all.Wait()
			return
		}
		all.Go(func() {
			defer func() { <-slots }()
			if err := c.destroy(e); err != nil {
				c.logger.Warn("a finished allocation is not removed", "alloc_id", e.ID(), "err", err)
			}
		})
	}
	all.Wait()
}

// diskFull says whether the file system of the allocations is fuller than it may be.
func (c *Client) diskFull() bool {
	var st unix.Statfs_t
	if err := unix.Statfs(c.cfg.AllocDir, &st); err != nil || st.Blocks == 0 {
		return false
	}
	used := 100 * float64(st.Blocks-st.Bfree) / float64(st.Blocks-st.Bfree+st.Bavail)
	if used > c.cfg.GC.DiskUsage {
		return true
	}
	return st.Files > 0 && 100*float64(st.Files-st.Ffree)/float64(st.Files) > c.cfg.GC.InodeUsage
}

// strays lists directories of allocations that are not known here: what an
// earlier agent left whose state was lost.
func (c *Client) strays() []string {
	select {
	case <-c.hold:
	default:
		return nil // the servers may still name them
	}
	dirs, err := os.ReadDir(c.cfg.AllocDir)
	if err != nil {
		c.logger.Warn("the allocations' directory cannot be listed", "err", err)
		return nil
	}
	var out []string
	for _, d := range dirs {
		if _, known := c.lookup(d.Name()); !known && len(d.Name()) == 36 && d.IsDir() {
			out = append(out, d.Name())
		}
	}
	return out
}

// removeStray removes the directories of allocations that are not known here
// and of which nothing runs.
func (c *Client) removeStray() {
	for _, id := range c.strays() {
		if len(processesOf([]string{id})) > 0 {
			continue // the reaper's turn first
		}
		if err := steps.RemoveAll(c.cfg.AllocDir + "/" + id); err != nil {
			c.logger.Warn("what an unknown allocation left is not removed", "alloc_id", id, "err", err)
			continue
		}
		c.logger.Info("what an unknown allocation left is removed", "alloc_id", id)
	}
}

// GCAlloc removes a finished allocation's directory and forgets it. One that is
// not finished is refused.
func (c *Client) GCAlloc(_ context.Context, allocID string) error {
	e, ok := c.lookup(allocID)
	if !ok {
		return errNoAlloc(allocID)
	}
	if !e.Over() {
		return api.Errorf(api.ErrInvalid, "allocation %s has not ended: stop it first", allocID)
	}
	c.mu.Lock()
	acked := e.acked
	c.mu.Unlock()
	if !acked {
		return api.Errorf(api.ErrUnavailable, "allocation %s has ended, but the servers do not know it yet: try again", allocID)
	}
	return c.destroy(e)
}

// GCAll does so for all finished allocations.
func (c *Client) GCAll(ctx context.Context) error {
	var all error
	done, _ := c.finished()
	for _, e := range done {
		if err := ctx.Err(); err != nil {
			return errors.Join(all, err)
		}
		all = errors.Join(all, c.destroy(e))
	}
	return all
}
