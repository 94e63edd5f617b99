package e2e

import (
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seraihq/serai/e2e/rig"
)

// The probes that take a whole agent. Those of one part are beside that part; docs/confinement.md lists them all.

// TestEscapeFilesAPI: what a task puts where the API reads is shown as text that no browser runs, links lead nobody out of the allocation, also while
// they change, and secrets stay where they are by any spelling.
func TestEscapeFilesAPI(t *testing.T) {
	t.Parallel()
	a := shared(t)
	id := a.jobID(t)
	const sentinel = "sentinel of the node"
	outside := t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "file"), []byte(sentinel), 0o644); err != nil {
		t.Fatal(err)
	}
	a.register(t, oneGroup(id, "service", shell("t", `
cd $NOMAD_TASK_DIR
echo '<script>alert(1)</script>' | tee page.html
echo of the secrets > $NOMAD_SECRETS_DIR/s
mkdir real; echo inside > real/file; echo inside > own
ln -s `+outside+`/file link; ln -s `+outside+` dir; ln -s /proc/self/root/etc magic; ln -s $NOMAD_SECRETS_DIR secretly; ln -s ../secrets/s s
echo ready
while true; do
	ln -sfn `+outside+` swapped; rm -f swapped; mkdir swapped; cp real/file swapped/file; rm -r swapped
	ln -sf `+outside+`/file turned; cp --remove-destination own turned 2>/dev/null || { rm turned; cp own turned; }
done`)))
	s := a.waitOne(t, id, "running")
	a.waitLogs(t, s.ID, "t", "stdout", "ready")
	get := func(route, path string) response {
		return a.do(t, http.MethodGet, "/v1/client/fs/"+route+"/"+s.ID+"?offset=0&limit=100&follow=false&path="+url.QueryEscape(path), nil)
	}
	for _, route := range []string{"cat/" + s.ID + "?path=t/local/page.html", "readat/" + s.ID + "?offset=0&limit=100&path=t/local/page.html",
		"stream/" + s.ID + "?offset=0&follow=false&path=t/local/page.html", "logs/" + s.ID + "?task=t&type=stdout&plain=true", "logs/" + s.ID + "?task=t&type=stdout&follow=false"} {
		resp, err := http.Get(a.Address + "/v1/client/fs/" + route)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		h := resp.Header
		if kind := h.Get("Content-Type"); resp.StatusCode != 200 || strings.Contains(kind, "html") || h.Get("X-Content-Type-Options") != "nosniff" ||
			!strings.Contains(h.Get("Content-Security-Policy"), "sandbox") {
			t.Errorf("%s: %d %v", route, resp.StatusCode, h)
		}
	}
	for _, path := range []string{"t/local/link", "t/local/dir/file", "t/local/magic/passwd", "t/local/../../../../../../../../etc/passwd", "/etc/passwd",
		"t/local/%2e%2e/%2e%2e", "t/secrets/s", "t/local/secretly/s", "t/local/s", "/t//secrets/./s", "t/local/../secrets/s", "t/./secrets//s", "t/private", "t/secrets"} {
		for _, route := range []string{"cat", "readat", "stream", "ls"} {
			if r := get(route, path); r.status == http.StatusOK {
				t.Errorf("%s %s: %.200s", route, path, r.body)
			}
		}
	}
	var wg sync.WaitGroup
	until := time.Now().Add(2 * time.Second)
	for i := range 8 {
		wg.Go(func() {
			for n := i; time.Now().Before(until); n++ {
				path := []string{"t/local/turned", "t/local/swapped/file"}[n%2]
				resp, err := http.Get(a.Address + "/v1/client/fs/cat/" + s.ID + "?path=" + path)
				if err != nil {
					t.Error(err)
					return
				}
				body, _ := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if strings.Contains(string(body), sentinel) {
					t.Errorf("%s led out of the allocation", path)
					return
				}
			}
		})
	}
	wg.Wait()
}

