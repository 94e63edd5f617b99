package client

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/driverset"
	"github.com/seraihq/serai/client/fingerprint"
)

// cluster is a server that remembers what it was told.
type cluster struct {
	mu      sync.Mutex
	node    *api.Node
	allocs  map[string]*api.Allocation // as a server has them
	said    []*api.Allocation          // every update, in order
	index   uint64
	streams map[chan *api.NodeSync]bool
	changed chan struct{} // closed at each change
	refuse  error         // answers every call
}

func newCluster() *cluster {
	return &cluster{allocs: map[string]*api.Allocation{}, streams: map[chan *api.NodeSync]bool{}, changed: make(chan struct{})}
}

func (c *cluster) bump() {
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *cluster) Register(_ context.Context, req *api.NodeRegisterRequest) (*api.NodeRegisterResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refuse != nil {
		return nil, c.refuse
	}
	c.node = req.Node
	c.bump()
	return &api.NodeRegisterResponse{HeartbeatTTL: api.Duration(time.Second)}, nil
}

func (c *cluster) Heartbeat(context.Context, *api.NodeHeartbeatRequest) (*api.NodeRegisterResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refuse != nil {
		return nil, c.refuse
	}
	if c.node == nil {
		return nil, api.Errorf(api.ErrNotFound, "node not found")
	}
	return &api.NodeRegisterResponse{HeartbeatTTL: api.Duration(time.Second)}, nil
}

func (c *cluster) Sync(ctx context.Context, _ *api.NodeSyncRequest, receive func(*api.NodeSync) error) error {
	ch := make(chan *api.NodeSync, 100)
	c.mu.Lock()
	if c.refuse != nil {
		c.mu.Unlock()
		return c.refuse
	}
	full := &api.NodeSync{Index: c.index, Full: true}
	for _, a := range c.allocs {
		full.Allocs = append(full.Allocs, a)
	}
	c.streams[ch] = true
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.streams, ch)
	}()
	if err := receive(full); err != nil {
		return err
	}
	for {
		select {
		case m := <-ch:
			if err := receive(m); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (c *cluster) UpdateAllocs(_ context.Context, req *api.AllocUpdateRequest) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refuse != nil {
		return c.refuse
	}
	for _, u := range req.Allocs {
		c.said = append(c.said, u)
		if a := c.allocs[u.ID]; a != nil {
			next := *a
			next.ClientStatus, next.ClientDescription, next.TaskStates = u.ClientStatus, u.ClientDescription, u.TaskStates
			next.DeploymentStatus = u.DeploymentStatus
			c.allocs[u.ID] = &next
		}
	}
	c.bump()
	return nil
}

// put places allocations, or changes them, and tells the client.
func (c *cluster) put(allocs ...*api.Allocation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.index++
	for _, a := range allocs {
		a.AllocModifyIndex = c.index
		c.allocs[a.ID] = a
	}
	for ch := range c.streams {
		ch <- &api.NodeSync{Index: c.index, Allocs: allocs}
	}
}

func (c *cluster) stop(id string) {
	c.mu.Lock()
	next := *c.allocs[id]
	c.mu.Unlock()
	next.DesiredStatus = api.AllocDesiredStop
	c.put(&next)
}

func (c *cluster) remove(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.allocs, id)
	for ch := range c.streams {
		ch <- &api.NodeSync{Removed: []string{id}}
	}
}

// await waits until the condition holds, looking at every change.
func (c *cluster) await(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		c.mu.Lock()
		ok, changed := is(), c.changed
		c.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			c.mu.Lock()
			defer c.mu.Unlock()
			for _, a := range c.allocs {
				t.Logf("%s: %s %q", a.ID, a.ClientStatus, a.ClientDescription)
				for name, ts := range a.TaskStates {
					for _, e := range ts.Events {
						t.Logf("   %s %s: %s", name, e.Type, e.DisplayMessage)
					}
				}
			}
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}

func (c *cluster) status(t *testing.T, id, want string) *api.Allocation {
	t.Helper()
	c.await(t, "allocation "+want, func() bool { return c.allocs[id].ClientStatus == want })
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.allocs[id]
}

type agent struct {
	*Client
	dir    string
	cancel context.CancelFunc
	done   chan error
}

func config(t *testing.T, dir string, s Server) Config {
	level := slog.LevelWarn
	if os.Getenv("SERAI_TEST_LOG") != "" {
		level = slog.LevelDebug
	}
	cfg := configIn(dir, s)
	cfg.Logger = slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: level}))
	return cfg
}

