package broker

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/fsm"
	"github.com/seraihq/serai/server/state"
)

// bench is a broker that follows a real store.
type bench struct {
	t      *testing.T
	store  *state.Store
	fsm    *fsm.FSM
	index  uint64
	broker *Broker

	cancels int // commands
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, store: state.New(), index: 10}
	b.fsm = fsm.New(b.store)
	b.broker = New(Config{
		Store: b.store, Logger: slog.New(slog.DiscardHandler),
		Cancel: func(_ context.Context, list []Superseded) error {
			c := &fsm.EvalCancel{}
			for _, x := range list {
				c.Cancels = append(c.Cancels, fsm.EvalCanceled(x))
			}
			b.cancels++
			b.apply(c)
			return nil
		},
		Unblock: func(_ context.Context, evals []*api.Evaluation) error {
			b.apply(&fsm.EvalUpsert{Evals: evals})
			return nil
		},
	})
	return b
}

// run starts a broker in a bubble of synctest.
func run(t *testing.T, test func(b *bench)) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- b.broker.Run(ctx) }()
		synctest.Wait()
		test(b)
		cancel()
		<-done
	})
}

func (b *bench) apply(c fsm.Command) {
	b.t.Helper()
	entry, err := fsm.Encode(c)
	if err != nil {
		b.t.Fatal(err)
	}
	b.index++
	if _, err := b.fsm.Apply(b.index, entry); err != nil {
		b.t.Fatal(err)
	}
}

func eval(id, namespace, job string, priority int, change ...func(*api.Evaluation)) *api.Evaluation {
	x := &api.Evaluation{ID: id, Namespace: namespace, JobID: job, Priority: priority, Type: "service", Status: api.EvalPending}
	for _, c := range change {
		c(x)
	}
	return x
}

func (b *bench) add(evals ...*api.Evaluation) {
	b.t.Helper()
	for _, x := range evals {
		b.apply(&fsm.EvalUpsert{Evals: []*api.Evaluation{x}})
	}
	synctest.Wait()
}

// next takes evaluations and gives their IDs.
func (b *bench) next(max int) []string {
	ids := []string{}
	for _, x := range b.broker.TryNext(max) {
		ids = append(ids, x.ID)
	}
	return ids
}

func (b *bench) want(got []string, want ...string) {
	b.t.Helper()
	if !slices.Equal(got, want) {
		b.t.Errorf("got %v, want %v", got, want)
	}
}

func (b *bench) end(id, status string) {
	x, ok := b.store.View().Evaluation(id)
	if !ok {
		b.t.Fatalf("no evaluation %s", id)
	}
	y := *x
	y.Status = status
	b.add(&y)
}

func TestUrgencyAndOnePerJob(t *testing.T) {
	run(t, func(b *bench) {
		b.add(eval("a1", "default", "a", 50), eval("b1", "default", "b", 70), eval("c1", "default", "c", 50))
		b.want(b.next(10), "b1", "a1", "c1")
		b.add(eval("a2", "default", "a", 90)) // waits for a1
		b.want(b.next(10))
		if s := b.broker.Stats(); s.Unacked != 3 || s.Pending != 1 {
			t.Errorf("stats: %+v", s)
		}
		b.end("a1", api.EvalComplete)
		b.want(b.next(10), "a2")
		b.end("a2", api.EvalComplete)
		b.want(b.next(10))
	})
}

func TestFairBetweenNamespaces(t *testing.T) {
	run(t, func(b *bench) {
		for i := range 5 {
			b.add(eval(fmt.Sprint("x", i), "busy", fmt.Sprint("x", i), 50))
		}
		b.add(eval("y0", "quiet", "y", 50))
		got := b.next(3)
		if !slices.Contains(got, "y0") {
			t.Errorf("a namespace with one evaluation waits behind another's five: %v", got)
		}
	})
}

func TestDoneQueuesAgain(t *testing.T) {
	run(t, func(b *bench) {
		b.add(eval("a1", "default", "a", 50))
		batch := b.broker.TryNext(1)
		b.want(b.next(1))
		b.broker.Done(batch[0])
		b.want(b.next(1), "a1")
	})
}

func TestWaitUntil(t *testing.T) {
	run(t, func(b *bench) {
		b.add(eval("a1", "default", "a", 50, func(x *api.Evaluation) { x.WaitUntil = time.Now().Add(time.Minute) }))
		b.want(b.next(1))
		time.Sleep(59 * time.Second)
		synctest.Wait()
		b.want(b.next(1))
		time.Sleep(2 * time.Second)
		synctest.Wait()
		b.want(b.next(1), "a1")
	})
}

