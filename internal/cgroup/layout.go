package cgroup

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Parent is the name of the group that holds those of all tasks.
const Parent = "serai"

// Unified is the key of the v2 hierarchy among the paths of a group; other keys are names of v1 controllers.
const Unified = ""

// wanted are the v1 controllers in use. The freezer is for machines without a v2 hierarchy.
var wanted = []string{"cpu", "cpuacct", "memory", "pids", "cpuset", "freezer"}

// Layout is where groups can be made on this machine.
type Layout struct {
	// Version is 2 when the controllers are on v2, 1 when they are on v1, 0 when there are no groups at all.
	Version int
	// Parents are the directories of the group that holds those of all tasks, by controller.
	Parents map[string]string
	// Mounts are the roots of the hierarchies, by controller.
	Mounts map[string]string
	// Controllers that limit tasks here: those of v1, or those that the v2 parent hands down.
	Controllers []string
}

// Find looks at the machine. It makes nothing: the parent groups come with the first task. It asks for what this thread sees: the first one, for
// which /proc/self stands, may have been left in a container's namespaces or be in a task's group at the moment.
func Find() (*Layout, error) {
	mountinfo, err := os.ReadFile("/proc/thread-self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("control groups: %w", err)
	}
	self, err := os.ReadFile("/proc/thread-self/cgroup")
	if err != nil {
		return nil, fmt.Errorf("control groups: %w", err)
	}
	mounts := parseMounts(mountinfo, isHierarchy)
	own := parseOwn(self)
	l := &Layout{Parents: map[string]string{}, Mounts: map[string]string{}}
	for key, m := range mounts {
		path, ok := own[key]
		if key != Unified && !slices.Contains(wanted, key) || !ok {
			continue
		}
		l.Mounts[key] = m.point
		l.Parents[key] = filepath.Join(m.dirOf(path), Parent)
		if key != Unified {
			l.Controllers = append(l.Controllers, key)
		}
	}
	slices.Sort(l.Controllers)
	switch _, unified := l.Parents[Unified]; {
	case len(l.Controllers) > 0:
		l.Version = 1
	case unified:
		l.Version = 2
		l.findUnified()
	}
	return l, nil
}

// mount is a mounted hierarchy.
type mount struct{ root, point string }

// dirOf is the directory of the group that /proc/self/cgroup calls path.
func (m mount) dirOf(path string) string {
	rel := path
	if m.root != "/" {
		if r, ok := strings.CutPrefix(path, m.root); ok {
			rel = r
		} else {
			rel = "/"
		}
	}
	dir := filepath.Join(m.point, rel)
	if _, err := os.Stat(dir); err != nil {
		return m.point
	}
	return dir
}

// isHierarchy is whether what is at the path now is a hierarchy of that type, and not hidden by another mount.
func isHierarchy(point, fstype string) bool {
	var st unix.Statfs_t
	if unix.Statfs(point, &st) != nil {
		return false
	}
	return fstype == "cgroup2" && st.Type == unix.CGROUP2_SUPER_MAGIC || fstype == "cgroup" && st.Type == unix.CGROUP_SUPER_MAGIC
}

// parseMounts reads mountinfo (proc(5)): … root mountpoint options … - type source superoptions.
func parseMounts(text []byte, there func(point, fstype string) bool) map[string]mount {
	return parseHierarchies(text, there, wanted)
}

// parseHierarchies is parseMounts for these v1 controllers.
func parseHierarchies(text []byte, there func(point, fstype string) bool, wanted []string) map[string]mount {
	out := map[string]mount{}
	for sc := bufio.NewScanner(bytes.NewReader(text)); sc.Scan(); {
		before, after, ok := strings.Cut(sc.Text(), " - ")
		f, g := strings.Fields(before), strings.Fields(after)
		if !ok || len(f) < 5 || len(g) < 3 || !strings.HasPrefix(g[0], "cgroup") || !there(f[4], g[0]) {
			continue
		}
		m := mount{root: f[3], point: f[4]}
		switch g[0] {
		case "cgroup2":
			if _, there := out[Unified]; !there {
				out[Unified] = m
			}
		case "cgroup":
			for opt := range strings.SplitSeq(g[2], ",") {
				if _, there := out[opt]; !there && slices.Contains(wanted, opt) {
					out[opt] = m
				}
			}
		}
	}
	return out
}

