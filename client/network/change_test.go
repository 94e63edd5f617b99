package network

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// again starts an agent with another configuration in place of the one before,
// and lets it take up an allocation.
func (n *node) again(t *testing.T, id string, change func(*Config), ports ...Port) Pod {
	t.Helper()
	change(&n.cfg)
	n.begin(t)
	n.Reconcile(t.Context())
	p, err := n.Up(t.Context(), Request{AllocID: id, Mode: ModeBridge, Hostname: "pod", Ports: ports})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Another subnet does not cut off what runs: its tasks stay in their namespace,
// which gets another address.
func TestAnotherSubnet(t *testing.T) {
	n := newNode(t)
	port := portAt("192.0.2.10", 8080, 80)
	id, before := n.up(t, port)
	serve(t, before, ":80", "running")
	inode, _ := n.own(id).inode()
	after := n.again(t, id, func(c *Config) { c.Subnet = "172.30.0.0/24" }, port)
	if now, _ := n.own(id).inode(); now != inode {
		t.Error("the namespace was made anew: its tasks are cut off")
	}
	if !n.set.subnet.Contains(after.Address) || !slices.Equal(after.Lost, []netip.Addr{before.Address}) {
		t.Errorf("%+v, was %s", after, before.Address)
	}
	answers(t, "running")(ask("192.0.2.10:8080"))
	n.Reconcile(t.Context())
	answers(t, "running")(ask("192.0.2.10:8080"))
	if have := run(t, "ip", "-br", "addr", "show", DefaultBridge); strings.Contains(have, "172.26.") || !strings.Contains(have, "172.30.0.1/24") {
		t.Errorf("the bridge has %s", have)
	}
	again, err := n.Up(t.Context(), Request{AllocID: id, Mode: ModeBridge, Hostname: "pod", Ports: []Port{port}})
	if err != nil || again.Lost != nil {
		t.Errorf("%+v %v: what was lost is told once", again, err)
	}
}

// An address that others gave the bridge stays with it.
func TestBridgesOtherAddress(t *testing.T) {
	n := newNode(t)
	id, _ := n.up(t)
	run(t, "ip", "addr", "add", "198.51.100.1/24", "dev", DefaultBridge)
	n.again(t, id, func(c *Config) { c.Subnet = "172.30.0.0/24" })
	if have := run(t, "ip", "-br", "addr", "show", DefaultBridge); !strings.Contains(have, "198.51.100.1/24") {
		t.Errorf("the bridge has %s", have)
	}
}

// IPv6 comes and goes beneath what runs, and leaves its IPv4 connections alone.
func TestIPv6Later(t *testing.T) {
	n := newNode(t)
	port := portAt("192.0.2.10", 8080, 80)
	id, before := n.up(t, port)
	serve(t, before, ":80", "running")
	device := func() string { return run(t, "ip", "-o", "link", "show", linkName(id)) }
	was := strings.Fields(device())[0]
	with := n.again(t, id, func(c *Config) { c.SubnetV6 = "fd00:5e7a::/64" }, port)
	if with.Address != before.Address || !with.AddressIPv6.IsValid() || len(with.Lost) > 0 {
		t.Errorf("%+v, was %+v", with, before)
	}
	answers(t, "running")(ask("192.0.2.10:8080"))
	answers(t, "running")(ask("[" + with.AddressIPv6.String() + "]:80"))
	other := n.again(t, id, func(c *Config) { c.SubnetV6 = "fd00:77::/64" }, port)
	if have := run(t, "nsenter", "--net="+other.Namespace.Path, "ip", "-br", "addr", "show", Interface); strings.Contains(have, "fd00:5e7a:") || !strings.Contains(have, "fd00:77::") {
		t.Errorf("the pod has %s", have)
	}
	without := n.again(t, id, func(c *Config) { c.SubnetV6 = "" }, port)
	if without.Address != before.Address || without.AddressIPv6.IsValid() || !slices.Equal(without.Lost, []netip.Addr{other.AddressIPv6}) {
		t.Errorf("%+v, was %+v", without, before)
	}
	answers(t, "running")(ask("192.0.2.10:8080"))
	if now := strings.Fields(device())[0]; now != was {
		t.Error("the pod's device was made anew")
	}
}

// A port of the node's IPv6 address cannot be had once pods have no IPv6, and
// takes no other pod's port with it.
func TestIPv6PortWithoutIPv6(t *testing.T) {
	n := newNode(t, withV6)
	six := portAt("2001:db8:7::10", 8081, 80)
	id, _ := n.up(t, six)
	other, a := n.up(t, portAt("192.0.2.10", 8080, 80))
	serve(t, a, ":80", "other")
	n.again(t, other, func(c *Config) { c.SubnetV6 = "" }, portAt("192.0.2.10", 8080, 80))
	answers(t, "other")(ask("192.0.2.10:8080"))
	if _, err := n.Up(t.Context(), Request{AllocID: id, Mode: ModeBridge, Ports: []Port{six}}); err == nil || !strings.Contains(err.Error(), "bridge_network_subnet_ipv6") {
		t.Errorf("%v", err)
	}
}

// Packets of pods fit through the uplink, also when that is another one later.
func TestMTU(t *testing.T) {
	n := newNode(t)
	run(t, "ip", "route", "add", "default", "dev", "uplink")
	t.Cleanup(func() {
		run(t, "ip", "route", "del", "default", "dev", "uplink")
		run(t, "ip", "link", "set", "uplink", "mtu", "1500")
	})
	id, p := n.up(t, portAt("192.0.2.10", 8080, 80))
	serve(t, p, ":80", "running")
	sizes := func(want string) {
		t.Helper()
		for what, have := range map[string]string{
			"bridge": run(t, "ip", "-o", "link", "show", DefaultBridge), "device": run(t, "ip", "-o", "link", "show", linkName(id)),
			"pod": run(t, "nsenter", "--net="+p.Namespace.Path, "ip", "-o", "link", "show", Interface),
		} {
			if !strings.Contains(have, " mtu "+want+" ") {
				t.Errorf("%s: %s, want %s", what, have, want)
			}
		}
	}
	sizes("1500")
	for _, size := range []string{"1400", "9000"} {
		run(t, "ip", "link", "set", "uplink", "mtu", size)
		n.Reconcile(t.Context())
		sizes(size)
		answers(t, "running")(ask("192.0.2.10:8080"))
	}
}
