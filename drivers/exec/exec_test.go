package exec_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/exec"
	"github.com/seraihq/serai/drivers/host"
	"github.com/seraihq/serai/internal/cgroup"
)

// The test binary is also what libcontainer runs inside containers, and, with this variable, a task that tries forbidden system calls.
func TestMain(m *testing.M) {
	if os.Getenv("SERAI_PROBE") != "" {
		probe()
		return
	}
	if host.Main(os.Args) {
		return
	}
	runtime.LockOSThread() // as a driver's host does
	os.Exit(m.Run())
}

// defaultMask is the documented list of capabilities as the kernel shows it.
const defaultMask = "00000000a80405fb"

// run starts a task and returns its output and how it ended.
type run struct {
	t    *testing.T
	d    *exec.Driver
	task *drivers.TaskConfig
	out  string
}

func driver(t *testing.T, config map[string]any) *exec.Driver {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("not here: containers need root")
	}
	if l, err := cgroup.Find(); err != nil || l.Version == 0 {
		t.Skip("not here: containers need control groups")
	}
	d := exec.New(slog.New(slog.DiscardHandler))
	if err := d.Configure(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	return d
}

func newRun(t *testing.T, d *exec.Driver, script string) *run {
	t.Helper()
	dir := t.TempDir()
	for p := dir; p != "/tmp" && p != "/"; p = filepath.Dir(p) {
		_ = os.Chmod(p, 0o755)
	}
	r := &run{t: t, d: d, task: &drivers.TaskConfig{ID: "exec-test/" + rand.Text(), Name: "web", AllocID: "a", AllocDir: dir,
		Env: map[string]string{"NOMAD_ALLOC_DIR": "/alloc"}, Resources: drivers.Resources{CPUShares: 200, MemoryMB: 128},
		StdoutPath: filepath.Join(dir, "out.fifo"), StderrPath: filepath.Join(dir, "out.fifo"),
		Config: map[string]any{"command": "sh", "args": []any{"-c", script}}}}
	td := r.task.TaskDir()
	for _, p := range []string{td.Local, td.Secrets, td.Private, td.Tmp, td.Alloc} {
		if err := os.MkdirAll(p, 0o777); err != nil {
			t.Fatal(err)
		}
		_ = os.Chmod(p, 0o777)
	}
	if err := unix.Mkfifo(r.task.StdoutPath, 0o600); err != nil {
		t.Fatal(err)
	}
	return r
}

// start starts the task; its output goes to the writer.
func (r *run) start(to io.Writer) {
	r.t.Helper()
	f, err := os.OpenFile(r.task.StdoutPath, os.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		r.t.Fatal(err)
	}
	copied := make(chan struct{})
	go func() { defer close(copied); _, _ = io.Copy(to, f) }()
	if _, err := r.d.Start(r.t.Context(), r.task); err != nil {
		r.t.Fatalf("start: %v", err)
	}
	r.t.Cleanup(func() {
		if err := r.d.Destroy(context.Background(), r.task.ID, true); err != nil {
			r.t.Errorf("destroy: %v", err)
		}
		_ = f.Close()
		<-copied
	})
}

// finish runs the task to its end and keeps what it said.
func (r *run) finish() drivers.ExitResult {
	r.t.Helper()
	res, err := r.attempt()
	if err != nil {
		r.t.Fatalf("start: %v", err)
	}
	return res
}

