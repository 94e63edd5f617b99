package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/pause"
	"github.com/seraihq/serai/internal/rpc"
)

const (
	// resyncEvery is how often a real client compares everything.
	resyncEvery = 2 * time.Minute
	retryAfter  = 200 * time.Millisecond
	lastRetry   = 5 * time.Second
)

// node is a simulated client.
type node struct {
	fleet  *fleet
	server *rpc.Client
	def    *api.Node
	wake   chan struct{} // there is something to report
	up     chan struct{} // the first message of the stream came; has one element
	down   bool          // guarded by mu: the node was told to be away
	ttl    atomic.Int64  // nanoseconds, of a heartbeat

	mu      sync.Mutex
	allocs  map[string]*held
	pending []*held
	sending int  // reports under way
	used    room // by what runs or is being stopped
	over    bool // it was more than the node has
}

// room is what allocations take.
type room struct {
	cpu, memory int64
}

func (r *room) add(o room)    { r.cpu, r.memory = r.cpu+o.cpu, r.memory+o.memory }
func (r *room) remove(o room) { r.cpu, r.memory = r.cpu-o.cpu, r.memory-o.memory }

// held is an allocation that the node runs, or ran.
type held struct {
	id      string
	index   uint64 // AllocModifyIndex
	job     string
	status  string // last reported, or to be reported
	room    room
	deploys bool
}

// open registers the node, opens its stream, waits for the first message and
// leaves the loops running until run ends.
func (n *node) open(ctx, run context.Context) error {
	resp, err := n.server.Register(ctx, &api.NodeRegisterRequest{Node: n.def})
	for failed := time.Duration(0); err != nil; {
		if failed = backOff(failed); !pause.For(ctx, failed) {
			return err
		}
		resp, err = n.server.Register(ctx, &api.NodeRegisterRequest{Node: n.def})
	}
	loops := &n.fleet.loops
	loops.Go(func() { n.follow(run) })
	loops.Go(func() { n.report(run) })
	loops.Go(func() { n.beat(run, resp.HeartbeatTTL.Std()) })
	select {
	case <-n.up:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// beat says that the node lives, as often as a real one would.
func (n *node) beat(ctx context.Context, ttl time.Duration) {
	n.ttl.Store(int64(ttl))
	wait := func() time.Duration { return ttl/3 + rand.N(ttl/6+1) }
	failed := time.Duration(0)
	for next := wait(); pause.For(ctx, next); next = wait() {
		n.mu.Lock()
		down := n.down
		n.mu.Unlock()
		if down {
			continue
		}
		for {
			resp, err := n.status(ctx, api.NodeStatusReady)
			if err == nil {
				ttl, failed = resp.HeartbeatTTL.Std(), 0
				n.ttl.Store(int64(ttl))
				break
			}
			if failed = backOff(failed); !pause.For(ctx, failed) {
				return
			}
		}
	}
}

func (n *node) status(ctx context.Context, status string) (*api.NodeRegisterResponse, error) {
	return n.server.Heartbeat(ctx, &api.NodeHeartbeatRequest{NodeID: n.def.ID, SecretID: n.def.SecretID, Status: status})
}

// blink takes the node away for a second.
func (n *node) blink(ctx context.Context) {
	n.mu.Lock()
	busy := n.down
	n.down = true
	n.mu.Unlock()
	if busy {
		return
	}
	_, _ = n.status(ctx, api.NodeStatusDown)
	pause.For(ctx, time.Second)
	back, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	_, _ = n.status(back, api.NodeStatusReady)
	n.mu.Lock()
	n.down = false
	n.mu.Unlock()
}

// follow keeps the stream open.
func (n *node) follow(ctx context.Context) {
	failed := time.Duration(0)
	for ctx.Err() == nil {
		once, cancel := context.WithTimeout(ctx, resyncEvery+rand.N(resyncEvery/4))
		err := n.server.Sync(once, &api.NodeSyncRequest{NodeID: n.def.ID, SecretID: n.def.SecretID, Have: n.have()}, func(m *api.NodeSync) error {
			failed = 0
			return n.apply(m)
		})
		cancel()
		if ctx.Err() == nil && !errors.Is(err, context.DeadlineExceeded) {
			n.fleet.broken.Add(1)
			wait := time.Duration(0)
			if failed == 0 { // those of a server that is gone do not come back all at once
				wait = rand.N(min(time.Duration(n.ttl.Load())/50, lastRetry) + 1)
			}
			failed = backOff(failed)
			pause.For(ctx, failed+wait)
		}
	}
}

// backOff is how long a real client waits after one attempt more that failed.
func backOff(last time.Duration) time.Duration {
	next := min(max(10*time.Millisecond, 2*last), lastRetry)
	return next/2 + rand.N(next/2+1)
}

// apply takes what should run here: tasks pretend to start and to stop at once.
func (n *node) apply(m *api.NodeSync) error {
	n.fleet.told.Add(1)
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, a := range m.Allocs {
		h, known := n.allocs[a.ID]
		live := a.DesiredStatus == api.AllocDesiredRun && !a.ClientTerminal()
		switch {
		case live && !known:
			h = &held{id: a.ID, index: a.AllocModifyIndex, job: a.JobID, status: api.AllocClientRunning, deploys: a.DeploymentID != ""}
			for _, r := range a.AllocatedResources.Tasks {
				h.room.add(room{r.Cpu.CpuShares, r.Memory.MemoryMB})
			}
			n.allocs[a.ID] = h
			n.used.add(h.room)
			n.pending = append(n.pending, h)
			n.fleet.took(a.JobID)
		case live:
			h.index = a.AllocModifyIndex
		case known:
			delete(n.allocs, a.ID)
			n.fleet.lost(a.JobID)
			if a.ClientTerminal() {
				n.used.remove(h.room)
				continue
			}
			stopped := &held{id: a.ID, job: a.JobID, status: api.AllocClientComplete, room: h.room}
			if a.DesiredStatus == api.AllocDesiredEvict { // what preempts does not wait for it
				n.used.remove(h.room)
				stopped.room = room{}
			}
			n.pending = append(n.pending, stopped)
		}
	}
	for _, id := range m.Removed {
		n.forget(id)
	}
	if m.Full {
		n.compare(m)
	}
	if m.Full || m.Resumed {
		poke(n.up)
	}
	n.over = n.over || n.used.cpu > n.def.NodeResources.Cpu.CpuShares || n.used.memory > n.def.NodeResources.Memory.MemoryMB
	if len(n.pending) > 0 {
		poke(n.wake)
	}
	return nil
}

func (n *node) forget(id string) {
	if h := n.allocs[id]; h != nil {
		delete(n.allocs, id)
		n.used.remove(h.room)
		n.fleet.lost(h.job)
	}
}

// compare drops what a full message does not name.
func (n *node) compare(m *api.NodeSync) {
	named := make(map[string]bool, len(m.Allocs))
	for _, a := range m.Allocs {
		named[a.ID] = true
	}
	for id := range n.allocs {
		if !named[id] {
			n.forget(id)
		}
	}
}

// have says what the node runs, so that a stream which is opened anew begins with
// what is different.
func (n *node) have() []api.AllocHeld {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := make([]api.AllocHeld, 0, len(n.allocs))
	for id, h := range n.allocs {
		out = append(out, api.AllocHeld{ID: id, Index: h.index, Status: h.status})
	}
	return out
}

// report sends what has become of allocations; while one request is on its way
// all others wait for the next.
func (n *node) report(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.wake:
		}
		n.mu.Lock()
		batch := n.pending
		n.pending, n.sending = nil, len(n.pending)
		for _, h := range batch {
			if h.status == api.AllocClientComplete {
				n.used.remove(h.room)
				h.room = room{} // once, also when it is said again
			}
		}
		n.mu.Unlock()
		if len(batch) == 0 {
			continue
		}
		n.fleet.reports.Add(1)
		err := n.server.UpdateAllocs(ctx, &api.AllocUpdateRequest{NodeID: n.def.ID, SecretID: n.def.SecretID, Allocs: say(batch)})
		n.mu.Lock()
		n.sending = 0
		if err != nil {
			n.pending = append(batch, n.pending...)
		}
		n.mu.Unlock()
		if err != nil {
			pause.For(ctx, retryAfter)
			poke(n.wake)
			continue
		}
		n.fleet.moved.Add(int64(len(batch)))
		for _, h := range batch {
			if h.status == api.AllocClientRunning {
				n.fleet.running.Add(1)
			}
		}
	}
}

