package drain

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/fsm"
)

const hour = api.Duration(time.Hour)

func TestServicesLeaveByTheirMigrateBlock(t *testing.T) {
	within(t, func(w *world) {
		w.node(1, 20)
		w.job("web", api.JobTypeService, 6, 2)
		w.run(5*time.Second, nil)
		w.node(2, 20)
		before := w.commands["*fsm.DrainStep"]
		w.drain(1, &api.DrainSpec{Deadline: hour})
		w.run(2*time.Minute, func() {
			if all, _ := w.working("web", 1); all < 4 {
				t.Errorf("%d of 6 are left", all)
			}
		})
		if all, on := w.working("web", 2); all != 6 || on != 6 || w.draining(1) {
			t.Errorf("%d work, %d on the other node, draining: %t", all, on, w.draining(1))
		}
		if n := w.commands["*fsm.DrainStep"] - before; n > 5 {
			t.Errorf("it took %d entries to move 6 allocations in pairs", n)
		}
		n, _ := w.store.View().Node(nodeID(1))
		if n.Ready() || n.LastDrain.Status != fsm.DrainComplete || n.Events[len(n.Events)-1].Message != "Node drain complete" {
			t.Errorf("node after the drain: %+v", n)
		}
	})
}

func TestBatchMayFinishUntilTheDeadline(t *testing.T) {
	within(t, func(w *world) {
		w.node(1, 20)
		w.job("job", api.JobTypeBatch, 2, 0)
		w.run(5*time.Second, nil)
		w.node(2, 20)
		w.drain(1, &api.DrainSpec{Deadline: hour})
		w.run(50*time.Minute, nil)
		if _, on := w.working("job", 1); on != 2 || !w.draining(1) {
			t.Errorf("%d are left before the deadline", on)
		}
		w.run(11*time.Minute, nil)
		if all, on := w.working("job", 2); all != 2 || on != 2 || w.draining(1) {
			t.Errorf("after the deadline %d run, %d of them elsewhere", all, on)
		}
	})
}

func TestSystemLeavesLast(t *testing.T) {
	for _, ignore := range []bool{false, true} {
		within(t, func(w *world) {
			w.node(1, 20)
			w.job("sys", api.JobTypeSystem, 1, 0)
			w.job("web", api.JobTypeService, 3, 1)
			w.run(5*time.Second, nil)
			w.node(2, 20)
			w.drain(1, &api.DrainSpec{IgnoreSystemJobs: ignore})
			w.run(3*time.Minute, func() {
				_, web := w.working("web", 1)
				_, sys := w.working("sys", 1)
				if sys == 0 && (web > 0 || ignore) {
					t.Fatalf("the system job has left before %d others", web)
				}
			})
			if _, sys := w.working("sys", 1); w.draining(1) || (sys == 1) != ignore {
				t.Errorf("draining %t, %d of the system job", w.draining(1), sys)
			}
		})
	}
}

func TestForce(t *testing.T) {
	within(t, func(w *world) {
		w.node(1, 50)
		w.job("web", api.JobTypeService, 10, 1)
		w.job("sys", api.JobTypeSystem, 1, 0)
		w.job("job", api.JobTypeBatch, 10, 0)
		w.run(5*time.Second, nil)
		before := w.commands["*fsm.DrainStep"]
		w.drain(1, &api.DrainSpec{Deadline: -1})
		w.run(5*time.Second, nil)
		if w.draining(1) {
			t.Error("a forced drain waits")
		}
		if n := w.commands["*fsm.DrainStep"] - before; n != 2 {
			t.Errorf("it took %d entries", n)
		}
	})
}

