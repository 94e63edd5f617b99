package command

import (
	"context"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

func nodeMetaApply() *cli.Command {
	var nodeID, unset string
	return &cli.Command{
		Name: "apply", Synopsis: "Change the meta of a node", Usage: "[options] [<key=value>...]", Max: -1,
		Help: `Sets and unsets meta of a node while it runs. Constraints and affinities see it at once, and it outlives a restart of the agent.

  serai node meta apply -node-id 4d2ba53b -unset owner rack=b7`,
		Define: func(f *cli.Flags) {
			f.String(&nodeID, "node-id", "<node>", "The node; the agent's own when not given.")
			f.String(&unset, "unset", "<keys>", "Keys to unset, with commas between them.")
		},
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			values, err := keyValues("argument", inv.Args)
			if err != nil {
				return err
			}
			meta := make(map[string]*string, len(values))
			for key, value := range values {
				meta[key] = &value
			}
			for key := range strings.SplitSeq(unset, ",") {
				if key = strings.TrimSpace(key); key == "" {
					continue
				}
				if meta[key] != nil {
					return cli.Usagef("%q is set and unset", key)
				}
				meta[key] = nil
			}
			if len(meta) == 0 {
				return cli.Usagef("name what to set as key=value, or give -unset")
			}
			s, err := open(inv)
			if err != nil {
				return err
			}
			if nodeID != "" {
				n, err := s.node(ctx, nodeID)
				if err != nil {
					return err
				}
				nodeID = n.ID
			}
			if _, err := call(ctx, s, api.ClientMetaApply, api.NodeMetaApplyRequest{NodeID: nodeID, Meta: meta}); err != nil {
				return err
			}
			inv.Printf("Meta of the node changed")
			return nil
		},
	}
}
