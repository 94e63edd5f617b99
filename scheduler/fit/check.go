package fit

import (
	"slices"
	"strconv"
	"strings"

	"github.com/seraihq/serai/api"
)

// What a node can be short of, as shown to users.
const (
	DimensionCPU       = "cpu"
	DimensionMemory    = "memory"
	DimensionDisk      = "disk"
	DimensionCores     = "cores"
	DimensionDevices   = "devices"
	DimensionMaxAllocs = "max allocations per node"
)

// Capacity is what a node has for allocations: all but what it keeps for
// itself. Cores are those that may be reserved; no Ports are set.
func Capacity(n *api.Node) Usage {
	var u Usage
	if n.NodeResources == nil {
		return u
	}
	u.CPU = n.NodeResources.Cpu.CpuShares
	u.Memory = n.NodeResources.Memory.MemoryMB
	u.Disk = n.NodeResources.Disk.DiskMB
	u.Cores = n.NodeResources.Cpu.ReservableCpuCores
	u.Allocs = n.NodeMaxAllocs
	if r := n.ReservedResources; r != nil {
		u.CPU -= int64(r.Cpu.CpuShares)
		u.Memory -= int64(r.Memory.MemoryMB)
		u.Disk -= int64(r.Disk.DiskMB)
	}
	return u
}

// Check says whether a node that is used as given has room for more, and if
// not, of what it is short. It looks at capacity only, not at whether the node
// may be used (see api.Node.Ready). Neither usage is changed.
func Check(n *api.Node, used, add *Usage) (dimension string, ok bool) {
	has := Capacity(n)
	if dimension, ok := Amounts(&has, used, add); !ok {
		return dimension, false
	}
	for i, c := range add.Cores {
		if i > 0 && c == add.Cores[i-1] || !slices.Contains(has.Cores, c) || slices.Contains(used.Cores, c) {
			return DimensionCores, false
		}
	}
	if len(add.Device) > 0 && !devicesFree(n, used, add) {
		return DimensionDevices, false
	}
	if p, ok := portsFree(n, used, add); !ok {
		return "network: port " + strconv.Itoa(int(p)) + " is in use", false
	}
	return "", true
}

// Amounts says whether a node that has so much and is used as given has room
// for more, as far as mere amounts go: CPU, memory, disk, number of allocations.
func Amounts(has, used, add *Usage) (dimension string, ok bool) {
	switch {
	case used.CPU+add.CPU > has.CPU:
		return DimensionCPU, false
	case used.Memory+add.Memory > has.Memory:
		return DimensionMemory, false
	case used.Disk+add.Disk > has.Disk:
		return DimensionDisk, false
	case has.Allocs > 0 && used.Allocs+add.Allocs > has.Allocs:
		return DimensionMaxAllocs, false
	}
	return "", true
}

func portsFree(n *api.Node, used, add *Usage) (uint16, bool) {
	if len(add.Ports) == 0 {
		return 0, true
	}
	reserved := ReservedPorts(n)
	for i, p := range add.Ports {
		if reserved.Has(p.Number) || Collides(used.Ports, p) || Collides(add.Ports[:i], p) {
			return p.Number, false
		}
	}
	return 0, true
}

// Collides says whether a port is among those taken, which are sorted: the same
// number on the same address, or on every address.
func Collides(taken []Port, p Port) bool {
	i, _ := slices.BinarySearchFunc(taken, Port{Number: p.Number}, comparePorts)
	for ; i < len(taken) && taken[i].Number == p.Number; i++ {
		if taken[i].IP == p.IP || taken[i].IP == "" || p.IP == "" {
			return true
		}
	}
	return false
}

// PortRanges are ranges of ports, both ends included.
type PortRanges [][2]uint16

// Has says whether a port is in one of the ranges.
func (r PortRanges) Has(p uint16) bool {
	for _, x := range r {
		if x[0] <= p && p <= x[1] {
			return true
		}
	}
	return false
}

// ReservedPorts gives the ports that a node keeps for itself.
func ReservedPorts(n *api.Node) PortRanges {
	if n.ReservedResources == nil {
		return nil
	}
	return ParsePorts(n.ReservedResources.Networks.ReservedHostPorts)
}

// ParsePorts reads a list such as "22,80,8500-8600". Parts that are not ports
// are left out; the agent's configuration has refused them before.
func ParsePorts(list string) PortRanges {
	var out PortRanges
	for part := range strings.SplitSeq(list, ",") {
		low, high, isRange := strings.Cut(strings.TrimSpace(part), "-")
		if !isRange {
			high = low
		}
		a, err := strconv.ParseUint(strings.TrimSpace(low), 10, 16)
		if err != nil {
			continue
		}
		b, err := strconv.ParseUint(strings.TrimSpace(high), 10, 16)
		if err != nil || b < a {
			continue
		}
		out = append(out, [2]uint16{uint16(a), uint16(b)})
	}
	return out
}
