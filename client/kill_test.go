package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/artifact/fetch"
	"github.com/seraihq/serai/client/steps"
	"github.com/seraihq/serai/drivers/host"
)

// The first thread stays with the main goroutine, as in a driver's host: tests
// with drivers in this process would leave it in a container's namespaces.
func init() { runtime.LockOSThread() }

// The test binary is also the driver host, as the real binary is, and a client
// agent of its own that can be killed.
func TestMain(m *testing.M) {
	fetch.Main(os.Args)
	if host.Main(os.Args) {
		return
	}
	if dir := os.Getenv("SERAI_TEST_CLIENT"); dir != "" {
		runChild(dir, os.Getenv("SERAI_TEST_SERVER"))
		return
	}
	goleak.VerifyTestMain(m)
}

func runChild(dir, server string) {
	cfg := configIn(dir, remote{server})
	cfg.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
	cfg.Drivers.InProcess = false
	c, err := New(cfg)
	if err == nil {
		err = c.Run(context.Background())
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// remote is a server in another process.
type remote struct{ url string }

func call[T any](ctx context.Context, r remote, path string, in any) (T, error) {
	var out T
	b, err := json.Marshal(in)
	if err != nil {
		return out, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url+path, bytes.NewReader(b))
	if err != nil {
		return out, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return out, err
	}
	defer resp.Body.Close()
	return out, json.NewDecoder(resp.Body).Decode(&out)
}

func (r remote) Register(ctx context.Context, req *api.NodeRegisterRequest) (*api.NodeRegisterResponse, error) {
	return call[*api.NodeRegisterResponse](ctx, r, "/register", req)
}

func (r remote) Heartbeat(ctx context.Context, req *api.NodeHeartbeatRequest) (*api.NodeRegisterResponse, error) {
	return call[*api.NodeRegisterResponse](ctx, r, "/heartbeat", req)
}

func (r remote) UpdateAllocs(ctx context.Context, req *api.AllocUpdateRequest) error {
	_, err := call[bool](ctx, r, "/update", req)
	return err
}

func (r remote) Sync(ctx context.Context, in *api.NodeSyncRequest, receive func(*api.NodeSync) error) error {
	b, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url+"/sync", bytes.NewReader(b))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	messages := json.NewDecoder(resp.Body)
	for {
		var m api.NodeSync
		if err := messages.Decode(&m); err != nil {
			return err
		}
		if err := receive(&m); err != nil {
			return err
		}
	}
}

// serve makes the cluster reachable for a child.
func serve(t *testing.T, c *cluster) string {
	t.Helper()
	answer := func(w http.ResponseWriter, v any, err error) {
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_ = json.NewEncoder(w).Encode(v)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/register", func(w http.ResponseWriter, r *http.Request) {
		var req api.NodeRegisterRequest
		_ = json.NewDecoder(r.Body).Decode(&req)
		resp, err := c.Register(r.Context(), &req)
		answer(w, resp, err)
	})
	mux.HandleFunc("/heartbeat", func(w http.ResponseWriter, r *http.Request) {
		resp, err := c.Heartbeat(r.Context(), nil)
		answer(w, resp, err)
	})
	mux.HandleFunc("/update", func(w http.ResponseWriter, r *http.Request) {
		var req api.AllocUpdateRequest
		_ = json.NewDecoder(r.Body).Decode(&req)
		answer(w, true, c.UpdateAllocs(r.Context(), &req))
	})
	mux.HandleFunc("/sync", func(w http.ResponseWriter, r *http.Request) {
		req := new(api.NodeSyncRequest)
		if err := json.NewDecoder(r.Body).Decode(req); err != nil {
			answer(w, nil, err)
			return
		}
		enc := json.NewEncoder(w)
		_ = c.Sync(r.Context(), req, func(m *api.NodeSync) error {
			err := enc.Encode(m)
			w.(http.Flusher).Flush()
			return err
		})
	})
	s := httptest.NewServer(mux)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s.URL
}

