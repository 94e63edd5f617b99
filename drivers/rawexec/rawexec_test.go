package rawexec

import (
	"context"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/internal/cgroup"
)

func newDriver(t *testing.T, config map[string]any) *Driver {
	t.Helper()
	d := New(slog.New(slog.DiscardHandler))
	if config["enabled"] == nil {
		config["enabled"] = true
	}
	if err := d.Configure(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	return d
}

// task is one that runs a script, which may write to out.
func task(t *testing.T, script string, config map[string]any) *drivers.TaskConfig {
	t.Helper()
	if config == nil {
		config = map[string]any{}
	}
	config["command"], config["args"] = "/bin/sh", []any{"-c", script}
	cfg := &drivers.TaskConfig{ID: "raw/" + strings.ReplaceAll(t.Name(), "/", "-") + "/1", Name: "t", AllocDir: t.TempDir(), Config: config,
		Env: map[string]string{"PATH": "/usr/bin:/bin"}}
	for dir := cfg.TaskDir().Local; dir != "/tmp" && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.MkdirAll(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		_ = os.Chmod(dir, 0o777) // the test's own directories are private
	}
	return cfg
}

// run runs a task to its end and returns what it wrote to the file out in its directory.
func run(t *testing.T, d *Driver, cfg *drivers.TaskConfig) (string, error) {
	t.Helper()
	if _, err := d.Start(t.Context(), cfg); err != nil {
		return "", err
	}
	r, err := d.Wait(t.Context(), cfg.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Destroy(context.Background(), cfg.ID, true); err != nil {
		t.Error(err)
	}
	if !r.Successful() {
		t.Errorf("the script ended with %+v", r)
	}
	out, err := os.ReadFile(filepath.Join(cfg.TaskDir().Root, "out"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out)), nil
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("not here: this needs root")
	}
}

func TestWorkDir(t *testing.T) {
	d := newDriver(t, map[string]any{})
	for dir, want := range map[string]string{"": "/t", "local": "/t/local", "/usr": "/usr"} {
		t.Run(want, func(t *testing.T) {
			cfg := task(t, `pwd > "$OUT"`, map[string]any{"work_dir": dir})
			cfg.Env["OUT"] = filepath.Join(cfg.TaskDir().Root, "out")
			if got, err := run(t, d, cfg); err != nil || !strings.HasSuffix(got, want) {
				t.Errorf("%q %v, want %s", got, err, want)
			}
		})
	}
	for _, dir := range []string{"no/such", "/etc/passwd", "a\x00b"} {
		if _, err := d.Start(t.Context(), task(t, "true", map[string]any{"work_dir": dir})); err == nil || !strings.Contains(err.Error(), "work_dir") {
			t.Errorf("%q: %v", dir, err)
		}
	}
}

// TestEnvironment: of the agent's environment a task gets what says where programs are and whose home it is, less what is denied.
func TestEscapeEnvironment(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "planted")
	t.Setenv("NOMAD_TOKEN", "planted")
	t.Setenv("LANG", "C.UTF-8")
	t.Setenv("TZ", "UTC")
	t.Setenv("HOME", "/root")
	d := newDriver(t, map[string]any{"denied_envvars": []any{"LANG"}})
	cfg := task(t, "env > out", map[string]any{"denied_envvars": []any{"TZ", "HO*"}})
	cfg.Env["TASK"] = "own"
	got, err := run(t, d, cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"planted", "LANG=", "TZ=", "HOME="} {
		if strings.Contains(got, bad) {
			t.Errorf("%s reached the task", bad)
		}
	}
	if !strings.Contains(got, "TASK=own") || !strings.Contains(got, "PATH=/usr/bin:/bin") {
		t.Errorf("%s", got)
	}
}