// attempt is finish for a task that may be refused.
func (r *run) attempt() (drivers.ExitResult, error) {
	r.t.Helper()
	var out bytes.Buffer
	f, err := os.OpenFile(r.task.StdoutPath, os.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		r.t.Fatal(err)
	}
	defer f.Close()
	copied := make(chan struct{})
	go func() { defer close(copied); _, _ = io.Copy(&out, f) }()
	if _, err := r.d.Start(r.t.Context(), r.task); err != nil {
		_ = r.d.Destroy(context.Background(), r.task.ID, true)
		_ = f.SetReadDeadline(time.Unix(1, 0))
		<-copied
		return drivers.ExitResult{}, err
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), 30*time.Second)
	defer cancel()
	res, err := r.d.Wait(ctx, r.task.ID)
	if err != nil {
		r.t.Errorf("wait: %v", err)
	}
	if err := r.d.Destroy(context.Background(), r.task.ID, true); err != nil {
		r.t.Errorf("destroy: %v", err)
	}
	drained(f) // the pipe has all of it by now
	_ = f.SetReadDeadline(time.Unix(1, 0))
	<-copied
	r.out = out.String()
	return res, nil
}

// drained returns when nothing is in the pipe any more that somebody else reads.
func drained(f *os.File) {
	conn, err := f.SyscallConn()
	if err != nil {
		return
	}
	for left := 1; left > 0; time.Sleep(time.Millisecond) {
		if conn.Control(func(fd uintptr) { left, err = unix.IoctlGetInt(int(fd), unix.TIOCINQ) }) != nil || err != nil {
			return
		}
	}
}

func (r *run) expect(parts ...string) {
	r.t.Helper()
	for _, p := range parts {
		if !strings.Contains(r.out, p) {
			r.t.Errorf("no %q in:\n%s", p, r.out)
		}
	}
}

const status = "grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status; id -u"

func TestEscapePrivileges(t *testing.T) {
	d := driver(t, nil)
	r := newRun(t, d, status)
	r.finish()
	r.expect("CapEff:\t0000000000000000", "CapPrm:\t0000000000000000", "CapInh:\t0000000000000000", "CapAmb:\t0000000000000000",
		"CapBnd:\t"+defaultMask, "NoNewPrivs:\t1", "Seccomp:\t2", "\n65534\n")

	r = newRun(t, d, status)
	r.task.User = "root"
	r.finish()
	r.expect("CapEff:\t"+defaultMask, "CapPrm:\t"+defaultMask, "CapAmb:\t0000000000000000", "CapBnd:\t"+defaultMask, "NoNewPrivs:\t1", "Seccomp:\t2", "\n0\n")

	r = newRun(t, d, status)
	r.task.User = "root"
	r.task.Config["cap_drop"] = []any{"all"}
	r.task.Config["cap_add"] = []any{"chown", "CAP_KILL"}
	r.finish()
	r.expect("CapEff:\t0000000000000021", "CapBnd:\t0000000000000021")
}

// A command run inside a task has no more than the task itself.
func TestEscapeCommandPrivileges(t *testing.T) {
	d := driver(t, nil)
	for _, tty := range []bool{false, true} {
		r := newRun(t, d, "exec sleep 60")
		r.start(io.Discard)
		var out bytes.Buffer
		res, err := d.Exec(t.Context(), r.task.ID, drivers.ExecRequest{Command: []string{"sh", "-c", status + "; ls /proc/self/fd; ls /proc"}, TTY: tty, Stdout: &out})
		if err != nil || res.ExitCode != 0 {
			t.Fatalf("%+v %v: %s", res, err, out.String())
		}
		r.out = strings.ReplaceAll(out.String(), "\r", "")
		r.expect("CapEff:\t0000000000000000", "CapBnd:\t"+defaultMask, "NoNewPrivs:\t1", "Seccomp:\t2", "\n65534\n")
	}
}

