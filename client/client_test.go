package client

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seraihq/serai/api"
)

func TestNodeIsRegistered(t *testing.T) {
	s := newCluster()
	began := time.Now()
	a := dev(t, s)
	s.await(t, "node", func() bool { return s.node != nil })
	if took := time.Since(began); took > 3*time.Second {
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
	// What follows the start of another may write before it does.
	after := "while ! grep -q main $NOMAD_ALLOC_DIR/data/order; do sleep 0.02; done; " + log
	alloc := newAlloc("batch",
		hook(shell("cleanup", fmt.Sprintf(log, "poststop")), api.HookPoststop, false),
		shell("main", fmt.Sprintf(log, "main")+"; sleep 0.2"),
		hook(shell("init", fmt.Sprintf(log, "prestart")), api.HookPrestart, false),
		hook(shell("side", "sleep 1000"), api.HookPrestart, true),
		hook(shell("after", fmt.Sprintf(after, "poststart")), api.HookPoststart, false),
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
