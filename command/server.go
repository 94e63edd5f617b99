package command

import (
	"cmp"
	"context"
	"fmt"
	"net"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

func serverMembers() *cli.Command {
	var (
		format            cli.Format
		detailed, verbose bool
	)
	return &cli.Command{
		Name: "members", Synopsis: "List the servers that the agent knows", Usage: "[options]",
		Define: func(f *cli.Flags) {
			f.Bool(&detailed, "detailed", "Show all that the servers say of themselves.")
			f.Bool(&verbose, "verbose", "Show more columns.")
			format.Define(f)
			f.Ignore("ui", "")
		},
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			members, err := call(ctx, s, api.AgentMembers, api.ListRequest{})
			if err != nil {
				return err
			}
			if format.Wanted() {
				return format.Write(inv.Stdout, members.Members)
			}
			if len(members.Members) == 0 {
				return fmt.Errorf("the agent knows no servers")
			}
			if detailed {
				t := cli.NewTable("Name", "Address", "Port", "Tags")
				for _, m := range members.Members {
					t.Row(m.Name, m.Addr, fmt.Sprint(m.Port), tags(m.Tags))
				}
				t.Write(inv.Stdout, inv.Style)
				return nil
			}
			leader, err := call(ctx, s, api.StatusLeader, api.ListRequest{})
			if err != nil {
				leader = ""
			}
			head := []string{"Name", "Address", "Port", "Status", "Leader", "Raft Version", "Build", "Datacenter", "Region"}
			if verbose {
				head = append(head, "ID", "RPC", "Vote", "Zone", "Cluster")
			}
			t := cli.NewTable(head...)
			for _, m := range members.Members {
				rpc := net.JoinHostPort(cmp.Or(m.Tags["rpc_addr"], m.Addr), m.Tags["port"])
				row := []string{m.Name, m.Addr, fmt.Sprint(m.Port), inv.Style.Status(m.Status), fmt.Sprint(leader != "" && rpc == leader && m.Status == "alive"), m.Tags["raft_vsn"], m.Tags["build"], m.Tags["dc"], m.Tags["region"]}
				if verbose {
					row = append(row, m.Tags["id"], rpc, fmt.Sprint(m.Tags["nonvoter"] == ""), cmp.Or(m.Tags["zone"], "<none>"), cmp.Or(m.Tags["cluster"], "<none>"))
				}
				t.Row(row...)
			}
			t.Write(inv.Stdout, inv.Style)
			if leader == "" {
				inv.Errorf("\nThe servers have no leader right now.")
			}
			return nil
		},
	}
}

func tags(m map[string]string) string {
	text := ""
	for i, k := range sorted(m) {
		if i > 0 {
			text += ","
		}
		text += k + "=" + m[k]
	}
	return text
}
