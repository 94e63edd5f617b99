package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	nomad "github.com/hashicorp/nomad/api"
)

// update makes an update block that is quick.
func update(more ...string) string {
	return fmt.Sprintf(`update {
  max_parallel      = 1
  min_healthy_time  = "100ms"
  healthy_deadline  = "5s"
  progress_deadline = "8s"
  %s
}
reschedule {
  delay          = "5s"
  delay_function = "constant"
  unlimited      = true
}
restart {
  attempts = 0
  mode     = "fail"
}`, strings.Join(more, "\n  "))
}

// waitDeployment waits for the newest deployment of a job to be as wanted.
func (a *agent) waitDeployment(t *testing.T, job string, version uint64, status, description string) *nomad.Deployment {
	t.Helper()
	var d *nomad.Deployment
	eventually(t, fmt.Sprintf("the deployment of %s version %d is %s: %s", job, version, status, description), func() (bool, string) {
		all, _, err := a.nomad.Jobs().Deployments(job, false, nil)
		if err != nil {
			return false, err.Error()
		}
		for _, x := range all {
			if x.JobVersion == version {
				d = x
				return d.Status == status && d.StatusDescription == description, fmt.Sprintf("%s: %s, %+v", d.Status, d.StatusDescription, d.TaskGroups["g"])
			}
		}
		return false, fmt.Sprintf("%d deployments", len(all))
	})
	return d
}

// A version that does not work is taken back by itself, and what worked before
// runs again.
func TestBadVersionIsReverted(t *testing.T) {
	t.Parallel()
	a := shared(t)
	id := a.jobID(t)
	job := func(script string) string {
		return oneGroup(id, "service", "count = 2", update("auto_revert = true"), shell("t", script))
	}
	const good = "echo good; sleep 600"
	a.register(t, job(good))
	d := a.waitDeployment(t, id, 0, "successful", "Deployment completed successfully")
	if g := d.TaskGroups["g"]; g.DesiredTotal != 2 || g.PlacedAllocs != 2 || g.HealthyAllocs != 2 || g.UnhealthyAllocs != 0 {
		t.Errorf("the first deployment says %+v", g)
	}
	a.register(t, job("echo bad; exit 1"))
	a.waitDeployment(t, id, 1, "failed", "Failed due to progress deadline - rolling back to job version 0")
	a.waitDeployment(t, id, 2, "successful", "Deployment completed successfully")
	for _, s := range a.waitStatus(t, id, "running", 2).with("running") {
		if s.JobVersion == 1 {
			t.Errorf("allocation %s of the bad version runs", s.ID)
		}
	}
	j, _, err := a.nomad.Jobs().Info(id, nil)
	if err != nil {
		t.Fatal(err)
	}
	if *j.Version != 2 || !*j.Stable || !strings.Contains(fmt.Sprint(j.TaskGroups[0].Tasks[0].Config), "good") {
		t.Errorf("the job is version %d, stable %t, %v", *j.Version, *j.Stable, j.TaskGroups[0].Tasks[0].Config)
	}
}

// One canary runs beside what was there until somebody promotes it.
func TestCanaryIsPromoted(t *testing.T) {
	t.Parallel()
	a := shared(t)
	id := a.jobID(t)
	job := func(script string) string {
		return oneGroup(id, "service", "count = 2", update("canary = 1"), shell("t", script))
	}
	a.register(t, job("echo one; sleep 600"))
	a.waitDeployment(t, id, 0, "successful", "Deployment completed successfully")
	a.register(t, job("echo two; sleep 600"))
	d := a.waitDeployment(t, id, 1, "running", "Deployment is running but requires manual promotion")
	eventually(t, "the canary is healthy", func() (bool, string) {
		x, _, err := a.nomad.Deployments().Info(d.ID, nil)
		if err != nil {
			return false, err.Error()
		}
		g := x.TaskGroups["g"]
		return g.HealthyAllocs == 1, fmt.Sprintf("%+v", g)
	})
	a.waitAllocs(t, id, "two of the old version and a canary run", func(s stubs) bool {
		old, canary := 0, 0
		for _, x := range s.with("running") {
			switch {
			case x.JobVersion == 0:
				old++
			case x.DeploymentStatus != nil && x.DeploymentStatus.Canary:
				canary++
			}
		}
		return old == 2 && canary == 1
	})
	r := a.do(t, http.MethodPut, "/v1/deployment/promote/"+d.ID, map[string]any{"DeploymentID": d.ID, "Groups": []string{"nope"}})
	if r.status == http.StatusOK || !strings.Contains(string(r.body), `no group "nope"`) {
		t.Errorf("promotion of an unknown group: %d %s", r.status, r.body)
	}
	if _, _, err := a.nomad.Deployments().PromoteAll(d.ID, nil); err != nil {
		t.Fatal(err)
	}
	d = a.waitDeployment(t, id, 1, "successful", "Deployment completed successfully")
	if g := d.TaskGroups["g"]; !g.Promoted || g.DesiredCanaries != 1 || len(g.PlacedCanaries) != 1 || g.PlacedAllocs != 2 || g.HealthyAllocs != 2 {
		t.Errorf("the deployment says %+v", g)
	}
	a.waitAllocs(t, id, "two of the new version run, and nothing else", func(s stubs) bool {
		for _, x := range s.with("running") {
			if x.JobVersion != 1 || x.DeploymentStatus.Canary {
				return false
			}
		}
		return len(s.with("running")) == 2
	})
}

