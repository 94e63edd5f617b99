package command

import (
	"context"
	"fmt"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

func jobPeriodicForce() *cli.Command {
	var o acting
	return &cli.Command{
		Name: "force", Synopsis: "Start a child of a periodic job now", Usage: "[options] <job>", Min: 1, Max: 1,
		Help: `Starts a child of a periodic job now, beside those that the clock starts.

  serai job periodic force backup`,
		Define:   o.define,
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
			if !stub.Periodic {
				return fmt.Errorf("job %q is not periodic", stub.ID)
			}
			resp, err := call(ctx, s, api.JobPeriodicForce, api.JobPeriodicForceRequest{WriteOptions: within(stub.Namespace), ID: stub.ID})
			if err != nil {
				return err
			}
			inv.Printf("Force periodic successful")
			if o.detach {
				inv.Printf("Evaluation ID: %s", resp.EvalID)
				return nil
			}
			return s.followOrPrint(ctx, resp.EvalID, false, o.verbose, toStart)
		},
	}
}
