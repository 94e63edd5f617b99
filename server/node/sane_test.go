package node

import (
	"strings"
	"testing"

	"github.com/seraihq/serai/api"
)

func TestNodesThatLie(t *testing.T) {
	resources := func(change func(*api.NodeResources)) func(*api.Node) {
		return func(n *api.Node) { change(n.NodeResources) }
	}
	for want, lie := range map[string]func(*api.Node){
		"node pool":            func(n *api.Node) { n.NodePool = "a/b" },
		"datacenter is longer": func(n *api.Node) { n.Datacenter = strings.Repeat("d", maxName+1) },
		"MHz of CPU cannot be": resources(func(r *api.NodeResources) { r.Cpu.CpuShares = 1 << 62 }),
		"-1 MHz":               resources(func(r *api.NodeResources) { r.Cpu.CpuShares = -1 }),
		"MB of memory":         resources(func(r *api.NodeResources) { r.Memory.MemoryMB = -5 }),
		"MB of disk":           resources(func(r *api.NodeResources) { r.Disk.DiskMB = 1 << 50 }),
		"are no range":         resources(func(r *api.NodeResources) { r.MinDynamicPort, r.MaxDynamicPort = 90, 80 }),
		"a device is null":     resources(func(r *api.NodeResources) { r.Devices = []*api.NodeDeviceResource{nil} }),
		"has no ID": resources(func(r *api.NodeResources) {
			r.Devices = []*api.NodeDeviceResource{{Type: "gpu", Instances: []*api.NodeDevice{{}}}}
		}),
		"more is reserved": func(n *api.Node) {
			n.ReservedResources = &api.NodeReservedResources{Cpu: api.NodeReservedCpuResources{CpuShares: 1 << 63}}
		},
		"is longer than":  func(n *api.Node) { n.Meta = map[string]string{"k": strings.Repeat("x", maxFactLength)} },
		"not \"down\"":    func(n *api.Node) { n.Status = api.NodeStatusDown },
		"eligibility":     func(n *api.Node) { n.SchedulingEligibility = "maybe" },
		"node_max_allocs": func(n *api.Node) { n.NodeMaxAllocs = -1 },
	} {
		n := &api.Node{ID: "n", NodeResources: &api.NodeResources{Cpu: api.NodeCpuResources{CpuShares: 4000}}}
		if err := sane(n); err != nil {
			t.Fatal(err)
		}
		lie(n)
		if err := sane(n); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
