package fsm

import (
	"testing"

	"github.com/seraihq/serai/api"
)

// TestPlanDeployment begins a deployment with a plan and changes its numbers
// with another; what happened to it in between stays.
func TestPlanDeployment(t *testing.T) {
	r, j := planned(t, 400)
	p := plan(j, place(1, 1), place(2, 2))
	p.Placements[0].Deployment, p.Placements[1].Deployment, p.Placements[1].Canary = true, true, true
	p.Deployment = &api.Deployment{
		ID: uuid(900), Namespace: j.Namespace, JobID: j.ID, JobVersion: j.Version, JobCreateIndex: j.CreateIndex, Status: api.DeploymentRunning,
		TaskGroups: map[string]*api.DeploymentState{"web": {DesiredTotal: 2, DesiredCanaries: 1}},
	}
	if got := r.plan(t, p); !got.OK() {
		t.Fatalf("refused: %+v", got)
	}
	v := r.Store().View()
	if a, _ := v.Allocation(uuid(2)); a.DeploymentID != uuid(900) || a.DeploymentStatus == nil || !a.DeploymentStatus.Canary {
		t.Errorf("canary is %+v", a)
	}
	seen, _ := v.Deployment(uuid(900))
	r.must(t, &DeploymentPause{ID: uuid(900), Pause: true, Time: 100})

	resized := *seen
	resized.TaskGroups = map[string]*api.DeploymentState{"web": {DesiredTotal: 5, DesiredCanaries: 3}, "gone": {DesiredTotal: 1}}
	r.plan(t, Plan{EvalID: uuid(3002), Namespace: j.Namespace, JobID: j.ID, JobModifyIndex: j.JobModifyIndex, Deployment: &resized})
	d, _ := r.Store().View().Deployment(uuid(900))
	if s := d.TaskGroups["web"]; d.Status != api.DeploymentPaused || s.DesiredTotal != 5 || s.DesiredCanaries != 3 || s.PlacedAllocs != 2 || len(d.TaskGroups) != 1 {
		t.Errorf("resized deployment is %+v with %+v", d, s)
	}

	r.plan(t, Plan{EvalID: uuid(3003), Namespace: j.Namespace, JobID: j.ID, JobModifyIndex: j.JobModifyIndex, Ended: []DeploymentEnd{{uuid(900), api.DeploymentCancelled, "over"}}})
	r.plan(t, Plan{EvalID: uuid(3004), Namespace: j.Namespace, JobID: j.ID, JobModifyIndex: j.JobModifyIndex, Deployment: seen})
	if d, _ := r.Store().View().Deployment(uuid(900)); d.Status != api.DeploymentCancelled || d.StatusDescription != "over" || d.TaskGroups["web"].DesiredTotal != 5 {
		t.Errorf("ended deployment is %+v", d)
	}
}
