package network

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/vishvananda/netlink"
)

// killed is the end of an agent at a place of its work.
type killed struct{}

// until runs f until it comes to a place for the nth time; it says whether it
// came there.
func (n *node) until(t *testing.T, place int, f func()) (reached bool) {
	t.Helper()
	seen := 0
	n.cfg.at = func(string) {
		if seen++; seen == place {
			panic(killed{})
		}
	}
	n.begin(t)
	defer func() {
		n.cfg.at = nil
		if p := recover(); p != nil {
			if _, ok := p.(killed); !ok {
				panic(p)
			}
			reached = true
		}
	}()
	f()
	n.set.at = nil
	return false
}

// crash lets an agent end without a word: what a process holds goes with it.
func (n *node) crash(t *testing.T) {
	t.Helper()
	for _, p := range n.pods {
		p.ports.release()
		p.ports = nil
	}
	n.giveBridge(false)
	n.Manager = nil
	n.begin(t)
}

// An agent that is killed at any point of a start or a stop leaves nothing that
// the next one does not remove or go on with.
func TestKilledAnywhere(t *testing.T) {
	n := newNode(t, withV6)
	other, o := n.up(t, portAt("192.0.2.10", 7777, 80)) // it must not be disturbed
	serve(t, o, ":80", "other")
	place := 1
	for ; place < 100; place++ {
		id := uuid.NewString()
		req := Request{AllocID: id, Mode: ModeBridge, Ports: []Port{portAt("192.0.2.10", 8080, 80), portAt("127.0.0.1", 8081, 80)}}
		reached := n.until(t, place, func() {
			if _, err := n.Up(t.Context(), req); err != nil {
				t.Error(err)
			}
			if err := n.Down(t.Context(), id); err != nil {
				t.Error(err)
			}
		})
		if !reached {
			break
		}
		n.crash(t)
		answers(t, "other")(ask("192.0.2.10:7777"))
		if place%2 == 0 { // the allocation goes on
			p, err := n.Up(t.Context(), req)
			if err != nil {
				t.Fatalf("place %d: %v", place, err)
			}
			serve(t, p, ":80", "on")
			answers(t, "on")(ask("192.0.2.10:8080"))
			answers(t, "on")(ask("127.0.0.1:8081"))
		}
		n.over(id)
		n.Reconcile(t.Context())
		answers(t, "other")(ask("192.0.2.10:7777"))
		for _, left := range n.leftovers(t) {
			known := strings.Contains(left, other) || strings.Contains(left, linkName(other)) || strings.HasSuffix(left, " "+DefaultBridge) || strings.Contains(left, tableName(DefaultBridge))
			if !known {
				t.Errorf("killed at place %d: left: %s", place, left)
			}
		}
		if strings.Contains(run(t, "nft", "list", "ruleset"), "8080") {
			t.Errorf("killed at place %d: a port is left", place)
		}
		n.Manager.Close()
		n.Manager = nil
	}
	if place < 10 {
		t.Errorf("only %d places were gone through", place)
	}
}

// A new agent goes on with what stands: nothing is interrupted, no address given twice.
func TestRestart(t *testing.T) {
	n := newNode(t)
	id, a := n.up(t, portAt("192.0.2.10", 8080, 80))
	serve(t, a, ":80", "a")
	n.begin(t)
	n.Reconcile(t.Context())
	answers(t, "a")(ask("192.0.2.10:8080"))
	_, b := n.up(t)
	if b.Address == a.Address {
		t.Errorf("%s was given twice", a.Address)
	}
	answers(t, "a")(ask("192.0.2.10:8080"))
	again, err := n.Up(t.Context(), Request{AllocID: id, Mode: ModeBridge, Hostname: "pod", Ports: []Port{portAt("192.0.2.10", 8080, 80)}})
	if err != nil || again.Address != a.Address {
		t.Errorf("%+v %v", again, err)
	}
	answers(t, "a")(ask("192.0.2.10:8080"))
}

