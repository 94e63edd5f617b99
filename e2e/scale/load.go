package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seraihq/serai/internal/pause"
)

// wantedRate is how many placements a second three servers must commit.
const wantedRate = 10000

// placing is one load.
type placing struct {
	key         string
	jobs, count int
	rate        float64 // placements that are asked for in a second; 0: all at once
	goal        float64 // placements a second
	readGoal    float64 // milliseconds
}

// load places jobs on the fleet while others read from the followers: once with
// a tenth of the allocations, to begin with, then with all of them at once, which
// tells how many a second there are, and then at the wanted rate, under which reads
// have to be quick.
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
	pause.For(ctx, 5*time.Second) // connections
	quiet, err := reads.take()
	if err != nil {
		return err
	}
	quiet.rows(c.report, "quiet", "before the load", 0)
	for _, size := range []placing{
		{key: "small", jobs: max(1, c.o.Jobs/10), count: c.o.Count},
		{key: "full", jobs: c.o.Jobs, count: c.o.Count, goal: wantedRate},
		{key: "paced", jobs: c.o.Jobs, count: c.o.Count, rate: wantedRate, readGoal: 10},
	} {
		if err := c.place(ctx, reads, size); err != nil {
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
func (c *clusterRun) place(ctx context.Context, reads *readers, p placing) error {
	key, jobs, count := p.key, p.jobs, p.count
	var list []wanted
	total := jobs * count
	for i := range jobs {
		list = append(list, wanted{id: fmt.Sprintf("%s-%05d", key, i), count: count, priority: 50, cpu: 20, memory: 32})
	}
	if _, err := reads.take(); err != nil {
		return err
	}
	c.report.say("%d jobs of %d on %d nodes", jobs, count, c.o.Nodes)
	wait := c.profile(ctx, "load-"+key, time.Duration(max(3, total/8000))*time.Second)
	var before []usage
	for _, m := range c.t.members {
		before = append(before, usageOf(m.pid()))
	}
	own, ran, began := ownCPU(), c.f.running.Load(), time.Now()
	if err := c.submit(ctx, list, p.rate); err != nil {
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
	when := "under that load"
	if p.rate > 0 {
		what += fmt.Sprintf(", of %.0f/s that are asked for", p.rate)
		when = fmt.Sprintf("under %.0f placements/s", p.rate)
	}
	c.report.add(row{Key: "placements_" + key, What: what, Unit: "/s", Goal: p.goal, Least: true, Note: note}, out.PlacementsPerSec)
	seen.rows(c.report, key, when, p.readGoal)
	wait()
	return nil
}

// submit registers the jobs: all at once, or as many as make a number of
// placements a second.
func (c *clusterRun) submit(ctx context.Context, list []wanted, rate float64) error {
	if rate == 0 {
		return c.f.submit(ctx, c.t, &c.f.shape, list)
	}
	began, sent := time.Now(), 0
	var g errgroup.Group
	for i := range list {
		if !pause.For(ctx, time.Until(began.Add(time.Duration(float64(sent)/rate*float64(time.Second))))) {
			break
		}
		g.Go(func() error { return c.f.submit(ctx, c.t, &c.f.shape, list[i:i+1]) })
		sent += list[i].count
	}
	return errors.Join(g.Wait(), ctx.Err())
}
