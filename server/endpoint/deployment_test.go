package endpoint

import (
	"errors"
	"strings"
	"testing"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/fsm"
)

const (
	deploymentID = "dddddddd-0000-0000-0000-000000000001"
	canaryID     = "aaaaaaaa-0000-0000-0000-000000000001"
	plainID      = "aaaaaaaa-0000-0000-0000-000000000002"
)

// deploying is a job whose second version is being deployed; the first is
// stable. Group g has a canary, group h has none.
func deploying(t *testing.T, autoRevert bool) *bench {
	b := newBench(t)
	groups := func(n int) func(j *api.Job) {
		return func(j *api.Job) {
			h := *j.TaskGroups[0]
			h.Name = "h"
			j.TaskGroups = append(j.TaskGroups, &h)
			j.Priority = n
		}
	}
	b.apply(&fsm.NodeRegister{Node: &api.Node{ID: canaryID, Status: api.NodeStatusReady, SchedulingEligibility: api.NodeEligible, NodeResources: &api.NodeResources{
		Cpu: api.NodeCpuResources{CpuShares: 1000}, Memory: api.NodeMemoryResources{MemoryMB: 1000},
	}}})
	b.job("default", "web", groups(50))
	b.apply(&fsm.JobStability{Namespace: "default", ID: "web", Stable: true})
	b.job("default", "web", groups(51))
	j, _ := b.Store.View().Job("default", "web")
	b.apply(&fsm.PlanApply{Plans: []fsm.Plan{{
		Namespace: "default", JobID: "web", JobModifyIndex: j.JobModifyIndex,
		Deployment: &api.Deployment{
			ID: deploymentID, Namespace: "default", JobID: "web", JobVersion: 1, JobCreateIndex: j.CreateIndex, Status: api.DeploymentRunning, EvalPriority: 70,
			TaskGroups: map[string]*api.DeploymentState{
				"g": {DesiredCanaries: 1, DesiredTotal: 2, AutoRevert: autoRevert},
				"h": {DesiredTotal: 1},
			},
		},
		Placements: []fsm.Placement{
			{ID: canaryID, Version: 1, Group: "g", NodeID: canaryID, Deployment: true, Canary: true},
			{ID: plainID, Version: 1, Group: "h", NodeID: canaryID, Deployment: true},
		},
	}}})
	return b
}

func (b *bench) deployment() *api.Deployment {
	d, _ := b.Store.View().Deployment(deploymentID)
	return d
}

func request() api.DeploymentRequest { return api.DeploymentRequest{ID: deploymentID} }