// parseOwn reads /proc/thread-self/cgroup: number:controllers:path.
func parseOwn(text []byte) map[string]string {
	out := map[string]string{}
	for sc := bufio.NewScanner(bytes.NewReader(text)); sc.Scan(); {
		parts := strings.SplitN(sc.Text(), ":", 3)
		if len(parts) != 3 {
			continue
		}
		for c := range strings.SplitSeq(parts[1], ",") {
			out[c] = parts[2]
		}
	}
	return out
}

// findUnified chooses the v2 parent: one that is there already with controllers, else the first of own group, its parent and the root that
// can hand controllers down. A group with processes in it cannot, the root excepted.
func (l *Layout) findUnified() {
	own := filepath.Dir(l.Parents[Unified])
	candidates := []string{own, filepath.Dir(own), l.Mounts[Unified]}
	for _, dir := range candidates {
		if !strings.HasPrefix(dir, l.Mounts[Unified]) {
			continue
		}
		if got := handedDown(filepath.Join(dir, Parent)); len(got) > 0 {
			l.Parents[Unified], l.Controllers = filepath.Join(dir, Parent), got
			return
		}
	}
	for _, dir := range candidates {
		if !strings.HasPrefix(dir, l.Mounts[Unified]) {
			continue
		}
		root := dir == l.Mounts[Unified] && realRoot(dir)
		if root || !hasProcesses(dir) {
			l.Parents[Unified] = filepath.Join(dir, Parent)
			l.Controllers = readWords(filepath.Join(dir, "cgroup.controllers"))
			return
		}
	}
}

// realRoot is whether dir is the root of the machine's hierarchy, which has no cgroup.type.
func realRoot(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "cgroup.type"))
	return errors.Is(err, os.ErrNotExist)
}

func hasProcesses(dir string) bool { return len(readWords(filepath.Join(dir, "cgroup.procs"))) > 0 }

func handedDown(dir string) []string { return readWords(filepath.Join(dir, "cgroup.subtree_control")) }

func readWords(path string) []string {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	return strings.Fields(string(b))
}

// Has is whether tasks can be limited by the controller here.
func (l *Layout) Has(controller string) bool {
	if l.Version == 2 && controller == "cpuacct" {
		controller = "cpu"
	}
	return slices.Contains(l.Controllers, controller)
}

// prepare makes the parent groups and lets v2 hand its controllers down.
func (l *Layout) prepare(keys []string) error {
	for _, key := range keys {
		dir, ok := l.Parents[key]
		if !ok {
			continue
		}
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return fmt.Errorf("control group %s: %w", dir, err)
		}
		if key == "cpuset" {
			if err := inheritCpuset(dir); err != nil {
				return err
			}
		}
	}
	if l.Version == 2 {
		dir := l.Parents[Unified]
		for _, d := range []string{filepath.Dir(dir), dir} {
			for _, c := range []string{"cpu", "cpuset", "memory", "pids", "io"} {
				// What cannot be handed down is missing, as a controller that the kernel does not have.
				_ = write(d, "cgroup.subtree_control", "+"+c)
			}
		}
		l.Controllers = handedDown(dir)
	}
	return nil
}

// inheritCpuset copies what a new v1 cpuset group leaves empty and must have before a process can enter.
func inheritCpuset(dir string) error {
	for _, name := range []string{"cpuset.cpus", "cpuset.mems"} {
		if len(readWords(filepath.Join(dir, name))) > 0 {
			continue
		}
		parent, err := os.ReadFile(filepath.Join(filepath.Dir(dir), name))
		if err != nil {
			return fmt.Errorf("control group %s: %w", dir, err)
		}
		if err := write(dir, name, strings.TrimSpace(string(parent))); err != nil {
			return err
		}
	}
	return nil
}

func write(dir, name, text string) error {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("control group: %w", err)
	}
	defer f.Close()
	for {
		_, err = f.WriteString(text)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("control group: set %q: %w", text, err)
	}
	return nil
}
