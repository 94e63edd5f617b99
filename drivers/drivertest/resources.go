package drivertest

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/internal/cgroup"
)

// testCores: a task with cores of its own runs on these and no others.
func testCores(t *testing.T, s Subject) {
	if l, err := cgroup.Find(); err != nil || os.Geteuid() != 0 || !l.Has("cpuset") || runtime.NumCPU() < 2 {
		t.Skip("not here: it takes root, the cpuset control group and two cores")
	}
	d := s.New(t)
	for _, cores := range []string{"0", "1"} {
		j := newJob(t, s, s.Script("grep Cpus_allowed_list /proc/self/status"))
		j.Resources.Cpuset = cores
		start(t, d, j)
		wait(t, d, j.ID)
		eventually(t, "the cores", func() bool { return len(j.output()) > 0 })
		if got := strings.Fields(j.output()[0]); len(got) != 2 || got[1] != cores {
			t.Errorf("cores %v, want %s", got, cores)
		}
	}
}

// testMounts: volumes appear where they are asked for, read-only ones take nothing, also not in what is mounted beneath them, and links in the
// task's directory lead no mount out of it.
func testMounts(t *testing.T, s Subject) {
	d := s.New(t)
	if !d.Info().Abilities.Mounts {
		t.Skip("this driver mounts nothing")
	}
	host, beneath, outside := openDir(t), openDir(t), openDir(t)
	if err := os.Mkdir(filepath.Join(host, "sub"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(beneath, filepath.Join(host, "sub"), "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(filepath.Join(host, "sub"), unix.MNT_DETACH) })
	_ = os.Chmod(filepath.Join(host, "sub"), 0o777)
	j := newJob(t, s, s.Script(`
echo data >/rw/file && cat /ro/file
touch /ro/no 2>/dev/null && echo wrote /ro; touch /ro/sub/no 2>/dev/null && echo wrote /ro/sub
echo in >/local/link/mounted/file; echo end`))
	if err := os.Symlink(outside, filepath.Join(j.TaskDir().Local, "link")); err != nil {
		t.Fatal(err)
	}
	j.Mounts = []drivers.Mount{
		{HostPath: host, TaskPath: "/rw"}, {HostPath: host, TaskPath: "/ro", Readonly: true},
		{HostPath: beneath, TaskPath: "/local/link/mounted"},
	}
	start(t, d, j)
	wait(t, d, j.ID)
	eventually(t, "the end", func() bool { return slices.Contains(j.output(), "end") })
	if got := strings.Join(j.output(), ","); got != "data,end" {
		t.Errorf("output %q", got)
	}
	if b, _ := os.ReadFile(filepath.Join(host, "file")); string(b) != "data\n" {
		t.Errorf("the volume holds %q", b)
	}
	if list, _ := os.ReadDir(outside); len(list) != 0 {
		t.Errorf("a mount was led out of the task's directory: %v", list)
	}
}

// testPropagation: what the host mounts later in a volume reaches tasks that ask for it, and only those; what a task has never reaches the host.
func testPropagation(t *testing.T, s Subject) {
	d := s.New(t)
	if !d.Info().Abilities.Mounts || os.Geteuid() != 0 {
		t.Skip("this driver mounts nothing")
	}
	for mode, want := range map[string]string{"host-to-task": "late", "bidirectional": "late", "private": "early", "": "early"} {
		host, late := openDir(t), openDir(t)
		sub := filepath.Join(host, "sub")
		mountHere(t, host, host)
		if err := unix.Mount("", host, "", unix.MS_SHARED, ""); err != nil {
			t.Fatal(err)
		}
		for dir, text := range map[string]string{sub: "early\n", late: "late\n"} {
			_ = os.Mkdir(dir, 0o755)
			_ = os.Chmod(dir, 0o755)
			if err := os.WriteFile(filepath.Join(dir, "f"), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		j := newJob(t, s, s.Script("echo ready; while [ ! -e /data/go ]; do sleep 0.02; done; cat /data/sub/f; echo end"))
		j.Mounts = []drivers.Mount{{HostPath: host, TaskPath: "/data", Propagation: mode}}
		start(t, d, j)
		eventually(t, "the task to run", func() bool { return slices.Contains(j.output(), "ready") })
		mountHere(t, late, sub)
		if err := os.WriteFile(filepath.Join(host, "go"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		eventually(t, "its end", func() bool { return slices.Contains(j.output(), "end") })
		if got := strings.Join(j.output(), " "); got != "ready "+want+" end" {
			t.Errorf("%q: %q, want %s", mode, got, want)
		}
		if err := unix.Unmount(sub, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
		if table, _ := os.ReadFile("/proc/self/mountinfo"); strings.Contains(string(table), j.AllocDir) {
			t.Errorf("%q: the task's mounts have reached the host", mode)
		}
	}
}

// mountHere mounts a directory at another one until the test ends.
func mountHere(t *testing.T, source, target string) {
	t.Helper()
	if err := unix.Mount(source, target, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(target, unix.MNT_DETACH) })
}

// openDir is a directory that tasks of any user can reach and write to.
func openDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for p := dir; p != "/tmp" && p != "/"; p = filepath.Dir(p) {
		_ = os.Chmod(p, 0o777)
	}
	return dir
}
