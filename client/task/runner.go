package task

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/mailbox"
	"github.com/seraihq/serai/client/steps"
	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/internal/failpoint"
)

// Drivers gives drivers by name. What it gives stays valid: when the driver's
// process ends, calls reach the next one.
type Drivers interface {
	// Get gives a driver for a new start; one that may not be used is refused.
	Get(ctx context.Context, name string) (drivers.Driver, error)
	// Find gives a driver for a task that exists already.
	Find(ctx context.Context, name string) (drivers.Driver, error)
}

// Record is what is kept of a task over a restart of the agent.
type Record struct {
	State   State
	ID      string // of the last start that was tried
	Handle  *drivers.TaskHandle
	Results map[string]steps.Result
}

// Config is what a Runner needs.
type Config struct {
	Alloc  *api.Allocation
	Task   *api.Task
	Spec   Spec
	Dir    string // the allocation's directory
	Region string
	Node   func() *api.Node

	Drivers Drivers
	Steps   []steps.Entry
	In      steps.In // Alloc, Task, Driver are filled in
	// Stand is called before each start: what the task shares with others of its
	// allocation must be there. Nil: there is nothing.
	Stand func(ctx context.Context) error
	// Saved is what an earlier agent kept; nil for a new task.
	Saved *Record
	// Hold is closed when tasks may be started; recovering those that run does not wait.
	Hold <-chan struct{}
	// Save keeps the record; Changed tells the allocation of a new state. Both are called by the loop.
	Save    func(Record) error
	Changed func(st State, urgent bool)
	Logger  *slog.Logger
}

// Runner runs one task.
type Runner struct {
	cfg Config
	box *mailbox.Box[Event]

	// Read by others.
	id      atomic.Pointer[string] // of the running start
	handle  atomic.Pointer[drivers.TaskHandle]
	results atomic.Pointer[map[string]steps.Result]
	next    atomic.Pointer[change]
	watched atomic.Bool   // the driver has the running start, and tells of its end
	known   chan struct{} // closed once the driver has what an earlier agent started, or that has ended
	once    sync.Once     // closes known

	writing sync.Mutex // held while the task's checkpoint is written or read

	// Owned by the loop.
	ctx    context.Context
	record Record
	spec   Spec
	alloc  *api.Allocation
	task   *api.Task
	timer  *time.Timer
	cancel context.CancelFunc // of the set-up that runs
	last   chan struct{}      // closed when the last ordered operation is done
	ops    sync.WaitGroup

	// Owned by the ordered operations, which never overlap.
	seq    *steps.Sequence
	driver drivers.Driver
}

// change is a new version of the allocation, to be taken up by the loop.
type change struct {
	alloc *api.Allocation
	task  *api.Task
	spec  Spec
}

// NewRunner makes a runner.
func NewRunner(cfg Config) *Runner {
	r := &Runner{cfg: cfg, box: mailbox.New[Event](), known: make(chan struct{}), spec: cfg.Spec, alloc: cfg.Alloc, task: cfg.Task}
	var saved map[string]steps.Result
	if cfg.Saved != nil {
		r.record = *cfg.Saved
		saved = cfg.Saved.Results
		r.handle.Store(cfg.Saved.Handle)
		r.results.Store(&saved)
		r.publish()
	} else {
		r.found()
	}
	r.seq = steps.NewSequence(cfg.Steps, saved)
	done := make(chan struct{})
	close(done)
	r.last = done
	// The first event, before anybody can send another.
	if cfg.Saved == nil {
		r.Send(Event{Kind: Create})
	} else {
		r.Send(Event{Kind: Restore})
	}
	return r
}

// Send hands the task an event; it never blocks.
func (r *Runner) Send(ev Event) {
	ev.Time = time.Now()
	ev.Jitter = rand.Float64()
	r.box.Put(ev)
}

// Update tells of a new version of the allocation; it holds from the next start on.
func (r *Runner) Update(a *api.Allocation, t *api.Task, spec Spec) {
	r.next.Store(&change{alloc: a, task: t, spec: spec})
}

// Handle gives the running task's ID and handle; false when it does not run.
func (r *Runner) Handle() (id string, handle *drivers.TaskHandle, ok bool) {
	if p := r.id.Load(); p != nil {
		return *p, r.handle.Load(), true
	}
	return "", nil, false
}

// Reach gives the running task's ID and its driver, once that knows the task:
// after a restart of the agent it is found again first. An empty ID: it does not run.
func (r *Runner) Reach(ctx context.Context) (id string, d drivers.Driver, err error) {
	if _, _, running := r.Handle(); !running {
		return "", nil, nil
	}
	wait, cancel := context.WithTimeout(ctx, recoverFor)
	defer cancel()
	select {
	case <-r.known:
	case <-wait.Done():
		return "", nil, api.Errorf(api.ErrUnavailable, "task %q has not been found again since the agent's start: try again", r.cfg.Task.Name)
	}
	id, _, running := r.Handle()
	if !running {
		return "", nil, nil
	}
	d, err = r.Driver(ctx)
	return id, d, err
}

