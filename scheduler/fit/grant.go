package fit

import "github.com/seraihq/serai/api"

// Grant is what a task is given beyond what its group says: cores or devices
// of its own.
type Grant struct {
	Task      string
	CPUShares int64 // MHz that the cores stand for; 0 keeps the group's
	Cores     []uint16
	Devices   []*api.AllocatedDeviceResource
}

// WithGrants gives tasks their cores and devices. base is not changed.
func WithGrants(base *api.AllocatedResources, grants []Grant) *api.AllocatedResources {
	if len(grants) == 0 {
		return base
	}
	r := *base
	r.Tasks = make(map[string]*api.AllocatedTaskResources, len(base.Tasks))
	for name, t := range base.Tasks {
		r.Tasks[name] = t
	}
	for _, g := range grants {
		old, ok := r.Tasks[g.Task]
		if !ok {
			continue
		}
		t := *old
		t.Cpu.ReservedCores, t.Devices = g.Cores, g.Devices
		if g.CPUShares > 0 {
			t.Cpu.CpuShares = g.CPUShares
		}
		r.Tasks[g.Task] = &t
	}
	return &r
}

// KeepGrants gives what a group is given, with the ports, cores and devices
// that an allocation holds already.
func KeepGrants(base, held *api.AllocatedResources) *api.AllocatedResources {
	if base == nil || held == nil {
		return base
	}
	var grants []Grant
	for name, t := range held.Tasks {
		if len(t.Cpu.ReservedCores) > 0 || len(t.Devices) > 0 {
			g := Grant{Task: name, Cores: t.Cpu.ReservedCores, Devices: t.Devices}
			if len(t.Cpu.ReservedCores) > 0 {
				g.CPUShares = t.Cpu.CpuShares
			}
			grants = append(grants, g)
		}
	}
	r := WithGrants(base, grants)
	if len(held.Shared.Ports) > 0 || len(held.Shared.Networks) > 0 {
		c := *r
		c.Shared.Ports, c.Shared.Networks = held.Shared.Ports, held.Shared.Networks
		return &c
	}
	return r
}
