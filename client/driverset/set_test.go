package driverset

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/builtin"
	hiddenmodes "github.com/seraihq/serai/drivers/host"
)

// The test binary is also the binary that hosts drivers, and, under another name, an external driver.
func TestMain(m *testing.M) {
	if serveExternal() {
		return
	}
	if hiddenmodes.Main(os.Args) {
		return
	}
	goleak.VerifyTestMain(m)
}

// memoryStore is a Store that outlives a Set.
type memoryStore struct {
	mu   sync.Mutex
	data map[string][]byte
}

func (s *memoryStore) SaveDriver(name string, data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.data == nil {
		s.data = map[string][]byte{}
	}
	s.data[name] = data
	return nil
}

func (s *memoryStore) LoadDriver(name string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.data[name], nil
}

func config(t *testing.T) Config {
	t.Helper()
	return Config{Logger: slog.New(slog.DiscardHandler), Dir: t.TempDir(), Store: &memoryStore{}, LoadPatience: time.Minute,
		Plugins: map[string]map[string]any{"raw_exec": {"enabled": true}}}
}

// run makes a Set and runs it until the returned function is called.
func run(t *testing.T, cfg Config) (*Set, func()) {
	t.Helper()
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Run(ctx)
	}()
	stop := func() { cancel(); <-done }
	t.Cleanup(stop)
	return s, stop
}

// killHosts ends what the test has started.
func killHosts(t *testing.T, s *Set) {
	t.Helper()
	for _, name := range s.Names() {
		h, _ := s.lookup(name)
		h.mu.Lock()
		b := h.current
		h.current, h.live = nil, map[string]*drivers.TaskHandle{}
		h.mu.Unlock()
		if b != nil {
			_ = b.Kill()
		}
	}
}

func pidOf(t *testing.T, s *Set, name string) int {
	t.Helper()
	h, _ := s.lookup(name)
	h.mu.Lock()
	defer h.mu.Unlock()
	p, ok := h.current.(process)
	if !ok {
		return 0
	}
	return p.PID()
}

func task(t *testing.T, id string, config map[string]any) *drivers.TaskConfig {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "web", "local"), 0o755); err != nil {
		t.Fatal(err)
	}
	return &drivers.TaskConfig{ID: id, Name: "web", AllocDir: dir, Config: config}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline.C:
			t.Fatalf("not in time: %s", what)
		case <-tick.C:
		}
	}
}

func sleep(duration string, then string) map[string]any {
	return map[string]any{"command": "/bin/sh", "args": []any{"-c", "sleep " + duration + "; exit " + then}}
}

func TestFingerprintsAtOnce(t *testing.T) {
	cfg := config(t)
	cfg.Deny = []string{"mock_driver"}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]drivers.Health{}
	statuses, _ := s.Statuses()
	for _, st := range statuses {
		got[st.Name] = st.Fingerprint.Health
	}
	if got["raw_exec"] != drivers.HealthHealthy || got["mock_driver"] != drivers.HealthUndetected {
		t.Errorf("%v", got)
	}
	if entries, _ := os.ReadDir(cfg.Dir); len(entries) > 0 {
		t.Errorf("a process was started to find that out: %v", entries)
	}
}

func TestRefused(t *testing.T) {
	cfg := config(t)
	cfg.Plugins = nil
	cfg.Deny = []string{"mock_driver"}
	s, _ := run(t, cfg)
	for name, want := range map[string]struct {
		kind error
		text string
	}{
		"raw_exec":    {drivers.ErrDisabled, "plugin \"raw_exec\""},
		"mock_driver": {drivers.ErrDisabled, "driver.denylist"},
		"no_such":     {drivers.ErrUnknownDriver, "plugin_dir"},
	} {
		if _, err := s.Get(t.Context(), name); !errors.Is(err, want.kind) || !strings.Contains(err.Error(), want.text) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A task from before it was disabled must still be reached; a new one is refused by the host itself.
	d, err := s.Find(t.Context(), "raw_exec")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { killHosts(t, s) })
	if _, err := d.Start(t.Context(), task(t, "a", sleep("1", "0"))); err == nil || !strings.Contains(err.Error(), "disabled") {
		t.Errorf("started: %v", err)
	}
}

func TestBadConfig(t *testing.T) {
	cfg := config(t)
	cfg.Plugins = map[string]map[string]any{"raw_exec": {"enable": true}}
	if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), `did you mean "enabled"`) || !strings.Contains(err.Error(), "raw_exec") {
		t.Errorf("%v", err)
	}
}

// The host is killed; Wait goes on over its death and returns the exit code from the next host.
func TestHostDies(t *testing.T) {
	s, _ := run(t, config(t))
	t.Cleanup(func() { killHosts(t, s) })
	d, err := s.Get(t.Context(), "raw_exec")
	if err != nil {
		t.Fatal(err)
	}
	h, err := d.Start(t.Context(), task(t, "hostdies/web", sleep("1.5", "0")))
	if err != nil {
		t.Fatal(err)
	}
	before, err := d.Inspect(t.Context(), h.Config.ID)
	if err != nil {
		t.Fatal(err)
	}
	type answer struct {
		drivers.ExitResult
		err error
	}
	waited := make(chan answer, 1)
	go func() {
		r, err := d.Wait(t.Context(), h.Config.ID)
		waited <- answer{r, err}
	}()
	old := pidOf(t, s, "raw_exec")
	p, err := os.FindProcess(old)
	if err != nil {
		t.Fatal(err)
	}
	_ = p.Kill()
	// Without any call of ours a new host takes over.
	eventually(t, "a new host", func() bool { now := pidOf(t, s, "raw_exec"); return now != 0 && now != old })
	after, err := d.Inspect(t.Context(), h.Config.ID)
	if err != nil || after.Attributes["pid"] != before.Attributes["pid"] || after.State != drivers.TaskRunning {
		t.Errorf("%+v %v, before %+v", after, err, before)
	}
	if a := <-waited; a.err != nil || (a.ExitCode != 0 && !errors.Is(a.Err, drivers.ErrExitUnknown)) {
		t.Errorf("%+v", a)
	}
	if err := d.Destroy(t.Context(), h.Config.ID, false); err != nil {
		t.Error(err)
	}
}

