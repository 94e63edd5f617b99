package command

import (
	"context"
	"fmt"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

// acting is what the commands that act on a deployment have in common.
type acting struct{ detach, verbose bool }

func (o *acting) define(f *cli.Flags) {
	f.Bool(&o.detach, "detach", "Return at once with the ID of the evaluation.")
	f.Bool(&o.verbose, "verbose", "Show IDs in full.")
}

// deploymentAction makes a command that acts on the deployment in its argument.
func deploymentAction(c *cli.Command, act func(ctx context.Context, s *session, d *api.Deployment) error) *cli.Command {
	c.Usage, c.Min, c.Max = "[options] <deployment>", 1, 1
	c.Complete = completer(api.ContextDeployments)
	c.Run = func(ctx context.Context, inv *cli.Invocation) error {
		s, err := open(inv)
		if err != nil {
			return err
		}
		d, err := s.findDeployment(ctx, inv.Args[0])
		if err != nil {
			return err
		}
		return act(ctx, s, d)
	}
	return c
}

func deploymentPromote() *cli.Command {
	var (
		o      acting
		groups []string
	)
	return deploymentAction(&cli.Command{
		Name: "promote", Synopsis: "Let the canaries of a deployment replace the rest",
		Help: `Promotes the canaries of a deployment and follows it to its end. Without -group, all groups are promoted.

  serai deployment promote -group web 1a2b3c4d`,
		Define: func(f *cli.Flags) {
			f.Strings(&groups, "group", "<group>", "Promote only this group. May be given many times.")
			o.define(f)
		},
	}, func(ctx context.Context, s *session, d *api.Deployment) error {
		return s.promote(ctx, d, groups, o)
	})
}

func (s *session) promote(ctx context.Context, d *api.Deployment, groups []string, o acting) error {
	for _, name := range groups {
		if d.TaskGroups[name] == nil {
			return cli.Usagef("deployment %s has no group %q", id(d.ID, o.verbose), name)
		}
	}
	resp, err := call(ctx, s, api.DeploymentPromote, api.DeploymentPromoteRequest{DeploymentRequest: onDeployment(d), All: len(groups) == 0, Groups: groups})
	if err != nil {
		return err
	}
	if o.detach {
		s.Printf("Evaluation ID: %s", resp.EvalID)
		return nil
	}
	f := s.newFollower(o.verbose, toDeployment)
	f.deployment = d
	return f.end(f.run(ctx, resp.EvalID), "")
}

// onDeployment is the request of an action on a deployment.
func onDeployment(d *api.Deployment) api.DeploymentRequest {
	return api.DeploymentRequest{WriteOptions: within(d.Namespace), ID: d.ID, DeploymentID: d.ID}
}

func deploymentPause() *cli.Command {
	var verbose bool
	return deploymentAction(&cli.Command{
		Name: "pause", Synopsis: "Stop a deployment for the time being",
		Help: `Pauses a deployment: nothing new is placed or replaced, what runs goes on. "deployment resume" lets it go on.

  serai deployment pause 1a2b3c4d`,
		Define: func(f *cli.Flags) { f.Bool(&verbose, "verbose", "Show IDs in full.") },
	}, func(ctx context.Context, s *session, d *api.Deployment) error {
		if _, err := call(ctx, s, api.DeploymentPause, api.DeploymentPauseRequest{DeploymentRequest: onDeployment(d), Pause: true}); err != nil {
			return err
		}
		s.Printf("Deployment %q paused. Let it go on with: serai deployment resume %s", id(d.ID, verbose), id(d.ID, verbose))
		return nil
	})
}

func deploymentResume() *cli.Command {
	var o acting
	return deploymentAction(&cli.Command{
		Name: "resume", Synopsis: "Let a paused deployment go on",
		Help:   "Resumes a deployment that was paused and follows it to its end.\n\n  serai deployment resume 1a2b3c4d",
		Define: o.define,
	}, func(ctx context.Context, s *session, d *api.Deployment) error {
		resp, err := call(ctx, s, api.DeploymentPause, api.DeploymentPauseRequest{DeploymentRequest: onDeployment(d)})
		if err != nil {
			return err
		}
		s.Printf("Deployment %q resumed", id(d.ID, o.verbose))
		return s.goOn(ctx, d, resp.EvalID, o)
	})
}

// goOn follows a deployment after something was done to it.
func (s *session) goOn(ctx context.Context, d *api.Deployment, evalID string, o acting) error {
	if o.detach {
		if evalID != "" {
			s.Printf("Evaluation ID: %s", evalID)
		}
		return nil
	}
	return s.followDeployment(ctx, d, o.verbose)
}

func deploymentFail() *cli.Command {
	var o acting
	return deploymentAction(&cli.Command{
		Name: "fail", Synopsis: "Give a deployment up",
		Help: `Marks a deployment as failed. Where a group says auto_revert, the job goes back to its latest stable version, which is followed; otherwise what runs goes on as it is.

  serai deployment fail 1a2b3c4d`,
		Define: o.define,
	}, func(ctx context.Context, s *session, d *api.Deployment) error {
		resp, err := call(ctx, s, api.DeploymentFail, onDeployment(d))
		if err != nil {
			return err
		}
		text := fmt.Sprintf("Deployment %q failed", id(d.ID, o.verbose))
		if resp.RevertedJobVersion != nil {
			text += fmt.Sprintf("; job %q is rolled back to version %d", d.JobID, *resp.RevertedJobVersion)
		}
		s.Printf("%s", text)
		if o.detach && resp.EvalID != "" {
			s.Printf("Evaluation ID: %s", resp.EvalID)
		}
		if o.detach || resp.EvalID == "" {
			return nil
		}
		f := s.newFollower(o.verbose, toDecision)
		if resp.RevertedJobVersion != nil {
			f.depth, f.rollback = toDeployment, true
		}
		return f.end(f.run(ctx, resp.EvalID), "serai job status "+d.JobID)
	})
}

func deploymentUnblock() *cli.Command {
	var o acting
	return deploymentAction(&cli.Command{
		Name: "unblock", Synopsis: "Let a deployment end that waits for other regions",
		Help:   "Unblocks a deployment of a job of several regions that waits for the others.\n\n  serai deployment unblock 1a2b3c4d",
		Define: o.define,
	}, func(ctx context.Context, s *session, d *api.Deployment) error {
		resp, err := call(ctx, s, api.DeploymentUnblock, onDeployment(d))
		if err != nil {
			return err
		}
		s.Printf("Deployment %q unblocked", id(d.ID, o.verbose))
		return s.goOn(ctx, d, resp.EvalID, o)
	})
}
