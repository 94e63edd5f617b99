package cgroup

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// SetCores gives the cores ("0-3,7"; empty for all that there are) to those of
// the tasks' groups that match says by their name. It is no error when one ends
// meanwhile; without the controller nothing is done.
func (l *Layout) SetCores(cores string, match func(name string) bool) error {
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
	if cores == "" && l.Version == 1 { // there it must not be empty
		b, err := os.ReadFile(filepath.Join(parent, "cpuset.cpus"))
		if err != nil {
			return err
		}
		cores = strings.TrimSpace(string(b))
	}
	var all error
	for _, e := range entries {
		if !e.IsDir() || !match(e.Name()) {
			continue
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
