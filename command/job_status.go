package command

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

type jobStatusOptions struct {
	format                           cli.Format
	short, evals, allAllocs, verbose bool
}

func (o *jobStatusOptions) define(f *cli.Flags) {
	f.Bool(&o.short, "short", "Show the job itself only, without its allocations.")
	f.Bool(&o.evals, "evals", "Show the job's evaluations.")
	f.Bool(&o.allAllocs, "all-allocs", "Show also the allocations of an earlier job of the same name.")
	f.Bool(&o.verbose, "verbose", "Show IDs and times in full, and more columns.")
	o.format.Define(f)
	f.Ignore("ui", "")
}

func jobStatus() *cli.Command {
	var o jobStatusOptions
	return &cli.Command{
		Name: "status", Synopsis: "Show jobs, or one job with its allocations", Usage: "[options] [<job>]", Max: 1,
		Help:     `Without an argument, lists the jobs. With the ID of a job or the beginning of it, shows the job: its groups, why something is not placed, its newest deployment and its allocations; of a periodic or parameterized job its children.`,
		Define:   o.define,
		Complete: completer(api.ContextJobs),
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			if len(inv.Args) == 0 {
				return s.listJobs(ctx, &o.format, o.verbose)
			}
			stub, err := s.job(ctx, inv.Args[0])
			if err != nil {
				return err
			}
			return s.showJob(ctx, stub, &o)
		},
	}
}

func (s *session) listJobs(ctx context.Context, format *cli.Format, verbose bool) error {
	jobs, err := call(ctx, s, api.JobsList, api.JobsListRequest{})
	if err != nil {
		return err
	}
	if format.Wanted() {
		return format.Write(s.Stdout, jobs)
	}
	if len(jobs) == 0 {
		s.Printf("No running jobs")
		return nil
	}
	columns := []string{"ID", "Type", "Priority", "Status", "Submit Date"}
	all := s.Conn.Namespace == api.AllNamespaces
	if all {
		columns = append([]string{"ID", "Namespace"}, columns[1:]...)
	}
	t := cli.NewTable(columns...)
	for _, j := range jobs {
		row := []string{j.ID, jobKind(j), fmt.Sprint(j.Priority), s.Style.Status(jobState(j.Status, j.Stop)), timestamp(nano(j.SubmitTime))}
		if all {
			row = append([]string{j.ID, j.Namespace}, row[1:]...)
		}
		t.Row(row...)
	}
	t.Write(s.Stdout, s.Style)
	return nil
}

func jobKind(j *api.JobListStub) string {
	switch {
	case j.Periodic:
		return j.Type + "/periodic"
	case j.ParameterizedJob:
		return j.Type + "/parameterized"
	}
	return j.Type
}

func jobState(status string, stop bool) string {
	if stop {
		return status + " (stopped)"
	}
	return status
}

func (s *session) showJob(ctx context.Context, stub *api.JobListStub, o *jobStatusOptions) error {
	job, err := call(ctx, s, api.JobRead, on(stub))
	if err != nil {
		return err
	}
	if o.format.Wanted() {
		return o.format.Write(s.Stdout, job)
	}
	var p cli.Pairs
	p.Add("ID", job.ID)
	p.Add("Name", job.Name)
	p.Add("Submit Date", timestamp(nano(job.SubmitTime)))
	p.Add("Type", job.Type)
	p.Add("Priority", fmt.Sprint(job.Priority))
	p.Add("Datacenters", strings.Join(job.Datacenters, ","))
	p.Add("Namespace", job.Namespace)
	p.Add("Node Pool", job.NodePool)
	p.Add("Status", s.Style.Status(jobState(job.Status, job.Stop)))
	p.Add("Periodic", fmt.Sprint(job.IsPeriodic()))
	p.Add("Parameterized", fmt.Sprint(job.IsParameterized()))
	addTemplate(&p, job)
	if job.VersionTag != nil {
		p.Add("Version Tag", job.VersionTag.Name)
	}
	if job.UI != nil && job.UI.Description != "" {
		p.Add("Description", job.UI.Description)
	}
	p.Write(s.Stdout, s.Style)
	if job.UI != nil && len(job.UI.Links) > 0 {
		for _, l := range job.UI.Links {
			s.Printf("  %s: %s", cli.Clean(l.Label), cli.Clean(l.URL))
		}
	}
	if o.short {
		return nil
	}
	return s.showJobParts(ctx, stub, job, o)
}

