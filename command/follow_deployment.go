package command

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

// findDeployment looks for the deployment that the evaluation is part of: the
// newest of the job, unless it had ended before.
func (f *follower) findDeployment(ctx context.Context) error {
	if f.depth != toDeployment || f.deployment != nil || f.eval.Status != api.EvalComplete {
		return nil
	}
	e := f.eval
	d, err := call(ctx, f.s, api.JobDeployment, api.JobReadRequest{QueryOptions: api.QueryOptions{Namespace: e.Namespace}, ID: e.JobID})
	if err != nil {
		return err
	}
	if d != nil && d.ID != "" && (d.Active() || d.ModifyIndex > e.CreateIndex && d.Status != api.DeploymentCancelled) {
		f.deployment = d
	}
	return nil
}

// deploys says whether the deployment is followed to its end. One that cannot
// place its allocations now is not: nobody knows when there will be room.
func (f *follower) deploys() bool {
	return f.deployment != nil && (f.eval == nil || len(f.eval.FailedTGAllocs) == 0)
}

// followDeployment follows a deployment to its end and tells how it ended.
func (s *session) followDeployment(ctx context.Context, d *api.Deployment, verbose bool) error {
	f := s.newFollower(verbose, toDeployment)
	f.deployment = d
	return f.end(f.deployAndTell(ctx, d.ID), "")
}

func (f *follower) deployAndTell(ctx context.Context, deploymentID string) error {
	if err := f.deploy(ctx, deploymentID); err != nil {
		return err
	}
	if f.deployment.Status == api.DeploymentSuccessful || f.deployment.Active() { // active: the promotion of a roll back is not waited for
		return nil
	}
	if err := f.deploymentFailed(ctx); err != nil {
		return err
	}
	return cli.ExitCode(codeNotPlaced)
}

// deploy watches a deployment and its allocations until it has ended, or until a
// roll back waits to be promoted.
func (f *follower) deploy(ctx context.Context, deploymentID string) error {
	f.say("==>", "Monitoring deployment %q", id(deploymentID, f.verbose))
	req := api.IDRequest{ID: deploymentID}
	d, dm, err := api.Call(ctx, f.s.client, api.DeploymentRead, &req)
	if err != nil {
		return err
	}
	list, lm, err := api.Call(ctx, f.s.client, api.DeploymentAllocations, &req)
	if err != nil {
		return err
	}
	f.deployment = d
	f.progress(list, false)

	watching, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	deployments := watch(watching, &wg, f.s, api.DeploymentRead, req, dm.Index)
	allocations := watch(watching, &wg, f.s, api.DeploymentAllocations, req, lm.Index)
	ticker := time.NewTicker(redrawInterval)
	defer ticker.Stop()
	for f.deployment.Active() && !(f.rollback && f.canariesReady()) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case u := <-deployments:
			if u.err != nil {
				return u.err
			}
			f.deployment = u.value
		case u := <-allocations:
			if u.err != nil {
				return u.err
			}
			list = u.value
		case <-ticker.C:
			f.drawDeployment(false)
			continue
		}
		f.progress(list, false)
	}
	if list, err = call(ctx, f.s, api.DeploymentAllocations, req); err != nil {
		return err
	}
	f.progress(list, true)
	return nil
}

// progress shows what is new of the deployment.
func (f *follower) progress(list []*api.AllocationListStub, last bool) {
	sortByName(list)
	f.list = list
	d := f.deployment
	if d.Active() {
		f.once(d.ID, "   ", "%s", d.StatusDescription)
	}
	f.changes()
	for _, name := range sorted(d.TaskGroups) {
		f.once("group "+name, "   ", "Group %q: %s", name, groupProgress(d.TaskGroups[name]))
	}
	if !d.Active() {
		f.once(d.ID, "==>", "Deployment %q finished with status %q: %s", id(d.ID, f.verbose), d.Status, d.StatusDescription)
	} else if f.canariesReady() {
		for i, hint := range f.promoteHints() {
			f.once(fmt.Sprint("promote ", i, d.ID), "   ", "%s", hint)
		}
	}
	f.drawDeployment(last)
}

