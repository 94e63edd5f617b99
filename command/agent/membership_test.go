package agent

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	nomad "github.com/hashicorp/nomad/api"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/agent/config"
	"github.com/seraihq/serai/server/gossip"
)

// join starts a server that looks for the others where some are.
func join(t *testing.T, name, dir, more string, others ...*serverAgent) *serverAgent {
	t.Helper()
	var list []string
	for _, o := range others {
		list = append(list, fmt.Sprintf("%q", o.gossipAddress()))
	}
	cfg := config.Default()
	text := "log_level = \"ERROR\"\nautopilot {\n server_stabilization_time = \"1s\"\n last_contact_threshold = \"30s\"\n}\nserver {\n enabled = true\n" + more
	if len(list) > 0 {
		text += "\n server_join {\n  retry_join = [" + strings.Join(list, ", ") + "]\n  retry_interval = \"1s\"\n }\n"
	}
	if err := cfg.Parse("test.hcl", []byte(text+"\n}\n")); err != nil {
		t.Fatal(err)
	}
	cfg.Name, cfg.DataDir, cfg.Ports = name, dir, config.Ports{}
	return startConfigured(t, cfg)
}

func (s *serverAgent) gossipAddress() string {
	m := s.server.Member()
	return fmt.Sprintf("%s:%d", m.Addr, m.Port)
}

