package rig

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Process is a process that belongs to an agent.
type Process struct {
	PID     int
	Command string
	Kind    string // agent, host (of a driver) or task
}

// Processes lists all that belongs to the agent: what has its mark or its
// directory in the environment, is in a cgroup of one of its allocations, or has
// its root or working directory beneath the agent's.
func (a *Agent) Processes() []Process {
	var all []Process
	a.remember()
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		if p, ok := a.process(pid); ok {
			all = append(all, p)
		}
	}
	return all
}

func (a *Agent) process(pid int) (Process, bool) {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	env, _ := os.ReadFile(filepath.Join(dir, "environ"))
	group, _ := os.ReadFile(filepath.Join(dir, "cgroup"))
	root, _ := os.Readlink(filepath.Join(dir, "root"))
	cwd, _ := os.Readlink(filepath.Join(dir, "cwd"))
	cmdline, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
	// A driver host has an environment of its own, in which the agent's directory is.
	marked := bytes.Contains(env, []byte("SERAI_E2E_MARK="+a.Mark+"\x00")) || bytes.Contains(env, []byte("="+a.Dir+"/"))
	if !marked && !a.owns(string(group)) && !within(root, a.Dir) && !within(cwd, a.Dir) {
		return Process{}, false
	}
	if len(cmdline) == 0 { // a zombie, or gone
		return Process{}, false
	}
	args := strings.Split(strings.TrimRight(string(cmdline), "\x00"), "\x00")
	p := Process{PID: pid, Command: strings.Join(args, " "), Kind: "task"}
	if filepath.Base(args[0]) == filepath.Base(a.opts.Binary) && len(args) > 1 {
		switch args[1] {
		case "agent":
			p.Kind = "agent"
		case "driver-host":
			p.Kind = "host"
		}
	}
	return p, true
}

func within(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

// Hosts gives the driver host processes of the agent, of one driver or (empty) of all.
func (a *Agent) Hosts(driver string) []Process {
	return slices.DeleteFunc(a.Processes(), func(p Process) bool {
		return p.Kind != "host" || driver != "" && !strings.Contains(p.Command+" ", "driver-host "+driver+" ")
	})
}

// Mounts lists mount points beneath the agent's directory.
func (a *Agent) Mounts() []string {
	var out []string
	info, _ := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(info)) {
		fields := strings.Fields(line)
		if len(fields) > 4 && within(fields[4], a.Dir) && fields[4] != a.Dir {
			out = append(out, fields[4])
		}
	}
	return out
}

// remember learns which allocations the agent has, while it answers. Those of
// other agents, which it knows too, do not count.
func (a *Agent) remember() {
	if a.cmd == nil || closed(a.Done()) || a.opts.NoClient {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var self struct {
		Stats struct {
			Client struct {
				NodeID string `json:"node_id"`
			}
		}
	}
	text, err := a.get(ctx, "/v1/agent/self")
	if err != nil || json.Unmarshal(text, &self) != nil {
		return
	}
	text, err = a.get(ctx, "/v1/node/"+self.Stats.Client.NodeID+"/allocations")
	var list []struct{ ID string }
	if err != nil || json.Unmarshal(text, &list) != nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, alloc := range list {
		a.allocs[alloc.ID] = true
	}
}

// owns says whether a path of cgroups holds one of an allocation of the agent:
// the name of such a group begins with the allocation's ID.
func (a *Agent) owns(path string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, rest := range strings.Split(path, "/serai/")[1:] {
		if len(rest) >= 36 && a.allocs[rest[:36]] {
			return true
		}
	}
	return false
}

// Cgroups lists the cgroups of the agent's tasks in every hierarchy.
func (a *Agent) Cgroups() []string {
	var out []string
	a.remember()
	for _, root := range hierarchies() {
		entries, _ := os.ReadDir(filepath.Join(root, "serai"))
		for _, e := range entries {
			if dir := filepath.Join(root, "serai", e.Name()); e.IsDir() && a.owns(dir) {
				out = append(out, dir)
			}
		}
	}
	return out
}

// hierarchies gives the places where an agent may have made its cgroup parent:
// each cgroup mount, and there the group of this process, for agents that
// start from their own group.
func hierarchies() []string {
	var out []string
	own, _ := os.ReadFile("/proc/self/cgroup")
	info, _ := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(info)) {
		before, after, ok := strings.Cut(line, " - ")
		fields := strings.Fields(before)
		if !ok || len(fields) < 5 || !strings.HasPrefix(after, "cgroup") {
			continue
		}
		out = append(out, fields[4])
		for group := range strings.Lines(string(own)) {
			if parts := strings.SplitN(strings.TrimSpace(group), ":", 3); len(parts) == 3 && parts[2] != "/" {
				out = append(out, filepath.Join(fields[4], parts[2]))
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Leftovers tells, in words, what of the agent is still there. Its directory is
// not looked at.
func (a *Agent) Leftovers() []string {
	var out []string
	for _, p := range a.Processes() {
		out = append(out, fmt.Sprintf("process %d (%s): %s", p.PID, p.Kind, p.Command))
	}
	for _, m := range a.Mounts() {
		out = append(out, "mount "+m)
	}
	for _, c := range a.Cgroups() {
		out = append(out, "cgroup "+c)
	}
	return out
}

// Destroy ends and removes all that is left of the agent, whatever state it is
// in. It tells what it could not remove.
func (a *Agent) Destroy() error {
	defer release(a.held)
	a.remember()
	if a.cmd != nil && !closed(a.Done()) {
		a.Kill()
	}
	deadline := time.Now().Add(10 * time.Second)
	for procs := a.Processes(); len(procs) > 0; procs = a.Processes() {
		if time.Now().After(deadline) {
			return fmt.Errorf("processes of %s do not end: %v", a.Mark, procs)
		}
		for _, p := range procs {
			syscall.Kill(p.PID, syscall.SIGKILL)
		}
		a.thaw()
	}
	mounts := a.Mounts()
	slices.Reverse(mounts)
	for _, m := range mounts {
		syscall.Unmount(m, syscall.MNT_DETACH)
	}
	for _, c := range a.Cgroups() {
		for os.Remove(c) != nil && time.Now().Before(deadline) {
			if _, err := os.Stat(c); err != nil {
				break
			}
		}
	}
	if left := a.Leftovers(); len(left) > 0 {
		return fmt.Errorf("%s leaves: %s", a.Mark, strings.Join(left, "; "))
	}
	if a.ownDir {
		return os.RemoveAll(a.Dir)
	}
	return nil
}

// thaw lets frozen groups run again, so that a kill can take effect.
func (a *Agent) thaw() {
	for _, c := range a.Cgroups() {
		os.WriteFile(filepath.Join(c, "freezer.state"), []byte("THAWED"), 0)
		os.WriteFile(filepath.Join(c, "cgroup.freeze"), []byte("0"), 0)
	}
}

// Settle waits until nothing of the agent is left, at most for limit, and gives
// what is left then.
func Settle(a *Agent, limit time.Duration) []string {
	deadline := time.After(limit)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		left := a.Leftovers()
		if len(left) == 0 {
			return nil
		}
		select {
		case <-deadline:
			return left
		case <-tick.C:
		}
	}
}
