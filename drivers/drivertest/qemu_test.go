package drivertest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/seraihq/serai/drivers/drivertest"
	"github.com/seraihq/serai/drivers/qemu/qemutest"
)

// TestQemu runs guests of 512 bytes: they print, wait and end with a code, and know nothing of power buttons.
func TestQemu(t *testing.T) {
	if _, err := exec.LookPath("qemu-system-x86_64"); err != nil {
		t.Skip("not here: run make test-deps, which installs QEMU")
	}
	images, n := t.TempDir(), 0
	config := map[string]any{"image_paths": []any{images}, "args_allowlist": []any{"-device isa-debug-exit,*"}}
	both(t, "qemu", config, func(s *drivertest.Subject) {
		s.Codes, s.CleanStop = []int{0, 1, 43}, true
		s.Mock = func(o drivertest.Mocked) map[string]any {
			g := qemutest.Sector{RunFor: o.RunFor, Code: o.Code}
			if o.Stdout != "" {
				g.Text = o.Stdout + "\n"
			}
			image, err := g.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			n++
			path := filepath.Join(images, strconv.Itoa(n)+".img")
			if err := os.WriteFile(path, image, 0o600); err != nil {
				t.Fatal(err)
			}
			return map[string]any{"image_path": path, "args": []any{qemutest.DebugExit[0], qemutest.DebugExit[1]}, "graceful_shutdown": o.Stubborn}
		}
	})
}
