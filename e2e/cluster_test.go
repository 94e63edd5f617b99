package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/e2e/rig"
)

// cluster is a server and clients in agents of their own.
type cluster struct {
	*agent // the server
	node   []*agent
}

// startCluster starts a server and n clients; silent nodes are down soon.
func startCluster(t *testing.T, n int, clients rig.Options) *cluster {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	clients.Binary = binary
	r, err := rig.StartCluster(ctx, rig.Options{Binary: binary, Config: `
server {
  min_heartbeat_ttl = "1s"
  heartbeat_grace   = "1s"
}`}, n, clients)
	t.Cleanup(func() {
		for _, a := range r.Agents() {
			log := a.Log()
			if strings.Contains(log, "DATA RACE") || strings.Contains(log, "panic:") || strings.Contains(log, "fatal error:") {
				t.Error("a data race or panic is in the log of", a.Mark)
			}
			if t.Failed() {
				dump(t, log)
			}
		}
		if err := r.Destroy(); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{agent: wrap(t, r.Server)}
	for _, a := range r.Clients {
		c.node = append(c.node, wrap(t, a))
	}
	return c
}

// nodeOf finds the client agent of a node.
func (c *cluster) nodeOf(t *testing.T, nodeID string) int {
	t.Helper()
	var nodes []*api.NodeListStub
	c.get(t, "/v1/nodes", &nodes)
	for _, n := range nodes {
		for i, a := range c.node {
			if n.ID == nodeID && n.Name == a.Mark {
				return i
			}
		}
	}
	t.Fatalf("node %s is none of the cluster's", nodeID)
	return -1
}

// running gives how many allocations of a job run by the index of their node.
func (c *cluster) running(t *testing.T, job string) map[int]int {
	t.Helper()
	var allocs []*api.AllocationListStub
	c.get(t, "/v1/job/"+job+"/allocations", &allocs)
	at := map[int]int{}
	for _, a := range allocs {
		if a.ClientStatus == api.AllocClientRunning && a.DesiredStatus == api.AllocDesiredRun {
			at[c.nodeOf(t, a.NodeID)]++
		}
	}
	return at
}

func (c *cluster) submit(t *testing.T, driver string, count int, config map[string]any) string {
	t.Helper()
	id := c.jobID(t)
	task := map[string]any{"Name": "t", "Driver": driver, "Config": config, "Resources": map[string]any{"CPU": 20, "MemoryMB": 16}}
	r := c.do(t, http.MethodPut, "/v1/jobs", map[string]any{"Job": map[string]any{
		"ID": id, "Name": id, "Type": "service", "Datacenters": []string{"dc1"},
		"TaskGroups": []any{map[string]any{"Name": "g", "Count": count, "Tasks": []any{task}}},
	}})
	if r.status != http.StatusOK {
		t.Fatalf("register: %d %s", r.status, r.body)
	}
	return id
}

func (c *cluster) settles(t *testing.T, job, what string, check func(at map[int]int) bool) map[int]int {
	t.Helper()
	var at map[int]int
	eventually(t, what, func() (bool, string) {
		at = c.running(t, job)
		return check(at), fmt.Sprint(at)
	})
	return at
}

// runsNothing waits until no task of the agent is left.
func (a *agent) runsNothing(t *testing.T) {
	t.Helper()
	eventually(t, "no task runs", func() (bool, string) {
		for _, p := range a.Processes() {
			if p.Kind == "task" {
				return false, p.Command
			}
		}
		return true, ""
	})
}

// TestLostNode kills the agent of a node: what ran there runs elsewhere soon,
// and what still runs there is stopped when the agent is back.
func TestLostNode(t *testing.T) {
	t.Parallel()
	c := startCluster(t, 2, rig.Options{})
	job := c.submit(t, "raw_exec", 3, map[string]any{"command": "/bin/sleep", "args": []string{"10000"}})
	at := c.settles(t, job, "all run", func(at map[int]int) bool { return at[0]+at[1] == 3 })
	lost := 0
	if at[1] > 0 {
		lost = 1
	}
	if err := c.node[lost].Kill(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	c.settles(t, job, "all run on the other node", func(at map[int]int) bool { return at[1-lost] == 3 && at[lost] == 0 })
	t.Logf("replaced after %s", time.Since(began).Round(time.Millisecond))
	c.node[lost].launch(t)
	c.node[lost].runsNothing(t)
	if at := c.running(t, job); at[1-lost] != 3 {
		t.Errorf("running: %v", at)
	}
}

// TestServerRestart: clients go on while there is no server, and with the next.
func TestServerRestart(t *testing.T) {
	t.Parallel()
	c := startCluster(t, 2, rig.Options{})
	job := c.submit(t, "mock_driver", 4, map[string]any{"run_for": "1h"})
	c.settles(t, job, "all run", func(at map[int]int) bool { return at[0]+at[1] == 4 })
	if err := c.Kill(); err != nil {
		t.Fatal(err)
	}
	if r := c.node[0].do(t, http.MethodGet, "/v1/jobs", nil); r.status != http.StatusServiceUnavailable || !strings.Contains(string(r.body), "cannot be reached") {
		t.Errorf("without a server: %d %s", r.status, r.body)
	}
	c.launch(t)
	second := c.submit(t, "mock_driver", 2, map[string]any{"run_for": "1h"})
	c.settles(t, second, "new ones run", func(at map[int]int) bool { return at[0]+at[1] == 2 })
	if at := c.running(t, job); at[0]+at[1] != 4 {
		t.Errorf("running: %v", at)
	}
}

// TestEveryAgentAnswers asks agents for what another one has: by the API, by the
// command line, and in a session.
func TestEveryAgentAnswers(t *testing.T) {
	t.Parallel()
	c := startCluster(t, 2, rig.Options{})
	job := c.submit(t, "raw_exec", 1, map[string]any{"command": "/bin/sh", "args": []string{"-c", "echo hello from $NOMAD_ALLOC_ID; exec sleep 10000"}})
	c.settles(t, job, "it runs", func(at map[int]int) bool { return at[0]+at[1] == 1 })
	var allocs []*api.AllocationListStub
	c.get(t, "/v1/job/"+job+"/allocations", &allocs)
	id := allocs[0].ID
	for i, a := range append([]*agent{c.agent}, c.node...) {
		eventually(t, "the output is there", func() (bool, string) {
			r := a.cli(t, "alloc", "logs", id)
			return strings.Contains(r.stdout, "hello from "+id), r.String()
		})
		if out := a.ok(t, "alloc", "exec", "-t=false", "-i=false", id, "/bin/echo", "by", fmt.Sprint(i)); !strings.Contains(out, fmt.Sprintf("by %d", i)) {
			t.Errorf("exec by agent %d: %q", i, out)
		}
		if out := a.ok(t, "alloc", "fs", id); !strings.Contains(out, "alloc/") {
			t.Errorf("files by agent %d: %q", i, out)
		}
		if out := a.ok(t, "alloc", "status", "-stats", id); !strings.Contains(out, "running") {
			t.Errorf("status by agent %d: %q", i, out)
		}
	}
	a := c.node[1-c.nodeOf(t, allocs[0].NodeID)]
	a.ok(t, "alloc", "restart", id)
	eventually(t, "it was restarted", func() (bool, string) {
		var got api.Allocation
		a.get(t, "/v1/allocation/"+id, &got)
		return got.TaskStates["t"].Restarts == 1, got.ClientStatus
	})
	a.ok(t, "job", "stop", "-purge", job)
	c.settles(t, job, "it is gone", func(at map[int]int) bool { return len(at) == 0 })
	for _, n := range c.node {
		n.runsNothing(t)
		n.leavesNothing(t, syscall.SIGTERM)
	}
}
