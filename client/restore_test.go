package client

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
)

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

// A client says what it has, and is told what it missed: that one was removed, and
// not a word of the one that is as it was.
func TestStreamsBeginWithWhatIsDifferent(t *testing.T) {
	dir := t.TempDir()
	s := newCluster()
	cfg := config(t, dir, s)
	a := start(t, cfg)
	stays, goes := newAlloc("service", shell("main", "exec sleep 1000")), newAlloc("service", shell("main", "exec sleep 1000"))
	s.put(stays, goes)
	s.status(t, stays.ID, api.AllocClientRunning)
	s.status(t, goes.ID, api.AllocClientRunning)
	a.end(t)
	s.mu.Lock()
	delete(s.allocs, goes.ID)
	s.mu.Unlock()
	cfg.StopTasks = true
	b := start(t, cfg)
	var first *api.NodeSync
	eventually(t, "the second stream", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.firsts) == 2 {
			first = s.firsts[1]
		}
		return first != nil
	})
	eventually(t, "the end of what was removed", func() bool {
		e, ok := b.lookup(goes.ID)
		return !ok || e.Over()
	})
	if !first.Resumed || len(first.Allocs) != 0 || len(first.Removed) != 1 {
		t.Errorf("the stream begins with %+v", first)
	}
	if e, ok := b.lookup(stays.ID); !ok || e.Over() {
		t.Error("what was not named has ended")
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
