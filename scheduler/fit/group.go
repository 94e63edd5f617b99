package fit

import (
	"slices"

	"github.com/seraihq/serai/api"
)

// Resources gives what an allocation of a group is given when it needs neither
// ports nor cores nor devices of its own (see WithPorts). The result is made
// from the group alone, so that every server makes the same. Unless the cluster
// or node pool allows oversubscription, memory_max is left out.
func Resources(g *api.TaskGroup, oversubscribe bool) *api.AllocatedResources {
	r := &api.AllocatedResources{
		Tasks:          make(map[string]*api.AllocatedTaskResources, len(g.Tasks)),
		TaskLifecycles: make(map[string]*api.TaskLifecycle, len(g.Tasks)),
	}
	if g.EphemeralDisk != nil {
		r.Shared.DiskMB = int64(g.EphemeralDisk.SizeMB)
	}
	for _, t := range g.Tasks {
		a := &api.AllocatedTaskResources{}
		if t.Resources != nil {
			a.Cpu.CpuShares = int64(t.Resources.CPU)
			a.Memory.MemoryMB = int64(t.Resources.MemoryMB)
			if oversubscribe {
				a.Memory.MemoryMaxMB = int64(t.Resources.MemoryMaxMB)
			}
		}
		r.Tasks[t.Name] = a
		r.TaskLifecycles[t.Name] = t.Lifecycle
	}
	return r
}

// WithPorts gives base with ports on the host for a group's network. The
// networks that the allocation shows are those of the group with the values
// filled in and the address of the first port. base is not changed.
func WithPorts(base *api.AllocatedResources, g *api.TaskGroup, ports []api.PortMapping) *api.AllocatedResources {
	if len(ports) == 0 && len(g.Networks) == 0 {
		return base
	}
	r := *base
	r.Shared.Ports = ports
	r.Shared.Networks = make([]*api.NetworkResource, len(g.Networks))
	for i, n := range g.Networks {
		c := *n
		c.ReservedPorts = withValues(n.ReservedPorts, ports)
		c.DynamicPorts = withValues(n.DynamicPorts, ports)
		if len(ports) > 0 && c.IP == "" {
			c.IP = ports[0].HostIP
		}
		r.Shared.Networks[i] = &c
	}
	return &r
}

// WithUsedPorts gives base with the ports that an allocation was given. base is
// not changed.
func WithUsedPorts(base *Usage, ports []api.PortMapping) *Usage {
	u := base.Clone()
	for _, p := range ports {
		u.addPort(p.Value, p.HostIP, p.IgnoreCollision)
	}
	slices.SortFunc(u.Ports, comparePorts)
	u.Ports = slices.Compact(u.Ports)
	return u
}

func withValues(ports []api.Port, mapped []api.PortMapping) []api.Port {
	if len(ports) == 0 {
		return ports
	}
	out := make([]api.Port, len(ports))
	copy(out, ports)
	for i := range out {
		for _, m := range mapped {
			if m.Label == out[i].Label {
				out[i].Value, out[i].To = m.Value, m.To
			}
		}
	}
	return out
}
