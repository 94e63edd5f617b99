package cgroup

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Usage is what a group has used. Fields whose controller is missing are 0 and not listed as measured.
type Usage struct {
	// CPU times since the group was made.
	CPU, User, System time.Duration
	ThrottledPeriods  uint64
	ThrottledTime     time.Duration
	HasCPU            bool

	// Memory in bytes.
	Memory, MemoryMax, RSS, Cache, Swap, Kernel uint64
	HasMemory, HasMemoryMax, HasKernel          bool
}

// Usage measures the group.
func (g Group) Usage() Usage {
	var u Usage
	if dir, ok := g.Paths[Unified]; ok {
		u.readUnified(dir)
	}
	if dir, ok := g.Paths["cpuacct"]; ok {
		u.CPU, u.HasCPU = number[time.Duration](dir, "cpuacct.usage")
		u.User, _ = number[time.Duration](dir, "cpuacct.usage_user")
		u.System, _ = number[time.Duration](dir, "cpuacct.usage_sys")
	}
	if dir, ok := g.Paths["cpu"]; ok {
		stat := table(dir, "cpu.stat")
		u.ThrottledPeriods, u.ThrottledTime = stat["nr_throttled"], time.Duration(stat["throttled_time"])
	}
	if dir, ok := g.Paths["memory"]; ok {
		u.readMemory(dir)
	}
	return u
}

func (u *Usage) readUnified(dir string) {
	stat := table(dir, "cpu.stat")
	if usec, ok := stat["usage_usec"]; ok {
		u.HasCPU = true
		u.CPU = time.Duration(usec) * time.Microsecond
		u.User = time.Duration(stat["user_usec"]) * time.Microsecond
		u.System = time.Duration(stat["system_usec"]) * time.Microsecond
		u.ThrottledPeriods, u.ThrottledTime = stat["nr_throttled"], time.Duration(stat["throttled_usec"])*time.Microsecond
	}
	if u.Memory, u.HasMemory = number[uint64](dir, "memory.current"); !u.HasMemory {
		return
	}
	u.MemoryMax, u.HasMemoryMax = number[uint64](dir, "memory.peak")
	u.Swap, _ = number[uint64](dir, "memory.swap.current")
	mem := table(dir, "memory.stat")
	u.RSS, u.Cache, u.Kernel = mem["anon"], mem["file"], mem["kernel"]
	_, u.HasKernel = mem["kernel"]
}

func (u *Usage) readMemory(dir string) {
	u.Memory, u.HasMemory = number[uint64](dir, "memory.usage_in_bytes")
	u.MemoryMax, u.HasMemoryMax = number[uint64](dir, "memory.max_usage_in_bytes")
	u.Kernel, u.HasKernel = number[uint64](dir, "memory.kmem.usage_in_bytes")
	mem := table(dir, "memory.stat")
	u.RSS, u.Cache, u.Swap = mem["rss"], mem["cache"], mem["swap"]
}

// OOMKills is how many processes of the group the kernel has killed for want of memory.
func (g Group) OOMKills() uint64 {
	if dir, ok := g.Paths["memory"]; ok {
		return table(dir, "memory.oom_control")["oom_kill"]
	}
	if dir, ok := g.Paths[Unified]; ok {
		return table(dir, "memory.events")["oom_kill"]
	}
	return 0
}

// Forks is how many processes and threads the group may have, and how often the kernel has refused it another one; zeros where that is not known.
func (g Group) Forks() (limit, refused uint64) {
	dir, ok := g.Paths["pids"]
	if !ok {
		if dir, ok = g.Paths[Unified]; !ok {
			return 0, 0
		}
	}
	limit, _ = number[uint64](dir, "pids.max")
	return limit, table(dir, "pids.events")["max"]
}

func number[T ~uint64 | ~int64](dir, name string) (T, bool) {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
	return T(n), err == nil
}

// table reads a file of "name number" lines.
func table(dir, name string) map[string]uint64 {
	out := map[string]uint64{}
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return out
	}
	for sc := bufio.NewScanner(bytes.NewReader(b)); sc.Scan(); {
		k, v, _ := strings.Cut(sc.Text(), " ")
		if n, err := strconv.ParseUint(strings.TrimSpace(v), 10, 64); err == nil {
			out[k] = n
		}
	}
	return out
}
