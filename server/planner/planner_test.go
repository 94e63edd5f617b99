package planner

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/broker"
	"github.com/seraihq/serai/server/fsm"
	"github.com/seraihq/serai/server/state"
)

// bench is a planner with a real broker, store and FSM. The log is a lock; a
// hook sees each command before it is applied.
type bench struct {
	t     *testing.T
	store *state.Store

	mu    sync.Mutex
	fsm   *fsm.FSM
	index uint64
	hook  func(c fsm.Command)
	plans int  // PlanApply commands
	shut  bool // the log takes no plan
}

func (b *bench) Apply(_ context.Context, c fsm.Command) (any, uint64, error) {
	if b.hook != nil {
		b.hook(c)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := c.(*fsm.PlanApply); ok {
		b.plans++
		if b.shut {
			return nil, 0, api.Errorf(api.ErrNoLeader, "leadership transfer in progress")
		}
	}
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
		b := &bench{t: t, store: state.New(), index: 10}
		b.fsm = fsm.New(b.store)
		q := broker.New(broker.Config{Store: b.store, Logger: slog.New(slog.DiscardHandler), Unblock: func(ctx context.Context, evals []*api.Evaluation) error {
			_, _, err := b.Apply(ctx, &fsm.EvalUpsert{Evals: evals})
			return err
		}})
		p := New(Config{Store: b.store, Queue: q, Log: b, Logger: slog.New(slog.DiscardHandler)})
		ctx, cancel := context.WithCancel(t.Context())
		var wait sync.WaitGroup
		wait.Go(func() { _ = q.Run(ctx) })
		wait.Go(func() { _ = p.Run(ctx) })
		synctest.Wait()
		test(b)
		cancel()
		wait.Wait()
	})
}

func (b *bench) node(id string, cpu int64) {
	b.apply(&fsm.NodeRegister{Node: &api.Node{
		ID: id, Name: id, Datacenter: "dc1", NodePool: "default", Status: api.NodeStatusReady, ComputedClass: "c",
		Attributes: map[string]string{"driver.mock_driver": "1"},
		Drivers:    map[string]*api.DriverInfo{"mock_driver": {Detected: true, Healthy: true}},
		NodeResources: &api.NodeResources{
			Cpu: api.NodeCpuResources{CpuShares: cpu}, Memory: api.NodeMemoryResources{MemoryMB: 1 << 20}, Disk: api.NodeDiskResources{DiskMB: 1 << 20},
			MinDynamicPort: 20000, MaxDynamicPort: 32000,
		},
	}})
	synctest.Wait()
}

func newJob(id string, count, cpu int) *api.Job {
	return &api.Job{
		ID: id, Name: id, Namespace: "default", Region: "global", Type: "service", Priority: 50, NodePool: "default", Datacenters: []string{"*"},
		TaskGroups: []*api.TaskGroup{{
			Name: "g", Count: count, EphemeralDisk: &api.EphemeralDisk{SizeMB: 10},
			Tasks: []*api.Task{{Name: "t", Driver: "mock_driver", Resources: &api.Resources{CPU: cpu, MemoryMB: 10}}},
		}},
	}
}

func (b *bench) register(j *api.Job) string {
	id := "eval-" + j.ID + "-" + time.Now().String()
	b.apply(&fsm.JobRegister{Job: j, Eval: &api.Evaluation{ID: id, Namespace: j.Namespace, JobID: j.ID, Priority: j.Priority, Type: j.Type, TriggeredBy: api.TriggerJobRegister, Status: api.EvalPending}})
	return id
}

func (b *bench) placed(job string) int {
	n := 0
	for a := range b.store.View().AllocationsByJob("default", job) {
		if !a.Terminal() {
			n++
		}
	}
	return n
}

func (b *bench) eval(id string) *api.Evaluation {
	b.t.Helper()
	x, ok := b.store.View().Evaluation(id)
	if !ok {
		b.t.Fatalf("no evaluation %s", id)
	}
	return x
}

func TestPlaces(t *testing.T) {
	run(t, func(b *bench) {
		b.node("n1", 1000)
		id := b.register(newJob("web", 5, 100))
		synctest.Wait()
		if got, x := b.placed("web"), b.eval(id); got != 5 || x.Status != api.EvalComplete || x.SnapshotIndex == 0 {
			b.t.Errorf("placed %d, evaluation %s at %d", got, x.Status, x.SnapshotIndex)
		}
	})
}

