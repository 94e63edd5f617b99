package fit

import (
	"math"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/seraihq/serai/api"
)

func TestParsePorts(t *testing.T) {
	for list, want := range map[string]PortRanges{
		"":                nil,
		"22":              {{22, 22}},
		"22,80,8500-8600": {{22, 22}, {80, 80}, {8500, 8600}},
		" 1 - 2 , 3":      {{1, 2}, {3, 3}},
		"x,5-4,70000,9-":  nil,
		"-1,,10":          {{10, 10}},
	} {
		if got := ParsePorts(list); !reflect.DeepEqual(got, want) {
			t.Errorf("ParsePorts(%q) = %v, want %v", list, got, want)
		}
	}
}

func task(cpu, memory int64) *api.AllocatedTaskResources {
	return &api.AllocatedTaskResources{Cpu: api.AllocatedCpuResources{CpuShares: cpu}, Memory: api.AllocatedMemoryResources{MemoryMB: memory}}
}

// TestPhases: tasks that never run together share, sidecars count with each.
func TestPhases(t *testing.T) {
	r := &api.AllocatedResources{
		Tasks: map[string]*api.AllocatedTaskResources{
			"main": task(100, 10), "second": task(100, 10), "before": task(500, 5), "after": task(10, 50), "beside": task(1, 1), "poststart": task(7, 7),
		},
		TaskLifecycles: map[string]*api.TaskLifecycle{
			"main": nil, "before": {Hook: api.HookPrestart}, "after": {Hook: api.HookPoststop},
			"beside": {Hook: api.HookPrestart, Sidecar: true}, "poststart": {Hook: api.HookPoststart},
		},
		Shared: api.AllocatedSharedResources{DiskMB: 300},
	}
	u := Of(r)
	if u.CPU != 501 || u.Memory != 51 || u.Disk != 300 || u.Allocs != 1 {
		t.Errorf("usage is %+v", u)
	}
	if u := Of(nil); u.Allocs != 1 || u.CPU != 0 {
		t.Errorf("usage of nothing is %+v", u)
	}
}

func TestResources(t *testing.T) {
	g := &api.TaskGroup{
		EphemeralDisk: &api.EphemeralDisk{SizeMB: 300},
		Tasks:         []*api.Task{{Name: "a", Resources: &api.Resources{CPU: 100, MemoryMB: 10, MemoryMaxMB: 20}}, {Name: "b"}},
		Networks:      []*api.NetworkResource{{DynamicPorts: []api.Port{{Label: "http", To: -1}}}},
	}
	if m := Resources(g, false).Tasks["a"].Memory.MemoryMaxMB; m != 0 {
		t.Errorf("without oversubscription memory_max is %d", m)
	}
	base := Resources(g, true)
	if m := base.Tasks["a"].Memory.MemoryMaxMB; m != 20 {
		t.Errorf("with oversubscription memory_max is %d", m)
	}
	ports := []api.PortMapping{{Label: "http", Value: 20000, To: 20000, HostIP: "10.0.0.1"}}
	r := WithPorts(base, g, ports)
	if p := r.Shared.Networks[0].DynamicPorts[0]; p.Value != 20000 || p.To != 20000 || r.Shared.Networks[0].IP != "10.0.0.1" {
		t.Errorf("network is %+v", r.Shared.Networks[0])
	}
	if g.Networks[0].DynamicPorts[0].Value != 0 || len(base.Shared.Ports) != 0 {
		t.Error("the group or the base was changed")
	}
	want := Of(r)
	usage := Of(base)
	if got := WithUsedPorts(&usage, ports); !reflect.DeepEqual(got.Ports, want.Ports) {
		t.Errorf("ports in use are %v, want %v", got.Ports, want.Ports)
	}
}

