package alloc

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/artifact"
	"github.com/seraihq/serai/client/device"
	"github.com/seraihq/serai/client/logs"
	"github.com/seraihq/serai/client/mailbox"
	"github.com/seraihq/serai/client/network"
	"github.com/seraihq/serai/client/steps"
	"github.com/seraihq/serai/client/store"
	"github.com/seraihq/serai/client/task"
	"github.com/seraihq/serai/client/template"
	"github.com/seraihq/serai/client/users"
	"github.com/seraihq/serai/internal/failpoint"
)

// Shared is what all runners of a client have in common.
type Shared struct {
	Region  string
	Node    func() *api.Node
	Dir     string // the directory that holds the allocations' directories
	Drivers task.Drivers
	Store   *store.Store
	Logs    *logs.Collector
	MaxKill time.Duration // longest kill timeout
	Logger  *slog.Logger
	// Hold is closed when tasks may be started: after the first sync with the servers.
	Hold <-chan struct{}
	// Ended gives a channel that is closed when another allocation of this node
	// has ended; false when there is none of that ID.
	Ended func(allocID string) (<-chan struct{}, bool)
	// Fetch gives the disk of an allocation of another node; nil: no way to it.
	Fetch func(ctx context.Context, allocID string) (io.ReadCloser, error)
	// Artifacts fetches those of tasks.
	Artifacts *artifact.Fetcher
	// Templates renders the templates of tasks.
	Templates *template.Service
	// Devices are those of the node; SharedCores gives the cores that tasks
	// without cores of their own may use, empty for all.
	Devices     *device.Set
	SharedCores func() string
	// Users are those that the node hands out to allocations.
	Users *users.Pool
	// Networks makes the networks of allocations.
	Networks *network.Manager
	// Sign has identities of tasks signed; ServeAPI answers on their sockets, nil:
	// they have none.
	Sign     steps.Signer
	ServeAPI func(net.Listener)
	// Report is told what the allocation has become; urgent: at once. It must not block.
	Report func(update *api.Allocation, urgent bool)
}

// record is what is kept of the allocation as a whole over a restart of the agent.
type record struct {
	Began       time.Time
	Ready       time.Time // when the allocation's own set-up was done
	Status      string
	Description string
	Health      verdict
	Over        bool // nothing runs any more: never start it again
	SetUp       map[string]steps.Result
}

// Runner runs one allocation.
type Runner struct {
	shared Shared
	id     string
	dir    string
	logger *slog.Logger
	box    *mailbox.Box[func()]
	ended  chan struct{} // closed when the allocation is over
	tasks  map[string]*task.Runner
	logs   map[string]*steps.Logs
	order  []string // names of the tasks, as in the job

	alloc  atomic.Pointer[api.Allocation] // as the servers sent it last
	update atomic.Pointer[api.Allocation] // as it was reported last
	alone  atomic.Bool                    // it was told to stop for want of servers
	seen   atomic.Uint64                  // index at which the servers had lost sight of it

	// Owned by the loop.
	ctx    context.Context
	cancel context.CancelFunc // ends the tasks' runners
	states map[string]task.State
	rec    record
	wish   wish
	ready  bool               // the allocation's own set-up is done
	giveUp context.CancelFunc // ends that set-up
	delay  *time.Timer        // the group's shutdown delay, or nil
	check  *time.Timer        // the next look at the health, or nil
	seq    *steps.Sequence
	net    *steps.Network // nil: the tasks have the host's network
	undo   undoing        // of what the allocation's own steps have put up
	work   sync.WaitGroup
}

// New makes a runner for an allocation; saved is what an earlier agent kept of
// it, nil for a new one. The group must be in the allocation's job.
func New(shared Shared, a *api.Allocation, saved *store.Saved) (*Runner, error) {
	group := a.Job.LookupTaskGroup(a.TaskGroup)
	if group == nil {
		return nil, api.Errorf(api.ErrInvalid, "allocation %s: job %q has no group %q", a.ID, a.JobID, a.TaskGroup)
	}
	r := &Runner{
		shared: shared, id: a.ID, dir: shared.Dir + "/" + a.ID,
		logger: shared.Logger.With("alloc_id", a.ID),
		box:    mailbox.New[func()](), ended: make(chan struct{}),
		tasks: map[string]*task.Runner{}, logs: map[string]*steps.Logs{}, states: map[string]task.State{},
	}
	r.alloc.Store(a)
	r.rec.Began = time.Now()
	if saved != nil {
		r.load(saved)
	}
	if steps.NeedsNetwork(group) {
		r.net = &steps.Network{Manager: shared.Networks, Driver: shared.Drivers.Get, Region: shared.Region}
	}
	r.seq = steps.NewSequence(steps.ForAlloc(
		&steps.Previous{Ended: shared.Ended, MaxKill: shared.MaxKill}, &steps.Disk{Dir: shared.Dir, Fetch: shared.Fetch}, r.net,
	), r.rec.SetUp)
	for _, t := range group.Tasks {
		r.addTask(group, t, saved)
	}
	r.update.Store(r.present())
	if r.rec.Over {
		close(r.ended)
	}
	return r, nil
}

