package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

// restart is what `job restart` was told.
type restart struct {
	batch             string // number or percentage
	wait              string // duration or "ask"
	groups, tasks     []string
	allTasks, replace bool
	noDelay           bool
	onError           string
	yes, verbose      bool
}

func jobRestart() *cli.Command {
	r := restart{batch: "1", wait: "0s", onError: "ask"}
	return &cli.Command{
		Name: "restart", Synopsis: "Restart the allocations of a job, some at a time", Usage: "[options] <job>", Min: 1, Max: 1,
		Help: `Restarts the running tasks of a job's allocations in place, or with -reschedule stops the allocations so that they are placed anew. It goes in batches, one allocation at a time unless -batch-size says otherwise; with -reschedule the next batch waits until the replacements of the one before run.

  serai job restart -batch-size 20% -batch-wait 30s web`,
		Define: func(f *cli.Flags) {
			f.String(&r.batch, "batch-size", "<n|n%>", "How many allocations are restarted at once, as a number or a share of all. Default 1.")
			f.String(&r.wait, "batch-wait", "<duration|ask>", "How long to wait between batches, or \"ask\" to be asked.")
			f.Strings(&r.groups, "group", "<group>", "Only allocations of this group. May be given many times.")
			f.Strings(&r.tasks, "task", "<task>", "Only this task. May be given many times.")
			f.Bool(&r.allTasks, "all-tasks", "Also the tasks that are done.")
			f.Bool(&r.replace, "reschedule", "Stop the allocations and have them placed anew.")
			f.String(&r.onError, "on-error", "<ask|fail>", "What to do when an allocation cannot be restarted.")
			f.Bool(&r.yes, "yes", "Do not ask.")
			f.Bool(&r.verbose, "verbose", "Show IDs in full.")
			f.Bool(&r.noDelay, "no-shutdown-delay", "With -reschedule: do not wait the shutdown delay of the group and tasks.")
		},
		Complete: completer(api.ContextJobs),
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			if r.onError != "ask" && r.onError != "fail" {
				return cli.Usagef("-on-error %q is neither \"ask\" nor \"fail\"", r.onError)
			}
			if r.noDelay && !r.replace {
				return cli.Usagef("-no-shutdown-delay goes with -reschedule: a restart in place waits for no shutdown delay")
			}
			if r.allTasks && (len(r.tasks) > 0 || r.replace) || r.replace && len(r.tasks) > 0 {
				return cli.Usagef("-all-tasks, -task and -reschedule exclude each other")
			}
			s, err := open(inv)
			if err != nil {
				return err
			}
			stub, err := s.job(ctx, inv.Args[0])
			if err != nil {
				return err
			}
			if r.replace && (stub.Type == api.JobTypeSystem || stub.Type == api.JobTypeSysbatch) {
				return fmt.Errorf("job %q is of type %s: its allocations belong to their nodes and cannot be rescheduled; leave -reschedule out", stub.ID, stub.Type)
			}
			return r.run(ctx, s, stub)
		},
	}
}

func (r *restart) run(ctx context.Context, s *session, stub *api.JobListStub) error {
	list, err := call(ctx, s, api.JobAllocations, api.JobAllocationsRequest{QueryOptions: on(stub).QueryOptions, ID: stub.ID})
	if err != nil {
		return err
	}
	var running []*api.AllocationListStub
	for _, a := range list {
		if a.ClientStatus == api.AllocClientRunning && a.DesiredStatus == api.AllocDesiredRun && (len(r.groups) == 0 || slices.Contains(r.groups, a.TaskGroup)) {
			running = append(running, a)
		}
	}
	if len(running) == 0 {
		s.Printf("No running allocations of job %q to restart", stub.ID)
		return nil
	}
	if err := r.known(running, stub.ID); err != nil {
		return err
	}
	size, err := batchSize(r.batch, len(running))
	if err != nil {
		return err
	}
	var wait time.Duration
	if r.wait != "ask" {
		if wait, err = time.ParseDuration(r.wait); err != nil || wait < 0 {
			return cli.Usagef("-batch-wait %q is neither a duration nor \"ask\"", r.wait)
		}
	}
	s.Printf("%s Restarting %s of job %q, %d at a time", s.Style.Bold("==>"), count(len(running), "allocation"), stub.ID, min(size, len(running)))
	for start := 0; start < len(running); start += size {
		if start > 0 {
			if ok, err := r.between(ctx, s, wait); err != nil || !ok {
				return err
			}
		}
		if err := r.step(ctx, s, running[start:min(start+size, len(running))]); err != nil {
			if r.onError != "ask" || r.yes || !cli.IsTerminal(s.Stdin) || ctx.Err() != nil {
				return err
			}
			s.Errorf("Error: %v", err)
			if more, cerr := confirm(s.Invocation, "Go on with the others?"); cerr != nil || !more {
				return cli.ExitCode(cli.CodeError)
			}
		}
	}
	s.Printf("%s Finished job restart", s.Style.Bold("==>"))
	return nil
}

