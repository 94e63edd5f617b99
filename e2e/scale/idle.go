package main

import (
	"context"
	"fmt"
	"time"

	"github.com/seraihq/serai/internal/pause"
)

// idle measures what the servers use while nothing happens but that the clients
// are there.
func (c *clusterRun) idle(ctx context.Context) error {
	const settle = 45 * time.Second // collections, and the log's last snapshot
	c.report.say("%d idle clients: %s to settle, then %s", c.o.Nodes, settle, c.o.Rest)
	if !pause.For(ctx, settle) {
		return ctx.Err()
	}
	leader, err := c.t.leader(ctx)
	if err != nil {
		return err
	}
	wait := c.profile(ctx, "idle", min(c.o.Rest, 30*time.Second))
	var before []usage
	own, began := ownCPU(), time.Now()
	for _, m := range c.t.members {
		before = append(before, usageOf(m.pid()))
	}
	if !pause.For(ctx, c.o.Rest) {
		return ctx.Err()
	}
	took := time.Since(began).Seconds()
	var cpu, rss []float64
	note := fmt.Sprintf("for %.0f s; the leader", took)
	for i, m := range c.t.members {
		now := usageOf(m.pid())
		share := (now.cpu - before[i].cpu) / took * 100
		cpu, rss = append(cpu, share), append(rss, now.rss*(1<<20)/1e6)
		if m == leader {
			note += fmt.Sprintf(" %.1f %%, %.0f MB", share, now.rss*(1<<20)/1e6)
		}
	}
	note += fmt.Sprintf("; all clients %.1f %%", (ownCPU()-own)/took*100)
	clients := fmt.Sprintf("%d idle clients", c.o.Nodes)
	c.report.add(row{Key: "idle_cpu", What: clients + ": CPU of a server", Unit: "% of a core", Goal: 10, Note: note}, cpu...)
	c.report.add(row{Key: "idle_rss", What: clients + ": resident memory of a server", Unit: "MB", Goal: 600}, rss...)
	wait()
	c.heaps(ctx, "idle")
	return nil
}
