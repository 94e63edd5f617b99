package network

import (
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// Offsets in frames: of the sender in Ethernet's header and in ARP's.
const (
	etherSource, etherSize = 6, 6
	etherType              = 12
	arpSenderMAC           = 8
	arpSenderIP            = 14
)

// guardSets are the devices of pods with what their senders may be.
func (d desired) guardSets(t *nftables.Table) []listed {
	var devices, macs, v4, v6 []nftables.SetElement
	for _, r := range d.pods {
		name, mac := device(r.link()), r.mac()
		devices = append(devices, nftables.SetElement{Key: name})
		macs = append(macs, nftables.SetElement{Key: padded(name, mac)})
		v4 = append(v4, nftables.SetElement{Key: padded(name, r.Address.AsSlice())})
		if r.AddressIPv6.IsValid() {
			for _, a := range []netip.Addr{r.AddressIPv6, r.linkLocal(), netip.IPv6Unspecified()} {
				v6 = append(v6, nftables.SetElement{Key: padded(name, a.AsSlice())})
			}
		}
	}
	names := plain(t, "devices", devices, nftables.TypeIFName)
	names.set.KeyByteOrder = binaryutil.NativeEndian
	return []listed{
		names,
		plain(t, "macs", macs, nftables.TypeIFName, nftables.TypeEtherAddr),
		plain(t, "addresses4", v4, nftables.TypeIFName, nftables.TypeIPAddr),
		plain(t, "addresses6", v6, nftables.TypeIFName, nftables.TypeIP6Addr),
	}
}

// guard makes what holds pods to their own addresses: a frame passes the bridge
// only when its sender, by MAC, ARP and IP, is the pod that it comes from. A task
// with the right to send whatever it likes is nobody else by that.
func (d desired) guard(b *batch, t *nftables.Table) {
	name := meta(expr.MetaKeyIIFNAME, reg)
	const behind = reg + 4 // a device's name takes four registers
	is := func(ethertype uint16) rule {
		return join(link(etherType, 2, reg), equal(byte(ethertype>>8), byte(ethertype)))
	}
	b.chain(t, "sender",
		join(name, link(etherSource, etherSize, behind), notIn("macs"), drop()),
		join(is(unix.ETH_P_ARP), name, header(arpSenderMAC, etherSize, behind), notIn("macs"), drop()),
		join(is(unix.ETH_P_ARP), name, header(arpSenderIP, 4, behind), in("addresses4"), accept()),
		join(is(unix.ETH_P_IP), name, header(ipv4.src, 4, behind), in("addresses4"), accept()),
		// No pod is a router: advertisements and redirects.
		join(is(unix.ETH_P_IPV6), icmpv6(routerAdvertisement), drop()),
		join(is(unix.ETH_P_IPV6), icmpv6(redirect), drop()),
		join(is(unix.ETH_P_IPV6), name, header(ipv6.src, 16, behind), in("addresses6"), accept()),
		drop())
	// Devices in the bridge that are not ours are the operator's business.
	b.base(t, "guard", nftables.ChainTypeFilter, nftables.ChainHookPrerouting, beforeAll, join(name, in("devices"), jump("sender")))
}

const (
	routerAdvertisement = 134
	redirect            = 137
)

// icmpv6 matches a kind of message right behind the header of IPv6.
func icmpv6(kind byte) rule {
	return join(meta(expr.MetaKeyL4PROTO, reg), equal(unix.IPPROTO_ICMPV6),
		rule{&expr.Payload{DestRegister: reg, Base: expr.PayloadBaseTransportHeader, Offset: 0, Len: 1}}, equal(kind))
}
