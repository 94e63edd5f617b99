package fleet

import (
	"net/netip"
	"slices"
	"strconv"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/fit"
)

// Range of dynamic ports of a node that does not say.
const (
	defaultMinDynamicPort = 20000
	defaultMaxDynamicPort = 32000
)

// network is what a row's node says of its ports.
type network struct {
	address  string // of the default host network
	present  bool
	hosts    map[string]hostNetwork
	reserved fit.PortRanges
	min, max int
	kept     int // how many reserved ports there are, at most
}

type hostNetwork struct {
	address  string
	reserved fit.PortRanges
}

func networkOf(n *api.Node) network {
	w := network{min: defaultMinDynamicPort, max: defaultMaxDynamicPort, reserved: fit.ReservedPorts(n)}
	r := n.NodeResources
	if r == nil {
		return w
	}
	if r.MinDynamicPort > 0 {
		w.min = r.MinDynamicPort
	}
	if r.MaxDynamicPort > 0 {
		w.max = r.MaxDynamicPort
	}
	w.min, w.max = max(w.min, 1), min(w.max, 65535)
	for _, x := range w.reserved {
		w.kept += int(x[1]) - int(x[0]) + 1
	}
	for _, x := range r.Networks {
		if x != nil && (x.Mode == "" || x.Mode == "host") {
			w.address, w.present = x.IP, true
			break
		}
	}
	for name, h := range n.HostNetworks {
		if h == nil {
			continue
		}
		if w.hosts == nil {
			w.hosts = map[string]hostNetwork{}
		}
		w.hosts[name] = hostNetwork{address: hostAddress(r.Networks, h), reserved: fit.ParsePorts(h.ReservedPorts)}
	}
	return w
}

// hostAddress finds the node's address in a named network: one within the CIDR
// or on the interface, else the address that the CIDR itself names.
func hostAddress(networks []*api.NetworkResource, h *api.HostNetworkInfo) string {
	prefix, err := netip.ParsePrefix(h.CIDR)
	for _, x := range networks {
		if x == nil {
			continue
		}
		ip, ipErr := netip.ParseAddr(x.IP)
		if err == nil && ipErr == nil && prefix.Contains(ip) || err != nil && h.Interface != "" && x.Device == h.Interface {
			return x.IP
		}
	}
	if err == nil && prefix.IsSingleIP() {
		return prefix.Addr().String()
	}
	return ""
}

// PortAsk asks for a port on the host.
type PortAsk struct {
	Label           string
	Static          int // 0: any of the dynamic range
	To              int
	HostNetwork     string // empty or "default": the node's own
	IgnoreCollision bool
}

// Ports chooses ports on a row; the seed decides which dynamic ones. If it
// cannot, it says of what there is too little.
func (f *Fleet) Ports(row int32, asks []PortAsk, seed uint64) ([]api.PortMapping, PortShortage) {
	c := chooser{net: &f.net[row], used: f.used[row].Ports, seed: seed}
	if short := c.fixed(asks); short != (PortShortage{}) {
		return nil, short
	}
	ports := make([]api.PortMapping, len(asks))
	c.taken = make([]fit.Port, 0, len(asks))
	for pass := range 2 { // static ports first, so that no dynamic one takes them
		for i := range asks {
			if (asks[i].Static == 0) != (pass == 1) {
				continue
			}
			var short PortShortage
			if ports[i], short = c.choose(&asks[i], i); short != (PortShortage{}) {
				return nil, short
			}
		}
	}
	return ports, PortShortage{}
}

// PortsShort says of what Ports would find too little, without choosing.
func (f *Fleet) PortsShort(row int32, asks []PortAsk) PortShortage {
	if f.hintPorts(row, asks) {
		return PortShortage{}
	}
	w := &f.net[row]
	c := chooser{net: w, used: f.used[row].Ports}
	if short := c.fixed(asks); short != (PortShortage{}) {
		return short
	}
	// Enough for sure when the range has more ports than all that is taken.
	if w.max-w.min+1-len(c.used)-w.kept >= len(asks) && !slices.ContainsFunc(asks, PortAsk.Named) {
		return PortShortage{}
	}
	_, short := f.Ports(row, asks, 0)
	return short
}

// PortShortage is what a row lacks for the ports of a group; the zero value is
// no shortage. Ask is the position of the port that cannot be had.
type PortShortage struct {
	kind uint8
	ask  int16
}

const (
	noNetwork = iota + 1
	noAddress
	collision
	noneFree
)

// Text gives the dimension that is exhausted, as shown to users.
func (s PortShortage) Text(asks []PortAsk) string {
	switch s.kind {
	case noNetwork:
		return "network: no networks available"
	case noAddress:
		return `network: no addresses available for "` + asks[s.ask].HostNetwork + `" network`
	case collision:
		return "network: reserved port collision " + asks[s.ask].Label + "=" + strconv.Itoa(asks[s.ask].Static)
	case noneFree:
		return "network: dynamic port selection failed"
	}
	return ""
}