func TestEscapeUsers(t *testing.T) {
	needRoot(t)
	if _, err := user.Lookup("nobody"); err != nil {
		t.Skip("not here: no user nobody")
	}
	d := newDriver(t, map[string]any{"denied_host_uids": "1-10,4000", "denied_host_gids": "4242"})
	for spec, want := range map[string]string{"nobody": "65534", "12345": "12345:12345", "12345:100": "12345:100", "nobody:daemon": "65534:1"} {
		t.Run(spec, func(t *testing.T) {
			cfg := task(t, "echo $(id -u):$(id -g) > out", nil)
			cfg.User = spec
			if got, err := run(t, d, cfg); err != nil || !strings.HasPrefix(got, want) {
				t.Errorf("%q %v, want %s", got, err, want)
			}
		})
	}
	for _, spec := range []string{"daemon", "4000", "2000:4242", "no-such-user", "-1", "4294967296", "2147483648", " 0", "0:", "１"} {
		cfg := task(t, "true", nil)
		cfg.User = spec
		if _, err := d.Start(t.Context(), cfg); err == nil {
			t.Errorf("%q was let in", spec)
			_ = d.Destroy(t.Context(), cfg.ID, true)
		}
	}
	// Who names nobody is root, which can be denied as well.
	d = newDriver(t, map[string]any{"denied_host_uids": "0"})
	if _, err := d.Start(t.Context(), task(t, "true", nil)); err == nil || !strings.Contains(err.Error(), "denied_host_uids") {
		t.Errorf("root: %v", err)
	}
}

func TestOOMScore(t *testing.T) {
	d := newDriver(t, map[string]any{})
	cfg := task(t, "for i in 1 2 3 4 5 6 7 8 9; do [ $(cat /proc/self/oom_score_adj) = 500 ] && break; sleep 0.05; done; cat /proc/self/oom_score_adj > out",
		map[string]any{"oom_score_adj": 500})
	if got, err := run(t, d, cfg); err != nil || got != "500" {
		t.Errorf("%q %v", got, err)
	}
	for _, bad := range []any{-1, 1001, "x"} {
		if _, err := d.Start(t.Context(), task(t, "true", map[string]any{"oom_score_adj": bad})); err == nil {
			t.Errorf("%v was taken", bad)
		}
	}
}

// TestCgroupOverride: the task's group lies below one that the operator has made, and goes with the task.
func TestCgroupOverride(t *testing.T) {
	needRoot(t)
	l, err := cgroup.Find()
	if err != nil || l.Version == 0 {
		t.Skip("not here: no control groups")
	}
	own := func(key string) string { // a group of the test's own, by its path below the root
		dir, err := os.MkdirTemp(filepath.Dir(l.Parents[key]), "serai-raw-")
		if err != nil {
			t.Skipf("not here: %v", err)
		}
		t.Cleanup(func() {
			if err := os.Remove(dir); err != nil {
				t.Errorf("the group is not empty after the task: %v", err)
			}
		})
		return strings.TrimPrefix(dir, l.Mounts[key])
	}
	d := newDriver(t, map[string]any{})
	cases := map[string]map[string]any{}
	want := map[string]string{}
	if _, v2 := l.Parents[cgroup.Unified]; v2 {
		want["v2"] = own(cgroup.Unified)
		cases["v2"] = map[string]any{"cgroup_v2_override": want["v2"]}
	}
	if l.Version == 1 {
		want["v1"] = own("pids")
		cases["v1"] = map[string]any{"cgroup_v1_override": map[string]any{"pids": want["v1"]}}
	}
	for name, config := range cases {
		t.Run(name, func(t *testing.T) {
			// A child that stays behind ends all the same.
			cfg := task(t, "setsid sleep 600 & cat /proc/self/cgroup > out", config)
			got, err := run(t, d, cfg)
			if err != nil || !strings.Contains(got, want[name]+"/") {
				t.Errorf("want the group below %s: %v\n%s", want[name], err, got)
			}
		})
	}
	for _, bad := range []map[string]any{
		{"cgroup_v2_override": "../../etc"}, {"cgroup_v2_override": "no/such/group"},
		{"cgroup_v1_override": map[string]any{"no-such": "x"}}, {"cgroup_v1_override": map[string]any{"pids": "x"}, "cgroup_v2_override": "y"},
	} {
		cfg := task(t, "true", bad)
		if _, err := d.Start(t.Context(), cfg); err == nil {
			t.Errorf("%v was taken", bad)
			_ = d.Destroy(t.Context(), cfg.ID, true)
		}
	}
}
