package command

import (
	"context"
	"fmt"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

func jobStop() *cli.Command {
	var (
		detach, verbose, purge, global, yes, noDelay bool
		priority                                     int
	)
	return &cli.Command{
		Name: "stop", Synopsis: "Stop jobs", Usage: "[options] <job>...", Min: 1, Max: -1,
		Help: `Stops jobs: their allocations end, and the jobs remain known until they are collected. The beginning of an ID is enough when it fits one job; then the command asks first.`,
		Define: func(f *cli.Flags) {
			f.Bool(&purge, "purge", "Forget the job at once.")
			f.Bool(&global, "global", "Stop a job of many regions in all of them.")
			f.Bool(&noDelay, "no-shutdown-delay", "Do not wait the shutdown delay of groups and tasks.")
			f.Int(&priority, "eval-priority", "<n>", "Priority of the evaluation; the job's own when 0.")
			f.Bool(&detach, "detach", "Return at once with the ID of the evaluation.")
			f.Bool(&yes, "yes", "Do not ask.")
			f.Bool(&verbose, "verbose", "Show IDs in full.")
		},
		Complete: completer(api.ContextJobs),
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			for _, prefix := range inv.Args {
				job, err := s.job(ctx, prefix)
				if err != nil {
					return err
				}
				if job.ID != prefix && !yes {
					if sure, err := confirm(inv, "Stop job %q?", job.ID); err != nil || !sure {
						return err
					}
				}
				resp, err := call(ctx, s, api.JobDeregister, api.JobDeregisterRequest{
					WriteOptions: within(job.Namespace), ID: job.ID, Purge: purge, Global: global, EvalPriority: priority, NoShutdownDelay: noDelay,
				})
				if err != nil {
					return fmt.Errorf("stop job %q: %w", job.ID, err)
				}
				if err := s.followOrPrint(ctx, resp.EvalID, detach, verbose, toDecision); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// followOrPrint follows an evaluation, or with -detach prints its ID.
func (s *session) followOrPrint(ctx context.Context, evalID string, detach, verbose bool, how depth) error {
	switch {
	case evalID == "":
		return nil
	case detach:
		s.Printf("%s", evalID)
		return nil
	}
	return s.follow(ctx, evalID, verbose, how)
}

func jobStart() *cli.Command {
	var detach, verbose bool
	return &cli.Command{
		Name: "start", Synopsis: "Start stopped jobs again", Usage: "[options] <job>...", Min: 1, Max: -1,
		Help: `Starts jobs that were stopped, as they were: their last version is submitted again.`,
		Define: func(f *cli.Flags) {
			f.Bool(&detach, "detach", "Return at once with the ID of the evaluation.")
			f.Bool(&verbose, "verbose", "Show IDs in full.")
		},
		Complete: completer(api.ContextJobs),
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			for _, prefix := range inv.Args {
				if err := s.startJob(ctx, prefix, detach, verbose); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func (s *session) startJob(ctx context.Context, prefix string, detach, verbose bool) error {
	stub, err := s.job(ctx, prefix)
	if err != nil {
		return err
	}
	if !stub.Stop {
		s.Printf("Job %q is not stopped", stub.ID)
		return nil
	}
	job, err := call(ctx, s, api.JobRead, on(stub))
	if err != nil {
		return err
	}
	submission, err := call(ctx, s, api.JobSubmissionOf, api.JobSubmissionRequest{QueryOptions: on(stub).QueryOptions, ID: job.ID, Version: job.Version})
	if err != nil {
		submission = nil // the source is a convenience; the job itself is complete
	}
	job.Stop = false
	resp, err := call(ctx, s, api.JobsRegister, api.JobRegisterRequest{
		WriteOptions: within(job.Namespace), Job: job, Submission: submission, EnforceIndex: true, JobModifyIndex: job.JobModifyIndex,
	})
	if err != nil {
		return fmt.Errorf("start job %q: %w", job.ID, err)
	}
	return s.followOrPrint(ctx, resp.EvalID, detach, verbose, toDeployment)
}

func jobEval() *cli.Command {
	var detach, force, verbose bool
	return &cli.Command{
		Name: "eval", Synopsis: "Have the scheduler look at a job again", Usage: "[options] <job>", Min: 1, Max: 1,
		Define: func(f *cli.Flags) {
			f.Bool(&force, "force-reschedule", "Place failed allocations anew at once.")
			f.Bool(&detach, "detach", "Return at once with the ID of the evaluation.")
			f.Bool(&verbose, "verbose", "Show IDs in full.")
		},
		Complete: completer(api.ContextJobs),
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			job, err := s.job(ctx, inv.Args[0])
			if err != nil {
				return err
			}
			resp, err := call(ctx, s, api.JobEvaluate, api.JobEvaluateRequest{WriteOptions: within(job.Namespace), ID: job.ID, JobID: job.ID, EvalOptions: api.EvalOptions{ForceReschedule: force}})
			if err != nil {
				return err
			}
			if detach {
				inv.Printf("Created eval ID: %q", resp.EvalID)
				return nil
			}
			return s.follow(ctx, resp.EvalID, verbose, toStart)
		},
	}
}
