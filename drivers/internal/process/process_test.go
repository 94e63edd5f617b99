package process

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func start(t *testing.T, script string) *Process {
	t.Helper()
	pidfd := -1
	cmd := exec.Command("/bin/sh", "-c", script)
	cmd.SysProcAttr = &syscall.SysProcAttr{PidFD: &pidfd}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p, err := Adopt(cmd.Process.Pid, pidfd)
	if err != nil {
		t.Fatal(err)
	}
	_ = cmd.Process.Release()
	t.Cleanup(func() { _ = p.Signal(unix.SIGKILL); _ = p.Close() })
	return p
}

func TestWaitChild(t *testing.T) {
	for script, want := range map[string]Exit{
		"exit 0":        {Known: true},
		"exit 7":        {Code: 7, Known: true},
		"kill -TERM $$": {Signal: 15, Known: true},
	} {
		p := start(t, script)
		got, err := p.Wait(t.Context())
		if err != nil || got != want {
			t.Errorf("%s: %+v %v, want %+v", script, got, err, want)
		}
		if p.Alive() {
			t.Errorf("%s: alive after wait", script)
		}
		if err := p.Signal(unix.SIGTERM); !errors.Is(err, ErrGone) {
			t.Errorf("%s: signal after end: %v", script, err)
		}
	}
}

func TestWaitCancel(t *testing.T) {
	p := start(t, "exec sleep 60")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := p.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	if !p.Alive() {
		t.Fatal("not alive")
	}
}

// A process that is a grandchild is reaped by somebody else; its exit code is learned all the same where the kernel keeps it.
func TestWaitStranger(t *testing.T) {
	out, err := exec.Command("/bin/sh", "-c", `(sleep 0.3; exit 42) >/dev/null 2>&1 & echo $!`).Output()
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatal(err)
	}
	id, err := Identify(pid)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Open(id)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	got, err := p.Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.Known && got.Code != 42 {
		t.Errorf("%+v, want code 42", got)
	}
	if info := (unix.PidfdInfo{Mask: unix.PIDFD_INFO_EXIT}); !got.Known {
		self, _ := unix.PidfdOpen(os.Getpid(), 0)
		if unix.IoctlPidfdInfo(self, &info) == nil && info.Supported_mask&unix.PIDFD_INFO_EXIT != 0 {
			t.Error("the kernel keeps exit codes and this one was not found")
		}
		unix.Close(self)
	}
}

func TestOpenOther(t *testing.T) {
	id, err := Identify(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	id.StartTime++
	if _, err := Open(id); !errors.Is(err, ErrGone) {
		t.Errorf("another start time: %v", err)
	}
}