var loopback = fingerprint.Config{NetworkInterface: "lo"}

func driversConfig() driverset.Config {
	return driverset.Config{InProcess: true, Plugins: map[string]map[string]any{"raw_exec": {"enabled": true}}}
}

// testWriter writes to the test's log.
type testWriter struct{ t *testing.T }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

func start(t *testing.T, cfg Config) *agent {
	t.Helper()
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	a := &agent{Client: c, cancel: cancel, done: make(chan error, 1)}
	go func() { a.done <- c.Run(ctx) }()
	t.Cleanup(func() { a.end(t) })
	return a
}

func (a *agent) end(t *testing.T) {
	t.Helper()
	a.cancel()
	if a.done == nil {
		return
	}
	select {
	case err := <-a.done:
		a.done = nil
		if err != nil {
			t.Error(err)
		}
	case <-time.After(60 * time.Second):
		t.Fatal("the client does not end")
	}
}

// dev starts a client whose tasks end with it.
func dev(t *testing.T, s Server) *agent {
	t.Helper()
	cfg := config(t, t.TempDir(), s)
	cfg.StopTasks = true
	return start(t, cfg)
}

func mockTask(name string, cfg map[string]any) *api.Task {
	return &api.Task{
		Name: name, Driver: "mock_driver", Config: cfg, KillTimeout: api.Duration(5 * time.Second),
		RestartPolicy: &api.RestartPolicy{Attempts: 0, Interval: api.Duration(time.Minute), Mode: api.RestartModeFail},
		Resources:     &api.Resources{CPU: 100, MemoryMB: 64},
	}
}

func shell(name, script string) *api.Task {
	t := mockTask(name, map[string]any{"command": "/bin/sh", "args": []any{"-c", script}})
	t.Driver = "raw_exec"
	return t
}

func newAlloc(kind string, tasks ...*api.Task) *api.Allocation {
	job := &api.Job{
		ID: "web", Name: "web", Namespace: "default", Type: kind, Region: "global",
		TaskGroups: []*api.TaskGroup{{Name: "front", Count: 1, Tasks: tasks}},
	}
	resources := &api.AllocatedResources{Tasks: map[string]*api.AllocatedTaskResources{}}
	for _, t := range tasks {
		resources.Tasks[t.Name] = &api.AllocatedTaskResources{
			Cpu: api.AllocatedCpuResources{CpuShares: 100}, Memory: api.AllocatedMemoryResources{MemoryMB: 64},
		}
	}
	return &api.Allocation{
		ID: uuid.NewString(), Namespace: "default", Name: "web.front[0]", JobID: job.ID, Job: job, TaskGroup: "front",
		DesiredStatus: api.AllocDesiredRun, ClientStatus: api.AllocClientPending, AllocatedResources: resources,
	}
}

func types(st *api.TaskState) string {
	var out []string
	for _, e := range st.Events {
		out = append(out, e.Type)
	}
	return strings.Join(out, ", ")
}

func TestNodeIsRegistered(t *testing.T) {
	s := newCluster()
	began := time.Now()
	a := dev(t, s)
	s.await(t, "node", func() bool { return s.node != nil })
	if took := time.Since(began); took > 400*time.Millisecond {
		t.Errorf("ready after %v", took)
	}
	n := s.node
	if n.ID != a.NodeID() || n.Status != api.NodeStatusReady || n.Attributes["nomad.version"] == "" || n.SecretID == "" {
		t.Errorf("node %+v", n)
	}
	if d := n.Drivers["mock_driver"]; d == nil || !d.Healthy {
		t.Errorf("drivers %+v", n.Drivers)
	}
}

func TestServersThatComeLate(t *testing.T) {
	s := newCluster()
	s.refuse = api.ErrNoLeader
	a := dev(t, s)
	alloc := newAlloc("batch", mockTask("main", map[string]any{"run_for": "1ms"}))
	s.put(alloc)
	s.mu.Lock()
	s.refuse = nil
	s.mu.Unlock()
	s.status(t, alloc.ID, api.AllocClientComplete)
	_ = a
}

