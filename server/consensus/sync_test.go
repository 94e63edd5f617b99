package consensus

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/fsm"
)

// arm makes a place of the process behave; it is undone when the test ends.
func arm(t *testing.T, place, how string) (heal func()) {
	t.Helper()
	path := filepath.Join(faults, place)
	if err := os.WriteFile(path, []byte(how), 0o600); err != nil {
		t.Fatal(err)
	}
	heal = func() { _ = os.Remove(path) }
	t.Cleanup(heal)
	return heal
}

// A disk that does not keep what was written to it stops the server: what was
// written is not acknowledged, nothing is tried again, and all that was
// acknowledged before is there afterwards.
func TestFailingSync(t *testing.T) { testFailingSync(t, "wal:sync") }

func TestFailingVote(t *testing.T) { testFailingSync(t, "stable:sync") }

func testFailingSync(t *testing.T, place string) {
	t.Helper()
	dir := t.TempDir()
	told := make(chan error, 8)
	cfg := config(dir)
	cfg.Fatal = func(err error) { told <- err }
	r := open(t, cfg)
	putNamespace(t, r, "before")
	heal := arm(t, place, "fail")
	try := func(name string) error {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		_, err := r.Do(ctx, &fsm.NamespaceUpsert{Namespaces: []*api.Namespace{{Name: name}}})
		return err
	}
	if place == "stable:sync" {
		go func() { _ = r.stores.stable.SetUint64([]byte("CurrentTerm"), 99) }()
	} else if err := try("lost"); err == nil {
		t.Error("a write was acknowledged that the disk did not keep")
	}
	select {
	case err := <-told:
		if !errors.Is(err, unix.EIO) || !strings.Contains(err.Error(), "when the disk is well") {
			t.Errorf("the server stops with %v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("the server was not told to stop")
	}
	heal()
	if err := try("after"); err == nil && place == "wal:sync" {
		t.Error("the log took an entry after its disk had failed")
	}
	r.Close()
	again := open(t, config(dir))
	if !hasNamespace(again, "before") || hasNamespace(again, "lost") || place == "wal:sync" && hasNamespace(again, "after") {
		t.Error("the state after a restart is not what was acknowledged")
	}
}
