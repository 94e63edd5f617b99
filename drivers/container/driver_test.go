package container

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/container/image"
	"github.com/seraihq/serai/internal/cgroup"
)

// What an image says holds, unless the job says otherwise.
func TestImageConfig(t *testing.T) {
	w := newWorld(t, nil)
	upper := layer(t, map[string]string{"etc/added": "added\n", "srv/app/": "", "bin/hello": "#!/bin/sh\necho hello $@; pwd; id; env\n"})
	w.image("app", image.Config{Entrypoint: []string{"hello"}, Cmd: []string{"world"}, User: "web", WorkingDir: "/srv/app",
		Env: []string{"PATH=/bin", "A=image", "B=image"}}, w.root, upper)
	r := w.run(map[string]any{"image": "app"})
	r.task.Env["B"] = "job"
	r.expect("hello world\n", "/srv/app\n", "uid=1000(web) gid=1001(web) groups=1002(logs)", "A=image\n", "B=job\n", "HOME=/home/web\n", "NOMAD_ALLOC_DIR=/alloc\n")

	r = w.run(map[string]any{"image": "app", "args": []any{"you"}, "work_dir": "/tmp", "group_add": []any{"7", "root"}})
	r.task.User = "1000:7"
	r.expect("hello you\n", "/tmp\n", "uid=1000(web) gid=7 groups=0(root),7")

	r = w.run(map[string]any{"image": "app", "entrypoint": []any{"cat"}, "args": []any{"/etc/added"}})
	r.expect("added\n")
	r = w.run(map[string]any{"image": "app", "entrypoint": "pwd", "work_dir": "/made/here"})
	r.expect("/made/here\n")
	r = w.run(map[string]any{"image": "app", "entrypoint": []any{"hello"}})
	r.expect("hello\n")
}

func TestRoot(t *testing.T) {
	w := newWorld(t, nil)
	r := w.script(`echo new >/new; echo changed >>/etc/group; rm /bin/wget; cat /new; ls /bin/wget; echo a >/alloc/f; echo b >/local/f; echo c >/secrets/f
		ls /alloc /local /secrets; ls -d /private 2>&1; cat /etc/hostname; hostname; echo $$; ls /sys/fs/cgroup | wc -l`)
	r.expect("new\n", "/bin/wget: No such", "/private: No such", "0a1b2c3d\n0a1b2c3d\n1\n")
	if _, err := os.Stat(filepath.Join(w.root, "new")); err == nil {
		t.Error("the image was written")
	}
	if _, err := os.Stat(filepath.Join(w.root, "bin/wget")); err != nil {
		t.Error("the image was written")
	}
	if b, err := os.ReadFile(filepath.Join(r.task.TaskDir().Alloc, "f")); err != nil || string(b) != "a\n" {
		t.Errorf("%q %v", b, err)
	}
	r = w.run(map[string]any{"command": "sh", "args": []any{"-c", "touch /x /etc/x; touch /local/x /tmp2/x && echo both; df -k /tmp2 | tail -1"}, "readonly_rootfs": true,
		"mount": []any{map[string]any{"type": "tmpfs", "target": "/tmp2", "tmpfs_options": map[string]any{"size": 1 << 20, "mode": 0o700}}}})
	r.expect("touch: /x: Read-only", "touch: /etc/x: Read-only", "both\n", "1024")
}

func TestUserNamespace(t *testing.T) {
	w := newWorld(t, nil)
	r := w.run(map[string]any{"userns_mode": "private", "command": "sh", "args": []any{"-c",
		"id -u; cat /proc/self/uid_map; touch /mine /alloc/mine && stat -c %u:%g /mine /alloc/mine /bin/sh; echo made; exec sleep 60"}})
	r.start()
	r.until("made\n")
	if out := r.out.String(); !strings.HasPrefix(out, "0\n") || !strings.Contains(out, "1073741824") || strings.Count(out, "0:0\n") != 3 {
		t.Errorf("%s", out)
	}
	st, err := r.d.Inspect(t.Context(), r.task.ID)
	if err != nil {
		t.Fatal(err)
	}
	status, _ := os.ReadFile("/proc/" + st.Attributes["pid"] + "/status")
	if !strings.Contains(string(status), "Uid:\t10737") {
		t.Errorf("on the host it is root:\n%s", status)
	}
	var out bytes.Buffer
	res, err := r.d.Exec(t.Context(), r.task.ID, drivers.ExecRequest{Command: []string{"id"}, Stdout: &out})
	if err != nil || res.ExitCode != 0 || !strings.Contains(out.String(), "uid=0(root)") {
		t.Errorf("%+v %v %s", res, err, out.String())
	}
}

