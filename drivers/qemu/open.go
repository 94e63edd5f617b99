package qemu

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/drivers"
)

// openFile opens a file of a job: one in the task's directory or the directory that the allocation's tasks share, or one that the operator has
// listed. Links are followed as far as they stay inside the place that is allowed. The file is handed to QEMU open, so what was looked at here is
// what it gets.
func openFile(task *drivers.TaskConfig, paths []string, what, name string, flags int) (*os.File, error) {
	dir := task.TaskDir()
	if strings.ContainsRune(name, 0) {
		return nil, fmt.Errorf("%s: there is a zero byte in its name", what)
	}
	full := filepath.Clean(name)
	if !filepath.IsAbs(full) {
		full = filepath.Join(dir.Root, full)
	}
	for _, base := range append([]string{dir.Local, dir.Secrets, dir.Tmp, dir.Alloc}, paths...) {
		rel, err := filepath.Rel(base, full)
		if err != nil || (rel != "." && !filepath.IsLocal(rel)) {
			continue
		}
		f, err := openBeneath(task.AllocDir, base, rel, flags)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", what, name, err)
		}
		return f, nil
	}
	return nil, fmt.Errorf(`%s %s: it lies outside of the task's directory: fetch it with an artifact, or have the operator add it with plugin "qemu" { config { image_paths = [ … ] } }`, what, name)
}

func openBeneath(allocDir, base, rel string, flags int) (*os.File, error) {
	flags |= unix.O_CLOEXEC | unix.O_NOCTTY | unix.O_NONBLOCK
	var fd int
	var err error
	if rel == "." { // the operator has listed this very file
		fd, err = unix.Open(base, flags, 0)
	} else {
		var dir int
		if dir, err = openDir(allocDir, base); err != nil {
			return nil, err
		}
		defer unix.Close(dir)
		fd, err = unix.Openat2(dir, rel, &unix.OpenHow{Flags: uint64(flags), Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS})
	}
	if errors.Is(err, unix.EXDEV) || errors.Is(err, unix.ELOOP) {
		return nil, errors.New("a link leads out of the directory it lies in")
	}
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), base)
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = errors.New("it is not a plain file")
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// openDir opens a directory: the operator's by its name, the allocation's through no link at all, for tasks may have put one there.
func openDir(allocDir, base string) (int, error) {
	rel, err := filepath.Rel(allocDir, base)
	if err != nil || !filepath.IsLocal(rel) {
		return unix.Open(base, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	}
	root, err := unix.Open(allocDir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(root)
	return unix.Openat2(root, rel, &unix.OpenHow{Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS})
}

// reopen opens the same file for reading alone.
func reopen(f *os.File) (*os.File, error) {
	return os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", f.Fd()), os.O_RDONLY, 0)
}
