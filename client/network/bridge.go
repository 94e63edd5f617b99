package network

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// handle opens a connection to the kernel in the calling thread's namespace.
func handle() (*netlink.Handle, error) {
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("netlink: %w", err)
	}
	return h, nil
}

// lookup gives a device; nil when there is none of that name.
func lookup(h *netlink.Handle, name string) (netlink.Link, error) {
	l, err := h.LinkByName(name)
	if _, none := errors.AsType[netlink.LinkNotFoundError](err); none {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("device %s: %w", name, err)
	}
	return l, nil
}

// ensureBridge makes the bridge, or what of it is missing, and gives its index.
func (m *Manager) ensureBridge(h *netlink.Handle) (netlink.Link, error) {
	name := m.set.Bridge
	link, err := lookup(h, name)
	if err != nil {
		return nil, err
	}
	if link == nil {
		if err := m.overlaps(h); err != nil {
			return nil, err
		}
		if link, err = m.makeBridge(h); err != nil {
			return nil, err
		}
	}
	if link.Type() != "bridge" {
		return nil, fmt.Errorf("device %q is a %s and no bridge: remove it, or give pods another bridge with client.bridge_network_name", name, link.Type())
	}
	if err := m.bridgeSwitches(); err != nil {
		return nil, err
	}
	if err := m.bridgeAddresses(h, link); err != nil {
		return nil, err
	}
	if err := m.bridgeMTU(h, link); err != nil {
		return nil, err
	}
	if err := h.LinkSetUp(link); err != nil {
		return nil, fmt.Errorf("bridge %s: %w", name, err)
	}
	return link, nil
}

// makeBridge makes the device. Its MAC is fixed: else it would change with the
// pods, and they would lose the way to it each time.
func (m *Manager) makeBridge(h *netlink.Handle) (netlink.Link, error) {
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU = m.set.Bridge, uplinkMTU(h)
	gw := m.set.gateway.Addr().As4()
	attrs.HardwareAddr = net.HardwareAddr{0x02, 0x5e, gw[0], gw[1], gw[2], gw[3]}
	if err := h.LinkAdd(&netlink.Bridge{LinkAttrs: attrs}); err != nil && !errors.Is(err, unix.EEXIST) {
		return nil, fmt.Errorf("bridge %s: %w", m.set.Bridge, err)
	}
	link, err := lookup(h, m.set.Bridge)
	if err == nil && link == nil {
		err = fmt.Errorf("bridge %s: it was removed by another", m.set.Bridge)
	}
	return link, err
}

// overlaps says whether the node is in the bridge's subnet already.
func (m *Manager) overlaps(h *netlink.Handle) error {
	addrs, err := h.AddrList(nil, unix.AF_UNSPEC)
	if err != nil {
		return fmt.Errorf("addresses of the node: %w", err)
	}
	for _, a := range addrs {
		p, ok := prefix(a.IPNet)
		if !ok {
			continue
		}
		for key, s := range map[string]netip.Prefix{"bridge_network_subnet": m.set.subnet, "bridge_network_subnet_ipv6": m.set.subnetV6} {
			if s.IsValid() && p.Overlaps(s) {
				return fmt.Errorf("the subnet %s of pods overlaps with address %s of this node: choose another client.%s", s, p, key)
			}
		}
	}
	return nil
}

func prefix(n *net.IPNet) (netip.Prefix, bool) {
	if n == nil {
		return netip.Prefix{}, false
	}
	a, ok := netip.AddrFromSlice(n.IP)
	if !ok {
		return netip.Prefix{}, false
	}
	bits, _ := n.Mask.Size()
	return netip.PrefixFrom(a.Unmap(), bits), true
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// setAddress gives a device an address without the kernel asking around first
// whether it is another's: they are given out here.
func setAddress(h *netlink.Handle, link netlink.Link, p netip.Prefix) error {
	a := &netlink.Addr{IPNet: ipNet(p)}
	if p.Addr().Is6() {
		a.Flags = unix.IFA_F_NODAD
	}
	if err := h.AddrReplace(link, a); err != nil {
		return fmt.Errorf("address %s of %s: %w", p, link.Attrs().Name, err)
	}
	return nil
}

// bridgeAddresses gives the bridge the addresses that pods have as their gateway,
// and takes those of earlier configurations from it. Addresses of others stay.
func (m *Manager) bridgeAddresses(h *netlink.Handle, link netlink.Link) error {
	have, err := h.AddrList(link, unix.AF_UNSPEC)
	if err != nil {
		return fmt.Errorf("bridge %s: %w", m.set.Bridge, err)
	}
	there := map[netip.Prefix]bool{}
	for _, a := range have {
		if p, ok := prefix(a.IPNet); ok {
			there[p] = true
		}
	}
	wanted := m.set.gateways()
	earlier, err := m.rememberGateways(wanted)
	if err != nil {
		return err
	}
	for _, p := range earlier {
		if there[p] {
			m.logger.Info("the bridge gives up its address in an earlier subnet", "bridge", m.set.Bridge, "address", p)
			if err := h.AddrDel(link, &netlink.Addr{IPNet: ipNet(p)}); err != nil {
				return fmt.Errorf("bridge %s: remove address %s: %w", m.set.Bridge, p, err)
			}
		}
	}
	for _, p := range wanted {
		if !there[p] {
			if err := setAddress(h, link, p); err != nil {
				return err
			}
		}
	}
	return m.forgetGateways(earlier)
}

// bridgeSwitches lets the node forward what comes from and goes to pods.
func (m *Manager) bridgeSwitches() error {
	conf := "conf/" + m.set.Bridge + "/"
	all := errors.Join(
		trySysctl("ipv4/"+conf+"send_redirects", "0"),
		trySysctl("ipv4/"+conf+"accept_redirects", "0"),
	)
	if sysctl("ipv4/ip_forward") != "1" {
		m.logger.Info("the node begins to forward IPv4 packets, which pods need", "sysctl", "net.ipv4.ip_forward")
		all = errors.Join(all, setSysctl("ipv4/ip_forward", "1"))
	}
	if !m.set.subnetV6.IsValid() {
		return errors.Join(all, trySysctl("ipv6/"+conf+"disable_ipv6", "1"))
	}
	// At once, and for good: the bridge's own address is nobody else's.
	all = errors.Join(all, setSysctl("ipv6/"+conf+"disable_ipv6", "0"),
		trySysctl("ipv6/"+conf+"accept_ra", "0"), trySysctl("ipv6/"+conf+"accept_dad", "0"))
	if sysctl("ipv6/conf/all/forwarding") != "1" {
		m.logger.Info("the node begins to forward IPv6 packets, which pods need", "sysctl", "net.ipv6.conf.all.forwarding")
		keepAdvertisements()
		all = errors.Join(all, setSysctl("ipv6/conf/all/forwarding", "1"))
	}
	return all
}

// keepAdvertisements lets devices that learn their routes from routers go on with
// it when the node forwards; by itself the kernel would stop.
func keepAdvertisements() {
	list, _ := filepath.Glob(sysctls + "ipv6/conf/*/accept_ra")
	for _, path := range list {
		if now, err := os.ReadFile(path); err == nil && string(now) == "1\n" {
			_ = os.WriteFile(path, []byte("2"), 0) // what does not take it, has no routes to lose
		}
	}
}
