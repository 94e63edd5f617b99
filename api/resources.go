package api

import "strings"

// Resources is what a task asks for.
type Resources struct {
	CPU         int                `hcl:"cpu"`        // MHz
	Cores       int                `hcl:"cores"`      // whole cores; excludes CPU
	MemoryMB    int                `hcl:"memory"`     // MB that are reserved
	MemoryMaxMB int                `hcl:"memory_max"` // MB that may be used; 0 = MemoryMB, -1 = no limit
	SecretsMB   int                `hcl:"secrets"`    // MB of the secrets tmpfs
	DiskMB      int                `hcl:"disk"`       // read for old job files; refused unless 0
	IOPS        int                `hcl:"iops"`       // read for old job files; without effect
	Networks    []*NetworkResource `hcl:"network,block"`
	Devices     []*RequestedDevice `hcl:"device,block"`
	NUMA        *NUMAResource      `hcl:"numa,block"`
}

// NUMAResource asks for cores that are near to each other.
type NUMAResource struct {
	Affinity string   `hcl:"affinity"` // none, prefer or require
	Devices  []string `hcl:"devices"`
}

// RequestedDevice asks for devices such as GPUs.
type RequestedDevice struct {
	Name        string        `hcl:",label"` // type, vendor/type or vendor/type/model
	Count       uint64        `hcl:"count"`
	Share       float64       `json:",omitempty" hcl:"-"` // of one device, above 0 and below 1; count = 0.25 in a job file. Count is 1 then
	Constraints []*Constraint `hcl:"constraint,block"`
	Affinities  []*Affinity   `hcl:"affinity,block"`
}

// NetworkResource is a network that a group asks for, or that a node or an
// allocation has.
type NetworkResource struct {
	Mode     string     `hcl:"mode"` // host, bridge, none or cni/NAME
	Device   string     `hcl:"device"`
	CIDR     string     `hcl:"cidr"`
	IP       string     `hcl:"ip"`
	Hostname string     `hcl:"hostname"`
	MBits    int        `hcl:"mbits"` // read for old job files; without effect
	DNS      *DNSConfig `hcl:"dns,block"`
	CNI      *CNIConfig `hcl:"cni,block"`

	// A port block with `static` is in ReservedPorts, one without in DynamicPorts.
	ReservedPorts []Port `hcl:"-"`
	DynamicPorts  []Port `hcl:"port,block"`
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
	Label           string `hcl:",label"`
	Value           int    `hcl:"static"` // port on the host; 0 = chosen by the scheduler
	To              int    `hcl:"to"`     // port in the task; 0 = Value's own, -1 = the host's port
	HostNetwork     string `hcl:"host_network"`
	IgnoreCollision bool   `hcl:"ignore_collision"`
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
	Tasks          map[string]*AllocatedTaskResources
	TaskLifecycles map[string]*TaskLifecycle
	Shared         AllocatedSharedResources
}

// AllocatedTaskResources is what one task of an allocation has been given.
type AllocatedTaskResources struct {
	Cpu      AllocatedCpuResources
	Memory   AllocatedMemoryResources
	Networks []*NetworkResource
	Devices  []*AllocatedDeviceResource
}

// AllocatedSharedResources is what the tasks of an allocation share.
type AllocatedSharedResources struct {
	DiskMB   int64
	Networks []*NetworkResource
	Ports    []PortMapping
}

// AllocatedCpuResources is CPU in MHz, and whole cores by number.
type AllocatedCpuResources struct {
	CpuShares     int64
	ReservedCores []uint16
}

// AllocatedMemoryResources is memory in MB.
type AllocatedMemoryResources struct {
	MemoryMB    int64
	MemoryMaxMB int64
}

// AllocatedDeviceResource are instances of a device.
type AllocatedDeviceResource struct {
	Vendor    string
	Type      string
	Name      string
	DeviceIDs []string
	Share     float64 `json:",omitempty"` // of the device, where it is not the whole
}

// PortMapping is a named port with its place on the host.
type PortMapping struct {
	Label           string
	Value           int // on the host
	To              int // in the task
	HostIP          string
	IgnoreCollision bool
}
