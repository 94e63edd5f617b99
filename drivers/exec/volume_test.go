package exec_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/drivers"
)

// What the host mounts later in a volume reaches tasks that ask for it, and only those; what a task has never reaches the host.
func TestPropagation(t *testing.T) {
	d := driver(t, nil)
	for mode, want := range map[string]string{"host-to-task": "late", "bidirectional": "late", "private": "early"} {
		host, late := t.TempDir(), t.TempDir()
		_ = os.Chmod(host, 0o777)
		mount := func(source, target, kind string, flags uintptr) {
			t.Helper()
			if err := unix.Mount(source, target, kind, flags, ""); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = unix.Unmount(target, unix.MNT_DETACH) })
		}
		mount(host, host, "", unix.MS_BIND)
		if err := unix.Mount("", host, "", unix.MS_SHARED, ""); err != nil {
			t.Fatal(err)
		}
		for dir, text := range map[string]string{filepath.Join(host, "sub"): "early\n", late: "late\n"} {
			_ = os.Mkdir(dir, 0o755)
			_ = os.Chmod(dir, 0o755)
			if err := os.WriteFile(filepath.Join(dir, "f"), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		r := newRun(t, d, "echo ready; while [ ! -e /data/go ]; do sleep 0.02; done; cat /data/sub/f; echo end")
		r.task.Mounts = []drivers.Mount{{HostPath: host, TaskPath: "/data", Propagation: mode}}
		var out transcript
		r.start(&out)
		eventually(t, "the task to run", func() bool { return strings.Contains(out.String(), "ready") })
		mount(late, filepath.Join(host, "sub"), "", unix.MS_BIND)
		if err := os.WriteFile(filepath.Join(host, "go"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		eventually(t, "its end", func() bool { return strings.Contains(out.String(), "end") })
		if got := out.String(); got != "ready\n"+want+"\nend\n" {
			t.Errorf("%s: %q, want %s", mode, got, want)
		}
		if err := unix.Unmount(filepath.Join(host, "sub"), unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
		if table, _ := os.ReadFile("/proc/self/mountinfo"); strings.Contains(string(table), r.task.AllocDir) {
			t.Errorf("%s: the container's mounts have reached the host", mode)
		}
	}
}

// A task opens the device nodes that it was given and no others.
func TestDevices(t *testing.T) {
	d := driver(t, nil)
	dir := t.TempDir()
	given, other := filepath.Join(dir, "given"), filepath.Join(dir, "other")
	for path, minor := range map[string]uint32{given: 7, other: 11} { // full and kmsg
		if err := unix.Mknod(path, unix.S_IFCHR|0o666, int(unix.Mkdev(1, minor))); err != nil {
			t.Skipf("not here: %v", err)
		}
		_ = os.Chmod(path, 0o666)
	}
	r := newRun(t, d, "test -c /dev/given && echo there; test -e /dev/other || echo missing; head -c 1 /dev/given | wc -c")
	r.task.Devices = []drivers.Device{{HostPath: given, TaskPath: "/dev/given", Permissions: "rw"}}
	r.finish()
	r.expect("there", "missing", "1")
}

// transcript collects output that is looked at meanwhile.
type transcript struct {
	mu  sync.Mutex
	all strings.Builder
}

func (o *transcript) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all.Write(p)
}

func (o *transcript) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all.String()
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
	}
}
