package contain

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	_ "github.com/opencontainers/cgroups/devices" // without it device rules cannot be set
	"github.com/opencontainers/runc/libcontainer"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/internal/process"
	"github.com/seraihq/serai/drivers/internal/stdio"
	"github.com/seraihq/serai/drivers/internal/supervise"
	"github.com/seraihq/serai/internal/cgroup"
	"github.com/seraihq/serai/internal/failpoint"
)

// launch makes the task's container and starts its program in it.
func (c *Containers) launch(ctx context.Context, task *drivers.TaskConfig, spec *Spec) (*supervise.Task, *process.Process, error) {
	p, err := c.plan(task, spec)
	if err != nil {
		return nil, nil, err
	}
	streams, err := openStreams(task, spec)
	defer streams.close()
	if err != nil {
		return nil, nil, err
	}
	if err := c.writeFiles(task.ID, spec); err != nil {
		return nil, nil, err
	}
	failpoint.Kill("contain:files")
	box, err := libcontainer.Create(c.states(), containerID(task.ID), p.config)
	if err != nil {
		return nil, nil, fmt.Errorf("container: %w", err)
	}
	failpoint.Kill("contain:created")
	t := &supervise.Task{ID: task.ID, Name: task.Name, Config: task}
	t.State.Driver = spec.Keep
	t.Cleanup = c.cleanup(t)
	proc, err := c.run(box, t, p, streams)
	if err != nil {
		_ = t.State.Group.Kill(context.WithoutCancel(ctx))
		return nil, nil, err
	}
	return t, proc, nil
}

// streams are the input and output of a task's program.
type streams struct{ in, out, err *os.File }

func (s streams) close() {
	for _, f := range []*os.File{s.in, s.out, s.err} {
		if f != nil {
			_ = f.Close()
		}
	}
}

func openStreams(task *drivers.TaskConfig, spec *Spec) (s streams, err error) {
	uid, gid := int(spec.User.UID), int(spec.User.GID)
	if u := spec.Namespaces.users; u != nil {
		uid, gid = uid+int(u.First), gid+int(u.First)
	}
	if s.out, err = stdio.ForTask(task.AllocDir, task.StdoutPath, uid, gid); err != nil {
		return s, err
	}
	if s.err, err = stdio.ForTask(task.AllocDir, task.StderrPath, uid, gid); err != nil {
		return s, err
	}
	if spec.Stdin {
		s.in, err = stdio.Silence()
	}
	return s, err
}

// run starts the container up to its last step, puts the filter and the memory limit on, and lets go.
func (c *Containers) run(box *libcontainer.Container, t *supervise.Task, p *plan, s streams) (*process.Process, error) {
	ctl, err := newControl()
	if err != nil {
		return nil, err
	}
	defer ctl.Close()
	if p.spec.From != "" {
		return c.revive(box, t, p, s)
	}
	first := p.spec.process(p.argv, ctl)
	first.Init = true
	first.Stdout, first.Stderr = s.out, s.err
	if s.in != nil {
		first.Stdin = s.in
	}
	if err := box.Start(first); err != nil {
		return nil, fmt.Errorf("container: %w", err)
	}
	failpoint.Kill("contain:started")
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
	failpoint.Kill("contain:held")
	if err := checkOutputs(proc.Identity().PID, s); err != nil {
		_ = proc.Signal(unix.SIGKILL)
		_, _ = proc.Wait(context.Background())
		_ = proc.Close()
		return nil, err
	}
	if err := c.release(box, t, p, ctl); err != nil {
		_ = proc.Signal(unix.SIGKILL)
		_, _ = proc.Wait(context.Background())
		_ = proc.Close()
		return nil, err
	}
	return proc, nil
}

// release lets a container that waits before its last step go on.
func (c *Containers) release(box *libcontainer.Container, t *supervise.Task, p *plan, ctl *control) error {
	if err := ctl.send(p.filter); err != nil {
		return err
	}
	if err := ctl.installed(); err != nil {
		return err
	}
	failpoint.Kill("contain:filtered")
	if err := box.Exec(); err != nil {
		return fmt.Errorf("container: %w", err)
	}
	failpoint.Kill("contain:running")
	ctl.executed()
	l, err := c.Layout()
	if err != nil {
		return err
	}
	err = limitMemory(l, t, p.spec.Limits.memory())
	failpoint.Kill("contain:limited")
	return err
}

// limitPatience is how long a task may take to come below its memory limit when that is set.
const limitPatience = 500 * time.Millisecond

// limitMemory sets the memory limits of a task that has just begun. One that already uses more, and cannot be made to use less, has run out of
// memory.
func limitMemory(l *cgroup.Layout, t *supervise.Task, limits cgroup.Limits) error {
	for deadline := time.Now().Add(limitPatience); ; {
		err := l.Set(t.State.Group, limits)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, unix.EBUSY):
			return fmt.Errorf("memory limit: %w", err)
		case time.Now().After(deadline):
			t.State.OverLimit = true
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			return t.State.Group.Kill(ctx)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// hold takes hold of a process that libcontainer has started.
func hold(p *libcontainer.Process) (*process.Process, error) {
	pid, err := p.Pid()
	if err != nil {
		return nil, err
	}
	id, err := process.Identify(pid)
	if err != nil {
		return nil, err
	}
	return process.Open(id)
}
