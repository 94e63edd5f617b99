package cgroup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Group is one task's group: its directories by controller. It can be written as JSON.
type Group struct {
	Paths map[string]string
}

// Limits of a group. Zero values leave the limit as it is.
type Limits struct {
	// CPUShares is the relative weight in MHz, as v1's cpu.shares.
	CPUShares int64
	// MemoryBytes is the hard limit, of memory and swap together where swap is counted; MemoryLowBytes is what is taken last when memory is
	// short.
	MemoryBytes    int64
	MemoryLowBytes int64
	PIDs           int64
	Cpuset         string
}

// maxName is the longest name of a group: the kernel's limit for a file name leaves room for more.
const maxName = 200

// Name makes a task ID into the name of a group: no slashes, no dot in front, at most 200 bytes. A longer one ends in a hash of the ID.
func Name(taskID string) string {
	name := strings.Map(func(r rune) rune {
		if r == '/' || r < ' ' || r > '~' {
			return '_'
		}
		return r
	}, taskID)
	if name == "" || name[0] == '.' {
		name = "_" + name
	}
	if strings.HasPrefix(name, "cgroup.") {
		name = "_" + name
	}
	if len(name) > maxName {
		sum := sha256.Sum256([]byte(taskID))
		name = name[:maxName-17] + "-" + hex.EncodeToString(sum[:8])
	}
	return name
}

// Create makes the group of that name with the given v1 controllers (all that there are when none are given) and the v2 hierarchy. One that is
// there from an earlier, killed start is taken over.
func (l *Layout) Create(name string, controllers ...string) (Group, error) {
	keys := slices.Collect(maps.Keys(l.Parents))
	if len(controllers) > 0 {
		keys = slices.DeleteFunc(keys, func(k string) bool { return k != Unified && !slices.Contains(controllers, k) })
	}
	if err := l.prepare(keys); err != nil {
		return Group{}, err
	}
	g := Group{Paths: map[string]string{}}
	for _, key := range keys {
		dir := filepath.Join(l.Parents[key], name)
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			_ = g.Remove(context.Background())
			return Group{}, fmt.Errorf("control group %s: %w", dir, err)
		}
		g.Paths[key] = dir
		if key == "cpuset" {
			if err := inheritCpuset(dir); err != nil {
				_ = g.Remove(context.Background())
				return Group{}, err
			}
		}
	}
	return g, nil
}

// Lookup is the group of that name in every hierarchy that has it.
func (l *Layout) Lookup(name string) (Group, bool) {
	g := Group{Paths: map[string]string{}}
	for key, parent := range l.Parents {
		if st, err := os.Stat(filepath.Join(parent, name)); err == nil && st.IsDir() {
			g.Paths[key] = filepath.Join(parent, name)
		}
	}
	return g, len(g.Paths) > 0
}

// Set sets the limits, leaving out those whose controller is missing. What is tried and fails is reported in one error.
func (l *Layout) Set(g Group, lim Limits) error {
	if l.Version == 2 {
		return l.setUnified(g, lim)
	}
	var errs []error
	set := func(key, name, value string, wanted bool) {
		if dir, ok := g.Paths[key]; ok && wanted {
			errs = append(errs, write(dir, name, value))
		}
	}
	set("cpu", "cpu.shares", strconv.FormatInt(max(lim.CPUShares, 2), 10), lim.CPUShares > 0)
	set("memory", "memory.limit_in_bytes", strconv.FormatInt(lim.MemoryBytes, 10), lim.MemoryBytes > 0)
	if _, err := os.Stat(filepath.Join(g.Paths["memory"], "memory.memsw.limit_in_bytes")); err == nil {
		set("memory", "memory.memsw.limit_in_bytes", strconv.FormatInt(lim.MemoryBytes, 10), lim.MemoryBytes > 0)
	}
	set("memory", "memory.soft_limit_in_bytes", strconv.FormatInt(lim.MemoryLowBytes, 10), lim.MemoryLowBytes > 0)
	set("pids", "pids.max", strconv.FormatInt(lim.PIDs, 10), lim.PIDs > 0)
	set("cpuset", "cpuset.cpus", lim.Cpuset, lim.Cpuset != "")
	return errors.Join(errs...)
}

func (l *Layout) setUnified(g Group, lim Limits) error {
	dir, ok := g.Paths[Unified]
	if !ok {
		return nil
	}
	var errs []error
	set := func(controller, name, value string, wanted bool) {
		if wanted && l.Has(controller) {
			errs = append(errs, write(dir, name, value))
		}
	}
	set("cpu", "cpu.weight", strconv.FormatInt(Weight(lim.CPUShares), 10), lim.CPUShares > 0)
	set("memory", "memory.max", strconv.FormatInt(lim.MemoryBytes, 10), lim.MemoryBytes > 0)
	if _, err := os.Stat(filepath.Join(dir, "memory.swap.max")); err == nil {
		set("memory", "memory.swap.max", "0", lim.MemoryBytes > 0)
	}
	set("memory", "memory.low", strconv.FormatInt(lim.MemoryLowBytes, 10), lim.MemoryLowBytes > 0)
	set("pids", "pids.max", strconv.FormatInt(lim.PIDs, 10), lim.PIDs > 0)
	set("cpuset", "cpuset.cpus", lim.Cpuset, lim.Cpuset != "")
	return errors.Join(errs...)
}

// Weight turns v1 shares (2–262144) into a v2 weight (1–10000) linearly, as the OCI runtimes do.
func Weight(shares int64) int64 {
	shares = min(max(shares, 2), 262144)
	return 1 + (shares-2)*9999/262142
}

