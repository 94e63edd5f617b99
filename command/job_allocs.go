package command

import (
	"context"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

func jobAllocs() *cli.Command {
	var (
		format       cli.Format
		all, verbose bool
	)
	return &cli.Command{
		Name: "allocs", Synopsis: "List the allocations of a job", Usage: "[options] <job>", Min: 1, Max: 1,
		Define: func(f *cli.Flags) {
			f.Bool(&all, "all", "Show also those of an earlier job of the same name.")
			f.Bool(&verbose, "verbose", "Show IDs and times in full.")
			format.Define(f)
		},
		Complete: completer(api.ContextJobs),
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			stub, err := s.job(ctx, inv.Args[0])
			if err != nil {
				return err
			}
			allocs, err := call(ctx, s, api.JobAllocations, api.JobAllocationsRequest{QueryOptions: on(stub).QueryOptions, ID: stub.ID, All: all})
			if err != nil {
				return err
			}
			if format.Wanted() {
				return format.Write(inv.Stdout, allocs)
			}
			s.showAllocations(allocs, false, verbose)
			return nil
		},
	}
}

func jobDeployments() *cli.Command {
	var (
		format               cli.Format
		all, latest, verbose bool
	)
	return &cli.Command{
		Name: "deployments", Synopsis: "List the deployments of a job", Usage: "[options] <job>", Min: 1, Max: 1,
		Define: func(f *cli.Flags) {
			f.Bool(&all, "all", "Show also those of an earlier job of the same name.")
			f.Bool(&latest, "latest", "Show the newest only; with -json it is one object.")
			f.Bool(&verbose, "verbose", "Show IDs in full.")
			format.Define(f)
		},
		Complete: completer(api.ContextJobs),
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			stub, err := s.job(ctx, inv.Args[0])
			if err != nil {
				return err
			}
			list, err := call(ctx, s, api.JobDeployments, api.JobAllocationsRequest{QueryOptions: on(stub).QueryOptions, ID: stub.ID, All: all})
			if err != nil {
				return err
			}
			if latest && len(list) > 1 {
				list = list[:1]
			}
			if latest && len(list) == 1 {
				if format.Wanted() {
					return format.Write(inv.Stdout, list[0])
				}
				s.showDeployment(list[0], verbose)
				return nil
			}
			if format.Wanted() {
				return format.Write(inv.Stdout, list)
			}
			s.showDeployments(list, verbose)
			return nil
		},
	}
}
