package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seraihq/serai/e2e/rig"
)

// newer builds serai with a protocol version beyond its own.
func newer(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "serai-newer")
	if err := build(path, "-ldflags", "-X github.com/seraihq/serai/internal/version.protocolMax=2"); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestRollingUpgrade replaces the servers of a cluster one by one. The protocol
// version rises when the last of them is new, and what was written before,
// between and after is there.
func TestRollingUpgrade(t *testing.T) {
	t.Parallel()
	second := newer(t)
	servers := make([]*agent, 3)
	var join []string
	for i := range servers {
		servers[i] = prepare(t, rig.Options{NoClient: true})
		join = append(join, fmt.Sprintf("%q", fmt.Sprintf("127.0.0.1:%d", servers[i].Ports.Serf)))
	}
	extra := filepath.Join(t.TempDir(), "cluster.hcl")
	text := "server {\n bootstrap_expect = 3\n server_join {\n  retry_join = [" + strings.Join(join, ", ") + "]\n }\n}\n"
	if err := os.WriteFile(extra, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, a := range servers {
		a.Swap(binary, "-config", extra)
		if err := a.Launch(); err != nil {
			t.Fatal(err)
		}
	}
	ready := func(a *agent) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
		defer cancel()
		if err := a.Ready(ctx); err != nil {
			t.Fatal(err)
		}
	}
	for _, a := range servers {
		ready(a)
	}
	write := func(name string) {
		t.Helper()
		for end := time.Now().Add(2 * patience); ; time.Sleep(100 * time.Millisecond) {
			r := servers[0].cli(t, "namespace", "apply", name)
			if r.code == 0 {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("write %s: %v", name, r)
			}
		}
	}
	write("before")
	for i, a := range servers {
		if code, err := a.Stop(syscall.SIGTERM); err != nil || code != 0 {
			t.Fatalf("exit code %d, %v", code, err)
		}
		a.Swap(second, "-config", extra)
		if err := a.Launch(); err != nil {
			t.Fatal(err)
		}
		ready(a)
		write(fmt.Sprintf("between-%d", i))
		if got := a.protocol(t); i < 2 && got != "1" {
			t.Fatalf("with %d of 3 servers new the version is %s", i+1, got)
		}
	}
	for _, a := range servers {
		for end := time.Now().Add(2 * patience); a.protocol(t) != "2"; time.Sleep(100 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("all servers are new and the version is %s", a.protocol(t))
			}
		}
	}
	write("after")
	for _, a := range servers {
		out := a.ok(t, "namespace", "list")
		for _, want := range []string{"before", "between-0", "between-1", "between-2", "after"} {
			if !strings.Contains(out, want) {
				t.Errorf("%s is missing in %s", want, out)
			}
		}
	}
	for _, a := range servers {
		if code, err := a.Stop(syscall.SIGTERM); err != nil || code != 0 {
			t.Errorf("exit code %d, %v", code, err)
		}
	}
}

// protocol gives the protocol version of the cluster, as the agent knows it.
func (a *agent) protocol(t *testing.T) string {
	t.Helper()
	var self struct {
		Stats map[string]map[string]string `json:"stats"`
	}
	a.get(t, "/v1/agent/self", &self)
	return self.Stats["nomad"]["protocol"]
}

// TestUpgradeAndDowngrade: a newer build raises the protocol version of its
// cluster, and an older one then refuses to run on its data, harming nothing.
// Held back by protocol_version, the newer one leaves the way back open.
func TestUpgradeAndDowngrade(t *testing.T) {
	t.Parallel()
	second := newer(t)
	held := filepath.Join(t.TempDir(), "held.hcl")
	if err := os.WriteFile(held, []byte("server {\n protocol_version = 1\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := start(t, rig.Options{NoClient: true})
	a.ok(t, "namespace", "apply", "kept")
	stop := func() {
		t.Helper()
		if code, err := a.Stop(syscall.SIGTERM); err != nil || code != 0 {
			t.Fatalf("exit code %d, %v", code, err)
		}
	}
	protocol := func() string { return a.protocol(t) }
	stop()

	a.Swap(second, "-config", held)
	a.launch(t)
	if got := protocol(); got != "1" {
		t.Errorf("a newer build that is held back raised the version to %s", got)
	}
	stop()
	a.Swap(binary)
	a.launch(t)
	if out := a.ok(t, "namespace", "list"); !strings.Contains(out, "kept") {
		t.Errorf("after a downgrade: %s", out)
	}
	stop()

	a.Swap(second)
	a.launch(t)
	for end := time.Now().Add(patience); protocol() != "2"; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("a newer build alone does not raise the version")
		}
	}
	future := filepath.Join(t.TempDir(), "future.snap")
	a.ok(t, "operator", "snapshot", "save", future)
	older := start(t, rig.Options{NoClient: true})
	if r := older.cli(t, "operator", "snapshot", "restore", "-force", future); r.code != 1 || !strings.Contains(r.stderr, "protocol version 2") || !strings.Contains(r.stderr, "use a build") {
		t.Errorf("a snapshot from the future: %v", r)
	}
	if out := older.ok(t, "namespace", "list"); strings.Contains(out, "kept") {
		t.Errorf("a snapshot from the future was restored: %s", out)
	}
	stop()
	a.Swap(binary)
	if err := a.Launch(); err != nil {
		t.Fatal(err)
	}
	if code, err := a.Wait(patience); err != nil || code != 1 {
		t.Fatalf("an older build on newer data: exit code %d, %v", code, err)
	}
	if log := a.Log(); !strings.Contains(log, "protocol version 2") || !strings.Contains(log, "install a build") {
		t.Errorf("the older build does not say why it stops:\n%s", log)
	}
	a.Swap(second)
	a.launch(t)
	if out := a.ok(t, "namespace", "list"); !strings.Contains(out, "kept") {
		t.Errorf("after the older build was tried: %s", out)
	}
	stop()
}
