package scheduler_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler"
	"github.com/seraihq/serai/scheduler/feasible"
)

// TestOddInput schedules what admission would have refused: nothing of it may
// panic, and every evaluation ends.
func TestOddInput(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		text := rapid.SampledFrom([]string{"", "x", "${", "${}", "${attr.}", "${node.unique.id}", "}", "*", "1", "-1", ",", ">= 1,", "(", "\x00", "9999999999999999999", "${attr.a}"})
		number := rapid.SampledFrom([]int{-1 << 40, -1, 0, 1, 80, 500, 65536, 1 << 40})
		for range rapid.IntRange(0, 3).Draw(t, "nodes") {
			w.putNode(oddNode(t, w.newID("n"), text, number))
		}
		j := oddJob(t, text, number)
		w.putJob(j)
		for range rapid.IntRange(0, 3).Draw(t, "allocs") {
			a := &api.Allocation{
				ID: w.newID("a"), Namespace: j.Namespace, JobID: j.ID, TaskGroup: text.Draw(t, "alloc group"),
				Name: text.Draw(t, "alloc name"), NodeID: rapid.SampledFrom([]string{"n0001", "gone"}).Draw(t, "alloc node"),
				DesiredStatus: rapid.SampledFrom([]string{"run", "stop", "?"}).Draw(t, "desired"),
				ClientStatus:  rapid.SampledFrom([]string{"running", "lost", "failed", "unknown", "?"}).Draw(t, "client"),
			}
			if rapid.Bool().Draw(t, "alloc has job") {
				a.Job = j
			}
			w.putAlloc(a)
		}
		e := w.eval(j)
		e.AnnotatePlan = rapid.Bool().Draw(t, "annotate")
		e.Type = text.Draw(t, "eval type")
		p, err := w.evaluate(e)
		if err != nil {
			t.Fatal(err)
		}
		if !p.Eval.Terminal() && p.Eval.Status != api.EvalBlocked {
			t.Fatalf("evaluation is %q", p.Eval.Status)
		}
		w.fleet.Drop(p.Hold)
	})
}

func oddNode(t *rapid.T, id string, text *rapid.Generator[string], number *rapid.Generator[int]) *api.Node {
	n := node(id)
	n.NodeResources.Cpu.CpuShares = int64(number.Draw(t, "node cpu"))
	n.NodeResources.Memory.MemoryMB = int64(number.Draw(t, "node memory"))
	n.NodeResources.MinDynamicPort, n.NodeResources.MaxDynamicPort = number.Draw(t, "min"), number.Draw(t, "max")
	n.Datacenter, n.NodePool, n.NodeClass = text.Draw(t, "dc"), text.Draw(t, "pool"), text.Draw(t, "class")
	n.ReservedResources = &api.NodeReservedResources{}
	n.ReservedResources.Networks.ReservedHostPorts = text.Draw(t, "reserved")
	n.Attributes["a"] = text.Draw(t, "attribute")
	n.HostNetworks = map[string]*api.HostNetworkInfo{"x": {CIDR: text.Draw(t, "cidr")}}
	switch rapid.IntRange(0, 5).Draw(t, "node lacks") {
	case 3:
		n.HostNetworks["y"] = nil
		n.NodeResources.Networks = append(n.NodeResources.Networks, nil)
		n.NodeResources.Devices = []*api.NodeDeviceResource{nil}
	case 0:
		n.NodeResources = nil
	case 1:
		n.Attributes, n.Drivers, n.Meta = nil, nil, nil
	case 2:
		n.Drivers = map[string]*api.DriverInfo{"mock": nil}
	}
	n.ComputedClass = feasible.ComputedClass(n)
	return n
}

func oddJob(t *rapid.T, text *rapid.Generator[string], number *rapid.Generator[int]) *api.Job {
	j := job("odd", number.Draw(t, "count")%1000)
	j.Type = rapid.SampledFrom([]string{"service", "batch", "system", "sysbatch", "", "?"}).Draw(t, "type")
	j.Datacenters = []string{text.Draw(t, "job dc"), "*"}
	j.NodePool = rapid.SampledFrom([]string{"", "all", "x"}).Draw(t, "job pool")
	operators := []string{"", "=", "!=", "<", "regexp", "version", "semver", "set_contains", "set_contains_any", "is_set", "distinct_hosts", "distinct_property", "?"}
	constraint := func() *api.Constraint {
		return &api.Constraint{LTarget: text.Draw(t, "left"), RTarget: text.Draw(t, "right"), Operand: rapid.SampledFrom(operators).Draw(t, "operator")}
	}
	j.Constraints = []*api.Constraint{constraint()}
	g := j.TaskGroups[0]
	g.Name = text.Draw(t, "group")
	g.Constraints = []*api.Constraint{constraint()}
	g.Tasks[0].Resources.CPU = number.Draw(t, "cpu")
	g.Networks = []*api.NetworkResource{{
		Mode:          rapid.SampledFrom([]string{"", "host", "none", "bridge", "cni/"}).Draw(t, "mode"),
		ReservedPorts: []api.Port{{Label: "a", Value: number.Draw(t, "port"), HostNetwork: rapid.SampledFrom([]string{"", "default", "x", "y"}).Draw(t, "host network")}},
		DynamicPorts:  []api.Port{{Label: "a"}},
	}}
	switch rapid.IntRange(0, 5).Draw(t, "job lacks") {
	case 0:
		j.TaskGroups = nil
	case 1:
		g.Tasks = nil
	case 2:
		g.Tasks[0].Resources, g.EphemeralDisk = nil, nil
	case 3:
		j.TaskGroups = append(j.TaskGroups, g)
	case 4:
		j.Periodic = &api.PeriodicConfig{}
	}
	return j
}

func TestInputMustBeComplete(t *testing.T) {
	if _, err := scheduler.Schedule(scheduler.Input{Now: time.Unix(0, 0)}); err == nil {
		t.Error("an input without evaluation is taken")
	}
}

// TestHugeCount asks for far more than there is room for.
func TestHugeCount(t *testing.T) {
	w := newWorld()
	w.putNode(node("n1"))
	j := job("huge", 10_000_000)
	w.putJob(j)
	p, err := w.evaluate(w.eval(j))
	if err != nil {
		t.Fatal(err)
	}
	m := p.Eval.FailedTGAllocs["g"]
	if len(p.Placements) != 8 || p.Eval.QueuedAllocations["g"] != 9_999_992 || m == nil || m.CoalescedFailures != 9_999_991 {
		t.Errorf("placed %d, queued %v, failed %+v", len(p.Placements), p.Eval.QueuedAllocations, m)
	}
}

// TestPanicLeavesFleet makes a plan panic half way: the room that it had taken
// is free again.
func TestPanicLeavesFleet(t *testing.T) {
	w := newWorld()
	w.putNode(node("n1"))
	j := job("a", 3)
	w.putJob(j)
	before, ids := w.usage(), 0
	func() {
		defer func() {
			if recover() == nil {
				t.Error("did not panic")
			}
		}()
		_, _ = scheduler.Schedule(scheduler.Input{Eval: w.eval(j), State: w, Fleet: w.fleet, NewID: func() string {
			if ids++; ids == 3 {
				panic("no more IDs")
			}
			return "id"
		}})
	}()
	if after := w.usage(); after != before {
		t.Errorf("before:\n%safter:\n%s", before, after)
	}
}
