package cgroup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Override names existing groups, made by the operator, below which a task's group is to be made instead of the usual place. Paths are those
// below the root of the hierarchy.
type Override struct {
	// V1 are paths by controller, also such as no task is otherwise limited by.
	V1 map[string]string
	// V2 is the path in the v2 hierarchy.
	V2 string
}

// Empty is whether nothing is overridden.
func (o Override) Empty() bool { return len(o.V1) == 0 && o.V2 == "" }

// paths are all of them by key.
func (o Override) paths() map[string]string {
	out := map[string]string{}
	for key, path := range o.V1 {
		out[key] = path
	}
	if o.V2 != "" {
		out[Unified] = o.V2
	}
	return out
}

// Replace makes groups of that name below those that o names, and returns g with them in the place of its own, which are removed. The limits
// that were set on those are gone with them. When it fails, g is as it was.
func (l *Layout) Replace(g Group, name string, o Override) (Group, error) {
	out := Group{Paths: map[string]string{}}
	for key, dir := range g.Paths {
		out.Paths[key] = dir
	}
	made := Group{Paths: map[string]string{}}
	for key, path := range o.paths() {
		dir, err := below(key, path, name)
		if err != nil {
			_ = made.Remove(context.Background())
			return g, err
		}
		made.Paths[key] = dir
	}
	for key, dir := range made.Paths {
		for other, old := range g.Paths { // controllers that are mounted together have one group
			if other == key || other != Unified && key != Unified && l.Mounts[other] == l.Mounts[key] && l.Mounts[key] != "" {
				_ = unix.Rmdir(old)
				out.Paths[other] = dir
			}
		}
		out.Paths[key] = dir
	}
	return out, nil
}

// hierarchyAt is one mounted hierarchy and the directory in it that this thread is in.
type hierarchyAt struct{ root, own string }

func hierarchy(key string) (hierarchyAt, error) {
	mountinfo, err := os.ReadFile("/proc/thread-self/mountinfo")
	if err != nil {
		return hierarchyAt{}, fmt.Errorf("control groups: %w", err)
	}
	self, err := os.ReadFile("/proc/thread-self/cgroup")
	if err != nil {
		return hierarchyAt{}, fmt.Errorf("control groups: %w", err)
	}
	m, ok := parseHierarchies(mountinfo, isHierarchy, []string{key})[key]
	path, in := parseOwn(self)[key]
	if !ok || !in {
		if key == Unified {
			return hierarchyAt{}, errors.New("control groups of version 2 are not mounted on this node")
		}
		return hierarchyAt{}, fmt.Errorf("the control group %q of version 1 is not mounted on this node", key)
	}
	return hierarchyAt{root: m.point, own: m.dirOf(path)}, nil
}

// below makes the group of that name in an existing one.
func below(key, path, name string) (string, error) {
	h, err := hierarchy(key)
	if err != nil {
		return "", err
	}
	path = strings.TrimPrefix(path, h.root) // written in full
	if !filepath.IsLocal(strings.TrimPrefix(path, "/")) {
		return "", fmt.Errorf("control group %q: write its path below %s, without ..", path, h.root)
	}
	parent := filepath.Join(h.root, path)
	if st, err := os.Stat(parent); err != nil || !st.IsDir() {
		return "", fmt.Errorf("control group %s does not exist: make it before the task starts", parent)
	}
	dir := filepath.Join(parent, name)
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return "", fmt.Errorf("control group %s: %w", dir, err)
	}
	if key == "cpuset" {
		if err := inheritCpuset(dir); err != nil {
			_ = unix.Rmdir(dir)
			return "", err
		}
	}
	return dir, nil
}
