package container

import (
	"crypto/sha256"
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

// sentinel is a directory of the host that no container may reach.
func sentinel(t *testing.T) string {
	t.Helper()
	dir := layer(t, map[string]string{"secret": "of the host\n"})
	t.Cleanup(func() {
		entries, _ := os.ReadDir(dir)
		text, err := os.ReadFile(filepath.Join(dir, "secret"))
		if err != nil || len(entries) != 1 || string(text) != "of the host\n" {
			t.Errorf("the host was changed: %v, %q %v", entries, text, err)
		}
	})
	return dir
}

// Links in an image lead nowhere outside of it, whatever is mounted on them or read through them.
func TestEscapeLinks(t *testing.T) {
	w := newWorld(t, nil)
	host := sentinel(t)
	up := "../../../../../../../../.."
	for name, files := range map[string]map[string]string{
		"mount points":   {"alloc": "-> " + up + host, "local": "-> " + host, "secrets": "-> " + host + "/secret", "etc/hosts": "-> " + host + "/secret", "etc/resolv.conf": "-> " + host + "/made"},
		"etc":            {"etc2/x": "", "alloc": "-> /proc/self/cwd", "local": "-> /proc/1/root" + host},
		"dev":            {"dev": "-> " + host},
		"proc":           {"proc": "-> " + host},
		"sys":            {"sys": "-> " + host},
		"dev null":       {"dev/null": "-> " + host + "/secret", "dev/ptmx": "-> " + host, "dev/pts": "-> " + host, "dev/shm": "-> " + host},
		"null of a kind": {"dev/null": "text"},
		"cgroup":         {"sys/fs/cgroup": "-> " + host},
	} {
		w.image("hostile", image.Config{Env: []string{"PATH=/bin"}}, w.root, layer(t, files))
		r := w.run(map[string]any{"image": "hostile", "command": "sh", "args": []any{"-c",
			"echo x >/alloc/made; echo x >/local/made; echo x >/dev/made; cat " + host + "/secret; echo x >/etc/hosts; cat /proc/kcore | head -c 1 | wc -c; echo end"}})
		if err := r.try(); err != nil {
			t.Logf("%s: refused: %v", name, err)
			continue
		}
		r.wait()
		if out := r.out.String(); !strings.Contains(out, "end") || strings.Contains(out, "of the host") || strings.Contains(out, "1\nend") {
			t.Errorf("%s: %s", name, out)
		}
	}
}

// The files that say who users are are read in the image and nowhere else, and no file there is taken that is none.
func TestEscapeUserFiles(t *testing.T) {
	w := newWorld(t, nil)
	host := layer(t, map[string]string{"passwd": "web:x:0:0::/:\n"})
	fifo := layer(t, nil)
	if err := os.Mkdir(filepath.Join(fifo, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(filepath.Join(fifo, "etc/passwd"), 0o644); err != nil {
		t.Fatal(err)
	}
	huge := layer(t, map[string]string{"etc/passwd": "x"})
	if err := os.Truncate(filepath.Join(huge, "etc/passwd"), 1<<30); err != nil {
		t.Fatal(err)
	}
	for name, dir := range map[string]string{
		"link":     layer(t, map[string]string{"etc/passwd": "-> " + host + "/passwd"}),
		"dots":     layer(t, map[string]string{"etc/passwd": "-> ../../../../../../../../" + host + "/passwd"}),
		"magic":    layer(t, map[string]string{"etc/passwd": "-> /proc/self/root" + host + "/passwd"}),
		"loop":     layer(t, map[string]string{"etc/passwd": "-> passwd"}),
		"fifo":     fifo,
		"huge":     huge,
		"overflow": layer(t, map[string]string{"etc/passwd": "web:x:4294967296:0::/:\nweb:x:-1:0::/:\nweb:x:00:0::/:\n"}),
	} {
		w.image("users", image.Config{User: "web", Cmd: []string{"id"}}, w.root, dir)
		r := w.run(map[string]any{"image": "users", "command": "id"})
		if err := r.try(); err == nil {
			r.wait()
			t.Errorf("%s: it ran: %s", name, r.out.String())
		}
	}
	for _, user := range []string{"4294967296", "-1", "2147483648", " 0", "0 ", "00", "+0", "٠", "web\n", "web:-1", "web:none", "0x0"} {
		r := w.run(map[string]any{"command": "id"})
		r.task.User = user
		if err := r.try(); err == nil {
			t.Errorf("user %q ran", user)
		}
	}
}

// A working directory is one of the container's, never an open file of whoever starts it.
func TestEscapeWorkDir(t *testing.T) {
	w := newWorld(t, nil)
	links := map[string]string{}
	for n := 3; n < 10; n++ {
		links[fmt.Sprintf("fd%d", n)] = fmt.Sprintf("-> /proc/self/fd/%d", n)
	}
	dir := layer(t, links)
	for n := 3; n < 10; n++ {
		w.image("dir", image.Config{WorkingDir: fmt.Sprintf("/proc/self/fd/%d", n)}, w.root)
		w.run(map[string]any{"image": "dir", "command": "pwd"}).refused("work_dir")
		w.image("dir", image.Config{WorkingDir: fmt.Sprintf("/fd%d", n)}, w.root, dir)
		r := w.run(map[string]any{"image": "dir", "command": "sh", "args": []any{"-c", "pwd; readlink /proc/self/cwd; ls ../../../.."}})
		if err := r.try(); err == nil {
			r.wait()
			if out := r.out.String(); strings.Contains(out, "unreachable") || strings.Contains(out, "lost+found") || strings.Contains(out, "boot") {
				t.Errorf("fd %d: %s", n, out)
			}
		}
	}
}

// What a container of root can see and do of the kernel's.
func TestEscapeKernel(t *testing.T) {
	w := newWorld(t, nil)
	devices := layer(t, nil)
	if err := unix.Mknod(filepath.Join(devices, "disk"), unix.S_IFBLK|0o666, int(unix.Mkdev(253, 0))); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mknod(filepath.Join(devices, "kmem"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 1))); err != nil {
		t.Fatal(err)
	}
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	host := sentinel(t)
	w.image("hostile", image.Config{Env: []string{"PATH=/bin"}}, w.root, devices)
	r := w.run(map[string]any{"image": "hostile", "command": "sh", "args": []any{"-c", `
can() { if "$@" >/dev/null 2>&1; then echo "CAN $*"; fi; }
can head -c 1 /disk; can head -c 1 /kmem; mknod /k c 1 1 && can head -c 1 /k; mknod /tmp/d b 253 0 && can head -c 1 /tmp/d
for f in /proc/kcore /proc/keys /proc/timer_list /proc/sched_debug /proc/latency_stats; do [ "$(head -c 1 $f 2>/dev/null | wc -c)" = 0 ] || echo "CAN read $f"; done
[ -z "$(ls /sys/firmware 2>/dev/null)" ] || echo "CAN list firmware"
can sh -c 'echo h >/proc/sysrq-trigger'; can sh -c 'echo x >/proc/sys/kernel/core_pattern'; can sh -c 'echo 1 >/proc/sys/vm/drop_caches'
can sh -c 'echo 1 >/sys/kernel/mm/ksm/run'; for f in /sys/fs/cgroup/*/release_agent /sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/*/tasks; do can sh -c "echo 0 >$f"; done
can mount -t tmpfs x /tmp; can mount -t proc x /tmp; can mount -o remount,rw /proc/sys; can umount /proc/sys; can unshare -U true; can unshare -m true
can dmesg; can chroot /proc/1/root cat ` + host + `/secret; can cat /proc/1/root` + host + `/secret
echo procs $(ls /proc | grep -c '^[0-9]'); cp /bin/busybox /tmp/su; chmod 4755 /tmp/su; grep -E '^(CapEff|NoNewPrivs|Seccomp:)' /proc/self/status
/local/probe; echo end`}})
	if err := os.WriteFile(filepath.Join(r.task.TaskDir().Local, "probe"), self, 0o755); err != nil {
		t.Fatal(err)
	}
	r.task.Env["PATH"] = "/bin"
	// The probe is dynamically linked, unless it is built statically.
	r.task.Config["mount"] = libraries()
	w.d.settings.Volumes.Enabled = true
	r.expect("end\n", "CapEff:\t00000000a80405fb", "NoNewPrivs:\t1", "Seccomp:\t2", "alg=address family not supported", "vsock=address family not supported",
		"io_uring=operation not permitted", "bpf=operation not permitted", "keyctl=operation not permitted", "userfaultfd=operation not permitted",
		"unshare=operation not permitted", "mount=operation not permitted", "open_by_handle_at=operation not permitted")
	out := r.out.String()
	if strings.Contains(out, "CAN ") {
		t.Errorf("it can:\n%s", out)
	}
	for line := range strings.Lines(out) {
		if fd, target, ok := strings.Cut(strings.TrimSpace(line), " -> "); ok && fd != "fd 0" && fd != "fd 1" && fd != "fd 2" &&
			!strings.HasPrefix(target, "/proc/") && !strings.HasPrefix(target, "/sys/fs/cgroup/") && !strings.HasPrefix(target, "anon_inode:") {
			t.Errorf("an open file came along: %s", line)
		}
	}
}

// libraries are the directories that a program of the host's needs.
func libraries() []any {
	var out []any
	for _, dir := range []string{"/lib", "/lib64", "/usr/lib"} {
		if real, err := filepath.EvalSymlinks(dir); err == nil {
			out = append(out, map[string]any{"type": "bind", "source": real, "target": dir, "readonly": true})
		}
	}
	return out
}

// A program with the right to change its user gains nothing by it.
func TestEscapeSetuid(t *testing.T) {
	w := newWorld(t, nil)
	dir := layer(t, map[string]string{})
	b, err := os.ReadFile(filepath.Join(w.root, "bin/busybox"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "id"), b, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "id"), 0o755|os.ModeSetuid); err != nil {
		t.Fatal(err)
	}
	w.image("setuid", image.Config{User: "web"}, w.root, dir)
	r := w.run(map[string]any{"image": "setuid", "command": "sh", "args": []any{"-c", "/id; grep CapEff /proc/self/status"}})
	r.expect("uid=1000(web)", "CapEff:\t0000000000000000")
	if strings.Contains(r.out.String(), "euid=0") {
		t.Errorf("%s", r.out.String())
	}
}

// Sources that a task can write lead to nothing else by links, also when they change while a container starts.
func TestEscapeSources(t *testing.T) {
	w := newWorld(t, nil)
	host := sentinel(t)
	for _, source := range []string{"local/link", "local/link/", "local/dir/link", "local/link/../dir"} {
		r := w.run(map[string]any{"command": "ls", "args": []any{"/h"}, "volumes": []any{source + ":/h"}})
		_ = os.MkdirAll(filepath.Join(r.task.TaskDir().Local, "dir"), 0o777)
		_ = os.Symlink(host, filepath.Join(r.task.TaskDir().Local, "link"))
		_ = os.Symlink("../../../../../../.."+host, filepath.Join(r.task.TaskDir().Local, "dir/link"))
		if err := r.try(); err == nil {
			r.wait()
			if strings.Contains(r.out.String(), "secret") {
				t.Errorf("%s: %s", source, r.out.String())
			}
		}
	}
	stop, swapped := make(chan struct{}), make(chan struct{})
	r := w.run(map[string]any{"command": "true"})
	local := r.task.TaskDir().Local
	go func() {
		defer close(swapped)
		for a, b := filepath.Join(local, "vol"), filepath.Join(local, "evil"); ; {
			select {
			case <-stop:
				return
			default:
			}
			_ = os.Mkdir(a, 0o777)
			_ = os.Remove(b)
			_ = os.Symlink(host, b)
			_ = unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
		}
	}()
	for range 8 {
		one := w.run(map[string]any{"command": "sh", "args": []any{"-c", "ls /h /local/vol; echo x >/local/vol/made; echo x >/h/made"},
			"volumes": []any{"local/vol:/h"}, "mount": []any{map[string]any{"type": "tmpfs", "target": "/local/vol/deep"}}})
		one.task.AllocDir = r.task.AllocDir // its pipe is its own
		if err := one.try(); err == nil {
			one.wait()
			if strings.Contains(one.out.String(), "secret") {
				t.Errorf("%s", one.out.String())
			}
		}
	}
	close(stop)
	<-swapped
}

// What layers say to overlayfs is not believed.
func TestEscapeOverlay(t *testing.T) {
	w := newWorld(t, nil)
	low, up := layer(t, map[string]string{"private/file": "hidden\n", "shown/": ""}), layer(t, map[string]string{"shown/": "", "data": ""})
	if err := unix.Setxattr(filepath.Join(up, "shown"), "trusted.overlay.redirect", []byte("/private"), 0); err != nil {
		t.Skip("not here: " + err.Error())
	}
	_ = unix.Setxattr(filepath.Join(up, "data"), "trusted.overlay.metacopy", nil, 0)
	_ = unix.Setxattr(filepath.Join(up, "data"), "trusted.overlay.redirect", []byte("/private/file"), 0)
	w.image("overlay", image.Config{Env: []string{"PATH=/bin"}}, w.root, low, up)
	r := w.run(map[string]any{"image": "overlay", "command": "sh", "args": []any{"-c", "cat /shown/file /data; echo end"}})
	if err := r.try(); err != nil {
		return
	}
	r.wait()
	if out := r.out.String(); strings.Contains(out, "hidden") {
		t.Errorf("%s", out)
	}
}

// A shell that is our own binary gets no hold of it: CVE-2019-5736.
func TestEscapeOwnBinary(t *testing.T) {
	w := newWorld(t, nil)
	sum := func() string {
		b, err := os.ReadFile("/proc/self/exe")
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%x", sha256.Sum256(b))
	}
	before := sum()
	r := w.script("printf '#!/proc/self/exe\\n' >/bin/evil; chmod 755 /bin/evil; echo ready; while :; do for p in /proc/[0-9]*; do echo x >>$p/exe; done 2>/dev/null; sleep 0.01; done").start()
	r.until("ready")
	for range 10 {
		var out output
		_, _ = r.d.Exec(t.Context(), r.task.ID, drivers.ExecRequest{Command: []string{"/bin/evil"}, Stdout: &out, Stderr: &out})
	}
	if sum() != before {
		t.Error("the binary has changed")
	}
}

// What forks without end is ended, and what fills the memory too.
func TestEscapeForkBomb(t *testing.T) {
	w := newWorld(t, map[string]any{"pids_limit": 60})
	r := w.script("bomb() { bomb | bomb & }; echo ready; bomb; sleep 60").start()
	r.until("ready")
	began := time.Now()
	if err := r.d.Stop(t.Context(), r.task.ID, 100*time.Millisecond, "SIGTERM"); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v to end", took)
	}
}
