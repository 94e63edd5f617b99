package rawexec

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/internal/command"
	"github.com/seraihq/serai/drivers/internal/process"
	"github.com/seraihq/serai/drivers/internal/stdio"
	"github.com/seraihq/serai/drivers/internal/supervise"
	"github.com/seraihq/serai/drivers/internal/user"
	"github.com/seraihq/serai/internal/cgroup"
	"github.com/seraihq/serai/internal/failpoint"
)

// plan is all that a process of the task is started with: its first one and those of Exec.
type plan struct {
	settings config
	file     string
	argv     []string
	env      []string
	dir      string
	// creds are set when the user is to be changed; who is who it is in any case.
	creds    *user.Credentials
	who      user.Credentials
	netns    string
	oomScore int
	override cgroup.Override
}

// plan checks what the job asks for and finds the program, so that nothing has to be undone when something is wrong.
func (d *Driver) plan(cfg *drivers.TaskConfig, settings config) (plan, error) {
	c, err := decodeTask(cfg.Config)
	if err != nil {
		return plan{}, err
	}
	p := plan{settings: settings, oomScore: c.OOMScoreAdj, override: c.override()}
	if cfg.Network != nil {
		p.netns = cfg.Network.Path
	}
	if p.dir, err = workDir(cfg, c.WorkDir); err != nil {
		return p, err
	}
	if cfg.User != "" {
		creds, err := user.Lookup(cfg.User)
		if err != nil {
			return p, err
		}
		if p.creds = &creds; os.Geteuid() != 0 && int(creds.UID) == os.Geteuid() && int(creds.GID) == os.Getegid() {
			p.creds = nil // it is that already, and may not set its groups
		}
	}
	denied := slices.Concat(settings.DeniedEnvvars, c.DeniedEnvvars)
	if p.env, err = command.Environ(cfg.Environ(), denied, p.creds); err != nil {
		return p, err
	}
	p.who = user.Credentials{UID: uint32(os.Geteuid()), GID: uint32(os.Getegid())}
	if p.creds != nil {
		p.who = *p.creds
	}
	if err := p.who.Allowed(settings.uids, settings.gids); err != nil {
		return p, err
	}
	if p.file, err = command.Find(c.Command, cfg.TaskDir(), command.Value(p.env, "PATH")); err != nil {
		return p, err
	}
	p.argv = append([]string{c.Command}, c.Args...)
	return p, nil
}

func workDir(cfg *drivers.TaskConfig, dir string) (string, error) {
	root := cfg.TaskDir().Root
	switch {
	case dir == "":
		dir = root
	case !filepath.IsAbs(dir):
		dir = filepath.Join(root, dir)
	}
	st, err := os.Stat(dir)
	if err == nil && !st.IsDir() {
		err = errors.New("not a directory")
	}
	if err != nil {
		return "", fmt.Errorf("work_dir %s: %w", dir, err)
	}
	return dir, nil
}

// launch starts the task's process inside its group.
func (d *Driver) launch(ctx context.Context, cfg *drivers.TaskConfig, p plan) (t *supervise.Task, proc *process.Process, err error) {
	stdout, err := stdio.ForTask(cfg.AllocDir, cfg.StdoutPath, int(p.who.UID), int(p.who.GID))
	if err != nil {
		return nil, nil, err
	}
	defer stdout.Close()
	stderr, err := stdio.ForTask(cfg.AllocDir, cfg.StderrPath, int(p.who.UID), int(p.who.GID))
	if err != nil {
		return nil, nil, err
	}
	defer stderr.Close()
	group, err := d.group(cfg, p)
	if err != nil {
		return nil, nil, err
	}
	failpoint.Kill("raw_exec:grouped")
	t = &supervise.Task{ID: cfg.ID, Name: cfg.Name, Config: cfg}
	t.State.Group, t.State.Started, t.State.OOMKills = group, time.Now(), group.OOMKills()
	cmd := p.command()
	cmd.Stdout, cmd.Stderr = stdout, stderr
	if proc, err = d.fork(t, p, cmd); err != nil {
		_ = group.Remove(ctx)
		return nil, nil, err
	}
	failpoint.Kill("raw_exec:forked")
	d.setOOMScore(cfg, proc.Identity().PID, p.oomScore)
	return t, proc, nil
}

// command is the process to start, in a session of its own.
func (p plan) command() *exec.Cmd {
	cmd := &exec.Cmd{Path: p.file, Args: p.argv, Env: p.env, Dir: p.dir, SysProcAttr: &syscall.SysProcAttr{Setsid: true}}
	if p.creds != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: p.creds.UID, Gid: p.creds.GID, Groups: p.creds.Groups}
	}
	return cmd
}

// fork starts cmd inside the task's group, and in the group's network when it has one.
func (d *Driver) fork(t *supervise.Task, p plan, cmd *exec.Cmd) (*process.Process, error) {
	pidfd := -1
	cmd.SysProcAttr.PidFD = &pidfd
	start := func(unified int) error {
		if unified >= 0 {
			cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, unified
		}
		return inNetwork(p.netns, cmd.Start)
	}
	var err error
	if len(t.State.Group.Paths) == 0 {
		err = start(-1)
	} else {
		l, findErr := d.Layout()
		if findErr != nil {
			return nil, findErr
		}
		err = l.Start(t.State.Group, start)
	}
	if err != nil {
		return nil, explain(p, err)
	}
	proc, err := process.Adopt(cmd.Process.Pid, pidfd)
	if err != nil {
		return nil, err
	}
	_ = cmd.Process.Release()
	return proc, nil
}

// explain names the program in an error of exec(2).
func explain(p plan, err error) error {
	name := p.argv[0]
	switch {
	case errors.Is(err, fs.ErrPermission) && p.creds != nil && os.Geteuid() != 0 && !errors.Is(err, unix.EACCES):
		return fmt.Errorf("the agent is user %d and may not start a task as user %d: leave user out of the task, or run the agent as root: %w", os.Geteuid(), p.creds.UID, err)
	case errors.Is(err, fs.ErrNotExist):
		// The file is there, so what is missing is its interpreter or loader.
		return drivers.CommandNotFound(name, "(its interpreter or loader is missing on this node)")
	case errors.Is(err, fs.ErrPermission), errors.Is(err, unix.ENOEXEC):
		return drivers.CommandNotExecutable(name, err)
	}
	return fmt.Errorf("start command %q: %w", name, err)
}

// inNetwork runs f, which forks, on a thread in the network namespace at path; an empty path is the host's.
func inNetwork(path string, f func() error) error {
	if path == "" {
		return f()
	}
	target, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("network namespace: %w", err)
	}
	defer target.Close()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return fmt.Errorf("network namespace: %w", err)
	}
	defer home.Close()
	runtime.LockOSThread()
	if err := unix.Setns(int(target.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("network namespace %s: %w", path, err)
	}
	err = f()
	// A thread that cannot go back stays locked, and ends with the calling goroutine.
	if unix.Setns(int(home.Fd()), unix.CLONE_NEWNET) == nil {
		runtime.UnlockOSThread()
	}
	return err
}

// setOOMScore makes the task likelier to be chosen when memory runs out. Where that is not permitted, the task is told and runs on.
func (d *Driver) setOOMScore(cfg *drivers.TaskConfig, pid, score int) {
	if score == 0 {
		return
	}
	path := "/proc/" + strconv.Itoa(pid) + "/oom_score_adj"
	if err := os.WriteFile(path, []byte(strconv.Itoa(score)), 0); err != nil {
		d.Tell(cfg, fmt.Sprintf("oom_score_adj %d could not be set: %v", score, err))
	}
}
