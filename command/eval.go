package command

import (
	"context"
	"fmt"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

// paging is how long lists are shown in parts.
type paging struct {
	filter, token string
	perPage       int
}

func (p *paging) define(f *cli.Flags) {
	f.String(&p.filter, "filter", "<expression>", "Show only what an expression is true of.")
	f.Int(&p.perPage, "per-page", "<n>", "Show at most so many.")
	f.String(&p.token, "page-token", "<token>", "Start where an earlier page ended.")
}

func (p *paging) options() api.QueryOptions {
	return api.QueryOptions{Filter: p.filter, PerPage: p.perPage, NextToken: p.token}
}

// more tells how to get the next page.
func (s *session) more(meta *api.Meta) {
	if meta.NextToken != "" {
		s.Errorf("\nThere are more: add -page-token %s", meta.NextToken)
	}
}

func evalList() *cli.Command {
	var (
		format      cli.Format
		pages       paging
		job, status string
		verbose     bool
	)
	return &cli.Command{
		Name: "list", Synopsis: "List evaluations", Usage: "[options]",
		Define: func(f *cli.Flags) {
			f.String(&job, "job", "<job>", "Only of this job.")
			f.String(&status, "status", "<status>", "Only with this status: pending, blocked, complete, failed or canceled.")
			pages.define(f)
			f.Bool(&verbose, "verbose", "Show IDs in full.")
			format.Define(f)
			f.Ignore("ui", "")
		},
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			req := api.EvaluationsListRequest{QueryOptions: pages.options(), JobID: job, Status: status}
			evals, meta, err := api.Call(ctx, s.client, api.EvaluationsList, &req)
			if err != nil {
				return err
			}
			if format.Wanted() {
				return format.Write(inv.Stdout, evals)
			}
			if len(evals) == 0 {
				inv.Printf("No evals found")
				return nil
			}
			t := cli.NewTable("ID", "Priority", "Triggered By", "Job ID", "Namespace", "Node ID", "Status", "Placement Failures")
			for _, e := range evals {
				node := "<none>"
				if e.NodeID != "" {
					node = id(e.NodeID, verbose)
				}
				t.Row(id(e.ID, verbose), fmt.Sprint(e.Priority), e.TriggeredBy, e.JobID, e.Namespace, node, inv.Style.Status(e.Status), placementFailures(e))
			}
			t.Write(inv.Stdout, inv.Style)
			s.more(meta)
			return nil
		},
	}
}

// placementFailures says whether an evaluation could place everything.
func placementFailures(e *api.Evaluation) string {
	if e.Status == api.EvalBlocked {
		return "N/A - In Progress"
	}
	return fmt.Sprint(len(e.FailedTGAllocs) > 0)
}

func (s *session) showEvaluations(evals []*api.Evaluation, verbose bool) {
	if len(evals) == 0 {
		s.Printf("No evaluations")
		return
	}
	t := cli.NewTable("ID", "Priority", "Triggered By", "Status", "Placement Failures")
	for _, e := range evals {
		t.Row(id(e.ID, verbose), fmt.Sprint(e.Priority), e.TriggeredBy, s.Style.Status(e.Status), placementFailures(e))
	}
	t.Write(s.Stdout, s.Style)
}

func evalStatus() *cli.Command {
	var (
		format           cli.Format
		monitor, verbose bool
	)
	return &cli.Command{
		Name: "status", Synopsis: "Show an evaluation", Usage: "[options] <evaluation>", Min: 1, Max: 1,
		Help: `Shows an evaluation, what it could not place and why, and the allocations that it made.`,
		Define: func(f *cli.Flags) {
			f.Bool(&monitor, "monitor", "Follow the evaluation until it is over.")
			f.Bool(&verbose, "verbose", "Show IDs and times in full.")
			format.Define(f)
			f.Ignore("ui", "")
		},
		Complete: completer(api.ContextEvals),
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			e, err := s.evaluation(ctx, inv.Args[0])
			if err != nil {
				return err
			}
			if monitor {
				return s.follow(ctx, e.ID, verbose, toDecision)
			}
			return s.showEvaluation(ctx, e, &format, verbose)
		},
	}
}

func (s *session) showEvaluation(ctx context.Context, e *api.Evaluation, format *cli.Format, verbose bool) error {
	if format.Wanted() {
		return format.Write(s.Stdout, e)
	}
	related, err := call(ctx, s, api.EvaluationRead, api.EvaluationReadRequest{ID: e.ID, Related: true})
	if err != nil {
		return err
	}
	var p cli.Pairs
	p.Add("ID", id(e.ID, verbose))
	p.Add("Create Time", when(nano(e.CreateTime), verbose))
	p.Add("Modify Time", when(nano(e.ModifyTime), verbose))
	p.Add("Status", s.Style.Status(e.Status))
	p.Add("Status Description", e.StatusDescription)
	p.Add("Type", e.Type)
	p.Add("TriggeredBy", e.TriggeredBy)
	p.Add("Job ID", e.JobID)
	p.Add("Namespace", e.Namespace)
	if e.NodeID != "" {
		p.Add("Node ID", id(e.NodeID, verbose))
	}
	p.Add("Priority", fmt.Sprint(e.Priority))
	p.Add("Placement Failures", placementFailures(e))
	if !e.WaitUntil.IsZero() {
		p.Add("Wait Until", timestamp(e.WaitUntil))
	}
	if verbose {
		p.Add("Previous Eval", e.PreviousEval)
		p.Add("Next Eval", e.NextEval)
		p.Add("Blocked Eval", e.BlockedEval)
		p.Add("Snapshot Index", fmt.Sprint(e.SnapshotIndex))
	}
	p.Write(s.Stdout, s.Style)
	if len(e.FailedTGAllocs) > 0 {
		s.title("Failed Placements")
		for _, group := range sorted(e.FailedTGAllocs) {
			writePlacementFailure(s.Stdout, group, e.FailedTGAllocs[group])
		}
		if e.BlockedEval != "" {
			s.Printf("\nEvaluation %q waits for capacity to place the rest.", id(e.BlockedEval, verbose))
		}
	}
	s.showRelated(related.RelatedEvals, verbose)
	allocs, err := call(ctx, s, api.EvaluationAllocations, api.IDRequest{ID: e.ID})
	if err != nil {
		return err
	}
	if len(allocs) > 0 {
		s.title("Allocations")
		s.showAllocations(allocs, false, verbose)
	}
	return nil
}

func (s *session) showRelated(evals []*api.EvaluationStub, verbose bool) {
	if len(evals) == 0 {
		return
	}
	s.title("Related Evaluations")
	t := cli.NewTable("ID", "Priority", "Triggered By", "Node ID", "Status", "Description")
	for _, e := range evals {
		t.Row(id(e.ID, verbose), fmt.Sprint(e.Priority), e.TriggeredBy, id(e.NodeID, verbose), s.Style.Status(e.Status), e.StatusDescription)
	}
	t.Write(s.Stdout, s.Style)
}
