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
			return s.listDeployments(ctx, api.QueryOptions{Filter: filter}, &format, verbose)
		},
	}
}

func (s *session) listDeployments(ctx context.Context, options api.QueryOptions, format *cli.Format, verbose bool) error {
	list, err := call(ctx, s, api.DeploymentsList, api.ListRequest{QueryOptions: options})
	if err != nil {
		return err
	}
	if format.Wanted() {
		return format.Write(s.Stdout, list)
	}
	s.showDeployments(list, verbose)
	return nil
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

// findDeployment finds the one deployment whose ID begins with a text.
func (s *session) findDeployment(ctx context.Context, prefix string) (*api.Deployment, error) {
	clean, err := uuidPrefix(prefix)
	if err != nil {
		return nil, err
	}
	list, err := call(ctx, s, api.DeploymentsList, api.ListRequest{QueryOptions: api.QueryOptions{Prefix: clean, Namespace: s.anyNamespace()}})
	if err != nil {
		return nil, err
	}
	switch len(list) {
	case 0:
		return nil, none("deployment", prefix)
	case 1:
		return list[0], nil
	}
	t := cli.NewTable("ID", "Job ID", "Status")
	for _, d := range list {
		t.Row(d.ID, d.JobID, d.Status)
	}
	return nil, ambiguous("deployments", prefix, t)
}

func deploymentStatus() *cli.Command {
	var (
		format           cli.Format
		monitor, verbose bool
	)
	return &cli.Command{
		Name: "status", Synopsis: "Show a deployment, or follow it", Usage: "[options] [<deployment>]", Max: 1,
		Help: `Shows how far a deployment is, group by group. Without an argument, lists the deployments.

  serai deployment status -monitor 1a2b3c4d

With -monitor the exit code is 0 when the deployment succeeds and 2 when it fails or is cancelled.`,
		Define: func(f *cli.Flags) {
			f.Bool(&monitor, "monitor", "Follow the deployment until it has ended.")
			f.Bool(&verbose, "verbose", "Show IDs in full.")
			format.Define(f)
			f.Ignore("wait", "<duration>")
			f.Ignore("ui", "")
		},
		Complete: completer(api.ContextDeployments),
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			if monitor && (format.Wanted() || len(inv.Args) == 0) {
				return cli.Usagef("-monitor follows one deployment, and excludes -json and -t")
			}
			s, err := open(inv)
			if err != nil {
				return err
			}
			if len(inv.Args) == 0 {
				return s.listDeployments(ctx, api.QueryOptions{}, &format, verbose)
			}
			d, err := s.findDeployment(ctx, inv.Args[0])
			switch {
			case err != nil:
				return err
			case monitor:
				return s.followDeployment(ctx, d, verbose)
			case format.Wanted():
				return format.Write(inv.Stdout, d)
			}
			s.showDeployment(d, verbose)
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
	deploymentTable(d, verbose).Write(s.Stdout, s.Style)
	if needsPromotion(d) {
		s.Printf("\nThe canaries wait for you. Promote them with: serai deployment promote %s", id(d.ID, verbose))
	}
}

// deploymentTable tells how far each group of a deployment is.
func deploymentTable(d *api.Deployment, verbose bool) *cli.Table {
	t := cli.NewTable("Task Group", "Auto Revert", "Promoted", "Desired", "Canaries", "Placed", "Healthy", "Unhealthy", "Progress Deadline")
	for _, name := range sorted(d.TaskGroups) {
		g := d.TaskGroups[name]
		deadline := timestamp(g.RequireProgressBy)
		if d.Active() {
			deadline = when(g.RequireProgressBy, verbose)
		}
		t.Row(name, fmt.Sprint(g.AutoRevert), promoted(g), fmt.Sprint(g.DesiredTotal), fmt.Sprint(g.DesiredCanaries), fmt.Sprint(g.PlacedAllocs), fmt.Sprint(g.HealthyAllocs), fmt.Sprint(g.UnhealthyAllocs), deadline)
	}
	return t
}

// promoted says whether a group's canaries are promoted, where it has any.
func promoted(g *api.DeploymentState) string {
	if g.DesiredCanaries == 0 {
		return "N/A"
	}
	return fmt.Sprint(g.Promoted)
}
