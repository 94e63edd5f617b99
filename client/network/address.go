package network

import (
	"fmt"
	"net/netip"
)

// pool gives addresses of a subnet. The next one is sought behind the last, so
// that an address that was given up rests before it is another's.
type pool struct {
	subnet netip.Prefix
	used   map[netip.Addr]string // allocation
	last   netip.Addr
}

func newPool(subnet, gateway netip.Prefix) *pool {
	return &pool{subnet: subnet, used: map[netip.Addr]string{gateway.Addr(): "the bridge"}, last: gateway.Addr()}
}

// claim notes an address that an allocation has already; false when it is not
// of the subnet or another's.
func (p *pool) claim(a netip.Addr, allocID string) bool {
	if owner, taken := p.used[a]; taken && owner != allocID || !p.usable(a) {
		return false
	}
	p.used[a] = allocID
	if p.last.Less(a) {
		p.last = a
	}
	return true
}

// take gives an allocation a free address.
func (p *pool) take(allocID string) (netip.Addr, error) {
	a := p.last
	for wrapped := false; ; {
		a = a.Next()
		if !a.IsValid() || !p.subnet.Contains(a) {
			if wrapped {
				return netip.Addr{}, fmt.Errorf("the subnet %s of the bridge has no free address (%d are taken): let fewer allocations run on the node (client.node_max_allocs), or choose a larger client.bridge_network_subnet", p.subnet, len(p.used))
			}
			wrapped, a = true, p.subnet.Addr()
			continue
		}
		if _, taken := p.used[a]; !taken && p.usable(a) {
			p.used[a], p.last = allocID, a
			return a, nil
		}
	}
}

// free gives an address back; one that is another's stays.
func (p *pool) free(a netip.Addr, allocID string) {
	if p.used[a] == allocID {
		delete(p.used, a)
	}
}

// usable: neither the network's own address nor the one that means all.
func (p *pool) usable(a netip.Addr) bool {
	if !p.subnet.Contains(a) || a == p.subnet.Addr() {
		return false
	}
	return a.Is6() || p.subnet.Contains(a.Next())
}
