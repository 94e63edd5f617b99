package reconcile

import (
	"maps"

	"github.com/seraihq/serai/api"
)

// rollout is the deployment of a job's current version, across its groups.
type rollout struct {
	in    *Input
	of    *api.Deployment                 // whatever became of it; nil: none has begun
	begun map[string]*api.DeploymentState // groups of the one that begins
	moved map[string]*api.DeploymentState // other numbers for groups of the one that goes on
	ended []DeploymentEnd
}

// newRollout finds the deployment of the current version, and ends all others.
// A cancelled one counts as none.
func newRollout(in *Input) *rollout {
	r := &rollout{in: in}
	for _, d := range in.Deployments {
		if r.current(d) && d.Status != api.DeploymentCancelled && (r.of == nil || r.of.CreateIndex < d.CreateIndex) {
			r.of = d
		}
	}
	for _, d := range in.Deployments {
		switch {
		case !d.Active() || d == r.of:
		case in.Job.Stopped():
			r.ended = append(r.ended, DeploymentEnd{d.ID, api.DeploymentDescStopped})
		default:
			r.ended = append(r.ended, DeploymentEnd{d.ID, api.DeploymentDescNewerVersion})
		}
	}
	return r
}

func (r *rollout) current(d *api.Deployment) bool {
	j := r.in.Job
	return !j.Stopped() && d.JobVersion == j.Version && d.JobCreateIndex == j.CreateIndex
}

// result completes what was found for the groups.
func (r *rollout) result(groups []*Group) *Result {
	out := &Result{Groups: groups, Ended: r.ended}
	switch {
	case len(r.begun) > 0:
		j := r.in.Job
		out.Deployment = &api.Deployment{
			Namespace: j.Namespace, JobID: j.ID, JobVersion: j.Version, JobModifyIndex: j.JobModifyIndex,
			JobSpecModifyIndex: j.JobModifyIndex, JobCreateIndex: j.CreateIndex, TaskGroups: r.begun,
			Status: api.DeploymentRunning, StatusDescription: api.DeploymentDescRunning, EvalPriority: j.Priority,
		}
		for _, s := range r.begun {
			if s.DesiredCanaries > 0 && !s.AutoPromote {
				out.Deployment.StatusDescription = api.DeploymentDescNeedsPromote
				break
			} else if s.DesiredCanaries > 0 {
				out.Deployment.StatusDescription = api.DeploymentDescAutoPromote
			}
		}
	case r.of != nil && r.of.Active():
		out.DeploymentID = r.of.ID
		if len(r.moved) > 0 {
			d := *r.of
			d.TaskGroups = maps.Clone(d.TaskGroups)
			maps.Copy(d.TaskGroups, r.moved)
			out.Deployment = &d
		}
	}
	return out
}

// stage is what the deployment allows in one group.
type stage struct {
	rollout  *rollout
	state    *api.DeploymentState // nil: the group is in none
	id       string               // of the deployment; empty for one that begins
	update   *api.UpdateStrategy  // nil: the group has no deployments
	active   bool                 // what is placed of the current version becomes part of it
	held     bool                 // nothing new of the current version is placed: paused or failed
	failed   bool
	canaries int // that are wanted for as long as they are not promoted
}

func (r *rollout) stage(g *api.TaskGroup) stage {
	s := stage{rollout: r}
	kind := r.in.Job.Type
	if (kind != api.JobTypeService && kind != api.JobTypeSystem) || g.Update == nil || g.Update.MaxParallel <= 0 {
		return s
	}
	s.update = g.Update
	if r.of == nil {
		return s
	}
	s.state, s.id = r.of.TaskGroups[g.Name], r.of.ID
	if s.state == nil {
		return s
	}
	s.failed = r.of.Status == api.DeploymentFailed
	s.active = r.of.Active()
	s.held = s.failed || s.active && r.of.Status != api.DeploymentRunning
	if s.active && !s.state.Promoted {
		s.canaries = s.state.DesiredCanaries
	}
	return s
}

// mayBegin says whether changes of the group begin a deployment.
func (s *stage) mayBegin() bool { return s.update != nil && s.rollout.of == nil }

// begin makes the group part of the deployment that begins.
func (s *stage) begin(name string, total, canaries int) {
	u, deadline := s.update, s.update.ProgressDeadline
	if deadline > 0 && s.rollout.in.Job.Type == api.JobTypeSystem {
		deadline = max(deadline, deadline+u.Stagger) // what has to wait makes no progress; the sum may be too large
	}
	s.state = &api.DeploymentState{
		AutoRevert: u.AutoRevert, AutoPromote: u.AutoPromote, ProgressDeadline: deadline,
		DesiredTotal: total, DesiredCanaries: canaries,
	}
	if deadline > 0 {
		s.state.RequireProgressBy = s.rollout.in.Now.Add(deadline.Std()).UTC()
	}
	s.active, s.canaries = true, canaries
	if s.rollout.begun == nil {
		s.rollout.begun = map[string]*api.DeploymentState{}
	}
	s.rollout.begun[name] = s.state
}

// resize notes that the deployment that goes on has other numbers to reach.
func (s *stage) resize(name string, total, canaries int) {
	if s.id == "" || !s.active || s.state.DesiredTotal == total && s.state.DesiredCanaries == canaries {
		return
	}
	c := *s.state
	c.DesiredTotal, c.DesiredCanaries = total, canaries
	s.state = &c
	if !c.Promoted {
		s.canaries = canaries
	}
	if s.rollout.moved == nil {
		s.rollout.moved = map[string]*api.DeploymentState{}
	}
	s.rollout.moved[name] = s.state
}

// frozen says that for now only what was lost is replaced, each as it was.
func (s *stage) frozen() bool { return s.held || s.canaries > 0 }

// member says whether an allocation is part of the deployment.
func (s *stage) member(a *api.Allocation) bool { return s.id != "" && a.DeploymentID == s.id }

// canary says whether an allocation is a canary that waits to be promoted.
func (s *stage) canary(a *api.Allocation) bool {
	return s.canaries > 0 && s.member(a) && a.DeploymentStatus != nil && a.DeploymentStatus.Canary
}

// stray says whether an allocation is a canary that nobody will promote any
// more.
func (s *stage) stray(a *api.Allocation) bool {
	if a.DeploymentStatus == nil || !a.DeploymentStatus.Canary || s.canary(a) {
		return false
	}
	for _, d := range s.rollout.in.Deployments {
		if d.ID == a.DeploymentID && d.TaskGroups[a.TaskGroup] != nil && d.TaskGroups[a.TaskGroup].Promoted {
			return false
		}
	}
	return true
}

// unproven says whether an allocation takes up one of those that may be in the
// making: it is part of the deployment and not known to be healthy.
func (s *stage) unproven(a *api.Allocation) bool {
	return s.member(a) && (a.ClientTerminal() || !a.DeploymentStatus.IsHealthy())
}
