package node

import (
	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/pattern"
	"github.com/seraihq/serai/scheduler/feasible"
)

// Limits of what a node may say of itself. They are far beyond any machine, and
// small enough that sums over a fleet cannot overflow.
const (
	maxMHz        = 1 << 30
	maxMB         = 1 << 40
	maxFacts      = 4096 // attributes, meta, drivers, volumes and host networks each
	maxFactLength = 64 << 10
	maxDevices    = 4096 // instances of all devices
	maxNetworks   = 256
	maxName       = 512 // name, datacenter, class, address
)

// poolName is what the names of node pools look like: a node may make a new one.
var poolName = pattern.New(`^[a-zA-Z0-9-_]{1,128}$`)

// nodeID is what the IDs of nodes look like. They stand in paths, in the names of
// hosts and in tokens.
var nodeID = pattern.New(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// own gives a node with what the servers alone say of it left out: drains are
// theirs, and so is its class. The caller's may be in use there.
func own(n *api.Node) *api.Node {
	out := *n
	out.Drain, out.DrainStrategy, out.LastDrain, out.Events = false, nil, nil, nil
	out.ComputedClass = feasible.ComputedClass(n)
	return &out
}

// sane refuses a node whose description cannot be true.
func sane(n *api.Node) error {
	bad := func(format string, args ...any) error {
		return api.Errorf(api.ErrInvalid, "register node %s: "+format, append([]any{n.ID}, args...)...)
	}
	if n.NodePool != "" && !poolName.MatchString(n.NodePool) {
		return bad("node pool %.140q: a name has 1 to 128 letters, digits, - and _", n.NodePool)
	}
	for what, text := range map[string]string{"name": n.Name, "datacenter": n.Datacenter, "node class": n.NodeClass, "HTTP address": n.HTTPAddr} {
		if len(text) > maxName {
			return bad("its %s is longer than %d bytes", what, maxName)
		}
	}
	for what, facts := range map[string]map[string]string{"attributes": n.Attributes, "meta": n.Meta, "links": n.Links} {
		if len(facts) > maxFacts {
			return bad("%d %s are more than %d", len(facts), what, maxFacts)
		}
		for k, v := range facts {
			if len(k)+len(v) > maxFactLength {
				return bad("%s %.40q is longer than %d bytes", what, k, maxFactLength)
			}
		}
	}
	switch n.Status {
	case "", api.NodeStatusInit, api.NodeStatusReady:
	default:
		return bad("a node says that it is %q or %q, not %.40q", api.NodeStatusReady, api.NodeStatusInit, n.Status)
	}
	switch n.SchedulingEligibility {
	case "", api.NodeEligible, api.NodeIneligible:
	default:
		return bad("eligibility %.40q is neither %q nor %q", n.SchedulingEligibility, api.NodeEligible, api.NodeIneligible)
	}
	if len(n.Drivers) > maxFacts || len(n.HostVolumes) > maxFacts || len(n.HostNetworks) > maxFacts {
		return bad("more than %d drivers, host volumes or host networks", maxFacts)
	}
	if n.NodeMaxAllocs < 0 {
		return bad("node_max_allocs %d is negative", n.NodeMaxAllocs)
	}
	r := n.NodeResources
	if r == nil {
		return nil
	}
	switch {
	case r.Cpu.CpuShares < 0 || r.Cpu.CpuShares > maxMHz:
		return bad("%d MHz of CPU cannot be; it is 0 to %d", r.Cpu.CpuShares, maxMHz)
	case r.Memory.MemoryMB < 0 || r.Memory.MemoryMB > maxMB:
		return bad("%d MB of memory cannot be; it is 0 to %d", r.Memory.MemoryMB, int64(maxMB))
	case r.Disk.DiskMB < 0 || r.Disk.DiskMB > maxMB:
		return bad("%d MB of disk cannot be; it is 0 to %d", r.Disk.DiskMB, int64(maxMB))
	case len(r.Networks) > maxNetworks:
		return bad("%d networks are more than %d", len(r.Networks), maxNetworks)
	case r.MinDynamicPort < 0 || r.MaxDynamicPort > 65535 || r.MaxDynamicPort > 0 && r.MinDynamicPort > r.MaxDynamicPort:
		return bad("dynamic ports %d to %d are no range", r.MinDynamicPort, r.MaxDynamicPort)
	}
	devices := 0
	for _, d := range r.Devices {
		if d == nil {
			return bad("a device is null")
		}
		devices += len(d.Instances)
		for _, i := range d.Instances {
			if i == nil || i.ID == "" {
				return bad("an instance of device %s/%s/%s has no ID", d.Vendor, d.Type, d.Name)
			}
		}
	}
	if devices > maxDevices {
		return bad("%d devices are more than %d", devices, maxDevices)
	}
	if k := n.ReservedResources; k != nil && (k.Cpu.CpuShares > maxMHz || k.Memory.MemoryMB > maxMB || k.Disk.DiskMB > maxMB) {
		return bad("more is reserved than a node can have")
	}
	return nil
}
