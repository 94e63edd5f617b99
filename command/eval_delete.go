package command

import (
	"context"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

func evalDelete() *cli.Command {
	var (
		filter string
		yes    bool
	)
	return &cli.Command{
		Name: "delete", Synopsis: "Forget evaluations", Usage: "[options] [<evaluation>]", Max: 1,
		Help: `Deletes an evaluation, or with -filter those that an expression is true of. The evaluations of allocations that still run are kept. The broker must be paused meanwhile:

  serai operator scheduler set-config -pause-eval-broker=true
  serai eval delete -filter 'Status == "blocked" and JobID == "web"'
  serai operator scheduler set-config -pause-eval-broker=false`,
		Define: func(f *cli.Flags) {
			f.String(&filter, "filter", "<expression>", "Delete what this expression is true of.")
			f.Bool(&yes, "yes", "Do not ask.")
		},
		Complete: completer(api.ContextEvals),
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			if (filter == "") == (len(inv.Args) == 0) {
				return cli.Usagef("name one evaluation or give -filter")
			}
			s, err := open(inv)
			if err != nil {
				return err
			}
			req := api.EvaluationsDeleteRequest{Filter: filter}
			n := 1
			if filter == "" {
				e, err := s.evaluation(ctx, inv.Args[0])
				if err != nil {
					return err
				}
				req.EvalIDs = []string{e.ID}
			} else {
				found, err := call(ctx, s, api.EvaluationsCount, api.EvaluationsListRequest{QueryOptions: api.QueryOptions{Filter: filter, Namespace: api.AllNamespaces}})
				if err != nil {
					return err
				}
				if n = found.Count; n == 0 {
					inv.Printf("No evaluation fits the filter")
					return nil
				}
			}
			if !yes {
				if sure, err := confirm(inv, "Delete %s?", count(n, "evaluation")); err != nil || !sure {
					return err
				}
			}
			resp, err := call(ctx, s, api.EvaluationsDelete, req)
			if err != nil {
				return err
			}
			inv.Printf("Successfully deleted %s", count(resp.Count, "evaluation"))
			return nil
		},
	}
}