func TestPaused(t *testing.T) {
	run(t, func(b *bench) {
		b.apply(&fsm.SchedulerConfigSet{Config: &api.SchedulerConfiguration{PauseEvalBroker: true}})
		b.add(eval("a1", "default", "a", 50))
		b.want(b.next(1))
		b.apply(&fsm.SchedulerConfigSet{Config: &api.SchedulerConfiguration{}})
		synctest.Wait()
		b.want(b.next(1), "a1")
	})
}

func TestRebuiltFromTheStore(t *testing.T) {
	run(t, func(b *bench) {
		b.add(eval("a1", "default", "a", 50), eval("b1", "default", "b", 50))
		b.next(1) // out, and lost with the leader
		other := New(b.broker.cfg)
		other.fill(b.store.View())
		if got := len(other.TryNext(10)); got != 2 {
			t.Errorf("a new leader sees %d of 2 pending evaluations", got)
		}
	})
}

func node(id, class, status string) *api.Node {
	return &api.Node{ID: id, ComputedClass: class, Status: status, SchedulingEligibility: api.NodeEligible, NodePool: "default"}
}

func blocked(id, job string, snapshot uint64, classes map[string]bool, escaped bool) *api.Evaluation {
	return eval(id, "default", job, 50, func(x *api.Evaluation) {
		x.Status, x.SnapshotIndex, x.ClassEligibility, x.EscapedComputedClass = api.EvalBlocked, snapshot, classes, escaped
	})
}

func TestBlockedWakeByClass(t *testing.T) {
	run(t, func(b *bench) {
		b.apply(&fsm.NodeRegister{Node: node("n1", "big", api.NodeStatusDown)})
		now := b.index
		b.add(
			blocked("fits", "a", now, map[string]bool{"big": true}, false),
			blocked("barred", "b", now, map[string]bool{"big": false}, false),
			blocked("unmet", "c", now, map[string]bool{"small": false}, false),
			blocked("escaped", "d", now, map[string]bool{"big": false}, true),
		)
		b.want(b.next(10))
		b.apply(&fsm.NodeStatus{Updates: []fsm.NodeStatusUpdate{{NodeID: "n1", Status: api.NodeStatusReady}}})
		synctest.Wait()
		got := b.next(10)
		slices.Sort(got)
		b.want(got, "escaped", "fits", "unmet")
		if s := b.broker.Stats(); s.Blocked != 1 {
			t.Errorf("stats: %+v", s)
		}
	})
}

func TestCapacityBetweenSnapshotAndBlocked(t *testing.T) {
	run(t, func(b *bench) {
		snapshot := b.index
		b.apply(&fsm.NodeRegister{Node: node("n1", "big", api.NodeStatusReady)})
		synctest.Wait()
		// It was scheduled before the node came and is stored as blocked after.
		b.add(blocked("late", "a", snapshot, nil, false))
		b.want(b.next(1), "late")
	})
}

// While allocations end all the time, many blocked evaluations are not woken
// each time.
func TestManyBlockedAreNotWokenAllTheTime(t *testing.T) {
	run(t, func(b *bench) {
		b.apply(&fsm.NodeRegister{Node: node("n1", "big", api.NodeStatusReady)})
		synctest.Wait()
		for i := range 1000 {
			b.apply(&fsm.EvalUpsert{Evals: []*api.Evaluation{blocked(fmt.Sprint("e", i), fmt.Sprint("j", i), b.index, nil, false)}})
		}
		synctest.Wait()
		woken := 0
		for range 20 { // a node becomes larger every 10 ms; the planner blocks again what it is given
			b.apply(&fsm.NodeRegister{Node: node("n1", fmt.Sprint("class", b.index), api.NodeStatusReady)})
			synctest.Wait()
			for batch := b.broker.TryNext(1000); len(batch) > 0; batch = b.broker.TryNext(1000) {
				woken += len(batch)
				for _, x := range batch {
					y := *x
					y.Status, y.SnapshotIndex = api.EvalBlocked, b.index
					b.apply(&fsm.EvalUpsert{Evals: []*api.Evaluation{&y}})
				}
				synctest.Wait()
			}
			time.Sleep(10 * time.Millisecond)
		}
		if woken < 1000 || woken > 3000 {
			t.Errorf("%d evaluations were woken in 200 ms, want each about once", woken)
		}
		before := woken
		time.Sleep(time.Second)
		synctest.Wait()
		woken += len(b.broker.TryNext(2000))
		if woken == before {
			t.Error("the last change woke nobody")
		}
	})
}
