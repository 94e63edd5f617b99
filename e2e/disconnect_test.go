package e2e

import (
	"fmt"
	"net/http"
	"syscall"
	"testing"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/e2e/rig"
)

// TestDisconnectedNode stops the agent of a node for a while, but not its tasks:
// what runs there is replaced for the time being, and goes on when the agent is
// back. The job file is an old one.
func TestDisconnectedNode(t *testing.T) {
	t.Parallel()
	c := startCluster(t, 2, rig.Options{})
	id := c.jobID(t)
	r := c.do(t, http.MethodPut, "/v1/jobs", map[string]any{"Job": map[string]any{
		"ID": id, "Name": id, "Type": "service", "Datacenters": []string{"dc1"},
		"TaskGroups": []any{map[string]any{"Name": "g", "MaxClientDisconnect": "1h", "Tasks": []any{map[string]any{
			"Name": "t", "Driver": "raw_exec", "Config": map[string]any{"command": "/bin/sleep", "args": []string{"10000"}},
			"Resources": map[string]any{"CPU": 20, "MemoryMB": 16},
		}}}},
	}})
	if r.status != http.StatusOK {
		t.Fatalf("register: %d %s", r.status, r.body)
	}
	at := c.settles(t, id, "it runs", func(at map[int]int) bool { return at[0]+at[1] == 1 })
	away := 0
	if at[1] > 0 {
		away = 1
	}
	allocs := func() (out []*api.AllocationListStub) { c.get(t, "/v1/job/"+id+"/allocations", &out); return out }
	first := allocs()[0]
	task := c.node[away].taskPID(t, first.ID, "t")
	if err := c.node[away].Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.node[away].Signal(syscall.SIGCONT) })
	c.nodeIs(t, first.NodeID, api.NodeStatusDisconnected)
	c.settles(t, id, "it runs on the other node", func(at map[int]int) bool { return at[1-away] == 1 && at[away] == 0 })
	if a := c.stub(t, id, first.ID); a.ClientStatus != api.AllocClientUnknown || a.DesiredStatus != api.AllocDesiredRun {
		t.Errorf("meanwhile the first one is %s, desired %s", a.ClientStatus, a.DesiredStatus)
	}
	if err := c.node[away].Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	c.nodeIs(t, first.NodeID, api.NodeStatusReady)
	c.settles(t, id, "one of the two runs", func(at map[int]int) bool { return at[0]+at[1] == 1 })
	eventually(t, "the other one ends", func() (bool, string) {
		live := 0
		list := allocs()
		for _, a := range list {
			if a.ClientStatus == api.AllocClientRunning {
				live++
			}
		}
		return live == 1 && len(list) == 2, fmt.Sprint(list)
	})
	eventually(t, "the first one, which has the better score, is the one that stays", func() (bool, string) {
		a := c.stub(t, id, first.ID)
		return a.ClientStatus == api.AllocClientRunning && alive(task), fmt.Sprintf("%s, desired %s: %s", a.ClientStatus, a.DesiredStatus, a.DesiredDescription)
	})
}

func (c *cluster) nodeIs(t *testing.T, id, status string) {
	t.Helper()
	eventually(t, "the node is "+status, func() (bool, string) {
		var n api.Node
		c.get(t, "/v1/node/"+id, &n)
		return n.Status == status, n.Status
	})
}

func (c *cluster) stub(t *testing.T, job, id string) *api.AllocationListStub {
	t.Helper()
	var list []*api.AllocationListStub
	c.get(t, "/v1/job/"+job+"/allocations", &list)
	for _, a := range list {
		if a.ID == id {
			return a
		}
	}
	t.Fatalf("allocation %s is gone", id)
	return nil
}