// load takes up what an earlier agent kept. What cannot be read is done without.
func (r *Runner) load(saved *store.Saved) {
	if saved.Runner == nil {
		return
	}
	if err := json.Unmarshal(saved.Runner, &r.rec); err != nil {
		r.logger.Warn("what was kept of the allocation cannot be read", "err", err)
		r.rec = record{Began: time.Now()}
	}
}

func (r *Runner) addTask(group *api.TaskGroup, t *api.Task, saved *store.Saved) {
	a := r.alloc.Load()
	name := t.Name
	output := &steps.Logs{}
	cfg := task.Config{
		Alloc: a, Task: t, Spec: specOf(a.Job, group, t, r.shared.MaxKill),
		Dir: r.dir, Region: r.shared.Region, Node: r.shared.Node, Drivers: r.shared.Drivers,
		Steps: steps.ForTask(t, output, &steps.Templates{Service: r.shared.Templates}, r.shared.ServeAPI != nil),
		In: steps.In{
			Logger: r.logger, Logs: r.shared.Logs, Devices: r.shared.Devices, SharedCores: r.shared.SharedCores, Users: r.shared.Users,
			Artifacts: r.shared.Artifacts, Region: r.shared.Region,
			Sign: r.shared.Sign, ServeAPI: r.shared.ServeAPI,
			Tell: func(e *api.TaskEvent) { r.note(name, e) },
			Note: func(text string) { r.note(name, task.Message(text)) }, Pod: r.net.Pod,
		},
		Stand: r.stand,
		Hold:  r.shared.Hold,
		Save: func(rec task.Record) error {
			b := r.shared.Store.Batch()
			b.PutTask(r.id, name, rec)
			return b.Write()
		},
		Changed: func(st task.State, urgent bool) {
			r.box.Put(func() { r.taskChanged(name, st, urgent) })
		},
		Logger: r.logger.With("task", name),
	}
	if saved != nil && saved.Tasks[name] != nil {
		var rec task.Record
		if err := json.Unmarshal(saved.Tasks[name], &rec); err == nil {
			cfg.Saved = &rec
			r.states[name] = rec.State
		} else {
			r.logger.Warn("what was kept of the task cannot be read", "task", name, "err", err)
		}
	}
	r.tasks[name], r.logs[name] = task.NewRunner(cfg), output
	r.order = append(r.order, name)
}

// ID gives the allocation's ID.
func (r *Runner) ID() string { return r.id }

// Alloc gives the allocation as the servers sent it last.
func (r *Runner) Alloc() *api.Allocation { return r.alloc.Load() }

// Reported gives what was said of it last: an allocation with only the fields
// of an update.
func (r *Runner) Reported() *api.Allocation { return r.update.Load() }

// Ended is closed when the allocation is over: nothing of it runs, or will.
func (r *Runner) Ended() <-chan struct{} { return r.ended }

// Over says whether Ended is closed.
func (r *Runner) Over() bool {
	select {
	case <-r.ended:
		return true
	default:
		return false
	}
}

// Run is the loop. It ends when the allocation is over, or with ctx, which
// leaves running tasks as they are. It waits for all that it started.
func (r *Runner) Run(ctx context.Context) {
	if r.Over() {
		return
	}
	r.ctx, r.cancel = context.WithCancel(ctx)
	defer r.finish()
	for _, t := range r.tasks {
		r.work.Go(func() { t.Run(r.ctx) })
	}
	r.setUp()
	r.limitRun()
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.ended:
			return
		case <-r.box.Wake():
		}
		for _, message := range r.box.Take() {
			message()
		}
	}
}

func (r *Runner) finish() {
	r.cancel()
	for _, t := range []*time.Timer{r.delay, r.check} {
		if t != nil {
			t.Stop()
		}
	}
	r.work.Wait()
}

// in gives the allocation's own steps what they work on.
func (r *Runner) in() steps.In {
	return steps.In{
		Alloc: r.alloc.Load(), Dir: r.dir, Node: r.shared.Node(), Logger: r.logger, Logs: r.shared.Logs,
		Note: func(text string) { r.noteAll(task.Message(text)) },
	}
}

// setUp puts up the allocation's own steps, beside the loop.
func (r *Runner) setUp() {
	in := r.in()
	ctx, cancel := context.WithCancel(r.ctx)
	r.giveUp = cancel
	r.work.Go(func() {
		defer cancel()
		err := r.seq.Up(ctx, &in)
		results := r.seq.Results()
		r.box.Put(func() { r.setUpDone(results, err) })
	})
}