func (s *session) showJobParts(ctx context.Context, stub *api.JobListStub, job *api.Job, o *jobStatusOptions) error {
	if job.IsPeriodic() || job.IsParameterized() {
		return s.showChildren(ctx, stub, job)
	}
	summary, err := call(ctx, s, api.JobSummaryOf, on(stub))
	if err != nil {
		return err
	}
	s.showSummary(summary)
	evals, err := call(ctx, s, api.JobEvaluations, on(stub))
	if err != nil {
		return err
	}
	if o.evals {
		s.title("Evaluations")
		s.showEvaluations(evals, o.verbose)
	}
	s.showBlocked(evals, stub)
	if d, err := call(ctx, s, api.JobDeployment, on(stub)); err == nil && d != nil && d.ID != "" {
		s.title("Latest Deployment")
		s.showDeployment(d, o.verbose)
	}
	allocs, err := call(ctx, s, api.JobAllocations, api.JobAllocationsRequest{QueryOptions: on(stub).QueryOptions, ID: stub.ID, All: o.allAllocs})
	if err != nil {
		return err
	}
	s.showFuture(evals, allocs, o.verbose)
	s.title("Allocations")
	s.showAllocations(allocs, false, o.verbose)
	return nil
}

// title starts a part of the output.
func (s *session) title(text string) { s.Printf("\n%s", s.Style.Bold(text)) }

func (s *session) showSummary(summary *api.JobSummary) {
	if summary == nil {
		return
	}
	s.title("Summary")
	t := cli.NewTable("Task Group", "Queued", "Starting", "Running", "Failed", "Complete", "Lost", "Unknown")
	for _, name := range sorted(summary.Summary) {
		g := summary.Summary[name]
		t.Row(name, fmt.Sprint(g.Queued), fmt.Sprint(g.Starting), fmt.Sprint(g.Running), fmt.Sprint(g.Failed), fmt.Sprint(g.Complete), fmt.Sprint(g.Lost), fmt.Sprint(g.Unknown))
	}
	t.Write(s.Stdout, s.Style)
}

// showBlocked tells why a part of the job is not placed, from its newest
// evaluation that says so.
func (s *session) showBlocked(evals []*api.Evaluation, stub *api.JobListStub) {
	var blocked, latest *api.Evaluation
	for _, e := range evals {
		if e.Status == api.EvalBlocked && (blocked == nil || e.CreateIndex > blocked.CreateIndex) {
			blocked = e
		}
		if len(e.FailedTGAllocs) > 0 && (latest == nil || e.CreateIndex > latest.CreateIndex) {
			latest = e
		}
	}
	if blocked == nil || latest == nil || stub.Stop {
		return
	}
	s.title("Placement Failure")
	for _, group := range sorted(latest.FailedTGAllocs) {
		writePlacementFailure(s.Stdout, group, latest.FailedTGAllocs[group])
	}
}

// showAllocations writes a table of allocations, newest first; jobs adds the
// job of each, where they are of several.
func (s *session) showAllocations(allocs []*api.AllocationListStub, jobs, verbose bool) {
	if len(allocs) == 0 {
		s.Printf("No allocations placed")
		return
	}
	newestFirst(allocs)
	columns := []string{"ID", "Node ID", "Task Group", "Version", "Desired", "Status", "Created", "Modified"}
	if verbose {
		columns = []string{"ID", "Eval ID", "Node ID", "Node Name", "Task Group", "Version", "Desired", "Status", "Created", "Modified"}
	}
	if jobs {
		columns = slices.Insert(columns, 1, "Job ID")
	}
	t := cli.NewTable(columns...)
	for _, a := range allocs {
		row := []string{id(a.ID, verbose)}
		if jobs {
			row = append(row, a.JobID)
		}
		if verbose {
			row = append(row, a.EvalID, a.NodeID, a.NodeName)
		} else {
			row = append(row, id(a.NodeID, false))
		}
		t.Row(append(row, a.TaskGroup, fmt.Sprint(a.JobVersion), a.DesiredStatus, s.Style.Status(a.ClientStatus), when(nano(a.CreateTime), verbose), when(nano(a.ModifyTime), verbose))...)
	}
	t.Write(s.Stdout, s.Style)
}
