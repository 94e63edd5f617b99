package steps

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/artifact"
	"github.com/seraihq/serai/client/device"
	"github.com/seraihq/serai/client/logs"
	"github.com/seraihq/serai/client/template"
	"github.com/seraihq/serai/client/users"
	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/internal/failpoint"
)

// In is what steps work on; they do not change it.
type In struct {
	Alloc  *api.Allocation
	Task   *api.Task // nil in the steps of an allocation
	Driver drivers.Info
	Dir    string // the allocation's directory on the host
	Node   *api.Node
	Logger *slog.Logger
	Logs   *logs.Collector
	// Devices are those of the node; SharedCores gives the cores of tasks that
	// have none of their own, empty when they may use all.
	Devices     *device.Set
	SharedCores func() string
	// Users are those that the node hands out; nil hands out none.
	Users *users.Pool
	// Artifacts fetches those of tasks; Region is what ${node.region} stands for.
	Artifacts *artifact.Fetcher
	Region    string
	// Tell puts an event into the history of the task.
	Tell func(*api.TaskEvent)
	// Note puts a sentence into the history of the task, or of all tasks.
	Note func(text string)
	// Pod gives the network that the tasks share; nil, or giving nil: the host's.
	Pod func() *Pod
	// Sign has identities of tasks signed; nil: nobody does.
	Sign Signer
	// ServeAPI answers the HTTP API on the socket of a task until that is closed;
	// nil: nobody does.
	ServeAPI func(net.Listener)
	// Keep saves a result of a step that has changed since it went up.
	Keep func(step string, out Result)
	// Control reaches the task while it runs; nil in the steps of an allocation.
	Control template.Control
	// Restored: the step stood when the agent was last up, and the task may run.
	// Before is what it left then.
	Restored bool
	Before   Result
}

// note calls Note where there is one.
func (in *In) note(format string, args ...any) {
	if in.Note != nil {
		in.Note(fmt.Sprintf(format, args...))
	}
}

// pod gives what Pod does, where there is one.
func (in *In) pod() *Pod {
	if in.Pod == nil {
		return nil
	}
	return in.Pod()
}

// Result is what a step leaves for its Down, kept over a restart of the agent.
type Result map[string]string

// Step is one part of the set-up.
type Step interface {
	Name() string
	Up(ctx context.Context, in *In) (Result, error)
	Down(ctx context.Context, in *In, out Result) error
}

// Releaser is a step that holds something of this process, which it gives back
// when the agent ends and the task runs on.
type Releaser interface{ Release() }

// Renewer is a step that has something to do before each start of a task that
// is not the first since it went up. Its result takes the place of that of Up.
type Renewer interface {
	Again(ctx context.Context, in *In) (Result, error)
}

// Environment is a step that adds variables to the task's environment.
type Environment interface{ Env() map[string]string }

// Entry is a step with the time that it may take.
type Entry struct {
	Step     Step
	Deadline time.Duration
}

// Sequence is a list of steps and how far it has come. It is not safe for
// concurrent use.
type Sequence struct {
	entries []Entry
	up      int
	results map[string]Result
}

// NewSequence makes a sequence; saved are the results of an earlier life.
func NewSequence(entries []Entry, saved map[string]Result) *Sequence {
	s := &Sequence{entries: entries, results: map[string]Result{}}
	for name, out := range saved {
		s.results[name] = out
	}
	return s
}

// Results gives the results of the steps that stand, by name.
func (s *Sequence) Results() map[string]Result {
	out := make(map[string]Result, len(s.results))
	for k, v := range s.results {
		out[k] = v
	}
	return out
}

// Up puts up the steps that do not stand yet, and renews those that do. After an
// error it can be called again; Down undoes what did stand.
func (s *Sequence) Up(ctx context.Context, in *In) error {
	for _, e := range s.entries[:s.up] {
		r, ok := e.Step.(Renewer)
		if !ok {
			continue
		}
		name := e.Step.Name()
		out, err := e.run(ctx, func(ctx context.Context) (Result, error) { return r.Again(ctx, in) })
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		s.results[name] = out
	}
	for s.up < len(s.entries) {
		e := s.entries[s.up]
		name := e.Step.Name()
		at := *in
		at.Before, at.Restored = s.results[name]
		out, err := e.run(ctx, func(ctx context.Context) (Result, error) { return e.Step.Up(ctx, &at) })
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		failpoint.Kill("step:up:" + name)
		s.results[name] = out
		s.up++
	}
	return nil
}

// Env gives the variables that steps add to the task's environment.
func (s *Sequence) Env() map[string]string {
	var vars map[string]string
	for _, e := range s.entries {
		if x, ok := e.Step.(Environment); ok {
			if vars == nil {
				vars = map[string]string{}
			}
			maps.Copy(vars, x.Env())
		}
	}
	return vars
}

// Down undoes what stands, also what only an earlier life has put up, in
// reverse. All is tried; errors are joined.
func (s *Sequence) Down(ctx context.Context, in *In) error {
	var all error
	for i := len(s.entries) - 1; i >= 0; i-- {
		e := s.entries[i]
		name := e.Step.Name()
		out, stood := s.results[name]
		if !stood && i >= s.up {
			continue
		}
		_, err := e.run(ctx, func(ctx context.Context) (Result, error) { return nil, e.Step.Down(ctx, in, out) })
		failpoint.Kill("step:down:" + name)
		if err != nil {
			all = errors.Join(all, fmt.Errorf("%s: %w", name, err))
			continue
		}
		delete(s.results, name)
	}
	s.up = 0
	return all
}

// Release gives back what belongs to this process; what stands keeps standing.
func (s *Sequence) Release() {
	for _, e := range s.entries {
		if r, ok := e.Step.(Releaser); ok {
			r.Release()
		}
	}
}

// run calls fn with the step's deadline, and says so when that passed.
func (e Entry) run(ctx context.Context, fn func(context.Context) (Result, error)) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, e.Deadline)
	defer cancel()
	out, err := fn(ctx)
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return nil, fmt.Errorf("not done within %v: %w", e.Deadline, err)
	}
	return out, err
}
