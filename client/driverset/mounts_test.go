package driverset

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// A process with mounts of its own does not see what is mounted here later.
func TestSameMounts(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not here: only root makes mount namespaces")
	}
	for _, own := range []bool{false, true} {
		c := exec.Command("sleep", "1000")
		if own {
			c.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
		}
		if err := c.Start(); err != nil && own {
			t.Skip("not here: no mount namespaces for this root: ", err)
		} else if err != nil {
			t.Fatal(err)
		}
		if got := sameMounts(c.Process.Pid); got == own {
			t.Errorf("with mounts of its own %v: %v", own, got)
		}
		_ = c.Process.Kill()
		_ = c.Wait()
	}
	if !sameMounts(1 << 30) {
		t.Error("a process that is not there")
	}
}