func TestIsolation(t *testing.T) {
	d := driver(t, nil)
	r := newRun(t, d, `echo pid $$; echo fds $(ls /proc/self/fd | wc -l); echo procs $(ls /proc | grep -c '^[0-9]'); pwd
		touch /usr/x /etc/x /x 2>&1; test -e /etc/shadow && echo shadow; echo a > /alloc/f && echo b > /local/f && echo c > /secrets/f && echo d > /tmp/f && echo written
		echo x > /proc/sysrq-trigger; cat /proc/kcore | head -c 1; ls /root /home /var 2>&1; kill -0 1 && echo one; ls /dev | tr '\n' ' '; mount -t tmpfs x /tmp; unshare -U true; echo end`)
	r.finish()
	r.expect("pid 1\n", "fds 4\n", "\n/\n", "written", "end")
	for _, bad := range []string{"shadow\n", "x: OK"} {
		if strings.Contains(r.out, bad) {
			t.Errorf("%q in:\n%s", bad, r.out)
		}
	}
	if n := strings.Count(r.out, "touch: "); n != 3 {
		t.Errorf("%d of 3 writes outside were refused:\n%s", n, r.out)
	}
	if b, err := os.ReadFile(filepath.Join(r.task.TaskDir().Alloc, "f")); err != nil || string(b) != "a\n" {
		t.Errorf("shared directory: %q %v", b, err)
	}
	if b, err := os.ReadFile(filepath.Join(r.task.TaskDir().Local, "f")); err != nil || string(b) != "b\n" {
		t.Errorf("local directory: %q %v", b, err)
	}
	var procs int
	if _, err := fmt.Sscanf(r.out[strings.Index(r.out, "procs"):], "procs %d", &procs); err != nil || procs > 6 {
		t.Errorf("%d processes are seen: %v", procs, err)
	}
}

func TestEscapeRefusals(t *testing.T) {
	d := driver(t, map[string]any{"denied_host_uids": "0-10,4000"})
	for name, c := range map[string]struct {
		change func(*drivers.TaskConfig)
		want   string
	}{
		"fd work dir":   {func(t *drivers.TaskConfig) { t.Config["work_dir"] = "/proc/self/fd/7" }, "work_dir"},
		"dots":          {func(t *drivers.TaskConfig) { t.Config["work_dir"] = "/local/../proc/self/fd/7" }, "work_dir"},
		"capability":    {func(t *drivers.TaskConfig) { t.Config["cap_add"] = []any{"net_raw"} }, "allow_caps"},
		"no capability": {func(t *drivers.TaskConfig) { t.Config["cap_add"] = []any{"flying"} }, "flying"},
		"root denied":   {func(t *drivers.TaskConfig) { t.User = "root" }, "denied_host_uids"},
		"user space":    {func(t *drivers.TaskConfig) { t.User = " root" }, "without spaces"},
		"user negative": {func(t *drivers.TaskConfig) { t.User = "-1" }, "a number from 0"},
		"user huge":     {func(t *drivers.TaskConfig) { t.User = "4294967296" }, "a number from 0"},
		"user 2^31":     {func(t *drivers.TaskConfig) { t.User = "2147483648" }, "a number from 0"},
		"user octal":    {func(t *drivers.TaskConfig) { t.User = "00" }, "a number from 0"},
		"user missing":  {func(t *drivers.TaskConfig) { t.User = "no-such-user" }, "does not exist"},
		"group":         {func(t *drivers.TaskConfig) { t.User = "nobody:99999999999" }, "a number from 0"},
		"pid mode":      {func(t *drivers.TaskConfig) { t.Config["pid_mode"] = "container:x" }, "pid_mode"},
		"root mount": {func(t *drivers.TaskConfig) {
			t.Mounts = []drivers.Mount{{HostPath: "/", TaskPath: "/local/.."}}
		}, "not /"},
		"no program": {func(t *drivers.TaskConfig) { t.Config["command"] = "/usr/bin/no-such" }, "not found inside"},
		"directory":  {func(t *drivers.TaskConfig) { t.Config["command"] = "/usr/bin" }, "directory"},
		"hidden":     {func(t *drivers.TaskConfig) { t.Config["command"] = "/local/link" }, "not found"},
	} {
		r := newRun(t, d, "true")
		// A link that leads out of the root on the host leads nowhere inside.
		if err := os.Symlink("/srv/../root/.profile", filepath.Join(r.task.TaskDir().Local, "link")); err != nil {
			t.Fatal(err)
		}
		c.change(r.task)
		if _, err := d.Start(t.Context(), r.task); err == nil || !strings.Contains(err.Error(), c.want) || drivers.IsRecoverable(err) {
			t.Errorf("%s: %v", name, err)
			_ = d.Destroy(context.Background(), r.task.ID, true)
		}
	}
}

