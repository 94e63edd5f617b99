package state

import (
	"slices"
	"time"

	"github.com/seraihq/serai/api"
)

// PutDeployment writes a deployment. What follows from its allocations is
// counted anew, whatever the row says, for as long as it goes on: one that ends
// is counted a last time and keeps those numbers.
func (tx *Tx) PutDeployment(d *api.Deployment) {
	d.CreateIndex, d.ModifyIndex = tx.Index(), tx.Index()
	old, exists := tx.Deployment(d.ID)
	if exists {
		d.CreateIndex = old.CreateIndex
	}
	if !exists || old.Active() {
		if counted, changed := tx.count(d); changed {
			d = counted
		}
	}
	tablesOf(tx.t).deployments.Put(tx.tx, d)
	tx.recountOf(d.ID).anew = true
}

// DeleteDeployment removes a deployment.
func (tx *Tx) DeleteDeployment(id string) bool {
	_, ok := tablesOf(tx.t).deployments.Delete(tx.tx, id)
	return ok
}

// recount is what a transaction has done to the allocations of a deployment.
type recount struct {
	anew   bool // all of them have to be counted
	groups map[string]*difference
	time   int64 // of the last change, Unix nanoseconds
}

// difference is what has changed in one group in which none was added.
type difference struct {
	live, healthy, unhealthy int
	progress                 time.Time
}

func (tx *Tx) recountOf(id string) *recount {
	if tx.deployments == nil {
		tx.deployments = map[string]*recount{}
	}
	r := tx.deployments[id]
	if r == nil {
		r = &recount{groups: map[string]*difference{}}
		tx.deployments[id] = r
	}
	return r
}

// followDeployment notes the deployments whose numbers an allocation changes.
// Either may be nil.
func (tx *Tx) followDeployment(old, now *api.Allocation) {
	if old != nil && now != nil && old.DeploymentID == now.DeploymentID {
		if now.DeploymentID != "" && (old.Terminal() != now.Terminal() || !sameHealth(old.DeploymentStatus, now.DeploymentStatus)) {
			tx.recountOf(now.DeploymentID).change(old, now)
		}
		return
	}
	for _, a := range [...]*api.Allocation{old, now} {
		if a != nil && a.DeploymentID != "" {
			tx.recountOf(a.DeploymentID).anew = true
		}
	}
}

// change notes what has become of an allocation of the deployment. All are
// counted where the difference does not tell: for canaries, and when health that
// counted for the deadline is taken back.
func (r *recount) change(old, now *api.Allocation) {
	s, was := now.DeploymentStatus, old.DeploymentStatus
	if isCanary(was) || isCanary(s) || was.IsHealthy() && (!s.IsHealthy() || s.Timestamp.Before(was.Timestamp)) {
		r.anew = true
		return
	}
	d := r.groups[now.TaskGroup]
	if d == nil {
		d = &difference{}
		r.groups[now.TaskGroup] = d
	}
	d.live += one(!now.Terminal()) - one(!old.Terminal())
	d.healthy += one(s.IsHealthy() && !now.Terminal()) - one(was.IsHealthy() && !old.Terminal())
	d.unhealthy += one(s.IsUnhealthy()) - one(was.IsUnhealthy())
	if s.IsHealthy() && s.Timestamp.After(d.progress) {
		d.progress = s.Timestamp
	}
	r.time = max(r.time, now.ModifyTime)
}

func isCanary(s *api.AllocDeploymentStatus) bool { return s != nil && s.Canary }

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}

func sameHealth(a, b *api.AllocDeploymentStatus) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.IsHealthy() == b.IsHealthy() && a.IsUnhealthy() == b.IsUnhealthy() && a.Canary == b.Canary && a.Timestamp.Equal(b.Timestamp)
}

// settleDeployment brings the numbers of a deployment up to date, once for all
// that a command did to its allocations. To count thousands of them again for
// each report of a few would cost ten times as much as the rest of the command.
func (tx *Tx) settleDeployment(id string, r *recount) {
	d, ok := tx.Deployment(id)
	if !ok || !d.Active() {
		return
	}
	counted, changed := d, false
	if r.anew {
		counted, changed = tx.count(d)
	} else {
		counted, changed = r.apply(d)
	}
	if changed {
		counted.ModifyIndex = tx.Index()
		tablesOf(tx.t).deployments.Put(tx.tx, counted)
	}
}

// apply gives a deployment with the differences added.
func (r *recount) apply(d *api.Deployment) (*api.Deployment, bool) {
	out, changed := *d, false
	out.TaskGroups = make(map[string]*api.DeploymentState, len(d.TaskGroups))
	for name, old := range d.TaskGroups {
		out.TaskGroups[name] = old
		x := r.groups[name]
		if x == nil {
			continue
		}
		s := *old
		s.LiveAllocs += x.live
		s.HealthyAllocs += x.healthy
		s.UnhealthyAllocs += x.unhealthy
		if by := x.progress.Add(s.ProgressDeadline.Std()).UTC(); s.ProgressDeadline > 0 && by.After(s.RequireProgressBy) {
			s.RequireProgressBy = by
		}
		changed = changed || !sameState(old, &s)
		out.TaskGroups[name] = &s
	}
	out.ModifyTime = max(d.ModifyTime, r.time)
	return &out, changed
}

