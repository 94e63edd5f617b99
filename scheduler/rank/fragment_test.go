package rank

import (
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/fit"
	"github.com/seraihq/serai/scheduler/fleet"
)

// TestAShareLosesTheLeast compares the choice of an instance for a share, which is
// made in one pass over the kinds, with what is lost after each choice, counted
// anew.
func TestAShareLosesTheLeast(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f, free := randomFragment(t)
		each := rapid.IntRange(1, fit.WholeDevice-1).Draw(t, "each")
		cpu, memory := f.fleet.Free(0)
		g := &f.fleet.Devices(0)[0]
		now, least := f.group(g, free, cpu, memory), math.Inf(1)
		lost := func(i int) float64 {
			free[i] -= int16(each)
			defer func() { free[i] += int16(each) }()
			return f.group(g, free, cpu-f.cpu(0), memory-f.memory) - now
		}
		for i, n := range free {
			if int(n) >= each {
				least = min(least, lost(i))
			}
		}
		best, more := f.share(0, 0, free, each)
		switch {
		case math.IsInf(least, 1):
			if best != -1 {
				t.Fatalf("instance %d of %v for %d", best, free, each)
			}
		case math.Abs(more-least) > 1e-9 || math.Abs(lost(best)-least) > 1e-9:
			t.Fatalf("instance %d of %v for %d: %v more are lost, counted anew %v; the least is %v", best, free, each, more, lost(best), least)
		}
	})
}

// randomFragment is a fragment of a fleet of one node with devices, random kinds,
// and what is free of the devices.
func randomFragment(t *rapid.T) (*fragment, []int16) {
	d := &api.NodeDeviceResource{Vendor: "v", Type: "gpu", Name: "g"}
	instances := rapid.IntRange(1, 8).Draw(t, "instances")
	for i := range instances {
		d.Instances = append(d.Instances, &api.NodeDevice{ID: fmt.Sprint(i), Healthy: true})
	}
	n := &api.Node{ID: "n", Status: api.NodeStatusReady, SchedulingEligibility: api.NodeEligible, NodeResources: &api.NodeResources{
		Cpu: api.NodeCpuResources{CpuShares: 1000}, Memory: api.NodeMemoryResources{MemoryMB: 1000}, Devices: []*api.NodeDeviceResource{d},
	}}
	f := &fragment{fleet: fleet.New(), known: true, memory: rapid.Int64Range(0, 500).Draw(t, "memory")}
	f.fleet.NodeUpsert(n)
	_, f.epoch = f.fleet.Typical() // so that these kinds are kept
	cpu := rapid.Int64Range(0, 500).Draw(t, "cpu")
	f.cpu = func(int32) int64 { return cpu }
	matches := rapid.SliceOfN(rapid.Bool(), 6, 6).Draw(t, "matches")
	for i, suits := range matches {
		m := f.fleet.DeviceMatch(fmt.Sprint(i), false, func() func(*api.NodeDeviceResource) (float64, bool) {
			return func(*api.NodeDeviceResource) (float64, bool) { return 0, suits }
		})
		f.kinds = append(f.kinds, kindOf{
			cpu: rapid.Int64Range(0, 600).Draw(t, "kind's cpu"), memory: rapid.Int64Range(0, 600).Draw(t, "kind's memory"), weight: float64(i + 1),
			ask: fleet.DeviceAsk{Match: m, Count: rapid.IntRange(1, 3).Draw(t, "count"), Each: rapid.IntRange(1, fit.WholeDevice).Draw(t, "kind's each")},
		})
	}
	free := make([]int16, instances)
	for i := range free {
		free[i] = int16(rapid.IntRange(0, fit.WholeDevice).Draw(t, "free"))
	}
	return f, free
}