// TestEscapeDisabledDriver: a driver that the operator has turned off starts nothing, of no kind of job.
func TestEscapeDisabledDriver(t *testing.T) {
	t.Parallel()
	a := start(t, rig.Options{Config: "plugin \"raw_exec\" {\n  config { enabled = false }\n}\n"})
	mark := filepath.Join(t.TempDir(), "ran")
	for _, kind := range []string{"service", "batch", "system", "sysbatch"} {
		a.register(t, oneGroup("off-"+kind, kind, strings.Replace(shell("t", "touch "+mark), "EOS\n    ]", "EOS\n    ]", 1)))
	}
	a.register(t, oneGroup("on", "batch", `task "t" {
  driver = "mock_driver"
  config { run_for = "10ms" }
}`))
	a.waitOne(t, "on", "complete") // by then the others would have run
	if _, err := os.Stat(mark); err == nil {
		t.Error("a disabled driver ran a task")
	}
	for _, kind := range []string{"service", "batch", "system", "sysbatch"} {
		if list, _, err := a.nomad.Jobs().Allocations("off-"+kind, true, nil); err != nil || len(list) != 0 {
			t.Errorf("%s: %v %v", kind, stubs(list), err)
		}
	}
}

// TestEscapeState: what the agent keeps is for nobody else's eyes, from its making on, and its sockets are in no place where a task could knock.
func TestEscapeState(t *testing.T) {
	t.Parallel()
	needRoot(t)
	syscall.Umask(0o022) // as most have it: the agent must not count on a better one
	a := start(t, rig.Options{})
	a.register(t, oneGroup("two", "service", execTask("exec", "echo up; exec sleep 600"), shell("raw", "echo up; exec sleep 600")))
	s := a.waitOne(t, "two", "running")
	a.waitLogs(t, s.ID, "exec", "stdout", "up")
	allocs := filepath.Dir(a.allocDir(t, s.ID))
	err := filepath.WalkDir(a.DataDir(), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil // it went meanwhile
		}
		if path == allocs {
			return fs.SkipDir // tasks of other users work there; looked at below
		}
		info, err := d.Info()
		if err != nil || info.Mode().Type() == fs.ModeSymlink {
			return nil
		}
		closed := fs.FileMode(0o006)
		if info.Mode().Type() == fs.ModeSocket {
			closed = 0o002 // who cannot write to a socket cannot connect; where they lie is looked at below
		}
		if info.Mode().Perm()&closed != 0 {
			t.Errorf("%s is open to everybody: %v", path, info.Mode())
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	for _, path := range []string{s.ID, s.ID + "/exec/secrets", s.ID + "/exec/private"} {
		if info, err := os.Stat(filepath.Join(allocs, path)); err != nil || info.Mode().Perm()&0o006 != 0 {
			t.Errorf("%s can be listed by everybody: %v %v", path, info.Mode(), err)
		}
	}
	var names []string
	eventually(t, "the sockets of the drivers' hosts", func() (bool, string) {
		var seen string
		names, seen = a.sockets(t)
		return len(names) > 0, seen
	})
	for _, name := range names {
		if strings.HasPrefix(name, "@") {
			t.Errorf("the abstract socket %s can be reached from every task in the node's network", name)
			continue
		}
		private := false
		for dir := filepath.Dir(name); dir != "/"; dir = filepath.Dir(dir) {
			if info, err := os.Stat(dir); err == nil && info.Mode().Perm()&0o007 == 0 {
				private = true
			}
		}
		if !private {
			t.Errorf("the socket %s can be reached by everybody", name)
		}
	}
}

// sockets are the names of the unix sockets that the agent and its drivers' hosts have open, and what was looked at.
func (a *agent) sockets(t *testing.T) (names []string, seen string) {
	t.Helper()
	inodes := map[string]bool{}
	var holders []string
	for _, p := range a.Processes() {
		if p.Kind == "task" {
			continue
		}
		holders = append(holders, fmt.Sprintf("%s %d", p.Kind, p.PID))
		fds, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.PID))
		for _, fd := range fds {
			target, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", p.PID, fd.Name()))
			if inode, ok := strings.CutPrefix(target, "socket:["); ok {
				inodes[strings.TrimSuffix(inode, "]")] = true
			}
		}
	}
	// The whole table at once: it changes between two reads.
	table, err := os.ReadFile("/proc/thread-self/net/unix")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(table)) {
		if f := strings.Fields(line); len(f) > 7 && inodes[f[6]] && !slices.Contains(names, f[7]) {
			names = append(names, f[7])
		}
	}
	return names, fmt.Sprintf("%q hold %d sockets; of %d unix sockets in the table %d are theirs and have names", holders, len(inodes), strings.Count(string(table), "\n"), len(names))
}

