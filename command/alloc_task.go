package command

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

// choice is how the commands on running tasks are told which task is meant: by
// an allocation, or with -job by a job of which any allocation will do.
type choice struct {
	task  string
	group string
	job   bool
}

func (c *choice) define(f *cli.Flags) {
	f.String(&c.task, "task", "<task>", "The task. Needed when the allocation has several.")
	f.Bool(&c.job, "job", "The argument is a job; a random allocation of it that runs is taken.")
	f.String(&c.group, "group", "<group>", "With -job: take an allocation of this group.")
}

// allocation gives the allocation that an argument means.
func (c *choice) allocation(ctx context.Context, s *session, arg string) (*api.Allocation, error) {
	if !c.job {
		if c.group != "" {
			return nil, cli.Usagef("-group goes with -job")
		}
		return s.allocation(ctx, arg)
	}
	stub, err := s.job(ctx, arg)
	if err != nil {
		return nil, err
	}
	list, err := call(ctx, s, api.JobAllocations, api.JobAllocationsRequest{QueryOptions: on(stub).QueryOptions, ID: stub.ID})
	if err != nil {
		return nil, err
	}
	var fits []*api.AllocationListStub
	for _, want := range []string{api.AllocClientRunning, ""} {
		for _, a := range list {
			if (c.group == "" || a.TaskGroup == c.group) && (want == "" || a.ClientStatus == want) && (c.task == "" || a.TaskStates[c.task] != nil) {
				fits = append(fits, a)
			}
		}
		if len(fits) > 0 {
			break
		}
	}
	if len(fits) == 0 {
		return nil, api.Errorf(api.ErrNotFound, "job %q has no allocation that fits", stub.ID)
	}
	return call(ctx, s, api.AllocationRead, api.IDRequest{ID: fits[rand.IntN(len(fits))].ID})
}

// pickTask gives the task that was named, or the only one: of the allocation,
// or of its main tasks.
func pickTask(a *api.Allocation, named string) (string, error) {
	var names, mains []string
	if a.Job != nil {
		if g := a.Job.LookupTaskGroup(a.TaskGroup); g != nil {
			for _, t := range g.Tasks {
				names = append(names, t.Name)
				if t.IsMain() {
					mains = append(mains, t.Name)
				}
			}
		}
	}
	if len(names) == 0 {
		names = sorted(a.TaskStates)
	}
	if named != "" {
		for _, n := range names {
			if n == named {
				return named, nil
			}
		}
		return "", fmt.Errorf("allocation %s has no task %q; it has %s", id(a.ID, false), named, strings.Join(names, ", "))
	}
	if len(mains) == 1 {
		return mains[0], nil
	}
	if len(names) != 1 {
		return "", cli.Usagef("allocation %s has several tasks (%s): name one", id(a.ID, false), strings.Join(names, ", "))
	}
	return names[0], nil
}

// openTask opens a session and finds the allocation of the first argument, which
// must have the task, unless that is empty.
func openTask(ctx context.Context, inv *cli.Invocation, task string) (*session, *api.Allocation, error) {
	s, err := open(inv)
	if err != nil {
		return nil, nil, err
	}
	a, err := s.allocation(ctx, inv.Args[0])
	if err == nil && task != "" {
		_, err = pickTask(a, task)
	}
	return s, a, err
}

func allocRestart() *cli.Command {
	var (
		task         string
		all, verbose bool
	)
	return &cli.Command{
		Name: "restart", Synopsis: "Restart the tasks of an allocation in place", Usage: "[options] <allocation> [<task>]", Min: 1, Max: 2,
		Help: `Restarts the running tasks of an allocation, or one of them, where they are.`,
		Define: func(f *cli.Flags) {
			f.String(&task, "task", "<task>", "Restart this task only.")
			f.Bool(&all, "all-tasks", "Restart also the tasks that are done, in the order of their lifecycle.")
			f.Bool(&verbose, "verbose", "Show IDs in full.")
		},
		Complete: completer(api.ContextAllocs),
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			if len(inv.Args) == 2 {
				task = inv.Args[1]
			}
			if all && task != "" {
				return cli.Usagef("-all-tasks restarts every task: do not name one")
			}
			s, a, err := openTask(ctx, inv, task)
			if err != nil {
				return err
			}
			_, err = call(ctx, s, api.AllocRestart, api.AllocRestartRequest{WriteOptions: within(a.Namespace), ID: a.ID, TaskName: task, AllTasks: all})
			return err
		},
	}
}

func allocSignal() *cli.Command {
	var (
		signal, task string
		verbose      bool
	)
	return &cli.Command{
		Name: "signal", Synopsis: "Send a signal to the tasks of an allocation", Usage: "[options] <allocation> [<task>]", Min: 1, Max: 2,
		Define: func(f *cli.Flags) {
			signal = "SIGKILL"
			f.String(&signal, "s", "<signal>", "The signal, such as SIGHUP. Default SIGKILL.")
			f.String(&task, "task", "<task>", "Only this task; all when not given.")
			f.Bool(&verbose, "verbose", "Show IDs in full.")
		},
		Complete: completer(api.ContextAllocs),
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			if len(inv.Args) == 2 {
				task = inv.Args[1]
			}
			s, a, err := openTask(ctx, inv, task)
			if err != nil {
				return err
			}
			_, err = call(ctx, s, api.AllocSignal, api.AllocSignalRequest{WriteOptions: within(a.Namespace), ID: a.ID, Task: task, Signal: signal})
			return err
		},
	}
}

func allocStop() *cli.Command {
	var detach, noDelay, verbose bool
	return &cli.Command{
		Name: "stop", Synopsis: "Stop an allocation and have it placed anew", Usage: "[options] <allocation>", Min: 1, Max: 1,
		Help: `Stops an allocation. The scheduler places a new one in its stead, on the same node or another, as long as the job runs.`,
		Define: func(f *cli.Flags) {
			f.Bool(&noDelay, "no-shutdown-delay", "Do not wait the shutdown delay of the group and tasks.")
			f.Bool(&detach, "detach", "Return at once with the ID of the evaluation.")
			f.Bool(&verbose, "verbose", "Show IDs in full.")
		},
		Complete: completer(api.ContextAllocs),
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			a, err := s.allocation(ctx, inv.Args[0])
			if err != nil {
				return err
			}
			resp, err := call(ctx, s, api.AllocationStop, api.AllocationStopRequest{WriteOptions: within(a.Namespace), ID: a.ID, NoShutdownDelay: noDelay})
			if err != nil {
				return err
			}
			return s.followOrPrint(ctx, resp.EvalID, detach, verbose, toStart)
		},
	}
}
