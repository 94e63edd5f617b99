package driverset

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/mock"
	"github.com/seraihq/serai/drivers/plugin"
)

// serveExternal makes this process an external driver, when its file's name is that of one: external-VERSION.
func serveExternal() bool {
	version, ok := strings.CutPrefix(filepath.Base(os.Args[0]), "external-")
	if ok {
		plugin.Serve(external{mock.New(slog.New(slog.DiscardHandler)), version})
	}
	return ok
}

// external is a driver with a name of its own.
type external struct {
	*mock.Driver
	version string
}

func (e external) Info() drivers.Info {
	info := e.Driver.Info()
	info.Name = "third_party"
	if e.version != "mock" {
		info.Version = e.version
	}
	return info
}

// install puts this test binary into the plugin directory under a name.
func install(t *testing.T, cfg *Config, name string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if cfg.PluginDir == "" {
		cfg.PluginDir = t.TempDir()
	}
	copyFile(t, self, filepath.Join(cfg.PluginDir, "new"), 0o755)
	if err := os.Rename(filepath.Join(cfg.PluginDir, "new"), filepath.Join(cfg.PluginDir, name)); err != nil {
		t.Fatal(err)
	}
	cfg.Plugins[name] = map[string]any{}
}

// Of drivers with one name the newest is used, and the process of the other ends.
func TestNewestOfAName(t *testing.T) {
	cfg := config(t)
	for _, name := range []string{"external-1.10.0", "external-1.9.0", "external-1.10.0-rc1"} {
		install(t, &cfg, name)
	}
	s, _ := run(t, cfg)
	t.Cleanup(func() { killHosts(t, s) })
	d, err := s.Find(t.Context(), "third_party")
	if err != nil {
		t.Fatal(err)
	}
	if v := d.Info().Version; v != "1.10.0" {
		t.Errorf("version %s is used", v)
	}
	eventually(t, "the end of the others", func() bool { return len(running(cfg.PluginDir)) == 1 })
}

// running lists the processes that run a file of the directory.
func running(dir string) (pids []string) {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		if exe, err := os.Readlink("/proc/" + e.Name() + "/exe"); err == nil && strings.HasPrefix(exe, dir+"/") {
			pids = append(pids, e.Name())
		}
	}
	return pids
}

// A plugin whose file was replaced while the agent was away is started anew; one that was not is kept.
func TestReplacedPlugin(t *testing.T) {
	cfg := config(t)
	install(t, &cfg, "external-1.0.0")
	s, stop := run(t, cfg)
	start := func(id string) drivers.Driver {
		d, err := s.Find(t.Context(), "third_party")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Start(t.Context(), task(t, id, map[string]any{"run_for": "1h"})); err != nil {
			t.Fatal(err)
		}
		return d
	}
	start("a")
	before := pidOf(t, s, "third_party")
	stop()
	s, stop = run(t, cfg)
	start("b")
	if now := pidOf(t, s, "third_party"); now != before {
		t.Errorf("process %d, before %d, though its file is the same", now, before)
	}
	stop()
	install(t, &cfg, "external-1.0.0")
	s, _ = run(t, cfg)
	t.Cleanup(func() { killHosts(t, s) })
	start("c")
	if now := pidOf(t, s, "third_party"); now == before {
		t.Error("the process of the old file is used")
	}
	if now := running(cfg.PluginDir); len(now) != 1 {
		t.Errorf("processes %v", now)
	}
}

// A plugin that cannot be started at first is there once it can.
func TestLoadedLater(t *testing.T) {
	cfg := config(t)
	install(t, &cfg, "external-1.0.0")
	file := filepath.Join(cfg.PluginDir, "external-1.0.0")
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	copyFile(t, "/bin/false", file, 0o755)
	cfg.RetryFirst = 10 * time.Millisecond
	s, _ := run(t, cfg)
	t.Cleanup(func() { killHosts(t, s) })
	if _, err := s.Find(t.Context(), "third_party"); err == nil {
		t.Fatal("found a driver that does not start")
	}
	if err := os.WriteFile(filepath.Join(cfg.PluginDir, "new"), good, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(cfg.PluginDir, "new"), file); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the driver", func() bool { _, err := s.Get(t.Context(), "third_party"); return err == nil })
}

// A plugin that says nothing keeps no other away, and files that are not run are told with what to do.
func TestSilentPlugin(t *testing.T) {
	cfg := config(t)
	var log syncBuffer
	cfg.Logger, cfg.LoadPatience = slog.New(slog.NewTextHandler(&log, nil)), time.Millisecond
	install(t, &cfg, "external-1.0.0")
	silent := filepath.Join(cfg.PluginDir, "silent")
	if err := os.WriteFile(silent, []byte("#!/bin/sh\nexec sleep 1000\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	plain := filepath.Join(cfg.PluginDir, "plain")
	if err := os.WriteFile(plain, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(silent, filepath.Join(cfg.PluginDir, "link")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"silent", "plain", "link", "absent"} {
		cfg.Plugins[name] = nil
	}
	s, _ := run(t, cfg)
	t.Cleanup(func() { killHosts(t, s) })
	eventually(t, "the driver that answers", func() bool { _, there := s.lookup("third_party"); return there })
	select {
	case <-s.discovered:
		t.Error("the silent plugin was not waited for")
	default:
	}
	for _, want := range []string{"it is not executable", "it is a symbolic link", "plugin=absent"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say %q:\n%s", want, log.String())
		}
	}
}

// syncBuffer keeps what several goroutines write.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
