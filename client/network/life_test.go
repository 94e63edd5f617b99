package network

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seraihq/serai/drivers"
)

// After a new start of the machine nothing is there but the records: allocations
// that go on get the addresses that they had, others leave nothing.
func TestReboot(t *testing.T) {
	n := newNode(t, withV6)
	id, before := n.up(t, portAt("192.0.2.10", 8080, 80))
	gone, _ := n.up(t, portAt("192.0.2.10", 8081, 80))
	n.Close()
	for _, one := range []string{id, gone} {
		run(t, "ip", "link", "del", linkName(one))
		run(t, "umount", n.own(one).path) // the empty file stays
	}
	run(t, "ip", "link", "del", DefaultBridge)
	run(t, "nft", "delete", "table", "inet", tableName(DefaultBridge))
	run(t, "nft", "delete", "table", "bridge", tableName(DefaultBridge))
	n.over(gone)
	n.begin(t)
	n.Reconcile(t.Context())
	after, err := n.Up(t.Context(), Request{AllocID: id, Mode: ModeBridge, Hostname: "pod", Ports: []Port{portAt("192.0.2.10", 8080, 80)}})
	if err != nil || after.Address != before.Address || after.AddressIPv6 != before.AddressIPv6 {
		t.Fatalf("%+v %v, had %+v", after, err, before)
	}
	serve(t, after, ":80", "again")
	answers(t, "again")(ask("192.0.2.10:8080"))
	n.Reconcile(t.Context())
	if rows, _ := n.cfg.Store.Networks(); len(rows) != 1 {
		t.Errorf("%d records", len(rows))
	}
}

// A sender that never pauses comes to the pod that the port leads to now.
func TestConnectionsAreForgotten(t *testing.T) {
	n := newNode(t)
	first, a := n.up(t, portAt("192.0.2.10", 8080, 80))
	serve(t, a, ":80", "first")
	c, err := net.Dial("udp", "192.0.2.10:8080")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	heard := func() string {
		var b [64]byte
		_ = c.SetDeadline(time.Now().Add(200 * time.Millisecond))
		if _, err := c.Write([]byte("?")); err != nil {
			return err.Error()
		}
		k, err := c.Read(b[:])
		if err != nil {
			return err.Error()
		}
		return string(b[:k])
	}
	eventually(t, "the first pod answers", func() bool { return heard() == "first" })
	if err := n.Down(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	_ = heard() // into the void, and remembered as such
	_, b := n.up(t, portAt("192.0.2.10", 8080, 80))
	serve(t, b, ":80", "second")
	n.forgetConnections()
	eventually(t, "the second pod answers", func() bool { return heard() == "second" })
}

// maker is a driver that makes namespaces itself, as those of engines do.
type maker struct {
	drivers.Driver
	dir  string
	fail error
}

func (m *maker) Info() drivers.Info {
	return drivers.Info{Name: "maker", Abilities: drivers.Abilities{MustCreateNetwork: true, NetworkModes: []drivers.NetworkMode{drivers.NetworkGroup}}}
}

func (m *maker) CreateNetwork(_ context.Context, allocID, _ string) (*drivers.NetworkIsolation, bool, error) {
	if m.fail != nil {
		return nil, false, m.fail
	}
	n := namespace{path: filepath.Join(m.dir, allocID)}
	_, there := n.inode()
	if !there {
		if err := n.make(); err != nil {
			return nil, false, err
		}
	}
	return &drivers.NetworkIsolation{Mode: drivers.NetworkGroup, Path: n.path, Labels: map[string]string{"pause": "x"}}, !there, nil
}

func (m *maker) DestroyNetwork(_ context.Context, allocID string, _ *drivers.NetworkIsolation) error {
	return namespace{path: filepath.Join(m.dir, allocID)}.remove()
}

func TestDriversNamespace(t *testing.T) {
	d := &maker{}
	n := newNode(t, func(c *Config) {
		d.dir = filepath.Join(filepath.Dir(c.Dir), "pause")
		c.Driver = func(context.Context, string) (drivers.Driver, error) { return d, nil }
	})
	req := Request{AllocID: uuid.NewString(), Mode: ModeBridge, Hostname: "h", Driver: "maker", Ports: []Port{portAt("192.0.2.10", 8080, 80)}}
	p, err := n.Up(t.Context(), req)
	if err != nil || p.Namespace.Labels["pause"] != "x" || !strings.HasPrefix(p.Namespace.Path, d.dir) {
		t.Fatalf("%+v %v", p.Namespace, err)
	}
	serve(t, p, ":80", "paused")
	answers(t, "paused")(ask("192.0.2.10:8080"))
	// The engine is started anew, and with it the namespace.
	if err := d.DestroyNetwork(t.Context(), req.AllocID, nil); err != nil {
		t.Fatal(err)
	}
	again, err := n.Stand(t.Context(), req.AllocID)
	if err != nil || again.Address != p.Address {
		t.Fatalf("%+v %v", again, err)
	}
	serve(t, again, "0.0.0.0:80", "anew")
	answers(t, "anew")(ask("192.0.2.10:8080"))
	if err := n.Down(t.Context(), req.AllocID); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(d.dir + "/*"); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	d.fail = errors.New("no engine")
	if _, err := n.Up(t.Context(), req); err == nil || !strings.Contains(err.Error(), `driver "maker"`) || !strings.Contains(err.Error(), "no engine") {
		t.Error(err)
	}
}

func TestConfigCheck(t *testing.T) {
	for _, c := range []struct {
		config Config
		want   string
	}{
		{Config{}, ""},
		{Config{Bridge: "br-0", Subnet: "10.1.0.0/16", SubnetV6: "fd00::/64", Blocked: []string{}}, ""},
		{Config{Bridge: "a name"}, "bridge_network_name"},
		{Config{Bridge: "waytoolongfordevices"}, "bridge_network_name"},
		{Config{Bridge: "x;drop"}, "bridge_network_name"},
		{Config{Subnet: "10.1.0.0"}, "bridge_network_subnet"},
		{Config{Subnet: "fd00::/64"}, "IPv4 network"},
		{Config{Subnet: "10.0.0.0/30"}, "length from 8 to 29"},
		{Config{Subnet: "127.0.0.0/16"}, "unicast"},
		{Config{Subnet: "224.0.0.0/8"}, "unicast"},
		{Config{SubnetV6: "10.0.0.0/16"}, "IPv6 network"},
		{Config{SubnetV6: "fe80::/64"}, "unicast"},
		{Config{Blocked: []string{"metadata"}}, "bridge_network_blocked"},
	} {
		err := c.config.Check()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v: %v, want %q", c.config, err, c.want)
		}
	}
}

func TestLinkNames(t *testing.T) {
	seen := map[string]bool{}
	for _, id := range []string{"0e7a9f3c-0000-4000-8000-000000000001", "short", "../../etc", "0e7a9f3d-0000-4000-8000-000000000001"} {
		name := linkName(id)
		if len(name) > 15 || !isLink(name) || seen[name] {
			t.Errorf("%q: %q", id, name)
		}
		seen[name] = true
	}
	for _, name := range []string{"serai", "serai-", "serai-0123456789", "serai-01234567x", "eth0", "serai-abcdefgh"} {
		if isLink(name) {
			t.Errorf("%q is not ours", name)
		}
	}
	r := &Record{Address: netip.MustParseAddr("172.26.64.2")}
	if r.linkLocal().String() != "fe80::5e:acff:fe1a:4002" {
		t.Error(r.linkLocal())
	}
}
