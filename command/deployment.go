package command

import (
	"context"
	"fmt"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

func deploymentList() *cli.Command {
	var (
		format  cli.Format
		filter  string
		verbose bool
	)
	return &cli.Command{
		Name: "list", Synopsis: "List deployments", Usage: "[options]",
		Define: func(f *cli.Flags) {
			f.String(&filter, "filter", "<expression>", "Show only what an expression is true of.")
			f.Bool(&verbose, "verbose", "Show IDs in full.")
			format.Define(f)
		},
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			list, err := call(ctx, s, api.DeploymentsList, api.ListRequest{QueryOptions: api.QueryOptions{Filter: filter}})
			if err != nil {
				return err
			}
			if format.Wanted() {
				return format.Write(inv.Stdout, list)
			}
			s.showDeployments(list, verbose)
			return nil
		},
	}
}

func (s *session) showDeployments(list []*api.Deployment, verbose bool) {
	if len(list) == 0 {
		s.Printf("No deployments found")
		return
	}
	t := cli.NewTable("ID", "Namespace", "Job ID", "Job Version", "Status", "Description")
	for _, d := range list {
		t.Row(id(d.ID, verbose), d.Namespace, d.JobID, fmt.Sprint(d.JobVersion), s.Style.Status(d.Status), d.StatusDescription)
	}
	t.Write(s.Stdout, s.Style)
}

func deploymentStatus() *cli.Command {
	var (
		format  cli.Format
		verbose bool
	)
	return &cli.Command{
		Name: "status", Synopsis: "Show a deployment", Usage: "[options] [<deployment>]", Max: 1,
		Define: func(f *cli.Flags) {
			f.Bool(&verbose, "verbose", "Show IDs in full.")
			format.Define(f)
			f.Ignore("monitor", "")
			f.Ignore("wait", "<duration>")
			f.Ignore("ui", "")
		},
		Complete: completer(api.ContextDeployments),
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			options := api.QueryOptions{Namespace: s.anyNamespace()}
			if len(inv.Args) > 0 {
				if options.Prefix, err = uuidPrefix(inv.Args[0]); err != nil {
					return err
				}
			}
			list, err := call(ctx, s, api.DeploymentsList, api.ListRequest{QueryOptions: options})
			if err != nil {
				return err
			}
			switch {
			case len(inv.Args) == 0:
				if format.Wanted() {
					return format.Write(inv.Stdout, list)
				}
				s.showDeployments(list, verbose)
				return nil
			case len(list) == 0:
				return none("deployment", inv.Args[0])
			case len(list) > 1:
				t := cli.NewTable("ID", "Job ID", "Status")
				for _, d := range list {
					t.Row(d.ID, d.JobID, d.Status)
				}
				return ambiguous("deployments", inv.Args[0], t)
			}
			if format.Wanted() {
				return format.Write(inv.Stdout, list[0])
			}
			s.showDeployment(list[0], verbose)
			return nil
		},
	}
}

func (s *session) showDeployment(d *api.Deployment, verbose bool) {
	var p cli.Pairs
	p.Add("ID", id(d.ID, verbose))
	p.Add("Job ID", d.JobID)
	p.Add("Job Version", fmt.Sprint(d.JobVersion))
	p.Add("Status", s.Style.Status(d.Status))
	p.Add("Description", d.StatusDescription)
	p.Write(s.Stdout, s.Style)
	s.title("Deployed")
	t := cli.NewTable("Task Group", "Auto Revert", "Promoted", "Desired", "Canaries", "Placed", "Healthy", "Unhealthy", "Progress Deadline")
	for _, name := range sorted(d.TaskGroups) {
		g := d.TaskGroups[name]
		t.Row(name, fmt.Sprint(g.AutoRevert), fmt.Sprint(g.Promoted), fmt.Sprint(g.DesiredTotal), fmt.Sprint(g.DesiredCanaries), fmt.Sprint(g.PlacedAllocs), fmt.Sprint(g.HealthyAllocs), fmt.Sprint(g.UnhealthyAllocs), timestamp(g.RequireProgressBy))
	}
	t.Write(s.Stdout, s.Style)
}
