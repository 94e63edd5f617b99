package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/fsm"
	"github.com/seraihq/serai/server/state"
)

type bench struct {
	t     *testing.T
	store *state.Store
	node  *Service

	mu    sync.Mutex
	fsm   *fsm.FSM
	index uint64
	count map[string]int // commands by type
	hold  chan struct{}  // commands wait for it; nil: they do not
}

func (b *bench) Apply(_ context.Context, c fsm.Command) (any, uint64, error) {
	if b.hold != nil {
		<-b.hold
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.count[fmt.Sprintf("%T", c)]++
	entry, err := fsm.Encode(c)
	if err != nil {
		return nil, 0, err
	}
	b.index++
	result, err := b.fsm.Apply(b.index, entry)
	return result, b.index, err
}

func (b *bench) apply(c fsm.Command) {
	b.t.Helper()
	if _, _, err := b.Apply(b.t.Context(), c); err != nil {
		b.t.Fatal(err)
	}
}

func run(t *testing.T, test func(b *bench)) {
	synctest.Test(t, func(t *testing.T) {
		ready := make(chan struct{})
		close(ready)
		b := &bench{t: t, store: state.New(), index: 10, count: map[string]int{}}
		b.fsm = fsm.New(b.store)
		b.node = New(Config{Store: b.store, Log: b, Logger: slog.New(slog.DiscardHandler), Ready: ready, Beat: func(string) time.Duration { return 10 * time.Second }})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- b.node.Run(ctx) }()
		synctest.Wait()
		test(b)
		cancel()
		<-done
	})
}

func id(n int) string { return fmt.Sprintf("00000000-0000-0000-0000-%012d", n) }

func (b *bench) register(n int) {
	b.t.Helper()
	if _, err := b.node.Register(b.t.Context(), &api.NodeRegisterRequest{Node: ready(n)}); err != nil {
		b.t.Fatal(err)
	}
}

func ready(n int) *api.Node {
	return &api.Node{
		ID: id(n), Name: fmt.Sprint("n", n), SecretID: api.Sensitive(fmt.Sprint("secret", n)), Datacenter: "dc1", NodePool: "default", Status: api.NodeStatusReady,
		NodeResources: &api.NodeResources{Cpu: api.NodeCpuResources{CpuShares: 10000}, Memory: api.NodeMemoryResources{MemoryMB: 10000}, Disk: api.NodeDiskResources{DiskMB: 100000}},
	}
}

// place puts allocations of job "web" on node 1.
func (b *bench) place(from, to int) {
	b.t.Helper()
	job, ok := b.store.View().Job("default", "web")
	if !ok {
		b.apply(&fsm.JobRegister{Job: &api.Job{
			ID: "web", Name: "web", Namespace: "default", Type: "service", Priority: 50, NodePool: "default",
			TaskGroups: []*api.TaskGroup{{Name: "g", Count: 100, EphemeralDisk: &api.EphemeralDisk{SizeMB: 10}, Tasks: []*api.Task{{Name: "t", Driver: "mock_driver", Resources: &api.Resources{CPU: 1, MemoryMB: 10}}}}},
		}})
		job, _ = b.store.View().Job("default", "web")
	}
	plan := fsm.Plan{EvalID: id(900), Namespace: "default", JobID: "web", JobModifyIndex: job.JobModifyIndex}
	for i := from; i < to; i++ {
		plan.Placements = append(plan.Placements, fsm.Placement{ID: id(1000 + i), Group: "g", Index: i, NodeID: id(1)})
	}
	b.apply(&fsm.PlanApply{Plans: []fsm.Plan{plan}})
	synctest.Wait()
}

