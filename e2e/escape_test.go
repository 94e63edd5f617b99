package e2e

import (
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
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
	for _, route := range []string{"cat", "readat"} {
		resp, err := http.Get(a.Address + "/v1/client/fs/" + route + "/" + s.ID + "?offset=0&limit=100&path=t/local/page.html")
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
