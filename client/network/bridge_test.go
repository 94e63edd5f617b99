package network

import (
	"net"
	"net/netip"
	"strings"
	"testing"
)

const v6 = "fd00:5e7a::/64"

func withV6(c *Config) { c.SubnetV6 = v6 }

func TestPortsLeadIntoPods(t *testing.T) {
	n := newNode(t, withV6)
	id, a := n.up(t, portAt("192.0.2.10", 8080, 80), portAt("127.0.0.1", 8081, 81), portAt("2001:db8:7::10", 8080, 80))
	_, b := n.up(t)
	serve(t, a, ":80", "a80")
	serve(t, a, ":81", "a81")
	serve(t, b, ":80", "b80")

	// From the node.
	answers(t, "a80")(ask("192.0.2.10:8080"))
	answers(t, "a81")(ask("127.0.0.1:8081"))
	answers(t, "a80")(ask("[2001:db8:7::10]:8080"))
	answers(t, "a80")(ask(net.JoinHostPort(a.Address.String(), "80")))
	answers(t, "a80")(ask(net.JoinHostPort(a.AddressIPv6.String(), "80")))
	answers(t, "a80")(askUDP("192.0.2.10:8080"))
	answers(t, "a81")(askUDP("127.0.0.1:8081"))
	// From another pod, by its own address and by the node's; and back to itself.
	answers(t, "a80 "+b.Address.String())(fromPod(t, b, ask, net.JoinHostPort(a.Address.String(), "80")))
	answers(t, "a80 ["+b.AddressIPv6.String())(fromPod(t, b, ask, net.JoinHostPort(a.AddressIPv6.String(), "80")))
	answers(t, "a80")(fromPod(t, b, ask, "192.0.2.10:8080"))
	answers(t, "a80")(fromPod(t, b, ask, "[2001:db8:7::10]:8080"))
	answers(t, "a80 172.26.64.1")(fromPod(t, a, ask, "192.0.2.10:8080"))
	answers(t, "a80")(fromPod(t, a, askUDP, "192.0.2.10:8080"))
	// What one pod listens to on its loopback is its own.
	serve(t, a, "127.0.0.1:90", "private")
	answers(t, "private")(fromPod(t, a, ask, "127.0.0.1:90"))
	silent(t, "loopback of another pod")(fromPod(t, b, probeTCP, net.JoinHostPort(a.Address.String(), "90")))

	if err := n.Down(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	silent(t, "a port of a pod that is gone")(probeTCP("192.0.2.10:8080"))
	answers(t, "b80")(ask(net.JoinHostPort(b.Address.String(), "80")))
	if strings.Contains(run(t, "nft", "list", "ruleset"), "8080") {
		t.Error("the port is still in the tables")
	}
}

func TestPodsReachOut(t *testing.T) {
	n := newNode(t)
	_, a := n.up(t)
	// The node's own services on its addresses are open, those on loopback are not.
	if err := listen(t, "192.0.2.10:7000", "node"); err != nil {
		t.Fatal(err)
	}
	answers(t, "node "+a.Address.String())(fromPod(t, a, ask, "192.0.2.10:7000"))
	answers(t, "node")(fromPod(t, a, askUDP, "192.0.2.10:7000"))
}

func TestAddressesAreReclaimed(t *testing.T) {
	n := newNode(t, func(c *Config) { c.Subnet = "10.99.0.0/29" })
	var ids []string
	seen := map[netip.Addr]bool{}
	for range 5 { // 8 less the network's, the bridge's and that for all
		id, p := n.up(t)
		ids = append(ids, id)
		if seen[p.Address] {
			t.Errorf("%s was given twice", p.Address)
		}
		seen[p.Address] = true
	}
	_, err := n.Up(t.Context(), Request{AllocID: "0e7a9f3c-0000-4000-8000-000000000001", Mode: ModeBridge})
	if err == nil || !strings.Contains(err.Error(), "10.99.0.0/29") {
		t.Fatalf("a sixth pod: %v", err)
	}
	if err := n.Down(t.Context(), ids[2]); err != nil {
		t.Fatal(err)
	}
	n.up(t)
}

func TestStrangersPort(t *testing.T) {
	n := newNode(t)
	if err := listen(t, "0.0.0.0:8090", "stranger"); err != nil {
		t.Fatal(err)
	}
	id := "0e7a9f3c-0000-4000-8000-000000000002"
	_, err := n.Up(t.Context(), Request{AllocID: id, Mode: ModeBridge, Ports: []Port{portAt("192.0.2.10", 8090, 80)}})
	if err == nil || !strings.Contains(err.Error(), `port "p"`) || !strings.Contains(err.Error(), "192.0.2.10:8090") {
		t.Fatal(err)
	}
	answers(t, "stranger")(ask("192.0.2.10:8090"))
	rows, _ := n.cfg.Store.Networks()
	if len(rows) != 0 {
		t.Error("its record is left")
	}
	// A port that leads into a pod is nobody else's.
	n.up(t, portAt("192.0.2.10", 8091, 80))
	if l, err := net.Listen("tcp", "192.0.2.10:8091"); err == nil {
		l.Close()
		t.Error("a stranger listens to a pod's port")
	}
}

// Others' chains that close the way are told; rules in them open it.
func TestClosedByAnother(t *testing.T) {
	n := newNode(t)
	if got := Closed(); len(got) != 0 {
		t.Errorf("%v", got)
	}
	run(t, "nft", "add", "table", "ip", "filter")
	t.Cleanup(func() { run(t, "nft", "delete", "table", "ip", "filter") })
	run(t, "nft", "add", "chain", "ip", "filter", "FORWARD", "{ type filter hook forward priority 0; policy drop; }")
	if got := Closed(); len(got) != 1 || got[0] != "ip filter FORWARD" {
		t.Errorf("%v", got)
	}
	_, a := n.up(t, portAt("192.0.2.10", 8080, 80))
	_, b := n.up(t)
	serve(t, a, ":80", "a")
	answers(t, "a")(ask("192.0.2.10:8080")) // the node's own packets are not forwarded
	silent(t, "another pod, by the node's address")(fromPod(t, b, probeTCP, "192.0.2.10:8080"))
	run(t, "nft", "insert", "rule", "ip", "filter", "FORWARD", "iifname", DefaultBridge, "accept")
	run(t, "nft", "insert", "rule", "ip", "filter", "FORWARD", "oifname", DefaultBridge, "accept")
	answers(t, "a")(fromPod(t, b, ask, "192.0.2.10:8080"))
}

func TestNone(t *testing.T) {
	n := newNode(t)
	p, err := n.Up(t.Context(), Request{AllocID: "0e7a9f3c-0000-4000-8000-000000000003", Mode: ModeNone})
	if err != nil {
		t.Fatal(err)
	}
	serve(t, p, "127.0.0.1:80", "self")
	answers(t, "self")(fromPod(t, p, ask, "127.0.0.1:80"))
	silent(t, "the node")(fromPod(t, p, probeTCP, "192.0.2.10:80"))
	if links := run(t, "ip", "-o", "link"); strings.Contains(links, "serai") {
		t.Error("a bridge was made for nothing")
	}
}
