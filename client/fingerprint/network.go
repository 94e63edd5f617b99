package fingerprint

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/seraihq/serai/api"
)

// assumedSpeed, in Mbit/s, is taken for a device whose speed the kernel does not tell.
const assumedSpeed = 1000

// network finds the node's address: that of the configured device, else of the
// one that the default route goes through, else of the first that is up.
func network(cfg *Config, n *api.Node) error {
	device, err := mainDevice(cfg)
	if err != nil {
		return err
	}
	addrs, err := addresses(device)
	if err != nil {
		return err
	}
	if len(addrs) == 0 {
		return fmt.Errorf("network device %q has no address: set client.network_interface", device)
	}
	preferred(addrs, cfg.PreferIPv6)
	n.Attributes["unique.network.ip-address"] = addrs[0].Addr().String()
	list := []*api.NetworkResource{}
	for _, a := range addrs[:1] {
		list = append(list, resource(device, a, cfg.NetworkSpeed))
	}
	named, err := hostNetworks(cfg, n, list)
	n.NodeResources.Networks = append(list, named...)
	return err
}

func mainDevice(cfg *Config) (string, error) {
	if cfg.NetworkInterface != "" {
		if _, err := net.InterfaceByName(cfg.NetworkInterface); err != nil {
			return "", fmt.Errorf("network_interface %q: %w", cfg.NetworkInterface, err)
		}
		return cfg.NetworkInterface, nil
	}
	if device := defaultRoute(); device != "" {
		return device, nil
	}
	devices, err := net.Interfaces()
	if err != nil {
		return "", err
	}
	loopback := ""
	for _, d := range devices {
		switch {
		case d.Flags&net.FlagUp == 0:
		case d.Flags&net.FlagLoopback != 0:
			loopback = d.Name
		default:
			if list, err := addresses(d.Name); err == nil && len(list) > 0 {
				return d.Name, nil
			}
		}
	}
	if loopback == "" {
		return "", errors.New("no network device is up")
	}
	return loopback, nil
}

// defaultRoute gives the device of the default route; empty when there is none.
func defaultRoute() string {
	f, err := os.Open("/proc/net/route")
	if err != nil {
		return ""
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) > 7 && fields[1] == "00000000" && fields[7] == "00000000" {
			return fields[0]
		}
	}
	return ""
}

// addresses gives a device's addresses that others can reach it by.
func addresses(device string) ([]netip.Prefix, error) {
	d, err := net.InterfaceByName(device)
	if err != nil {
		return nil, fmt.Errorf("network device %q: %w", device, err)
	}
	list, err := d.Addrs()
	if err != nil {
		return nil, fmt.Errorf("network device %q: %w", device, err)
	}
	var out []netip.Prefix
	for _, a := range list {
		p, err := netip.ParsePrefix(a.String())
		if err == nil && !p.Addr().IsLinkLocalUnicast() {
			out = append(out, netip.PrefixFrom(p.Addr().Unmap(), p.Bits()))
		}
	}
	return out, nil
}

// preferred puts addresses of the preferred family first.
func preferred(addrs []netip.Prefix, ipv6 bool) {
	slices.SortStableFunc(addrs, func(a, b netip.Prefix) int {
		switch {
		case a.Addr().Is6() == b.Addr().Is6():
			return 0
		case a.Addr().Is6() == ipv6:
			return -1
		}
		return 1
	})
}

func resource(device string, a netip.Prefix, speed int) *api.NetworkResource {
	if speed == 0 {
		speed = assumedSpeed
		if v, err := readInt("/sys/class/net/" + device + "/speed"); err == nil && v > 0 {
			speed = v
		}
	}
	ip := a.Addr()
	return &api.NetworkResource{
		Mode: "host", Device: device, IP: ip.String(),
		CIDR: netip.PrefixFrom(ip, ip.BitLen()).String(), MBits: speed,
	}
}

// hostNetworks sets the named networks, and gives their addresses that the node
// does not offer yet.
func hostNetworks(cfg *Config, n *api.Node, have []*api.NetworkResource) (more []*api.NetworkResource, problem error) {
	for name, h := range cfg.HostNetworks {
		device, a, err := findAddress(h)
		if err != nil {
			problem = errors.Join(problem, fmt.Errorf("host_network %q: %w", name, err))
			continue
		}
		if n.HostNetworks == nil {
			n.HostNetworks = map[string]*api.HostNetworkInfo{}
		}
		n.HostNetworks[name] = &api.HostNetworkInfo{Name: name, CIDR: h.CIDR, Interface: h.Interface, ReservedPorts: h.ReservedPorts}
		known := func(r *api.NetworkResource) bool { return r.IP == a.Addr().String() }
		if !slices.ContainsFunc(have, known) && !slices.ContainsFunc(more, known) {
			more = append(more, resource(device, a, cfg.NetworkSpeed))
		}
	}
	slices.SortFunc(more, func(a, b *api.NetworkResource) int { return strings.Compare(a.IP, b.IP) })
	return more, problem
}

// findAddress finds the node's address in a named network.
func findAddress(h HostNetwork) (device string, found netip.Prefix, err error) {
	var within netip.Prefix
	if h.CIDR != "" {
		if within, err = netip.ParsePrefix(h.CIDR); err != nil {
			return "", found, err
		}
	}
	devices, err := net.Interfaces()
	if err != nil {
		return "", found, err
	}
	for _, d := range devices {
		if h.Interface != "" && d.Name != h.Interface {
			continue
		}
		addrs, err := addresses(d.Name)
		if err != nil {
			continue
		}
		for _, a := range addrs {
			if !within.IsValid() || within.Contains(a.Addr()) {
				return d.Name, a, nil
			}
		}
	}
	return "", found, errors.New("no address of this node is in it")
}