func TestBatchRuns(t *testing.T) {
	s := newCluster()
	dev(t, s)
	alloc := newAlloc("batch", shell("main", "echo hello; echo oops >&2; env >$NOMAD_TASK_DIR/env; exit 0"))
	s.put(alloc)
	got := s.status(t, alloc.ID, api.AllocClientComplete)
	want := "Received, Task Setup, Started, Terminated"
	if types(got.TaskStates["main"]) != want {
		t.Errorf("events %s, want %s", types(got.TaskStates["main"]), want)
	}
	running := false
	for _, u := range s.said {
		running = running || u.ClientStatus == api.AllocClientRunning
	}
	if !running {
		t.Error("it was never said to run")
	}
}

func TestLogsAndFiles(t *testing.T) {
	s := newCluster()
	a := dev(t, s)
	alloc := newAlloc("batch", shell("main", "echo hello; echo oops >&2; echo secret >$NOMAD_SECRETS_DIR/s; env >$NOMAD_TASK_DIR/env"))
	s.put(alloc)
	s.status(t, alloc.ID, api.AllocClientComplete)
	ctx := t.Context()
	for kind, want := range map[string]string{Stdout: "hello\n", Stderr: "oops\n"} {
		var got strings.Builder
		for _, follow := range []bool{false, true} { // a follower of a dead task ends too
			got.Reset()
			req := LogsRequest{AllocID: alloc.ID, Task: "main", Type: kind}
			req.Follow = follow
			err := a.Logs(ctx, req, func(f *api.StreamFrame) error { got.Write(f.Data); return nil })
			if err != nil || got.String() != want {
				t.Errorf("%s follow=%v: %q %v", kind, follow, got.String(), err)
			}
		}
	}
	list, err := a.ListFiles(ctx, alloc.ID, "/main")
	if err != nil || len(list) != 4 {
		t.Errorf("%v %v", list, err)
	}
	f, err := a.ReadFileAt(ctx, alloc.ID, "main/local/env", 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 1<<16)
	n, _ := f.Read(b)
	if !strings.Contains(string(b[:n]), "NOMAD_ALLOC_ID="+alloc.ID+"\n") {
		t.Errorf("env %s", b[:n])
	}
	for _, path := range []string{"main/secrets/s", "main/secrets", "main/local/../secrets/s", "main/private"} {
		if _, err := a.ReadFileAt(ctx, alloc.ID, path, 0, 0); api.Status(err) != 403 {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := a.ListFiles(ctx, alloc.ID, "main/secrets"); api.Status(err) != 403 {
		t.Errorf("list of secrets: %v", err)
	}
}

func TestCommandNotFound(t *testing.T) {
	s := newCluster()
	dev(t, s)
	task := mockTask("main", map[string]any{"command": "/no/such/command"})
	task.Driver = "raw_exec"
	alloc := newAlloc("batch", task)
	s.put(alloc)
	got := s.status(t, alloc.ID, api.AllocClientFailed)
	found := false
	for _, e := range got.TaskStates["main"].Events {
		if e.Type == api.TaskDriverFailure {
			found = e.ExitCode == 127 && strings.Contains(e.DisplayMessage, "/no/such/command")
		}
	}
	if !found {
		t.Errorf("events %s", types(got.TaskStates["main"]))
	}
}

func TestUnknownDriverFails(t *testing.T) {
	s := newCluster()
	dev(t, s)
	task := mockTask("main", nil)
	task.Driver = "nope"
	alloc := newAlloc("batch", task)
	s.put(alloc)
	got := s.status(t, alloc.ID, api.AllocClientFailed)
	if !strings.Contains(types(got.TaskStates["main"]), api.TaskSetupFailure) {
		t.Errorf("events %s", types(got.TaskStates["main"]))
	}
}

func TestStop(t *testing.T) {
	s := newCluster()
	dev(t, s)
	alloc := newAlloc("service", shell("main", "trap 'exit 3' INT TERM; while :; do sleep 0.05; done"))
	s.put(alloc)
	s.status(t, alloc.ID, api.AllocClientRunning)
	s.stop(alloc.ID)
	got := s.status(t, alloc.ID, api.AllocClientComplete)
	if want := "Received, Task Setup, Started, Killing, Terminated, Killed"; types(got.TaskStates["main"]) != want {
		t.Errorf("events %s, want %s", types(got.TaskStates["main"]), want)
	}
}

func TestLifecycle(t *testing.T) {
	s := newCluster()
	dev(t, s)
	hook := func(t *api.Task, hook string, sidecar bool) *api.Task {
		t.Lifecycle = &api.TaskLifecycle{Hook: hook, Sidecar: sidecar}
		return t
	}
	log := "echo %s >>$NOMAD_ALLOC_DIR/data/order"
	alloc := newAlloc("batch",
		hook(shell("cleanup", fmt.Sprintf(log, "poststop")), api.HookPoststop, false),
		shell("main", fmt.Sprintf(log, "main")+"; sleep 0.2"),
		hook(shell("init", fmt.Sprintf(log, "prestart")), api.HookPrestart, false),
		hook(shell("side", "sleep 1000"), api.HookPrestart, true),
		hook(shell("after", fmt.Sprintf(log, "poststart")), api.HookPoststart, false),
	)
	s.put(alloc)
	got := s.status(t, alloc.ID, api.AllocClientComplete)
	b, err := os.ReadFile(filepath.Join(allocDir(t, s, alloc.ID), "alloc/data/order"))
	if err != nil || string(b) != "prestart\nmain\npoststart\npoststop\n" {
		t.Errorf("order %q %v", b, err)
	}
	if !strings.Contains(types(got.TaskStates["side"]), api.TaskMainDead) {
		t.Errorf("sidecar: %s", types(got.TaskStates["side"]))
	}
}

// allocDir finds an allocation's directory by the test's own directory.
func allocDir(t *testing.T, _ *cluster, id string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(filepath.Dir(t.TempDir()), "*", "alloc", id))
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	return found[0]
}

func TestRestartSignalExec(t *testing.T) {
	s := newCluster()
	a := dev(t, s)
	alloc := newAlloc("service", shell("main", "trap 'echo hup' HUP; echo up; while :; do sleep 0.05; done"))
	s.put(alloc)
	s.status(t, alloc.ID, api.AllocClientRunning)
	ctx := t.Context()
	var out strings.Builder
	code, err := a.Exec(ctx, ExecRequest{AllocID: alloc.ID, Command: []string{"/bin/sh", "-c", "echo $NOMAD_TASK_NAME; exit 5"}, Stdout: &out, Stderr: &out})
	if err != nil || code != 5 || out.String() != "main\n" {
		t.Errorf("exec: %d %q %v", code, out.String(), err)
	}
	if err := a.Signal(ctx, alloc.ID, "", "SIGHUP"); err != nil {
		t.Error(err)
	}
	got := ""
	req := LogsRequest{AllocID: alloc.ID, Task: "main", Type: Stdout}
	req.Follow = true
	lctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	_ = a.Logs(lctx, req, func(f *api.StreamFrame) error {
		if got += string(f.Data); strings.Contains(got, "hup") {
			cancel()
		}
		return nil
	})
	if got != "up\nhup\n" {
		t.Errorf("output %q", got)
	}
	if err := a.Restart(ctx, alloc.ID, "main", false); err != nil {
		t.Error(err)
	}
	s.await(t, "restart", func() bool {
		ts := s.allocs[alloc.ID].TaskStates["main"]
		return ts.Restarts == 1 && ts.State == api.TaskStateRunning
	})
	usage, err := a.AllocStats(ctx, alloc.ID, "")
	if err != nil || usage.Tasks["main"] == nil || usage.ResourceUsage.MemoryStats.Measured == nil {
		t.Errorf("stats %+v %v", usage, err)
	}
}

func TestCollect(t *testing.T) {
	s := newCluster()
	a := dev(t, s)
	ctx := t.Context()
	alloc := newAlloc("batch", mockTask("main", map[string]any{"run_for": "1ms"}))
	running := newAlloc("batch", mockTask("main", map[string]any{"run_for": "1h"}))
	gone := newAlloc("batch", mockTask("main", map[string]any{"run_for": "1h"}))
	s.put(alloc, running, gone)
	s.status(t, alloc.ID, api.AllocClientComplete)
	s.status(t, running.ID, api.AllocClientRunning)
	s.status(t, gone.ID, api.AllocClientRunning)
	if err := a.GCAlloc(ctx, running.ID); api.Status(err) != 400 {
		t.Errorf("a running allocation was collected: %v", err)
	}
	eventually(t, "collected", func() bool { return a.GCAlloc(ctx, alloc.ID) == nil && !a.HasAlloc(alloc.ID) })
	// What the servers do not know any more is ended and removed.
	s.remove(gone.ID)
	eventually(t, "forgotten", func() bool { return !a.HasAlloc(gone.ID) })
	if err := a.GCAll(ctx); err != nil || !a.HasAlloc(running.ID) {
		t.Error(err)
	}
	dirs, err := os.ReadDir(a.cfg.AllocDir)
	if err != nil || len(dirs) != 1 || dirs[0].Name() != running.ID {
		t.Errorf("left: %v %v", dirs, err)
	}
}

func TestMaxAllocs(t *testing.T) {
	s := newCluster()
	cfg := config(t, t.TempDir(), s)
	cfg.StopTasks, cfg.GC.MaxAllocs = true, 3
	a := start(t, cfg)
	var allocs []*api.Allocation
	for range 10 {
		allocs = append(allocs, newAlloc("batch", mockTask("main", map[string]any{"run_for": "1ms"})))
	}
	s.put(allocs...)
	eventually(t, "three kept", func() bool { return len(a.entries()) == 3 })
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for !is() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}

func TestMeta(t *testing.T) {
	s := newCluster()
	cfg := config(t, t.TempDir(), s)
	cfg.Meta = map[string]string{"rack": "r1", "zone": "a"}
	a := start(t, cfg)
	s.await(t, "node", func() bool { return s.node != nil })
	r2 := "r2"
	if _, err := a.ApplyMeta(t.Context(), map[string]*string{"rack": &r2, "zone": nil, "more": &r2}); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"rack": "r2", "more": "r2"}
	s.await(t, "new metadata", func() bool { return maps.Equal(s.node.Meta, want) })
	a.end(t)
	b := start(t, cfg)
	if got := b.Meta(); !maps.Equal(got.Meta, want) || got.Static["rack"] != "r1" {
		t.Errorf("after a restart: %+v", got)
	}
	if b.NodeID() != a.NodeID() {
		t.Error("the node has another ID")
	}
}

