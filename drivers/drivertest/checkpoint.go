package drivertest

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/seraihq/serai/drivers"
)

// CRIU puts the CRIU that fetch-criu.sh has brought on the PATH, before those that are there, for this process and those that it starts.
var CRIU = sync.OnceFunc(func() {
	dir := os.Getenv("SERAI_CRIU")
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return
		}
		dir = filepath.Join(cache, "serai", "criu")
	}
	bin := filepath.Join(dir, "bin")
	if _, err := os.Stat(filepath.Join(bin, "criu")); err == nil {
		_ = os.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	}
})

// counts is a program whose memory shows in what it writes.
const counts = `trap 'exit 3' TERM; i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done`

// testCheckpoint writes a task down, ends it, and lets it go on from there.
func testCheckpoint(t *testing.T, s Subject) {
	CRIU()
	d := s.New(t)
	c, ok := drivers.CheckpointerOf(d)
	if !ok || s.Script == nil {
		t.Skip("the driver makes no checkpoints, or runs no scripts")
	}
	if err := c.Checkpoint(t.Context(), "none", t.TempDir()); !errors.Is(err, drivers.ErrTaskNotFound) {
		t.Errorf("an unknown task: %v", err)
	}
	s.User = "root" // another user's limits are read with a right (CAP_SYS_RESOURCE) that root has not everywhere
	j := newJob(t, s, s.Script(counts))
	start(t, d, j)
	eventually(t, "the task to count", func() bool { return len(j.output()) > 4 })
	dir := filepath.Join(j.AllocDir, "checkpoint")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	err := c.Checkpoint(t.Context(), j.ID, dir)
	if errors.Is(err, drivers.ErrUnsupported) {
		if exec.Command("criu", "check").Run() == nil {
			t.Errorf("CRIU works here, and the driver says %v", err)
		}
		t.Skipf("not here: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	n := len(j.output())
	eventually(t, "the task to go on", func() bool { return len(j.output()) > n+2 })
	if err := d.Destroy(t.Context(), j.ID, true); err != nil {
		t.Fatal(err)
	}
	again := newJob(t, s, s.Script(counts))
	h, err := c.Restore(t.Context(), again.TaskConfig, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Destroy(context.Background(), again.ID, true) })
	eventually(t, "the restored task to count", func() bool { return len(again.output()) > 4 })
	if first, _ := strconv.Atoi(again.output()[0]); first < 4 || first > n+2 {
		t.Errorf("it goes on with %q, and was written down at about %d", again.output()[0], n)
	}
	if s.Restart != nil {
		d = s.Restart(t)
		t.Cleanup(func() { _ = d.Destroy(context.Background(), again.ID, true) })
		if err := d.Recover(t.Context(), h); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Stop(t.Context(), again.ID, 10*time.Second, "SIGTERM"); err != nil {
		t.Fatal(err)
	}
	if r := wait(t, d, again.ID); r.ExitCode != 3 && !errors.Is(r.Err, drivers.ErrExitUnknown) {
		t.Errorf("%+v", r)
	}
}
