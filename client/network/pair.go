package network

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// upFlag of a device that is to be used.
const upFlag = unix.IFF_UP

// connect hangs a pod's namespace on the bridge. What of it stands stays as it is.
func (m *Manager) connect(r *Record, ns namespace) error {
	h, err := handle()
	if err != nil {
		return err
	}
	defer h.Close()
	bridge, err := m.ensureBridge(h)
	if err != nil {
		return err
	}
	outer, err := lookup(h, r.link())
	if err != nil {
		return err
	}
	if outer != nil && !m.connected(r, ns) {
		if err := deleteLink(h, outer); err != nil {
			return err
		}
		outer = nil
	}
	if outer == nil {
		if outer, err = m.makePair(h, r, ns, bridge.Attrs().MTU); err != nil {
			return err
		}
	}
	m.at("pair")
	if err := m.plug(h, r, outer, bridge); err != nil {
		return err
	}
	m.at("plugged")
	return ns.within(func() error { return m.inside(r, bridge.Attrs().MTU) })
}

func deleteLink(h *netlink.Handle, l netlink.Link) error {
	if err := h.LinkDel(l); err != nil && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("remove device %s: %w", l.Attrs().Name, err)
	}
	return nil
}

// connected says whether the pod's end of its pair is in the namespace.
func (m *Manager) connected(r *Record, ns namespace) bool {
	found := false
	_ = ns.within(func() error {
		h, err := handle()
		if err != nil {
			return err
		}
		defer h.Close()
		l, err := lookup(h, Interface)
		found = err == nil && l != nil && l.Type() == "veth" && l.Attrs().HardwareAddr.String() == r.mac().String()
		return nil
	})
	return found
}

// makePair makes both ends at once, the pod's in its namespace.
func (m *Manager) makePair(h *netlink.Handle, r *Record, ns namespace, mtu int) (netlink.Link, error) {
	f, err := os.Open(ns.path)
	if err != nil {
		return nil, fmt.Errorf("network namespace: %w", err)
	}
	defer f.Close()
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU = r.link(), mtu
	v := netlink.NewVeth(attrs)
	v.PeerName, v.PeerHardwareAddr, v.PeerMTU = Interface, r.mac(), uint32(mtu)
	v.PeerNamespace = netlink.NsFd(int(f.Fd()))
	if err := h.LinkAdd(v); err != nil {
		return nil, fmt.Errorf("veth pair %s: %w", r.link(), err)
	}
	l, err := lookup(h, r.link())
	if err == nil && l == nil {
		err = fmt.Errorf("veth pair %s: it was removed by another", r.link())
	}
	return l, err
}

// plug puts the host's end into the bridge.
func (m *Manager) plug(h *netlink.Handle, r *Record, outer, bridge netlink.Link) error {
	name := outer.Attrs().Name
	if err := trySysctl("ipv6/conf/"+name+"/disable_ipv6", "1"); err != nil {
		return err
	}
	if outer.Attrs().MasterIndex != bridge.Attrs().Index {
		if err := h.LinkSetMaster(outer, bridge); err != nil {
			return fmt.Errorf("device %s: put into bridge %s: %w", name, m.set.Bridge, err)
		}
		if !m.set.NoHairpin {
			if err := h.LinkSetHairpin(outer, true); err != nil {
				return fmt.Errorf("device %s: hairpin mode: %w", name, err)
			}
		}
	}
	if err := followMTU(h, outer, bridge.Attrs().MTU); err != nil {
		return err
	}
	if err := h.LinkSetUp(outer); err != nil {
		return fmt.Errorf("device %s: %w", name, err)
	}
	return nil
}

// dropAddresses takes those of an earlier subnet from the pod's device. The
// kernel's own, of the link, stay.
func dropAddresses(h *netlink.Handle, l netlink.Link, wanted []netip.Prefix) error {
	have, err := h.AddrList(l, unix.AF_UNSPEC)
	if err != nil {
		return fmt.Errorf("addresses of the pod: %w", err)
	}
	for _, a := range have {
		p, ok := prefix(a.IPNet)
		if !ok || p.Addr().IsLinkLocalUnicast() || slices.Contains(wanted, p) {
			continue
		}
		if err := h.AddrDel(l, &a); err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
			return fmt.Errorf("remove address %s of the pod: %w", p, err)
		}
	}
	return nil
}

// inside gives the pod its addresses and routes. The thread is in its namespace.
func (m *Manager) inside(r *Record, mtu int) error {
	h, err := handle()
	if err != nil {
		return err
	}
	defer h.Close()
	if err := loopback(h); err != nil {
		return err
	}
	l, err := lookup(h, Interface)
	if err != nil {
		return err
	}
	if l == nil {
		return fmt.Errorf("the pod has no device %s", Interface)
	}
	if err := podSwitches(m.set.subnetV6.IsValid()); err != nil {
		return err
	}
	addresses := []netip.Prefix{netip.PrefixFrom(r.Address, m.set.subnet.Bits())}
	if r.AddressIPv6.IsValid() {
		addresses = append(addresses, netip.PrefixFrom(r.AddressIPv6, m.set.subnetV6.Bits()))
	}
	if err := dropAddresses(h, l, addresses); err != nil {
		return err
	}
	for _, a := range addresses {
		if err := setAddress(h, l, a); err != nil {
			return err
		}
	}
	if err := followMTU(h, l, mtu); err != nil {
		return err
	}
	if err := h.LinkSetUp(l); err != nil {
		return fmt.Errorf("device %s of the pod: %w", Interface, err)
	}
	if err := defaultRoute(h, l, m.set.gateway.Addr()); err != nil {
		return err
	}
	if r.AddressIPv6.IsValid() {
		return defaultRoute(h, l, m.set.gateway6.Addr())
	}
	return nil
}

func loopback(h *netlink.Handle) error {
	lo, err := h.LinkByName("lo")
	if err == nil {
		err = h.LinkSetUp(lo)
	}
	if err != nil {
		return fmt.Errorf("loopback of the pod: %w", err)
	}
	return nil
}

func defaultRoute(h *netlink.Handle, l netlink.Link, gateway netip.Addr) error {
	all := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	if gateway.Is6() {
		all = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	r := &netlink.Route{LinkIndex: l.Attrs().Index, Gw: gateway.AsSlice(), Dst: ipNet(all)}
	if err := h.RouteReplace(r); err != nil {
		return fmt.Errorf("default route of the pod through %s: %w", gateway, err)
	}
	return nil
}

// podSwitches: tasks that are not root may bind the ports below 1024 of their
// own pod, and routers that other pods play are not listened to.
func podSwitches(v6 bool) error {
	all := errors.Join(
		trySysctl("ipv4/ip_unprivileged_port_start", "0"),
		trySysctl("ipv4/conf/"+Interface+"/accept_redirects", "0"),
		trySysctl("ipv4/conf/all/accept_redirects", "0"),
		trySysctl("ipv6/conf/"+Interface+"/accept_ra", "0"),
		trySysctl("ipv6/conf/"+Interface+"/accept_dad", "0"), // addresses are given out: they need no second
		trySysctl("ipv6/conf/"+Interface+"/accept_redirects", "0"),
	)
	off := "1"
	if v6 {
		off = "0"
	}
	return errors.Join(all, trySysctl("ipv6/conf/"+Interface+"/disable_ipv6", off))
}
