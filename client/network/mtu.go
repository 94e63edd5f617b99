package network

import (
	"fmt"
	"net"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Sizes of packets, in bytes: what Ethernet takes, and the least that IPv6 needs.
const (
	usualMTU = 1500
	leastMTU = 1280
)

// uplinkMTU is that of the device which the default route goes through: what
// pods send has to pass it. Where there are several such routes, the preferred
// one counts, and one of IPv6 only where there is none of IPv4.
func uplinkMTU(h *netlink.Handle) int {
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		routes, err := h.RouteList(nil, family)
		if err != nil {
			continue
		}
		mtu, best := 0, 0
		for _, r := range routes {
			if r.Dst != nil && r.Dst.IP != nil && !r.Dst.IP.IsUnspecified() || mtu > 0 && r.Priority >= best {
				continue
			}
			l, err := h.LinkByIndex(r.LinkIndex)
			if err == nil && l.Attrs().MTU >= leastMTU && l.Attrs().Flags&net.FlagLoopback == 0 {
				mtu, best = l.Attrs().MTU, r.Priority
			}
		}
		if mtu > 0 {
			return mtu
		}
	}
	return usualMTU
}

// bridgeMTU lets the bridge follow the uplink: another one may have come since it
// was made, a tunnel for example.
func (m *Manager) bridgeMTU(h *netlink.Handle, bridge netlink.Link) error {
	now, was := uplinkMTU(h), bridge.Attrs().MTU
	if now == was {
		return nil
	}
	m.logger.Info("the packets of pods get the size that the uplink of the node takes", "bridge", m.set.Bridge, "mtu", now, "was", was)
	return followMTU(h, bridge, now)
}

// followMTU sets the greatest size of a device's packets, and notes it.
func followMTU(h *netlink.Handle, l netlink.Link, mtu int) error {
	if l.Attrs().MTU == mtu {
		return nil
	}
	if err := h.LinkSetMTU(l, mtu); err != nil {
		return fmt.Errorf("device %s: set the MTU to %d: %w", l.Attrs().Name, mtu, err)
	}
	l.Attrs().MTU = mtu
	return nil
}
