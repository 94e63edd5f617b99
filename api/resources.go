package api

import "strings"

// Resources is what a task asks for.
type Resources struct {
	CPU         int                `hcl:"cpu" cbor:",omitzero"`        // MHz
	Cores       int                `hcl:"cores" cbor:",omitzero"`      // whole cores; excludes CPU
	MemoryMB    int                `hcl:"memory" cbor:",omitzero"`     // MB that are reserved
	MemoryMaxMB int                `hcl:"memory_max" cbor:",omitzero"` // MB that may be used; 0 = MemoryMB, -1 = no limit
	SecretsMB   int                `hcl:"secrets" cbor:",omitzero"`    // MB of the secrets tmpfs
	DiskMB      int                `hcl:"disk" cbor:",omitzero"`       // read for old job files; refused unless 0
	IOPS        int                `hcl:"iops" cbor:",omitzero"`       // read for old job files; without effect
	Networks    []*NetworkResource `hcl:"network,block" cbor:",omitzero"`
	Devices     []*RequestedDevice `hcl:"device,block" cbor:",omitzero"`
	NUMA        *NUMAResource      `hcl:"numa,block" cbor:",omitzero"`
}

// NUMAResource asks for cores that are near to each other.
type NUMAResource struct {
	Affinity string   `hcl:"affinity"` // none, prefer or require
	Devices  []string `hcl:"devices"`
}

// RequestedDevice asks for devices such as GPUs.
type RequestedDevice struct {
	Name        string        `hcl:",label" cbor:",omitzero"` // type, vendor/type or vendor/type/model
	Count       uint64        `hcl:"count" cbor:",omitzero"`
	Share       float64       `json:",omitempty" hcl:"-"` // of one device, above 0 and below 1; count = 0.25 in a job file. Count is 1 then
	Constraints []*Constraint `hcl:"constraint,block" cbor:",omitzero"`
	Affinities  []*Affinity   `hcl:"affinity,block" cbor:",omitzero"`
}

// NetworkResource is a network that a group asks for, or that a node or an
// allocation has.
type NetworkResource struct {
	Mode     string     `hcl:"mode" cbor:",omitzero"` // host, bridge, none or cni/NAME
	Device   string     `hcl:"device" cbor:",omitzero"`
	CIDR     string     `hcl:"cidr" cbor:",omitzero"`
	IP       string     `hcl:"ip" cbor:",omitzero"`
	Hostname string     `hcl:"hostname" cbor:",omitzero"`
	MBits    int        `hcl:"mbits" cbor:",omitzero"` // read for old job files; without effect
	DNS      *DNSConfig `hcl:"dns,block" cbor:",omitzero"`
	CNI      *CNIConfig `hcl:"cni,block" cbor:",omitzero"`

	// A port block with `static` is in ReservedPorts, one without in DynamicPorts.
	ReservedPorts []Port `hcl:"-" cbor:",omitzero"`
	DynamicPorts  []Port `hcl:"port,block" cbor:",omitzero"`
}

// cniMode begins the modes of networks that plugins make.
const cniMode = "cni/"

// OwnNamespace says whether tasks have a network of their own in it, not that of
// the host.
func (n *NetworkResource) OwnNamespace() bool {
	return n.Mode == "bridge" || n.Mode == "none" || strings.HasPrefix(n.Mode, cniMode)
}

// Port is a named port.
type Port struct {
	Label           string `hcl:",label" cbor:",omitzero"`
	Value           int    `hcl:"static" cbor:",omitzero"` // port on the host; 0 = chosen by the scheduler
	To              int    `hcl:"to" cbor:",omitzero"`     // port in the task; 0 = Value's own, -1 = the host's port
	HostNetwork     string `hcl:"host_network" cbor:",omitzero"`
	IgnoreCollision bool   `hcl:"ignore_collision" cbor:",omitzero"`
}

// DNSConfig is the resolver configuration of a network.
type DNSConfig struct {
	Servers  []string `hcl:"servers"`
	Searches []string `hcl:"searches"`
	Options  []string `hcl:"options"`
}

// CNIConfig is handed to CNI plugins.
type CNIConfig struct {
	Args map[string]string `hcl:"args"`
}

// AllocatedResources is what an allocation has been given.
type AllocatedResources struct {
	Tasks          map[string]*AllocatedTaskResources `cbor:",omitzero"`
	TaskLifecycles map[string]*TaskLifecycle          `cbor:",omitzero"`
	Shared         AllocatedSharedResources           `cbor:",omitzero"`
}

// AllocatedTaskResources is what one task of an allocation has been given.
type AllocatedTaskResources struct {
	Cpu      AllocatedCpuResources      `cbor:",omitzero"`
	Memory   AllocatedMemoryResources   `cbor:",omitzero"`
	Networks []*NetworkResource         `cbor:",omitzero"`
	Devices  []*AllocatedDeviceResource `cbor:",omitzero"`
}

// AllocatedSharedResources is what the tasks of an allocation share.
type AllocatedSharedResources struct {
	DiskMB   int64              `cbor:",omitzero"`
	Networks []*NetworkResource `cbor:",omitzero"`
	Ports    []PortMapping      `cbor:",omitzero"`
}

// AllocatedCpuResources is CPU in MHz, and whole cores by number.
type AllocatedCpuResources struct {
	CpuShares     int64    `cbor:",omitzero"`
	ReservedCores []uint16 `cbor:",omitzero"`
}

// AllocatedMemoryResources is memory in MB.
type AllocatedMemoryResources struct {
	MemoryMB    int64 `cbor:",omitzero"`
	MemoryMaxMB int64 `cbor:",omitzero"`
}

// AllocatedDeviceResource are instances of a device.
type AllocatedDeviceResource struct {
	Vendor    string   `cbor:",omitzero"`
	Type      string   `cbor:",omitzero"`
	Name      string   `cbor:",omitzero"`
	DeviceIDs []string `cbor:",omitzero"`
	Share     float64  `json:",omitempty"` // of the device, where it is not the whole
}

// PortMapping is a named port with its place on the host.
type PortMapping struct {
	Label           string
	Value           int // on the host
	To              int // in the task
	HostIP          string
	IgnoreCollision bool
}
