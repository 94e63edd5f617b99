package scheduler_test

import (
	"fmt"
	"testing"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/fit"
)

// deviceFleet is emptyFleet with four GPUs on each node.
func deviceFleet(nodes int) *world {
	w := emptyFleet(nodes)
	for i := range nodes {
		n := *w.nodes[indexed("node-", i)]
		r := *n.NodeResources
		d := &api.NodeDeviceResource{Vendor: "nvidia", Type: "gpu", Name: []string{"t4", "a100"}[i%2]}
		for k := range 4 {
			d.Instances = append(d.Instances, &api.NodeDevice{ID: fmt.Sprintf("gpu-%d-%d", i, k), Healthy: true})
		}
		r.Devices = []*api.NodeDeviceResource{d}
		for c := range uint16(16) {
			r.Cpu.ReservableCpuCores = append(r.Cpu.ReservableCpuCores, c)
		}
		r.Cpu.TotalCpuCores = 16
		n.NodeResources = &r
		w.putNode(&n)
	}
	return w
}

// seenKinds puts allocations of many kinds with devices on the fleet, so that
// scores are made against all of them.
func seenKinds(w *world) {
	for i := range 64 {
		j := job(indexed("kind", i), 1)
		r := j.TaskGroups[0].Tasks[0].Resources
		r.CPU, r.MemoryMB = 100+i, 100
		r.Devices = []*api.RequestedDevice{{Name: "gpu", Count: 1, Share: float64(i+10) / 100}}
		w.putJob(j)
		base := fit.Resources(j.TaskGroups[0], false)
		given := fit.WithGrants(base, []fit.Grant{{Task: "t", Devices: []*api.AllocatedDeviceResource{{
			Vendor: "nvidia", Type: "gpu", Name: []string{"t4", "a100"}[i%2], DeviceIDs: []string{fmt.Sprintf("gpu-%d-0", i)}, Share: r.Devices[0].Share,
		}}}})
		w.putAlloc(&api.Allocation{
			ID: w.newID("kind"), Namespace: j.Namespace, JobID: j.ID, Job: j, TaskGroup: "g", Name: j.ID + ".g[0]", NodeID: indexed("node-", i),
			DesiredStatus: api.AllocDesiredRun, ClientStatus: api.AllocClientRunning, AllocatedResources: given,
		})
	}
}

func BenchmarkScheduleDevices(b *testing.B) {
	ask := func(count uint64, share float64) func(*api.Job) {
		return func(j *api.Job) {
			j.TaskGroups[0].Tasks[0].Resources.Devices = []*api.RequestedDevice{{Name: "nvidia/gpu", Count: count, Share: share}}
		}
	}
	for _, count := range []int{1000, 1} {
		for _, c := range []struct {
			name   string
			kinds  bool
			change func(*api.Job)
		}{
			{"whole", false, ask(1, 0)},
			{"share", false, ask(1, 0.25)},
			{"whole_64_kinds", true, ask(1, 0)},
			{"share_64_kinds", true, ask(1, 0.25)},
			{"constraint", false, func(j *api.Job) {
				ask(2, 0)(j)
				j.TaskGroups[0].Tasks[0].Resources.Devices[0].Constraints = []*api.Constraint{{LTarget: "${device.model}", Operand: "=", RTarget: "a100"}}
			}},
			{"no_devices", true, func(*api.Job) {}},
			{"cores", false, func(j *api.Job) { r := j.TaskGroups[0].Tasks[0].Resources; r.CPU, r.Cores = 0, 2 }},
		} {
			b.Run(fmt.Sprintf("nodes=5000/count=%d/%s", count, c.name), func(b *testing.B) {
				w := deviceFleet(5000)
				if c.kinds {
					seenKinds(w)
				}
				j := job("bench", count)
				c.change(j)
				benchmark(b, w, j)
			})
		}
	}
}
