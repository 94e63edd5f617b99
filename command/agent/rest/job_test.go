package rest_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/seraihq/serai/api"
)

func allRunning(n int) func(body []byte) bool {
	return func(body []byte) bool {
		var list []api.AllocationListStub
		if json.Unmarshal(body, &list) != nil {
			return false
		}
		up := 0
		for _, a := range list {
			if a.ClientStatus == api.AllocClientRunning && a.DesiredStatus == api.AllocDesiredRun {
				up++
			}
		}
		return up == n
	}
}

func TestJobRunsAndStops(t *testing.T) {
	c := start(t)
	c.node(running)
	resp := c.register(job("web", 3, nil))
	if resp.EvalID == "" || resp.JobModifyIndex == 0 || resp.EvalCreateIndex == 0 {
		t.Errorf("incomplete answer: %+v", resp)
	}
	c.until("/v1/job/web/allocations", allRunning(3))
	var j api.Job
	c.get("/v1/job/web", &j)
	if j.Status != api.JobStatusRunning || j.Version != 0 || j.Priority != 50 {
		t.Errorf("status %q, version %d, priority %d", j.Status, j.Version, j.Priority)
	}
	var summary api.JobSummary
	c.get("/v1/job/web/summary", &summary)
	if got := summary.Summary["g"]; got.Running != 3 || got.Queued != 0 {
		t.Errorf("summary: %+v", got)
	}
	var evals []*api.Evaluation
	c.get("/v1/job/web/evaluations", &evals)
	if len(evals) != 1 || evals[0].Status != api.EvalComplete || evals[0].ID != resp.EvalID {
		t.Errorf("evaluations: %+v", evals)
	}
	var stop api.JobDeregisterResponse
	if err := json.Unmarshal(c.do("DELETE", "/v1/job/web", nil).body, &stop); err != nil || stop.EvalID == "" {
		t.Errorf("stop: %+v, %v", stop, err)
	}
	c.until("/v1/job/web/allocations", allRunning(0))
	c.until("/v1/job/web", func(b []byte) bool { return strings.Contains(string(b), `"Status":"dead"`) })
	if r := c.do("DELETE", "/v1/job/web?purge=true", nil); r.status != 200 {
		t.Errorf("purge: %d %s", r.status, r.body)
	}
	if r := c.do("GET", "/v1/job/web", nil); r.status != 404 || string(r.body) != "job not found\n" {
		t.Errorf("after the purge: %d %q", r.status, r.body)
	}
}

func TestJobIDsWithSlashes(t *testing.T) {
	c := start(t)
	c.node(running)
	c.register(job("team/web", 1, nil))
	for _, path := range []string{"/v1/job/team/web", "/v1/job/team%2Fweb", "/v1/job/team/web/summary", "/v1/job/team%2Fweb/allocations"} {
		if r := c.do("GET", path, nil); r.status != 200 || !strings.Contains(string(r.body), "team/web") && !strings.HasSuffix(path, "allocations") {
			t.Errorf("GET %s: %d %s", path, r.status, r.body)
		}
	}
}

func TestVersionsRevertScaleStable(t *testing.T) {
	c := start(t)
	c.node(running)
	c.register(job("web", 1, nil))
	c.register(job("web", 2, func(j map[string]any) { j["Meta"] = map[string]string{"a": "b"} }))
	c.until("/v1/job/web/allocations", allRunning(2))
	var versions api.JobVersionsResponse
	c.get("/v1/job/web/versions?diffs=true", &versions)
	if len(versions.Versions) != 2 || versions.Versions[0].Version != 1 || len(versions.Diffs) != 1 || versions.Diffs[0].Type != api.DiffEdited {
		t.Fatalf("versions: %d, diffs: %d", len(versions.Versions), len(versions.Diffs))
	}
	c.put("/v1/job/web/stable", map[string]any{"JobID": "web", "JobVersion": 0, "Stable": true}, nil)
	c.put("/v1/job/web/versions/good/tag", map[string]any{"Version": 0, "Description": "x"}, nil)
	c.get("/v1/job/web/versions", &versions)
	if v := versions.Versions[1]; !v.Stable || v.VersionTag == nil || v.VersionTag.Name != "good" {
		t.Errorf("version 0 is neither stable nor tagged: %+v", v)
	}
	if r := c.do("PUT", "/v1/job/web/revert", map[string]any{"JobID": "web", "JobVersion": 1}); r.status != 400 || !strings.Contains(string(r.body), "can't revert to current version") {
		t.Errorf("revert to the current version: %d %s", r.status, r.body)
	}
	c.put("/v1/job/web/revert", map[string]any{"JobID": "web", "JobVersion": 0}, nil)
	c.until("/v1/job/web/allocations", allRunning(1))
	c.put("/v1/job/web/scale", map[string]any{"Target": map[string]string{"Group": "g"}, "Count": 4, "Message": "more"}, nil)
	c.until("/v1/job/web/allocations", allRunning(4))
	var scale api.JobScaleStatus
	c.get("/v1/job/web/scale", &scale)
	if g := scale.TaskGroups["g"]; g.Desired != 4 || g.Running != 4 || len(g.Events) != 1 || g.Events[0].Message != "more" || g.Events[0].EvalID == nil {
		t.Errorf("scale status: %+v", g)
	}
}

