package command

import (
	"context"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

func status() *cli.Command {
	var verbose bool
	return &cli.Command{
		Name: "status", Synopsis: "Show anything by its ID or the beginning of it", Usage: "[options] [<ID>]", Max: 1,
		Help: `Finds the job, allocation, node, evaluation, deployment or namespace whose ID begins with the argument and shows it as its own status command does. Without an argument, lists the jobs.`,
		Define: func(f *cli.Flags) {
			f.Bool(&verbose, "verbose", "Show IDs and times in full.")
			f.Ignore("ui", "")
		},
		Complete: func(ctx context.Context, inv *cli.Invocation, args []string) []string {
			s, err := open(inv)
			if err != nil || len(args) != 1 {
				return nil
			}
			found, err := call(ctx, s, api.SearchPrefix, api.SearchRequest{Prefix: args[0], Context: api.ContextAll})
			if err != nil {
				return nil
			}
			var out []string
			for _, ids := range found.Matches {
				out = append(out, ids...)
			}
			return out
		},
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			if len(inv.Args) == 0 {
				return s.listJobs(ctx, &cli.Format{}, verbose)
			}
			return s.showAny(ctx, inv.Args[0], verbose)
		},
	}
}

// found is an object that a search has found.
type found struct{ kind, id string }

// showAny shows the one object whose ID is, or begins with, a text.
func (s *session) showAny(ctx context.Context, prefix string, verbose bool) error {
	resp, err := call(ctx, s, api.SearchPrefix, api.SearchRequest{Prefix: prefix, Context: api.ContextAll})
	if err != nil {
		return err
	}
	all, exact := []found{}, []found{}
	for _, kind := range sorted(resp.Matches) {
		for _, objectID := range resp.Matches[kind] {
			all = append(all, found{kind, objectID})
			if objectID == prefix {
				exact = append(exact, found{kind, objectID})
			}
		}
	}
	if len(exact) == 1 {
		all = exact
	}
	switch len(all) {
	case 0:
		return none("job, allocation, node, evaluation or deployment", prefix)
	case 1:
		return s.showFound(ctx, all[0], verbose)
	}
	t := cli.NewTable("Kind", "ID")
	for _, f := range all {
		t.Row(strings.TrimSuffix(f.kind, "s"), f.id)
	}
	return ambiguous("objects", prefix, t)
}

func (s *session) showFound(ctx context.Context, f found, verbose bool) error {
	switch f.kind {
	case api.ContextJobs:
		stub, err := s.job(ctx, f.id)
		if err != nil {
			return err
		}
		return s.showJob(ctx, stub, &jobStatusOptions{verbose: verbose})
	case api.ContextAllocs:
		a, err := s.allocation(ctx, f.id)
		if err != nil {
			return err
		}
		return s.showAllocation(ctx, a, &allocStatusOptions{verbose: verbose})
	case api.ContextNodes:
		n, err := s.node(ctx, f.id)
		if err != nil {
			return err
		}
		return s.showNode(ctx, n, &nodeStatusOptions{verbose: verbose})
	case api.ContextEvals:
		e, err := s.evaluation(ctx, f.id)
		if err != nil {
			return err
		}
		return s.showEvaluation(ctx, e, &cli.Format{}, verbose)
	case api.ContextDeployments:
		d, err := call(ctx, s, api.DeploymentRead, api.IDRequest{ID: f.id})
		if err != nil {
			return err
		}
		s.showDeployment(d, verbose)
		return nil
	case api.ContextNamespaces:
		n, err := call(ctx, s, api.NamespaceRead, api.NameRequest{Name: f.id})
		if err != nil {
			return err
		}
		s.showNamespace(n)
		return nil
	}
	s.Printf("%s: %s", strings.TrimSuffix(f.kind, "s"), f.id)
	return nil
}