// known refuses names of tasks that no allocation has.
func (r *restart) known(running []*api.AllocationListStub, job string) error {
	for _, task := range r.tasks {
		if !slices.ContainsFunc(running, func(a *api.AllocationListStub) bool { return a.TaskStates[task] != nil }) {
			return fmt.Errorf("no running allocation of job %q has a task %q", job, task)
		}
	}
	return nil
}

// step restarts the allocations of one batch at the same time and waits for all.
func (r *restart) step(ctx context.Context, s *session, batch []*api.AllocationListStub) error {
	errs := make([]error, len(batch))
	var wg sync.WaitGroup
	for i, a := range batch {
		r.announce(s, a)
		wg.Go(func() {
			if err := r.one(ctx, s, a); err != nil {
				errs[i] = fmt.Errorf("allocation %s: %w", id(a.ID, r.verbose), err)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (r *restart) announce(s *session, a *api.AllocationListStub) {
	verb, what := "Restarting", "tasks"
	if r.replace {
		verb, what = "Rescheduling", "tasks"
	} else if len(r.tasks) > 0 {
		what = strings.Join(r.tasks, ", ")
	}
	s.Printf("    %s %s of allocation %q (group %q)", verb, what, id(a.ID, r.verbose), a.TaskGroup)
}

// between waits, or asks, before the next batch.
func (r *restart) between(ctx context.Context, s *session, wait time.Duration) (bool, error) {
	if r.wait == "ask" && !r.yes {
		return confirm(s.Invocation, "Restart the next batch?")
	}
	select {
	case <-ctx.Done():
		return false, ctx.Err()
	case <-time.After(wait):
		return true, nil
	}
}

func (r *restart) one(ctx context.Context, s *session, a *api.AllocationListStub) error {
	if r.replace {
		resp, err := call(ctx, s, api.AllocationStop, api.AllocationStopRequest{WriteOptions: within(a.Namespace), ID: a.ID, NoShutdownDelay: r.noDelay, Reschedule: true})
		if err != nil {
			return err
		}
		return r.replaced(ctx, s, a, resp.EvalID)
	}
	tasks := r.tasks
	if len(tasks) == 0 {
		tasks = []string{""}
	}
	for _, task := range tasks {
		if task != "" && a.TaskStates[task] == nil {
			continue
		}
		if _, err := call(ctx, s, api.AllocRestart, api.AllocRestartRequest{WriteOptions: within(a.Namespace), ID: a.ID, TaskName: task, AllTasks: r.allTasks}); err != nil {
			return err
		}
	}
	return nil
}

// replaced waits until the replacement of an allocation that was stopped runs.
func (r *restart) replaced(ctx context.Context, s *session, old *api.AllocationListStub, evalID string) error {
	e, err := until(ctx, s, api.EvaluationRead, api.EvaluationReadRequest{ID: evalID}, func(e *api.Evaluation) bool { return e.Terminal() || e.Status == api.EvalBlocked })
	if err != nil {
		return err
	}
	if m := e.FailedTGAllocs[old.TaskGroup]; m != nil {
		return fmt.Errorf("there is no node for its replacement: %s", strings.Join(placementReasons(m), "; "))
	}
	stopped, err := call(ctx, s, api.AllocationRead, api.IDRequest{ID: old.ID})
	if err != nil {
		return err
	}
	if stopped.NextAllocation == "" {
		return fmt.Errorf("it was not replaced; see \"serai eval status %s\"", id(evalID, r.verbose))
	}
	a, err := until(ctx, s, api.AllocationRead, api.IDRequest{ID: stopped.NextAllocation}, func(a *api.Allocation) bool { return a.ClientStatus == api.AllocClientRunning || a.Terminal() })
	if err != nil {
		return err
	}
	if a.ClientStatus != api.AllocClientRunning && a.ClientStatus != api.AllocClientComplete {
		return fmt.Errorf("its replacement %s is %s; see \"serai alloc status %s\"", id(a.ID, r.verbose), a.ClientStatus, id(a.ID, r.verbose))
	}
	return nil
}

// batchSize reads a number or a percentage of a total.
func batchSize(text string, total int) (int, error) {
	share, percent := strings.CutSuffix(text, "%")
	n, err := strconv.Atoi(share)
	if err != nil || n < 1 || percent && n > 100 {
		return 0, cli.Usagef("-batch-size %q is neither a number nor a percentage", text)
	}
	if percent {
		n = max(1, (total*n+99)/100)
	}
	return n, nil
}
