package plugin

import "github.com/seraihq/serai/drivers/plugin/internal/wire/base"

// Node is what a driver process learns of its node when it is configured. The zero Node says nothing.
type Node struct {
	// MinPort and MaxPort are the ports that drivers may take for themselves.
	MinPort, MaxPort int
	// Cores are the node's, TotalMHz the speed of all together as the scheduler counts it, ReservedMHz the part of it that tasks do not get.
	Cores       []Core
	TotalMHz    int64
	ReservedMHz int64
}

// Core is one core of a node.
type Core struct{ ID, NUMA int }

func (n Node) toWire() *base.NomadConfig {
	d := &base.NomadDriverConfig{ClientMinPort: uint32(n.MinPort), ClientMaxPort: uint32(n.MaxPort)}
	if len(n.Cores) > 0 {
		d.Topology = n.topology()
	}
	return &base.NomadConfig{Driver: d}
}

// topology tells the cores. Distances between NUMA nodes are told as far and near only: no driver asks for more.
func (n Node) topology() *base.ClientTopology {
	out := &base.ClientTopology{OverrideTotalCompute: uint64(n.TotalMHz), OverrideWitholdCompute: uint64(n.ReservedMHz)}
	speed := uint64(n.TotalMHz) / uint64(len(n.Cores))
	nodes := 0
	for _, c := range n.Cores {
		nodes = max(nodes, c.NUMA+1)
		out.Cores = append(out.Cores, &base.ClientTopologyCore{SocketId: uint32(c.NUMA), NodeId: uint32(c.NUMA), CoreId: uint32(c.ID),
			BaseSpeed: speed, MaxSpeed: speed, GuessSpeed: speed})
	}
	out.Distances = &base.ClientTopologySLIT{Dimension: uint32(nodes)}
	for i := range nodes {
		out.NodeIds = append(out.NodeIds, uint32(i))
		for j := range nodes {
			distance := uint32(20)
			if i == j {
				distance = 10
			}
			out.Distances.Values = append(out.Distances.Values, distance)
		}
	}
	return out
}
