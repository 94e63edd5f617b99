package cgroup

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func layout(t *testing.T) *Layout {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("not here: control groups need root")
	}
	l, err := Find()
	if err != nil {
		t.Fatal(err)
	}
	if l.Version == 0 {
		t.Skip("not here: no control groups are mounted")
	}
	return l
}

// A process is born in its group, takes its children with it, and all of them end by one Kill.
func TestStartKill(t *testing.T) {
	l := layout(t)
	t.Logf("version %d, controllers %v", l.Version, l.Controllers)
	g, err := l.Create(Name("test/" + t.Name()))
	if err != nil {
		t.Skipf("not here: %v", err)
	}
	t.Cleanup(func() {
		_ = g.Kill(context.Background())
		if err := g.Remove(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if err := l.Set(g, Limits{CPUShares: 512, MemoryBytes: 64 << 20, PIDs: 50}); err != nil {
		t.Error(err)
	}
	cmd := exec.Command("/bin/sh", "-c", "for i in 1 2 3; do setsid sh -c 'trap \"\" TERM; sleep 60 & wait' & done; wait")
	err = l.Start(g, func(unified int) error {
		cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: unified >= 0, CgroupFD: unified}
		return cmd.Start()
	})
	if err != nil {
		t.Fatal(err)
	}
	for key, dir := range g.Paths {
		if !strings.Contains(strings.Join(readWords(filepath.Join(dir, "cgroup.procs")), " "), "") || len(readWords(filepath.Join(dir, "cgroup.procs"))) == 0 {
			t.Errorf("%q: the process is not in %s", key, dir)
		}
	}
	deadline := time.Now().Add(time.Minute) // an emulated machine takes its time
	for len(g.Processes()) < 7 && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	if n := len(g.Processes()); n != 7 {
		t.Errorf("%d processes, want 7", n)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := g.Kill(ctx); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait()
	own, _ := os.ReadFile("/proc/thread-self/cgroup")
	if strings.Contains(string(own), "/"+Parent+"/") {
		t.Errorf("this thread stayed behind in the group:\n%s", own)
	}
}

func TestName(t *testing.T) {
	for in, want := range map[string]string{"a/b c": "a_b c", "../x": "_.._x", "": "_", "cgroup.procs": "_cgroup.procs", "é": "_"} {
		if got := Name(in); got != want {
			t.Errorf("Name(%q) = %q, want %q", in, got, want)
		}
	}
	long := strings.Repeat("x", 300)
	if a, b := Name(long+"a"), Name(long+"b"); len(a) != 200 || a == b {
		t.Errorf("%q %q", a, b)
	}
}

func TestParse(t *testing.T) {
	mounts := parseMounts([]byte(`31 26 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
33 26 0:29 /docker/x /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
`), func(string, string) bool { return true })
	if mounts["cpuacct"].point != "/sys/fs/cgroup/cpu,cpuacct" || mounts["cpu"].root != "/docker/x" || mounts[Unified].root != "/" {
		t.Errorf("%+v", mounts)
	}
	own := parseOwn([]byte("4:memory:/a/b\n2:cpu,cpuacct:/c\n0::/u\n"))
	if own["memory"] != "/a/b" || own["cpuacct"] != "/c" || own[Unified] != "/u" {
		t.Errorf("%+v", own)
	}
	if w := Weight(1024); w != 39 {
		t.Errorf("weight %d", w)
	}
}

func TestRemoveAbandoned(t *testing.T) {
	l := layout(t)
	g, err := l.Create(Name("test/" + t.Name()))
	if err != nil {
		t.Skipf("not here: %v", err)
	}
	t.Cleanup(func() { _ = g.Remove(context.Background()) })
	l.RemoveAbandoned(time.Hour)
	if again, there := l.Lookup(Name("test/" + t.Name())); !there || len(again.Paths) != len(g.Paths) {
		t.Errorf("a young group was removed: %v", again.Paths)
	}
	only := &Layout{Version: l.Version, Parents: map[string]string{}}
	for key, parent := range l.Parents { // not what others use on this machine
		only.Parents[key] = filepath.Join(parent, Name("test/"+t.Name()))
		if err := os.Mkdir(filepath.Join(only.Parents[key], "old"), 0o755); err != nil {
			t.Skipf("not here: %v", err)
		}
	}
	only.RemoveAbandoned(-time.Second)
	if left, there := only.Lookup("old"); there {
		t.Errorf("left: %v", left.Paths)
	}
}
