package scheduler_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler"
	"github.com/seraihq/serai/scheduler/fit"
	"github.com/seraihq/serai/scheduler/fleet"
)

// TestDevicesModel lets jobs ask for devices, parts of them and cores, on nodes
// whose devices come and go. No device, core or MHz is given twice, what waits fits
// nowhere, and a fleet built anew decides alike.
func TestDevicesModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := devices{t, newWorld()}
		if rapid.Bool().Draw(t, "spread") {
			m.config.SchedulerAlgorithm = api.SchedulerSpread
		}
		for range rapid.IntRange(1, 4).Draw(t, "nodes") {
			m.node()
		}
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			step(t, m.submit, m.submit, m.run, m.run, m.ends, m.node)
		}
	})
}

type devices struct {
	*rapid.T
	*world
}

func (m *devices) number(label string, low, high int) int {
	return rapid.IntRange(low, high).Draw(m.T, label)
}

func (m *devices) node() {
	n := node(indexed("n", m.number("node", 0, 3)))
	for _, a := range m.allocs {
		if a.NodeID == n.ID && fit.Counts(a) {
			return // what is in use does not go
		}
	}
	r := n.NodeResources
	r.Cpu.CpuShares, r.Memory.MemoryMB = 8000, 8000
	r.Cpu.TotalCpuCores = 8
	for c := range m.number("cores", 0, 8) {
		r.Cpu.ReservableCpuCores = append(r.Cpu.ReservableCpuCores, uint16(c))
	}
	if rapid.Bool().Draw(m.T, "numa") {
		n.Attributes["numa.node.count"], n.Attributes["numa.node0.cores"], n.Attributes["numa.node1.cores"] = "2", "0-2,6", "3-5,7"
	}
	for g := range m.number("groups", 0, 2) {
		d := &api.NodeDeviceResource{Vendor: "v", Type: "gpu", Name: []string{"a", "b"}[g]}
		for i := range m.number("instances", 1, 4) {
			d.Instances = append(d.Instances, &api.NodeDevice{ID: fmt.Sprint(i), Healthy: m.number("healthy", 0, 4) > 0})
		}
		r.Devices = append(r.Devices, d)
	}
	m.putNode(n)
}

func (m *devices) submit() {
	j := job(indexed("j", m.number("job", 0, 5)), m.number("count", 1, 4))
	r := j.TaskGroups[0].Tasks[0].Resources
	r.CPU, r.MemoryMB = m.number("cpu", 0, 4)*500, m.number("memory", 0, 4)*500
	for range m.number("asks", 0, 2) {
		d := &api.RequestedDevice{Name: rapid.SampledFrom([]string{"gpu", "v/gpu", "v/gpu/a", "v/gpu/b"}).Draw(m.T, "device"), Count: 1}
		if rapid.Bool().Draw(m.T, "whole") {
			d.Count = uint64(m.number("devices", 1, 3))
		} else {
			d.Share = float64(m.number("share", 1, 9)) / 10
		}
		if rapid.Bool().Draw(m.T, "affinity") {
			d.Affinities = []*api.Affinity{{LTarget: "${device.model}", Operand: "=", RTarget: "b", Weight: 50}}
		}
		r.Devices = append(r.Devices, d)
	}
	if n := m.number("cores", -3, 3); n > 0 {
		r.CPU, r.Cores = 0, n
		r.NUMA = &api.NUMAResource{Affinity: rapid.SampledFrom([]string{"none", "prefer", "require"}).Draw(m.T, "affinity")}
	}
	m.putJob(j)
}

func (m *devices) run() {
	ids := slices.SortedFunc(maps.Values(m.jobs), func(a, b *api.Job) int { return int(a.CreateIndex) - int(b.CreateIndex) })
	if len(ids) == 0 {
		return
	}
	j := rapid.SampledFrom(ids).Draw(m.T, "which")
	e := m.eval(j)
	again := m.decide(e, fleet.Load(maps.Values(m.nodes), maps.Values(m.allocs)))
	kept := m.decide(e, m.fleet)
	if a, b := chosen(kept), chosen(again); !reflect.DeepEqual(a, b) {
		m.Fatalf("the kept fleet places %v, one built anew %v", a, b)
	}
	m.apply(kept)
	if err := m.check(); err != nil {
		m.Fatal(err)
	}
	m.counts()
	if kept.Eval.QueuedAllocations["g"] > 0 {
		m.fitsNowhere(j)
	}
}

func (m *devices) decide(e *api.Evaluation, f *fleet.Fleet) *scheduler.Plan {
	c := *e
	n := m.ids
	p, err := scheduler.Schedule(scheduler.Input{
		Eval: &c, State: m.world, Fleet: f, Now: time.Unix(1700000000, 0), Seed: 7,
		NewID: func() string { n++; return fmt.Sprintf("%s-%04d", e.ID, n) },
	})
	if err != nil {
		m.Fatal(err)
	}
	return p
}

func chosen(p *scheduler.Plan) []string {
	var out []string
	for i := range p.Placements {
		x := &p.Placements[i]
		out = append(out, x.Group.Name+" on "+x.Node.ID+granted(x.Grants))
	}
	return out
}

// counts compares what the fleet has in use of cores and devices with the
// allocations.
func (m *devices) counts() {
	want := map[string]*fit.Usage{}
	for _, a := range m.allocs {
		if !fit.Counts(a) {
			continue
		}
		if want[a.NodeID] == nil {
			want[a.NodeID] = &fit.Usage{}
		}
		u := fit.Of(a.AllocatedResources)
		want[a.NodeID].Add(&u)
	}
	for id, u := range want {
		row, _ := m.fleet.Row(id)
		got := m.fleet.Used(row)
		if !slices.Equal(got.Device, u.Device) || !slices.Equal(got.Cores, u.Cores) {
			m.Fatalf("node %s: the fleet has %v %v in use, the allocations %v %v", id, got.Device, got.Cores, u.Device, u.Cores)
		}
	}
}

// fitsNowhere tries every way to give the largest device ask of a job that waits.
func (m *devices) fitsNowhere(j *api.Job) {
	r := j.TaskGroups[0].Tasks[0].Resources
	if r.Cores > 0 || len(r.Devices) != 1 {
		return
	}
	d := r.Devices[0]
	for id, n := range m.nodes {
		row, _ := m.fleet.Row(id)
		used := m.fleet.Used(row)
		for _, has := range n.NodeResources.Devices {
			if d.Name != "gpu" && d.Name != "v/gpu" && d.Name != "v/gpu/"+has.Name {
				continue
			}
			add := fit.Usage{CPU: int64(r.CPU), Memory: int64(r.MemoryMB), Disk: 300, Allocs: 1}
			for _, i := range has.Instances {
				key := fit.DeviceKey(has.Vendor, has.Type, has.Name, i.ID)
				if i.Healthy && used.Device.Of(key)+fit.Thousandths(d.Share) <= fit.WholeDevice && len(add.Device) < int(d.Count) {
					add.Device.Add(key, fit.Thousandths(d.Share))
				}
			}
			if len(add.Device) == int(d.Count) {
				if _, ok := fit.Check(n, used, &add); ok {
					m.Fatalf("job %s waits and fits on %s", j.ID, id)
				}
			}
		}
	}
}

func (m *devices) ends() {
	ids := slices.Sorted(maps.Keys(m.allocs))
	if len(ids) == 0 {
		return
	}
	m.change(rapid.SampledFrom(ids).Draw(m.T, "alloc"), func(a *api.Allocation) { a.ClientStatus = api.AllocClientComplete })
}
