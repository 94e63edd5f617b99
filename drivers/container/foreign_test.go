package container

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/container/image"
)

// watcher tells which files are opened and executed, and by whom.
type watcher struct {
	t  *testing.T
	fd int
}

func newWatcher(t *testing.T) *watcher {
	t.Helper()
	fd, err := unix.FanotifyInit(unix.FAN_CLASS_NOTIF|unix.FAN_CLOEXEC|unix.FAN_NONBLOCK|unix.FAN_UNLIMITED_QUEUE, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_LARGEFILE)
	if err != nil {
		t.Skip("not here: no fanotify: " + err.Error())
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	return &watcher{t: t, fd: fd}
}

// watch adds a file, or with unix.FAN_MARK_FILESYSTEM the whole file system that it lies on.
func (w *watcher) watch(path string, how uint) {
	w.t.Helper()
	if err := unix.FanotifyMark(w.fd, unix.FAN_MARK_ADD|how, unix.FAN_OPEN|unix.FAN_OPEN_EXEC, unix.AT_FDCWD, path); err != nil {
		w.t.Skipf("not here: watching %s: %v", path, err)
	}
}

// seen are the paths so far that processes outside of containers have opened or executed, each as "open PATH" or "exec PATH".
func (w *watcher) seen() (out []string) {
	w.t.Helper()
	own, err := os.Readlink("/proc/self/ns/mnt")
	if err != nil {
		w.t.Fatal(err)
	}
	buf := make([]byte, 64<<10)
	for {
		n, err := unix.Read(w.fd, buf)
		if err != nil || n <= 0 {
			return out
		}
		for at := buf[:n]; len(at) >= unix.FAN_EVENT_METADATA_LEN; {
			var m unix.FanotifyEventMetadata
			if err := binary.Read(bytes.NewReader(at), binary.NativeEndian, &m); err != nil {
				w.t.Fatal(err)
			}
			path, _ := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", m.Fd))
			_ = unix.Close(int(m.Fd))
			// Whoever is gone by now ran inside, or was too short to be seen: the drivers' own work is done by this process.
			if ns, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/mnt", m.Pid)); err == nil && ns == own {
				what := "open "
				if m.Mask&unix.FAN_OPEN_EXEC != 0 {
					what = "exec "
				}
				out = append(out, what+path)
			}
			at = at[m.Event_len:]
		}
	}
}

// TestEscapeNothingOfAContainerRuns: programs and libraries that an image brings under the names of those that others have run for it (CVE-2019-14271) are
// opened by nobody outside: not at its start, not for its users, not for commands, not at its end. What is read there is the list of its users.
func TestEscapeNothingOfAContainerRuns(t *testing.T) {
	w := newWorld(t, nil)
	watch := newWatcher(t)
	files := map[string]string{}
	for _, name := range []string{"bin/xz", "bin/unpigz", "bin/gzip", "bin/tar", "bin/mount", "sbin/iptables", "usr/bin/newuidmap", "lib/libnss_files.so.2", "lib/x86_64-linux-gnu/libnss_files.so.2",
		"lib64/ld-linux-x86-64.so.2", "etc/ld.so.preload", "etc/nsswitch.conf", "usr/lib/locale/locale-archive", "usr/share/zoneinfo/UTC", "etc/localtime"} {
		files[name] = "#!/bin/sh\ntouch /made-by-the-host\n"
	}
	evil := layer(t, files)
	w.image("helpful", image.Config{Env: []string{"PATH=/bin"}, User: "web:logs", Cmd: []string{"sh", "-c", "echo ready; sleep 600"}}, w.root, evil)
	for name := range files {
		watch.watch(filepath.Join(evil, name), 0)
	}
	// That the watcher sees: a look of this test's.
	if _, err := os.ReadFile(filepath.Join(evil, "bin/xz")); err != nil {
		t.Fatal(err)
	}
	if seen := watch.seen(); len(seen) != 1 || !strings.HasPrefix(seen[0], "open ") {
		t.Fatalf("the watcher sees %q", seen)
	}
	r := w.run(map[string]any{"image": "helpful"}).start()
	r.until("ready")
	st, err := r.d.Inspect(t.Context(), r.task.ID)
	if err != nil {
		t.Fatal(err)
	}
	watch.watch("/proc/"+st.Attributes["pid"]+"/root", unix.FAN_MARK_FILESYSTEM) // from now on all that is opened in it
	for _, tty := range []bool{false, true} {
		var out output
		if _, err := r.d.Exec(t.Context(), r.task.ID, drivers.ExecRequest{Command: []string{"sh", "-c", "echo done"}, TTY: tty, Stdout: &out}); err != nil || !strings.Contains(out.String(), "done") {
			t.Errorf("%v %s", err, out.String())
		}
	}
	if err := r.d.Stop(t.Context(), r.task.ID, time.Second, "SIGKILL"); err != nil {
		t.Error(err)
	}
	r.wait()
	for _, what := range watch.seen() {
		if path, isOpen := strings.CutPrefix(what, "open "); isOpen && (strings.HasSuffix(path, "/etc/passwd") || strings.HasSuffix(path, "/etc/group")) {
			continue
		}
		t.Errorf("a process of the node did: %s", what)
	}
	for _, dir := range []string{evil, w.root, "/"} {
		if _, err := os.Lstat(filepath.Join(dir, "made-by-the-host")); err == nil {
			t.Errorf("the image's program ran on the node: %s", dir)
		}
	}
}