// once prints a line unless the one before with the same key said the same.
func (f *follower) once(key, mark, format string, args ...any) {
	if text := fmt.Sprintf(format, args...); f.seen[key] != text {
		f.seen[key] = text
		f.say(mark, "%s", text)
	}
}

func groupProgress(g *api.DeploymentState) string {
	text := fmt.Sprintf("%d wanted, %d placed, %d healthy", g.DesiredTotal, g.PlacedAllocs, g.HealthyAllocs)
	if waitsForPromotion(g) {
		text = fmt.Sprintf("%s wanted, %d placed", plural(g.DesiredCanaries, "canary", "canaries"), len(g.PlacedCanaries))
	}
	if g.UnhealthyAllocs > 0 {
		text += fmt.Sprintf(", %d not healthy", g.UnhealthyAllocs)
	}
	return text
}

// waitsForPromotion says whether a group has canaries that are not promoted.
func waitsForPromotion(g *api.DeploymentState) bool { return g.DesiredCanaries > 0 && !g.Promoted }

// needsPromotion says whether a deployment goes on only when somebody promotes
// its canaries.
func needsPromotion(d *api.Deployment) bool {
	for _, g := range d.TaskGroups {
		if waitsForPromotion(g) && !g.AutoPromote {
			return d.Active()
		}
	}
	return false
}

// canariesReady says whether nothing but the promotion is missing.
func (f *follower) canariesReady() bool {
	if !needsPromotion(f.deployment) {
		return false
	}
	healthy := map[string]int{}
	for _, a := range f.list {
		if s := a.DeploymentStatus; s != nil && s.Canary && s.IsHealthy() && a.DesiredStatus == api.AllocDesiredRun {
			healthy[a.TaskGroup]++
		}
	}
	for name, g := range f.deployment.TaskGroups {
		if waitsForPromotion(g) && healthy[name] < g.DesiredCanaries {
			return false
		}
	}
	return true
}

// promoteHints say what to do when nothing but the promotion is missing.
func (f *follower) promoteHints() []string {
	short := id(f.deployment.ID, f.verbose)
	return []string{
		"Canaries are healthy. Promote them with: serai deployment promote " + short,
		"Or give them up with: serai deployment fail " + short,
	}
}

// drawDeployment redraws the live display.
func (f *follower) drawDeployment(last bool) {
	if f.live == nil {
		return
	}
	_, rows := f.live.Size()
	f.live.Draw(f.deploymentLines(rows, last))
}

// deploymentLines are the lines of the live display on a terminal of so many rows.
func (f *follower) deploymentLines(rows int, last bool) []string {
	d, style := f.deployment, f.s.Style
	lines := []string{fmt.Sprintf("%s Deployment %s of job %q version %d: %s  %s", style.Bold("==>"), id(d.ID, f.verbose), d.JobID, d.JobVersion,
		style.Status(d.Status), style.Dim(time.Since(f.started).Round(100*time.Millisecond).String())), "    " + cli.Clean(d.StatusDescription)}
	var table bytes.Buffer
	progressTable(d).Write(&table, style)
	for line := range strings.Lines(table.String()) {
		lines = append(lines, "    "+strings.TrimSuffix(line, "\n"))
	}
	lines = append(lines, f.allocationLines(max(rows-len(lines)-5, 1))...)
	if f.canariesReady() {
		for _, hint := range f.promoteHints() {
			lines = append(lines, "    "+style.Yellow(hint))
		}
	}
	if !last && d.Active() {
		lines = append(lines, style.Dim("    Ctrl-C stops watching, not the deployment."))
	}
	return lines
}

