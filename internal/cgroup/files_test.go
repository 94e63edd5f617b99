package cgroup

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// tree makes a directory of files, as a hierarchy of the kernel's would be.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func content(t *testing.T, dir string) string {
	t.Helper()
	var out []string
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, e.Name()+"="+string(b))
	}
	return strings.Join(out, " ")
}

var limits = Limits{CPUShares: 1024, MemoryBytes: 64 << 20, MemoryLowBytes: 32 << 20, PIDs: 50, Cpuset: "0-1"}

func TestSetUnified(t *testing.T) {
	dir := tree(t, map[string]string{"cpu.weight": "", "memory.max": "", "memory.low": "", "memory.swap.max": "", "pids.max": "", "cpuset.cpus": ""})
	l := &Layout{Version: 2, Controllers: []string{"cpu", "memory", "pids", "cpuset"}}
	if err := l.Set(Group{Paths: map[string]string{Unified: dir}}, limits); err != nil {
		t.Fatal(err)
	}
	want := "cpu.weight=39 cpuset.cpus=0-1 memory.low=33554432 memory.max=67108864 memory.swap.max=0 pids.max=50"
	if got := content(t, dir); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	// A controller that is missing is left out; so is a limit that is not asked for.
	l.Controllers = nil
	if err := l.Set(Group{Paths: map[string]string{Unified: t.TempDir()}}, limits); err != nil {
		t.Error(err)
	}
	l.Controllers = []string{"memory"}
	if err := l.Set(Group{Paths: map[string]string{Unified: t.TempDir()}}, Limits{}); err != nil {
		t.Error(err)
	}
	if err := l.Set(Group{Paths: map[string]string{Unified: t.TempDir()}}, limits); err == nil {
		t.Error("a limit that could not be set was not reported")
	}
}

func TestSetV1(t *testing.T) {
	cpu := tree(t, map[string]string{"cpu.shares": ""})
	memory := tree(t, map[string]string{"memory.limit_in_bytes": "", "memory.soft_limit_in_bytes": "", "memory.memsw.limit_in_bytes": ""})
	l := &Layout{Version: 1}
	if err := l.Set(Group{Paths: map[string]string{"cpu": cpu, "memory": memory}}, limits); err != nil {
		t.Fatal(err)
	}
	if got := content(t, cpu) + " " + content(t, memory); got != "cpu.shares=1024 memory.limit_in_bytes=67108864 memory.memsw.limit_in_bytes=67108864 memory.soft_limit_in_bytes=33554432" {
		t.Error(got)
	}
}

func TestUsage(t *testing.T) {
	unified := tree(t, map[string]string{
		"cpu.stat":       "usage_usec 3000\nuser_usec 2000\nsystem_usec 1000\nnr_periods 9\nnr_throttled 4\nthrottled_usec 7\n",
		"memory.current": "100\n", "memory.peak": "200\n", "memory.swap.current": "5\n", "memory.stat": "anon 60\nfile 30\nkernel 10\n", "memory.events": "low 0\noom 1\noom_kill 2\n",
	})
	g := Group{Paths: map[string]string{Unified: unified}}
	want := Usage{CPU: 3 * time.Millisecond, User: 2 * time.Millisecond, System: time.Millisecond, ThrottledPeriods: 4, ThrottledTime: 7 * time.Microsecond, HasCPU: true,
		Memory: 100, MemoryMax: 200, RSS: 60, Cache: 30, Swap: 5, Kernel: 10, HasMemory: true, HasMemoryMax: true, HasKernel: true}
	if got := g.Usage(); got != want || g.OOMKills() != 2 {
		t.Errorf("%+v, %d kills", got, g.OOMKills())
	}
	v1 := Group{Paths: map[string]string{
		"cpuacct": tree(t, map[string]string{"cpuacct.usage": "3000000\n", "cpuacct.usage_user": "2000000\n", "cpuacct.usage_sys": "1000000\n"}),
		"cpu":     tree(t, map[string]string{"cpu.stat": "nr_periods 9\nnr_throttled 4\nthrottled_time 7000\n"}),
		"memory": tree(t, map[string]string{"memory.usage_in_bytes": "100\n", "memory.max_usage_in_bytes": "200\n", "memory.kmem.usage_in_bytes": "10\n",
			"memory.stat": "cache 30\nrss 60\nswap 5\n", "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"}),
	}}
	if got := v1.Usage(); got != want || v1.OOMKills() != 2 {
		t.Errorf("%+v, %d kills", got, v1.OOMKills())
	}
	for name, g := range map[string]Group{
		"v1": {Paths: map[string]string{"pids": tree(t, map[string]string{"pids.max": "50\n", "pids.events": "max 3\n"})}},
		"v2": {Paths: map[string]string{Unified: tree(t, map[string]string{"pids.max": "50\n", "pids.events": "max 3\n"})}},
	} {
		if limit, refused := g.Forks(); limit != 50 || refused != 3 {
			t.Errorf("%s: limit %d, refused %d", name, limit, refused)
		}
	}
	if limit, refused := (Group{}).Forks(); limit != 0 || refused != 0 {
		t.Errorf("limit %d, refused %d of no group", limit, refused)
	}
	if got := (Group{}).Usage(); got != (Usage{}) {
		t.Errorf("%+v", got)
	}
}
