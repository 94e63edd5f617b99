package e2e

import (
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
	protocol := func() string {
		var self struct {
			Stats map[string]map[string]string `json:"stats"`
		}
		a.get(t, "/v1/agent/self", &self)
		return self.Stats["nomad"]["protocol"]
	}
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
