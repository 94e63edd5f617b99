package exec_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/drivers"
)

// sentinel is a directory of the host that no task may reach.
func sentinel(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for p := dir; p != "/tmp" && p != "/"; p = filepath.Dir(p) {
		_ = os.Chmod(p, 0o777)
	}
	if err := os.WriteFile(filepath.Join(dir, "secret"), []byte("of the host\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		entries, _ := os.ReadDir(dir)
		text, err := os.ReadFile(filepath.Join(dir, "secret"))
		mounts, _ := os.ReadFile("/proc/self/mountinfo")
		if err != nil || len(entries) != 1 || string(text) != "of the host\n" || strings.Contains(string(mounts), dir) {
			t.Errorf("the host was changed: %v, %q %v", entries, text, err)
		}
	})
	return dir
}

// withoutCAN fails for every line by which a probe says that something worked.
func (r *run) withoutCAN() {
	r.t.Helper()
	if !strings.Contains(r.out, "end") {
		r.t.Errorf("the probe did not come to its end:\n%s", r.out)
	}
	for line := range strings.Lines(r.out) {
		if strings.HasPrefix(line, "CAN ") {
			r.t.Errorf("as %q: it %s", r.task.User, line)
		}
	}
}

// A task of root, and one of nobody, against the kernel's files, devices, mounts and control groups.
func TestEscapeKernel(t *testing.T) {
	d := driver(t, nil)
	host := sentinel(t)
	for _, who := range []string{"", "root"} {
		r := newRun(t, d, `
can() { if "$@" >/dev/null 2>&1; then echo "CAN $*"; fi; }
for n in "c 1 1" "b 8 0" "b 253 0" "c 10 229" "c 5 1"; do mknod "/tmp/d$$" $n 2>/dev/null && can head -c 1 "/tmp/d$$"; rm -f "/tmp/d$$"; done
for f in /proc/kcore /proc/keys /proc/timer_list /proc/sched_debug /proc/latency_stats /dev/mem /dev/kmsg; do [ "$(head -c 1 $f 2>/dev/null | wc -c)" = 0 ] || echo "CAN read $f"; done
[ -z "$(ls /sys/firmware 2>/dev/null)" ] || echo "CAN list firmware"
can sh -c 'echo h >/proc/sysrq-trigger'; can sh -c 'echo x >/proc/sys/kernel/core_pattern'; can sh -c 'echo x >/proc/sys/kernel/modprobe'
can sh -c 'echo 1 >/proc/sys/vm/drop_caches'; can sh -c 'echo 1 >/sys/kernel/mm/ksm/run'; can sh -c 'echo x >/sys/kernel/uevent_helper'
for f in /sys/fs/cgroup/*/release_agent /sys/fs/cgroup/release_agent /sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/*/tasks; do can sh -c "echo 0 >$f"; done
mkdir -p /tmp/m; can mount -t cgroup -o memory x /tmp/m; can mount -t cgroup2 x /tmp/m; can mount -t tmpfs x /tmp/m; can mount -t proc x /tmp/m
can mount --bind /proc /tmp/m; can mount -o remount,rw /proc/sys; can mount -o remount,rw /usr; can umount /proc/sys; can umount -l /usr
can unshare -U true; can unshare -m true; can unshare -Urm mount -t cgroup -o memory x /tmp/m; can nsenter -t 1 -m ls /root; can dmesg
can chroot /proc/1/root cat `+host+`/secret; can cat /proc/1/root`+host+`/secret; can cat `+host+`/secret; can ls /proc/1/root/var/lib
can chroot /proc/1/cwd cat `+host+`/secret; can cat /proc/self/cwd/../../..`+host+`/secret
can touch /usr/x; can touch /bin/x; can touch /etc/passwd; can sh -c 'echo x >>/etc/passwd'; can cat /etc/shadow
can python3 -c 'import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)'; can python3 -c 'import socket; socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)'
can sh -c 'echo -1000 >/proc/self/oom_score_adj'; can nice -n -5 true; can date -s 2001-01-01; can hostname evil
echo end`)
		r.task.User = who
		r.finish()
		// Only these are of no danger: a nice that fails runs its command all the same.
		r.out = strings.ReplaceAll(r.out, "CAN nice -n -5 true\n", "")
		r.withoutCAN()
	}
}