// Start runs f, which must fork exactly one process by the given v2 directory (a file descriptor for clone3, or -1 when there is none), so that
// the process is born inside the group: the thread that forks enters the v1 groups for that moment.
func (l *Layout) Start(g Group, f func(unified int) error) error {
	unified := -1
	if dir, ok := g.Paths[Unified]; ok {
		fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("control group %s: %w", dir, err)
		}
		defer unix.Close(fd)
		unified = fd
	}
	runtime.LockOSThread()
	home, err := l.enter(g)
	if err == nil {
		err = f(unified)
	}
	// A thread that cannot go back stays locked, and ends with the calling goroutine.
	if back(home) == nil {
		runtime.UnlockOSThread()
	}
	return err
}

// enter moves the calling thread into the v1 groups and returns the directories to go back to.
func (l *Layout) enter(g Group) (home []string, err error) {
	for key, dir := range g.Paths {
		if key == Unified {
			continue
		}
		at, err := l.home(key)
		if err != nil {
			return home, err
		}
		home = append(home, at)
		// "0" is the calling thread; moving it alone takes no lock of the whole machine.
		if err := write(dir, "tasks", "0"); err != nil {
			return home, err
		}
	}
	return home, nil
}

// home is the v1 directory that this process is in.
func (l *Layout) home(key string) (string, error) {
	if parent, ok := l.Parents[key]; ok {
		return filepath.Dir(parent), nil
	}
	h, err := hierarchy(key)
	return h.own, err
}

func back(home []string) error {
	var errs []error
	for _, dir := range home {
		errs = append(errs, write(dir, "tasks", "0"))
	}
	return errors.Join(errs...)
}

// Processes lists what is in the group and the groups below it.
func (g Group) Processes() []int {
	var out []int
	for _, dir := range g.Paths {
		_ = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err != nil || !d.IsDir() {
				return nil
			}
			for _, word := range readWords(filepath.Join(path, "cgroup.procs")) {
				if pid, err := strconv.Atoi(word); err == nil && pid > 0 {
					out = append(out, pid)
				}
			}
			return nil
		})
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Kill ends everything in the group, fork bombs included, and returns when it is empty or ctx ends.
func (g Group) Kill(ctx context.Context) error {
	for wait := time.Millisecond; ; wait = min(2*wait, 100*time.Millisecond) {
		g.killOnce()
		left := g.alive()
		if len(left) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("processes %v do not end after SIGKILL: %w", clip(left), ctx.Err())
		case <-time.After(wait):
		}
	}
}

// killOnce kills by cgroup.kill, which no process escapes; where the kernel does not have it, the group is frozen so that nothing forks while
// its processes are killed one by one.
func (g Group) killOnce() {
	if dir, ok := g.Paths[Unified]; ok && write(dir, "cgroup.kill", "1") == nil && len(g.Paths) == 1 {
		return
	}
	frozen := g.freeze(true)
	for _, pid := range g.Processes() {
		_ = unix.Kill(pid, unix.SIGKILL)
	}
	if frozen {
		g.freeze(false)
	}
}

func (g Group) freeze(on bool) bool {
	if dir, ok := g.Paths["freezer"]; ok {
		state := "THAWED"
		if on {
			state = "FROZEN"
		}
		return write(dir, "freezer.state", state) == nil
	}
	if dir, ok := g.Paths[Unified]; ok {
		return write(dir, "cgroup.freeze", map[bool]string{true: "1", false: "0"}[on]) == nil
	}
	return false
}

// alive lists the processes of the group that have not ended; v1 also lists those that only wait to be reaped.
func (g Group) alive() []int {
	return slices.DeleteFunc(g.Processes(), func(pid int) bool {
		b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil {
			return true
		}
		_, rest, ok := strings.Cut(string(b[max(0, strings.LastIndexByte(string(b), ')')):]), " ")
		return ok && (strings.HasPrefix(rest, "Z") || strings.HasPrefix(rest, "X"))
	})
}

// Remove removes the group, which must be empty, and those below it. Its absence is no error.
func (g Group) Remove(ctx context.Context) error {
	var errs []error
	for _, dir := range g.Paths {
		errs = append(errs, remove(ctx, dir))
	}
	return errors.Join(errs...)
}

func remove(ctx context.Context, dir string) error {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if e.IsDir() {
			if err := remove(ctx, filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	// A process that has just been reaped keeps the group busy for a moment.
	for wait := time.Millisecond; ; wait *= 2 {
		err := unix.Rmdir(dir)
		if err == nil || errors.Is(err, unix.ENOENT) {
			return nil
		}
		if !errors.Is(err, unix.EBUSY) || wait > 500*time.Millisecond {
			return fmt.Errorf("control group %s: remove: %w", dir, err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("control group %s: remove: %w", dir, err)
		case <-time.After(wait):
		}
	}
}

func clip(pids []int) []int { return pids[:min(len(pids), 10)] }

// RemoveEmpty removes the groups of tasks whose name match says, unless they are in use.
func (l *Layout) RemoveEmpty(match func(name string) bool) {
	for _, parent := range l.Parents {
		entries, err := os.ReadDir(parent)
		if err != nil {
			continue
		}
		for _, e := range entries {
			if e.IsDir() && match(e.Name()) {
				_ = remove(context.Background(), filepath.Join(parent, e.Name()))
			}
		}
	}
}

// RemoveAbandoned removes groups of tasks that have been empty and older than age: what starts that nobody finished have left. A group in use is
// never removed, for the kernel does not let go of it.
func (l *Layout) RemoveAbandoned(age time.Duration) {
	for _, parent := range l.Parents {
		entries, err := os.ReadDir(parent)
		if err != nil {
			continue
		}
		for _, e := range entries {
			if st, err := e.Info(); err == nil && e.IsDir() && time.Since(st.ModTime()) > age {
				_ = unix.Rmdir(filepath.Join(parent, e.Name()))
			}
		}
	}
}
