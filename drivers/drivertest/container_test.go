package drivertest_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/drivertest"
	"github.com/seraihq/serai/drivers/internal/contain"
	"github.com/seraihq/serai/internal/cgroup"
	"github.com/seraihq/serai/internal/imagefile"
)

func TestContainer(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not here: containers need root")
	}
	if l, err := cgroup.Find(); err != nil || l.Version == 0 {
		t.Skip("not here: containers need control groups")
	}
	if why := contain.LayersUnsupported(); why != "" {
		t.Skip("not here: " + why)
	}
	files, err := imagefile.Busybox()
	if err != nil {
		t.Skip("not here: " + err.Error() + ": run make test-deps")
	}
	archive := filepath.Join(t.TempDir(), "image.tar")
	f, err := os.Create(archive)
	if err != nil {
		t.Fatal(err)
	}
	if err := imagefile.Write(f, "busybox:test", imagefile.Config{Env: []string{"PATH=/bin"}}, files); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	both(t, "container", map[string]any{"image_dir": t.TempDir()}, func(s *drivertest.Subject) {
		s.Script = func(text string) map[string]any {
			return map[string]any{"image": "busybox:test", "load": "local/image.tar", "command": "/bin/sh", "args": []any{"-c", text}}
		}
		s.Prepare = func(t *testing.T, task *drivers.TaskConfig) {
			if err := os.Link(archive, filepath.Join(task.TaskDir().Local, "image.tar")); err != nil {
				t.Fatal(err)
			}
		}
	})
}