// raftOf tells who is in Raft as a server sees it: "a b (c)", those without a
// vote in brackets.
func raftOf(s *serverAgent) string {
	c, err := s.server.RaftConfiguration()
	if err != nil {
		return err.Error()
	}
	var out []string
	for _, x := range c.Servers {
		name := strings.TrimSuffix(x.Node, ".global")
		if !x.Voter {
			name = "(" + name + ")"
		}
		out = append(out, name)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func awaitRaft(t *testing.T, want string, all ...*serverAgent) {
	t.Helper()
	for _, s := range all {
		eventually(t, fmt.Sprintf("%s to have the servers %q", s.cfg.Name, want), func() bool { return raftOf(s) == want })
	}
}

// leaderOf waits until one of the servers leads.
func leaderOf(t *testing.T, all ...*serverAgent) *serverAgent {
	leader, _ := leaderAgent(t, all)
	return leader
}

func put(t *testing.T, s *serverAgent, name string) {
	t.Helper()
	eventually(t, "a write through "+s.cfg.Name, func() bool {
		resp, _ := send(t, http.MethodPut, s.url("/v1/namespace"), fmt.Sprintf(`{"Name":%q}`, name))
		return resp.StatusCode == http.StatusOK
	})
}

// TestServersCome has a cluster form of three, take a fourth in and find one that
// has moved. A client that was told of one server finds the others.
func TestServersCome(t *testing.T) {
	t.Parallel()
	const three = " bootstrap_expect = 3\n"
	movedDir := t.TempDir()
	a := join(t, "a", t.TempDir(), three)
	b := join(t, "b", t.TempDir(), three, a)
	if raftOf(a) != "" || raftOf(b) != "" {
		t.Fatalf("two of three servers are a cluster: %q, %q", raftOf(a), raftOf(b))
	}
	c := join(t, "c", movedDir, three, a)
	awaitRaft(t, "a b c", a, b, c)
	put(t, c, "first")

	node := startConfigured(t, alone(t, "node", a.server.Address()))
	eventually(t, "the client to know all servers", func() bool { return len(node.remote.Servers()) == 3 })

	d := join(t, "d", t.TempDir(), "", b)
	awaitRaft(t, "a b c d", a, b, c, d)
	eventually(t, "the client to know the new server", func() bool { return slices.Contains(node.remote.Servers(), d.server.Address()) })

	was := c.server.Address()
	c.stop(t) // as if it were killed: the others are not told
	c = join(t, "c", movedDir, three, a)
	if c.server.Address() == was {
		t.Skip("the server has got the same port again")
	}
	eventually(t, "the others to find c at its new address", func() bool { return slices.Contains(a.server.Peers(), c.server.Address()) })
	awaitRaft(t, "a b c d", a, b, c, d)
	staleEverywhere(t, []*serverAgent{a, b, c, d}, "/v1/namespaces?stale", "first")

	a.stop(t) // the only one that the client was configured with
	put(t, b, "second")
	eventually(t, "the client's agent to reach the servers that are left", func() bool {
		_, text := send(t, http.MethodGet, node.url("/v1/namespaces"), "")
		return strings.Contains(text, `"second"`)
	})
}

// TestServersGo has the leader of four leave, and another one die and be buried.
func TestServersGo(t *testing.T) {
	t.Parallel()
	const four = " bootstrap_expect = 4\n"
	a := join(t, "a", t.TempDir(), four)
	all := []*serverAgent{a, join(t, "b", t.TempDir(), four, a), join(t, "c", t.TempDir(), four, a), join(t, "d", t.TempDir(), four, a)}
	awaitRaft(t, "a b c d", all...)
	put(t, a, "first")

	leader := leaderOf(t, all...)
	if err := leader.server.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	leader.stop(t)
	rest := slices.DeleteFunc(all, func(s *serverAgent) bool { return s == leader })
	awaitRaft(t, namesOf(rest), rest...)
	put(t, rest[0], "second")

	rest[2].stop(t)
	awaitRaft(t, namesOf(rest[:2]), rest[:2]...)
	put(t, rest[0], "third")
}

func namesOf(all []*serverAgent) string {
	var out []string
	for _, s := range all {
		out = append(out, s.cfg.Name)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// TestAClusterThatMovesAsAWhole: every server gets another address at once, so
// that nobody leads who could write the new ones down.
func TestAClusterThatMovesAsAWhole(t *testing.T) {
	t.Parallel()
	const three = " bootstrap_expect = 3\n"
	dirs := []string{t.TempDir(), t.TempDir(), t.TempDir()}
	a := join(t, "a", dirs[0], three)
	all := []*serverAgent{a, join(t, "b", dirs[1], three, a), join(t, "c", dirs[2], three, a)}
	awaitRaft(t, "a b c", all...)
	put(t, a, "kept")
	for _, s := range all {
		s.stop(t)
	}
	a = join(t, "a", dirs[0], three)
	all = []*serverAgent{a, join(t, "b", dirs[1], three, a), join(t, "c", dirs[2], three, a)}
	leaderOf(t, all...)
	staleEverywhere(t, all, "/v1/namespaces?stale", "kept")
	for _, s := range all {
		eventually(t, "Raft to know where "+s.cfg.Name+" is", func() bool { return slices.Contains(leaderOf(t, all...).server.Peers(), s.server.Address()) })
	}
}

// TestServersThatDoNotFit: each is told why, and nothing comes of it.
func TestServersThatDoNotFit(t *testing.T) {
	t.Parallel()
	a := join(t, "a", t.TempDir(), " bootstrap_expect = 1\n")
	leaderOf(t, a)
	other := join(t, "b", t.TempDir(), " bootstrap_expect = 1\n")
	leaderOf(t, other)
	// Two clusters.
	eventually(t, "both to tell which cluster they belong to", func() bool {
		return a.server.Member().Tags["cluster"] != "" && other.server.Member().Tags["cluster"] != ""
	})
	if _, err := other.server.Join([]string{a.gossipAddress()}); err == nil || !strings.Contains(err.Error(), "another cluster") {
		t.Errorf("two clusters were joined: %v", err)
	}
	// Servers that expect a cluster of another size wait.
	c := join(t, "c", t.TempDir(), " bootstrap_expect = 3\n")
	d := join(t, "d", t.TempDir(), " bootstrap_expect = 5\n", c)
	eventually(t, "c and d to know each other", func() bool { return len(c.server.Members().Members) == 2 && len(d.server.Members().Members) == 2 })
	if c.server.Raft().Bootstrapped() || d.server.Raft().Bootstrapped() {
		t.Error("servers that expect different numbers are a cluster")
	}
	// A server that expects others takes part in a cluster that is there.
	if _, err := c.server.Join([]string{a.gossipAddress()}); err != nil {
		t.Fatal(err)
	}
	awaitRaft(t, "a c d", a, c, d)
}

// TestAReplicaNeverVotes.
func TestAReplicaNeverVotes(t *testing.T) {
	t.Parallel()
	a := join(t, "a", t.TempDir(), " bootstrap_expect = 1\n")
	r := join(t, "r", t.TempDir(), " non_voting_server = true\n", a)
	b := join(t, "b", t.TempDir(), "", a)
	awaitRaft(t, "(r) a b", a, b, r)
	put(t, r, "through")
	resp, text := send(t, http.MethodGet, r.url("/v1/operator/autopilot/health"), "")
	var h api.AutopilotHealth
	if err := json.Unmarshal([]byte(text), &h); err != nil || resp.StatusCode != http.StatusOK || len(h.Voters) != 2 || len(h.ReadReplicas) != 1 || len(h.Servers) != 3 {
		t.Errorf("health: %d %s %v", resp.StatusCode, text, err)
	}
}

// TestNomadsClientKnowsTheServers has Nomad's own client ask.
func TestNomadsClientKnowsTheServers(t *testing.T) {
	t.Parallel()
	key, err := gossip.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	second, _ := gossip.NewKey()
	encrypt := fmt.Sprintf(" encrypt = %q\n", key.Reveal())
	a := join(t, "a", t.TempDir(), encrypt+" bootstrap_expect = 1\n")
	b := join(t, "b", t.TempDir(), encrypt+" redundancy_zone = \"east\"\n", a)
	awaitRaft(t, "a b", a, b)
	c, err := nomad.NewClient(&nomad.Config{Address: b.url("")})
	if err != nil {
		t.Fatal(err)
	}
	members, err := c.Agent().Members()
	if err != nil || len(members.Members) != 2 || members.ServerName != "b" || members.Members[1].Tags["zone"] != "east" || members.Members[0].Status != "alive" {
		t.Fatalf("members: %+v, %v", members, err)
	}
	keyring(t, c.Agent(), key.Reveal(), second.Reveal())
	if path := filepath.Join(b.cfg.Server.DataDir, "gossip", "keyring"); !b.cfg.GossipEncrypted() {
		t.Errorf("%s is not there", path)
	}
	autopilotOf(t, c.Operator())
	if n, err := c.Agent().Join(a.gossipAddress()); n != 1 || err != nil {
		t.Errorf("join: %d, %v", n, err)
	}
	if _, err := c.Agent().Join("127.0.0.1:1"); err == nil {
		t.Error("nobody was joined")
	}
	if err := c.Agent().ForceLeave("a.global"); err == nil {
		t.Error("a living server was forced out")
	}
	if err := c.Agent().SetServers([]string{"127.0.0.1:1"}); err == nil {
		t.Error("a server's agent took other servers")
	}
	b.stop(t)
	// Two voters of which one died have no leader; gossip goes on.
	eventually(t, "a to see that b failed", func() bool { return a.server.Members().Members[1].Status == "failed" })
	c, _ = nomad.NewClient(&nomad.Config{Address: a.url("")})
	if err := c.Agent().ForceLeaveWithOptions("b", nomad.ForceLeaveOpts{Prune: true}); err != nil {
		t.Error(err)
	}
	eventually(t, "b to be forgotten", func() bool { return len(a.server.Members().Members) == 1 })
}

func keyring(t *testing.T, c *nomad.Agent, first, second string) {
	t.Helper()
	if _, err := c.InstallKey(second); err != nil {
		t.Fatal(err)
	}
	if _, err := c.UseKey(second); err != nil {
		t.Fatal(err)
	}
	if _, err := c.RemoveKey(first); err != nil {
		t.Fatal(err)
	}
	r, err := c.ListKeys()
	if err != nil || r.NumNodes != 2 || len(r.Keys) != 1 || r.Keys[second] != 2 {
		t.Errorf("keys: %+v, %v", r, err)
	}
	if _, err := c.InstallKey("short"); err == nil || strings.Contains(err.Error(), "short") {
		t.Errorf("a key that is none: %v", err)
	}
}

func autopilotOf(t *testing.T, c *nomad.Operator) {
	t.Helper()
	conf, _, err := c.AutopilotGetConfiguration(nil)
	if err != nil || !conf.CleanupDeadServers || conf.ServerStabilizationTime.Seconds() != 1 {
		t.Fatalf("%+v, %v", conf, err)
	}
	conf.MinQuorum = 2
	if ok, _, err := c.AutopilotCASConfiguration(conf, nil); !ok || err != nil {
		t.Errorf("set: %v, %v", ok, err)
	}
	if ok, _, err := c.AutopilotCASConfiguration(conf, nil); ok || err != nil {
		t.Errorf("set again with the old index: %v, %v", ok, err)
	}
	h, _, err := c.AutopilotServerHealth(nil)
	if err != nil || !h.Healthy || len(h.Servers) != 2 || h.Leader == "" {
		t.Errorf("%+v, %v", h, err)
	}
}