func TestDeploymentErrors(t *testing.T) {
	b := deploying(t, false)
	promote := func(r api.DeploymentPromoteRequest) func() error {
		return func() error { _, _, err := call(b, api.DeploymentPromote, &r); return err }
	}
	health := func(r api.DeploymentHealthRequest) func() error {
		return func() error { _, _, err := call(b, api.DeploymentHealth, &r); return err }
	}
	fail := func(r api.DeploymentRequest) func() error {
		return func() error { _, _, err := call(b, api.DeploymentFail, &r); return err }
	}
	for name, c := range map[string]struct {
		do   func() error
		want string
	}{
		"no such deployment":    {fail(api.DeploymentRequest{ID: plainID}), "deployment not found"},
		"part of an ID":         {fail(api.DeploymentRequest{ID: "dddd"}), "UUID must be 36 characters"},
		"body against path":     {fail(api.DeploymentRequest{ID: deploymentID, DeploymentID: plainID}), "let them agree"},
		"promote nothing":       {promote(api.DeploymentPromoteRequest{DeploymentRequest: request()}), "name the groups"},
		"unknown group":         {promote(api.DeploymentPromoteRequest{DeploymentRequest: request(), Groups: []string{"x"}}), `no group "x"`},
		"group without canary":  {promote(api.DeploymentPromoteRequest{DeploymentRequest: request(), Groups: []string{"h"}}), `group "h" has no canaries`},
		"canary is not healthy": {promote(api.DeploymentPromoteRequest{DeploymentRequest: request(), All: true}), `group "g" has 0/1 healthy allocations`},
		"unblock":               {func() error { r := request(); _, _, err := call(b, api.DeploymentUnblock, &r); return err }, "multiregion"},
		"health of nothing":     {health(api.DeploymentHealthRequest{DeploymentRequest: request()}), "name at least one"},
		"both at once":          {health(api.DeploymentHealthRequest{DeploymentRequest: request(), HealthyAllocationIDs: []string{plainID}, UnhealthyAllocationIDs: []string{plainID}}), "as healthy and as unhealthy"},
		"unknown allocation":    {health(api.DeploymentHealthRequest{DeploymentRequest: request(), HealthyAllocationIDs: []string{deploymentID}}), "allocation " + deploymentID + " not found"},
	} {
		if err := c.do(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if d := b.deployment(); d.Status != api.DeploymentRunning || d.StatusDescription != api.DeploymentDescNeedsPromote {
		t.Errorf("the deployment is %s: %s", d.Status, d.StatusDescription)
	}
}

func TestDeploymentPromote(t *testing.T) {
	b := deploying(t, false)
	if _, _, err := call(b, api.DeploymentHealth, &api.DeploymentHealthRequest{DeploymentRequest: request(), HealthyAllocationIDs: []string{canaryID}}); err != nil {
		t.Fatal(err)
	}
	resp, meta, err := call(b, api.DeploymentPromote, &api.DeploymentPromoteRequest{DeploymentRequest: request(), All: true})
	if err != nil {
		t.Fatal(err)
	}
	e, ok := b.Store.View().Evaluation(resp.EvalID)
	if !ok || e.TriggeredBy != api.TriggerDeploymentWatcher || e.DeploymentID != deploymentID || e.Priority != 70 {
		t.Errorf("evaluation %+v", e)
	}
	d := b.deployment()
	if !d.TaskGroups["g"].Promoted || d.TaskGroups["h"].Promoted || resp.DeploymentModifyIndex != d.ModifyIndex || resp.EvalCreateIndex != meta.Index {
		t.Errorf("%+v, %+v", d, resp)
	}
	if _, _, err := call(b, api.DeploymentPromote, &api.DeploymentPromoteRequest{DeploymentRequest: request(), Groups: []string{"g"}}); err == nil || !strings.Contains(err.Error(), "promoted already") {
		t.Errorf("promoted twice: %v", err)
	}
}

func TestDeploymentPauseAndFail(t *testing.T) {
	b := deploying(t, true)
	resp, _, err := call(b, api.DeploymentPause, &api.DeploymentPauseRequest{DeploymentRequest: request(), Pause: true})
	if d := b.deployment(); err != nil || resp.EvalID != "" || d.Status != api.DeploymentPaused || d.StatusDescription != api.DeploymentDescPaused {
		t.Errorf("pause: %v, %+v, %+v", err, resp, d)
	}
	resp, _, err = call(b, api.DeploymentPause, &api.DeploymentPauseRequest{DeploymentRequest: request()})
	if d := b.deployment(); err != nil || resp.EvalID == "" || d.Status != api.DeploymentRunning || d.StatusDescription != api.DeploymentDescNeedsPromote {
		t.Errorf("resume: %v, %+v, %+v", err, resp, d)
	}
	r := request()
	resp, _, err = call(b, api.DeploymentFail, &r)
	if d := b.deployment(); err != nil || d.Status != api.DeploymentFailed || d.StatusDescription != api.DeploymentDescByUser+" - rolling back to job version 0" {
		t.Errorf("fail: %v, %+v", err, d)
	}
	if j, _ := b.Store.View().Job("default", "web"); resp.RevertedJobVersion == nil || *resp.RevertedJobVersion != 0 || j.Version != 2 || j.Priority != 50 {
		t.Errorf("reverted to %v; the job is %+v", resp.RevertedJobVersion, j)
	}
	if _, _, err = call(b, api.DeploymentFail, &r); !errors.Is(err, api.ErrInvalid) || !strings.Contains(err.Error(), "can't fail terminal deployment") {
		t.Errorf("failed twice: %v", err)
	}
}

func TestDeploymentHealthFails(t *testing.T) {
	b := deploying(t, false)
	resp, _, err := call(b, api.DeploymentHealth, &api.DeploymentHealthRequest{DeploymentRequest: request(), UnhealthyAllocationIDs: []string{plainID}})
	d := b.deployment()
	if err != nil || d.Status != api.DeploymentFailed || d.StatusDescription != api.DeploymentDescUnhealthy || d.TaskGroups["h"].UnhealthyAllocs != 1 {
		t.Errorf("%v, %+v, %+v", err, d, d.TaskGroups["h"])
	}
	if resp.RevertedJobVersion != nil || resp.EvalID == "" {
		t.Errorf("%+v", resp)
	}
}
