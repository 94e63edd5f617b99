package java

import (
	"strings"
	"testing"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/internal/hostroot"
)

// A task of java is confined as one of exec, and the job cannot say otherwise. What the confinement withstands is tested with exec, which can run
// more hostile programs; e2e/java_test.go looks at it from inside a virtual machine.
func TestEscapeSpec(t *testing.T) {
	if _, err := find(); err != nil {
		t.Skip("not here: no java")
	}
	settings, err := hostroot.DecodeConfig(configSchema, map[string]any{"denied_host_uids": "0", "allow_caps": []any{"chown"}})
	if err != nil {
		t.Fatal(err)
	}
	task := func(config map[string]any) *drivers.TaskConfig {
		config["class"] = "Main"
		return &drivers.TaskConfig{ID: "x", Name: "t", AllocDir: t.TempDir(), Config: config}
	}
	s, err := specify(task(map[string]any{}), settings)
	if err != nil {
		t.Fatal(err)
	}
	if s.Privileged || s.Unfiltered || s.User.UID == 0 || s.Namespaces.HostPID || s.Namespaces.HostIPC || len(s.Capabilities) != 1 || s.Limits.PIDs == 0 {
		t.Errorf("%+v", s)
	}
	for want, change := range map[string]func(*drivers.TaskConfig){
		"work_dir":         func(c *drivers.TaskConfig) { c.Config["work_dir"] = "/proc/self/fd/7" },
		"allow_caps":       func(c *drivers.TaskConfig) { c.Config["cap_add"] = []any{"sys_admin"} },
		"denied_host_uids": func(c *drivers.TaskConfig) { c.User = "root" },
		"pid_mode":         func(c *drivers.TaskConfig) { c.Config["pid_mode"] = "container:x" },
		"oom_score_adj":    func(c *drivers.TaskConfig) { c.Config["oom_score_adj"] = -1000 },
		"pids_limit":       func(c *drivers.TaskConfig) { c.Config["pids_limit"] = 1 << 40 },
		"cpu_cfs_period":   func(c *drivers.TaskConfig) { c.Config["cpu_cfs_period"] = 1 },
	} {
		c := task(map[string]any{})
		change(c)
		if _, err := specify(c, settings); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
