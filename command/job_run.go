package command

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

func jobRun() *cli.Command {
	var (
		file                              jobFile
		checkIndex                        *uint64
		detach, verbose, output           bool
		preserveCounts, preserveResources bool
		priority                          int
	)
	return &cli.Command{
		Name: "run", Synopsis: "Submit a job, new or changed, and follow it", Usage: "[options] <path>", Min: 1, Max: 1,
		Help: `Submits the job in a job file: starts it, or changes it to what the file says. The path "-" reads standard input; an http address is fetched.

The command follows the evaluation and the allocations until they run, have finished or have failed, and a deployment to its end; where canaries wait to be promoted it says how, and goes on watching. It tells what went wrong. Its exit code is 0 when all is well, 1 for an error and 2 when something could not be placed or failed.`,
		Define: func(f *cli.Flags) {
			file.define(f)
			f.Index(&checkIndex, "check-index", "<index>", "Submit only if the job's modify index is still this one, as \"job plan\" shows it; 0 = only if the job does not exist.")
			f.Bool(&detach, "detach", "Return at once with the ID of the evaluation.")
			f.Int(&priority, "eval-priority", "<n>", "Priority of the evaluation; the job's own when 0.")
			f.Bool(&output, "output", "Show the job as JSON and do not submit it.")
			f.Bool(&preserveCounts, "preserve-counts", "Keep the counts of the running version, as an autoscaler set them.")
			f.Bool(&preserveResources, "preserve-resources", "Keep the resources of the running version.")
			f.Bool(&verbose, "verbose", "Show IDs in full.")
			f.Ignore("ui", "")
		},
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			parsed, err := file.read(ctx, inv, inv.Args[0])
			if err != nil {
				return err
			}
			if output {
				return cli.WriteJSON(inv.Stdout, map[string]any{"Job": parsed.Job})
			}
			s, err := open(inv)
			if err != nil {
				return err
			}
			showWarnings(inv.Stderr, inv.Style, parsed.Warnings...)
			req := api.JobRegisterRequest{
				WriteOptions: within(parsed.Job.Namespace), Job: parsed.Job, Submission: parsed.Submission,
				PreserveCounts: preserveCounts, PreserveResources: preserveResources, EvalPriority: priority,
			}
			if checkIndex != nil {
				req.EnforceIndex, req.JobModifyIndex = true, *checkIndex
			}
			resp, err := call(ctx, s, api.JobsRegister, req)
			if err != nil {
				return located(err, parsed)
			}
			showWarnings(inv.Stderr, inv.Style, resp.Warnings)
			return s.registered(ctx, parsed.Job, resp, detach, verbose)
		},
	}
}

// registered shows what a submission led to.
func (s *session) registered(ctx context.Context, job *api.Job, resp api.JobRegisterResponse, detach, verbose bool) error {
	if resp.EvalID == "" {
		s.Printf("Job registration successful")
		if text := templateHint(job, time.Now()); text != "" {
			s.Printf("%s", text)
		}
		return nil
	}
	if detach {
		s.Printf("Job registration successful\nEvaluation ID: %s\nJob Modify Index: %d", resp.EvalID, resp.JobModifyIndex)
		return nil
	}
	return s.follow(ctx, resp.EvalID, verbose, toDeployment)
}

func jobValidate() *cli.Command {
	var file jobFile
	return &cli.Command{
		Name: "validate", Synopsis: "Check a job file without submitting it", Usage: "[options] <path>", Min: 1, Max: 1,
		Help:   `Parses a job file and checks it, here and, where an agent answers, by the servers. All problems are told at once, each with its place. The exit code is 0 when the job is valid and 1 when it is not.`,
		Define: func(f *cli.Flags) { file.define(f) },
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			parsed, err := file.read(ctx, inv, inv.Args[0])
			if err != nil {
				return err
			}
			problems := append(parsed.Job.Validate(api.ValidateLimits{}), parsed.Job.NotBuilt()...)
			warnings := append(parsed.Warnings, parsed.Job.Warnings()...)
			s, err := open(inv)
			if err != nil {
				return err
			}
			resp, err := call(ctx, s, api.JobValidate, api.JobValidateRequest{QueryOptions: api.QueryOptions{Namespace: parsed.Job.Namespace}, Job: parsed.Job})
			if err != nil {
				warnings = append(warnings, fmt.Sprintf("the servers could not be asked (%v); only the checks that need no server were made", err))
			} else if len(problems) == 0 && resp.Error != "" {
				showWarnings(inv.Stderr, inv.Style, append(warnings, resp.Warnings)...)
				return fmt.Errorf("the job is not valid:\n\n%s", strings.TrimSpace(resp.Error))
			}
			showWarnings(inv.Stderr, inv.Style, warnings...)
			if err := parsed.Locate(problems); err != nil {
				return err
			}
			inv.Printf("Job validation successful")
			return nil
		},
	}
}
