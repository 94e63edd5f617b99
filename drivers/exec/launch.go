package exec

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	_ "github.com/opencontainers/cgroups/devices" // without it device rules cannot be set
	"github.com/opencontainers/runc/libcontainer"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/internal/cgroup"
	"github.com/seraihq/serai/drivers/internal/process"
	"github.com/seraihq/serai/drivers/internal/stdio"
	"github.com/seraihq/serai/drivers/internal/supervise"
)

// launch makes the task's container and starts its program in it.
func (d *Driver) launch(ctx context.Context, cfg *drivers.TaskConfig, p *plan) (*supervise.Task, *process.Process, error) {
	stdout, err := stdio.ForTask(cfg.AllocDir, cfg.StdoutPath, int(p.creds.UID), int(p.creds.GID))
	if err != nil {
		return nil, nil, err
	}
	defer stdout.Close()
	stderr, err := stdio.ForTask(cfg.AllocDir, cfg.StderrPath, int(p.creds.UID), int(p.creds.GID))
	if err != nil {
		return nil, nil, err
	}
	defer stderr.Close()
	if err := d.clear(ctx, cfg.ID); err != nil {
		return nil, nil, err
	}
	if err := writeFiles(cfg); err != nil {
		return nil, nil, err
	}
	c, err := libcontainer.Create(stateDir, containerID(cfg.ID), p.config)
	if err != nil {
		_ = removeFiles(cfg.ID)
		return nil, nil, fmt.Errorf("container: %w", err)
	}
	t := &supervise.Task{ID: cfg.ID, Name: cfg.Name, Config: cfg}
	t.Cleanup = cleanup(t)
	proc, err := d.run(c, t, p, stdout, stderr)
	if err != nil {
		_ = t.State.Group.Kill(context.WithoutCancel(ctx))
		_ = c.Destroy()
		_ = removeFiles(cfg.ID)
		return nil, nil, err
	}
	return t, proc, nil
}

// clear removes what an earlier, killed start of the same task has left.
func (d *Driver) clear(ctx context.Context, id string) error {
	if _, err := os.Stat(filepath.Join(stateDir, containerID(id))); err != nil {
		return nil
	}
	return d.Destroy(ctx, id, true)
}

// run starts the container up to its last step, puts the filter and the memory limit on, and lets go.
func (d *Driver) run(c *libcontainer.Container, t *supervise.Task, p *plan, stdout, stderr *os.File) (*process.Process, error) {
	ctl, err := newControl()
	if err != nil {
		return nil, err
	}
	defer ctl.Close()
	main := p.process(p.argv, ctl)
	main.Init = true
	main.Stdout, main.Stderr = stdout, stderr
	if err := c.Start(main); err != nil {
		return nil, fmt.Errorf("container: %w", err)
	}
	state, err := c.State()
	if err != nil {
		return nil, fmt.Errorf("container: %w", err)
	}
	t.State.Group = cgroup.Group{Paths: state.CgroupPaths}
	t.State.Started, t.State.OOMKills = time.Now(), t.State.Group.OOMKills()
	proc, err := hold(main)
	if err != nil {
		return nil, err
	}
	if err := d.release(c, t, p, ctl); err != nil {
		_ = proc.Signal(unix.SIGKILL)
		_, _ = proc.Wait(context.Background())
		_ = proc.Close()
		return nil, err
	}
	return proc, nil
}

// release lets a container that waits before its last step go on.
func (d *Driver) release(c *libcontainer.Container, t *supervise.Task, p *plan, ctl *control) error {
	if err := ctl.send(p.filter); err != nil {
		return err
	}
	if err := ctl.installed(); err != nil {
		return err
	}
	if err := c.Exec(); err != nil {
		return fmt.Errorf("container: %w", err)
	}
	ctl.executed()
	l, err := d.Layout()
	if err != nil {
		return err
	}
	return limitMemory(l, t)
}

// limitPatience is how long a task may take to come below its memory limit when that is set.
const limitPatience = 500 * time.Millisecond

// limitMemory sets the memory limits of a task that has just begun. One that already uses more, and cannot be made to use less, has run out of
// memory.
func limitMemory(l *cgroup.Layout, t *supervise.Task) error {
	limits := memory(t.Config.Resources)
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

// process describes a process of the container to libcontainer.
func (p *plan) process(argv []string, ctl *control) *libcontainer.Process {
	out := &libcontainer.Process{Args: argv, Env: p.env, Cwd: p.dir, UID: int(p.creds.UID), GID: int(p.creds.GID),
		AdditionalGroups: ids(p.creds.Groups), ExtraFiles: []*os.File{ctl.theirs}}
	return out
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
