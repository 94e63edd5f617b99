package drivertest_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/moby/client"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/docker/enginetest"
	"github.com/seraihq/serai/drivers/drivertest"
	"github.com/seraihq/serai/drivers/internal/contain"
	"github.com/seraihq/serai/drivers/plugin"
	"github.com/seraihq/serai/internal/cgroup"
	"github.com/seraihq/serai/internal/failpoint"
	"github.com/seraihq/serai/internal/imagefile"
)

// engine is the Docker Engine of these tests; TestMain ends it.
var engine *enginetest.Engine

func theEngine(t *testing.T) *enginetest.Engine {
	t.Helper()
	if why := enginetest.Missing(); why != "" {
		t.Skip("not here: " + why)
	}
	if engine == nil {
		var err error
		if engine, err = enginetest.Start(); err != nil {
			t.Fatal(err)
		}
	}
	return engine
}

func TestDocker(t *testing.T) {
	e := theEngine(t)
	both(t, "docker", map[string]any{"endpoint": "unix://" + e.Socket}, func(s *drivertest.Subject) {
		s.KeepsExits = true
		s.Script = func(text string) map[string]any {
			return map[string]any{"image": enginetest.Image, "command": "/bin/sh", "args": []any{"-c", text}}
		}
	})
}

// TestDockerWithoutEngine: what is written for docker runs on the container driver where there is no engine.
func TestDockerWithoutEngine(t *testing.T) {
	if l, err := cgroup.Find(); err != nil || l.Version == 0 || os.Geteuid() != 0 {
		t.Skip("not here: containers need root and control groups")
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
	both(t, "docker", map[string]any{"endpoint": "unix:///nonexistent/docker.sock", "container": map[string]any{"image_dir": t.TempDir()}}, func(s *drivertest.Subject) {
		s.Script = func(text string) map[string]any {
			return map[string]any{"image": "busybox:test", "load": "image.tar", "command": "/bin/sh", "args": []any{"-c", text},
				"logging": map[string]any{"type": "journald"}, "tty": false}
		}
		s.Prepare = func(t *testing.T, task *drivers.TaskConfig) {
			if err := os.Link(archive, filepath.Join(task.TaskDir().Local, "image.tar")); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestDockerKilledInTheMiddle: the driver's process dies at one place of a start or a removal after the other, and the next one, asked to destroy the task
// as the agent does, finds all that was left.
func TestDockerKilledInTheMiddle(t *testing.T) {
	e := theEngine(t)
	config := map[string]any{"endpoint": "unix://" + e.Socket}
	launch := func(env ...string) *plugin.Client {
		path, args, err := plugin.HostCommand("", "docker")
		if err != nil {
			t.Fatal(err)
		}
		c, err := plugin.Launch(context.Background(), plugin.Options{Name: "docker", Path: path, Args: args, Dir: t.TempDir(), Env: env, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Kill() })
		if err := c.Configure(t.Context(), config); err != nil {
			t.Fatal(err)
		}
		return c
	}
	next := launch()
	armed := t.TempDir()
	for i, place := range failpoint.Docker {
		dir := t.TempDir()
		task := &drivers.TaskConfig{ID: fmt.Sprintf("cut-%d/web/1", i), AllocID: fmt.Sprintf("cut-%d", i), Name: "web", AllocDir: dir,
			Config: map[string]any{"image": enginetest.Image, "command": "sleep", "args": []any{"600"}, "volumes": []any{"local/data:/data:ro"}}}
		d := task.TaskDir()
		for _, p := range []string{d.Local, d.Secrets, d.Private, d.Alloc} {
			if err := os.MkdirAll(p, 0o777); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(armed, place), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		doomed := launch("SERAI_FAILPOINTS_DIR=" + armed)
		var err error
		if place == "docker:network created" {
			_, _, err = doomed.CreateNetwork(t.Context(), task.AllocID, "pod")
		} else if _, err = doomed.Start(t.Context(), task); err == nil {
			err = doomed.Destroy(t.Context(), task.ID, true)
		}
		if !errors.Is(err, drivers.ErrUnavailable) {
			t.Errorf("%s: %v, want a dead process", place, err)
		}
		<-doomed.Exited()
		if err := next.Destroy(t.Context(), task.ID, true); err != nil {
			t.Errorf("%s: %v", place, err)
		}
		if err := next.DestroyNetwork(t.Context(), task.AllocID, nil); err != nil {
			t.Errorf("%s: %v", place, err)
		}
		if list, err := e.Client.ContainerList(t.Context(), client.ContainerListOptions{All: true, Filters: client.Filters{}.Add("name", task.AllocID)}); err != nil || len(list.Items) != 0 {
			t.Errorf("%s: left %v %v", place, list.Items, err)
		}
		if mounts, _ := os.ReadFile("/proc/self/mountinfo"); strings.Contains(string(mounts), "/run/serai/docker/") {
			t.Errorf("%s: a mount is left", place)
		}
	}
}
