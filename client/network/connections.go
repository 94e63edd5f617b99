package network

import (
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// forgotten chooses the connections that the kernel must not remember any more.
type forgotten struct {
	pods  map[netip.Addr]bool           // that are gone
	ports map[netip.AddrPort]netip.Addr // UDP ports of the host, and whom they lead to now
}

// MatchConntrackFlow implements netlink.CustomConntrackFilter.
func (f *forgotten) MatchConntrackFlow(flow *netlink.ConntrackFlow) bool {
	from, ok1 := netip.AddrFromSlice(flow.Forward.SrcIP)
	to, ok2 := netip.AddrFromSlice(flow.Forward.DstIP)
	answers, ok3 := netip.AddrFromSlice(flow.Reverse.SrcIP)
	if !ok1 || !ok2 || !ok3 {
		return false
	}
	from, to, answers = from.Unmap(), to.Unmap(), answers.Unmap()
	if f.pods[from] || f.pods[to] || f.pods[answers] {
		return true
	}
	if flow.Forward.Protocol != unix.IPPROTO_UDP {
		return false
	}
	now, mapped := f.ports[netip.AddrPortFrom(to, flow.Forward.DstPort)]
	return mapped && answers != now
}

func (f *forgotten) empty() bool { return len(f.pods)+len(f.ports) == 0 }

// forgetPod notes that a pod is gone: a new one may get its address.
func (m *Manager) forgetPod(r *Record) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range []netip.Addr{r.Address, r.AddressIPv6} {
		if a.IsValid() {
			m.stale.pods[a] = true
		}
	}
	m.pokeLocked()
}

// forgetPorts notes that UDP ports lead to a pod now. Who sends without a pause
// would go on with the way that there was before.
func (m *Manager) forgetPorts(r *Record) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range r.Ports {
		inside := r.Address
		if p.HostIP.Is6() {
			inside = r.AddressIPv6
		}
		m.stale.ports[netip.AddrPortFrom(p.HostIP, p.Host)] = inside
	}
	if len(r.Ports) > 0 {
		m.pokeLocked()
	}
}

func (m *Manager) pokeLocked() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

func newForgotten() forgotten {
	return forgotten{pods: map[netip.Addr]bool{}, ports: map[netip.AddrPort]netip.Addr{}}
}

// forgetConnections lets the kernel forget. It goes through all connections of
// the node once, for all that came together.
func (m *Manager) forgetConnections() {
	m.mu.Lock()
	f := m.stale
	m.stale = newForgotten()
	// An address that is a pod's again keeps its connections.
	for _, p := range m.pods {
		if p.record != nil && p.routed {
			delete(f.pods, p.record.Address)
			delete(f.pods, p.record.AddressIPv6)
		}
	}
	m.mu.Unlock()
	if f.empty() {
		return
	}
	h, err := netlink.NewHandle(unix.NETLINK_NETFILTER)
	if err != nil {
		m.logger.Warn("connections of pods that are gone are not forgotten", "err", err)
		return
	}
	defer h.Close()
	families := []netlink.InetFamily{unix.AF_INET}
	if m.set.subnetV6.IsValid() {
		families = append(families, unix.AF_INET6)
	}
	for _, family := range families {
		if _, err := h.ConntrackDeleteFilters(netlink.ConntrackTable, family, &f); err != nil {
			m.logger.Warn("connections of pods that are gone are not forgotten", "err", err)
			return
		}
	}
}
