package qemu

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/internal/landlock"
	"github.com/seraihq/serai/drivers/internal/user"
	"github.com/seraihq/serai/internal/cgroup"
)

// Programs, libraries, firmware and what the C library looks into: all that QEMU finds by name.
var (
	readable = []string{"/usr", "/lib", "/lib32", "/lib64", "/bin", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/qemu",
		"/etc/resolv.conf", "/etc/hosts", "/etc/host.conf", "/etc/nsswitch.conf", "/etc/localtime", "/etc/gai.conf", "/dev/urandom", "/dev/random",
		"/sys/devices/system/cpu", "/sys/devices/system/node"}
	writable = []string{"/dev/null", kvmDevice}
)

// confinement is what holds one QEMU beside its own filter of system calls.
type confinement struct {
	emulator string
	// who is nil when QEMU runs as the agent's own user, who is not root.
	who   *user.Credentials
	netns string
	// lowPorts: it listens on ports below 1024.
	lowPorts bool
	// task is nil for the trial.
	task *drivers.TaskConfig
	// files are open ones that QEMU opens anew by their descriptor.
	files []*os.File
	// groups are the control groups that the thread which forks goes back to.
	layout *cgroup.Layout
}

// attributes are those of the process to be.
func (c *confinement) attributes() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setsid: true}
	if c.who == nil {
		return attr
	}
	attr.Credential = &syscall.Credential{Uid: c.who.UID, Gid: c.who.GID, Groups: c.who.Groups}
	if c.lowPorts && c.who.UID != 0 {
		attr.AmbientCaps = []uintptr{unix.CAP_NET_BIND_SERVICE}
	}
	return attr
}

// onOwnThread runs f on a thread that ends with it, so that f may take from it what it likes.
func onOwnThread(f func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with this goroutine
		result <- f()
	}()
	return <-result
}

// join puts the calling thread, which must be one of onOwnThread, into the task's directory and network. QEMU is born in that directory, for its
// user may not be able to walk there.
func (c *confinement) join() error {
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("a working directory of its own: %w", err)
	}
	dir := "/"
	if c.task != nil {
		dir = c.task.TaskDir().Root
	}
	if err := unix.Chdir(dir); err != nil {
		return fmt.Errorf("task directory %s: %w", dir, err)
	}
	if c.netns == "" {
		return nil
	}
	f, err := os.Open(c.netns)
	if err != nil {
		return fmt.Errorf("network namespace: %w", err)
	}
	defer f.Close()
	if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("network namespace %s: %w", c.netns, err)
	}
	return nil
}

// enter takes the files from the calling thread, which must be one of onOwnThread. Without Landlock QEMU's user and its filter have to hold.
func (c *confinement) enter() error {
	rules, err := landlock.New()
	if errors.Is(err, landlock.ErrUnavailable) {
		return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	}
	if err != nil {
		return err
	}
	defer rules.Close()
	if err := c.allow(rules); err != nil {
		return err
	}
	return rules.Enter()
}

func (c *confinement) allow(rules *landlock.Rules) error {
	var errs []error
	for _, p := range readable {
		errs = append(errs, rules.Allow(p, landlock.Read|landlock.Execute))
	}
	for _, p := range writable {
		errs = append(errs, rules.Allow(p, landlock.Read|landlock.Write))
	}
	if !strings.HasPrefix(c.emulator, "/usr/") { // such as /opt/qemu/bin/…, with its firmware in /opt/qemu/share
		errs = append(errs, rules.Allow(c.emulator, landlock.Read|landlock.Execute))
		if home := filepath.Dir(filepath.Dir(c.emulator)); home != "/" {
			errs = append(errs, rules.Allow(home, landlock.Read|landlock.Execute))
		}
	}
	for _, f := range c.files {
		errs = append(errs, rules.AllowFile(int(f.Fd()), landlock.Read))
	}
	if c.layout != nil { // root's files, which QEMU's user cannot open whatever the rules say
		for key, dir := range c.layout.Parents {
			if key != cgroup.Unified {
				errs = append(errs, rules.Allow(filepath.Join(filepath.Dir(dir), "tasks"), landlock.Write))
			}
		}
	}
	if c.task != nil {
		errs = append(errs, c.allowTask(rules))
	}
	return errors.Join(errs...)
}

// allowTask leaves QEMU the directories of its task, for arguments that the operator allows.
func (c *confinement) allowTask(rules *landlock.Rules) error {
	dir := c.task.TaskDir()
	for path, access := range map[string]uint64{
		dir.Local: landlock.Read | landlock.Write, dir.Tmp: landlock.Read | landlock.Write, dir.Alloc: landlock.Read | landlock.Write,
		dir.Secrets: landlock.Read,
	} {
		fd, err := openDir(c.task.AllocDir, path)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		err = rules.AllowFile(fd, access)
		_ = unix.Close(fd)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

// credentials are who QEMU runs as: the job's user, else the operator's. Only the operator can make it root.
func credentials(job string, settings config) (*user.Credentials, error) {
	if os.Geteuid() != 0 {
		if job != "" {
			return nil, fmt.Errorf("user %q: the agent is not root and cannot start QEMU as somebody else", job)
		}
		return nil, nil
	}
	name := settings.User
	if job != "" {
		name = job
	}
	who, err := user.Lookup(name)
	if err != nil {
		return nil, err
	}
	if job != "" && who.UID == 0 {
		return nil, errors.New("user: a job may not run QEMU as root: leave it out, or name another user")
	}
	return &who, who.Allowed(settings.uids, settings.gids)
}