func TestHostStats(t *testing.T) {
	a := dev(t, newCluster())
	st, err := a.HostStats(t.Context())
	if err != nil || st.Memory.Total == 0 || len(st.CPU) == 0 || st.Uptime == 0 || st.AllocDirStats.Size == 0 {
		t.Errorf("%+v %v", st, err)
	}
}

func TestMaxRunDuration(t *testing.T) {
	s := newCluster()
	dev(t, s)
	alloc := newAlloc("batch", mockTask("main", map[string]any{"run_for": "1h"}))
	alloc.Job.TaskGroups[0].MaxRunDuration = api.Duration(100 * time.Millisecond)
	s.put(alloc)
	got := s.status(t, alloc.ID, api.AllocClientComplete)
	if !strings.Contains(got.ClientDescription, "100ms") {
		t.Errorf("description %q", got.ClientDescription)
	}
}

func TestSiblingFails(t *testing.T) {
	s := newCluster()
	dev(t, s)
	alloc := newAlloc("service", mockTask("bad", map[string]any{"run_for": "50ms", "exit_code": 1}), mockTask("good", map[string]any{"run_for": "1h"}))
	s.put(alloc)
	got := s.status(t, alloc.ID, api.AllocClientFailed)
	if !strings.Contains(types(got.TaskStates["good"]), api.TaskSiblingFailed) || got.TaskStates["good"].Failed || !got.TaskStates["bad"].Failed {
		t.Errorf("good: %s", types(got.TaskStates["good"]))
	}
}

