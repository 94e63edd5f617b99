package command

import (
	"context"
	"fmt"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

func scalingPolicyList() *cli.Command {
	var (
		format    cli.Format
		job, kind string
		verbose   bool
	)
	return &cli.Command{
		Name: "list", Synopsis: "List scaling policies", Usage: "[options]",
		Define: func(f *cli.Flags) {
			f.String(&job, "job", "<job>", "Only of this job.")
			f.String(&kind, "type", "<type>", "Only of this type, such as horizontal.")
			f.Bool(&verbose, "verbose", "Show IDs in full.")
			format.Define(f)
		},
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			list, err := call(ctx, s, api.ScalingPoliciesList, api.ScalingPoliciesRequest{JobID: job, Type: kind})
			if err != nil {
				return err
			}
			if format.Wanted() {
				return format.Write(inv.Stdout, list)
			}
			if len(list) == 0 {
				inv.Printf("No policies found")
				return nil
			}
			t := cli.NewTable("ID", "Enabled", "Type", "Target")
			for _, p := range list {
				t.Row(id(p.ID, verbose), fmt.Sprint(p.Enabled), p.Type, tags(p.Target))
			}
			t.Write(inv.Stdout, inv.Style)
			return nil
		},
	}
}

func scalingPolicyInfo() *cli.Command {
	var (
		format  cli.Format
		verbose bool
	)
	return &cli.Command{
		Name: "info", Synopsis: "Show a scaling policy", Usage: "[options] <policy>", Min: 1, Max: 1,
		Define: func(f *cli.Flags) {
			f.Bool(&verbose, "verbose", "Show IDs in full.")
			format.Define(f)
		},
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			prefix, err := uuidPrefix(inv.Args[0])
			if err != nil {
				return err
			}
			list, err := call(ctx, s, api.ScalingPoliciesList, api.ScalingPoliciesRequest{QueryOptions: api.QueryOptions{Prefix: prefix, Namespace: s.anyNamespace()}})
			if err != nil {
				return err
			}
			switch len(list) {
			case 0:
				return none("scaling policy", inv.Args[0])
			case 1:
			default:
				t := cli.NewTable("ID", "Target")
				for _, p := range list {
					t.Row(p.ID, tags(p.Target))
				}
				return ambiguous("scaling policies", inv.Args[0], t)
			}
			policy, err := call(ctx, s, api.ScalingPolicyRead, api.IDRequest{ID: list[0].ID})
			if err != nil {
				return err
			}
			if format.Wanted() {
				return format.Write(inv.Stdout, policy)
			}
			return s.showPolicy(policy, verbose)
		},
	}
}

func (s *session) showPolicy(policy *api.ScalingPolicy, verbose bool) error {
	var p cli.Pairs
	p.Add("ID", id(policy.ID, verbose))
	p.Add("Type", policy.Type)
	p.Add("Enabled", fmt.Sprint(policy.Enabled))
	p.Add("Min", optional(policy.Min))
	p.Add("Max", optional(policy.Max))
	p.Add("Target", tags(policy.Target))
	p.Write(s.Stdout, s.Style)
	s.title("Policy")
	return cli.WriteJSON(s.Stdout, policy.Policy)
}
