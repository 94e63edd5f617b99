package network

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/internal/pattern"
)

// Defaults of the bridge.
const (
	DefaultBridge = "serai"
	DefaultSubnet = "172.26.64.0/20"
	// DefaultRunDir holds what tells the agents of one machine apart.
	DefaultRunDir = "/run/serai/network"
	// DefaultInterval is the time between two comparisons of what is with what
	// should be.
	DefaultInterval = 5 * time.Second
)

// Blocked lists the addresses that pods do not reach unless the operator says
// otherwise: those at which clouds hand out credentials of the machine.
func Blocked() []string { return []string{"169.254.169.254", "fd00:ec2::254"} }

// Config is what New needs. Zero values get the defaults.
type Config struct {
	Logger *slog.Logger
	// Dir is the client's own directory for namespaces and results of plugins.
	Dir string
	// RunDir is shared by all agents of the machine.
	RunDir string
	// Node is the node's ID.
	Node string
	// Store keeps the records.
	Store Store
	// Driver gives a driver that makes namespaces itself.
	Driver func(ctx context.Context, name string) (drivers.Driver, error)
	// Living says whether an allocation may have tasks that run; Processes lists
	// those of one. Both are asked when something is mended.
	Living    func(allocID string) bool
	Processes func(allocID string) []int

	Bridge   string
	Subnet   string // IPv4
	SubnetV6 string // empty: pods have no IPv6
	// NoHairpin: the bridge sends nothing back through the port that it came from.
	// Where bridges pass their packets through the node's filters (br_netfilter), a
	// pod then does not reach itself by a port of the host.
	NoHairpin bool
	Blocked   []string
	CNIPath   string // directories, separated by colons
	CNIDir    string // holds the configurations
	Interval  time.Duration

	at func(place string) // tests stop here
}

// settings is a Config that was found to be sound.
type settings struct {
	Config
	subnet   netip.Prefix
	subnetV6 netip.Prefix // invalid: none
	gateway  netip.Prefix // the bridge's own address, with the length of the subnet
	gateway6 netip.Prefix
	blocked  []netip.Addr
}

// bridgeName: what the kernel takes, and what may stand in the name of a table.
var bridgeName = pattern.New(`^[a-zA-Z][a-zA-Z0-9_.-]{0,14}$`)

// smallest subnets: room for the bridge and a few pods.
const (
	longestV4 = 29
	longestV6 = 120
)

// Check says what is wrong with the configuration of the bridge.
func (c Config) Check() error {
	_, err := c.settings()
	return err
}

func (c Config) settings() (*settings, error) {
	s := &settings{Config: c}
	orText(&s.Bridge, DefaultBridge)
	orText(&s.Subnet, DefaultSubnet)
	orText(&s.RunDir, DefaultRunDir)
	if s.Blocked == nil {
		s.Blocked = Blocked()
	}
	if s.Interval <= 0 {
		s.Interval = DefaultInterval
	}
	if !bridgeName.MatchString(s.Bridge) {
		return nil, fmt.Errorf("bridge_network_name %q is not the name of a device: use up to 15 letters, digits, dots, dashes and underscores", s.Bridge)
	}
	var err error
	if s.subnet, s.gateway, err = subnet("bridge_network_subnet", s.Subnet, false); err != nil {
		return nil, err
	}
	if s.SubnetV6 != "" {
		if s.subnetV6, s.gateway6, err = subnet("bridge_network_subnet_ipv6", s.SubnetV6, true); err != nil {
			return nil, err
		}
	}
	for _, b := range s.Blocked {
		a, err := netip.ParseAddr(b)
		if err != nil || a.Zone() != "" {
			return nil, fmt.Errorf("bridge_network_blocked: %q is not an address such as 169.254.169.254", b)
		}
		s.blocked = append(s.blocked, a.Unmap())
	}
	return s, nil
}

// subnet reads a network; its first address is the bridge's.
func subnet(key, text string, v6 bool) (network, gateway netip.Prefix, err error) {
	p, err := netip.ParsePrefix(text)
	kind, longest := "an IPv4 network such as "+DefaultSubnet, longestV4
	if v6 {
		kind, longest = "an IPv6 network such as fd00:5e7a::/64", longestV6
	}
	if err != nil || p.Addr().Is6() != v6 || p.Addr().Is4In6() {
		return p, p, fmt.Errorf("%s %q is not %s", key, text, kind)
	}
	p = p.Masked()
	if p.Bits() > longest || p.Bits() < 8 {
		return p, p, fmt.Errorf("%s %q must have a length from 8 to %d", key, text, longest)
	}
	if !p.Addr().IsGlobalUnicast() {
		return p, p, fmt.Errorf("%s %q cannot be given to pods: it is not a network of unicast addresses", key, text)
	}
	return p, netip.PrefixFrom(p.Addr().Next(), p.Bits()), nil
}

func orText(v *string, fallback string) {
	if *v == "" {
		*v = fallback
	}
}