func (r *Runner) setUpDone(results map[string]steps.Result, err error) {
	r.rec.SetUp = results
	r.ready = true
	if err == nil && r.rec.Ready.IsZero() {
		r.rec.Ready = time.Now()
	}
	if err != nil && !r.wish.kill && !all(r.members(), member.dead) {
		r.logger.Warn("the allocation could not be set up", "err", err)
		e := api.TaskEvent{Type: api.TaskSetupFailure, SetupError: err.Error(), DisplayMessage: err.Error(), FailsTask: true}
		r.wish = wish{kill: true, noDelay: true, skipPoststop: true, cause: &e}
	}
	r.save()
	failpoint.Kill("alloc:ready")
	r.advance(false)
}

// limitRun ends the allocation when it has run for as long as its group may.
func (r *Runner) limitRun() {
	group := r.group()
	limit := group.MaxRunDuration.Std()
	if limit <= 0 {
		return
	}
	timer := time.AfterFunc(max(0, time.Until(r.rec.Began.Add(limit))), func() {
		r.box.Put(func() {
			r.rec.Description = "Maximum run duration of " + limit.String() + " exceeded"
			r.wish = wish{kill: true, skipPoststop: true, cause: task.KillReason(r.rec.Description, false)}
			r.advance(false)
		})
	})
	r.work.Go(func() {
		<-r.ctx.Done()
		timer.Stop()
	})
}

func (r *Runner) group() *api.TaskGroup {
	a := r.alloc.Load()
	return a.Job.LookupTaskGroup(a.TaskGroup)
}

func (r *Runner) taskChanged(name string, st task.State, urgent bool) {
	if st.Task.State == api.TaskStateRunning && r.states[name].Task.State == api.TaskStatePending {
		r.traceStart(name, &st.Task)
	}
	countTask(r.states[name].Task, st.Task)
	r.states[name] = st
	r.advance(urgent)
}

// members gives the tasks with their states, in the job's order.
func (r *Runner) members() []member {
	out := make([]member, 0, len(r.order))
	group := r.group()
	for _, name := range r.order {
		if t := group.LookupTask(name); t != nil {
			out = append(out, member{task: t, state: r.states[name]})
		}
	}
	return out
}

// advance does what follows from the present states: tell the tasks, tell the
// client, and end when all is over.
func (r *Runner) advance(urgent bool) {
	if r.Over() {
		return
	}
	tasks := r.members()
	if r.ready && r.delay == nil {
		for _, o := range decide(tasks, r.wish) {
			r.tasks[o.task].Send(o.event)
		}
	}
	r.judge(tasks)
	status, description := clientStatus(tasks)
	over := all(tasks, member.dead)
	if over && !r.undone() {
		return // what is said of it waits until nothing of it is left
	}
	if over && r.rec.Description != "" {
		description = r.rec.Description
	}
	r.rec.Status = status
	r.update.Store(r.describe(tasks, status, description))
	if over {
		r.rec.Over = true
		r.save()
		failpoint.Kill("alloc:over")
	}
	r.shared.Report(r.update.Load(), urgent || over)
	if over {
		close(r.ended)
	}
}

// describe makes an update: an allocation with what the client says of it.
func (r *Runner) describe(tasks []member, status, description string) *api.Allocation {
	a := r.alloc.Load()
	u := &api.Allocation{
		ID: r.id, Namespace: a.Namespace, JobID: a.JobID, TaskGroup: a.TaskGroup, NodeID: a.NodeID,
		ClientStatus: status, ClientDescription: description,
		TaskStates: make(map[string]*api.TaskState, len(tasks)),
		ModifyTime: time.Now().UnixNano(),
	}
	for _, m := range tasks {
		st := m.state.Task
		if st.State == "" {
			st.State = api.TaskStatePending
		}
		u.TaskStates[m.task.Name] = &st
	}
	u.DeploymentStatus = r.deploymentStatus(a)
	if pod := r.net.Pod(); pod != nil {
		u.NetworkStatus = pod.Status
	}
	return u
}

// present describes what is known before the loop runs.
func (r *Runner) present() *api.Allocation {
	tasks := r.members()
	status, description := clientStatus(tasks)
	if r.rec.Over {
		status = r.rec.Status
		if r.rec.Description != "" {
			description = r.rec.Description
		}
	}
	return r.describe(tasks, status, description)
}

func (r *Runner) save() {
	b := r.shared.Store.Batch()
	b.PutRunner(r.id, r.rec)
	if err := b.Write(); err != nil {
		r.logger.Warn("the allocation's state is not kept", "err", err)
	}
}

// Results gives the results of the tasks' set-up steps, by task and step.
func (r *Runner) Results() map[string]map[string]steps.Result {
	out := make(map[string]map[string]steps.Result, len(r.tasks))
	for name, t := range r.tasks {
		out[name] = maps.Clone(t.Results())
	}
	return out
}