func TestReplacementWaits(t *testing.T) {
	s := newCluster()
	dev(t, s)
	old := newAlloc("service", shell("main", "trap 'sleep 0.3; exit 0' INT TERM; while :; do sleep 0.02; done"))
	s.put(old)
	s.status(t, old.ID, api.AllocClientRunning)
	next := newAlloc("service", mockTask("main", map[string]any{"run_for": "1h"}))
	next.PreviousAllocation = old.ID
	s.put(next)
	s.stop(old.ID)
	s.status(t, next.ID, api.AllocClientRunning)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.allocs[old.ID].ClientStatus != api.AllocClientComplete {
		t.Errorf("the new one runs while the old one is %s", s.allocs[old.ID].ClientStatus)
	}
}

func Test500Allocs(t *testing.T) {
	s := newCluster()
	dev(t, s)
	s.await(t, "node", func() bool { return s.node != nil })
	job := newAlloc("service", mockTask("main", map[string]any{"run_for": "1h"}))
	var allocs []*api.Allocation
	for range 500 {
		a := *job
		a.ID = uuid.NewString()
		allocs = append(allocs, &a)
	}
	began := time.Now()
	s.put(allocs...)
	s.await(t, "all running", func() bool {
		n := 0
		for _, a := range s.allocs {
			if a.ClientStatus == api.AllocClientRunning {
				n++
			}
		}
		return n == 500
	})
	t.Logf("500 allocations running after %v, %d updates", time.Since(began), len(s.said))
}

