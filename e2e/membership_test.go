package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/seraihq/serai/api"
)

// members gives the states of the servers as one of them tells, by name.
func members(t *testing.T, at *agent) map[string]string {
	t.Helper()
	var all api.ServerMembers
	at.get(t, "/v1/agent/members", &all)
	out := map[string]string{}
	for _, m := range all.Members {
		out[m.Name] = m.Status
	}
	return out
}

// inRaft lists the servers in Raft as people see them.
func inRaft(t *testing.T, at *agent) []string {
	t.Helper()
	var c api.RaftConfiguration
	at.get(t, "/v1/operator/raft/configuration", &c)
	var names []string
	for _, s := range c.Servers {
		names = append(names, s.Node)
	}
	slices.Sort(names)
	return names
}

func nameOf(a *agent) string { return a.Mark + ".global" }

// TestOperatorsChangeTheMembers does with a cluster of three, over the command
// line, what an operator does: rotates its gossip keys, forces out a server that
// died, and stops one that leaves by itself.
func TestOperatorsChangeTheMembers(t *testing.T) {
	key, second := newKey(t), newKey(t)
	servers, _ := startServersWith(t, fmt.Sprintf("leave_on_terminate = true\nserver {\n  encrypt = %q\n}\n", key), 3)
	leader, followers := leading(t, servers)
	through, victim := followers[0], followers[1]

	if out := through.ok(t, "server", "members", "-verbose"); strings.Count(out, "alive") != 3 {
		t.Errorf("members:\n%s", out)
	}
	through.ok(t, "operator", "gossip", "keyring", "install", second)
	through.ok(t, "operator", "gossip", "keyring", "use", second)
	through.ok(t, "operator", "gossip", "keyring", "remove", key)
	if out := through.ok(t, "operator", "gossip", "keyring", "list"); !strings.Contains(out, second) || strings.Contains(out, key) || !strings.Contains(out, "3/3") {
		t.Errorf("keys after the rotation:\n%s", out)
	}
	info, err := os.Stat(filepath.Join(through.DataDir(), "server", "gossip", "keyring"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("keyring file: %v, %v", info, err)
	}
	if out := through.cli(t, "server", "force-leave", victim.Mark); out.code != 1 || !strings.Contains(out.stderr, "is alive") {
		t.Errorf("a living server was forced out: %+v", out)
	}

	if err := victim.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the killed server has failed", func() (bool, string) {
		got := members(t, through)
		return got[nameOf(victim)] == api.ServerFailed, fmt.Sprint(got)
	})
	through.ok(t, "server", "force-leave", "-prune", victim.Mark)
	eventually(t, "it is neither in Raft nor in the list", func() (bool, string) {
		raft, got := inRaft(t, through), members(t, through)
		return len(raft) == 2 && len(got) == 2 && !slices.Contains(raft, nameOf(victim)), fmt.Sprint(raft, got)
	})

	if code, err := leader.Stop(syscall.SIGTERM); code != 0 || err != nil {
		t.Errorf("the leader left with %d, %v", code, err)
	}
	eventually(t, "the leader has left and the last server leads", func() (bool, string) {
		raft, got := inRaft(t, through), members(t, through)
		return len(raft) == 1 && got[nameOf(leader)] == api.ServerLeft, fmt.Sprint(raft, got)
	})
	through.ok(t, "namespace", "apply", "alone")
	if out := through.ok(t, "operator", "autopilot", "health"); !strings.Contains(out, "Healthy          = true") {
		t.Errorf("health of the last server:\n%s", out)
	}
}

// newKey makes a gossip key, which needs no agent.
func newKey(t *testing.T) string {
	t.Helper()
	r := finish(t, exec.CommandContext(t.Context(), binary, "operator", "gossip", "keyring", "generate"))
	if r.code != 0 {
		t.Fatal(r)
	}
	return strings.TrimSpace(r.stdout)
}
