package network

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/seraihq/serai/client/network/cni"
)

// pluginDir is where Debian puts the standard plugins.
const pluginDir = "/usr/lib/cni"

const bridgeList = `{"cniVersion":"1.0.0","name":"lab","plugins":[
 {"type":"bridge","bridge":"cni-lab","isGateway":true,
  "ipam":{"type":"host-local","dataDir":"STATE","ranges":[[{"subnet":"10.66.0.0/24"}]],"routes":[{"dst":"0.0.0.0/0"}]},
  "dns":{"nameservers":["192.0.2.53"],"search":["lab.example"]}},
 {"type":"portmap","capabilities":{"portMappings":true},"snat":true}]}`

func withPlugins(t *testing.T) func(*Config) {
	t.Helper()
	if _, err := os.Stat(pluginDir + "/portmap"); err != nil {
		t.Skip("the standard CNI plugins are not installed: run make test-deps")
	}
	dir := t.TempDir()
	text := strings.ReplaceAll(bridgeList, "STATE", filepath.Join(dir, "ipam"))
	if err := os.WriteFile(filepath.Join(dir, "lab.conflist"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return func(c *Config) { c.CNIPath, c.CNIDir = "/nonexistent:"+pluginDir, dir }
}

func TestPlugins(t *testing.T) {
	needRoot(t)
	n := newNode(t, withPlugins(t))
	t.Cleanup(func() { run(t, "ip", "link", "del", "cni-lab") }) // the plugins leave it
	id := uuid.NewString()
	req := Request{AllocID: id, Mode: "cni/lab", Hostname: "pod", Ports: []Port{portAt("192.0.2.10", 8080, 80)}, CNIArgs: map[string]string{"NOMAD_JOB_ID": "x"}}
	p, err := n.Up(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if p.Interface != Interface || !strings.HasPrefix(p.Address.String(), "10.66.0.") || p.DNS == nil || p.DNS.Servers[0] != "192.0.2.53" || p.Namespace.Address != p.Address.String() {
		t.Errorf("%+v %+v", p, p.DNS)
	}
	serve(t, p, ":80", "plugged")
	answers(t, "plugged")(ask("192.0.2.10:8080"))
	answers(t, "plugged")(ask(p.Address.String() + ":80"))
	// What is blocked for pods is blocked for these too.
	run(t, "ip", "addr", "add", "169.254.169.254/32", "dev", "lo")
	t.Cleanup(func() { run(t, "ip", "addr", "del", "169.254.169.254/32", "dev", "lo") })
	if err := listen(t, "169.254.169.254:80", "credentials"); err != nil {
		t.Fatal(err)
	}
	silent(t, "metadata")(fromPod(t, p, probeTCP, "169.254.169.254:80"))

	// A new agent goes on with it, and mends what is missing.
	n.begin(t)
	again, err := n.Up(t.Context(), req)
	if err != nil || again.Address != p.Address {
		t.Errorf("%+v %v", again, err)
	}
	answers(t, "plugged")(ask("192.0.2.10:8080"))
	if out, err := ns(p, "ip", "link", "del", Interface).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if again, err = n.Stand(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	serve(t, again, "0.0.0.0:81", "mended")
	answers(t, "mended")(ask(again.Address.String() + ":81"))
	if err := n.Down(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if left := run(t, "iptables-save", "-t", "nat"); strings.Contains(left, "8080") {
		t.Errorf("the plugins' rules are left: %s", left)
	}
	run(t, "iptables", "-t", "nat", "-F")
}

// What others break of the devices of plugins is mended while tasks run, with the
// address that they know.
func TestPluginsAreMended(t *testing.T) {
	needRoot(t)
	n := newNode(t, withPlugins(t))
	t.Cleanup(func() { run(t, "ip", "link", "del", "cni-lab") })
	up := func(port int) (string, Pod) {
		t.Helper()
		id := uuid.NewString()
		p, err := n.Up(t.Context(), Request{AllocID: id, Mode: "cni/lab", Hostname: "pod", Ports: []Port{portAt("192.0.2.10", port, 80)}})
		if err != nil {
			t.Fatal(err)
		}
		return id, p
	}
	a, first := up(8080)
	serve(t, first, ":80", "first")
	device := func() string {
		t.Helper()
		for name := range n.pods[a].record.CNI.Links {
			if strings.HasPrefix(name, "veth") {
				return name
			}
		}
		t.Fatalf("no device of its own: %v", n.pods[a].record.CNI.Links)
		return ""
	}
	for _, breakIt := range []func(){
		func() { run(t, "ip", "link", "del", "cni-lab") },
		func() { run(t, "ip", "link", "del", device()) },
		func() { run(t, "ip", "link", "set", device(), "nomaster") },
		func() { // another makes the bridge anew meanwhile
			run(t, "ip", "link", "del", "cni-lab")
			id, p := up(8081)
			serve(t, p, ":80", "second")
			answers(t, "second")(ask("192.0.2.10:8081"))
			t.Cleanup(func() { n.over(id) })
		},
	} {
		breakIt()
		n.Reconcile(t.Context())
		answers(t, "first")(ask("192.0.2.10:8080"))
		if now := n.pods[a].record.Address; now != first.Address {
			t.Errorf("%s became %s", first.Address, now)
		}
	}
	was := device()
	n.begin(t)
	n.Reconcile(t.Context())
	if device() != was {
		t.Error("what stands was made anew")
	}
	answers(t, "first")(ask("192.0.2.10:8080"))
}

// A port that a stranger listens to is told, as with the bridge.
func TestPluginsStrangersPort(t *testing.T) {
	needRoot(t)
	n := newNode(t, withPlugins(t))
	if err := listen(t, "192.0.2.10:8089", "stranger"); err != nil {
		t.Fatal(err)
	}
	_, err := n.Up(t.Context(), Request{AllocID: uuid.NewString(), Mode: "cni/lab", Hostname: "pod", Ports: []Port{portAt("192.0.2.10", 8089, 80)}})
	if err == nil || !strings.Contains(err.Error(), "taken by a process that is not serai's") {
		t.Error(err)
	}
}

func TestUnknownPluginNetwork(t *testing.T) {
	needRoot(t)
	n := newNode(t, func(c *Config) { c.CNIDir = t.TempDir() })
	_, err := n.Up(t.Context(), Request{AllocID: uuid.NewString(), Mode: "cni/absent"})
	if err == nil || !strings.Contains(err.Error(), `no CNI network "absent"`) {
		t.Error(err)
	}
}

func TestPluginVersions(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"good": "#!/bin/sh\necho CNI good plugin v1.4.0 >&2\n", "fails": "#!/bin/sh\necho CNI fails plugin v0.9.1 >&2\nexit 1\n",
		"other": "#!/bin/sh\necho hello\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	got := cni.Versions(t.Context(), []string{"/nonexistent", dir})
	if len(got) != 2 || got["good"] != "v1.4.0" || got["fails"] != "v0.9.1" {
		t.Errorf("%v", got)
	}
}
