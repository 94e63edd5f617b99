package fit

import (
	"slices"
	"strings"

	"github.com/seraihq/serai/api"
)

// Usage is what allocations take of a node. The zero value is no usage.
type Usage struct {
	CPU    int64 // MHz
	Memory int64 // MB
	Disk   int64 // MB
	Allocs int   // number of allocations
	Cores  []uint16
	Ports  []Port  // sorted
	Device Devices // in use
}

// Port is a port in use on a node. An empty IP stands for every address.
type Port struct {
	Number uint16
	IP     string
}

func comparePorts(a, b Port) int {
	if a.Number != b.Number {
		return int(a.Number) - int(b.Number)
	}
	return strings.Compare(a.IP, b.IP)
}

// Of gives the usage of one allocation. Tasks that never run at the same time
// (prestart, main, poststop) share: the largest phase counts, sidecars with
// each.
func Of(r *api.AllocatedResources) Usage {
	u := Usage{Allocs: 1}
	if r == nil {
		return u
	}
	u.CPU, u.Memory = phases(r)
	u.Disk = r.Shared.DiskMB
	for _, t := range r.Tasks {
		u.Cores = append(u.Cores, t.Cpu.ReservedCores...)
		for _, n := range t.Networks {
			u.addNetwork(n)
		}
		for _, d := range t.Devices {
			u.addDevices(d)
		}
	}
	slices.Sort(u.Cores)
	for _, p := range r.Shared.Ports {
		u.addPort(p.Value, p.HostIP, p.IgnoreCollision)
	}
	if len(r.Shared.Ports) == 0 {
		for _, n := range r.Shared.Networks {
			u.addNetwork(n)
		}
	}
	slices.SortFunc(u.Ports, comparePorts)
	u.Ports = slices.Compact(u.Ports)
	return u
}

func phases(r *api.AllocatedResources) (cpu, memory int64) {
	var sum [4]struct{ cpu, memory int64 }
	for name, t := range r.Tasks {
		to := &sum[phaseOf(r.TaskLifecycles[name])]
		to.cpu += t.Cpu.CpuShares
		to.memory += t.Memory.MemoryMB
	}
	cpu = sum[beside].cpu + max(sum[main].cpu, sum[before].cpu, sum[after].cpu)
	memory = sum[beside].memory + max(sum[main].memory, sum[before].memory, sum[after].memory)
	return cpu, memory
}

func (u *Usage) addNetwork(n *api.NetworkResource) {
	for _, p := range n.ReservedPorts {
		u.addPort(p.Value, n.IP, p.IgnoreCollision)
	}
	for _, p := range n.DynamicPorts {
		u.addPort(p.Value, n.IP, p.IgnoreCollision)
	}
}

func (u *Usage) addPort(number int, ip string, ignore bool) {
	if number > 0 && number <= 65535 && !ignore {
		u.Ports = append(u.Ports, Port{uint16(number), ip})
	}
}

// Clone copies the usage, so that the copy may be changed.
func (u *Usage) Clone() *Usage {
	c := *u
	c.Cores, c.Ports, c.Device = slices.Clone(u.Cores), slices.Clone(u.Ports), slices.Clone(u.Device)
	return &c
}

// Add adds what another usage takes. It changes u.
func (u *Usage) Add(o *Usage) {
	u.CPU += o.CPU
	u.Memory += o.Memory
	u.Disk += o.Disk
	u.Allocs += o.Allocs
	for _, c := range o.Cores {
		i, _ := slices.BinarySearch(u.Cores, c)
		u.Cores = slices.Insert(u.Cores, i, c)
	}
	for _, p := range o.Ports {
		i, _ := slices.BinarySearchFunc(u.Ports, p, comparePorts)
		u.Ports = slices.Insert(u.Ports, i, p)
	}
	for _, d := range o.Device {
		u.Device.Add(d.Key, d.Used)
	}
}

// Sub takes away what Add added. It changes u.
func (u *Usage) Sub(o *Usage) {
	u.CPU -= o.CPU
	u.Memory -= o.Memory
	u.Disk -= o.Disk
	u.Allocs -= o.Allocs
	for _, c := range o.Cores {
		if i, ok := slices.BinarySearch(u.Cores, c); ok {
			u.Cores = slices.Delete(u.Cores, i, i+1)
		}
	}
	for _, p := range o.Ports {
		if i, ok := slices.BinarySearchFunc(u.Ports, p, comparePorts); ok {
			u.Ports = slices.Delete(u.Ports, i, i+1)
		}
	}
	for _, d := range o.Device {
		u.Device.sub(d.Key, d.Used)
	}
}

// Rest gives what an allocation uses beyond what the one that replaces it does:
// as long as it has not ended, nobody else may have that.
func Rest(old, now *Usage) Usage {
	u := Usage{CPU: max(old.CPU-now.CPU, 0), Memory: max(old.Memory-now.Memory, 0), Disk: max(old.Disk-now.Disk, 0)}
	for _, c := range old.Cores {
		if !slices.Contains(now.Cores, c) {
			u.Cores = append(u.Cores, c)
		}
	}
	for _, p := range old.Ports {
		if !slices.Contains(now.Ports, p) {
			u.Ports = append(u.Ports, p)
		}
	}
	for _, d := range old.Device {
		if more := d.Used - now.Device.Of(d.Key); more > 0 {
			u.Device.Add(d.Key, more)
		}
	}
	return u
}

// Within says whether the amounts are none larger than those of o.
func (u *Usage) Within(o *Usage) bool {
	return u.CPU <= o.CPU && u.Memory <= o.Memory && u.Disk <= o.Disk && u.Allocs <= o.Allocs
}

// Empty says whether nothing is in use.
func (u *Usage) Empty() bool {
	return u.Allocs == 0 && u.CPU == 0 && u.Memory == 0 && u.Disk == 0 && len(u.Ports) == 0 && len(u.Cores) == 0 && len(u.Device) == 0
}

// Counts says whether an allocation takes resources of its node: it does until
// its client says that it is over, also while the client is stopping it, so that
// nobody is given a port that is still bound. Only the allocation that replaces
// it may be placed in its room, since that one waits for it on the node.
func Counts(a *api.Allocation) bool { return !a.ClientTerminal() }