// scratch makes a directory for a child, and in the end removes it with all
// that the child left: its driver hosts, its tasks' mounts.
func scratch(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Cleanup(func() {
		names, _ := filepath.Glob("/proc/[0-9]*/environ")
		for _, name := range names {
			b, err := os.ReadFile(name)
			pid, _ := strconv.Atoi(strings.Split(name, "/")[2])
			if err == nil && pid != os.Getpid() && bytes.Contains(b, []byte(dir+"/")) {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		allocs, _ := os.ReadDir(filepath.Join(dir, "alloc"))
		for _, a := range allocs {
			if err := steps.RemoveAll(filepath.Join(dir, "alloc", a.Name())); err != nil {
				t.Error(err)
			}
		}
	})
	return dir
}

// child is a client in a process of its own.
type child struct {
	cmd *exec.Cmd
	log bytes.Buffer
}

func startChild(t *testing.T, dir, url string) *child {
	t.Helper()
	c := &child{cmd: exec.Command("/proc/self/exe")}
	c.cmd.Env = append(os.Environ(), "SERAI_TEST_CLIENT="+dir, "SERAI_TEST_SERVER="+url)
	c.cmd.Stderr = &c.log
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *child) kill(t *testing.T) {
	t.Helper()
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait()
	if t.Failed() || testing.Verbose() {
		t.Logf("client's log:\n%s", c.log.String())
	}
}

const counter = `echo $$ >$NOMAD_TASK_DIR/pid; i=0; while [ $i -lt %d ]; do i=$((i+1)); echo line $i; done; while [ ! -e $NOMAD_TASK_DIR/end ]; do sleep 0.05; done`

// A client that is killed at any time leaves its tasks running, finds them
// again with the same pid, and not one line of their output is missing.
func TestKilledClient(t *testing.T) {
	if testing.Short() {
		t.Skip("kills processes")
	}
	dir := scratch(t)
	s := newCluster()
	url := serve(t, s)
	const lines = 400_000
	alloc := newAlloc("service", shell("main", fmt.Sprintf(counter, lines)))
	alloc.Job.Type = "batch"
	s.put(alloc)
	c := startChild(t, dir, url)
	s.status(t, alloc.ID, api.AllocClientRunning)
	taskDir := filepath.Join(dir, "alloc", alloc.ID)
	pid := waitForPid(t, filepath.Join(taskDir, "main/local/pid"))
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	for range 5 {
		time.Sleep(100 * time.Millisecond) // at any moment while it writes
		c.kill(t)
		if err := syscall.Kill(pid, 0); err != nil {
			t.Fatalf("the task ended with the client: %v", err)
		}
		c = startChild(t, dir, url)
	}
	defer func() { c.kill(t) }()
	eventually(t, "all lines written", func() bool {
		b, err := lastBytes(taskDir)
		return err == nil && strings.HasSuffix(b, fmt.Sprintf("line %d\n", lines))
	})
	if err := os.WriteFile(filepath.Join(taskDir, "main/local/end"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	got := s.status(t, alloc.ID, api.AllocClientComplete)
	if st := got.TaskStates["main"]; st.Restarts != 0 || types(st) != "Received, Task Setup, Started, Terminated" {
		t.Errorf("restarts %d, events %s", st.Restarts, types(st))
	}
	checkLines(t, taskDir, lines)
}

// A driver host that is killed leaves its tasks running too; how they end is
// still learned where the kernel tells, and their output is whole.
func TestKilledDriverHost(t *testing.T) {
	if testing.Short() {
		t.Skip("kills processes")
	}
	dir := scratch(t)
	s := newCluster()
	url := serve(t, s)
	const lines = 50_000
	alloc := newAlloc("batch", shell("main", fmt.Sprintf(counter, lines)))
	s.put(alloc)
	c := startChild(t, dir, url)
	defer func() { c.kill(t) }()
	s.status(t, alloc.ID, api.AllocClientRunning)
	taskDir := filepath.Join(dir, "alloc", alloc.ID)
	pid := waitForPid(t, filepath.Join(taskDir, "main/local/pid"))
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	killed := 0
	for _, p := range childrenOf(c.cmd.Process.Pid) {
		if err := syscall.Kill(p, syscall.SIGKILL); err == nil {
			killed++
		}
	}
	if killed == 0 {
		t.Fatal("no driver host found")
	}
	if err := os.WriteFile(filepath.Join(taskDir, "main/local/end"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the task has ended", func() bool { return syscall.Kill(pid, 0) != nil })
	s.await(t, "over", func() bool { return s.allocs[alloc.ID].ClientTerminal() })
	if st := s.allocs[alloc.ID].TaskStates["main"]; st.Restarts != 0 {
		t.Errorf("restarts %d, events %s", st.Restarts, types(st))
	}
	checkLines(t, taskDir, lines)
}

func configIn(dir string, s Server) Config {
	return Config{
		Server: s, Name: "node-1", StateDir: filepath.Join(dir, "client"), AllocDir: filepath.Join(dir, "alloc"),
		Drivers: driversConfig(), Fingerprint: loopback,
	}
}

func waitForPid(t *testing.T, path string) (pid int) {
	t.Helper()
	eventually(t, "pid", func() bool {
		b, _ := os.ReadFile(path)
		pid, _ = strconv.Atoi(strings.TrimSpace(string(b)))
		return pid > 0
	})
	return pid
}

func childrenOf(parent int) []int {
	var out []int
	names, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range names {
		b, _ := os.ReadFile(name)
		_, rest, _ := strings.Cut(string(b), ") ")
		fields := strings.Fields(rest)
		if len(fields) > 1 && fields[1] == strconv.Itoa(parent) {
			pid, _ := strconv.Atoi(strings.Split(name, "/")[2])
			out = append(out, pid)
		}
	}
	return out
}

func logFiles(taskDir string) []string {
	var out []string
	for i := 0; ; i++ {
		name := filepath.Join(taskDir, "alloc/logs", fmt.Sprintf("main.stdout.%d", i))
		if _, err := os.Stat(name); err != nil {
			return out
		}
		out = append(out, name)
	}
}

func lastBytes(taskDir string) (string, error) {
	names := logFiles(taskDir)
	if len(names) == 0 {
		return "", io.EOF
	}
	f, err := os.Open(names[len(names)-1])
	if err != nil {
		return "", err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return "", err
	}
	b := make([]byte, min(64, st.Size()))
	_, err = f.ReadAt(b, st.Size()-int64(len(b)))
	return string(b), err
}

func checkLines(t *testing.T, taskDir string, lines int) {
	t.Helper()
	var want bytes.Buffer
	for i := 1; i <= lines; i++ {
		fmt.Fprintf(&want, "line %d\n", i)
	}
	var got bytes.Buffer
	for _, name := range logFiles(taskDir) {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		got.Write(b)
	}
	if !bytes.Equal(got.Bytes(), want.Bytes()) {
		at := 0
		for at < got.Len() && at < want.Len() && got.Bytes()[at] == want.Bytes()[at] {
			at++
		}
		t.Errorf("%d bytes kept, want %d; the first difference is at %d: %.60q", got.Len(), want.Len(), at, got.Bytes()[max(0, at-20):])
	}
}
