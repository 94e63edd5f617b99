package contain

import (
	"cmp"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/opencontainers/runc/libcontainer/configs"

	"github.com/seraihq/serai/drivers"
)

// Mount puts a host path, or an empty file system in memory, into a container.
type Mount struct {
	// Host and Task are absolute paths.
	Host, Task string
	// Beneath, when it is not empty, is the directory in which Host is found as the path below it, through no link: a task can write there.
	Beneath string
	// Tmpfs makes a file system in memory; Host is not used. TmpfsBytes is its size (0: half of the memory), TmpfsMode the mode of its root.
	Tmpfs      bool
	TmpfsBytes int64
	TmpfsMode  uint32
	// Readonly holds for all that is mounted beneath, too.
	Readonly bool
	// Plain: programs get no rights from the files (setuid), and devices are only files.
	Plain bool
	// Unmapped: in a user namespace the owners of the files are the host's, as they are. What the namespace does not have is nobody's there.
	Unmapped bool
	// Propagation is "private" (also when empty), "host-to-task" or "bidirectional".
	Propagation string
}

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

// Chroot returns the mounts of a root made of the host's own files: the task's /alloc, and read-only the host paths by the path that the task sees
// them at, of which those that do not exist are left out. Without any, it is the default set.
func Chroot(task *drivers.TaskConfig, paths map[string]string) []Mount {
	if len(paths) == 0 {
		paths = map[string]string{}
		for _, p := range defaultChroot {
			paths[p] = p
		}
		for _, pattern := range []string{"/etc/java-*", "/etc/python3*"} {
			matches, _ := filepath.Glob(pattern)
			for _, p := range matches {
				paths[p] = p
			}
		}
	}
	mounts := []Mount{{Host: task.TaskDir().Alloc, Task: "/alloc", Plain: true}}
	for host, inside := range paths {
		if _, err := os.Stat(host); err == nil {
			mounts = append(mounts, Mount{Host: host, Task: path.Clean(inside), Readonly: true, Plain: true})
		}
	}
	// A path comes before what lies below it.
	slices.SortFunc(mounts, func(a, b Mount) int { return cmp.Compare(a.Task, b.Task) })
	return mounts
}

// TaskMounts are the mounts that a task's volumes ask for.
func TaskMounts(list []drivers.Mount) []Mount {
	out := make([]Mount, len(list))
	for i, m := range list {
		out[i] = Mount{Host: m.HostPath, Task: m.TaskPath, Readonly: m.Readonly, Propagation: m.Propagation}
	}
	return out
}

var propagations = map[string]int{
	"": unix.MS_PRIVATE, "private": unix.MS_PRIVATE, "host-to-task": unix.MS_SLAVE, "bidirectional": unix.MS_SHARED,
}

// configure describes the mount to libcontainer.
func (m Mount) configure(users *idRange) (*configs.Mount, error) {
	if m.Tmpfs {
		return m.tmpfs()
	}
	if !path.IsAbs(m.Task) || !filepath.IsAbs(m.Host) || path.Clean(m.Task) == "/" {
		return nil, fmt.Errorf("mount of %q at %q: both must be absolute paths, and the second not /", m.Host, m.Task)
	}
	propagation, ok := propagations[m.Propagation]
	if !ok {
		return nil, fmt.Errorf("mount at %q: propagation %q is not known: use private, host-to-task or bidirectional", m.Task, m.Propagation)
	}
	out := &configs.Mount{Source: m.Host, Destination: path.Clean(m.Task), Device: "bind", Flags: unix.MS_BIND | unix.MS_REC,
		PropagationFlags: []int{propagation | unix.MS_REC}}
	if m.Plain {
		out.Flags |= unix.MS_NOSUID | unix.MS_NODEV
	}
	if m.Readonly {
		readonly(out)
	}
	if users != nil && !m.Unmapped {
		ids := []configs.IDMap{users.mapping()}
		out.IDMapping = &configs.MountIDMapping{UIDMappings: ids, GIDMappings: ids}
	}
	return out, nil
}

func (m Mount) tmpfs() (*configs.Mount, error) {
	if !path.IsAbs(m.Task) || path.Clean(m.Task) == "/" {
		return nil, fmt.Errorf("tmpfs at %q: it must be an absolute path, and not /", m.Task)
	}
	mode := m.TmpfsMode
	if mode == 0 {
		mode = 0o1777
	}
	data := fmt.Sprintf("mode=%o", mode)
	if m.TmpfsBytes > 0 {
		data += fmt.Sprintf(",size=%d", m.TmpfsBytes)
	}
	out := &configs.Mount{Source: "tmpfs", Destination: path.Clean(m.Task), Device: "tmpfs", Flags: unix.MS_NOSUID | unix.MS_NODEV, Data: data}
	if m.Readonly {
		out.Flags |= unix.MS_RDONLY
	}
	return out, nil
}

// Mappable is whether the owners of what lies in dir can be others in a user namespace: file systems in memory could not do that before Linux 6.3.
func Mappable(dir string) bool {
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) != nil || st.Type != unix.TMPFS_MAGIC {
		return true
	}
	var name unix.Utsname
	if unix.Uname(&name) != nil {
		return true
	}
	var major, minor int
	if n, _ := fmt.Sscanf(unix.ByteSliceToString(name.Release[:]), "%d.%d", &major, &minor); n < 2 {
		return true
	}
	return major > 6 || major == 6 && minor >= 3
}

// OnHost is the host's number of a user or group that has this one in the container. It holds once Start has chosen the container's users.
func (s *Spec) OnHost(id uint32) int {
	if u := s.Namespaces.users; u != nil {
		id += u.First
	}
	return int(id)
}

// mapping is the range in libcontainer's words.
func (r idRange) mapping() configs.IDMap {
	return configs.IDMap{ContainerID: 0, HostID: int64(r.First), Size: int64(r.Size)}
}

// readonly makes a mount read-only with all that is mounted beneath it. A kernel that can only do so with the topmost does not show the others.
func readonly(m *configs.Mount) {
	m.Flags |= unix.MS_RDONLY
	if unix.MountSetattr(-1, "", unix.AT_EMPTY_PATH, &unix.MountAttr{}) == unix.ENOSYS {
		m.Flags &^= unix.MS_REC
		return
	}
	m.RecAttr = &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
}

// rootPropagation keeps the mounts of host and container apart, but for what the mounts ask for.
func rootPropagation(mounts []Mount) int {
	flag := unix.MS_PRIVATE
	for _, m := range mounts {
		switch propagations[m.Propagation] {
		case unix.MS_SHARED:
			return unix.MS_SHARED | unix.MS_REC
		case unix.MS_SLAVE:
			flag = unix.MS_SLAVE
		}
	}
	return flag | unix.MS_REC
}
