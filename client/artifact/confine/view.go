package confine

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// needed lists what programs, name look-up and certificates are made of, as it
// lies on the host and in a view. What is not there is left out.
func needed() []Path {
	var out []Path
	for _, d := range []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store"} {
		out = append(out, Path{Path: d, Dir: true, Read: true, Exec: true})
	}
	for _, d := range []string{"/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/etc/alternatives", "/etc/crypto-policies", "/etc/ld.so.conf.d"} {
		out = append(out, Path{Path: d, Dir: true, Read: true})
	}
	for _, f := range []string{
		"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf", "/etc/services", "/etc/protocols",
		"/etc/localtime", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/passwd", "/etc/ssh/ssh_known_hosts", "/etc/mime.types",
		"/dev/zero", "/dev/random", "/dev/urandom",
	} {
		out = append(out, Path{Path: f, Read: true})
	}
	return append(out, Path{Path: "/dev/null", Read: true, Write: true})
}

// ownFiles are those that a view has instead of the host's.
var ownFiles = map[string]string{"/etc/passwd": "root:x:0:0:root:/work:/bin/false\nfetch:x:%[1]d:%[1]d:fetch:/work:/bin/false\n"}

// mountView makes the root directory and goes into it. Nothing of it is seen
// outside, and it goes with the process.
func (s Spec) mountView() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("leave the host's mounts: %w", err)
	}
	const quiet = unix.MS_NOSUID | unix.MS_NODEV
	if err := unix.Mount("tmpfs", s.Root, "tmpfs", quiet, "size=1m,mode=0755"); err != nil {
		return fmt.Errorf("mount a root at %s: %w", s.Root, err)
	}
	for _, p := range append(needed(), s.Extra...) {
		if err := s.show(p); err != nil {
			return err
		}
	}
	inside := s.Root + WorkInside
	if err := os.Mkdir(inside, 0o755); err != nil {
		return err
	}
	if err := bind(s.Work, inside, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV); err != nil {
		return err
	}
	if err := unix.Mount("", s.Root, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|quiet, ""); err != nil {
		return fmt.Errorf("close the root at %s: %w", s.Root, err)
	}
	return enterRoot(s.Root)
}

// enterRoot makes a mount the root, and lets go of the old one.
func enterRoot(root string) error {
	if err := unix.Chdir(root); err != nil {
		return fmt.Errorf("enter %s: %w", root, err)
	}
	// The old root ends up on top of the new one, and is taken away from there.
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("make %s the root: %w", root, err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("let go of the old root: %w", err)
	}
	return unix.Chdir("/")
}

// show puts a path of the host into the view.
func (s Spec) show(p Path) error {
	inside := s.Root + p.Path
	if err := os.MkdirAll(path.Dir(inside), 0o755); err != nil {
		return err
	}
	if text, ok := ownFiles[p.Path]; ok {
		return os.WriteFile(inside, fmt.Appendf(nil, text, max(s.UID, 0)), 0o644)
	}
	st, err := os.Lstat(p.Path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	case st.Mode()&os.ModeSymlink != 0 && p.Dir:
		return s.showLink(p, inside)
	}
	return s.showReal(p, inside)
}

// showLink makes the link anew when it leads to what the view has, as /bin does.
func (s Spec) showLink(p Path, inside string) error {
	target, err := os.Readlink(p.Path)
	if err != nil {
		return err
	}
	if _, err := os.Stat(s.Root + path.Join(path.Dir(p.Path), target)); err == nil && !path.IsAbs(target) {
		return os.Symlink(target, inside)
	}
	return s.showReal(p, inside)
}

func (s Spec) showReal(p Path, inside string) error {
	real, err := filepath.EvalSymlinks(p.Path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	st, err := os.Stat(real)
	if err != nil {
		return err
	}
	if st.IsDir() {
		err = os.MkdirAll(inside, 0o755)
	} else {
		err = os.WriteFile(inside, nil, 0o644)
	}
	if err != nil {
		return err
	}
	attr := uint64(unix.MOUNT_ATTR_NOSUID)
	if st.Mode()&os.ModeDevice == 0 {
		attr |= unix.MOUNT_ATTR_NODEV
	}
	if !p.Write {
		attr |= unix.MOUNT_ATTR_RDONLY
	}
	return bind(real, inside, attr)
}

// bind shows a path at a second place, with all that is mounted beneath it.
func bind(from, to string, attr uint64) error {
	if err := unix.Mount(from, to, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("show %s: %w", from, err)
	}
	err := unix.MountSetattr(unix.AT_FDCWD, to, unix.AT_RECURSIVE, &unix.MountAttr{Attr_set: attr})
	if err == nil || !errors.Is(err, unix.ENOSYS) {
		return err
	}
	// A kernel before 5.12: only the topmost mount.
	flags := uintptr(unix.MS_REMOUNT | unix.MS_BIND | unix.MS_NOSUID)
	if attr&unix.MOUNT_ATTR_RDONLY != 0 {
		flags |= unix.MS_RDONLY
	}
	if attr&unix.MOUNT_ATTR_NODEV != 0 {
		flags |= unix.MS_NODEV
	}
	return unix.Mount("", to, "", flags, "")
}
