package command

import (
	"context"
	"fmt"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

func jobPromote() *cli.Command {
	var (
		o      acting
		groups []string
	)
	return &cli.Command{
		Name: "promote", Synopsis: "Let the canaries of a job replace the rest", Usage: "[options] <job>", Min: 1, Max: 1,
		Help: `Promotes the canaries of a job's newest deployment and follows it to its end. Without -group, all groups are promoted.

  serai job promote -group web shop`,
		Define: func(f *cli.Flags) {
			f.Strings(&groups, "group", "<group>", "Promote only this group. May be given many times.")
			o.define(f)
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
			d, err := call(ctx, s, api.JobDeployment, on(stub))
			if err != nil {
				return err
			}
			if d == nil || d.ID == "" {
				return api.Errorf(api.ErrNotFound, "job %q has no deployment to promote", stub.ID)
			}
			if !d.Active() {
				return fmt.Errorf("job %q has nothing to promote: its newest deployment %s is %s", stub.ID, id(d.ID, o.verbose), d.Status)
			}
			return s.promote(ctx, d, groups, o)
		},
	}
}
