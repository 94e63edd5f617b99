package command

import (
	"context"
	"fmt"
	"io"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

// Exit codes of `job plan`.
const (
	codePlanChanges = 1   // allocations would be created or destroyed
	codePlanError   = 255 // there is no plan
)

func jobPlan() *cli.Command {
	var (
		file                jobFile
		format              cli.Format
		jsonOutput, verbose bool
		showDiff            = true
	)
	return &cli.Command{
		Name: "plan", Synopsis: "Show what running a job would change", Usage: "[options] <path>...", Min: 1, Max: -1,
		Help: `Asks the scheduler what it would do with the job in a job file, without doing it: the differences to the running version, and what would be placed, changed and stopped.

Several files are one plan: the jobs are looked at in their order, and each finds what those before it leave.

The exit code is 0 when no allocation would be created or destroyed, 1 when some would, and 255 when there was an error.`,
		Define: func(f *cli.Flags) {
			file.define(f)
			f.Bool(&showDiff, "diff", "Show the differences to the running version. On by default.")
			f.Bool(&jsonOutput, "json-output", "Show the plan as JSON.")
			f.String(&format.Template, "t", "<template>", "Show the plan through a Go template.")
			f.Bool(&verbose, "verbose", "Show all fields of the job, also those that stay.")
		},
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			format.JSON = jsonOutput
			if len(inv.Args) > 1 {
				return planJobs(ctx, inv, &file, &format, showDiff, verbose)
			}
			plan, job, err := planJob(ctx, inv, &file, showDiff)
			if err != nil {
				return &cli.Exit{Code: codePlanError, Err: err}
			}
			if format.Wanted() {
				if err := format.Write(inv.Stdout, plan); err != nil {
					return &cli.Exit{Code: codePlanError, Err: err}
				}
				return planCode(plan)
			}
			if showDiff && plan.Diff != nil {
				writeJobDiff(inv.Stdout, inv.Style, plan.Diff, verbose)
				inv.Printf("")
			}
			writePlan(inv, plan, job)
			inv.Printf("%s: %d", inv.Style.Bold("Job Modify Index"), plan.JobModifyIndex)
			inv.Printf("To submit the job as planned, and only then:\n\n    %s job run -check-index %d %s\n", Name, plan.JobModifyIndex, runArguments(inv, &file))
			inv.Printf("The index makes the servers refuse the job when somebody has changed it in between.")
			return planCode(plan)
		},
	}
}

func planJob(ctx context.Context, inv *cli.Invocation, file *jobFile, diff bool) (*api.JobPlanResponse, *api.Job, error) {
	parsed, err := file.read(ctx, inv, inv.Args[0])
	if err != nil {
		return nil, nil, err
	}
	s, err := open(inv)
	if err != nil {
		return nil, nil, err
	}
	showWarnings(inv.Stderr, inv.Style, parsed.Warnings...)
	plan, err := call(ctx, s, api.JobPlan, api.JobPlanRequest{
		QueryOptions: api.QueryOptions{Namespace: parsed.Job.Namespace}, ID: parsed.Job.ID, Job: parsed.Job, Diff: diff,
	})
	if err != nil {
		return nil, nil, located(err, parsed)
	}
	showWarnings(inv.Stderr, inv.Style, plan.Warnings)
	return &plan, parsed.Job, nil
}

// runArguments gives the arguments that make `job run` read the same file in the same way.
func runArguments(inv *cli.Invocation, file *jobFile) string {
	text := ""
	if file.json {
		text += "-json "
	}
	for _, v := range file.varFiles {
		text += fmt.Sprintf("-var-file=%q ", v)
	}
	for _, v := range file.vars {
		text += fmt.Sprintf("-var=%q ", v)
	}
	return text + inv.Args[0]
}

func planCode(plan *api.JobPlanResponse) error {
	if plan.Annotations != nil {
		for _, u := range plan.Annotations.DesiredTGUpdates {
			if u.Place+u.Migrate+u.Stop+u.InPlaceUpdate+u.DestructiveUpdate+u.Canary > 0 {
				return cli.ExitCode(codePlanChanges)
			}
		}
	}
	return nil
}

// writePlan tells what the scheduler would do.
func writePlan(inv *cli.Invocation, plan *api.JobPlanResponse, job *api.Job) {
	style := inv.Style
	inv.Printf("%s", style.Bold("Scheduler dry-run:"))
	if len(plan.FailedTGAllocs) == 0 {
		inv.Printf("%s", style.Green("- All tasks successfully allocated."))
	} else {
		inv.Printf("%s", style.Yellow("- WARNING: Failed to place all allocations."))
		for _, group := range sorted(plan.FailedTGAllocs) {
			writePlacementFailure(inv.Stdout, group, plan.FailedTGAllocs[group])
		}
	}
	writePreemptions(inv.Stdout, plan.Annotations)
	if job.IsPeriodic() && !plan.NextPeriodicLaunch.IsZero() {
		inv.Printf("- If submitted now, next periodic launch would be at %s.", timestamp(plan.NextPeriodicLaunch))
	}
	inv.Printf("")
}

func writePreemptions(w io.Writer, a *api.PlanAnnotations) {
	if a == nil || len(a.PreemptedAllocs) == 0 {
		return
	}
	fmt.Fprintln(w, "\nPreemptions:")
	t := cli.NewTable("Alloc ID", "Job ID", "Task Group")
	for _, p := range a.PreemptedAllocs {
		t.Row(p.ID, p.JobID, p.TaskGroup)
	}
	t.Write(w, cli.Style{})
}