func TestOutOfMemory(t *testing.T) {
	d := driver(t, nil)
	l, _ := cgroup.Find()
	if !l.Has("memory") {
		t.Skip("not here: no memory controller")
	}
	r := newRun(t, d, "exec tail /dev/zero")
	r.task.Resources.MemoryMB = 20
	res := r.finish()
	if !res.OOMKilled || res.Signal != 9 {
		t.Errorf("%+v", res)
	}
	// The same beside memory_max runs.
	r = newRun(t, d, "head -c 30000000 /dev/zero | tail > /dev/null; echo $?")
	r.task.Resources.MemoryMB, r.task.Resources.MemoryMaxMB = 20, 100
	if res := r.finish(); !res.Successful() {
		t.Errorf("%+v: %s", res, r.out)
	}
	r.expect("0\n")
	// The smallest task that a job may ask for starts, though the binary that starts it is larger.
	r = newRun(t, d, "echo small")
	r.task.Resources.MemoryMB = 10
	if res := r.finish(); !res.Successful() {
		t.Errorf("%+v: %s", res, r.out)
	}
	r.expect("small")
}

func TestProcessLimit(t *testing.T) {
	d := driver(t, map[string]any{"pids_limit": 20})
	l, _ := cgroup.Find()
	if !l.Has("pids") {
		t.Skip("not here: no pids controller")
	}
	events, err := d.Events(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r := newRun(t, d, "(for i in $(seq 50); do sleep 5 & done) 2>&1; exit 0")
	r.finish()
	r.expect("fork")
	if e := <-events; e.TaskID != r.task.ID || !strings.Contains(e.Message, "limit of 20 processes") {
		t.Errorf("the task's events say %+v", e)
	}
	r = newRun(t, d, "bomb() { bomb | bomb & }; bomb; sleep 60")
	r.start(io.Discard)
	began := time.Now()
	if err := d.Stop(t.Context(), r.task.ID, 200*time.Millisecond, "SIGTERM"); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("a fork bomb took %v to end", took)
	}
}

// What a job may say about its limits beyond its resources.
func TestTaskLimits(t *testing.T) {
	d := driver(t, map[string]any{"pids_limit": 50})
	r := newRun(t, d, `cat /proc/self/oom_score_adj; for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 5 & done; echo end`)
	r.task.Config["oom_score_adj"], r.task.Config["pids_limit"] = 700, 10
	r.finish()
	r.expect("700\n", " fork")

	// A quarter of the node, which may be several cores, in periods of 50 ms.
	l, err := cgroup.Find()
	if err != nil || !l.Has("cpu") {
		t.Skip("not here: no control group for the CPU")
	}
	r = newRun(t, d, "sleep 60")
	r.task.Resources.CPUPercent = 0.25
	r.task.Config["cpu_hard_limit"], r.task.Config["cpu_cfs_period"] = true, 50000
	r.start(io.Discard)
	g, there := l.Lookup(cgroup.Name(r.task.ID))
	if !there {
		t.Fatal("the task's group is not found")
	}
	want := fmt.Sprint(50000 * runtime.NumCPU() / 4)
	quota, _ := os.ReadFile(filepath.Join(g.Paths["cpu"], "cpu.cfs_quota_us"))
	if l.Version == 2 {
		quota, _ = os.ReadFile(filepath.Join(g.Paths[cgroup.Unified], "cpu.max"))
		want += " 50000"
	}
	if got := strings.TrimSpace(string(quota)); got != want {
		t.Errorf("the quota is %q, want %q", got, want)
	}
	for name, value := range map[string]any{"oom_score_adj": 1001, "pids_limit": 51, "cpu_cfs_period": 10} {
		r := newRun(t, d, "true")
		r.task.Config[name] = value
		if _, err := r.attempt(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s = %v: %v", name, value, err)
		}
	}
}

