package qemu

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/internal/process"
	"github.com/seraihq/serai/drivers/internal/stdio"
	"github.com/seraihq/serai/drivers/internal/supervise"
	"github.com/seraihq/serai/internal/cgroup"
)

// overheadMiB is what QEMU itself may use beyond the guest's memory.
const overheadMiB = 256

// maxThreads is how many threads QEMU may have: its own for input and output, and one for each CPU.
const maxThreads = 256 + maxCPUs

// What a handle keeps of a machine, beside what supervise does.
const (
	stateMonitor  = "monitor"
	stateAgent    = "agent"
	stateGraceful = "graceful"
)

// launch starts QEMU inside the task's group.
func (d *Driver) launch(ctx context.Context, cfg *drivers.TaskConfig, m *machine, c *confinement) (*supervise.Task, *process.Process, error) {
	uid, gid := os.Geteuid(), os.Getegid()
	if c.who != nil {
		uid, gid = int(c.who.UID), int(c.who.GID)
	}
	stdout, err := stdio.ForTask(cfg.AllocDir, cfg.StdoutPath, uid, gid)
	if err != nil {
		return nil, nil, err
	}
	defer stdout.Close()
	stderr, err := stdio.ForTask(cfg.AllocDir, cfg.StderrPath, uid, gid)
	if err != nil {
		return nil, nil, err
	}
	defer stderr.Close()
	stdin, err := os.Open(os.DevNull)
	if err != nil {
		return nil, nil, err
	}
	defer stdin.Close()
	t := &supervise.Task{ID: cfg.ID, Name: cfg.Name, Config: cfg}
	if t.State.Group, err = d.group(cfg); err != nil {
		return nil, nil, err
	}
	t.State.Started, t.State.OOMKills = time.Now(), t.State.Group.OOMKills()
	cmd := c.command(m.commandLine())
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = stdin, stdout, stderr, m.files()
	cmd.Env = append(cmd.Env, "TMPDIR="+cfg.TaskDir().Tmp)
	proc, err := d.fork(t, c, cmd)
	if err != nil {
		_ = t.State.Group.Remove(ctx)
		return nil, nil, fmt.Errorf("start %s: %w", c.emulator, err)
	}
	return t, proc, nil
}

// command is QEMU. Nothing of the task's environment reaches it: a job author could make its loader run other code by that.
func (c *confinement) command(args []string) *exec.Cmd {
	return &exec.Cmd{Path: c.emulator, Args: append([]string{c.emulator}, args...), SysProcAttr: c.attributes(),
		Env: []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C.UTF-8", "HOME=/"}}
}

// fork starts cmd held by its confinement, inside the task's group.
func (d *Driver) fork(t *supervise.Task, c *confinement, cmd *exec.Cmd) (*process.Process, error) {
	pidfd := -1
	cmd.SysProcAttr.PidFD = &pidfd
	start := func(unified int) error {
		if unified >= 0 {
			cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, unified
		}
		if err := c.enter(); err != nil {
			return err
		}
		return cmd.Start()
	}
	err := onOwnThread(func() error {
		if err := c.join(); err != nil {
			return err
		}
		if len(t.State.Group.Paths) == 0 {
			return start(-1)
		}
		l, err := d.Layout()
		if err != nil {
			return err
		}
		c.layout = l
		return l.Start(t.State.Group, start)
	})
	if err != nil {
		return nil, err
	}
	proc, err := process.Adopt(cmd.Process.Pid, pidfd)
	if err != nil {
		return nil, err
	}
	_ = cmd.Process.Release()
	return proc, nil
}

// group makes the task's control group; the empty Group when there are none on this machine.
func (d *Driver) group(cfg *drivers.TaskConfig) (cgroup.Group, error) {
	l, err := d.Layout()
	if err != nil || l.Version == 0 || os.Geteuid() != 0 {
		return cgroup.Group{}, nil
	}
	controllers := []string{"cpu", "cpuacct", "memory", "cpuset", "pids"}
	if _, unified := l.Parents[cgroup.Unified]; !unified {
		controllers = append(controllers, "freezer")
	}
	g, err := l.Create(cgroup.Name(cfg.ID), controllers...)
	if err != nil {
		return g, err
	}
	r := cfg.Resources
	lim := cgroup.Limits{CPUShares: r.CPUShares, Cpuset: r.Cpuset, PIDs: maxThreads}
	if r.MemoryMaxMB >= 0 && r.MemoryMB > 0 {
		lim.MemoryBytes = max(r.MemoryMB+overheadMiB, r.MemoryMaxMB) << 20
	}
	if err := l.Set(g, lim); err != nil {
		_ = g.Remove(context.Background())
		return cgroup.Group{}, fmt.Errorf("limits: %w", err)
	}
	return g, nil
}

// checkPorts tells which port somebody else has before QEMU does, in the words of this node. QEMU ends when it cannot have a port.
func checkPorts(list []forward) error {
	for _, f := range list {
		address := net.JoinHostPort(f.hostIP, strconv.Itoa(f.host))
		tcp, err := net.Listen("tcp4", address)
		if err == nil {
			_ = tcp.Close()
			var udp net.PacketConn
			if udp, err = net.ListenPacket("udp4", address); err == nil {
				_ = udp.Close()
			}
		}
		if err != nil {
			return drivers.Recoverable(fmt.Errorf("port %s, which leads to the guest's port %d, cannot be had: %w", address, f.guest, cause(err)))
		}
	}
	return nil
}

// cause leaves out what an error of package net repeats.
func cause(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err
	}
	return err
}