// Results gives the results of the set-up steps, by name.
func (r *Runner) Results() map[string]steps.Result {
	if p := r.results.Load(); p != nil {
		return *p
	}
	return nil
}

// Driver gives the task's driver.
func (r *Runner) Driver(ctx context.Context) (drivers.Driver, error) {
	return r.cfg.Drivers.Find(ctx, r.cfg.Task.Driver)
}

// Run is the loop. It ends with ctx, leaving a running task as it is, and waits
// for what it started.
func (r *Runner) Run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	r.ctx = ctx
	defer r.finish(cancel)
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.box.Wake():
		}
		for _, ev := range r.box.Take() {
			r.step(ev)
		}
	}
}

func (r *Runner) finish(cancel context.CancelFunc) {
	cancel()
	if r.timer != nil {
		r.timer.Stop()
	}
	r.ops.Wait()
	r.seq.Release()
}

func (r *Runner) step(ev Event) {
	if c := r.next.Swap(nil); c != nil {
		r.alloc, r.task, r.spec = c.alloc, c.task, c.spec
	}
	st, actions := r.spec.Step(r.record.State, ev)
	r.record.State = st
	for _, a := range actions {
		r.act(a)
	}
}

// publish shows others which start runs.
func (r *Runner) publish() {
	switch r.record.State.Phase {
	case Running, Delayed, Stopping:
		id := r.record.ID
		r.id.Store(&id)
	default:
		r.id.Store(nil)
		r.watched.Store(false)
		r.found()
	}
}

func (r *Runner) found() { r.once.Do(func() { close(r.known) }) }

// complete fills in what belongs to a record beside the state.
func (r *Runner) complete() {
	switch r.record.State.Phase {
	case Starting:
		r.record.ID, r.record.Handle = r.newID(), nil
		r.handle.Store(nil)
	case Running:
		r.record.Handle = r.handle.Load()
	case Dead:
		r.record.Handle = nil
	}
	r.record.Results = r.Results()
}

func (r *Runner) act(a Action) {
	switch a.Kind {
	case SetUp:
		r.setUp()
	case Start:
		r.start()
	case Watch:
		r.watched.Store(true)
		r.found()
		r.async(r.watch(r.record.ID))
	case Recover:
		r.recover()
	case Stop:
		r.async(r.stop(r.record.ID, a))
	case Destroy:
		r.destroy(r.record.ID)
	case TearDown:
		r.tearDown()
	case Cancel:
		if r.cancel != nil {
			r.cancel()
		}
	case Timer:
		if r.timer != nil {
			r.timer.Stop()
		}
		r.timer = time.AfterFunc(a.Delay, func() { r.Send(Event{Kind: TimerFired}) })
	case Save:
		r.complete()
		r.publish()
		if err := r.cfg.Save(r.record); err != nil {
			r.cfg.Logger.Warn("the task's state is not kept: it may be started anew after a restart of the agent", "err", err)
		}
		if r.record.State.Phase == Running {
			failpoint.Kill("task:kept")
		}
	case Tell:
		r.publish()
		r.cfg.Changed(r.record.State, a.Urgent)
	}
}

// async runs an operation beside the loop; what it gives is sent to the task.
func (r *Runner) async(op func(context.Context) *Event) {
	r.ops.Go(func() {
		if ev := op(r.ctx); ev != nil && r.ctx.Err() == nil {
			r.Send(*ev)
		}
	})
}

// ordered is async for operations that must not overlap.
func (r *Runner) ordered(op func(context.Context) *Event) {
	before, done := r.last, make(chan struct{})
	r.last = done
	r.async(func(ctx context.Context) *Event {
		defer close(done)
		select {
		case <-before:
			return op(ctx)
		case <-ctx.Done():
			return nil
		}
	})
}

// outcome makes the answer to an operation.
func outcome(kind EventKind, err error) *Event {
	ev := &Event{Kind: kind}
	if err == nil {
		return ev
	}
	ev.Err = err.Error()
	if f, ok := errors.AsType[*steps.Failure](err); ok {
		ev.Cause = f.Event
	}
	ev.Recoverable = true
	for _, kind := range []error{api.ErrInvalid, api.ErrDenied, api.ErrTooLarge, drivers.ErrUnknownDriver, drivers.ErrDisabled, drivers.ErrUnsupported} {
		if errors.Is(err, kind) {
			ev.Recoverable = false
		}
	}
	return ev
}
