package drain

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/broker"
	"github.com/seraihq/serai/server/fsm"
	"github.com/seraihq/serai/server/planner"
	"github.com/seraihq/serai/server/state"
)

// world is a cluster: the real store, broker, planner and drainer, and clients
// that only pretend.
type world struct {
	t     *testing.T
	store *state.Store

	mu       sync.Mutex
	fail     func() bool // the log does not take a command of the parts
	fsm      *fsm.FSM
	index    uint64
	commands map[string]int

	// How clients behave.
	start  func(a *api.Allocation) time.Duration // from placed to running
	health func(a *api.Allocation) time.Duration // from running to healthy; negative: unhealthy after that
	stop   func(a *api.Allocation) time.Duration

	seen     map[string]time.Time // when an allocation came into its present condition
	stopLoop func()
}

var errLog = errors.New("the log is away")

func (w *world) Apply(ctx context.Context, c fsm.Command) (any, uint64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if ctx.Err() != nil || w.fail != nil && w.fail() {
		return nil, 0, errLog
	}
	return w.do(c)
}

func (w *world) do(c fsm.Command) (any, uint64, error) {
	entry, err := fsm.Encode(c)
	if err != nil {
		return nil, 0, err
	}
	w.commands[fmt.Sprintf("%T", c)]++
	w.index++
	result, err := w.fsm.Apply(w.index, entry)
	return result, w.index, err
}

func (w *world) apply(c fsm.Command) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, _, err := w.do(c); err != nil {
		w.t.Fatal(err)
	}
}

// within runs a test in a bubble.
func within(t *testing.T, test func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		after := func(d time.Duration) func(*api.Allocation) time.Duration {
			return func(*api.Allocation) time.Duration { return d }
		}
		w := &world{t: t, store: state.New(), index: 10, commands: map[string]int{}, seen: map[string]time.Time{}, start: after(time.Second), health: after(10 * time.Second), stop: after(2 * time.Second)}
		w.fsm = fsm.New(w.store)
		log := slog.New(slog.DiscardHandler)
		b := broker.New(broker.Config{Store: w.store, Logger: log, Unblock: func(ctx context.Context, evals []*api.Evaluation) error {
			_, _, err := w.Apply(ctx, &fsm.EvalUpsert{Evals: evals})
			return err
		}})
		p := planner.New(planner.Config{Store: w.store, Queue: b, Log: w, Logger: log})
		ctx, cancel := context.WithCancel(t.Context())
		var wait sync.WaitGroup
		wait.Go(func() { _ = b.Run(ctx) })
		wait.Go(func() { _ = p.Run(ctx) })
		w.lead()
		test(w)
		w.stopLoop()
		cancel()
		wait.Wait()
	})
}

// lead starts the drainer anew.
func (w *world) lead() {
	if w.stopLoop != nil {
		w.stopLoop()
	}
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan error, 1)
	l := New(Config{Store: w.store, Log: w, Logger: slog.New(slog.DiscardHandler)})
	go func() { done <- l.Run(ctx) }()
	w.stopLoop = func() {
		cancel()
		<-done
	}
	synctest.Wait()
}

func nodeID(n int) string { return fmt.Sprintf("%08d-0000-0000-0000-000000000000", n) }

// node adds a node with room for as many allocations.
func (w *world) node(n, room int) {
	w.apply(&fsm.NodeRegister{Time: time.Now().UnixNano(), Node: &api.Node{
		ID: nodeID(n), Name: fmt.Sprint("n", n), SecretID: api.Sensitive(nodeID(n)), Datacenter: "dc1", NodePool: "default", Status: api.NodeStatusReady,
		Drivers:       map[string]*api.DriverInfo{"mock_driver": {Detected: true, Healthy: true}},
		Attributes:    map[string]string{"driver.mock_driver": "1"},
		NodeResources: &api.NodeResources{Cpu: api.NodeCpuResources{CpuShares: int64(room) * 100}, Memory: api.NodeMemoryResources{MemoryMB: int64(room) * 100}, Disk: api.NodeDiskResources{DiskMB: 100000}},
	}})
}