// TestEscapeManyArtifacts: artifacts fetched at the same time, to the same place of many allocations, each reach their own.
func TestEscapeManyArtifacts(t *testing.T) {
	t.Parallel()
	needRoot(t)
	const n = 30
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("this is "+r.URL.Path+"\n", 1000))
	}))
	defer server.Close()
	a := shared(t)
	id := a.jobID(t)
	a.register(t, oneGroup(id, "batch", "count = "+strconv.Itoa(n), noRestart, fmt.Sprintf(`
task "t" {
  driver = "raw_exec"
  config {
    command = "/bin/sh"
    args    = ["-c", "uniq -c local/page && sort -u local/page | grep -qx \"this is /$NOMAD_ALLOC_INDEX\""]
  }
  artifact {
    source      = "%s/${NOMAD_ALLOC_INDEX}"
    destination = "local/page"
    mode        = "file"
  }
  resources {
    cpu    = 10
    memory = 16
  }
}`, server.URL)))
	a.waitStatus(t, id, "complete", n)
}

// stranger is a user of the node who has nothing to do with serai.
const stranger = 54321

// asStranger runs a script as that user and fails for every line that it begins with "CAN".
func asStranger(t *testing.T, script string) {
	t.Helper()
	cmd := exec.Command("sh", "-c", `can() { if "$@" >/dev/null 2>&1 </dev/null; then echo "CAN $*"; fi; }
`+script+`
echo end`)
	cmd.Dir, cmd.Env = "/", []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: stranger, Gid: stranger}}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.HasSuffix(string(out), "end\n") {
		t.Fatalf("%v: %s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "CAN ") {
			t.Errorf("a user of the node %s", line)
		}
	}
}

// connects is whether that user may connect to a socket.
func connects(path string) bool {
	done := make(chan bool)
	go func() {
		runtime.LockOSThread() // and never unlocked: this thread stays the stranger
		_, _, _ = syscall.RawSyscall(syscall.SYS_SETGROUPS, 0, 0, 0)
		_, _, _ = syscall.RawSyscall(syscall.SYS_SETRESGID, stranger, stranger, stranger)
		_, _, _ = syscall.RawSyscall(syscall.SYS_SETRESUID, stranger, stranger, stranger)
		fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
		if err == nil {
			err = syscall.Connect(fd, &syscall.SockaddrUnix{Name: path})
			_ = syscall.Close(fd)
		}
		done <- err == nil
	}()
	return <-done
}

