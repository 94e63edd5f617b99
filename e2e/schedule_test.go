package e2e

import (
	"fmt"
	"strings"
	"testing"

	nomad "github.com/hashicorp/nomad/api"

	"github.com/seraihq/serai/e2e/rig"
)

func TestConstraints(t *testing.T) {
	t.Parallel()
	a := shared(t)
	holds := map[string]string{
		"equal":        `attribute = "${attr.kernel.name}"` + "\n" + `value = "linux"`,
		"unequal":      `attribute = "${attr.kernel.name}"` + "\n operator = \"!=\"\n" + `value = "windows"`,
		"regexp":       `attribute = "${attr.kernel.name}"` + "\n operator = \"regexp\"\n" + `value = "^li.*x$"`,
		"greater":      `attribute = "${attr.cpu.numcores}"` + "\n operator = \">=\"\n" + `value = "1"`,
		"version":      `attribute = "6.18.2"` + "\n operator = \"version\"\n" + `value = ">= 2.6"`,
		"semver":       `attribute = "1.7.2"` + "\n operator = \"semver\"\n" + `value = ">= 1.6.0, < 2.0.0"`,
		"set-all":      `attribute = "a,b,c"` + "\n operator = \"set_contains\"\n" + `value = "a,c"`,
		"set-any":      `attribute = "a,b,c"` + "\n operator = \"set_contains_any\"\n" + `value = "z,c"`,
		"is-set":       `attribute = "${attr.kernel.name}"` + "\n operator = \"is_set\"\n",
		"is-not-set":   `attribute = "${attr.no.such.thing}"` + "\n operator = \"is_not_set\"\n",
		"datacenter":   `attribute = "${node.datacenter}"` + "\n" + `value = "dc1"`,
		"node-name":    `attribute = "${node.unique.name}"` + "\n" + fmt.Sprintf("value = %q", a.Mark),
		"distinct":     `operator = "distinct_hosts"` + "\n" + `value = "true"`,
		"sugar-regexp": `attribute = "${attr.kernel.name}"` + "\n" + `regexp = "linux|bsd"`,
	}
	for name, constraint := range holds {
		t.Run("holds/"+name, func(t *testing.T) {
			t.Parallel()
			id := a.jobID(t)
			a.register(t, oneGroup(id, "batch", "constraint {\n"+constraint+"\n}", mockTask("t", `run_for = "10ms"`)))
			a.waitOne(t, id, "complete")
		})
	}
	fails := map[string]string{
		"equal":    `attribute = "${attr.kernel.name}"` + "\n" + `value = "plan9"`,
		"less":     `attribute = "${attr.cpu.numcores}"` + "\n operator = \"<\"\n" + `value = "1"`,
		"version":  `attribute = "${attr.kernel.version}"` + "\n operator = \"version\"\n" + `value = "> 999.0"`,
		"is-set":   `attribute = "${attr.no.such.thing}"` + "\n operator = \"is_set\"\n",
		"set":      `attribute = "a,b"` + "\n operator = \"set_contains\"\n" + `value = "a,z"`,
		"distinct": `distinct_hosts = true`,
	}
	for name, constraint := range fails {
		t.Run("fails/"+name, func(t *testing.T) {
			t.Parallel()
			id := a.jobID(t)
			count, queued := "count = 1", 1
			if name == "distinct" {
				count = "count = 2"
			}
			resp := a.register(t, oneGroup(id, "service", count, "constraint {\n"+constraint+"\n}", mockTask("t", `run_for = "10m"`)))
			eval := a.waitEval(t, resp.EvalID, "complete")
			m := eval.FailedTGAllocs["g"]
			if m == nil || m.NodesEvaluated == 0 || len(m.ConstraintFiltered) == 0 || eval.QueuedAllocations["g"] != queued || eval.BlockedEval == "" {
				t.Errorf("queued %v, blocked %q, metrics %+v", eval.QueuedAllocations, eval.BlockedEval, m)
			}
		})
	}
}

// mockTask is a task of the mock driver.
func mockTask(name string, config ...string) string {
	return fmt.Sprintf("task %q {\n driver = \"mock_driver\"\n config {\n%s\n}\n resources {\n cpu = 1\n memory = 10\n}\n}\n", name, strings.Join(config, "\n"))
}

func TestDatacenterAndPoolThatDoNotExist(t *testing.T) {
	t.Parallel()
	a := shared(t)
	id := a.jobID(t)
	resp := a.register(t, strings.Replace(oneGroup(id, "service", mockTask("t", `run_for = "10m"`)), "type =", "datacenters = [\"mars-*\"]\n type =", 1))
	eval := a.waitEval(t, resp.EvalID, "complete")
	if m := eval.FailedTGAllocs["g"]; m == nil || m.NodesEvaluated != 0 {
		t.Errorf("metrics %+v, want no node evaluated", m)
	}
}