func TestMountsAndNames(t *testing.T) {
	d := driver(t, nil)
	r := newRun(t, d, "cat /etc/resolv.conf /data/f; echo no > /data/f; df /ro 2>/dev/null | tail -1; echo end")
	host := t.TempDir()
	_ = os.Chmod(host, 0o755)
	if err := os.WriteFile(filepath.Join(host, "f"), []byte("from the host\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	r.task.Mounts = []drivers.Mount{{HostPath: host, TaskPath: "/data", Readonly: true}}
	r.task.DNS = &drivers.DNS{Servers: []string{"192.0.2.1"}, Searches: []string{"a.example", "b.example"}, Options: []string{"ndots:2"}}
	r.finish()
	r.expect("nameserver 192.0.2.1\nsearch a.example b.example\noptions ndots:2\n", "from the host", "end")
	if b, _ := os.ReadFile(filepath.Join(host, "f")); string(b) != "from the host\n" {
		t.Errorf("a read-only mount was written: %q", b)
	}
}

func TestChroot(t *testing.T) {
	d := driver(t, map[string]any{"chroot_env": map[string]any{"/bin": "/bin", "/lib": "/lib", "/lib64": "/lib64", "/usr": "/usr", "/etc/hostname": "/etc/renamed"}})
	r := newRun(t, d, "ls /etc")
	if res := r.finish(); !res.Successful() || r.out != "renamed\n" {
		t.Errorf("%+v: %q", res, r.out)
	}
}

// The kernel refuses what no task has business with, however the call is made.
func TestEscapeFilter(t *testing.T) {
	d := driver(t, nil)
	for _, who := range []string{"", "root"} {
		r := newRun(t, d, "")
		r.task.User = who
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(self)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(r.task.TaskDir().Local, "probe"), b, 0o755); err != nil {
			t.Fatal(err)
		}
		r.task.Env["SERAI_PROBE"] = "1"
		r.task.Config = map[string]any{"command": "probe"}
		if res := r.finish(); !res.Successful() {
			t.Errorf("%+v", res)
		}
		lines := strings.Split(strings.TrimSpace(r.out), "\n")
		if len(lines) < 40 {
			t.Fatalf("%d probes:\n%s", len(lines), r.out)
		}
		for _, line := range lines {
			name, got, _ := strings.Cut(line, "=")
			want := "operation not permitted"
			switch {
			case strings.HasPrefix(name, "ok:"):
				want = "errno 0"
			case strings.HasPrefix(name, "socket"):
				want = "address family not supported by protocol"
			case name == "clone3" || name == "from the future" || name == "x32 getpid":
				want = "function not implemented"
			}
			if got != want {
				t.Errorf("as %q: %s: %s, want %s", who, name, got, want)
			}
		}
	}
}

func TestStartErrorKinds(t *testing.T) {
	d := driver(t, nil)
	r := newRun(t, d, "")
	r.task.Config = map[string]any{"command": "no-such"}
	_, err := d.Start(t.Context(), r.task)
	if se, ok := errors.AsType[*drivers.StartError](err); !ok || se.ExitCode != 127 {
		t.Errorf("%v", err)
	}
	if err := os.WriteFile(filepath.Join(r.task.TaskDir().Local, "plain"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	r.task.Config = map[string]any{"command": "/local/plain"}
	_, err = d.Start(t.Context(), r.task)
	if se, ok := errors.AsType[*drivers.StartError](err); !ok || se.ExitCode != 126 {
		t.Errorf("%v", err)
	}
}