func TestManyEvaluationsShareALogEntry(t *testing.T) {
	run(t, func(b *bench) {
		b.node("n1", 100000)
		release := make(chan struct{})
		b.hook = func(c fsm.Command) {
			if _, ok := c.(*fsm.PlanApply); ok {
				<-release
			}
		}
		for i := range 20 {
			b.register(newJob(string(rune('a'+i)), 1, 10))
			synctest.Wait() // the first is in flight, the others gather
		}
		close(release)
		synctest.Wait()
		for i := range 20 {
			if got := b.placed(string(rune('a' + i))); got != 1 {
				b.t.Errorf("job %c: placed %d", 'a'+i, got)
			}
		}
		if b.plans > 4 {
			b.t.Errorf("20 evaluations took %d log entries", b.plans)
		}
	})
}

// While a batch is in flight the next one must see its room as taken, and when
// it has arrived must not count it twice.
func TestInFlightRoomCountsOnce(t *testing.T) {
	run(t, func(b *bench) {
		b.node("n1", 1000)
		for i := range 10 {
			b.register(newJob(string(rune('a'+i)), 1, 100))
		}
		synctest.Wait()
		total := 0
		for i := range 10 {
			total += b.placed(string(rune('a' + i)))
		}
		if total != 10 {
			b.t.Errorf("%d of 10 allocations that fit exactly were placed", total)
		}
		id := b.register(newJob("more", 1, 100))
		synctest.Wait()
		if x := b.eval(id); b.placed("more") != 0 || x.BlockedEval == "" {
			b.t.Errorf("the node is full: placed %d, blocked by %q", b.placed("more"), x.BlockedEval)
		}
	})
}

// A plan that the log refuses is made again on what is there then.
func TestRefusedPlanIsMadeAgain(t *testing.T) {
	run(t, func(b *bench) {
		b.node("n1", 1000)
		b.node("n2", 900)
		once := false
		b.hook = func(c fsm.Command) {
			plan, ok := c.(*fsm.PlanApply)
			if !ok || once {
				return
			}
			once = true
			b.hook = nil
			b.apply(&fsm.NodeStatus{Updates: []fsm.NodeStatusUpdate{{NodeID: plan.Plans[0].Placements[0].NodeID, Status: api.NodeStatusDown}}})
		}
		id := b.register(newJob("web", 1, 100))
		synctest.Wait()
		if got, x := b.placed("web"), b.eval(id); got != 1 || x.Status != api.EvalComplete {
			b.t.Errorf("placed %d, evaluation %s (%s)", got, x.Status, x.StatusDescription)
		}
		if !once || b.plans != 2 {
			b.t.Errorf("%d plans", b.plans)
		}
	})
}

// A job that makes the scheduler panic fails its own evaluation, and is tried
// again a few times, later and later.
func TestPanicFailsOneEvaluation(t *testing.T) {
	run(t, func(b *bench) {
		b.node("n1", 1000)
		bad := newJob("bad", 1, 100)
		bad.TaskGroups[0].Tasks[0] = nil
		defer func() {
			if recover() != nil {
				b.t.Skip("the store does not take such a job")
			}
		}()
		id := b.register(bad)
		good := b.register(newJob("good", 1, 100))
		synctest.Wait()
		if x := b.eval(good); x.Status != api.EvalComplete || b.placed("good") != 1 {
			b.t.Errorf("the other job: %s, %d placed", x.Status, b.placed("good"))
		}
		x := b.eval(id)
		if x.Status != api.EvalFailed || !strings.Contains(x.StatusDescription, "panicked") || x.NextEval == "" {
			b.t.Fatalf("the evaluation is %s: %s", x.Status, x.StatusDescription)
		}
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		n := 0
		for y := range b.store.View().EvaluationsByJob("default", "bad") {
			if y.Status != api.EvalFailed {
				b.t.Errorf("evaluation %s after a day", y.Status)
			}
			n++
		}
		if n != 1+maxFollowUps {
			b.t.Errorf("%d evaluations in all, want %d", n, 1+maxFollowUps)
		}
	})
}

// TestAShutLogIsLeftAlone: while the log takes no plan, it is asked now and then
// and not as fast as possible; afterwards all goes on.
func TestAShutLogIsLeftAlone(t *testing.T) {
	run(t, func(b *bench) {
		b.node("n1", 1000)
		b.mu.Lock()
		b.shut = true
		b.mu.Unlock()
		b.register(newJob("j", 1, 10))
		time.Sleep(time.Second)
		b.mu.Lock()
		asked := b.plans
		b.shut = false
		b.mu.Unlock()
		if asked < 2 || asked > 30 {
			b.t.Errorf("the log was asked %d times in a second", asked)
		}
		time.Sleep(time.Second)
		n := 0
		for range b.store.View().Allocations() {
			n++
		}
		if n != 1 {
			b.t.Errorf("%d allocations were placed", n)
		}
	})
}