// Named says whether the port is on a host network with a name of its own.
func (a PortAsk) Named() bool { return a.HostNetwork != "" && a.HostNetwork != "default" }

type chooser struct {
	net   *network
	used  []fit.Port
	taken []fit.Port
	seed  uint64
}

// fixed looks at all that is not chosen: networks and static ports.
func (c *chooser) fixed(asks []PortAsk) PortShortage {
	if !c.net.present {
		return PortShortage{kind: noNetwork}
	}
	for i := range asks {
		a := &asks[i]
		h, ok := c.host(a)
		if !ok {
			return PortShortage{noAddress, int16(i)}
		}
		if a.Static != 0 && !a.IgnoreCollision && !c.free(h, a.Static) {
			return PortShortage{collision, int16(i)}
		}
	}
	return PortShortage{}
}

func (c *chooser) host(a *PortAsk) (hostNetwork, bool) {
	if !a.Named() {
		return hostNetwork{address: c.net.address}, true
	}
	h, ok := c.net.hosts[a.HostNetwork]
	return h, ok
}

func (c *chooser) choose(a *PortAsk, i int) (api.PortMapping, PortShortage) {
	h, _ := c.host(a)
	port := a.Static
	if port == 0 {
		if port = c.dynamic(h); port == 0 {
			return api.PortMapping{}, PortShortage{noneFree, int16(i)}
		}
	} else if !a.IgnoreCollision && !c.free(h, port) {
		return api.PortMapping{}, PortShortage{collision, int16(i)}
	}
	if !a.IgnoreCollision {
		c.taken = append(c.taken, fit.Port{Number: uint16(port), IP: h.address})
	}
	to := a.To
	if to < 0 {
		to = port
	}
	return api.PortMapping{Label: a.Label, Value: port, To: to, HostIP: h.address, IgnoreCollision: a.IgnoreCollision}, PortShortage{}
}

// dynamic starts at a place that the seed decides, so that a port that was
// just given up is not used again at once.
func (c *chooser) dynamic(h hostNetwork) int {
	size := c.net.max - c.net.min + 1
	if size <= 0 {
		return 0
	}
	c.seed = mix(c.seed)
	first := int(c.seed % uint64(size))
	for i := range size {
		port := c.net.min + (first+i)%size
		if c.free(h, port) {
			return port
		}
	}
	return 0
}

func (c *chooser) free(h hostNetwork, port int) bool {
	if port < 1 || port > 65535 {
		return false
	}
	p := fit.Port{Number: uint16(port), IP: h.address}
	if c.net.reserved.Has(p.Number) || h.reserved.Has(p.Number) || fit.Collides(c.used, p) {
		return false
	}
	for _, t := range c.taken {
		if t.Number == p.Number && (t.IP == p.IP || t.IP == "" || p.IP == "") {
			return false
		}
	}
	return true
}

// mix is the finalizer of splitmix64.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// PortFilter is a Bloom filter of the ports of a row that are in use or kept.
type PortFilter [4]uint64

// Free says that a port is in any case free.
func (h *PortFilter) Free(port int) bool { return h[port>>6&3]&(1<<(port&63)) == 0 }

// TakenPorts gives the filters by row. They must not be changed.
func (f *Fleet) TakenPorts() []PortFilter { return f.takenPorts }

// FreePorts gives by row how many dynamic ports are free for sure; -1 where the
// node has no network. It must not be changed.
func (f *Fleet) FreePorts() []int32 { return f.freePorts }

// hintPorts says quickly of most rows that they have the ports of a group.
func (f *Fleet) hintPorts(row int32, asks []PortAsk) bool {
	if int(f.freePorts[row]) < len(asks) {
		return false
	}
	h := &f.takenPorts[row]
	for i := range asks {
		a := &asks[i]
		if a.Named() || a.Static < 0 || a.Static > 65535 {
			return false
		}
		if a.Static != 0 && !a.IgnoreCollision && !h.Free(a.Static) {
			return false
		}
	}
	return true
}

// hint makes the hint of a row anew.
func (f *Fleet) hint(row int32) {
	w, h := &f.net[row], &f.takenPorts[row]
	*h, f.freePorts[row] = PortFilter{}, -1
	if !w.present {
		return
	}
	f.freePorts[row] = int32(w.max - w.min + 1 - len(f.used[row].Ports) - w.kept)
	for _, p := range f.used[row].Ports {
		h[p.Number>>6&3] |= 1 << (p.Number & 63)
	}
	for _, r := range w.reserved {
		if r[1]-r[0] > 255 {
			*h = PortFilter{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}
			return
		}
		for p := int(r[0]); p <= int(r[1]); p++ {
			h[p>>6&3] |= 1 << (p & 63)
		}
	}
}
