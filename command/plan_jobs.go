package command

import (
	"context"
	"fmt"
	"slices"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
	"github.com/seraihq/serai/jobspec"
)

// planJobs plans several job files as one: each sees what those before it take.
func planJobs(ctx context.Context, inv *cli.Invocation, file *jobFile, format *cli.Format, diff, verbose bool) error {
	resp, parsed, err := callJobsPlan(ctx, inv, file, diff)
	if err != nil {
		return &cli.Exit{Code: codePlanError, Err: err}
	}
	if format.Wanted() {
		if err := format.Write(inv.Stdout, resp); err != nil {
			return &cli.Exit{Code: codePlanError, Err: err}
		}
		return plansCode(resp)
	}
	for i, p := range resp.Plans {
		inv.Printf("%s", inv.Style.Bold(fmt.Sprintf("==> %s: job %q", inv.Args[i], p.ID)))
		if diff && p.Diff != nil {
			writeJobDiff(inv.Stdout, inv.Style, p.Diff, verbose)
			inv.Printf("")
		}
		writePlan(inv, &p.JobPlanResponse, parsed[i].Job)
		inv.Printf("%s: %d\n", inv.Style.Bold("Job Modify Index"), p.JobModifyIndex)
	}
	writeTotals(inv, &resp.Totals)
	return plansCode(resp)
}

func callJobsPlan(ctx context.Context, inv *cli.Invocation, file *jobFile, diff bool) (*api.JobsPlanResponse, []*jobspec.Result, error) {
	if n := len(inv.Args); n > api.MaxJobsPlan {
		return nil, nil, cli.Usagef("%d files are too many for one plan; at most %d are allowed", n, api.MaxJobsPlan)
	}
	if slices.Index(inv.Args, "-") >= 0 && slices.Contains(inv.Args[slices.Index(inv.Args, "-")+1:], "-") {
		return nil, nil, cli.Usagef("standard input (\"-\") can be read once")
	}
	parsed := make([]*jobspec.Result, len(inv.Args))
	// Each job says which namespace it is in; that of the request is for none.
	req := api.JobsPlanRequest{QueryOptions: api.QueryOptions{Namespace: api.DefaultNamespace}, Diff: diff}
	for i, path := range inv.Args {
		var err error
		if parsed[i], err = file.read(ctx, inv, path); err != nil {
			return nil, nil, err
		}
		req.Jobs = append(req.Jobs, parsed[i].Job)
	}
	s, err := open(inv)
	if err != nil {
		return nil, nil, err
	}
	for _, p := range parsed {
		showWarnings(inv.Stderr, inv.Style, p.Warnings...)
	}
	resp, err := call(ctx, s, api.JobsPlan, req)
	if err != nil {
		for _, p := range parsed {
			if local := located(err, p); local != err { //nolint:errorlint // the same error means that nothing was found here
				return nil, nil, local
			}
		}
		return nil, nil, err
	}
	for _, p := range resp.Plans {
		showWarnings(inv.Stderr, inv.Style, p.Warnings)
	}
	return &resp, parsed, nil
}

func plansCode(resp *api.JobsPlanResponse) error {
	for _, p := range resp.Plans {
		if err := planCode(&p.JobPlanResponse); err != nil {
			return err
		}
	}
	return nil
}

// writeTotals adds up the plan.
func writeTotals(inv *cli.Invocation, t *api.JobsPlanTotals) {
	inv.Printf("%s", inv.Style.Bold("Together"))
	var p cli.Pairs
	add := func(name string, n uint64) {
		if n > 0 {
			p.Add(name, fmt.Sprint(n))
		}
	}
	p.Add("Jobs", fmt.Sprint(t.Jobs))
	p.Add("Place", fmt.Sprint(t.Place))
	add("Canary", t.Canary)
	add("Update in place", t.InPlace)
	add("Replace", t.Destroy)
	add("Migrate", t.Migrate)
	add("Stop", t.Stop)
	add("Preempt", uint64(t.Preempted))
	p.Add("Without a node", fmt.Sprint(t.Unplaced))
	p.Write(inv.Stdout, inv.Style)
}
