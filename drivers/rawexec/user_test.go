package rawexec

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// An agent that is not root can start tasks as itself, also by name, and says what it is when it is asked for more.
func TestUserWithoutRoot(t *testing.T) {
	const self = 65534
	if os.Geteuid() == 0 {
		needRoot(t)
		dir, err := os.MkdirTemp("/tmp", "rawexec-user-")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		if err := os.Chmod(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		program, err := os.ReadFile("/proc/self/exe")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(dir+"/test", program, 0o755); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(dir+"/test", "-test.run", "^TestUserWithoutRoot$", "-test.count", "1", "-test.v")
		cmd.Dir, cmd.Env = dir, []string{"PATH=/usr/bin:/bin", "HOME=" + dir, "TMPDIR=" + dir}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: self, Gid: self}}
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "PASS: TestUserWithoutRoot") {
			t.Errorf("%v: %s", err, out)
		}
		return
	}
	d := newDriver(t, map[string]any{})
	cfg := task(t, "id -u > out", map[string]any{})
	cfg.User = fmt.Sprint(os.Geteuid(), ":", os.Getegid())
	if got, err := run(t, d, cfg); err != nil || got != fmt.Sprint(os.Geteuid()) {
		t.Errorf("%q %v", got, err)
	}
	cfg = task(t, "true", map[string]any{})
	cfg.User = "0"
	_, err := d.Start(t.Context(), cfg)
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("the agent is user %d and may not start a task as user 0", os.Geteuid())) {
		t.Errorf("%v", err)
	}
}