func TestRegisterNeedsTheSecret(t *testing.T) {
	run(t, func(b *bench) {
		b.register(1)
		b.register(1)
		other := ready(1)
		other.SecretID = "stolen"
		if _, err := b.node.Register(b.t.Context(), &api.NodeRegisterRequest{Node: other}); !errors.Is(err, api.ErrDenied) {
			b.t.Errorf("another secret: %v", err)
		}
		for name, err := range map[string]error{
			"heartbeat": second(b.node.Heartbeat(b.t.Context(), &api.NodeHeartbeatRequest{NodeID: id(1), SecretID: "stolen"})),
			"sync":      b.node.Sync(b.t.Context(), &api.NodeSyncRequest{NodeID: id(1)}, nil),
			"update":    b.node.UpdateAllocs(b.t.Context(), &api.AllocUpdateRequest{NodeID: id(1), SecretID: "secret2"}),
		} {
			if !errors.Is(err, api.ErrDenied) {
				b.t.Errorf("%s with another secret: %v", name, err)
			}
		}
		if _, err := b.node.Heartbeat(b.t.Context(), &api.NodeHeartbeatRequest{NodeID: id(2), SecretID: "x"}); !errors.Is(err, api.ErrNotFound) {
			b.t.Errorf("a node that nobody knows: %v", err)
		}
	})
}

func second[T any](_ T, err error) error { return err }

func TestSyncSendsAllAndThenWhatChanges(t *testing.T) {
	run(t, func(b *bench) {
		b.register(1)
		b.register(2)
		b.place(0, 2)
		ctx, cancel := context.WithCancel(b.t.Context())
		defer cancel()
		var got []*api.NodeSync
		var mu sync.Mutex
		go func() {
			_ = b.node.Sync(ctx, &api.NodeSyncRequest{NodeID: id(1), SecretID: "secret1"}, func(m *api.NodeSync) error {
				mu.Lock()
				defer mu.Unlock()
				got = append(got, m)
				return nil
			})
		}()
		take := func() []*api.NodeSync {
			time.Sleep(leastDistance) // messages keep it
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			out := got
			got = nil
			return out
		}
		if m := take(); len(m) != 1 || !m[0].Full || len(m[0].Allocs) != 2 || m[0].Allocs[0].Job == nil {
			b.t.Fatalf("first: %+v", m)
		}
		b.place(2, 3)
		if m := take(); len(m) != 1 || m[0].Full || len(m[0].Allocs) != 1 || m[0].Allocs[0].ID != id(1002) {
			b.t.Fatalf("a new allocation: %+v", m)
		}
		b.place(3, 4) // goes at once
		synctest.Wait()
		b.place(4, 5)
		b.place(5, 6)
		if m := take(); len(m) != 2 || len(m[0].Allocs) != 1 || len(m[1].Allocs) != 2 {
			b.t.Fatalf("new allocations soon after each other: %+v", m)
		}
		// What the client says itself does not come back to it.
		if err := b.node.UpdateAllocs(b.t.Context(), &api.AllocUpdateRequest{NodeID: id(1), SecretID: "secret1", Allocs: []*api.Allocation{{ID: id(1000), ClientStatus: api.AllocClientRunning}}}); err != nil {
			b.t.Fatal(err)
		}
		if m := take(); len(m) != 0 {
			b.t.Fatalf("its own update: %+v", m)
		}
		yes := true
		b.apply(&fsm.AllocDesiredTransition{Transitions: []fsm.AllocTransition{{ID: id(1001), Transition: api.DesiredTransition{Migrate: &yes}}}})
		if m := take(); len(m) != 1 || len(m[0].Allocs) != 1 || m[0].Allocs[0].ID != id(1001) {
			b.t.Fatalf("a change of the servers: %+v", m)
		}
		if err := b.node.UpdateAllocs(b.t.Context(), &api.AllocUpdateRequest{NodeID: id(1), SecretID: "secret1", Allocs: []*api.Allocation{{ID: id(1000), ClientStatus: api.AllocClientComplete}}}); err != nil {
			b.t.Fatal(err)
		}
		b.apply(&fsm.Reap{Allocs: []string{id(1000)}})
		if m := take(); len(m) != 0 {
			b.t.Fatalf("a collected allocation is told at once: %+v", m)
		}
		time.Sleep(removedAfter)
		if m := take(); len(m) != 1 || !slices.Equal(m[0].Removed, []string{id(1000)}) {
			b.t.Fatalf("a collected allocation: %+v", m)
		}
	})
}