// What Nomad's client does with a deployment.
func TestDeploymentOperations(t *testing.T) {
	t.Parallel()
	a := shared(t)
	id := a.jobID(t)
	a.register(t, oneGroup(id, "service", `update {
  health_check      = "manual"
  progress_deadline = "0"
}`, shell("t", "sleep 600")))
	s := a.waitOne(t, id, "running")
	deployments := a.nomad.Deployments()
	d := a.waitDeployment(t, id, 0, "running", "Deployment is running")
	if _, _, err := deployments.Pause(d.ID, true, nil); err != nil {
		t.Fatal(err)
	}
	a.waitDeployment(t, id, 0, "paused", "Deployment is paused")
	if resp, _, err := deployments.Pause(d.ID, false, nil); err != nil || resp.EvalID == "" {
		t.Errorf("resume: %+v %v", resp, err)
	}
	if _, _, err := deployments.PromoteAll(d.ID, nil); err == nil || !strings.Contains(err.Error(), "no canaries to promote") {
		t.Errorf("promote without canaries: %v", err)
	}
	if _, _, err := deployments.Unblock(d.ID, nil); err == nil || !strings.Contains(err.Error(), "multiregion") {
		t.Errorf("unblock: %v", err)
	}
	if _, _, err := deployments.SetAllocHealth(d.ID, []string{s.ID}, nil, nil); err != nil {
		t.Errorf("set the health: %v", err)
	}
	a.waitDeployment(t, id, 0, "successful", "Deployment completed successfully")
	if _, _, err := deployments.Fail(d.ID, nil); err == nil || !strings.Contains(err.Error(), "can't fail terminal deployment") {
		t.Errorf("fail what is over: %v", err)
	}

	a.register(t, oneGroup(id, "service", `update {
  health_check      = "manual"
  progress_deadline = "0"
  auto_revert       = true
}`, shell("t", "sleep 601")))
	d = a.waitDeployment(t, id, 1, "running", "Deployment is running")
	resp, _, err := deployments.Fail(d.ID, nil)
	if err != nil || resp.RevertedJobVersion == nil || *resp.RevertedJobVersion != 0 || resp.DeploymentModifyIndex == 0 {
		t.Errorf("fail: %+v %v", resp, err)
	}
	a.waitDeployment(t, id, 1, "failed", "Deployment marked as failed - rolling back to job version 0")
	list, _, err := deployments.List(&nomad.QueryOptions{Prefix: d.ID})
	if err != nil || len(list) != 1 || list[0].Status != "failed" {
		t.Errorf("list: %+v %v", list, err)
	}
	allocs, _, err := deployments.Allocations(d.ID, nil)
	if err != nil || len(allocs) > 1 {
		t.Errorf("allocations: %d, %v", len(allocs), err)
	}
}

// What is changed where it runs has to show its health anew, and is not started
// again.
func TestInPlaceUpdateIsDeployed(t *testing.T) {
	t.Parallel()
	a := shared(t)
	id := a.jobID(t)
	job := func(more string) string {
		return oneGroup(id, "service", "count = 2", update(), shell("t", "sleep 600", more))
	}
	a.register(t, job(""))
	a.waitDeployment(t, id, 0, "successful", "Deployment completed successfully")
	a.register(t, job(`kill_timeout = "7s"`))
	d := a.waitDeployment(t, id, 1, "successful", "Deployment completed successfully")
	if g := d.TaskGroups["g"]; g.PlacedAllocs != 2 || g.HealthyAllocs != 2 {
		t.Errorf("the deployment says %+v", g)
	}
	if list := a.waitStatus(t, id, "running", 2); len(list) != 2 {
		t.Errorf("allocations:\n%s", list)
	}
}