func TestLimits(t *testing.T) {
	w := newWorld(t, map[string]any{"pids_limit": 100})
	l, _ := cgroup.Find()
	r := w.run(map[string]any{"command": "tail", "args": []any{"/dev/zero"}})
	r.task.Resources.MemoryMB = 20
	if l.Has("memory") {
		if res := r.finish(); !res.OOMKilled || res.Signal != 9 {
			t.Errorf("%+v", res)
		}
	}
	r = w.run(map[string]any{"command": "sh", "args": []any{"-c", "ulimit -n; ulimit -Hn; ulimit -c; df -k /dev/shm | tail -1; cat /proc/sys/kernel/shmmni /proc/self/oom_score_adj; cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null; cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu.max 2>/dev/null"},
		"ulimit": []any{map[string]any{"nofile": "1024:2048", "core": "0"}}, "shm_size": 2 << 20, "sysctl": map[string]any{"kernel.shmmni": "123"},
		"oom_score_adj": 700, "pids_limit": 50, "cpu_hard_limit": true, "cpu_cfs_period": 50000})
	r.task.Resources.CPUPercent = 0.25
	r.expect("1024\n2048\n0\n", "2048", "\n123\n700\n")
	if l.Has("pids") && !strings.Contains(r.out.String(), "\n50\n") {
		t.Errorf("no limit of processes in:\n%s", r.out.String())
	}
	// This machine's root may not raise limits: more is less.
	r = w.run(map[string]any{"command": "sh", "args": []any{"-c", "ulimit -Hn"}, "ulimit": map[string]any{"nofile": "unlimited"}})
	if res := r.finish(); !res.Successful() {
		t.Errorf("%+v %s", res, r.out.String())
	}
}

func TestNetworkFiles(t *testing.T) {
	w := newWorld(t, nil)
	r := w.run(map[string]any{"command": "sh", "args": []any{"-c", "cat /etc/resolv.conf /etc/hosts; hostname; ip -o addr | wc -l; ls /sys/class/net"}, "hostname": "db.example",
		"network_mode": "none", "dns_servers": []any{"192.0.2.53"}, "dns_search_domains": []any{"a.example"}, "extra_hosts": []any{"other:192.0.2.7", "six:[2001:db8::1]"}})
	r.task.DNS = &drivers.DNS{Servers: []string{"192.0.2.1"}, Options: []string{"ndots:2"}}
	r.expect("nameserver 192.0.2.53\nsearch a.example\noptions ndots:2\n", "192.0.2.7 other\n", "2001:db8::1 six\n", " db.example\n", "\ndb.example\n", "\nlo\n")
	if strings.Contains(r.out.String(), "eth0") {
		t.Errorf("a network:\n%s", r.out.String())
	}
}

func TestVolumes(t *testing.T) {
	w := newWorld(t, map[string]any{"volumes": map[string]any{"enabled": true}})
	host := layer(t, map[string]string{"f": "host\n"})
	r := w.run(map[string]any{"command": "sh", "args": []any{"-c", "cat /a/f /b/f; touch /a/no; echo x >/c/made; ls /d"},
		"volumes": []any{host + ":/a:ro", "local/data:/c", "../alloc:/d"}, "mounts": []any{map[string]any{"type": "bind", "source": host, "target": "/b"}}})
	r.expect("host\nhost\n", "touch: /a/no: Read-only")
	if b, err := os.ReadFile(filepath.Join(r.task.TaskDir().Local, "data/made")); err != nil || string(b) != "x\n" {
		t.Errorf("%q %v", b, err)
	}
}

