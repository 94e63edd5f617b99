package client

import (
	"context"
	"time"

	"github.com/seraihq/serai/client/diskwatch"
)

// diskLoop ends allocations that take more of the disk than they may.
func (c *Client) diskLoop(ctx context.Context) {
	if c.cfg.FreeDisk {
		return
	}
	watch := diskwatch.New(c.cfg.AllocDir, c.logger)
	tick := time.NewTicker(diskwatch.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		var all []diskwatch.Allocation
		for _, e := range c.entries() {
			if !e.Over() {
				all = append(all, diskwatch.Allocation{ID: e.ID(), Dir: e.Dir(), Limit: e.DiskLimit()})
			}
		}
		for _, x := range watch.Round(ctx, all) {
			e, ok := c.lookup(x.ID)
			switch {
			case !ok:
			case x.Deep:
				e.DiskTooDeep()
			default:
				e.DiskExceeded(x.Used, x.Limit)
			}
		}
	}
}