func TestUpdatesOfAllClientsShareEntries(t *testing.T) {
	run(t, func(b *bench) {
		b.register(1)
		b.place(0, 50)
		before := b.count["*fsm.AllocUpdate"]
		b.hold = make(chan struct{})
		var wait sync.WaitGroup
		for i := range 50 {
			wait.Go(func() {
				if err := b.node.UpdateAllocs(b.t.Context(), &api.AllocUpdateRequest{NodeID: id(1), SecretID: "secret1", Allocs: []*api.Allocation{{ID: id(1000 + i), ClientStatus: api.AllocClientRunning}}}); err != nil {
					b.t.Error(err)
				}
			})
			synctest.Wait() // the first is on its way, the others gather behind it
		}
		close(b.hold)
		wait.Wait()
		if n := b.count["*fsm.AllocUpdate"] - before; n != 2 {
			b.t.Errorf("50 updates took %d entries, want 2", n)
		}
		for a := range b.store.View().AllocationsByNode(id(1)) {
			if a.ClientStatus != api.AllocClientRunning {
				b.t.Errorf("allocation %s is %s", a.ID, a.ClientStatus)
			}
		}
	})
}

// TestUpdatesThatNobodyWaitsForAreDropped: clients say again what they had no
// answer to, and the log must not get all of it.
func TestUpdatesThatNobodyWaitsForAreDropped(t *testing.T) {
	run(t, func(b *bench) {
		b.register(1)
		b.place(0, 3)
		b.hold = make(chan struct{})
		say := func(ctx context.Context, i int, status string) error {
			return b.node.UpdateAllocs(ctx, &api.AllocUpdateRequest{NodeID: id(1), SecretID: "secret1", Allocs: []*api.Allocation{{ID: id(1000 + i), ClientStatus: status}}})
		}
		var wait sync.WaitGroup
		for i := range 2 {
			wait.Go(func() { _ = say(b.t.Context(), i, api.AllocClientRunning) })
			synctest.Wait()
		}
		ctx, cancel := context.WithTimeout(b.t.Context(), time.Second)
		defer cancel()
		if err := say(ctx, 2, api.AllocClientRunning); !errors.Is(err, context.DeadlineExceeded) {
			b.t.Errorf("an update without an answer: %v", err)
		}
		close(b.hold)
		wait.Wait()
		for i, want := range []string{api.AllocClientRunning, api.AllocClientRunning, api.AllocClientPending} {
			if a, _ := b.store.View().Allocation(id(1000 + i)); a.ClientStatus != want {
				b.t.Errorf("allocation %d is %s, want %s", i, a.ClientStatus, want)
			}
		}
	})
}

func TestFailedAllocationsAreLookedAt(t *testing.T) {
	run(t, func(b *bench) {
		b.register(1)
		b.place(0, 3)
		update := func(status string, n ...int) {
			var list []*api.Allocation
			for _, i := range n {
				list = append(list, &api.Allocation{ID: id(1000 + i), ClientStatus: status})
			}
			if err := b.node.UpdateAllocs(b.t.Context(), &api.AllocUpdateRequest{NodeID: id(1), SecretID: "secret1", Allocs: list}); err != nil {
				b.t.Fatal(err)
			}
		}
		evals := func() int { return len(slices.Collect(b.store.View().EvaluationsByJob("default", "web"))) }
		update(api.AllocClientRunning, 0, 1, 2)
		if n := evals(); n != 0 {
			b.t.Errorf("running made %d evaluations", n)
		}
		update(api.AllocClientFailed, 0, 1)
		if n := evals(); n != 1 {
			b.t.Errorf("two failures of one job made %d evaluations, want 1", n)
		}
		update(api.AllocClientFailed, 0, 1)
		if n := evals(); n != 1 {
			b.t.Errorf("the same failures again made %d evaluations, want 1", n)
		}
	})
}

