package command

import (
	"context"
	"errors"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

func serverJoin() *cli.Command {
	return &cli.Command{
		Name: "join", Synopsis: "Have a server join others", Usage: "<address>...", Min: 1, Max: -1,
		Help: `The server of the agent joins the servers at the addresses, each HOST or HOST:PORT of their gossip (port 4648).`,
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			r, err := call(ctx, s, api.AgentJoin, api.AgentJoinRequest{Addresses: inv.Args})
			switch {
			case err != nil:
				return err
			case r.Error != "":
				return errors.New("no server was joined: " + r.Error)
			}
			inv.Printf("Joined %d servers successfully", r.NumJoined)
			return nil
		},
	}
}

func serverForceLeave() *cli.Command {
	var prune bool
	return &cli.Command{
		Name: "force-leave", Synopsis: "Declare a failed server to have left", Usage: "[options] <name>", Min: 1, Max: 1,
		Help: `The servers do not try to reach it any more and remove it from Raft. A server that is alive is not forced out: stop its agent first.`,
		Define: func(f *cli.Flags) {
			f.Bool(&prune, "prune", "Forget the server as well: it is not listed any more.")
		},
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			_, err = call(ctx, s, api.AgentForceLeave, api.AgentForceLeaveRequest{Node: inv.Args[0], Prune: prune})
			return err
		},
	}
}
