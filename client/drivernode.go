package client

import (
	"fmt"
	"slices"

	"github.com/seraihq/serai/drivers/plugin"
	"github.com/seraihq/serai/internal/cgroup"
)

// Ports that drivers may take for themselves; they lie below those that tasks are given.
const (
	driverMinPort = 14000
	driverMaxPort = 14512
)

// driverNode is what external drivers learn of this node.
func (c *Client) driverNode() plugin.Node {
	out := plugin.Node{MinPort: driverMinPort, MaxPort: driverMaxPort}
	n := c.node.Load()
	if n == nil || n.NodeResources == nil {
		return out
	}
	out.TotalMHz = n.NodeResources.Cpu.CpuShares
	if n.ReservedResources != nil {
		out.ReservedMHz = int64(n.ReservedResources.Cpu.CpuShares)
	}
	numa := map[int]int{}
	for i := 0; ; i++ {
		cores, err := cgroup.ParseCores(n.Attributes[fmt.Sprintf("numa.node%d.cores", i)])
		if err != nil || len(cores) == 0 {
			break
		}
		for _, c := range cores {
			numa[int(c)] = i
		}
	}
	for core, node := range numa {
		out.Cores = append(out.Cores, plugin.Core{ID: core, NUMA: node})
	}
	for i := 0; len(numa) == 0 && i < int(n.NodeResources.Cpu.TotalCpuCores); i++ {
		out.Cores = append(out.Cores, plugin.Core{ID: i})
	}
	slices.SortFunc(out.Cores, func(a, b plugin.Core) int { return a.ID - b.ID })
	return out
}