func TestBlockedEvaluationWakes(t *testing.T) {
	t.Parallel()
	a := start(t, rig.Options{Dev: true})
	var nodes []nomad.NodeListStub
	a.get(t, "/v1/nodes", &nodes)
	node := nodes[0].ID

	t.Run("when the node becomes eligible", func(t *testing.T) {
		if _, err := a.nomad.Nodes().ToggleEligibility(node, false, nil); err != nil {
			t.Fatal(err)
		}
		id := a.jobID(t)
		resp := a.register(t, oneGroup(id, "service", shell("t", "exec sleep 600")))
		eval := a.waitEval(t, resp.EvalID, "complete")
		a.waitEval(t, eval.BlockedEval, "blocked")
		if _, err := a.nomad.Nodes().ToggleEligibility(node, true, nil); err != nil {
			t.Fatal(err)
		}
		a.waitOne(t, id, "running")
		a.waitEval(t, eval.BlockedEval, "complete")
	})
	t.Run("when another job ends", func(t *testing.T) {
		var full nomad.Node
		a.get(t, "/v1/node/"+node, &full)
		half := int(full.NodeResources.Memory.MemoryMB * 6 / 10)
		big := func(id string) string {
			return oneGroup(id, "service", fmt.Sprintf("task \"t\" {\n driver = \"mock_driver\"\n kill_timeout = \"1s\"\n config {\n run_for = \"1h\"\n}\n resources {\n cpu = 1\n memory = %d\n}\n}", half))
		}
		first, second := a.jobID(t), a.jobID(t)
		a.register(t, big(first))
		a.waitOne(t, first, "running")
		eval := a.waitEval(t, a.register(t, big(second)).EvalID, "complete")
		if m := eval.FailedTGAllocs["g"]; m == nil || m.NodesExhausted != 1 || m.DimensionExhausted["memory"] != 1 {
			t.Errorf("metrics %+v, want memory exhausted on one node", m)
		}
		if _, _, err := a.nomad.Jobs().Deregister(first, false, nil); err != nil {
			t.Fatal(err)
		}
		a.waitOne(t, second, "running")
	})
	t.Run("not for a job that was stopped", func(t *testing.T) {
		if _, err := a.nomad.Nodes().ToggleEligibility(node, false, nil); err != nil {
			t.Fatal(err)
		}
		id := a.jobID(t)
		eval := a.waitEval(t, a.register(t, oneGroup(id, "service", shell("t", "exec sleep 600"))).EvalID, "complete")
		a.waitEval(t, eval.BlockedEval, "blocked")
		if _, _, err := a.nomad.Jobs().Deregister(id, false, nil); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the blocked evaluation is over", func() (bool, string) {
			e, _, err := a.nomad.Evaluations().Info(eval.BlockedEval, nil)
			if err != nil {
				return false, err.Error()
			}
			return e.Status == "canceled" || e.Status == "complete", e.Status
		})
		if _, err := a.nomad.Nodes().ToggleEligibility(node, true, nil); err != nil {
			t.Fatal(err)
		}
		if list, _, _ := a.nomad.Jobs().Allocations(id, true, nil); len(list) != 0 {
			t.Errorf("a stopped job got allocations: %s", stubs(list))
		}
	})
}

func TestSchedulerConfigurationRefusesJobs(t *testing.T) {
	t.Parallel()
	a := start(t, rig.Options{Dev: true})
	config, _, err := a.nomad.Operator().SchedulerGetConfiguration(nil)
	if err != nil {
		t.Fatal(err)
	}
	if config.SchedulerConfig.SchedulerAlgorithm != "binpack" {
		t.Errorf("algorithm %q by default", config.SchedulerConfig.SchedulerAlgorithm)
	}
	config.SchedulerConfig.RejectJobRegistration = true
	config.SchedulerConfig.SchedulerAlgorithm = "spread"
	if _, _, err := a.nomad.Operator().SchedulerSetConfiguration(config.SchedulerConfig, nil); err != nil {
		t.Fatal(err)
	}
	job := a.parse(t, oneGroup("refused", "service", shell("t", "exec sleep 600")))
	if _, _, err := a.nomad.Jobs().Register(job, nil); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("register while jobs are refused: %v, want status 403", err)
	}
	again, _, err := a.nomad.Operator().SchedulerGetConfiguration(nil)
	if err != nil || again.SchedulerConfig.SchedulerAlgorithm != "spread" {
		t.Errorf("configuration %+v, %v", again.SchedulerConfig, err)
	}
	// A check-and-set with an old index changes nothing.
	answer, _, err := a.nomad.Operator().SchedulerCASConfiguration(&nomad.SchedulerConfiguration{
		SchedulerAlgorithm: "binpack", ModifyIndex: again.SchedulerConfig.ModifyIndex - 1}, nil)
	if err != nil || answer.Updated {
		t.Errorf("check-and-set with an old index: %+v, %v", answer, err)
	}
}
