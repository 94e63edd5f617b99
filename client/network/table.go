package network

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// desired is all that the tables are made from. Equal values make equal tables.
type desired struct {
	bridge    string
	subnet    netip.Prefix
	subnetV6  netip.Prefix
	blocked   []netip.Addr
	pods      []*Record // with mode bridge, in order
	elsewhere []*Record // connected by plugins
	silent    bool      // this kernel cannot refuse where packets come in: it drops them
}

// refuse answers that the way is closed, so that nobody waits.
func (d desired) refuse() []rule {
	if d.silent {
		return []rule{drop()}
	}
	return []rule{
		join(meta(expr.MetaKeyL4PROTO, reg), equal(unix.IPPROTO_TCP), rule{&expr.Reject{Type: unix.NFT_REJECT_TCP_RST}}),
		{&expr.Reject{Type: unix.NFT_REJECT_ICMPX_UNREACH, Code: unix.NFT_REJECT_ICMPX_ADMIN_PROHIBITED}},
	}
}

// batch gathers the messages of one transaction.
type batch struct {
	conn *nftables.Conn
	err  error
}

// listed is a set with what it holds.
type listed struct {
	set      *nftables.Set
	elements []nftables.SetElement
}

// plain is a set of keys of one type, or of several behind each other.
func plain(t *nftables.Table, name string, elements []nftables.SetElement, key ...nftables.SetDatatype) listed {
	return listed{&nftables.Set{Table: t, Name: name, KeyType: typeOf(key...), Concatenation: len(key) > 1}, elements}
}

// leading is a map from an address and a port to others of the same type.
func leading(t *nftables.Table, name string, elements []nftables.SetElement, address nftables.SetDatatype) listed {
	return listed{&nftables.Set{Table: t, Name: name, IsMap: true, Concatenation: true,
		KeyType: typeOf(nftables.TypeInetProto, address, nftables.TypeInetService), DataType: typeOf(address, nftables.TypeInetService)}, elements}
}

func typeOf(parts ...nftables.SetDatatype) nftables.SetDatatype {
	if len(parts) == 1 {
		return parts[0]
	}
	return nftables.MustConcatSetType(parts...)
}

// elementsPerMessage keeps a message below the size that the kernel takes.
const elementsPerMessage = 400

func (b *batch) sets(list []listed) {
	for _, l := range list {
		if b.err == nil {
			b.err = b.conn.AddSet(l.set, nil)
		}
		b.change(l.set, l.elements, b.conn.SetAddElements)
	}
}

func (b *batch) change(s *nftables.Set, elements []nftables.SetElement, how func(*nftables.Set, []nftables.SetElement) error) {
	for len(elements) > 0 && b.err == nil {
		n := min(len(elements), elementsPerMessage)
		b.err = how(s, elements[:n])
		elements = elements[n:]
	}
}

func (b *batch) chain(t *nftables.Table, name string, rules ...rule) {
	b.rules(b.conn.AddChain(&nftables.Chain{Table: t, Name: name}), rules)
}

func (b *batch) base(t *nftables.Table, name string, kind nftables.ChainType, hook *nftables.ChainHook, priority int32, rules ...rule) {
	p := nftables.ChainPriority(priority)
	b.rules(b.conn.AddChain(&nftables.Chain{Table: t, Name: name, Type: kind, Hooknum: hook, Priority: &p}), rules)
}

func (b *batch) rules(c *nftables.Chain, rules []rule) {
	for _, r := range rules {
		b.conn.AddRule(&nftables.Rule{Table: c.Table, Chain: c, Exprs: r})
	}
}

// tableName is the name of both tables, in the families inet and bridge.
func tableName(bridge string) string { return "serai-" + bridge }

func tablesOf(bridge string) (inet, frames *nftables.Table) {
	return &nftables.Table{Family: nftables.TableFamilyINet, Name: tableName(bridge)},
		&nftables.Table{Family: nftables.TableFamilyBridge, Name: tableName(bridge)}
}

// replace puts the tables in place of what is there, in one transaction.
func replace(d desired) error {
	err := transact(d)
	if errors.Is(err, unix.EOPNOTSUPP) && !d.silent {
		d.silent = true // Linux before 5.9
		err = transact(d)
	}
	return err
}

func transact(d desired) error {
	conn, err := connect()
	if err != nil {
		return err
	}
	b := &batch{conn: conn}
	inet, frames := tablesOf(d.bridge)
	for _, t := range []*nftables.Table{inet, frames} {
		conn.AddTable(t) // so that there is one to delete
		conn.DelTable(t)
		conn.AddTable(t)
	}
	b.sets(d.packetSets(inet))
	d.packets(b, inet)
	b.sets(d.guardSets(frames))
	d.guard(b, frames)
	if b.err == nil {
		b.err = conn.Flush()
	}
	if b.err != nil {
		return fmt.Errorf("nftables: table %s: %w", tableName(d.bridge), b.err)
	}
	return nil
}

// remove removes the tables, when they are there.
func removeTables(bridge string) error {
	conn, err := connect()
	if err != nil {
		return err
	}
	inet, frames := tablesOf(bridge)
	for _, t := range []*nftables.Table{inet, frames} {
		conn.AddTable(t)
		conn.DelTable(t)
	}
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("nftables: remove table %s: %w", tableName(bridge), err)
	}
	return nil
}

