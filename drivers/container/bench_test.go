package container

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// BenchmarkStart runs /bin/true in a container, from the start to its removal, with the image present: by this driver, and by "runc run" on the
// same root with the same overlay.
func BenchmarkStart(b *testing.B) {
	b.Run("serai", func(b *testing.B) {
		w := newWorld(b, nil)
		r := w.run(map[string]any{"command": "true"})
		var starting time.Duration
		for i := range b.N {
			r.task.ID = "container-test/" + itoa(i)
			began := time.Now()
			if _, err := w.d.Start(b.Context(), r.task); err != nil {
				b.Fatal(err)
			}
			starting += time.Since(began)
			if _, err := w.d.Wait(b.Context(), r.task.ID); err != nil {
				b.Fatal(err)
			}
			if err := w.d.Destroy(context.Background(), r.task.ID, false); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(starting.Milliseconds())/float64(b.N), "ms-to-running")
	})
	b.Run("runc", func(b *testing.B) {
		runc, err := exec.LookPath("runc")
		if err != nil {
			b.Skip("not here: runc is not installed")
		}
		w := newWorld(b, nil)
		dir := b.TempDir()
		bundle(b, runc, dir)
		for i := range b.N {
			if err := runOnce(runc, dir, w.root, "serai-bench-"+itoa(i)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// bundle makes what runc wants: its own default, with another program and without a terminal.
func bundle(b *testing.B, runc, dir string) {
	b.Helper()
	if out, err := exec.Command(runc, "spec", "-b", dir).CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	file := filepath.Join(dir, "config.json")
	text, err := os.ReadFile(file)
	if err != nil {
		b.Fatal(err)
	}
	var c map[string]any
	if err := json.Unmarshal(text, &c); err != nil {
		b.Fatal(err)
	}
	process := c["process"].(map[string]any)
	process["terminal"], process["args"] = false, []string{"/bin/true"}
	delete(process, "rlimits") // root may not raise them everywhere
	if text, err = json.Marshal(c); err == nil {
		err = os.WriteFile(file, text, 0o600)
	}
	if err != nil {
		b.Fatal(err)
	}
}

func runOnce(runc, dir, lower, id string) error {
	root, upper, work := filepath.Join(dir, "rootfs"), filepath.Join(dir, "upper"), filepath.Join(dir, "work")
	for _, d := range []string{root, upper, work} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	if err := unix.Mount("overlay", root, "overlay", 0, "lowerdir="+lower+",upperdir="+upper+",workdir="+work); err != nil {
		return err
	}
	defer os.RemoveAll(work)
	defer os.RemoveAll(upper)
	defer unix.Unmount(root, unix.MNT_DETACH) //nolint:errcheck
	return exec.Command(runc, "run", "-b", dir, id).Run()
}

func itoa(i int) string { return "bench" + strconv.Itoa(i) }
