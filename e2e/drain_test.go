package e2e

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/e2e/rig"
)

// drainNode drains the node of a client agent.
func (c *cluster) drainNode(t *testing.T, n int, spec *api.DrainSpec) string {
	t.Helper()
	id := ""
	var nodes []*api.NodeListStub
	c.get(t, "/v1/nodes", &nodes)
	for _, x := range nodes {
		if x.Name == c.node[n].Mark {
			id = x.ID
		}
	}
	if r := c.do(t, http.MethodPut, "/v1/node/"+id+"/drain", map[string]any{"DrainSpec": spec, "Meta": map[string]string{"why": "test"}}); r.status != http.StatusOK {
		t.Fatalf("drain: %d %s", r.status, r.body)
	}
	return id
}

// TestDrain empties a node of two: a service moves one allocation at a time, a
// system job is left when that is asked for, and the drain ends.
func TestDrain(t *testing.T) {
	t.Parallel()
	c := startCluster(t, 2, rig.Options{})
	task := map[string]any{"Name": "t", "Driver": "raw_exec", "Config": map[string]any{"command": "/bin/sleep", "args": []string{"10000"}}, "Resources": map[string]any{"CPU": 20, "MemoryMB": 16}}
	submit := func(kind string, count int, more map[string]any) string {
		id := c.jobID(t)
		group := map[string]any{"Name": "g", "Count": count, "Tasks": []any{task}}
		for k, v := range more {
			group[k] = v
		}
		if r := c.do(t, http.MethodPut, "/v1/jobs", map[string]any{"Job": map[string]any{"ID": id, "Name": id, "Type": kind, "Datacenters": []string{"dc1"}, "TaskGroups": []any{group}}}); r.status != http.StatusOK {
			t.Fatalf("register: %d %s", r.status, r.body)
		}
		return id
	}
	web := submit("service", 3, map[string]any{"Migrate": map[string]any{"MaxParallel": 1, "HealthCheck": "task_states", "MinHealthyTime": time.Second, "HealthyDeadline": time.Minute}})
	sys := submit("system", 1, nil)
	at := c.settles(t, web, "all run", func(at map[int]int) bool { return at[0]+at[1] == 3 })
	c.settles(t, sys, "one on each", func(at map[int]int) bool { return at[0] == 1 && at[1] == 1 })
	from, to := 0, 1
	if at[1] > at[0] {
		from, to = 1, 0
	}
	id := c.drainNode(t, from, &api.DrainSpec{Deadline: api.Duration(time.Hour), IgnoreSystemJobs: true})
	c.settles(t, web, "all on the other node", func(at map[int]int) bool {
		if at[0]+at[1] < 2 {
			t.Errorf("only %d of 3 run, max_parallel is 1", at[0]+at[1])
		}
		return at[to] == 3
	})
	var n api.Node
	eventually(t, "the drain is complete", func() (bool, string) {
		c.get(t, "/v1/node/"+id, &n)
		return n.DrainStrategy == nil, fmt.Sprintf("%+v", n.LastDrain)
	})
	if n.SchedulingEligibility != api.NodeIneligible || n.LastDrain == nil || n.LastDrain.Status != "complete" || n.LastDrain.Meta["why"] != "test" {
		t.Errorf("after the drain: %s, %+v", n.SchedulingEligibility, n.LastDrain)
	}
	if at := c.running(t, sys); at[from] != 1 {
		t.Errorf("the system job was not left: %v", at)
	}
	if r := c.do(t, http.MethodPut, "/v1/node/"+id+"/drain", map[string]any{"MarkEligible": true}); r.status != http.StatusOK {
		t.Errorf("eligible again: %d %s", r.status, r.body)
	}
	c.drainNode(t, from, &api.DrainSpec{Deadline: -1})
	c.settles(t, sys, "forced away", func(at map[int]int) bool { return at[from] == 0 && at[to] == 1 })
}