func TestEnforceIndex(t *testing.T) {
	c := start(t)
	resp := c.register(job("web", 1, nil))
	for index, want := range map[uint64]string{
		0:                         "Enforcing job modify index 0: job already exists",
		resp.JobModifyIndex + 100: "job exists with conflicting job modify index",
	} {
		r := c.do("PUT", "/v1/jobs", map[string]any{"Job": job("web", 2, nil), "EnforceIndex": true, "JobModifyIndex": index})
		if r.status != 409 || !strings.Contains(string(r.body), want) {
			t.Errorf("index %d: %d %s", index, r.status, r.body)
		}
	}
	c.put("/v1/jobs", map[string]any{"Job": job("web", 2, nil), "EnforceIndex": true, "JobModifyIndex": resp.JobModifyIndex}, nil)
}

func TestPlanChangesNothing(t *testing.T) {
	c := start(t)
	c.node(running)
	c.register(job("web", 1, nil))
	c.until("/v1/job/web/allocations", allRunning(1))
	var before, after []any
	index := c.get("/v1/evaluations", &before).header.Get("X-Nomad-Index")
	var plan api.JobPlanResponse
	c.put("/v1/job/web/plan", map[string]any{"Job": job("web", 3, nil), "Diff": true}, &plan)
	if u := plan.Annotations.DesiredTGUpdates["g"]; u == nil || u.Place != 2 {
		t.Errorf("annotations: %+v", u)
	}
	if plan.Diff == nil || plan.Diff.Type != api.DiffEdited || plan.JobModifyIndex == 0 {
		t.Errorf("diff: %+v, index %d", plan.Diff, plan.JobModifyIndex)
	}
	if got := c.get("/v1/evaluations", &after).header.Get("X-Nomad-Index"); got != index {
		t.Errorf("the plan changed the index from %s to %s", index, got)
	}
	var big api.JobPlanResponse
	c.put("/v1/job/web/plan", map[string]any{"Job": job("web", 20000, nil)}, &big)
	if big.FailedTGAllocs["g"] == nil {
		t.Errorf("20000 allocations fit on one node: %+v", big)
	}
}

func TestBlockedJobRunsWhenANodeArrives(t *testing.T) {
	c := start(t)
	resp := c.register(job("web", 2, nil))
	c.until("/v1/evaluation/"+resp.EvalID, func(b []byte) bool {
		var e api.Evaluation
		return json.Unmarshal(b, &e) == nil && e.Status == api.EvalComplete && e.BlockedEval != "" && e.FailedTGAllocs["g"] != nil
	})
	var blocked []*api.Evaluation
	c.get("/v1/evaluations?status=blocked", &blocked)
	if len(blocked) != 1 {
		t.Fatalf("want one blocked evaluation, got %+v", blocked)
	}
	c.node(running)
	c.until("/v1/job/web/allocations", allRunning(2))
}

func TestPurgedJobLeavesNothingRunning(t *testing.T) {
	c := start(t)
	c.node(running)
	c.register(job("web", 2, nil))
	c.until("/v1/job/web/allocations", allRunning(2))
	c.do("DELETE", "/v1/job/web?purge=true", nil)
	c.until("/v1/allocations", allRunning(0))
}

func TestSystemJobFollowsNodes(t *testing.T) {
	c := start(t)
	c.node(running)
	c.register(job("sys", 1, func(j map[string]any) { j["Type"] = "system" }))
	c.until("/v1/job/sys/allocations", allRunning(1))
	c.node(running)
	c.until("/v1/job/sys/allocations", allRunning(2))
}

func TestBadJobs(t *testing.T) {
	c := start(t)
	for name, test := range map[string]struct {
		body   any
		status int
		text   string
	}{
		"no job":             {map[string]any{}, 400, "Job must be specified"},
		"not JSON":           {"{", 400, "line 1"},
		"too deep":           {`{"Job":{"Meta":` + strings.Repeat("[", 1000), 400, "deeper"},
		"unknown namespace":  {map[string]any{"Job": job("a", 1, func(j map[string]any) { j["Namespace"] = "nope" })}, 400, "nonexistent namespace"},
		"unknown region":     {map[string]any{"Job": job("a", 1, func(j map[string]any) { j["Region"] = "mars" })}, 500, "No path to region"},
		"unknown node pool":  {map[string]any{"Job": job("a", 1, func(j map[string]any) { j["NodePool"] = "nope" })}, 400, "nonexistent node pool"},
		"priority too large": {map[string]any{"Job": job("a", 1, func(j map[string]any) { j["Priority"] = 101 })}, 400, "riority"},
		"no groups":          {map[string]any{"Job": job("a", 1, func(j map[string]any) { j["TaskGroups"] = []any{} })}, 400, "group"},
		"name with a space":  {map[string]any{"Job": job("a b", 1, nil)}, 400, "space"},
	} {
		r := c.do("PUT", "/v1/jobs", test.body)
		if r.status != test.status || !strings.Contains(string(r.body), test.text) {
			t.Errorf("%s: %d %s; want %d with %q", name, r.status, r.body, test.status, test.text)
		}
	}
	if r := c.do("PUT", "/v1/jobs", strings.Repeat(" ", 2<<20)); r.status != 413 {
		t.Errorf("2 MiB: %d %s", r.status, r.body)
	}
}
