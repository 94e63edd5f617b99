package deploy

import (
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/seraihq/serai/api"
)

// orphaned is for how long a deployment that a newer version of its job has
// replaced is left to the scheduler, which ends it with its next plan.
const orphaned = time.Minute

// Input is what a deployment is judged by.
type Input struct {
	Deployment *api.Deployment
	Job        *api.Job // as it is now; nil when it is gone
	Now        time.Time

	// Allocs are the allocations of the deployment; nil when none has failed
	// since they were last looked at.
	Allocs iter.Seq[*api.Allocation]
}

// Verdict is what is to become of a deployment.
type Verdict struct {
	Status      string // that it ends with; empty: it goes on
	Description string
	Revert      bool // the job goes back to its latest stable version

	Promote    []string // groups whose canaries are promoted
	Reschedule []string // failed allocations that may be placed anew

	// Open says that allocations are still to be placed: the scheduler may be
	// able to go on whenever one becomes healthy.
	Open bool

	// Again is when to judge anew even when nothing has changed; zero: never.
	Again time.Time
}

// Judge says what is to become of a deployment.
func Judge(in Input) Verdict {
	d, j := in.Deployment, in.Job
	switch {
	case !d.Active():
		return Verdict{}
	case j == nil || j.CreateIndex != d.JobCreateIndex:
		return Verdict{Status: api.DeploymentCancelled, Description: api.DeploymentDescStopped}
	case j.Stop || j.Version != d.JobVersion:
		return superseded(j, in.Now)
	case d.Status != api.DeploymentRunning:
		return Verdict{}
	}
	w := weigh(in)
	if v, failed := w.failed(); failed {
		return v
	}
	if w.successful() {
		return Verdict{Status: api.DeploymentSuccessful, Description: api.DeploymentDescSuccessful}
	}
	return Verdict{Promote: w.promote(), Reschedule: reschedule(in.Allocs), Open: w.open(), Again: w.again}
}

// superseded judges a deployment whose job is another one by now.
func superseded(j *api.Job, now time.Time) Verdict {
	if until := time.Unix(0, j.SubmitTime).Add(orphaned); now.Before(until) {
		return Verdict{Again: until}
	}
	v := Verdict{Status: api.DeploymentCancelled, Description: api.DeploymentDescNewerVersion}
	if j.Stop {
		v.Description = api.DeploymentDescStopped
	}
	return v
}

// weighing is the work on one deployment that runs.
type weighing struct {
	now    time.Time
	names  []string // of the groups, sorted
	groups map[string]*api.DeploymentState
	again  time.Time
}

func weigh(in Input) *weighing {
	groups := in.Deployment.TaskGroups
	return &weighing{now: in.Now, groups: groups, names: slices.Sorted(maps.Keys(groups))}
}

// reschedule gives the failed allocations that may be placed anew.
func reschedule(allocs iter.Seq[*api.Allocation]) []string {
	if allocs == nil {
		return nil
	}
	var out []string
	for a := range allocs {
		if replaceable(a) {
			out = append(out, a.ID)
		}
	}
	return out
}

// replaceable says whether a failed allocation waits for somebody to say that it
// may be placed anew.
func replaceable(a *api.Allocation) bool {
	t := a.DesiredTransition
	return a.ClientStatus == api.AllocClientFailed && !a.ServerTerminal() && a.NextAllocation == "" &&
		(t.Reschedule == nil || !*t.Reschedule) && (t.ForceReschedule == nil || !*t.ForceReschedule)
}

// waits says whether the group has canaries that are not promoted.
func waits(g *api.DeploymentState) bool { return g.DesiredCanaries > 0 && !g.Promoted }

// ripe says whether the group's canaries are all there and healthy.
func ripe(g *api.DeploymentState) bool { return waits(g) && g.HealthyCanaries >= g.DesiredCanaries }

// done says whether the group is what it shall be.
func done(g *api.DeploymentState) bool { return !waits(g) && g.HealthyAllocs >= g.DesiredTotal }

// failed finds a group that fails the deployment, and notes when one would. A
// group whose canaries wait for somebody's word has all the time there is.
func (w *weighing) failed() (Verdict, bool) {
	v := Verdict{Status: api.DeploymentFailed}
	for _, name := range w.names {
		g := w.groups[name]
		reason := ""
		switch {
		case done(g):
		case g.ProgressDeadline <= 0:
			if g.UnhealthyAllocs > 0 {
				reason = api.DeploymentDescUnhealthy
			}
		case ripe(g) || g.RequireProgressBy.IsZero():
		case !w.now.Before(g.RequireProgressBy):
			reason = api.DeploymentDescDeadline
		case w.again.IsZero() || g.RequireProgressBy.Before(w.again):
			w.again = g.RequireProgressBy
		}
		if reason != "" {
			if v.Description == "" {
				v.Description = reason
			}
			v.Revert = v.Revert || g.AutoRevert
		}
	}
	return v, v.Description != ""
}

func (w *weighing) successful() bool {
	for _, g := range w.groups {
		if !done(g) {
			return false
		}
	}
	return true
}

// promote gives the groups that are promoted by themselves, when the canaries of
// all of them are healthy.
func (w *weighing) promote() []string {
	var out []string
	for _, name := range w.names {
		g := w.groups[name]
		if !waits(g) || !g.AutoPromote {
			continue
		}
		if !ripe(g) {
			return nil
		}
		out = append(out, name)
	}
	return out
}

// open says whether allocations are still to be placed.
func (w *weighing) open() bool {
	for _, g := range w.groups {
		want := g.DesiredTotal
		if waits(g) {
			want = g.DesiredCanaries
		}
		if g.LiveAllocs < want {
			return true
		}
	}
	return false
}
