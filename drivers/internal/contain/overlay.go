package contain

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// overlay lays the layers over one another at Root, with Scratch on top.
func (s *Spec) overlay() error {
	if err := os.Mkdir(s.Root, 0o755); err != nil {
		return fmt.Errorf("root of the container: %w", err)
	}
	upper, work := filepath.Join(s.Scratch, "upper"), filepath.Join(s.Scratch, "work")
	if err := errors.Join(os.MkdirAll(s.Scratch, 0o700), os.Mkdir(upper, 0o755), os.Mkdir(work, 0o700)); err != nil {
		return fmt.Errorf("what the container writes: %w", err)
	}
	if u := s.Namespaces.users; u != nil {
		if err := os.Chown(upper, int(u.First), int(u.First)); err != nil {
			return fmt.Errorf("what the container writes: %w", err)
		}
	}
	o, err := s.openLayers()
	defer o.close()
	if err != nil {
		return err
	}
	// Names of open files are short, and hold no sign that means something in a list of options.
	var lower []string
	for i := len(s.Layers) - 1; i >= 0; i-- {
		lower = append(lower, o.path(i))
	}
	// What layers say about redirection is not believed, and the kernel need not save what a crash of the machine ends anyway.
	options := "lowerdir=" + strings.Join(lower, ":") + ",upperdir=" + o.path(len(s.Layers)) + "/upper,workdir=" + o.path(len(s.Layers)) +
		"/work,redirect_dir=nofollow,metacopy=off,index=off"
	flags := uintptr(unix.MS_NODEV)
	if s.Privileged {
		flags = 0
	}
	err = unix.Mount("overlay", s.Root, "overlay", flags, options+",volatile")
	if errors.Is(err, unix.EINVAL) { // before Linux 5.10
		err = unix.Mount("overlay", s.Root, "overlay", flags, options)
	}
	if err != nil {
		return fmt.Errorf("overlay of %d layers: %w", len(s.Layers), err)
	}
	return nil
}

// opened are the layers and, last, the scratch directory, as open files.
type opened []int

func (o opened) path(i int) string { return "/proc/self/fd/" + strconv.Itoa(o[i]) }

func (o opened) close() {
	for _, fd := range o {
		_ = unix.Close(fd)
	}
}

func (s *Spec) openLayers() (opened, error) {
	var o opened
	var mapping int = -1
	if r := s.Namespaces.users; r != nil {
		f, err := r.namespace()
		if err != nil {
			return o, err
		}
		defer f.Close()
		mapping = int(f.Fd())
	}
	for i, dir := range append(append([]string(nil), s.Layers...), s.Scratch) {
		fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err == nil && mapping >= 0 && i < len(s.Layers) {
			fd, err = mapped(fd, filepath.Join(stageDir, "layer"+strconv.Itoa(i)), mapping)
		}
		if err != nil {
			return o, fmt.Errorf("layer %s: %w", dir, err)
		}
		o = append(o, fd)
	}
	return o, nil
}

// mapped replaces an open directory by the same with its owners as a user namespace has them, mounted at path.
func mapped(dir int, path string, mapping int) (int, error) {
	defer unix.Close(dir)
	tree, err := unix.OpenTree(dir, "", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH)
	if err != nil {
		return -1, fmt.Errorf("open_tree: %w", err)
	}
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(mapping)}
	if err := unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH, &attr); err != nil {
		_ = unix.Close(tree)
		return -1, fmt.Errorf("owners in a user namespace: this file system or kernel (before 5.19) cannot map them: %w", err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		_ = unix.Close(tree)
		return -1, err
	}
	if err := unix.MoveMount(tree, "", unix.AT_FDCWD, path, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		_ = unix.Close(tree)
		return -1, fmt.Errorf("move_mount: %w", err)
	}
	return tree, nil
}

// LayersUnsupported says why roots cannot be made of layers on this node; empty when they can.
func LayersUnsupported() string {
	text, err := os.ReadFile("/proc/filesystems")
	if err != nil {
		return err.Error()
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasSuffix(strings.TrimSpace(line), "overlay") {
			return ""
		}
	}
	// It may be a module that is loaded when it is first asked for: opening the file system does that.
	fd, err := unix.Fsopen("overlay", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return fmt.Sprintf("the kernel does not have it (%v): modprobe overlay", err)
	}
	_ = unix.Close(fd)
	return ""
}