// job registers a job of one group.
func (w *world) job(id, kind string, count, parallel int) {
	j := &api.Job{
		ID: id, Name: id, Namespace: "default", Type: kind, Priority: 50, NodePool: "default", Region: "global", Datacenters: []string{"*"},
		TaskGroups: []*api.TaskGroup{{Name: "g", Count: count, EphemeralDisk: &api.EphemeralDisk{SizeMB: 10}, Tasks: []*api.Task{{Name: "t", Driver: "mock_driver", Resources: &api.Resources{CPU: 100, MemoryMB: 100}}}}},
	}
	if kind == api.JobTypeService {
		j.TaskGroups[0].Migrate = api.DefaultMigrate(kind)
		j.TaskGroups[0].Migrate.MaxParallel = parallel
	}
	e := &api.Evaluation{ID: fmt.Sprintf("%s-register", id), Namespace: "default", JobID: id, Type: kind, Priority: 50, Status: api.EvalPending, TriggeredBy: api.TriggerJobRegister}
	w.apply(&fsm.JobRegister{Job: j, Eval: e})
	synctest.Wait()
}

func (w *world) drain(n int, spec *api.DrainSpec) {
	c := &fsm.NodeDrain{NodeID: nodeID(n), Time: time.Now().UnixNano(), Event: &api.NodeEvent{Message: "drain"}}
	if spec != nil {
		c.Strategy = &api.DrainStrategy{DrainSpec: *spec}
		if spec.Deadline > 0 {
			c.Strategy.ForceDeadline = time.Now().Add(spec.Deadline.Std())
		}
	}
	w.apply(c)
	synctest.Wait()
}

func (w *world) draining(n int) bool {
	x, ok := w.store.View().Node(nodeID(n))
	return ok && x.DrainStrategy != nil
}

// run lets the clients do what is due, once a second.
func (w *world) run(d time.Duration, each func()) {
	w.t.Helper()
	for until := time.Now().Add(d); time.Now().Before(until); {
		time.Sleep(time.Second)
		synctest.Wait()
		w.clients()
		synctest.Wait()
		if each != nil {
			each()
		}
	}
}

func (w *world) clients() {
	c := &fsm.AllocUpdate{Time: time.Now().UnixNano()}
	for a := range w.store.View().Allocations() {
		if u, ok := w.client(a); ok {
			c.Updates = append(c.Updates, u)
		}
	}
	if len(c.Updates) > 0 {
		w.apply(c)
	}
}

// client says what becomes of an allocation now.
func (w *world) client(a *api.Allocation) (fsm.ClientUpdate, bool) {
	u := fsm.ClientUpdate{ID: a.ID, ClientStatus: a.ClientStatus}
	since := func(condition string, d time.Duration) bool {
		key := a.ID + condition
		if w.seen[key].IsZero() {
			w.seen[key] = time.Now()
		}
		return time.Since(w.seen[key]) >= d
	}
	yes, no := true, false
	switch {
	case a.ClientTerminal():
		return u, false
	case a.ServerTerminal():
		u.ClientStatus = api.AllocClientComplete
		return u, since("stop", w.stop(a))
	case a.ClientStatus == api.AllocClientPending:
		u.ClientStatus = api.AllocClientRunning
		u.TaskStates = map[string]*api.TaskState{"t": {State: api.TaskStateRunning, StartedAt: time.Now()}}
		return u, since("start", w.start(a))
	case a.PreviousAllocation != "" && a.DeploymentStatus == nil && a.Job.Type == api.JobTypeService:
		d := w.health(a)
		u.DeploymentStatus = &api.AllocDeploymentStatus{Healthy: &yes, Timestamp: time.Now()}
		if d < 0 {
			d, u.DeploymentStatus.Healthy = -d, &no
		}
		return u, since("health", d)
	}
	return u, false
}

// working counts the allocations of a job that run and, where they replace
// another, are known to be healthy or have run for five minutes; on is how many
// of them are on a node.
func (w *world) working(job string, n int) (all, on int) {
	for a := range w.store.View().AllocationsByJob("default", job) {
		if a.ClientStatus != api.AllocClientRunning || a.Terminal() {
			continue
		}
		if a.PreviousAllocation != "" && a.Job.Type == api.JobTypeService && !a.DeploymentStatus.IsHealthy() && time.Since(a.States()["t"].StartedAt) < 5*time.Minute {
			continue
		}
		all++
		if a.NodeID == nodeID(n) {
			on++
		}
	}
	return all, on
}
