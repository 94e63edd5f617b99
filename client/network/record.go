package network

import (
	"crypto/sha256"
	"encoding/hex"
	"net"
	"net/netip"
	"strings"

	"github.com/seraihq/serai/drivers"
)

// Store keeps records over a restart of the agent.
type Store interface {
	PutNetwork(allocID string, record any) error
	DeleteNetwork(allocID string) error
	// Networks gives all that is kept, as JSON, by allocation.
	Networks() (map[string][]byte, error)
}

// Modes of a group's network that have a namespace.
const (
	ModeBridge = "bridge"
	ModeNone   = "none"
	modeCNI    = "cni/" // the name of a configuration follows
)

// OwnNamespace says whether a group's network mode means a namespace of its own.
func OwnNamespace(mode string) bool {
	return mode == ModeBridge || mode == ModeNone || strings.HasPrefix(mode, modeCNI)
}

// IsCNI says whether a network mode names a network of plugins.
func IsCNI(mode string) bool { return strings.HasPrefix(mode, modeCNI) }

// Interface is the name of a pod's device.
const Interface = "eth0"

// Port is a port of the host that leads into a pod.
type Port struct {
	Label  string
	HostIP netip.Addr
	Host   uint16
	Inside uint16
}

// Record is what one allocation has been given. It is written before anything
// of it is made.
type Record struct {
	AllocID     string
	Mode        string
	Address     netip.Addr // of bridge and CNI pods
	AddressIPv6 netip.Addr
	Ports       []Port
	// Driver makes the namespace; empty: it is ours. Spec is what the driver said.
	Driver   string                    `json:",omitempty"`
	Spec     *drivers.NetworkIsolation `json:",omitempty"`
	Hostname string
	// Inode is that of the namespace, once there is one.
	Inode uint64
	CNI   *CNI `json:",omitempty"`
}

// CNI is what plugins were called with and what they made.
type CNI struct {
	Config    []byte   // the list of plugins, as it was then
	Path      []string // where they were
	Args      map[string]string
	Interface string
	DNS       *drivers.DNS
	// Links are the devices of the node that belong to it, each with that which it
	// hangs on; empty: on none.
	Links map[string]string `json:",omitempty"`
}

// clone is a copy whose fields can be changed.
func (r *Record) clone() *Record {
	c := *r
	if r.CNI != nil {
		n := *r.CNI
		c.CNI = &n
	}
	return &c
}

func (r *Record) bridged() bool { return r.Mode == ModeBridge }

// linkPrefix begins the names of the host's ends of our veth pairs; as much of the
// allocation's ID follows as a device's name may have.
const (
	linkPrefix = "serai-"
	linkDigits = 9
)

// link is the name of the host's end of the pod's veth pair.
func (r *Record) link() string { return linkName(r.AllocID) }

// linkName gives each allocation a name.
func linkName(allocID string) string {
	id := strings.ReplaceAll(allocID, "-", "")
	if len(id) < linkDigits || strings.Trim(id, "0123456789abcdef") != "" {
		sum := sha256.Sum256([]byte(allocID))
		id = hex.EncodeToString(sum[:])
	}
	return linkPrefix + id[:linkDigits]
}

// isLink says whether a device is named like one of ours.
func isLink(name string) bool {
	rest, ok := strings.CutPrefix(name, linkPrefix)
	return ok && len(rest) == linkDigits && strings.Trim(rest, "0123456789abcdef") == ""
}

// mac follows from the address, so that nobody remembers a wrong one.
func (r *Record) mac() net.HardwareAddr {
	a := r.Address.As4()
	return net.HardwareAddr{0x02, 0x5e, a[0], a[1], a[2], a[3]}
}

// linkLocal is the IPv6 address that the kernel makes from the MAC.
func (r *Record) linkLocal() netip.Addr {
	m := r.mac()
	return netip.AddrFrom16([16]byte{0: 0xfe, 1: 0x80, 8: m[0] ^ 2, 9: m[1], 10: m[2], 11: 0xff, 12: 0xfe, 13: m[3], 14: m[4], 15: m[5]})
}