// priorities of the kernel's own uses of netfilter.
const (
	beforeAll  = -300 // ahead of connection tracking and of all translations
	translateD = -100
	filterAt   = 0
	translateS = 100
)

// packetSets are what the rules of packets look things up in.
func (d desired) packetSets(t *nftables.Table) []listed {
	var others []netip.Addr
	for _, r := range d.elsewhere {
		others = append(others, r.Address, r.AddressIPv6)
	}
	return []listed{
		leading(t, "ports4", d.ports(false), nftables.TypeIPAddr),
		leading(t, "ports6", d.ports(true), nftables.TypeIP6Addr),
		plain(t, "blocked4", addresses(d.blocked, false), nftables.TypeIPAddr),
		plain(t, "blocked6", addresses(d.blocked, true), nftables.TypeIP6Addr),
		plain(t, "cni4", addresses(others, false), nftables.TypeIPAddr),
		plain(t, "cni6", addresses(others, true), nftables.TypeIP6Addr),
	}
}

// packets makes what filters and translates at the level of IP.
func (d desired) packets(b *batch, t *nftables.Table) {
	br := d.bridge
	loopback4, loopback6 := netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")
	pre, post := nftables.ChainHookPrerouting, nftables.ChainHookPostrouting
	// Ahead of all that others may translate: nobody but the node itself speaks with
	// its loopback, also where route_localnet would let it, and no pod with what is
	// blocked.
	b.chain(t, "refused", d.refuse()...)
	b.chain(t, "blocked",
		join(ipv4.is(), header(ipv4.dst, 4, reg), in("blocked4"), jump("refused")),
		join(ipv6.is(), header(ipv6.dst, 16, reg), in("blocked6"), jump("refused")))
	b.base(t, "closed", nftables.ChainTypeFilter, pre, beforeAll,
		join(from(br), ipv4.is(), ipv4.destination(expr.CmpOpEq, loopback4), drop()),
		join(from(br), ipv6.is(), ipv6.destination(expr.CmpOpEq, loopback6), drop()),
		join(from(br), jump("blocked")),
		join(ipv4.is(), header(ipv4.src, 4, reg), in("cni4"), jump("blocked")),
		join(ipv6.is(), header(ipv6.src, 16, reg), in("cni6"), jump("blocked")))
	b.base(t, "forward", nftables.ChainTypeFilter, nftables.ChainHookForward, filterAt,
		join(to(br), known(), accept()),
		join(to(br), mapped(), accept()),
		join(to(br), from(br), accept()),
		join(to(br), drop()))
	b.base(t, "prerouting", nftables.ChainTypeNAT, pre, translateD, ipv4.toPod("ports4"), ipv6.toPod("ports6"))
	b.base(t, "output", nftables.ChainTypeNAT, nftables.ChainHookOutput, translateD, ipv4.toPod("ports4"), ipv6.toPod("ports6"))
	sources := []rule{
		join(to(br), ipv4.is(), ipv4.source(expr.CmpOpEq, loopback4), masquerade()),
		// Back to the pods themselves: the answer must come the same way.
		join(to(br), ipv4.is(), ipv4.source(expr.CmpOpEq, d.subnet), mapped(), masquerade()),
		join(ipv4.is(), ipv4.source(expr.CmpOpEq, d.subnet), ipv4.destination(expr.CmpOpNeq, d.subnet), masquerade()),
	}
	if d.subnetV6.IsValid() {
		sources = append(sources,
			join(to(br), ipv6.is(), ipv6.source(expr.CmpOpEq, d.subnetV6), mapped(), masquerade()),
			join(ipv6.is(), ipv6.source(expr.CmpOpEq, d.subnetV6), ipv6.destination(expr.CmpOpNeq, d.subnetV6), masquerade()))
	}
	b.base(t, "postrouting", nftables.ChainTypeNAT, post, translateS, sources...)
}

func addresses(list []netip.Addr, v6 bool) []nftables.SetElement {
	var out []nftables.SetElement
	seen := map[netip.Addr]bool{}
	for _, a := range list {
		if a.IsValid() && a.Is6() == v6 && !seen[a] {
			seen[a] = true
			out = append(out, nftables.SetElement{Key: a.AsSlice()})
		}
	}
	return out
}

// ports are the elements of the maps: where connections to a port of the host go.
func (d desired) ports(v6 bool) []nftables.SetElement {
	var out []nftables.SetElement
	for _, r := range d.pods {
		inside := r.Address
		if v6 {
			inside = r.AddressIPv6
		}
		for _, p := range r.Ports {
			if p.HostIP.Is6() != v6 || !inside.IsValid() {
				continue // without IPv6 now, it is about to be refused
			}
			for _, proto := range []byte{unix.IPPROTO_TCP, unix.IPPROTO_UDP} {
				out = append(out, nftables.SetElement{
					Key: padded([]byte{proto}, p.HostIP.AsSlice(), portBytes(p.Host)),
					Val: padded(inside.AsSlice(), portBytes(p.Inside)),
				})
			}
		}
	}
	return out
}
