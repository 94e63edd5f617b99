package command

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/agent"
	"github.com/seraihq/serai/command/cli"
)

func raftListPeers() *cli.Command {
	var (
		format cli.Format
		stale  bool
	)
	return &cli.Command{
		Name: "list-peers", Synopsis: "List the servers as Raft knows them", Usage: "[options]",
		Define: func(f *cli.Flags) {
			format.Define(f)
			f.Bool(&stale, "stale", "Let the agent's server answer when there is no leader.")
		},
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			raft, err := call(ctx, s, api.RaftConfigRead, api.ListRequest{QueryOptions: api.QueryOptions{Stale: stale}})
			if err != nil {
				return err
			}
			if format.Wanted() {
				return format.Write(inv.Stdout, raft)
			}
			t := cli.NewTable("Node", "ID", "Address", "State", "Voter", "RaftProtocol")
			for _, r := range raft.Servers {
				state := "follower"
				if r.Leader {
					state = "leader"
				}
				t.Row(r.Node, r.ID, r.Address, state, fmt.Sprint(r.Voter), r.RaftProtocol)
			}
			t.Write(inv.Stdout, inv.Style)
			return nil
		},
	}
}

func raftRemovePeer() *cli.Command {
	var id string
	return &cli.Command{
		Name: "remove-peer", Synopsis: "Remove a server from the cluster", Usage: "[options] -peer-id=<id>",
		Help: `Removes a server that will not come back. One that runs on stays out until it is taken in again.`,
		Define: func(f *cli.Flags) {
			f.String(&id, "peer-id", "<id>", "ID of the server, as \"operator raft list-peers\" shows it.")
		},
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			if id == "" {
				return errors.New("missing -peer-id; \"serai operator raft list-peers\" shows the IDs")
			}
			s, err := open(inv)
			if err != nil {
				return err
			}
			if _, err := call(ctx, s, api.RaftPeerRemove, api.RaftPeerRequest{ID: id}); err != nil {
				return fmt.Errorf("remove server %s: %w", id, err)
			}
			inv.Printf("Removed peer with id %q", id)
			return nil
		},
	}
}

func raftTransfer() *cli.Command {
	var id, address string
	return &cli.Command{
		Name: "transfer-leadership", Synopsis: "Make another server lead", Usage: "[options] -peer-id=<id>",
		Define: func(f *cli.Flags) {
			f.String(&id, "peer-id", "<id>", "ID of the server that shall lead.")
			f.String(&address, "peer-address", "<host:port>", "Its address, instead.")
		},
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			if (id == "") == (address == "") {
				return errors.New("give either -peer-id or -peer-address")
			}
			s, err := open(inv)
			if err != nil {
				return err
			}
			if _, err := call(ctx, s, api.RaftTransfer, api.RaftPeerRequest{ID: id, Address: address}); err != nil {
				return fmt.Errorf("transfer leadership to %s: %w", id+address, err)
			}
			inv.Printf("Transferred leadership to %s", id+address)
			return nil
		},
	}
}

// raftInfo and raftState read the disk of a server that does not run.
func raftInfo() *cli.Command {
	return &cli.Command{
		Name: "info", Synopsis: "Show the log of a server that does not run", Usage: "<data_dir>", Min: 1, Max: 1, Offline: true,
		Run: func(_ context.Context, inv *cli.Invocation) error {
			found, err := agent.ReadServer(inv.Args[0])
			if err != nil {
				return err
			}
			var p cli.Pairs
			length := uint64(0)
			if found.LastIndex > 0 {
				length = found.LastIndex - found.FirstIndex + 1
			}
			p.Add("Path", found.Dir)
			p.Add("Log Length", fmt.Sprint(length))
			p.Add("First Index", fmt.Sprint(found.FirstIndex))
			p.Add("Last Index", fmt.Sprint(found.LastIndex))
			p.Add("Current Term", fmt.Sprint(found.Term))
			p.Add("Last Vote", found.VotedFor)
			for _, x := range found.Snapshots {
				p.Add("Snapshot", fmt.Sprintf("%s, index %d, %s", x.ID, x.Index, size(uint64(x.Size))))
			}
			p.Write(inv.Stdout, inv.Style)
			return nil
		},
	}
}

