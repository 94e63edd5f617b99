package contain

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/opencontainers/runc/libcontainer"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/internal/process"
	"github.com/seraihq/serai/drivers/internal/supervise"
	"github.com/seraihq/serai/internal/cgroup"
)

// CRIU writes a task's processes to files and makes processes of such files. It finds every open file again by a path inside the container, so
// where it is installed the task's output pipes are mounted there too, and the program's outputs opened anew at those paths before it starts.
const (
	outputPath = "/dev/.serai-stdout"
	errorPath  = "/dev/.serai-stderr"
)

// checkPatience is how long CRIU may take to look at the machine.
const checkPatience = 10 * time.Second

// restorable is whether a container is made so that CRIU can write it down.
func (s *Spec) restorable() bool {
	if s.Privileged || s.Namespaces.OwnUsers || s.Namespaces.HostPID {
		return false
	}
	_, err := exec.LookPath("criu")
	return err == nil
}

// outputMounts are the mounts of the task's output pipes. That they are those pipes, and no links that a task has put in their place, is seen to
// by checkOutputs before the program runs.
func (s *Spec) outputMounts(task *drivers.TaskConfig) (out []Mount) {
	if !s.restorable() {
		return nil
	}
	for at, host := range map[string]string{outputPath: task.StdoutPath, errorPath: task.StderrPath} {
		if host != "" {
			out = append(out, Mount{Host: host, Task: at, Plain: true})
		}
	}
	return out
}

// checkOutputs refuses a container in which something else than the task's pipes was mounted in their place. Its program does not run yet.
func checkOutputs(pid int, s streams) error {
	for at, pipe := range map[string]*os.File{outputPath: s.out, errorPath: s.err} {
		var inside, ours unix.Stat_t
		err := unix.Lstat(filepath.Join("/proc", fmt.Sprint(pid), "root", at), &inside)
		if errors.Is(err, unix.ENOENT) {
			continue
		}
		if err == nil {
			err = unix.Fstat(int(pipe.Fd()), &ours)
		}
		if err != nil {
			return fmt.Errorf("the task's output: %w", err)
		}
		if inside.Dev != ours.Dev || inside.Ino != ours.Ino {
			return errors.New("the task's output pipe was exchanged while it started")
		}
	}
	return nil
}

// reopenOutputs opens the program's outputs anew at their paths in the container, when they are there.
func reopenOutputs() error {
	for fd, at := range map[int]string{1: outputPath, 2: errorPath} {
		again, err := unix.Open(at, unix.O_RDWR|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if errors.Is(err, unix.ENOENT) {
			continue
		}
		if err == nil {
			err = unix.Dup3(again, fd, 0)
			_ = unix.Close(again)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
	}
	return nil
}

// usable is an error when CRIU is not there, or does not work on this kernel.
func usable(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	text, err := exec.CommandContext(ctx, "criu", "check").CombinedOutput()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return fmt.Errorf("CRIU is not installed on this node: install criu 4 or newer, and start the tasks anew: %w", drivers.ErrUnsupported)
	case err != nil:
		return fmt.Errorf("CRIU does not work on this node (criu check: %.300s): %w", strings.TrimSpace(string(text)), drivers.ErrUnsupported)
	}
	return nil
}

// resolve follows the links of what is mounted, which CRIU would mount as links. Sources that a task can change are taken hold of before.
func resolve(mounts []Mount) {
	for i, m := range mounts {
		if real, err := filepath.EvalSymlinks(m.Host); err == nil && m.Beneath == "" && !m.Tmpfs {
			mounts[i].Host = real
		}
	}
}

func criuOptions(dir string) *libcontainer.CriuOpts {
	return &libcontainer.CriuOpts{ImagesDirectory: dir, LeaveRunning: true, FileLocks: true, ManageCgroupsMode: "soft"}
}

// Checkpoint implements drivers.Checkpointer.
func (c *Containers) Checkpoint(ctx context.Context, id, dir string) error {
	t, err := c.Get(id)
	switch {
	case err != nil:
		return err
	case !t.Running():
		return fmt.Errorf("task %s has ended: there is nothing to write down", id)
	}
	if err := errors.Join(t.Awake(), usable(ctx)); err != nil {
		return err
	}
	if _, err := os.Lstat(filepath.Join("/proc", fmt.Sprint(t.State.Process.PID), "root", outputPath)); err != nil {
		return fmt.Errorf("task %s was started before CRIU was installed, or shares the host's processes or has users of its own, with which it cannot be written down: %w", id, drivers.ErrUnsupported)
	}
	box, err := libcontainer.Load(c.states(), containerID(id))
	if err != nil {
		return fmt.Errorf("container: %w", err)
	}
	if err := box.Checkpoint(criuOptions(dir)); err != nil {
		return fmt.Errorf("task %s: checkpoint: %w%s", id, err, reason(filepath.Join(dir, "dump.log")))
	}
	return nil
}

// reason gives the first error that CRIU has logged, but for one that it always logs where limits cannot be raised.
func reason(log string) string {
	text, err := os.ReadFile(log)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if _, why, found := strings.Cut(line, "Error "); found && !strings.Contains(why, "RLIMIT_NOFILE for self") {
			return fmt.Sprintf(" (CRIU: %.300s)", strings.TrimSpace(why))
		}
	}
	return ""
}

// revive makes the container's processes from what Checkpoint wrote.
func (c *Containers) revive(box *libcontainer.Container, t *supervise.Task, p *plan, s streams) (*process.Process, error) {
	if err := usable(context.Background()); err != nil {
		return nil, err
	}
	first := &libcontainer.Process{Init: true, Stdout: s.out, Stderr: s.err}
	if s.in != nil {
		first.Stdin = s.in
	}
	if err := box.Restore(first, criuOptions(p.spec.From)); err != nil {
		return nil, fmt.Errorf("restore: %w%s", err, reason(filepath.Join(p.spec.From, "restore.log")))
	}
	state, err := box.State()
	if err != nil {
		return nil, fmt.Errorf("container: %w", err)
	}
	t.State.Group = cgroup.Group{Paths: state.CgroupPaths}
	t.State.Started, t.State.OOMKills = time.Now(), t.State.Group.OOMKills()
	proc, err := hold(first)
	if err != nil {
		return nil, err
	}
	l, err := c.Layout()
	if err == nil {
		err = errors.Join(checkOutputs(proc.Identity().PID, s), limitMemory(l, t, p.spec.Limits.memory()))
	}
	if err != nil {
		_ = proc.Signal(unix.SIGKILL)
		_, _ = proc.Wait(context.Background())
		_ = proc.Close()
		return nil, err
	}
	return proc, nil
}
