package main

import (
	"context"
	"fmt"
	"time"
)

// load places jobs on the fleet while others read from the followers: once with
// a tenth of the allocations, to begin with, and then with all of them.
func (c *clusterRun) load(ctx context.Context) error {
	leader, err := c.t.leader(ctx)
	if err != nil {
		return err
	}
	var followers []*member
	for _, m := range c.t.members {
		if m != leader {
			followers = append(followers, m)
		}
	}
	reads, err := c.startReaders(ctx, followers)
	if err != nil {
		return err
	}
	defer reads.stop()
	pause(ctx, 5*time.Second) // connections
	quiet, err := reads.take()
	if err != nil {
		return err
	}
	quiet.rows(c.report, "quiet", "before the load", 0)
	for _, size := range []struct {
		key         string
		jobs, count int
		goal        float64
	}{{"small", max(1, c.o.Jobs/10), c.o.Count, 0}, {"full", c.o.Jobs, c.o.Count, 10000}} {
		if err := c.place(ctx, reads, size.key, size.jobs, size.count, size.goal); err != nil {
			return err
		}
		if now, err := c.t.leader(ctx); err != nil || now != leader {
			c.report.say("the leader changed under load (%v)", err)
			leader = now
		}
	}
	return nil
}

// place submits jobs and waits until their allocations are on the nodes and the
// servers know that they run.
func (c *clusterRun) place(ctx context.Context, reads *readers, key string, jobs, count int, goal float64) error {
	var list []wanted
	total := jobs * count
	for i := range jobs {
		list = append(list, wanted{id: fmt.Sprintf("%s-%05d", key, i), count: count, priority: 50, cpu: 20, memory: 32})
	}
	if _, err := reads.take(); err != nil {
		return err
	}
	c.report.say("%d jobs of %d on %d nodes", jobs, count, c.o.Nodes)
	wait := c.profile(ctx, "load-"+key, time.Duration(max(3, total/12000))*time.Second)
	var before []usage
	for _, m := range c.t.members {
		before = append(before, usageOf(m.pid()))
	}
	own, ran, began := ownCPU(), c.f.running.Load(), time.Now()
	if err := c.f.submit(ctx, c.t, &c.f.shape, list); err != nil {
		return fmt.Errorf("submit: %w", err)
	}
	if err := c.f.allPlaced(ctx, list); err != nil {
		return err
	}
	out := &figures{}
	c.f.latencies(list, began, out)
	err := await(ctx, func() (bool, string) {
		n := int(c.f.running.Load() - ran)
		return n >= total, fmt.Sprintf("%d of %d run", n, total)
	})
	if err != nil {
		return err
	}
	running := time.Since(began)
	seen, err := reads.take()
	if err != nil {
		return err
	}
	note := fmt.Sprintf("all running after %.1f s; CPU seconds of the servers", running.Seconds())
	for i, m := range c.t.members {
		note += fmt.Sprintf(" %.1f", usageOf(m.pid()).cpu-before[i].cpu)
	}
	note += fmt.Sprintf(", of the clients %.1f; over-committed nodes: %d", ownCPU()-own, c.f.overcommitted())
	what := fmt.Sprintf("%d jobs of %d on %d nodes: placements, committed on three servers and received by their nodes", jobs, count, c.o.Nodes)
	c.report.add(row{Key: "placements_" + key, What: what, Unit: "/s", Goal: goal, Least: true, Note: note}, out.PlacementsPerSec)
	limit := 0.0
	if goal > 0 {
		limit = 10
	}
	seen.rows(c.report, key, "under that load", limit)
	wait()
	return nil
}