// say makes the updates as a real client words them.
func say(batch []*held) []*api.Allocation {
	now := time.Now()
	at := now.UnixNano()
	events := []*api.TaskEvent{
		{Type: api.TaskReceived, Time: at, DisplayMessage: "Task received by client"},
		{Type: api.TaskSetup, Time: at, Message: "Building Task Directory", DisplayMessage: "Building Task Directory"},
		{Type: api.TaskStarted, Time: at, DisplayMessage: "Task started by client"},
	}
	running := map[string]*api.TaskState{"t": {State: api.TaskStateRunning, StartedAt: now.UTC(), Events: events}}
	ended := map[string]*api.TaskState{"t": {State: api.TaskStateDead, StartedAt: now.UTC(), FinishedAt: now.UTC(), Events: append(events[:3:3],
		&api.TaskEvent{Type: api.TaskKilled, Time: at, DisplayMessage: "Task successfully killed"})}}
	out := make([]*api.Allocation, len(batch))
	healthy := true
	for i, h := range batch {
		a := &api.Allocation{ID: h.id, ClientStatus: h.status, ClientDescription: "Tasks are running", TaskStates: running}
		if h.status == api.AllocClientComplete {
			a.ClientDescription, a.TaskStates = "All tasks have completed", ended
		}
		if h.deploys {
			a.DeploymentStatus = &api.AllocDeploymentStatus{Healthy: &healthy, Timestamp: now}
		}
		out[i] = a
	}
	return out
}

func poke(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