// A client whose state is damaged starts all the same; what ran is not run twice.
func TestDamagedState(t *testing.T) {
	dir := t.TempDir()
	s := newCluster()
	cfg := config(t, dir, s)
	a := start(t, cfg)
	alloc := newAlloc("service", shell("main", "echo $$ >>$NOMAD_ALLOC_DIR/data/pids; exec sleep 1000"))
	s.put(alloc)
	s.status(t, alloc.ID, api.AllocClientRunning)
	pids := filepath.Join(dir, "alloc", alloc.ID, "alloc/data/pids")
	first := waitForPid(t, pids)
	a.end(t)
	if err := os.WriteFile(filepath.Join(dir, "client/state.db"), []byte("no database"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg.StopTasks = true
	b := start(t, cfg)
	s.await(t, "running anew", func() bool {
		ts := s.allocs[alloc.ID].TaskStates["main"]
		return ts != nil && ts.State == api.TaskStateRunning && b.HasAlloc(alloc.ID)
	})
	eventually(t, "the first one is gone", func() bool { return syscall.Kill(first, 0) != nil || zombie(first) })
	if second := waitForPid(t, pids); second == first {
		t.Error("the task was not started anew")
	}
	if b.NodeID() != a.NodeID() {
		t.Error("the node has another ID")
	}
	aside, _ := filepath.Glob(filepath.Join(dir, "client/state.db.damaged-*"))
	if len(aside) != 1 {
		t.Errorf("put aside: %v", aside)
	}
}

func zombie(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(b), ") ")
	return err != nil || strings.HasPrefix(rest, "Z")
}

// Tasks that end while no agent is there are told when one is there again, and
// are not run once more.
func TestEndedWhileAway(t *testing.T) {
	dir := t.TempDir()
	s := newCluster()
	cfg := config(t, dir, s)
	a := start(t, cfg)
	alloc := newAlloc("batch", mockTask("main", map[string]any{"run_for": "1ms"}))
	s.put(alloc)
	s.status(t, alloc.ID, api.AllocClientComplete)
	a.end(t)
	// The servers have forgotten that it ended.
	s.mu.Lock()
	lost := *s.allocs[alloc.ID]
	lost.ClientStatus, lost.TaskStates = api.AllocClientRunning, nil
	s.allocs[alloc.ID] = &lost
	s.mu.Unlock()
	cfg.StopTasks = true
	start(t, cfg)
	got := s.status(t, alloc.ID, api.AllocClientComplete)
	if types(got.TaskStates["main"]) != "Received, Task Setup, Started, Terminated" {
		t.Errorf("events %s", types(got.TaskStates["main"]))
	}
}

// What was running is not started before the servers were heard.
func TestNothingStartsUnheard(t *testing.T) {
	dir := t.TempDir()
	s := newCluster()
	cfg := config(t, dir, s)
	a := start(t, cfg)
	alloc := newAlloc("service", shell("main", "echo $$ >>$NOMAD_ALLOC_DIR/data/pids; exec sleep 1000"))
	alloc.Job.TaskGroups[0].Tasks[0].RestartPolicy = &api.RestartPolicy{Attempts: 1, Interval: api.Duration(time.Minute), Delay: 1, Mode: api.RestartModeFail}
	s.put(alloc)
	s.status(t, alloc.ID, api.AllocClientRunning)
	pids := filepath.Join(dir, "alloc", alloc.ID, "alloc/data/pids")
	pid := waitForPid(t, pids)
	a.end(t)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	s.refuse = api.ErrNoLeader
	s.mu.Unlock()
	cfg.StopTasks = true
	b := start(t, cfg)
	entry, ok := b.lookup(alloc.ID)
	eventually(t, "taken up", func() bool { entry, ok = b.lookup(alloc.ID); return ok })
	eventually(t, "its end is seen", func() bool {
		return entry.Reported().TaskStates["main"].Restarts == 1
	})
	if got, _ := os.ReadFile(pids); strings.Count(string(got), "\n") != 1 {
		t.Errorf("started before the servers were heard: %q", got)
	}
	s.mu.Lock()
	s.refuse = nil
	s.mu.Unlock()
	s.await(t, "running again", func() bool {
		ts := s.allocs[alloc.ID].TaskStates["main"]
		return ts != nil && ts.Restarts == 1 && ts.State == api.TaskStateRunning
	})
}
