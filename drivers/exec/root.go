package exec

import (
	"cmp"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/opencontainers/runc/libcontainer/configs"

	"github.com/seraihq/serai/drivers"
)

// defaultChroot are the host paths that tasks see when the operator does not say. Of /etc only what programs need to find libraries, names and
// certificates: no passwords, no keys, no other program's settings.
var defaultChroot = []string{
	"/bin", "/lib", "/lib32", "/lib64", "/libx32", "/sbin", "/usr", "/run/resolvconf", "/run/systemd/resolve",
	"/etc/alternatives", "/etc/bash.bashrc", "/etc/ca-certificates", "/etc/ca-certificates.conf", "/etc/gai.conf", "/etc/group",
	"/etc/host.conf", "/etc/hostname", "/etc/hosts", "/etc/inputrc", "/etc/java", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d",
	"/etc/localtime", "/etc/magic", "/etc/mime.types", "/etc/networks", "/etc/nsswitch.conf", "/etc/os-release", "/etc/passwd", "/etc/perl",
	"/etc/pki/ca-trust", "/etc/pki/tls/cert.pem", "/etc/pki/tls/certs", "/etc/profile", "/etc/protocols", "/etc/resolv.conf", "/etc/rpc", "/etc/services",
	"/etc/shells", "/etc/ssl/cert.pem", "/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/terminfo", "/etc/timezone", "/etc/xattr.conf",
}

// view is what a task sees of the host: host paths by the path in the task. The task's own directory is at "/".
type view map[string]string

// bind is a bind mount of a view.
const readonlyBind = unix.MS_BIND | unix.MS_REC | unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV

// chroot returns the bind mounts of the configured host paths that exist, and the view they make.
func chroot(settings config, task *drivers.TaskConfig) ([]*configs.Mount, view) {
	pairs := settings.ChrootEnv
	if len(pairs) == 0 {
		pairs = map[string]string{}
		for _, p := range defaultChroot {
			pairs[p] = p
		}
		for _, pattern := range []string{"/etc/java-*", "/etc/python3*"} {
			matches, _ := filepath.Glob(pattern)
			for _, p := range matches {
				pairs[p] = p
			}
		}
	}
	v := view{"/": task.TaskDir().Root, "/alloc": task.TaskDir().Alloc}
	mounts := []*configs.Mount{{Source: task.TaskDir().Alloc, Destination: "/alloc", Device: "bind",
		Flags: unix.MS_BIND | unix.MS_REC | unix.MS_NOSUID | unix.MS_NODEV, PropagationFlags: []int{unix.MS_SLAVE | unix.MS_REC}}}
	for host, inside := range pairs {
		if _, err := os.Stat(host); err != nil {
			continue
		}
		inside = path.Clean(inside)
		v[inside] = host
		mounts = append(mounts, &configs.Mount{Source: host, Destination: inside, Device: "bind", Flags: readonlyBind,
			PropagationFlags: []int{unix.MS_SLAVE | unix.MS_REC}})
	}
	// A path comes before what lies below it.
	slices.SortFunc(mounts, func(a, b *configs.Mount) int { return cmp.Compare(a.Destination, b.Destination) })
	return mounts, v
}

// kernelMounts are the file systems that the kernel makes: processes, devices, settings.
func kernelMounts() []*configs.Mount {
	const quiet = unix.MS_NOEXEC | unix.MS_NOSUID | unix.MS_NODEV
	return []*configs.Mount{
		{Source: "proc", Destination: "/proc", Device: "proc", Flags: quiet},
		{Source: "tmpfs", Destination: "/dev", Device: "tmpfs", Flags: unix.MS_NOSUID | unix.MS_STRICTATIME, Data: "mode=755,size=65536k"},
		{Source: "devpts", Destination: "/dev/pts", Device: "devpts", Flags: unix.MS_NOSUID | unix.MS_NOEXEC, Data: "newinstance,ptmxmode=0666,mode=0620"},
		{Source: "shm", Destination: "/dev/shm", Device: "tmpfs", Flags: quiet, Data: "mode=1777,size=65536k"},
		{Source: "mqueue", Destination: "/dev/mqueue", Device: "mqueue", Flags: quiet},
		{Source: "sysfs", Destination: "/sys", Device: "sysfs", Flags: quiet | unix.MS_RDONLY},
	}
}