// The agent ends and another one starts: it finds the same host, which still has the task.
func TestAgentRestarts(t *testing.T) {
	cfg := config(t)
	s, stop := run(t, cfg)
	d, err := s.Get(t.Context(), "raw_exec")
	if err != nil {
		t.Fatal(err)
	}
	h, err := d.Start(t.Context(), task(t, "agentrestarts/web", sleep("60", "0")))
	if err != nil {
		t.Fatal(err)
	}
	pid := pidOf(t, s, "raw_exec")
	stop()
	if _, err := d.Inspect(t.Context(), h.Config.ID); !errors.Is(err, drivers.ErrUnavailable) {
		t.Errorf("after the end: %v", err)
	}

	s, _ = run(t, cfg)
	t.Cleanup(func() { killHosts(t, s) })
	if d, err = s.Get(t.Context(), "raw_exec"); err != nil {
		t.Fatal(err)
	}
	if err := d.Recover(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	if now := pidOf(t, s, "raw_exec"); now != pid {
		t.Errorf("host %d, before %d", now, pid)
	}
	if err := d.Destroy(t.Context(), h.Config.ID, true); err != nil {
		t.Error(err)
	}
}

// A host whose last task is gone ends after a while, also one found again from an earlier agent.
func TestIdle(t *testing.T) {
	cfg := config(t)
	cfg.IdleStop = 50 * time.Millisecond
	s, stop := run(t, cfg)
	d, err := s.Get(t.Context(), "mock_driver")
	if err != nil {
		t.Fatal(err)
	}
	start := func(id string) {
		t.Helper()
		if _, err := d.Start(t.Context(), task(t, id, map[string]any{"run_for": "1h"})); err != nil {
			t.Fatal(err)
		}
	}
	start("a")
	if pidOf(t, s, "mock_driver") == 0 {
		t.Fatal("no host")
	}
	if err := d.Destroy(t.Context(), "a", true); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the idle host to end", func() bool { return pidOf(t, s, "mock_driver") == 0 })
	start("b") // a new one comes by itself
	stop()
	s, _ = run(t, cfg)
	eventually(t, "the idle host of the earlier agent to end", func() bool {
		data, _ := cfg.Store.LoadDriver("mock_driver")
		return len(data) == 0
	})
}

func TestExternal(t *testing.T) {
	cfg := config(t)
	cfg.PluginDir = t.TempDir()
	cfg.Plugins["external-mock"] = map[string]any{}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	copyFile(t, self, filepath.Join(cfg.PluginDir, "external-mock"), 0o755)
	copyFile(t, "/bin/true", filepath.Join(cfg.PluginDir, "not-configured"), 0o755)
	cfg.Plugins["broken"] = nil
	copyFile(t, "/bin/true", filepath.Join(cfg.PluginDir, "broken"), 0o755)
	copyFile(t, self, filepath.Join(cfg.PluginDir, "open-to-all"), 0o755)
	if err := os.Chmod(filepath.Join(cfg.PluginDir, "open-to-all"), 0o757); err != nil {
		t.Fatal(err)
	}
	cfg.Plugins["open-to-all"] = nil
	if err := os.Symlink(self, filepath.Join(cfg.PluginDir, "link")); err != nil {
		t.Fatal(err)
	}
	cfg.Plugins["link"] = nil
	s, _ := run(t, cfg)
	t.Cleanup(func() { killHosts(t, s) })
	d, err := s.Find(t.Context(), "third_party")
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "its fingerprint", func() bool {
		_, err := s.Get(t.Context(), "third_party")
		return err == nil
	})
	if _, err := d.Start(t.Context(), task(t, "x", map[string]any{"run_for": "1ms", "exit_code": "3"})); err != nil {
		t.Fatal(err)
	}
	if r, err := d.Wait(t.Context(), "x"); err != nil || r.ExitCode != 3 {
		t.Errorf("%+v %v", r, err)
	}
	if names := s.Names(); len(names) != len(builtin.All())+1 {
		t.Errorf("%v", names)
	}
}

func copyFile(t *testing.T, from, to string, mode fs.FileMode) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b, mode); err != nil {
		t.Fatal(err)
	}
}

func TestNewer(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{{"0.2.0", "0.1.9", true}, {"0.1", "0.1.0", false}, {"v1.0.0", "0.9", true}, {"0.1.0-dev", "0.1.0", false}, {"0.1.0", "0.1.0-dev", true},
		{"0.1.0", "nonsense", true}, {"nonsense", "0.1.0", false}} {
		if got := newer(c.a, c.b); got != c.want {
			t.Errorf("newer(%q, %q) = %v", c.a, c.b, got)
		}
	}
}
