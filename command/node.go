package command

import (
	"context"
	"fmt"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

func nodeEligibility() *cli.Command {
	var enable, disable, self bool
	return &cli.Command{
		Name: "eligibility", Synopsis: "Let new allocations be placed on a node, or not", Usage: "-enable|-disable [options] <node>", Max: 1,
		Help: `Marks a node as eligible for new allocations or not. What runs on it goes on running.`,
		Define: func(f *cli.Flags) {
			f.Bool(&enable, "enable", "New allocations may be placed on the node.")
			f.Bool(&disable, "disable", "No new allocations are placed on the node.")
			f.Bool(&self, "self", "The node of the agent that is asked.")
		},
		Complete: completer(api.ContextNodes),
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			if enable == disable {
				return cli.Usagef("give -enable or -disable")
			}
			s, err := open(inv)
			if err != nil {
				return err
			}
			n, err := s.nodeArgument(ctx, inv.Args, self)
			if err != nil {
				return err
			}
			want := api.NodeIneligible
			if enable {
				want = api.NodeEligible
			}
			if _, err := call(ctx, s, api.NodeEligibility, api.NodeEligibilityRequest{ID: n.ID, NodeID: n.ID, Eligibility: want}); err != nil {
				return err
			}
			inv.Printf("Node %q scheduling eligibility set: %s for scheduling", n.ID, want)
			return nil
		},
	}
}

func nodePurge() *cli.Command {
	var yes bool
	return &cli.Command{
		Name: "purge", Synopsis: "Forget a node that is gone for good", Usage: "[options] <node>", Min: 1, Max: 1,
		Define:   func(f *cli.Flags) { f.Bool(&yes, "yes", "Do not ask.") },
		Complete: completer(api.ContextNodes),
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			n, err := s.node(ctx, inv.Args[0])
			if err != nil {
				return err
			}
			if !yes {
				if sure, err := confirm(inv, "Forget node %q (%s)? What runs on it counts as lost.", n.Name, id(n.ID, false)); err != nil || !sure {
					return err
				}
			}
			if _, err := call(ctx, s, api.NodePurge, api.NodeRequest{ID: n.ID}); err != nil {
				return err
			}
			inv.Printf("Node %q purged", n.ID)
			return nil
		},
	}
}

func nodeMetaRead() *cli.Command {
	var (
		format cli.Format
		nodeID string
	)
	return &cli.Command{
		Name: "read", Synopsis: "Show the meta of a node", Usage: "[options]",
		Define: func(f *cli.Flags) {
			f.String(&nodeID, "node-id", "<node>", "The node; the agent's own when not given.")
			format.Define(f)
		},
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			resp, err := call(ctx, s, api.ClientMetaRead, api.NodeIDRequest{NodeID: nodeID})
			if err != nil {
				return err
			}
			if format.Wanted() {
				return format.Write(inv.Stdout, resp)
			}
			s.Printf("%s", inv.Style.Bold("All Meta"))
			var p cli.Pairs
			for _, k := range sorted(resp.Meta) {
				p.Add(k, resp.Meta[k])
			}
			p.Write(inv.Stdout, inv.Style)
			return nil
		},
	}
}

func nodePoolList() *cli.Command {
	var (
		format cli.Format
		pages  paging
	)
	return &cli.Command{
		Name: "list", Synopsis: "List node pools", Usage: "[options]",
		Define: func(f *cli.Flags) { pages.define(f); format.Define(f) },
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			req := api.ListRequest{QueryOptions: pages.options()}
			pools, meta, err := api.Call(ctx, s.client, api.NodePoolsList, &req)
			if err != nil {
				return err
			}
			if format.Wanted() {
				return format.Write(inv.Stdout, pools)
			}
			t := cli.NewTable("Name", "Description")
			for _, p := range pools {
				t.Row(p.Name, orNone(p.Description))
			}
			t.Write(inv.Stdout, inv.Style)
			s.more(meta)
			return nil
		},
	}
}