// count derives what a deployment's row says of its allocations: a function of
// these and of what is intended. The result is a copy when something changed.
func (r Reader) count(d *api.Deployment) (counted *api.Deployment, changed bool) {
	tallies := make(map[string]*tally, len(d.TaskGroups))
	touched := d.ModifyTime
	for a := range r.AllocationsByDeployment(d.ID) {
		t := tallies[a.TaskGroup]
		if t == nil {
			t = &tally{}
			tallies[a.TaskGroup] = t
		}
		t.add(a, d.CreateTime)
		touched = max(touched, a.ModifyTime)
	}
	out := *d
	out.TaskGroups = make(map[string]*api.DeploymentState, len(d.TaskGroups))
	for name, old := range d.TaskGroups {
		if old == nil {
			old, changed = &api.DeploymentState{}, true
		}
		now := tallies[name].state(old)
		changed = changed || !sameState(old, now)
		out.TaskGroups[name] = now
	}
	if out.Status == api.DeploymentRunning {
		out.StatusDescription = waitsFor(out.TaskGroups)
		changed = changed || out.StatusDescription != d.StatusDescription
	}
	if changed {
		out.ModifyTime = touched
	}
	return &out, changed
}

// waitsFor describes a deployment that runs.
func waitsFor(groups map[string]*api.DeploymentState) string {
	text := api.DeploymentDescRunning
	for _, s := range groups {
		switch {
		case s.DesiredCanaries == 0 || s.Promoted:
		case !s.AutoPromote:
			return api.DeploymentDescNeedsPromote
		default:
			text = api.DeploymentDescAutoPromote
		}
	}
	return text
}

// tally counts the allocations of one group of a deployment.
type tally struct {
	canaries                         []string // by ID
	placed, live, healthy, unhealthy int
	healthyCanaries                  int
	begun                            int64     // Unix nanoseconds: when the first was placed
	progress                         time.Time // when one last became healthy
}

// add counts an allocation. One that was there before the deployment was taken
// over by it when it began. Healthy are those that go on; unhealthy remain
// counted after they were replaced.
func (t *tally) add(a *api.Allocation, since int64) {
	t.placed++
	if begun := max(a.CreateTime, since); t.placed == 1 || begun < t.begun {
		t.begun = begun
	}
	live := !a.Terminal()
	t.live += one(live)
	s := a.DeploymentStatus
	if isCanary(s) {
		t.canaries = append(t.canaries, a.ID)
	}
	switch {
	case s.IsUnhealthy():
		t.unhealthy++
	case s.IsHealthy():
		t.healthy += one(live)
		t.healthyCanaries += one(live && s.Canary)
		if s.Timestamp.After(t.progress) {
			t.progress = s.Timestamp
		}
	}
}

// state gives a group's state with the numbers of a tally, which may be nil.
func (t *tally) state(old *api.DeploymentState) *api.DeploymentState {
	if t == nil {
		t = &tally{}
	}
	s := *old
	s.PlacedAllocs, s.LiveAllocs, s.HealthyAllocs, s.UnhealthyAllocs = t.placed, t.live, t.healthy, t.unhealthy
	s.HealthyCanaries = t.healthyCanaries
	if !s.Promoted { // by then they are canaries no longer, and the list is history
		s.PlacedCanaries = t.canaries
	}
	s.RequireProgressBy = time.Time{}
	if t.placed > 0 && s.ProgressDeadline > 0 {
		from := time.Unix(0, t.begun)
		for _, at := range [...]time.Time{t.progress, s.ProgressFrom} {
			if at.After(from) {
				from = at
			}
		}
		s.RequireProgressBy = from.Add(s.ProgressDeadline.Std()).UTC()
	}
	return &s
}

func sameState(a, b *api.DeploymentState) bool {
	return a.PlacedAllocs == b.PlacedAllocs && a.LiveAllocs == b.LiveAllocs && a.HealthyAllocs == b.HealthyAllocs &&
		a.UnhealthyAllocs == b.UnhealthyAllocs && a.HealthyCanaries == b.HealthyCanaries &&
		a.RequireProgressBy.Equal(b.RequireProgressBy) && slices.Equal(a.PlacedCanaries, b.PlacedCanaries)
}

// CancelDeployments ends the deployments of a job that go on.
func (tx *Tx) CancelDeployments(namespace, id, description string, now int64) {
	for _, old := range slices.Collect(tx.ActiveDeploymentsByJob(namespace, id)) {
		d := *old
		d.Status, d.StatusDescription, d.ModifyTime = api.DeploymentCancelled, description, max(now, old.ModifyTime)
		tx.PutDeployment(&d)
	}
}
