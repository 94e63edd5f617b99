package hostroot

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/internal/contain"
)

// FuzzJob: whatever a job says about a task of exec or java, an operator who has changed nothing gets a container without rights beyond the list, as a user
// whose number is one, in a directory of its own, and of the node's namespaces no more than those of processes and IPC that jobs may ask for.
func FuzzJob(f *testing.F) {
	for _, seed := range []string{`{}`, `{"work_dir":"/proc/self/fd/7"}`, `{"work_dir":"../../../proc/self/cwd"}`, `{"work_dir":"\u0000"}`, `{"pid_mode":"host","ipc_mode":"host"}`,
		`{"pid_mode":"container:x"}`, `{"cap_add":["all"]}`, `{"cap_add":["sys_admin"],"cap_drop":["all"]}`, `{"cap_add":["CAP_NET_RAW"]}`, `{"oom_score_adj":-1000}`,
		`{"pids_limit":-1}`, `{"pids_limit":99999999}`, `{"cpu_hard_limit":true,"cpu_cfs_period":1}`} {
		f.Add([]byte(seed), "", "VALUE")
	}
	for _, user := range []string{"root", "0:0", "4294967296", "-1", " 0", "nobody:99999999999", "\x00", "٠"} {
		f.Add([]byte(`{}`), user, "a\x00b")
	}
	schema := drivers.NewSchema(TaskFields()...)
	settings, err := DecodeConfig(drivers.NewSchema(ConfigFields()...), nil)
	if err != nil {
		f.Fatal(err)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte, user, value string) {
		raw, job := map[string]any{}, Task{}
		if json.Unmarshal(text, &raw) != nil || schema.DecodeInto(raw, &job) != nil {
			return
		}
		task := &drivers.TaskConfig{ID: "a/web/1", Name: "web", AllocDir: dir, User: user, Env: map[string]string{"X": value}}
		s, err := Specify(task, settings, job, []string{"/bin/true"})
		if err != nil {
			return
		}
		n := s.Namespaces
		if s.Privileged || s.Unfiltered || n.HostUTS || n.HostPID && job.PIDMode != "host" || n.HostIPC && job.IPCMode != "host" || len(s.Devices) > 0 || s.OOMScoreAdj < 0 ||
			s.Limits.PIDs < 1 || s.Limits.PIDs > contain.DefaultPIDs || s.User.UID > 1<<31-1 || s.User.GID > 1<<31-1 {
			t.Errorf("%s: %+v", text, s)
		}
		for _, dir := range []string{"/proc", "/sys", "/dev"} {
			if s.Dir == dir || strings.HasPrefix(s.Dir, dir+"/") {
				t.Errorf("%s: starts in %s", text, s.Dir)
			}
		}
		for _, c := range s.Capabilities {
			if !slices.Contains(contain.DefaultCapabilities, c) {
				t.Errorf("%s: capability %s", text, c)
			}
		}
		for _, line := range s.Env {
			if strings.ContainsRune(line, 0) {
				t.Errorf("a variable with a zero: %q", line)
			}
		}
	})
}
