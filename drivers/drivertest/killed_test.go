package drivertest_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/internal/contain"
	"github.com/seraihq/serai/drivers/plugin"
	"github.com/seraihq/serai/internal/cgroup"
	"github.com/seraihq/serai/internal/imagefile"
)

// TestKilledAtRandom: the driver's process is killed at any moment of a start, inside the libraries it uses too, where no fail point can stand. The next
// one, asked to destroy the task as the agent does, leaves nothing of it.
func TestKilledAtRandom(t *testing.T) {
	if l, err := cgroup.Find(); err != nil || l.Version == 0 || os.Geteuid() != 0 {
		t.Skip("not here: it takes root and control groups")
	}
	rounds := 6
	if os.Getenv("SERAI_FAULTS") != "" {
		rounds = 100
	}
	archive := filepath.Join(t.TempDir(), "image.tar")
	configs := map[string]map[string]any{"raw_exec": {"enabled": true}, "exec": {}}
	if files, err := imagefile.Busybox(); err == nil && contain.LayersUnsupported() == "" {
		f, err := os.Create(archive)
		if err != nil {
			t.Fatal(err)
		}
		if err := imagefile.Write(f, "busybox:test", imagefile.Config{Env: []string{"PATH=/bin"}}, files); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
		configs["container"] = map[string]any{"image_dir": t.TempDir()}
	}
	for driver, config := range configs {
		t.Run(driver, func(t *testing.T) {
			next := launchHost(t, driver, config)
			for n := range rounds {
				task := randomTask(t, driver, archive, n)
				doomed := launchHost(t, driver, config)
				started := make(chan error, 1)
				go func() {
					_, err := doomed.Start(context.Background(), task)
					started <- err
				}()
				time.Sleep(time.Duration(rand.IntN(60000)) * time.Microsecond) // not a wait for anything: the moment of the kill
				_ = unix.Kill(doomed.PID(), unix.SIGKILL)
				<-doomed.Exited()
				if err := <-started; err != nil && !errors.Is(err, drivers.ErrUnavailable) {
					t.Fatalf("round %d: %v", n, err)
				}
				if err := next.Destroy(t.Context(), task.ID, true); err != nil {
					t.Error(err)
				}
				if left := remains(t, task); len(left) > 0 {
					t.Errorf("round %d: left %s", n, strings.Join(left, "; "))
				}
			}
		})
	}
}

// launchHost starts a process of the driver.
func launchHost(t *testing.T, name string, config map[string]any) *plugin.Client {
	t.Helper()
	path, args, err := plugin.HostCommand("", name)
	if err != nil {
		t.Fatal(err)
	}
	c, err := plugin.Launch(context.Background(), plugin.Options{Name: name, Path: path, Args: args, Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Kill() })
	if err := c.Configure(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	return c
}

func randomTask(t *testing.T, driver, archive string, n int) *drivers.TaskConfig {
	t.Helper()
	alloc := fmt.Sprintf("random-%s-%d-%d", driver, os.Getpid(), n)
	task := &drivers.TaskConfig{ID: alloc + "/web/1", AllocID: alloc, Name: "web", AllocDir: t.TempDir(),
		Resources: drivers.Resources{CPUShares: 50, MemoryMB: 64},
		Config:    map[string]any{"command": "/bin/sh", "args": []any{"-c", "sleep 600 & sleep 600"}}}
	d := task.TaskDir()
	for _, p := range []string{d.Local, d.Secrets, d.Private, d.Tmp, d.Alloc} {
		if err := os.MkdirAll(p, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	if driver == "container" {
		task.Config["image"], task.Config["load"] = "busybox:test", "local/image.tar"
		if err := os.Link(archive, filepath.Join(d.Local, "image.tar")); err != nil {
			t.Fatal(err)
		}
	}
	return task
}

// remains lists what the machine still has of a task.
func remains(t *testing.T, task *drivers.TaskConfig) []string {
	t.Helper()
	var out []string
	_ = filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.HasPrefix(d.Name(), task.AllocID) {
			procs, _ := os.ReadFile(filepath.Join(path, "cgroup.procs"))
			out = append(out, fmt.Sprintf("group %s with processes %q", path, procs))
		}
		return nil
	})
	found, _ := filepath.Glob("/run/serai/*/" + task.AllocID + "*")
	out = append(out, found...)
	scratch, _ := filepath.Glob(filepath.Join(task.TaskDir().Private, "container-*"))
	out = append(out, scratch...)
	if mounts, _ := os.ReadFile("/proc/self/mountinfo"); strings.Contains(string(mounts), "/run/serai/stage") || strings.Contains(string(mounts), task.AllocDir) {
		out = append(out, "a mount")
	}
	return out
}
