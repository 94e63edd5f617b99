package command

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

func jobAction() *cli.Command {
	var (
		job, alloc string
		pick       choice
	)
	flags := newSessionFlags()
	return &cli.Command{
		Name: "action", Synopsis: "Run an action of a job in one of its tasks", Usage: "[options] <action>", Min: 1, Max: 1,
		Help: `Runs a command that the job file has given a name to in an action block of a task. It runs inside a running task, as "alloc exec" runs a command, and
the exit code is the command's own. Without -alloc any allocation that runs is taken; without -task, the task that has the action.`,
		Define: func(f *cli.Flags) {
			f.String(&job, "job", "<job>", "The job. Needed.")
			f.String(&alloc, "alloc", "<allocation>", "The allocation.")
			f.String(&pick.group, "group", "<group>", "Take an allocation of this group.")
			f.String(&pick.task, "task", "<task>", "The task. Needed when several of the group have such an action.")
			flags.define(f)
		},
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			if job == "" {
				return cli.Usagef("name the job: -job=JOB")
			}
			if err := flags.settle(inv); err != nil {
				return err
			}
			s, err := open(inv)
			if err != nil {
				return err
			}
			req, err := pick.action(ctx, s, job, alloc, inv.Args[0])
			if err != nil {
				return err
			}
			e := flags.session(s)
			req.TTY = e.tty
			return e.run(ctx, api.JobActionRun.Endpoint, req)
		},
	}
}

// action finds where an action is to run.
func (c *choice) action(ctx context.Context, s *session, job, alloc, name string) (*api.JobActionRequest, error) {
	stub, err := s.job(ctx, job)
	if err != nil {
		return nil, err
	}
	list, err := call(ctx, s, api.JobActions, api.JobReadRequest{QueryOptions: on(stub).QueryOptions, ID: stub.ID})
	if err != nil {
		return nil, err
	}
	var fits []*api.JobAction
	for _, a := range list {
		if a.Name == name && (c.group == "" || a.TaskGroupName == c.group) && (c.task == "" || a.TaskName == c.task) {
			fits = append(fits, a)
		}
	}
	var a *api.Allocation
	if alloc != "" {
		if a, err = s.allocation(ctx, alloc); err != nil {
			return nil, err
		}
		if a.JobID != stub.ID || a.Namespace != stub.Namespace {
			return nil, fmt.Errorf("allocation %s is of job %q, not of %q", id(a.ID, false), a.JobID, stub.ID)
		}
		fits = slices.DeleteFunc(fits, func(x *api.JobAction) bool { return x.TaskGroupName != a.TaskGroup })
	}
	if err := oneAction(stub.ID, name, fits, list); err != nil {
		return nil, err
	}
	if a == nil {
		c.job, c.group, c.task = true, fits[0].TaskGroupName, fits[0].TaskName
		if a, err = c.allocation(ctx, s, stub.ID); err != nil {
			return nil, err
		}
	}
	return &api.JobActionRequest{
		QueryOptions: on(stub).QueryOptions, ID: stub.ID, Action: name, AllocID: a.ID, Group: fits[0].TaskGroupName, Task: fits[0].TaskName,
	}, nil
}

// oneAction says what is wrong unless exactly one action fits.
func oneAction(job, name string, fits, all []*api.JobAction) error {
	if len(fits) == 1 {
		return nil
	}
	var places []string
	for _, a := range all {
		text := fmt.Sprintf("%s (group %s, task %s)", a.Name, a.TaskGroupName, a.TaskName)
		if len(fits) == 0 || a.Name == name {
			places = append(places, text)
		}
	}
	switch {
	case len(fits) > 1:
		return cli.Usagef("job %q has several actions %q: name one with -group and -task: %s", job, name, strings.Join(places, ", "))
	case len(all) == 0:
		return api.Errorf(api.ErrNotFound, "job %q has no actions", job)
	}
	return api.Errorf(api.ErrNotFound, "job %q has no such action %q; it has %s", job, name, strings.Join(places, ", "))
}