func TestExecAndSignals(t *testing.T) {
	w := newWorld(t, nil)
	w.image("signal", image.Config{StopSignal: "SIGUSR1", Cmd: []string{"sh", "-c", "trap 'echo stopped by usr1; exit 3' USR1; trap 'echo hup' HUP; echo ready; while :; do sleep 0.05; done"}, Env: []string{"PATH=/bin", "X=1"}}, w.root)
	r := w.run(map[string]any{"image": "signal"}).start()
	r.until("ready")
	for _, tty := range []bool{false, true} {
		var out bytes.Buffer
		sizes := make(chan drivers.TerminalSize, 1)
		sizes <- drivers.TerminalSize{Height: 33, Width: 77}
		script := "echo $X; tty; cat /proc/self/status | grep -E 'Seccomp:|NoNew|CapEff'; exit 4"
		if tty {
			script = "while [ \"$(stty size 2>/dev/null)\" != '33 77' ]; do sleep 0.01; done; " + script
		}
		res, err := r.d.Exec(t.Context(), r.task.ID, drivers.ExecRequest{Command: []string{"sh", "-c", script}, TTY: tty, Stdout: &out, Resize: sizes})
		text := strings.ReplaceAll(out.String(), "\r", "")
		if err != nil || res.ExitCode != 4 || !strings.HasPrefix(text, "1\n") || !strings.Contains(text, "Seccomp:\t2") || !strings.Contains(text, "NoNewPrivs:\t1") {
			t.Errorf("tty %v: %+v %v %s", tty, res, err, text)
		}
		if strings.Contains(text, "/dev/pts/") != tty {
			t.Errorf("tty %v: %s", tty, text)
		}
	}
	if _, err := r.d.Exec(t.Context(), r.task.ID, drivers.ExecRequest{Command: []string{"none"}}); err == nil || !strings.Contains(err.Error(), "not found") {
		t.Errorf("%v", err)
	}
	if err := r.d.Signal(t.Context(), r.task.ID, "SIGHUP"); err != nil {
		t.Error(err)
	}
	r.until("hup\n")
	if err := r.d.Suspend(t.Context(), r.task.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := r.d.Exec(t.Context(), r.task.ID, drivers.ExecRequest{Command: []string{"true"}}); err == nil || !strings.Contains(err.Error(), "suspended") {
		t.Errorf("a command ran in a suspended task: %v", err)
	}
	if err := r.d.Resume(t.Context(), r.task.ID); err != nil {
		t.Fatal(err)
	}
	if err := r.d.Stop(t.Context(), r.task.ID, 20*time.Second, ""); err != nil {
		t.Fatal(err)
	}
	if res := r.wait(); res.ExitCode != 3 || !strings.Contains(r.out.String(), "stopped by usr1") {
		t.Errorf("%+v: %s", res, r.out.String())
	}
}

// A suspended task can be stopped.
func TestStopSuspended(t *testing.T) {
	w := newWorld(t, nil)
	r := w.script("echo ready; exec sleep 60").start()
	r.until("ready")
	if err := r.d.Suspend(t.Context(), r.task.ID); err != nil {
		t.Fatal(err)
	}
	if err := r.d.Stop(t.Context(), r.task.ID, 50*time.Millisecond, ""); err != nil {
		t.Fatal(err)
	}
	if res := r.wait(); res.Signal != 9 {
		t.Errorf("%+v", res)
	}
}

func TestInteractive(t *testing.T) {
	w := newWorld(t, nil)
	r := w.run(map[string]any{"command": "sh", "args": []any{"-c", "echo ready; cat; echo end"}, "interactive": true}).start()
	r.until("ready")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := r.d.Wait(ctx, r.task.ID); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("its input has ended: %v", err)
	}
	if res := w.script("cat; echo end").finish(); !res.Successful() {
		t.Errorf("%+v", res)
	}
}

func TestRequest(t *testing.T) {
	w := newWorld(t, nil)
	w.image("registry.example:5000/app", image.Config{}, w.root)
	r := w.run(map[string]any{"image": "registry.example:5000/app", "command": "true", "force_pull": true, "load": "local/app.tar",
		"auth": map[string]any{"username": "u", "password": "p", "server_address": "https://registry.example:5000/v1/"}})
	r.finish()
	got := w.store.asked[0]
	if got.Auth == nil || got.Auth.Password != "p" || !got.ForcePull || got.LoadRoot != r.task.AllocDir || got.Load != "web/local/app.tar" {
		t.Errorf("%+v %+v", got, got.Auth)
	}
	w.store.err = image.ErrStalled
	if err := w.run(map[string]any{"command": "true"}).try(); !drivers.IsRecoverable(err) {
		t.Errorf("%v", err)
	}
	w.store.err = image.ErrNotFound
	w.run(map[string]any{"command": "true"}).refused("image busybox")
}

// An image is held as long as anything of its task is there, and no longer.
func TestCollect(t *testing.T) {
	w := newWorld(t, map[string]any{"image_dir": t.TempDir()})
	r := w.script("echo ready; exec sleep 60").start()
	r.until("ready")
	w.store.owners["container-test/lost"] = "busybox"
	if err := w.d.collect(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(w.store.owners) != 1 || w.store.owners[r.task.ID] == "" {
		t.Errorf("held by %v", w.store.owners)
	}
	if len(w.store.collected) != 1 || w.store.collected[0].MaxAge != time.Hour || w.store.collected[0].MaxUsedPercent != 85 {
		t.Errorf("%+v", w.store.collected)
	}
}

// An image that does not fit is tried once more when images that nobody uses could go, and the task's events say so.
func TestRoomForAnImage(t *testing.T) {
	w := newWorld(t, nil)
	events, err := w.d.Events(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.store.err, w.store.unused = image.ErrNoSpace, []string{"sha256:old"}
	r := w.run(map[string]any{"command": "true"})
	if res := r.finish(); !res.Successful() {
		t.Errorf("%+v", res)
	}
	if e := <-events; e.TaskID != r.task.ID || !strings.Contains(e.Message, "unused images are removed (1)") {
		t.Errorf("the task's events say %+v", e)
	}
	// Nothing can go.
	w.store.err = image.ErrNoSpace
	r = w.run(map[string]any{"command": "true"})
	if err := r.try(); !errors.Is(err, image.ErrNoSpace) {
		t.Error(err)
	}
	// The operator does not want images to be removed.
	w = newWorld(t, map[string]any{"gc": map[string]any{"image": false}})
	w.store.err, w.store.unused = image.ErrNoSpace, []string{"sha256:old"}
	if err := w.run(map[string]any{"command": "true"}).try(); !errors.Is(err, image.ErrNoSpace) || len(w.store.collected) > 0 {
		t.Errorf("%v, %v", err, w.store.collected)
	}
}
