package command

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

// templateHint says what to expect of a job that is a template of others: when
// the clock starts the next, or how one is dispatched.
func templateHint(job *api.Job, now time.Time) string {
	switch {
	case job.IsParameterized():
		return "Nothing runs until it is dispatched: " + dispatchLine(job)
	case !job.IsPeriodic():
		return ""
	case !job.Periodic.Enabled:
		return "Its clock is off (periodic.enabled = false). Start it with: serai job periodic force " + job.ID
	}
	next, err := job.Periodic.Next(now)
	if err != nil || next.IsZero() {
		return "It is never due again: see its cron expressions"
	}
	return fmt.Sprintf("Approximate next launch time: %s (%s from now)", next.Format(time.RFC3339), span(next.Sub(now).Round(time.Second)))
}

// dispatchLine is the command that dispatches a job with all that it asks for.
func dispatchLine(job *api.Job) string {
	line := "serai job dispatch"
	for _, key := range job.ParameterizedJob.MetaRequired {
		line += " -meta " + key + "=…"
	}
	line += " " + job.ID
	if job.ParameterizedJob.Payload == "required" {
		line += " <file>"
	}
	return line
}

// addTemplate adds to a job's head what it is a template of, or a child of.
func addTemplate(p *cli.Pairs, job *api.Job) {
	if job.ParentID != "" {
		p.Add("Parent ID", job.ParentID)
	}
	if job.IsPeriodic() && job.Periodic.Enabled && !job.Stop {
		if next, err := job.Periodic.Next(time.Now()); err == nil && !next.IsZero() {
			p.Add("Next Periodic Launch", fmt.Sprintf("%s (%s from now)", timestamp(next), span(time.Until(next).Round(time.Second))))
		}
	}
	if job.IsParameterized() {
		p.Add("Payload", job.ParameterizedJob.Payload)
		p.Add("Required Metadata", strings.Join(job.ParameterizedJob.MetaRequired, ", "))
		p.Add("Optional Metadata", strings.Join(job.ParameterizedJob.MetaOptional, ", "))
	}
}

// maxChildren is how many children of a job are listed.
const maxChildren = 50

// showChildren counts the children of a periodic or parameterized job and lists
// them, newest first.
func (s *session) showChildren(ctx context.Context, stub *api.JobListStub, job *api.Job) error {
	summary, err := call(ctx, s, api.JobSummaryOf, on(stub))
	if err != nil {
		return err
	}
	counts := api.JobChildrenSummary{}
	if summary != nil && summary.Children != nil {
		counts = *summary.Children
	}
	s.title("Children Job Summary")
	t := cli.NewTable("Pending", "Running", "Dead")
	t.Row(fmt.Sprint(counts.Pending), fmt.Sprint(counts.Running), fmt.Sprint(counts.Dead))
	t.Write(s.Stdout, s.Style)
	jobs, err := call(ctx, s, api.JobsList, api.JobsListRequest{QueryOptions: api.QueryOptions{Namespace: stub.Namespace, Prefix: stub.ID + "/"}})
	if err != nil {
		return err
	}
	jobs = slices.DeleteFunc(jobs, func(j *api.JobListStub) bool { return j.ParentID != stub.ID })
	title, none := "Previously Launched Jobs", "No instances of periodic job found"
	if job.IsParameterized() {
		title, none = "Dispatched Jobs", "No dispatched instances of parameterized job found"
	}
	if len(jobs) == 0 {
		s.Printf("\n%s", none)
		return nil
	}
	slices.SortFunc(jobs, func(a, b *api.JobListStub) int { return cmp.Compare(b.SubmitTime, a.SubmitTime) })
	s.title(title)
	t = cli.NewTable("ID", "Status", "Submit Date")
	for i, j := range jobs {
		if i == maxChildren {
			break
		}
		t.Row(j.ID, s.Style.Status(jobState(j.Status, j.Stop)), timestamp(nano(j.SubmitTime)))
	}
	t.Write(s.Stdout, s.Style)
	if more := len(jobs) - maxChildren; more > 0 {
		s.Printf("… and %s; the last %d are shown", count(more, "earlier job"), maxChildren)
	}
	return nil
}