func TestNowhereIsRoom(t *testing.T) {
	within(t, func(w *world) {
		w.node(1, 4)
		w.node(2, 2)
		w.job("web", api.JobTypeService, 6, 1)
		w.run(5*time.Second, nil)
		w.drain(1, &api.DrainSpec{})
		w.run(20*time.Minute, func() {
			if all, _ := w.working("web", 1); all < 5 {
				t.Fatalf("%d of 6 are left", all)
			}
		})
		n, _ := w.store.View().Node(nodeID(1))
		last := n.Events[len(n.Events)-1]
		if !w.draining(1) || last.Message != "Node drain waits" || !strings.Contains(last.Details["for"], `job "web", group "g"`) {
			t.Errorf("draining %t; last event %+v", w.draining(1), last)
		}
		notes := 0
		for _, e := range n.Events {
			if e.Message == "Node drain waits" {
				notes++
			}
		}
		if notes != 1 {
			t.Errorf("it says so %d times", notes)
		}
		w.node(3, 10)
		w.run(3*time.Minute, nil)
		if all, _ := w.working("web", 1); w.draining(1) || all != 6 {
			t.Errorf("with room: draining %t, %d work", w.draining(1), all)
		}
	})
}

func TestTheDeadlineForcesWhatHasNoRoom(t *testing.T) {
	within(t, func(w *world) {
		w.node(1, 4)
		w.job("web", api.JobTypeService, 4, 1)
		w.run(5*time.Second, nil)
		w.drain(1, &api.DrainSpec{Deadline: api.Duration(10 * time.Minute)})
		w.run(9*time.Minute, nil)
		if all, _ := w.working("web", 1); all != 3 || !w.draining(1) {
			t.Errorf("before the deadline %d work", all)
		}
		w.run(2*time.Minute, nil)
		if w.draining(1) {
			t.Error("the deadline does not end it")
		}
	})
}

func TestADrainIsChanged(t *testing.T) {
	within(t, func(w *world) {
		w.node(1, 20)
		w.job("job", api.JobTypeBatch, 2, 0)
		w.run(5*time.Second, nil)
		w.drain(1, &api.DrainSpec{})
		w.run(2*time.Hour, nil)
		w.drain(1, &api.DrainSpec{Deadline: api.Duration(time.Minute)})
		w.run(50*time.Second, nil)
		if !w.draining(1) {
			t.Error("ended before its new deadline")
		}
		w.lead() // another leader
		w.run(20*time.Second, nil)
		if w.draining(1) {
			t.Error("its new deadline has no effect")
		}
	})
}

func TestAnEndedDrainLeavesTheRest(t *testing.T) {
	within(t, func(w *world) {
		w.node(1, 20)
		w.job("web", api.JobTypeService, 6, 1)
		w.run(5*time.Second, nil)
		w.node(2, 20)
		w.drain(1, &api.DrainSpec{Deadline: hour})
		w.run(20*time.Second, nil)
		w.drain(1, nil)
		w.run(2*time.Minute, nil)
		all, on := w.working("web", 1)
		if all != 6 || on < 3 {
			t.Errorf("%d work, %d stayed", all, on)
		}
	})
}

func TestAnUnhealthyReplacementHoldsTheRest(t *testing.T) {
	within(t, func(w *world) {
		w.node(1, 20)
		w.job("web", api.JobTypeService, 3, 1)
		w.run(5*time.Second, nil)
		w.node(2, 20)
		w.health = func(*api.Allocation) time.Duration { return -4 * time.Minute }
		w.drain(1, &api.DrainSpec{})
		w.run(4*time.Minute+30*time.Second, nil)
		if _, on := w.working("web", 1); on != 2 {
			t.Errorf("%d are left though the replacement is not healthy", on)
		}
		// Each has run for the deadline of health in the end.
		w.run(20*time.Minute, nil)
		if w.draining(1) {
			t.Error("what runs steadily holds the drain for ever")
		}
	})
}

