package fingerprint

import (
	"log/slog"

	"github.com/seraihq/serai/api"
)

// HostNetwork is a named network of the configuration.
type HostNetwork struct {
	CIDR          string
	Interface     string
	ReservedPorts string
}

// Config is what the operator says about the node; zero values mean "as found".
type Config struct {
	AllocDir         string // its file system is the node's disk
	NetworkInterface string
	NetworkSpeed     int // Mbit/s
	PreferIPv6       bool
	HostNetworks     map[string]HostNetwork
	CPUTotalCompute  int // MHz
	MemoryTotalMB    int
	DiskTotalMB      int
	DiskFreeMB       int
	ReservableCores  string // "0-3,8"
	ReservedCores    string
	ReservedCPU      int // MHz
	CgroupParent     string
}

// Fingerprinter finds out one thing about a node.
type Fingerprinter struct {
	Name string
	// Find sets what it found on the node, also when it returns an error.
	Find func(cfg *Config, n *api.Node) error
}

// All lists the fingerprinters.
func All() []Fingerprinter {
	return []Fingerprinter{
		{"arch", arch},
		{"cgroup", cgroup},
		{"cpu", cpu},
		{"host", host},
		{"landlock", landlock},
		{"memory", memory},
		{"network", network},
		{"signal", signal},
		{"storage", storage},
		{"version", versions},
	}
}

// Run runs a list on a node. Maps and resources of the node must not be shared.
func Run(list []Fingerprinter, cfg *Config, n *api.Node, logger *slog.Logger) {
	if n.Attributes == nil {
		n.Attributes = map[string]string{}
	}
	if n.NodeResources == nil {
		n.NodeResources = &api.NodeResources{}
	}
	for _, f := range list {
		if err := find(f, cfg, n); err != nil {
			logger.Warn("a fingerprinter could not find out all: what depends on it is not offered", "fingerprinter", f.Name, "err", err)
		}
	}
}

// find turns a panic into an error: no oddity of a machine stops the agent.
func find(f Fingerprinter, cfg *Config, n *api.Node) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = api.Errorf(api.ErrInvalid, "panic: %v", p)
		}
	}()
	return f.Find(cfg, n)
}
