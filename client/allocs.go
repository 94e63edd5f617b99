package client

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/alloc"
	"github.com/seraihq/serai/client/steps"
	"github.com/seraihq/serai/internal/failpoint"
	"github.com/seraihq/serai/internal/trace"
)

func (c *Client) shared() alloc.Shared {
	return alloc.Shared{
		Sign: c.sign, ServeAPI: c.cfg.ServeAPI,
		Region: c.cfg.Region, Node: c.node.Load, Dir: c.cfg.AllocDir,
		Drivers: c.drivers, Store: c.store, Logs: c.logs, MaxKill: c.cfg.MaxKillTimeout,
		Logger: c.cfg.Logger, Hold: c.hold, Ended: c.ended, Report: c.updates.report,
		Fetch: c.cfg.Fetch, Artifacts: c.artifacts, Devices: c.devices, SharedCores: c.cores.shared, Templates: c.templates, Users: c.users, Networks: c.networks,
	}
}

// ended implements alloc.Shared.Ended.
func (c *Client) ended(id string) (<-chan struct{}, bool) {
	e, ok := c.lookup(id)
	if !ok {
		return nil, false
	}
	return e.Ended(), true
}

func (c *Client) lookup(id string) (*entry, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.allocs[id]
	return e, ok
}

// entries gives all allocations of the node, in no order.
func (c *Client) entries() []*entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]*entry, 0, len(c.allocs))
	for _, e := range c.allocs {
		out = append(out, e)
	}
	return out
}

// restore takes up the allocations of an earlier agent: their tasks are found
// again at once, but nothing is started before the servers were heard.
func (c *Client) restore() error {
	saved, err := c.store.Allocs()
	if err != nil {
		return err
	}
	for _, s := range saved {
		r, err := alloc.New(c.shared(), s.Alloc, &s)
		if err != nil {
			c.logger.Warn("an allocation of the earlier agent cannot be taken up", "err", err)
			continue
		}
		c.add(r)
	}
	c.shareCores()
	if len(saved) > 0 {
		c.logger.Info("allocations of the earlier agent are taken up", "count", len(saved))
	}
	return nil
}

// add keeps an allocation and runs it.
func (c *Client) add(r *alloc.Runner) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ending {
		return
	}
	c.allocs[r.ID()] = &entry{Runner: r}
	run := c.run
	c.work.Go(func() {
		r.Run(run)
		if r.Over() && len(ownCores(r.Alloc())) > 0 {
			c.shareCores()
		}
	})
}

// apply does what the servers say should run here.
func (c *Client) apply(m *api.NodeSync) {
	var fresh []*api.Allocation
	named := make(map[string]bool, len(m.Allocs))
	for _, a := range m.Allocs {
		named[a.ID] = true
		if e, ok := c.lookup(a.ID); ok {
			c.applyKnown(e, a)
		} else if c.wanted(a) {
			fresh = append(fresh, a)
		}
	}
	c.begin(fresh)
	for _, id := range m.Removed {
		c.forget(id)
	}
	if m.Full {
		for _, e := range c.entries() {
			if !named[e.ID()] {
				c.forget(e.ID())
			}
		}
	}
	if m.Full || m.Resumed {
		c.synced.Do(func() { close(c.hold) })
	}
}

// held says what is here, for servers to tell what is different. Of what is over
// without their having said that they know, they are to speak in any case.
func (c *Client) held() []api.AllocHeld {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]api.AllocHeld, 0, len(c.allocs))
	for id, e := range c.allocs {
		h := api.AllocHeld{ID: id, Index: e.Alloc().AllocModifyIndex, Status: e.Reported().ClientStatus}
		if e.Over() && !e.acked {
			h.Index = 0
		}
		out = append(out, h)
	}
	return out
}

// applyKnown updates an allocation that is here. What the servers missed of it
// is said again.
func (c *Client) applyKnown(e *entry, a *api.Allocation) {
	said := e.Reported()
	if e.Over() {
		if a.ClientStatus == said.ClientStatus {
			c.acknowledge(e.ID())
		} else {
			c.updates.report(said, true)
		}
		return
	}
	if a.ClientStatus == api.AllocClientUnknown && !a.ServerTerminal() {
		e.Reconnected(a)
	}
	if a.AllocModifyIndex != e.Alloc().AllocModifyIndex {
		if a.Job == nil {
			return
		}
		b := c.store.Batch()
		b.PutAlloc(a)
		if err := b.Write(); err != nil {
			c.logger.Warn("an allocation's new version is not kept", "alloc_id", a.ID, "err", err)
		}
		e.Update(a)
		return
	}
	if a.ClientStatus != said.ClientStatus {
		c.updates.report(said, true)
	}
}

