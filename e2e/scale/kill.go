package main

import (
	"context"
	"fmt"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/pause"
)

// kills kills the leader again and again, each time with a write sent through
// one of the others at the same moment, and starts it again. A write is a job's
// registration through the HTTP API; one that is refused is sent again at once,
// so that its time is the outage as a caller sees it.
func (c *clusterRun) kills(ctx context.Context) error {
	c.report.say("the leader is killed %d times", c.o.Kills)
	before, err := c.nodes(ctx)
	if err != nil {
		return err
	}
	var took []float64
	refused := 0
	for i := range c.o.Kills {
		d, again, err := c.killOnce(ctx, i)
		if err != nil {
			return fmt.Errorf("kill %d: %w", i+1, err)
		}
		took, refused = append(took, milliseconds(d)), refused+again
		c.report.say("kill %d: %.0f ms, %d answers were refusals", i+1, milliseconds(d), again)
	}
	c.report.add(row{
		Key: "leader_killed", What: "leader killed → next acknowledged write", Unit: "ms", Goal: 2000,
		Note: fmt.Sprintf("%d clients; %d of the writes had to be sent again by their caller", c.o.Nodes, refused),
	}, took...)
	return c.unharmed(ctx, before)
}

// killOnce gives how long the outage was, and how many refusals there were.
func (c *clusterRun) killOnce(ctx context.Context, i int) (time.Duration, int, error) {
	leader, err := c.t.leader(ctx)
	if err != nil {
		return 0, 0, err
	}
	var others []*member
	for _, m := range c.t.members {
		if m != leader {
			others = append(others, m)
		}
	}
	through := others[i%len(others)]
	// The connection is there, as that of somebody who works with the cluster.
	if err := c.t.ask(ctx, through, "PUT", "/v1/jobs", quiet("kill", 2*i), nil); err != nil {
		return 0, 0, err
	}
	refused := 0
	go leader.kill()
	began := time.Now()
	for {
		err := c.t.ask(ctx, through, "PUT", "/v1/jobs", quiet("kill", 2*i+1), nil)
		if err == nil {
			break
		}
		if ctx.Err() != nil || time.Since(began) > time.Minute {
			return 0, 0, fmt.Errorf("no write within %s: %w", time.Since(began).Round(time.Second), err)
		}
		refused++
	}
	d := time.Since(began)
	<-leader.done
	if err := c.t.launch(leader); err != nil {
		return 0, 0, err
	}
	if err := c.t.ready(ctx, leader); err != nil {
		return 0, 0, err
	}
	if err := c.t.healthy(ctx); err != nil {
		return 0, 0, err
	}
	pause.For(ctx, 2*time.Second)
	return d, refused, ctx.Err()
}

// nodes gives the nodes with the index of their last change.
func (c *clusterRun) nodes(ctx context.Context) (map[string]uint64, error) {
	var list []struct {
		ID          string
		Status      string
		ModifyIndex uint64
	}
	if err := c.t.ask(ctx, c.t.members[0], "GET", "/v1/nodes", nil, &list); err != nil {
		return nil, err
	}
	out := map[string]uint64{}
	for _, n := range list {
		if n.Status != api.NodeStatusReady {
			n.ModifyIndex = 0 // also if it was so before
		}
		out[n.ID] = n.ModifyIndex
	}
	return out, nil
}

// unharmed compares the nodes with what they were: one that was marked down, also
// for a moment, was changed.
func (c *clusterRun) unharmed(ctx context.Context, before map[string]uint64) error {
	after, err := c.nodes(ctx)
	if err != nil {
		return err
	}
	harmed := 0
	for id, index := range before {
		if after[id] != index || index == 0 {
			harmed++
		}
	}
	verdict := "met"
	if harmed > 0 {
		verdict = "MISSED"
	}
	c.report.add(row{Key: "nodes_down", What: fmt.Sprintf("of %d nodes, marked down meanwhile, also for a moment", len(before)), Unit: "nodes", Verdict: verdict,
		Note: fmt.Sprintf("%d streams broke and were opened at another server", c.f.broken.Load())}, float64(harmed))
	return nil
}