// Paths below /proc and /sys that tell or change what is not the task's.
var (
	maskedPaths = []string{"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
		"/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap", "/sys/fs/cgroup"}
	readonlyPaths = []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
)

var propagations = map[string]int{
	"": unix.MS_PRIVATE, "private": unix.MS_PRIVATE, "host-to-task": unix.MS_SLAVE, "bidirectional": unix.MS_SHARED,
}

// jobMounts are those that the job has asked for.
func jobMounts(list []drivers.Mount, v view) ([]*configs.Mount, error) {
	var out []*configs.Mount
	for _, m := range list {
		if !path.IsAbs(m.TaskPath) || !filepath.IsAbs(m.HostPath) || path.Clean(m.TaskPath) == "/" {
			return nil, fmt.Errorf("mount of %q at %q: both must be absolute paths, and the second not /", m.HostPath, m.TaskPath)
		}
		propagation, ok := propagations[m.Propagation]
		if !ok {
			return nil, fmt.Errorf("mount at %q: propagation %q is not known: use private, host-to-task or bidirectional", m.TaskPath, m.Propagation)
		}
		flags := unix.MS_BIND | unix.MS_REC
		if m.Readonly {
			flags |= unix.MS_RDONLY
		}
		v[path.Clean(m.TaskPath)] = m.HostPath
		out = append(out, &configs.Mount{Source: m.HostPath, Destination: path.Clean(m.TaskPath), Device: "bind", Flags: flags,
			PropagationFlags: []int{propagation | unix.MS_REC}})
	}
	return out, nil
}

// filesDir is where the files of /etc that are a task's own lie: not in the task's directory, where it could put a link in their place.
const filesDir = "/run/serai/exec-files"

// ownFiles returns the mounts of the files of /etc that are this task's own.
func ownFiles(task *drivers.TaskConfig, v view) []*configs.Mount {
	var out []*configs.Mount
	for name := range fileTexts(task) {
		host := filepath.Join(filesDir, containerID(task.ID), name)
		v["/etc/"+name] = host
		out = append(out, &configs.Mount{Source: host, Destination: "/etc/" + name, Device: "bind", Flags: readonlyBind})
	}
	return out
}

// writeFiles writes them before the task starts, removeFiles removes them after it.
func writeFiles(task *drivers.TaskConfig) error {
	texts := fileTexts(task)
	if len(texts) == 0 {
		return nil
	}
	dir := filepath.Join(filesDir, containerID(task.ID))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("files of the task's /etc: %w", err)
	}
	for name, text := range texts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return fmt.Errorf("/etc/%s of the task: %w", name, err)
		}
	}
	return nil
}

func removeFiles(taskID string) error {
	return os.RemoveAll(filepath.Join(filesDir, containerID(taskID)))
}

func fileTexts(task *drivers.TaskConfig) map[string]string {
	files := map[string]string{}
	if d := task.DNS; d != nil && len(d.Servers)+len(d.Searches)+len(d.Options) > 0 {
		files["resolv.conf"] = resolvConf(d)
	}
	if n := task.Network; n != nil && n.Hostname != "" {
		name := line(n.Hostname)
		files["hostname"] = name + "\n"
		files["hosts"] = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n" + orLoopback(line(n.Address)) + " " + name + "\n"
	}
	return files
}

func orLoopback(address string) string {
	if address == "" {
		return "127.0.1.1"
	}
	return address
}

func resolvConf(d *drivers.DNS) string {
	var b strings.Builder
	for _, s := range d.Servers {
		fmt.Fprintf(&b, "nameserver %s\n", line(s))
	}
	if len(d.Searches) > 0 {
		fmt.Fprintf(&b, "search %s\n", line(strings.Join(d.Searches, " ")))
	}
	if len(d.Options) > 0 {
		fmt.Fprintf(&b, "options %s\n", line(strings.Join(d.Options, " ")))
	}
	return b.String()
}

// line keeps a value on one line.
func line(s string) string { return strings.NewReplacer("\n", " ", "\r", " ").Replace(s) }