func nodePoolInfo() *cli.Command {
	var format cli.Format
	return &cli.Command{
		Name: "info", Synopsis: "Show a node pool", Usage: "[options] <pool>", Min: 1, Max: 1,
		Define:   format.Define,
		Complete: completer(api.ContextNodePools),
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			pool, err := call(ctx, s, api.NodePoolRead, api.NameRequest{Name: inv.Args[0]})
			if err != nil {
				return err
			}
			if format.Wanted() {
				return format.Write(inv.Stdout, pool)
			}
			var p cli.Pairs
			p.Add("Name", pool.Name)
			p.Add("Description", pool.Description)
			p.Write(inv.Stdout, inv.Style)
			if len(pool.Meta) > 0 {
				s.showMap("Metadata", pool.Meta)
			}
			if c := pool.SchedulerConfiguration; c != nil {
				s.title("Scheduler Configuration")
				var p cli.Pairs
				p.Add("Scheduler Algorithm", c.SchedulerAlgorithm)
				if c.MemoryOversubscriptionEnabled != nil {
					p.Add("Memory Oversubscription Enabled", fmt.Sprint(*c.MemoryOversubscriptionEnabled))
				}
				p.Write(inv.Stdout, inv.Style)
			}
			return nil
		},
	}
}

func nodePoolDelete() *cli.Command {
	return &cli.Command{
		Name: "delete", Synopsis: "Delete a node pool", Usage: "[options] <pool>", Min: 1, Max: 1,
		Complete: completer(api.ContextNodePools),
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			if _, err := call(ctx, s, api.NodePoolDelete, api.NameWriteRequest{Name: inv.Args[0]}); err != nil {
				return err
			}
			inv.Printf("Successfully deleted node pool %q!", inv.Args[0])
			return nil
		},
	}
}

func nodePoolJobs() *cli.Command {
	var (
		format cli.Format
		pages  paging
	)
	return &cli.Command{
		Name: "jobs", Synopsis: "List the jobs of a node pool", Usage: "[options] <pool>", Min: 1, Max: 1,
		Define:   func(f *cli.Flags) { pages.define(f); format.Define(f) },
		Complete: completer(api.ContextNodePools),
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			req := api.NameRequest{QueryOptions: pages.options(), Name: inv.Args[0]}
			jobs, meta, err := api.Call(ctx, s.client, api.NodePoolJobs, &req)
			if err != nil {
				return err
			}
			if format.Wanted() {
				return format.Write(inv.Stdout, jobs)
			}
			if len(jobs) == 0 {
				inv.Printf("No jobs")
				return nil
			}
			t := cli.NewTable("ID", "Type", "Priority", "Status", "Submit Date")
			for _, j := range jobs {
				t.Row(j.ID, jobKind(j), fmt.Sprint(j.Priority), inv.Style.Status(jobState(j.Status, j.Stop)), timestamp(nano(j.SubmitTime)))
			}
			t.Write(inv.Stdout, inv.Style)
			s.more(meta)
			return nil
		},
	}
}

func nodePoolNodes() *cli.Command {
	var o nodeStatusOptions
	return &cli.Command{
		Name: "nodes", Synopsis: "List the nodes of a node pool", Usage: "[options] <pool>", Min: 1, Max: 1,
		Define: func(f *cli.Flags) {
			f.Bool(&o.verbose, "verbose", "Show IDs in full.")
			o.pages.define(f)
			o.format.Define(f)
		},
		Complete: completer(api.ContextNodePools),
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			req := api.NameRequest{QueryOptions: o.pages.options(), Name: inv.Args[0]}
			nodes, meta, err := api.Call(ctx, s.client, api.NodePoolNodes, &req)
			if err != nil {
				return err
			}
			if o.format.Wanted() {
				return o.format.Write(inv.Stdout, nodes)
			}
			if err := s.nodeTable(ctx, nodes, &o); err != nil {
				return err
			}
			s.more(meta)
			return nil
		},
	}
}