// progressTable is what changes in a deployment, narrow enough for a terminal.
func progressTable(d *api.Deployment) *cli.Table {
	t := cli.NewTable("Task Group", "Promoted", "Desired", "Canaries", "Placed", "Healthy", "Unhealthy", "Deadline")
	for _, name := range sorted(d.TaskGroups) {
		g := d.TaskGroups[name]
		t.Row(name, promoted(g), fmt.Sprint(g.DesiredTotal), fmt.Sprint(g.DesiredCanaries), fmt.Sprint(g.PlacedAllocs), fmt.Sprint(g.HealthyAllocs), fmt.Sprint(g.UnhealthyAllocs), when(g.RequireProgressBy, false))
	}
	return t
}

// maxUnhealthy is how many allocations of a failed deployment are told of.
const maxUnhealthy = 3

// deploymentFailed tells why a deployment has not succeeded, and follows the
// one that takes the job back.
func (f *follower) deploymentFailed(ctx context.Context) error {
	d := f.deployment
	f.s.Printf("\n%s", f.s.Style.Bold(fmt.Sprintf("Deployment %q of job %q version %d: %s", id(d.ID, f.verbose), d.JobID, d.JobVersion, d.Status)))
	f.s.Printf("  %s", d.StatusDescription)
	told := 0
	for _, a := range f.list {
		if a.ClientStatus != api.AllocClientFailed && a.ClientStatus != api.AllocClientLost && !a.DeploymentStatus.IsUnhealthy() {
			continue
		}
		if told++; told <= maxUnhealthy {
			f.failure(ctx, a)
		}
	}
	if told > maxUnhealthy {
		f.s.Printf("\n… and %s. See: serai job status %s", count(told-maxUnhealthy, "more allocation"), d.JobID)
	}
	if d.Status != api.DeploymentFailed {
		return nil
	}
	stub := &api.JobListStub{ID: d.JobID, Namespace: d.Namespace}
	if evals, err := call(ctx, f.s, api.JobEvaluations, on(stub)); err == nil {
		f.s.showBlocked(evals, stub)
	}
	return f.followRollback(ctx, d)
}

// rollbackWait is how long the deployment of a job that was rolled back is
// waited for; it begins with the next evaluation.
const rollbackWait = 5 * time.Second

// followRollback follows the deployment that takes a job back to its stable version.
func (f *follower) followRollback(ctx context.Context, failed *api.Deployment) error {
	job, err := call(ctx, f.s, api.JobRead, api.JobReadRequest{QueryOptions: api.QueryOptions{Namespace: failed.Namespace}, ID: failed.JobID})
	if err != nil || job.Version <= failed.JobVersion || !reverts(failed) {
		return nil // it was not rolled back, or is gone
	}
	wait, cancel := context.WithTimeout(ctx, rollbackWait)
	defer cancel()
	req := api.JobReadRequest{QueryOptions: api.QueryOptions{Namespace: failed.Namespace, Wait: api.Duration(rollbackWait)}, ID: failed.JobID}
	for wait.Err() == nil {
		d, meta, err := api.Call(wait, f.s.client, api.JobDeployment, &req)
		if err != nil {
			break
		}
		if d != nil && d.JobVersion > failed.JobVersion {
			return f.back(ctx, d)
		}
		req.Index = meta.Index
	}
	f.s.Printf("\nThe job is rolled back as version %d. See: serai job status %s", job.Version, job.ID)
	return ctx.Err()
}

// back follows the deployment of a roll back. It does not wait for somebody to
// promote its canaries.
func (f *follower) back(ctx context.Context, d *api.Deployment) error {
	f.s.Printf("\nThe job is rolled back: version %d is what ran before.", d.JobVersion)
	f.deployment = d // what an interrupt names
	g := f.s.newFollower(f.verbose, toDeployment)
	g.eval, g.rollback = f.eval, true
	if err := g.deploy(ctx, d.ID); err != nil {
		return err
	}
	if g.deployment.Status == api.DeploymentFailed {
		f.s.Printf("\nThe roll back failed too: %s. See: serai job history %s", g.deployment.StatusDescription, d.JobID)
	}
	return nil
}

// reverts says whether a group of a deployment has its job rolled back.
func reverts(d *api.Deployment) bool {
	for _, g := range d.TaskGroups {
		if g.AutoRevert {
			return true
		}
	}
	return false
}