// wanted says whether an allocation that is not here is to be started. One that
// the servers want stopped, and think is running, is said to be over.
func (c *Client) wanted(a *api.Allocation) bool {
	if a.ClientTerminal() || a.Job == nil {
		return false
	}
	if a.ServerTerminal() {
		c.updates.report(&api.Allocation{
			ID: a.ID, Namespace: a.Namespace, JobID: a.JobID, TaskGroup: a.TaskGroup, NodeID: a.NodeID,
			ClientStatus: api.AllocClientComplete, ClientDescription: "Stopped before it was started",
			TaskStates: a.States(), ModifyTime: time.Now().UnixNano(),
		}, true)
		return false
	}
	return true
}

// begin starts new allocations. They are kept first, all in one write.
func (c *Client) begin(allocs []*api.Allocation) {
	b := c.store.Batch()
	var runners []*alloc.Runner
	for _, a := range allocs {
		c.clear(a.ID)
		r, err := alloc.New(c.shared(), a, nil)
		if err != nil {
			c.logger.Warn("an allocation cannot be started", "alloc_id", a.ID, "err", err)
			c.updates.report(&api.Allocation{
				ID: a.ID, Namespace: a.Namespace, JobID: a.JobID, TaskGroup: a.TaskGroup, NodeID: a.NodeID,
				ClientStatus: api.AllocClientFailed, ClientDescription: err.Error(), ModifyTime: time.Now().UnixNano(),
			}, true)
			continue
		}
		b.PutAlloc(a)
		runners = append(runners, r)
		if trace.Wanted() {
			trace.Step(a.EvalID, "receive", time.Unix(0, a.CreateTime), time.Now(),
				trace.Attr{Key: "alloc_id", Value: a.ID}, trace.Attr{Key: "node_id", Value: a.NodeID})
		}
	}
	if err := b.Write(); err != nil {
		c.logger.Error("new allocations are not kept: a restart of the agent would lose them", "count", len(runners), "err", err)
	}
	if len(runners) > 0 {
		failpoint.Kill("alloc:saved")
	}
	if slices.ContainsFunc(allocs, func(a *api.Allocation) bool { return len(ownCores(a)) > 0 }) {
		c.shareCores(allocs...)
	}
	for _, r := range runners {
		c.add(r)
	}
	if len(runners) > 0 {
		poke(c.collect)
	}
}

// clear removes what an earlier agent, whose state was lost, left of an
// allocation that is now started anew: it must not run twice.
func (c *Client) clear(id string) {
	dir := c.cfg.AllocDir + "/" + id
	if _, err := os.Lstat(dir); err != nil {
		return
	}
	c.logger.Warn("an allocation was here before, and what was known of it is lost: it is ended and started anew", "alloc_id", id)
	killAll([]string{id}, c.logger)
	if err := steps.RemoveAll(dir); err != nil {
		c.logger.Warn("what was left of an allocation is not removed", "alloc_id", id, "err", err)
	}
}

// forget ends an allocation that the servers no longer know, and removes it.
func (c *Client) forget(id string) {
	e, ok := c.lookup(id)
	if !ok {
		return
	}
	c.acknowledge(id)
	e.Kill(true)
	c.mu.Lock()
	defer c.mu.Unlock()
	e.unknown = true
	run := c.run
	c.work.Go(func() {
		select {
		case <-e.Ended():
			poke(c.collect)
		case <-run.Done():
		}
	})
}

// acknowledge notes that the servers know how an allocation ended.
func (c *Client) acknowledge(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.allocs[id]; e != nil && !e.acked {
		e.acked = true
		poke(c.collect)
	}
}

// destroy removes what an ended allocation left, and forgets it.
func (c *Client) destroy(e *entry) error {
	c.mu.Lock()
	if e.destroyed {
		c.mu.Unlock()
		return nil
	}
	e.destroyed = true
	c.mu.Unlock()
	err := steps.RemoveAll(e.Dir(), e.TaskNames()...)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil && !errors.Is(err, api.ErrNotFound) {
		e.destroyed = false
		return fmt.Errorf("allocation %s: %w", e.ID(), err)
	}
	delete(c.allocs, e.ID())
	c.users.Release(e.ID())
	b := c.store.Batch()
	b.DeleteAlloc(e.ID(), e.TaskNames())
	return b.Write()
}