func TestCheck(t *testing.T) {
	n := &api.Node{
		NodeMaxAllocs: 3,
		NodeResources: &api.NodeResources{
			Cpu: api.NodeCpuResources{CpuShares: 1000, ReservableCpuCores: []uint16{0, 1}}, Memory: api.NodeMemoryResources{MemoryMB: 1000}, Disk: api.NodeDiskResources{DiskMB: 1000},
			Devices: []*api.NodeDeviceResource{{Vendor: "v", Type: "gpu", Name: "x", Instances: []*api.NodeDevice{{ID: "0", Healthy: true}, {ID: "1"}}}},
		},
		ReservedResources: &api.NodeReservedResources{
			Cpu: api.NodeReservedCpuResources{CpuShares: 100}, Memory: api.NodeReservedMemoryResources{MemoryMB: 100}, Disk: api.NodeReservedDiskResources{DiskMB: 100},
			Networks: api.NodeReservedNetworkResources{ReservedHostPorts: "22"},
		},
	}
	used := Usage{CPU: 100, Memory: 100, Disk: 100, Allocs: 1, Cores: []uint16{1}, Ports: []Port{{80, "10.0.0.1"}, {81, ""}}, Device: Devices{{"v/gpu/x/0", 250}}}
	for _, c := range []struct {
		add  Usage
		want string
	}{
		{Usage{CPU: 800, Memory: 800, Disk: 800, Allocs: 2}, ""},
		{Usage{CPU: 801}, "cpu"},
		{Usage{Memory: 801}, "memory"},
		{Usage{Disk: 801}, "disk"},
		{Usage{Allocs: 3}, "max allocations per node"},
		{Usage{Cores: []uint16{0}}, ""},
		{Usage{Cores: []uint16{1}}, "cores"},
		{Usage{Cores: []uint16{0, 0}}, "cores"}, // two tasks with the same core
		{Usage{Cores: []uint16{2}}, "cores"},
		{Usage{Device: Devices{{"v/gpu/x/0", 750}}}, ""},
		{Usage{Device: Devices{{"v/gpu/x/0", 751}}}, "devices"}, // a quarter is in use
		{Usage{Device: Devices{{"v/gpu/x/1", 1}}}, "devices"},   // not healthy
		{Usage{Device: Devices{{"v/gpu/x/2", 1}}}, "devices"},   // unknown
		{Usage{Ports: []Port{{80, "10.0.0.2"}}}, ""},
		{Usage{Ports: []Port{{80, "10.0.0.1"}}}, "network: port 80 is in use"},
		{Usage{Ports: []Port{{80, ""}}}, "network: port 80 is in use"},
		{Usage{Ports: []Port{{81, "10.0.0.1"}}}, "network: port 81 is in use"},
		{Usage{Ports: []Port{{22, "10.0.0.1"}}}, "network: port 22 is in use"},
		{Usage{Ports: []Port{{90, ""}, {90, "10.0.0.1"}}}, "network: port 90 is in use"},
	} {
		got, ok := Check(n, &used, &c.add)
		if got != c.want || ok != (c.want == "") {
			t.Errorf("%+v: %q, %t", c.add, got, ok)
		}
	}
	if dimension, ok := Check(&api.Node{}, &Usage{}, &Usage{CPU: 1}); ok || dimension != DimensionCPU {
		t.Error("a node that says nothing of its resources has some")
	}
}

// TestAddSub: what is added in any order and taken away leaves nothing.
func TestAddSub(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var sum Usage
		var parts []Usage
		for range rapid.IntRange(0, 8).Draw(t, "parts") {
			u := Usage{CPU: int64(rapid.IntRange(0, 9).Draw(t, "cpu")), Allocs: 1, Device: Devices{{rapid.SampledFrom([]string{"a", "b"}).Draw(t, "device"), 1}}}
			for p := range rapid.SliceOfNDistinct(rapid.Uint16Range(1, 9), 0, 4, rapid.ID).Draw(t, "ports") {
				u.Add(&Usage{Ports: []Port{{uint16(p + 1), rapid.SampledFrom([]string{"", "x"}).Draw(t, "ip")}}, Cores: []uint16{uint16(p)}})
			}
			before := sum.Clone()
			sum.Add(&u)
			again := sum.Clone()
			again.Sub(&u)
			if again.CPU != before.CPU || len(again.Ports) != len(before.Ports) || len(again.Device) != len(before.Device) {
				t.Fatalf("%+v and %+v taken away again is %+v", before, u, again)
			}
			parts = append(parts, u)
		}
		for _, i := range rapid.Permutation(indices(len(parts))).Draw(t, "order") {
			sum.Sub(&parts[i])
		}
		if !sum.Empty() {
			t.Fatalf("left is %+v", sum)
		}
	})
}

func indices(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

func TestCounts(t *testing.T) {
	for _, c := range []struct {
		desired, client string
		want            bool
	}{
		{api.AllocDesiredRun, api.AllocClientPending, true},
		{api.AllocDesiredRun, api.AllocClientUnknown, true},
		{api.AllocDesiredStop, api.AllocClientRunning, true}, // its ports are bound still
		{api.AllocDesiredStop, api.AllocClientComplete, false},
		{api.AllocDesiredRun, api.AllocClientFailed, false},
		{api.AllocDesiredEvict, api.AllocClientLost, false},
	} {
		if got := Counts(&api.Allocation{DesiredStatus: c.desired, ClientStatus: c.client}); got != c.want {
			t.Errorf("%s, %s: %t", c.desired, c.client, got)
		}
	}
}

// TestShares: what is not a share stands for the whole device, so that no
// number in a plan makes room.
func TestShares(t *testing.T) {
	for share, want := range map[float64]int{0: 1000, 0.25: 250, 0.001: 1, 0.999: 999, 0.0001: 1000, 1: 1000, 1.5: 1000, -0.5: 1000, math.NaN(): 1000, math.Inf(1): 1000} {
		if got := Thousandths(share); got != want {
			t.Errorf("%v: %d, want %d", share, got, want)
		}
	}
	d := &api.AllocatedDeviceResource{Vendor: "v", Type: "gpu", Name: "x", DeviceIDs: []string{"0"}, Share: 0.3}
	u := Of(&api.AllocatedResources{Tasks: map[string]*api.AllocatedTaskResources{"a": {Devices: []*api.AllocatedDeviceResource{d}}, "b": {Devices: []*api.AllocatedDeviceResource{d}}}})
	if u.Device.Of("v/gpu/x/0") != 600 {
		t.Errorf("two tasks use %v", u.Device)
	}
}
