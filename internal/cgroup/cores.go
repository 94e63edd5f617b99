package cgroup

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// SetCores gives cores ("0-3,7"; empty for all that there are) to those of the
// tasks' groups for which coresOf has some, by their name. It is no error when
// one ends meanwhile; without the controller nothing is done.
func (l *Layout) SetCores(coresOf func(name string) (cores string, ok bool)) error {
	parent := l.coresParent()
	if parent == "" {
		return nil
	}
	entries, err := os.ReadDir(parent)
	if errors.Is(err, os.ErrNotExist) {
		return nil // no task has been started yet
	}
	if err != nil {
		return err
	}
	every := ""
	if l.Version == 1 { // there it must not be empty
		b, err := os.ReadFile(filepath.Join(parent, "cpuset.cpus"))
		if err != nil {
			return err
		}
		every = strings.TrimSpace(string(b))
	}
	var all error
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		cores, ok := coresOf(e.Name())
		if !ok {
			continue
		}
		if cores == "" {
			cores = every
		}
		// An empty write would not reach the kernel; a line of nothing does.
		err := write(filepath.Join(parent, e.Name()), "cpuset.cpus", cores+"\n")
		if !errors.Is(err, os.ErrNotExist) && !errors.Is(err, unix.ENODEV) {
			all = errors.Join(all, err)
		}
	}
	return all
}

// coresParent is the directory of the tasks' groups where cores are given out.
func (l *Layout) coresParent() string {
	switch {
	case !l.Has("cpuset"):
		return ""
	case l.Version == 2:
		return l.Parents[Unified]
	}
	return l.Parents["cpuset"]
}