func TestAnotherNodesAllocationIsRefused(t *testing.T) {
	run(t, func(b *bench) {
		b.register(1)
		b.register(2)
		b.place(0, 1)
		err := b.node.UpdateAllocs(b.t.Context(), &api.AllocUpdateRequest{NodeID: id(2), SecretID: "secret2", Allocs: []*api.Allocation{{ID: id(1000), ClientStatus: api.AllocClientFailed}}})
		if !errors.Is(err, api.ErrDenied) {
			b.t.Errorf("got %v", err)
		}
	})
}

// What is the servers' own is not taken from a client.
func TestClientsSayNothingForTheServers(t *testing.T) {
	run(t, func(b *bench) {
		n := ready(1)
		n.Drain, n.DrainStrategy, n.LastDrain = true, &api.DrainStrategy{}, &api.DrainMetadata{Status: "complete"}
		if _, err := b.node.Register(b.t.Context(), &api.NodeRegisterRequest{Node: n}); err != nil {
			b.t.Fatal(err)
		}
		if n, _ := b.store.View().Node(id(1)); n.Drain || n.DrainStrategy != nil || n.LastDrain != nil {
			b.t.Errorf("a new node has a drain: %+v, %+v", n.DrainStrategy, n.LastDrain)
		}
		b.place(0, 1)
		for _, status := range []string{"", "evicted", api.AllocClientLost, api.AllocClientUnknown} {
			err := b.node.UpdateAllocs(b.t.Context(), &api.AllocUpdateRequest{NodeID: id(1), SecretID: "secret1", Allocs: []*api.Allocation{{ID: id(1000), ClientStatus: status}}})
			if !errors.Is(err, api.ErrInvalid) {
				b.t.Errorf("status %q: %v", status, err)
			}
		}
	})
}

// Allocations of a node that was out of reach report again: one evaluation of
// the job decides which go on.
func TestReconnectedAllocationsAreLookedAt(t *testing.T) {
	run(t, func(b *bench) {
		b.register(1)
		b.place(0, 3)
		job, _ := b.store.View().Job("default", "web")
		plan := fsm.Plan{Namespace: "default", JobID: "web", JobModifyIndex: job.JobModifyIndex}
		for i := range 3 {
			plan.Stops = append(plan.Stops, fsm.Stop{AllocID: id(1000 + i), ClientStatus: api.AllocClientUnknown, Keep: true})
		}
		b.apply(&fsm.PlanApply{Plans: []fsm.Plan{plan}})
		b.apply(&fsm.NodeStatus{Updates: []fsm.NodeStatusUpdate{{NodeID: id(1), Status: api.NodeStatusDisconnected}}})
		heartbeat := &api.NodeHeartbeatRequest{NodeID: id(1), SecretID: "secret1", Status: "splendid"}
		if _, err := b.node.Heartbeat(b.t.Context(), heartbeat); !errors.Is(err, api.ErrInvalid) {
			b.t.Errorf("a status that nobody knows: %v", err)
		}
		heartbeat.Status = api.NodeStatusReady
		if _, err := b.node.Heartbeat(b.t.Context(), heartbeat); err != nil {
			b.t.Fatal(err)
		}
		n, _ := b.store.View().Node(id(1))
		if n.Status != api.NodeStatusReady || n.Events[len(n.Events)-1].Message != "Node reconnected by heartbeat" {
			b.t.Errorf("node is %s, %v", n.Status, n.Events[len(n.Events)-1])
		}
		update := []*api.Allocation{{ID: id(1000), ClientStatus: api.AllocClientRunning}, {ID: id(1001), ClientStatus: api.AllocClientRunning}}
		if err := b.node.UpdateAllocs(b.t.Context(), &api.AllocUpdateRequest{NodeID: id(1), SecretID: "secret1", Allocs: update}); err != nil {
			b.t.Fatal(err)
		}
		by := map[string]int{}
		for e := range b.store.View().EvaluationsByJob("default", "web") {
			by[e.TriggeredBy]++
		}
		if by[api.TriggerReconnect] != 1 || by[api.TriggerNodeUpdate] != 1 || len(by) != 2 {
			b.t.Errorf("evaluations %v", by)
		}
	})
}
