package endpoint

import (
	"testing"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/fsm"
)

// What nodes have in use is counted by the store; whose it is, is told only
// where it is asked for.
func TestNodesUsage(t *testing.T) {
	b := newBench(t)
	const node, empty = "11111111-0000-0000-0000-000000000001", "11111111-0000-0000-0000-000000000002"
	for _, id := range []string{node, empty} {
		b.apply(&fsm.NodeRegister{Node: &api.Node{ID: id, Status: api.NodeStatusReady, SchedulingEligibility: api.NodeEligible, NodeResources: &api.NodeResources{
			Cpu: api.NodeCpuResources{CpuShares: 4000}, Memory: api.NodeMemoryResources{MemoryMB: 4000}, Disk: api.NodeDiskResources{DiskMB: 9000},
		}}})
	}
	b.job("default", "web", func(j *api.Job) {
		j.TaskGroups[0].Tasks[0].Resources = &api.Resources{CPU: 300, MemoryMB: 128}
		j.TaskGroups[0].EphemeralDisk = &api.EphemeralDisk{SizeMB: 50}
	})
	j, _ := b.Store.View().Job("default", "web")
	b.apply(&fsm.PlanApply{Plans: []fsm.Plan{{Namespace: "default", JobID: "web", JobModifyIndex: j.JobModifyIndex, Placements: []fsm.Placement{
		{ID: "aaaaaaaa-0000-0000-0000-000000000001", Group: "g", NodeID: node}, {ID: "aaaaaaaa-0000-0000-0000-000000000002", Group: "g", Index: 1, NodeID: node},
	}}}})

	for _, with := range []bool{false, true} {
		list, _, err := call(b, api.NodesUsage, &api.NodesUsageRequest{Allocations: with})
		if err != nil {
			t.Fatal(err)
		}
		if len(list) != 1 || list[0].NodeID != node {
			t.Fatalf("%d nodes are in use, want one", len(list))
		}
		if u, want := list[0], (api.Amounts{CPU: 600, MemoryMB: 256, DiskMB: 100}); u.Count != 2 || u.Amounts != want {
			t.Errorf("%d allocations take %+v, want 2 and %+v", u.Count, u.Amounts, want)
		}
		if want := map[bool]int{true: 2}[with]; len(list[0].Allocations) != want {
			t.Errorf("allocations asked for: %v, and %d are told, want %d", with, len(list[0].Allocations), want)
		}
		for _, a := range list[0].Allocations {
			if a.JobID != "web" || a.TaskGroup != "g" || a.CPU != 300 || a.MemoryMB != 128 || a.DiskMB != 50 {
				t.Errorf("an allocation takes %+v", a)
			}
		}
	}
	for q, want := range map[api.QueryOptions]int{{Filter: "Count == 2"}: 1, {Filter: "Amounts.CPU == 500"}: 0, {Prefix: "1111"}: 1, {Prefix: "2"}: 0} {
		list, _, err := call(b, api.NodesUsage, &api.NodesUsageRequest{QueryOptions: q})
		if err != nil || len(list) != want {
			t.Errorf("%+v: %d nodes, %v; want %d", q, len(list), err, want)
		}
	}
}