func raftState() *cli.Command {
	var format cli.Format
	return &cli.Command{
		Name: "state", Synopsis: "Show what a server that does not run has", Usage: "[options] <data_dir>", Min: 1, Max: 1, Offline: true,
		Define: func(f *cli.Flags) {
			format.Define(f)
			f.Ignore("last-index", "<index>")
		},
		Run: func(_ context.Context, inv *cli.Invocation) error {
			if inv.Flags.Given("last-index") {
				return errors.New("-last-index is not built: the whole log is read")
			}
			found, err := agent.ReadServer(inv.Args[0])
			if err != nil {
				return err
			}
			if format.Wanted() {
				return format.Write(inv.Stdout, found)
			}
			showOffline(inv, found)
			return nil
		},
	}
}

func showOffline(inv *cli.Invocation, found *agent.OfflineServer) {
	var p cli.Pairs
	p.Add("Server", found.ID)
	p.Add("Directory", found.Dir)
	p.Add("Cluster", found.Cluster)
	p.Add("Index", fmt.Sprint(found.Index))
	p.Add("Term", fmt.Sprint(found.Term))
	p.Add("Jobs", fmt.Sprint(found.Jobs))
	p.Add("Nodes", fmt.Sprint(found.Nodes))
	p.Add("Allocations", fmt.Sprint(found.Allocations))
	p.Write(inv.Stdout, inv.Style)
	inv.Printf("\nServers")
	t := cli.NewTable("ID", "Address", "Voter")
	for _, x := range found.Servers {
		t.Row(x.ID, x.Address, fmt.Sprint(x.Voter))
	}
	t.Write(inv.Stdout, inv.Style)
}

func raftRecover() *cli.Command {
	var (
		address string
		do      bool
	)
	return &cli.Command{
		Name: "recover", Synopsis: "Make the last server of a cluster a cluster of one", Usage: "[options] <data_dir>", Min: 1, Max: 1, Offline: true,
		Help: `For a cluster that has lost its majority for good. Run it on the machine of the server that has survived, with its agent stopped: it shows what the server has, and with -yes makes it the only server of its cluster with all of that. What is replaced is kept beside it.

The data of the other servers must not come back: empty their data directories before they join again. With several survivors, choose the one with the highest index, or write a peers.json into the server directory of each.`,
		Define: func(f *cli.Flags) {
			f.Bool(&do, "yes", "Do it. Without it nothing is changed.")
			f.String(&address, "address", "<host:port>", "Where this server will be reached; its address of before when not given.")
		},
		Run: func(_ context.Context, inv *cli.Invocation) error {
			found, err := agent.ReadServer(inv.Args[0])
			if err != nil {
				return err
			}
			showOffline(inv, found)
			if address == "" {
				if address, err = ownAddress(found); err != nil {
					return err
				}
			}
			if _, _, err := net.SplitHostPort(address); err != nil {
				return fmt.Errorf("-address %q: it is host:port: %w", address, err)
			}
			if !do {
				inv.Printf("\nThis server at %s would be the only one. Nothing was changed; run it with -yes to do it.", address)
				return nil
			}
			kept, err := agent.RecoverServer(inv.Args[0], address)
			if err != nil {
				return err
			}
			inv.Printf("\nThis server at %s is the only one now. What was replaced is in %s.\nStart its agent. Empty the data directories of the other servers before they join again.", address, kept)
			return nil
		},
	}
}

func ownAddress(found *agent.OfflineServer) (string, error) {
	for _, x := range found.Servers {
		if x.ID == found.ID {
			return x.Address, nil
		}
	}
	return "", fmt.Errorf("server %s is not among the servers that it knows; give its -address", found.ID)
}