// A file with the right to change its user gains nothing by it, wherever it comes from.
func TestEscapeSetuid(t *testing.T) {
	d := driver(t, nil)
	r := newRun(t, d, `for f in /local/id /alloc/id; do $f -u; done; cp /usr/bin/id /tmp/id && chmod 4755 /tmp/id && /tmp/id -u
su -c id root </dev/null 2>&1 | grep uid=0 && echo CAN su; grep -E '^(Cap|NoNew)' /proc/self/status; echo end`)
	text, err := os.ReadFile("/usr/bin/id")
	if err != nil {
		t.Skip("not here: no /usr/bin/id")
	}
	for _, dir := range []string{r.task.TaskDir().Local, r.task.TaskDir().Alloc} {
		file := filepath.Join(dir, "id")
		if err := os.WriteFile(file, text, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, 0o755|os.ModeSetuid|os.ModeSetgid); err != nil {
			t.Fatal(err)
		}
	}
	r.finish()
	r.expect("65534\n65534\n65534\n", "NoNewPrivs:\t1", "CapEff:\t0000000000000000")
	r.withoutCAN()
}

// Files that the driver had open, and links to them, are no way out: CVE-2024-21626.
func TestEscapeFiles(t *testing.T) {
	d := driver(t, nil)
	host := sentinel(t)
	for n := 3; n < 65; n++ {
		r := newRun(t, d, "true")
		r.task.Config["work_dir"] = fmt.Sprintf("/proc/self/fd/%d", n)
		if _, err := d.Start(t.Context(), r.task); err == nil {
			t.Errorf("started in file %d", n)
			_ = d.Destroy(context.Background(), r.task.ID, true)
		}
	}
	for n := 3; n < 10; n++ {
		for _, target := range []string{"/proc/self/fd/%d", "/proc/self/fd/%d/../..", "/proc/1/fd/%d"} {
			r := newRun(t, d, `echo "at $(pwd -P)"; cat ../../../../../../../../../..`+host+`/secret 2>&1; echo end`)
			if err := os.Symlink(fmt.Sprintf(target, n), filepath.Join(r.task.TaskDir().Local, "link")); err != nil {
				t.Fatal(err)
			}
			r.task.Config["work_dir"] = "/local/link"
			if _, err := r.attempt(); err != nil {
				continue // refused
			}
			if !strings.Contains(r.out, "at /") || strings.Contains(r.out, "unreachable") || strings.Contains(r.out, "of the host") {
				t.Errorf("in a link to %s: %s", fmt.Sprintf(target, n), r.out)
			}
		}
	}
	// Neither the task nor a command beside it has a file of the driver's.
	r := newRun(t, d, "ls -l /proc/self/fd; ls -l /proc/$$/fd; sleep 60")
	var out transcript
	r.start(&out)
	for _, tty := range []bool{false, true} {
		if _, err := d.Exec(t.Context(), r.task.ID, drivers.ExecRequest{Command: []string{"sh", "-c", "ls -l /proc/$$/fd"}, TTY: tty, Stdout: &out}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the lists", func() bool { return strings.Count(out.String(), "total") == 4 })
	for line := range strings.Lines(out.String()) {
		name, target, is := strings.Cut(strings.TrimSpace(line), " -> ")
		fd := name[strings.LastIndexByte(name, ' ')+1:]
		// The shell keeps its terminal as 10; ls has the directory open that it lists.
		if is && fd > "2" && fd != "10" && !strings.HasPrefix(target, "/proc/") {
			t.Errorf("file %s came along: %s", fd, target)
		}
	}
}

// A task's directory that an earlier start has filled with links leads the mounts of the next start nowhere.
func TestEscapePreparedRoot(t *testing.T) {
	d := driver(t, nil)
	host := sentinel(t)
	up := "../../../../../../../../../../../.."
	for _, target := range []string{host, up + host, "/proc/1/root" + host, host + "/secret"} {
		for _, names := range [][]string{{"usr", "bin", "lib", "lib64"}, {"etc"}, {"proc"}, {"sys"}, {"dev"}, {"alloc"}, {"run"}, {"tmp"}, {"local"}} {
			r := newRun(t, d, "cat "+host+"/secret; cat /alloc/secret /local/secret /etc/secret /usr/secret /tmp/secret; touch /alloc/new /local/new /tmp/new; echo end")
			r.task.User = "root"
			root := r.task.TaskDir().Root
			for _, name := range names {
				_ = os.RemoveAll(filepath.Join(root, name))
				if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := r.attempt(); err != nil {
				continue // refused
			}
			if strings.Contains(r.out, "of the host") {
				t.Errorf("%v -> %s: %s", names, target, r.out)
			}
		}
	}
}

// Two tasks share a directory, and one changes a link in it while the other starts with a volume there: CVE-2021-30465.
func TestEscapeMountRace(t *testing.T) {
	d := driver(t, nil)
	host, volume := sentinel(t), t.TempDir()
	if err := os.WriteFile(filepath.Join(volume, "of-the-volume"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for range 12 {
		r := newRun(t, d, "test -e "+host+"/secret && echo CAN see; echo x >/alloc/dir/at/made 2>/dev/null; echo end")
		r.task.User = "root"
		alloc := r.task.TaskDir().Alloc
		if err := os.MkdirAll(filepath.Join(alloc, "dir", "at"), 0o777); err != nil {
			t.Fatal(err)
		}
		r.task.Mounts = []drivers.Mount{{HostPath: volume, TaskPath: "/alloc/dir/at"}}
		stop := make(chan struct{})
		var swapping sync.WaitGroup
		swapping.Go(func() { // as a neighbour would
			dir, link := filepath.Join(alloc, "dir"), filepath.Join(alloc, "link")
			_ = os.Symlink(filepath.Dir(host), link)
			for {
				select {
				case <-stop:
					return
				default:
					_ = unix.Renameat2(unix.AT_FDCWD, dir, unix.AT_FDCWD, link, unix.RENAME_EXCHANGE)
					time.Sleep(10 * time.Microsecond) // leaves the other a core
				}
			}
		})
		_, err := d.Start(t.Context(), r.task)
		if err == nil {
			if _, err := d.Wait(t.Context(), r.task.ID); err != nil {
				t.Error(err)
			}
		}
		close(stop)
		swapping.Wait()
		if err := d.Destroy(context.Background(), r.task.ID, true); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(filepath.Join(filepath.Dir(host), "at")); err == nil {
			t.Fatal("a directory was made on the host")
		}
	}
}

// A program whose interpreter is our own binary gets no hold of it: CVE-2019-5736.
func TestEscapeOwnBinary(t *testing.T) {
	d := driver(t, nil)
	sum := func() string {
		b, err := os.ReadFile("/proc/self/exe")
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%x", sha256.Sum256(b))
	}
	before := sum()
	r := newRun(t, d, `printf '#!/proc/self/exe\n' >/local/evil; chmod 755 /local/evil; echo ready
while :; do for p in /proc/[0-9]*; do echo x >>$p/exe; done 2>/dev/null; sleep 0.01; done`)
	r.task.User = "root"
	var said transcript
	r.start(&said)
	eventually(t, "the task", func() bool { return strings.Contains(said.String(), "ready") })
	for range 20 {
		var out transcript
		_, _ = d.Exec(t.Context(), r.task.ID, drivers.ExecRequest{Command: []string{"/local/evil"}, Stdout: &out, Stderr: &out})
	}
	if sum() != before {
		t.Error("the binary has changed")
	}
}

// A neighbour, of the same user and of another, with process and IPC namespaces of its own and with the host's, finds nothing of a task.
func TestEscapeNeighbour(t *testing.T) {
	d := driver(t, nil)
	victim := newRun(t, d, `echo planted >/secrets/s; echo planted >/tmp/s; echo planted >/dev/shm/s; echo planted >/local/s
chmod 600 /secrets/s /local/s; chmod 700 /secrets /local; exec sleep 600`)
	victim.task.User = "nomad-80901"
	victim.task.Env["SECRET"] = "planted"
	for _, dir := range []string{victim.task.TaskDir().Secrets, victim.task.TaskDir().Local} {
		if err := os.Chown(dir, 80901, 80901); err != nil {
			t.Fatal(err)
		}
	}
	victim.start(io.Discard)
	status, err := d.Inspect(t.Context(), victim.task.ID)
	if err != nil {
		t.Fatal(err)
	}
	pid := status.Attributes["pid"]
	eventually(t, "the victim's secret", func() bool {
		_, err := os.Stat(filepath.Join(victim.task.TaskDir().Local, "s"))
		return err == nil
	})
	if _, err := osexec.LookPath("ipcmk"); err == nil { // something of the host's in shared memory
		out, err := osexec.Command("ipcmk", "-M", "64").Output()
		if err == nil {
			id := strings.TrimSpace(string(out[bytes.LastIndexByte(out, ':')+1:]))
			t.Cleanup(func() { _ = osexec.Command("ipcrm", "-m", id).Run() })
		}
	}
	for _, c := range []struct{ user, pid string }{{"nomad-80901", "private"}, {"nomad-80902", "private"}, {"nomad-80902", "host"}, {"", "host"}} {
		r := newRun(t, d, `
can() { if "$@" >/dev/null 2>&1; then echo "CAN $*"; fi; }
grep -rqs planted /tmp /dev/shm /dev/mqueue /alloc /local /secrets && echo CAN find files
for p in /proc/[0-9]*; do grep -qs planted $p/environ $p/root/secrets/s $p/root/local/s $p/root/tmp/s $p/root/dev/shm/s $p/cwd/local/s && echo CAN read $p; done
[ "`+c.pid+`" = private ] && can kill -0 `+pid+`; [ "`+c.pid+`" = private ] && can test -e /proc/`+pid+`/status; can cat /proc/`+pid+`/mem; can ls /proc/`+pid+`/root/; can ls /proc/`+pid+`/fd/
can kill -9 `+pid+`; can cat `+victim.task.TaskDir().Local+`/s; [ "$(ipcs -m 2>/dev/null | grep -c '^0x')" = 0 ] || echo CAN see shared memory
echo end`)
		r.task.User = c.user
		r.task.Config["pid_mode"] = c.pid
		r.finish()
		r.withoutCAN()
	}
	if st, err := d.Inspect(t.Context(), victim.task.ID); err != nil || st.State != drivers.TaskRunning {
		t.Errorf("the victim did not live: %+v %v", st, err)
	}
}

// Nothing of the agent's environment is in a task's, whatever it is called.
func TestEscapeEnvironment(t *testing.T) {
	for _, name := range []string{"NOMAD_TOKEN", "SERAI_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "VAULT_TOKEN", "CONSUL_HTTP_TOKEN", "GITHUB_TOKEN",
		"GOOGLE_APPLICATION_CREDENTIALS", "AZURE_CLIENT_SECRET", "DOCKER_AUTH_CONFIG", "NPM_TOKEN", "PGPASSWORD", "MYSQL_PWD", "SSH_AUTH_SOCK", "KUBECONFIG",
		"DATABASE_URL", "LD_PRELOAD_X", "HTTP_PROXY_PASSWORD", "my_secret", "HOME_SECRET"} {
		t.Setenv(name, "planted")
	}
	d := driver(t, nil)
	r := newRun(t, d, "env; cat /proc/1/environ; echo end")
	r.finish()
	if !strings.Contains(r.out, "end") || strings.Contains(r.out, "planted") || strings.Contains(r.out, "_LIBCONTAINER") {
		t.Errorf("%s", r.out)
	}
}