// What others break is mended; what is theirs stays.
func TestMended(t *testing.T) {
	n := newNode(t)
	id, a := n.up(t, portAt("192.0.2.10", 8080, 80), portAt("127.0.0.1", 8081, 80))
	_, b := n.up(t, portAt("192.0.2.10", 8082, 80))
	serve(t, a, ":80", "a")
	serve(t, b, ":80", "b")
	run(t, "nft", "add", "table", "inet", "foreign")
	run(t, "nft", "add", "chain", "inet", "foreign", "mine", "{ type filter hook forward priority 10; }")
	t.Cleanup(func() { run(t, "nft", "delete", "table", "inet", "foreign") })
	whole := func(t *testing.T) {
		t.Helper()
		n.Reconcile(t.Context())
		answers(t, "a")(ask("192.0.2.10:8080"))
		answers(t, "a")(ask("127.0.0.1:8081"))
		answers(t, "b")(ask("192.0.2.10:8082"))
		answers(t, "b")(fromPod(t, a, ask, b.Address.String()+":80"))
		if !strings.Contains(run(t, "nft", "list", "tables"), "inet foreign") {
			t.Error("a table of another was removed")
		}
	}
	for name, breakIt := range map[string][]string{
		"ruleset flushed":   {"nft", "delete", "table", "inet", tableName(DefaultBridge)},
		"guard removed":     {"nft", "delete", "table", "bridge", tableName(DefaultBridge)},
		"a rule removed":    {"nft", "flush", "chain", "inet", tableName(DefaultBridge), "postrouting"},
		"a rule added":      {"nft", "insert", "rule", "inet", tableName(DefaultBridge), "forward", "drop"},
		"a port removed":    {"nft", "flush", "map", "inet", tableName(DefaultBridge), "ports4"},
		"bridge removed":    {"ip", "link", "del", DefaultBridge},
		"device removed":    {"ip", "link", "del", linkName(id)},
		"device unplugged":  {"ip", "link", "set", linkName(id), "nomaster"},
		"device down":       {"ip", "link", "set", linkName(id), "down"},
		"address removed":   {"ip", "addr", "flush", "dev", DefaultBridge},
		"namespace's file":  {"umount", n.own(id).path},
		"bridge down":       {"ip", "link", "set", DefaultBridge, "down"},
		"loopback switched": {"sysctl", "-qw", "net.ipv4.conf." + DefaultBridge + ".route_localnet=0"},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "namespace's file" {
				// Something must be in it, or it is gone.
				c := ns(a, "sleep", "1000")
				if err := c.Start(); err != nil {
					t.Fatal(err)
				}
				defer func() { _ = c.Process.Kill(); _ = c.Wait() }()
				pid := c.Process.Pid
				inode, _ := n.own(id).inode()
				eventually(t, "the process is in the pod", func() bool { return inNamespace(pid, inode) })
				n.set.Processes = func(string) []int { return []int{pid} }
			}
			run(t, breakIt[0], breakIt[1:]...)
			whole(t)
		})
	}
}

func TestStraysAreRemoved(t *testing.T) {
	n := newNode(t)
	_, a := n.up(t)
	serve(t, a, ":80", "a")
	// A device of an allocation that nobody knows, and one that is the operator's.
	h, err := handle()
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	bridge, _ := h.LinkByName(DefaultBridge)
	for _, name := range []string{linkPrefix + "012345678", "tap0"} {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = name
		v := netlink.NewVeth(attrs)
		v.PeerName = "x" + name[:4]
		if err := h.LinkAdd(v); err != nil {
			t.Fatal(err)
		}
		l, _ := h.LinkByName(name)
		if err := h.LinkSetMaster(l, bridge); err != nil {
			t.Fatal(err)
		}
	}
	stray := n.own("0123")
	if err := stray.make(); err != nil {
		t.Fatal(err)
	}
	n.Reconcile(t.Context())
	if l, _ := lookup(h, linkPrefix+"012345678"); l != nil {
		t.Error("a stray device is left")
	}
	l, _ := lookup(h, "tap0")
	if l == nil {
		t.Fatal("the operator's device was removed")
	}
	if _, there := stray.inode(); there {
		t.Error("a stray namespace is left")
	}
	answers(t, "a")(ask(a.Address.String() + ":80"))
	if err := h.LinkDel(l); err != nil {
		t.Error(err)
	}
}

// Two agents of one machine do not share a bridge.
func TestBridgeHasOneAgent(t *testing.T) {
	n := newNode(t)
	n.up(t)
	cfg := n.cfg
	cfg.Store, cfg.Node, cfg.Dir = newShelf(), uuid.NewString(), t.TempDir()
	second, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	req := Request{AllocID: uuid.NewString(), Mode: ModeBridge}
	if _, err := second.Up(t.Context(), req); err == nil || !strings.Contains(err.Error(), "another agent's") {
		t.Errorf("while the first lives: %v", err)
	}
	n.Close()
	if _, err := second.Up(t.Context(), req); err == nil || !strings.Contains(err.Error(), "whose agent does not run") {
		t.Errorf("while pods of the first live: %v", err)
	}
	cfg.Bridge = "second0"
	third, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer third.Close()
	if _, err := third.Up(t.Context(), req); err == nil || !strings.Contains(err.Error(), "overlaps") {
		t.Errorf("with the same subnet: %v", err)
	}
	if err := third.Remove(t.Context()); err != nil {
		t.Error(err)
	}
	cfg.Subnet = "10.88.0.0/24"
	fourth, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer fourth.Close()
	p, err := fourth.Up(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	serve(t, p, ":80", "second")
	answers(t, "second")(ask(p.Address.String() + ":80"))
	if err := fourth.Remove(t.Context()); err != nil {
		t.Error(err)
	}
}

// What a dev agent has left is removed by the next one, whatever its bridge.
func TestSweep(t *testing.T) {
	n := newNode(t, func(c *Config) { c.Bridge, c.Subnet = "dev0", "10.77.0.0/24" })
	n.up(t, portAt("192.0.2.10", 8080, 80))
	n.crash(t)
	n.Close()
	cfg := n.cfg
	cfg.Bridge, cfg.Subnet = "", ""
	if err := Sweep(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	n.nothing(t)
}

func TestGivesUpWithItsContext(t *testing.T) {
	n := newNode(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := n.Up(ctx, Request{AllocID: uuid.NewString(), Mode: ModeBridge}); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestProbe(t *testing.T) {
	needRoot(t)
	if err := Probe(); err != nil {
		t.Error(err)
	}
}