func TestANodeGoesDownOrIsPurged(t *testing.T) {
	within(t, func(w *world) {
		w.node(1, 20)
		w.job("web", api.JobTypeService, 3, 1)
		w.run(5*time.Second, nil)
		w.drain(1, &api.DrainSpec{})
		j, _ := w.store.View().Job("default", "web")
		w.apply(&fsm.NodeStatus{Updates: []fsm.NodeStatusUpdate{{NodeID: nodeID(1), Status: api.NodeStatusDown}},
			Evals: []*api.Evaluation{{ID: "down", Namespace: "default", JobID: j.ID, Type: j.Type, Priority: 50, Status: api.EvalPending}}})
		w.run(5*time.Second, nil)
		if w.draining(1) {
			t.Error("a node that is down is drained for ever")
		}
		w.node(2, 20)
		w.run(5*time.Second, nil)
		w.drain(2, &api.DrainSpec{})
		w.apply(&fsm.NodeDeregister{NodeIDs: []string{nodeID(2)}})
		w.run(5*time.Second, nil)
	})
}

// TestModel drains random nodes of random clusters, with changes of the leader,
// a log that fails and clients of all kinds. Before the first deadline no group
// has more than max_parallel allocations missing, whatever is drained at once;
// every drain that has a deadline ends.
func TestModel(t *testing.T) {
	seeds := uint64(150)
	if testing.Short() {
		seeds = 15
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			within(t, func(w *world) { model(w, rand.New(rand.NewPCG(seed, 3))) })
		})
	}
}

func model(w *world, random *rand.Rand) {
	upTo := func(n int) time.Duration { return time.Duration(random.IntN(n)) * time.Second }
	w.start = func(*api.Allocation) time.Duration { return upTo(5) }
	w.stop = func(*api.Allocation) time.Duration { return upTo(20) }
	w.health = func(*api.Allocation) time.Duration {
		if random.IntN(20) == 0 {
			return -upTo(200) - time.Second
		}
		return upTo(60)
	}
	nodes := 2 + random.IntN(5)
	for n := range nodes {
		w.node(n, 4+random.IntN(12))
	}
	type group struct{ count, parallel int }
	groups := map[string]group{}
	for i := range 1 + random.IntN(4) {
		id, g := fmt.Sprint("web", i), group{1 + random.IntN(6), 1 + random.IntN(3)}
		groups[id] = g
		w.job(id, api.JobTypeService, g.count, g.parallel)
	}
	w.job("batch", api.JobTypeBatch, random.IntN(4), 0)
	w.job("sys", api.JobTypeSystem, 1, 0)
	w.run(30*time.Second, nil)
	for id, g := range groups {
		if all, _ := w.working(id, 0); all < g.count {
			return // the cluster is too small to begin with
		}
	}
	luck := rand.New(rand.NewPCG(random.Uint64(), 4))
	w.mu.Lock()
	w.fail = func() bool { return luck.IntN(30) == 0 }
	w.mu.Unlock()
	var forced time.Time // the first deadline
	ends := map[int]time.Time{}
	begin := time.Now()
	for range 1 + random.IntN(nodes) {
		n := random.IntN(nodes)
		spec := &api.DrainSpec{IgnoreSystemJobs: random.IntN(3) == 0}
		delete(ends, n)
		if random.IntN(3) > 0 {
			spec.Deadline = api.Duration(2*time.Minute + upTo(600))
			ends[n] = time.Now().Add(spec.Deadline.Std())
			if forced.IsZero() || ends[n].Before(forced) {
				forced = ends[n]
			}
		}
		w.drain(n, spec)
		w.run(upTo(60), nil)
		if random.IntN(3) == 0 {
			w.lead()
		}
	}
	w.run(20*time.Minute, func() {
		if !forced.IsZero() && !time.Now().Before(forced) {
			return
		}
		for id, g := range groups {
			if all, _ := w.working(id, 0); all < g.count-g.parallel {
				w.t.Fatalf("after %s %d of %d of %s work, max_parallel is %d", time.Since(begin), all, g.count, id, g.parallel)
			}
		}
	})
	for n, end := range ends {
		if w.draining(n) {
			w.t.Errorf("the drain of node %d goes on %s after its deadline", n, time.Since(end))
		}
	}
}
