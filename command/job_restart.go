package command

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
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
	onError           string
	yes, verbose      bool
}

func jobRestart() *cli.Command {
	r := restart{batch: "1", wait: "0s", onError: "ask"}
	return &cli.Command{
		Name: "restart", Synopsis: "Restart the allocations of a job, some at a time", Usage: "[options] <job>", Min: 1, Max: 1,
		Help: `Restarts the running tasks of a job's allocations in place, or with -reschedule stops the allocations so that they are placed anew. It goes in batches, one allocation at a time unless -batch-size says otherwise.`,
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
			f.Ignore("no-shutdown-delay", "")
		},
		Complete: completer(api.ContextJobs),
		Run: func(ctx context.Context, inv *cli.Invocation) error {
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
	size, err := batchSize(r.batch, len(running))
	if err != nil {
		return err
	}
	var wait time.Duration
	if r.wait != "ask" {
		if wait, err = time.ParseDuration(r.wait); err != nil {
			return cli.Usagef("-batch-wait %q is neither a duration nor \"ask\"", r.wait)
		}
	}
	s.Printf("%s Restarting %s of job %q, %d at a time", s.Style.Bold("==>"), count(len(running), "allocation"), stub.ID, size)
	for start := 0; start < len(running); start += size {
		if start > 0 {
			if ok, err := r.between(ctx, s, wait); err != nil || !ok {
				return err
			}
		}
		for _, a := range running[start:min(start+size, len(running))] {
			if err := r.one(ctx, s, a); err != nil {
				err = fmt.Errorf("allocation %s: %w", id(a.ID, r.verbose), err)
				if r.onError != "ask" || r.yes || !cli.IsTerminal(s.Stdin) {
					return err
				}
				s.Errorf("Error: %v", err)
				if more, cerr := confirm(s.Invocation, "Go on with the others?"); cerr != nil || !more {
					return cli.ExitCode(cli.CodeError)
				}
			}
		}
	}
	s.Printf("%s Finished job restart", s.Style.Bold("==>"))
	return nil
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
		s.Printf("    Rescheduling allocation %q of group %q", id(a.ID, r.verbose), a.TaskGroup)
		resp, err := call(ctx, s, api.AllocationStop, api.AllocationStopRequest{WriteOptions: within(a.Namespace), ID: a.ID, Reschedule: true})
		if err != nil {
			return err
		}
		return s.follow(ctx, resp.EvalID, r.verbose, true)
	}
	tasks := r.tasks
	if len(tasks) == 0 {
		tasks = []string{""}
	}
	for _, task := range tasks {
		what := "tasks"
		if task != "" {
			what = fmt.Sprintf("task %q", task)
			if a.TaskStates[task] == nil {
				continue
			}
		}
		s.Printf("    Restarting %s of allocation %q (group %q)", what, id(a.ID, r.verbose), a.TaskGroup)
		if _, err := call(ctx, s, api.AllocRestart, api.AllocRestartRequest{WriteOptions: within(a.Namespace), ID: a.ID, TaskName: task, AllTasks: r.allTasks}); err != nil {
			return err
		}
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
