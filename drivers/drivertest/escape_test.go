package drivertest_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/drivertest/intruder/brief"
	"github.com/seraihq/serai/drivers/internal/contain"
	"github.com/seraihq/serai/drivers/internal/landlock"
	"github.com/seraihq/serai/internal/cgroup"
	"github.com/seraihq/serai/internal/imagefile"
)

const secretText = brief.Secret

type facts = brief.Facts

// defaultCapabilities are those of a task of root whose job says nothing about them.
const defaultCapabilities = 0xa80405fb

// intruder builds the hostile program.
var intruder = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "serai-intruder-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "intruder")
	cmd := exec.Command("go", "build", "-o", file, "./intruder")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build ./intruder: %w: %s", err, out)
	}
	return os.ReadFile(file)
})

// open lets everybody reach a directory of the test's.
func openTo(dir string) {
	for p := dir; p != "/tmp" && p != "/"; p = filepath.Dir(p) {
		_ = os.Chmod(p, 0o777)
	}
}

// node puts on the machine what an intruder must not reach.
func node(t *testing.T) facts {
	t.Helper()
	f := facts{Key: int(binary.LittleEndian.Uint32([]byte(rand.Text())) & 0x7fffffff), Marker: "marker-" + rand.Text(), Abstract: "serai-intruder-" + rand.Text(),
		Queue: "serai-intruder-" + rand.Text(), Shm: "serai-intruder-" + rand.Text(), Capabilities: defaultCapabilities}
	dir := t.TempDir()
	openTo(dir)
	f.Secret = filepath.Join(dir, "secret-"+rand.Text())
	for _, path := range []string{f.Secret, "/dev/shm/" + f.Shm} {
		if err := os.WriteFile(path, []byte(secretText), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		t.Fatal(err)
	}
	f.Major, f.Minor = unix.Major(st.Dev), unix.Minor(st.Dev)
	memory, _, e1 := unix.Syscall(unix.SYS_SHMGET, uintptr(f.Key), 4096, unix.IPC_CREAT|0o666)
	queue, _, e2 := unix.Syscall(unix.SYS_MSGGET, uintptr(f.Key), unix.IPC_CREAT|0o666, 0)
	semaphore, _, e3 := unix.Syscall(unix.SYS_SEMGET, uintptr(f.Key), 1, unix.IPC_CREAT|0o666)
	if e1 != 0 || e2 != 0 || e3 != 0 {
		t.Fatal(e1, e2, e3)
	}
	out, err := exec.Command("sh", "-c", "mount | grep -q ' /dev/mqueue ' && touch /dev/mqueue/"+f.Queue).CombinedOutput()
	if err != nil {
		t.Logf("no message queues by name here: %v %s", err, out)
	}
	t.Cleanup(func() {
		_, _, _ = unix.Syscall(unix.SYS_SHMCTL, memory, unix.IPC_RMID, 0)
		_, _, _ = unix.Syscall(unix.SYS_MSGCTL, queue, unix.IPC_RMID, 0)
		_, _, _ = unix.Syscall6(unix.SYS_SEMCTL, semaphore, 0, unix.IPC_RMID, 0, 0, 0)
		_, _ = os.Remove("/dev/shm/"+f.Shm), os.Remove("/dev/mqueue/"+f.Queue)
	})
	_, _ = unix.AddKey("user", "serai-intruder", []byte(secretText), unix.KEY_SPEC_USER_KEYRING)
	for _, address := range []string{"@" + f.Abstract, "127.0.0.1:0"} {
		network := "tcp"
		if address[0] == '@' {
			network = "unix"
		}
		l, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		if a, ok := l.Addr().(*net.TCPAddr); ok {
			f.Port = a.Port
		}
	}
	return f
}

// victim is a process of another's that runs as the same user.
func victim(t *testing.T, f *facts, program string, uid uint32) {
	t.Helper()
	cmd := exec.Command(program, "rest", f.Marker)
	cmd.Env = []string{"SECRET=" + secretText}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	f.Victim = cmd.Process.Pid
	t.Cleanup(func() {
		if err := cmd.Process.Kill(); err != nil {
			t.Errorf("the victim did not live: %v", err)
		}
		_ = cmd.Wait()
	})
}

// arm puts the intruder, and copies of it with further rights, into a directory of a task.
func arm(t *testing.T, dir string) {
	t.Helper()
	text, err := intruder()
	if err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{"intruder": 0o755, "suid": 0o755 | os.ModeSetuid | os.ModeSetgid, "fcap": 0o755} {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, text, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(p, mode); err != nil {
			t.Fatal(err)
		}
	}
	// Format: struct vfs_cap_data, revision 2 with the effective bit, CAP_SYS_ADMIN permitted.
	capability := []byte{1, 0, 0, 2, 0, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	if err := unix.Setxattr(filepath.Join(dir, "fcap"), "security.capability", capability, 0); err != nil {
		t.Logf("no file capabilities here: %v", err)
	}
	if err := os.Mkdir(filepath.Join(dir, "dir"), 0o777); err != nil {
		t.Fatal(err)
	}
	openTo(filepath.Join(dir, "dir"))
}

// emptyNetwork is a network namespace with nothing in it, for as long as the test runs.
func emptyNetwork(t *testing.T) *drivers.NetworkIsolation {
	t.Helper()
	path, done := make(chan string), make(chan struct{})
	go func() {
		runtime.LockOSThread() // and never unlocked: the namespace ends with the thread
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			path <- ""
			return
		}
		path <- fmt.Sprintf("/proc/%d/task/%d/ns/net", os.Getpid(), unix.Gettid())
		<-done
	}()
	t.Cleanup(func() { close(done) })
	p := <-path
	if p == "" {
		t.Fatal("no network namespace")
	}
	return &drivers.NetworkIsolation{Path: p}
}

// holding is one way in which tasks are held.
type holding struct {
	// config of the driver, and of a task that runs a program of its /local directory, or rests for a minute when that is empty.
	driver string
	config map[string]any
	task   func(program string) map[string]any
	// prepare puts what the task needs into its directory.
	prepare  func(t *testing.T, local string)
	hostRoot bool
}

func holdings(t *testing.T) map[string]holding {
	t.Helper()
	out := map[string]holding{"exec": {driver: "exec", hostRoot: true, task: func(program string) map[string]any {
		if program == "" {
			return map[string]any{"command": "/local/intruder", "args": []any{"rest"}}
		}
		return map[string]any{"command": program}
	}}}
	if _, err := exec.LookPath("javac"); err == nil {
		out["java"] = holding{driver: "java", hostRoot: true, prepare: func(t *testing.T, local string) {
			text, err := jar()
			if err == nil {
				err = os.WriteFile(filepath.Join(local, "app.jar"), text, 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
		}, task: func(program string) map[string]any {
			args := []any{program}
			if program == "" {
				args = []any{60000, 0, false, ""}
			}
			return map[string]any{"jar_path": "local/app.jar", "jvm_options": []any{"-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"}, "args": args}
		}}
	}
	if files, err := imagefile.Busybox(); err == nil && contain.LayersUnsupported() == "" {
		images := t.TempDir()
		for name, users := range map[string]string{"container": "", "container with its own users": "private"} {
			out[name] = holding{driver: "container", config: map[string]any{"image_dir": filepath.Join(images, strconv.Itoa(len(users)))}, prepare: func(t *testing.T, local string) {
				var b bytes.Buffer
				err := imagefile.Write(&b, "busybox:test", imagefile.Config{Env: []string{"PATH=/bin"}}, files)
				if err == nil {
					err = os.WriteFile(filepath.Join(local, "image.tar"), b.Bytes(), 0o644)
				}
				if err != nil {
					t.Fatal(err)
				}
			}, task: func(program string) map[string]any {
				c := map[string]any{"image": "busybox:test", "load": "local/image.tar", "command": program, "userns_mode": users}
				if program == "" {
					c["command"], c["args"] = "/local/intruder", []any{"rest"}
				}
				return c
			}}
		}
	}
	return out
}

// TestEscapeByEveryWay lets the intruder loose in each driver: as root and as nobody, as the task itself and as a command beside it.
func TestEscapeByEveryWay(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not here: containers need root")
	}
	if l, err := cgroup.Find(); err != nil || l.Version == 0 {
		t.Skip("not here: containers need control groups")
	}
	t.Setenv("PLANTED_TOKEN", "a secret of the agent")
	all := node(t)
	for name, h := range holdings(t) {
		for who, uid := range map[string]uint32{"root": 0, "nobody": 65534} {
			t.Run(name+"/"+who, func(t *testing.T) {
				f := all
				f.HostRoot, f.Suid, f.Fcap, f.Dir = h.hostRoot, []string{"/local/suid"}, []string{"/local/fcap"}, "/local/dir"
				d := subject(h.driver, h.config, false).New(t)
				c := newCell(t, h, who)
				victim(t, &f, filepath.Join(c.TaskDir().Local, "intruder"), uid)
				judge(t, c.run(t, d, &f), leastAttacks)
				for _, tty := range []bool{false, true} {
					judge(t, c.beside(t, d, &f, tty), leastAttacks)
				}
			})
		}
	}
}

// cell is a task of one holding and one user.
type cell struct {
	*drivers.TaskConfig
	holding
}

func newCell(t *testing.T, h holding, who string) *cell {
	t.Helper()
	dir := t.TempDir()
	c := &cell{holding: h, TaskConfig: &drivers.TaskConfig{Name: "web", User: who, AllocDir: dir, AllocID: "alloc-" + rand.Text(), Network: emptyNetwork(t),
		Resources: drivers.Resources{CPUShares: 200, MemoryMB: 300}}}
	d := c.TaskDir()
	for _, p := range []string{d.Local, d.Secrets, d.Private, d.Tmp, d.Logs} {
		if err := os.MkdirAll(p, 0o777); err != nil {
			t.Fatal(err)
		}
		openTo(p)
	}
	arm(t, d.Local)
	if h.prepare != nil {
		h.prepare(t, d.Local)
	}
	return c
}

// start starts a task and returns what reads its output to the end.
func (c *cell) start(t *testing.T, d drivers.Driver, f *facts, program string) (finish func() string) {
	t.Helper()
	text, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	c.ID = c.AllocID + "/web/" + rand.Text()
	c.Env, c.Config = map[string]string{"INTRUDER": string(text)}, c.task(program)
	c.StdoutPath = filepath.Join(c.TaskDir().Logs, rand.Text())
	c.StderrPath = c.StdoutPath
	if err := unix.Mkfifo(c.StdoutPath, 0o600); err != nil {
		t.Fatal(err)
	}
	pipe, err := os.OpenFile(c.StdoutPath, os.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	read := make(chan struct{})
	go func() {
		defer close(read)
		b := make([]byte, 1<<16)
		for n, err := 0, error(nil); err == nil && !bytes.HasSuffix(b[:n], []byte{0}); {
			n, err = pipe.Read(b)
			_, _ = out.Write(b[:n])
		}
	}()
	id := c.ID
	if _, err := d.Start(t.Context(), c.TaskConfig); err != nil {
		t.Fatal(err)
	}
	return sync.OnceValue(func() string {
		if err := d.Destroy(context.Background(), id, true); err != nil {
			t.Error(err)
		}
		_, _ = pipe.Write([]byte{0}) // behind all that the task wrote
		<-read
		_ = pipe.Close()
		return out.String()
	})
}

// run lets the intruder be the task.
func (c *cell) run(t *testing.T, d drivers.Driver, f *facts) string {
	t.Helper()
	finish := c.start(t, d, f, "/local/intruder")
	defer finish()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if r, err := d.Wait(ctx, c.ID); err != nil || !r.Successful() {
		t.Errorf("%+v %v", r, err)
	}
	return finish()
}

// beside lets the intruder be a command that somebody runs inside of a task, with or without a terminal.
func (c *cell) beside(t *testing.T, d drivers.Driver, f *facts, tty bool) string {
	t.Helper()
	finish := c.start(t, d, f, "")
	defer finish()
	ex, ok := drivers.ExecerOf(d)
	if !ok {
		t.Fatal("no commands")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var out bytes.Buffer
	if r, err := ex.Exec(ctx, c.ID, drivers.ExecRequest{Command: []string{"/local/intruder"}, TTY: tty, Stdout: &out, Stderr: io.Discard}); err != nil || r.ExitCode != 0 {
		t.Errorf("%+v %v", r, err)
	}
	return strings.ReplaceAll(out.String(), "\r\n", "\n")
}

// TestEscapeInPlaceOfQEMU lets the intruder be what a guest has made of QEMU, before QEMU's own filter of system calls holds it: under the driver's walls
// alone. It sees the node's processes and what root mounts, as QEMU does.
func TestEscapeInPlaceOfQEMU(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not here: it takes root to be somebody else")
	}
	if landlock.Version() < 6 {
		t.Skip("not here: signals and sockets are held by Landlock 6, of Linux 6.12")
	}
	t.Setenv("PLANTED_TOKEN", "a secret of the agent")
	f := node(t)
	c := newCell(t, holding{}, "nobody")
	victim(t, &f, filepath.Join(c.TaskDir().Local, "intruder"), 65534)
	// What a user may do to its own processes is refused by QEMU's filter, or by giving each machine a user of its own.
	f.Without, f.Dir = []string{"calls", "memory", "kernel", "start", "same user"}, filepath.Join(c.TaskDir().Local, "dir")
	f.HostRoot, f.Suid, f.Fcap = true, []string{filepath.Join(c.TaskDir().Local, "suid")}, []string{filepath.Join(c.TaskDir().Local, "fcap")}
	emulator := emulatorOf(t, &f)
	if err := os.WriteFile(filepath.Join(c.TaskDir().Local, "disk.img"), make([]byte, 512), 0o666); err != nil {
		t.Fatal(err)
	}
	c.task = func(string) map[string]any {
		return map[string]any{"image_path": "local/disk.img", "emulator": emulator, "accelerator": "tcg"}
	}
	d := subject("qemu", map[string]any{"emulators_allowlist": []any{emulator}}, false).New(t)
	judge(t, c.run(t, d, &f), 40)
}

// emulatorOf puts the intruder and its facts where an operator has QEMU.
func emulatorOf(t *testing.T, f *facts) string {
	t.Helper()
	text, err := intruder()
	if err != nil {
		t.Fatal(err)
	}
	told, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "bin")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	openTo(dir)
	emulator := filepath.Join(dir, "emulator")
	for name, content := range map[string][]byte{emulator: text, emulator + ".facts": told} {
		if err := os.WriteFile(name, content, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return emulator
}

// leastAttacks are fewer than there are.
const leastAttacks = 200

// judge fails for all that the intruder reached, and when it has not tried everything.
func judge(t *testing.T, said string, least int) {
	t.Helper()
	if n := tried(said); n < least {
		t.Errorf("the intruder tried %d ways:\n%s", n, said)
	}
	for line := range strings.Lines(said) {
		if strings.HasPrefix(line, "GOT ") {
			t.Errorf("it got out: %s", line)
		}
	}
}

// tried is how many attacks came to their end.
func tried(said string) (n int) {
	if _, last, found := strings.Cut(said, "\nend "); found {
		_, _ = fmt.Sscan(last, &n)
	}
	return n
}

// TestEscapeControl lets the intruder loose on the machine itself: an attack that reaches nothing there says nothing about what held it elsewhere. Those with
// a question mark need something of the kernel that this machine may lack.
func TestEscapeControl(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not here: most of it takes root")
	}
	// CAP_DAC_READ_SEARCH, LINUX_IMMUTABLE, NET_ADMIN, NET_RAW, SYS_ADMIN, MKNOD: what makes root root, of which a container has not all.
	const whole = 1<<2 | 1<<9 | 1<<12 | 1<<13 | 1<<21 | 1<<27
	header, data := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, [2]unix.CapUserData{}
	if err := unix.Capget(&header, &data[0]); err != nil || data[0].Effective&whole != whole {
		t.Skip("not here: this root is held by something already")
	}
	f := node(t)
	dir := t.TempDir()
	arm(t, dir)
	f.Control, f.HostRoot, f.Capabilities = true, true, defaultCapabilities
	f.Suid, f.Fcap, f.Dir = []string{filepath.Join(dir, "suid")}, []string{filepath.Join(dir, "fcap")}, filepath.Join(dir, "dir")
	victim(t, &f, filepath.Join(dir, "intruder"), 0)
	text, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(dir, "intruder"))
	cmd.Env = []string{"INTRUDER=" + string(text), "PLANTED_TOKEN=x"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS} // its mounts are nobody else's
	file, err := os.Open(f.Secret)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cmd.ExtraFiles = []*os.File{file}
	out, err := cmd.Output()
	if err != nil {
		t.Error(err)
	}
	if n := tried(string(out)); n < leastAttacks {
		t.Errorf("%d attacks", n)
	}
	t.Logf("%d attacks, of which %d reached something", tried(string(out)), strings.Count("\n"+string(out), "\nGOT "))
	for line := range strings.Lines(string(out)) {
		name, held := strings.CutPrefix(strings.TrimSpace(line), "held ")
		switch {
		case held && strings.HasSuffix(name, "?"):
			t.Logf("not here: %s", name)
		case held:
			t.Errorf("nothing held it, and yet it reached nothing: %s", name)
		}
	}
}