// TestEscapeNodeUser: a user of the node, who is no task's, reaches nothing of the agent's and of its tasks': files, pipes, logs, sockets, processes; nor
// a program with root's rights that a task of root's has left. Whoever lets everybody pass through data_dir opens the logs and what tasks have opened
// themselves (the doctor says so), and nothing else.
func TestEscapeNodeUser(t *testing.T) {
	t.Parallel()
	needRoot(t)
	a := start(t, rig.Options{})
	for p := a.Dir; p != "/tmp" && p != "/"; p = filepath.Dir(p) {
		if err := os.Chmod(p, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	id := a.jobID(t)
	rooted := execTask("exec", `umask 077
echo planted > /secrets/s; echo planted > /local/own; echo planted > /alloc/data/own
cp /usr/bin/id /alloc/data/id; chmod 6755 /alloc/data/id; cp /usr/bin/id /local/id; chmod 6755 /local/id
echo planted; exec sleep 600`, `user = "root"`)
	a.register(t, oneGroup(id, "service", rooted, shell("raw", "umask 077; echo planted > $NOMAD_SECRETS_DIR/s; echo planted; exec sleep 600")))
	s := a.waitOne(t, id, "running")
	a.waitLogs(t, s.ID, "exec", "stdout", "planted")
	a.waitLogs(t, s.ID, "raw", "stdout", "planted")
	var processes []string
	for _, p := range a.Processes() {
		processes = append(processes, strconv.Itoa(p.PID))
	}
	if len(processes) < 3 {
		t.Fatalf("only %q", processes)
	}
	asStranger(t, "for p in "+strings.Join(processes, " ")+`; do
can kill -0 $p; can cat /proc/$p/environ; can ls /proc/$p/fd/; can ls /proc/$p/root/; can ls /proc/$p/cwd/; can head -c 1 /proc/$p/mem; can cat /proc/$p/maps
done`)
	dir := a.allocDir(t, s.ID)
	// What lies in a directory of a task's is closed by the data directory, the rest by its own mode too.
	closed := fmt.Sprintf(`cd %s 2>/dev/null
for task in exec raw; do
can ls %[2]s/$task/secrets; can cat %[2]s/$task/secrets/s; can touch %[2]s/$task/secrets/x; can ls %[2]s/$task/private
for fifo in stdout stderr; do can timeout 1 sh -c "echo forged >%[2]s/alloc/logs/.$task.$fifo.fifo"; can timeout 1 head -c 1 %[2]s/alloc/logs/.$task.$fifo.fifo; done
can touch %[2]s/alloc/logs/x; can mv %[2]s/alloc/logs %[2]s/alloc/gone; can mv %[2]s/$task/secrets %[2]s/$task/gone
done
can ls %[2]s; can ls %[3]s; can touch %[2]s/x; can rm -r %[2]s/exec; can cat %[2]s/exec/local/own
can find %[1]s -name '*.db' -readable; can find %[1]s -path '*/alloc' -prune -o -type f -readable -print -quit -false; can ls %[1]s/client; can ls %[1]s/server; can touch %[1]s/x`,
		a.DataDir(), dir, filepath.Dir(dir))
	// "find" ends well when it has found nothing, so what it says counts.
	closed = strings.ReplaceAll(closed, "can find", "found find")
	closed = "found() { if [ -n \"$(\"$@\" 2>/dev/null)\" ]; then echo \"CAN $*\"; fi; }\n" + closed
	asStranger(t, closed+fmt.Sprintf(`
can ls %[1]s; can %[2]s/alloc/data/id; can %[2]s/exec/local/id; can touch %[2]s/alloc/data/x; can touch %[2]s/exec/local/x; can cat %[2]s/alloc/data/own; can cat %[2]s/alloc/logs/exec.stdout.0`, a.DataDir(), dir))
	names, _ := a.sockets(t)
	for _, opened := range []bool{false, true} {
		if opened {
			if err := os.Chmod(a.DataDir(), 0o711); err != nil {
				t.Fatal(err)
			}
			asStranger(t, closed)
		}
		for _, name := range names {
			if connects(name) {
				t.Errorf("a user of the node can connect to %s", name)
			}
		}
	}
}

// TestEscapeFlood: a command that writes without end to somebody who does not read takes nobody's memory.
func TestEscapeFlood(t *testing.T) {
	t.Parallel()
	needRoot(t)
	a := start(t, rig.Options{})
	id := a.jobID(t)
	a.register(t, oneGroup(id, "service", execTask("t", "echo up; exec sleep 600")))
	s := a.waitOne(t, id, "running")
	a.waitLogs(t, s.ID, "t", "stdout", "up")
	var holders []int
	for _, p := range a.Processes() {
		if p.Kind != "task" {
			holders = append(holders, p.PID)
		}
	}
	before := residentOf(holders)
	cmd := exec.CommandContext(t.Context(), binary, "alloc", "exec", "-address", a.Address, "-task", "t", s.ID, "sh", "-c", "head -c 64 /dev/zero; touch /local/begun; yes 0123456789abcdef0123456789abcdef")
	out, err := cmd.StdoutPipe() // which nobody reads
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the command", func() (bool, string) {
		_, err := os.Stat(filepath.Join(a.allocDir(t, s.ID), "t/local/begun"))
		return err == nil, fmt.Sprint(err)
	})
	for range 20 {
		if grown := residentOf(holders) - before; grown > 48<<20 {
			t.Errorf("what nobody reads takes %d MiB of memory", grown>>20)
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	_ = cmd.Process.Kill()
	_, _ = io.Copy(io.Discard, out)
	_ = cmd.Wait()
}

// residentOf is the memory of these processes, in bytes.
func residentOf(pids []int) (sum int64) {
	for _, pid := range pids {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
		var size, resident int64
		_, _ = fmt.Sscan(string(b), &size, &resident)
		sum += resident * int64(os.Getpagesize())
	}
	return sum
}
