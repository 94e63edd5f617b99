package e2e

import (
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/seraihq/serai/drivers/drivertest"
	"github.com/seraihq/serai/e2e/rig"
)

// A suspended task does not run, stays so over a restart of the agent and of the driver's process, and hears afterwards what was said meanwhile.
func TestSuspendAndResume(t *testing.T) {
	for _, driver := range []string{"raw_exec", "exec"} {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			needRoot(t)
			a := start(t, rig.Options{})
			id := a.jobID(t)
			a.register(t, strings.ReplaceAll(oneGroup(id, "service",
				shell("t", `trap "echo heard" HUP; trap "exit 0" INT TERM; echo ready; while true; do sleep 0.05; done`, `kill_timeout = "5s"`)), `"raw_exec"`, strconv.Quote(driver)))
			s := a.waitOne(t, id, "running")
			a.waitLogs(t, s.ID, "t", "stdout", "ready\n")
			a.ok(t, "alloc", "suspend", s.ID)
			a.waitSuspended(t, s.ID, true)
			if e := event(a.alloc(t, s.ID), "t", "Suspended"); e == nil {
				t.Errorf("the event is missing: %v", events(a.alloc(t, s.ID), "t"))
			}
			if out := a.ok(t, "alloc", "status", s.ID); !strings.Contains(out, "(suspended)") {
				t.Errorf("the status does not say so:\n%s", out)
			}
			if r := a.cli(t, "alloc", "exec", s.ID, "true"); r.code == 0 || !strings.Contains(r.all(), "suspended") {
				t.Errorf("a command in a suspended task: %s", r)
			}
			a.ok(t, "alloc", "signal", "-s", "SIGHUP", s.ID)
			if err := a.Kill(); err != nil {
				t.Fatal(err)
			}
			a.launch(t)
			a.waitSuspended(t, s.ID, true)
			if out := a.logs(t, s.ID, "t", "stdout"); out != "ready\n" {
				t.Errorf("it wrote %q", out)
			}
			a.ok(t, "alloc", "resume", s.ID, "t")
			a.waitSuspended(t, s.ID, false)
			a.waitLogs(t, s.ID, "t", "stdout", "ready\nheard\n")
			if ts := a.alloc(t, s.ID).TaskStates["t"]; ts.Restarts != 0 {
				t.Errorf("it was restarted: %+v", ts)
			}
			// It ends as any other.
			a.ok(t, "alloc", "suspend", s.ID)
			a.ok(t, "job", "stop", id)
			a.waitOne(t, id, "complete")
			if r := a.cli(t, "alloc", "suspend", s.ID); r.code == 0 || !strings.Contains(r.all(), "no task") {
				t.Errorf("an ended allocation was suspended: %s", r)
			}
		})
	}
}

// waitSuspended waits until the servers know that a task is suspended, or is not.
func (a *agent) waitSuspended(t *testing.T, id string, want bool) {
	t.Helper()
	eventually(t, "the task's state", func() (bool, string) {
		var alloc struct {
			TaskStates map[string]struct {
				State     string
				Suspended bool
			}
		}
		a.get(t, "/v1/allocation/"+id, &alloc)
		ts := alloc.TaskStates["t"]
		return ts.State == "running" && ts.Suspended == want, ts.State + " suspended=" + strconv.FormatBool(ts.Suspended)
	})
}

// A driver that cannot says so.
func TestSuspendRefused(t *testing.T) {
	t.Parallel()
	a := shared(t)
	id := a.jobID(t)
	a.register(t, oneGroup(id, "service", "task \"t\" {\n driver = \"mock_driver\"\n config { run_for = \"1h\" }\n}"))
	s := a.waitOne(t, id, "running")
	if r := a.cli(t, "alloc", "suspend", s.ID); r.code == 0 || !strings.Contains(r.all(), "cannot suspend") {
		t.Errorf("%s", r)
	}
}

// A task is written down and goes on from there, with what it had in memory.
func TestCheckpointAndRestore(t *testing.T) {
	drivertest.CRIU()
	const script = `trap "exit 0" INT TERM USR1; i=0; while true; do i=$((i+1)); echo n $i; sleep 0.05; done`
	t.Run("exec", func(t *testing.T) {
		t.Parallel()
		needRoot(t)
		testCheckpoint(t, start(t, rig.Options{}), execTask("t", script, `user = "root"`))
	})
	t.Run("container", func(t *testing.T) {
		t.Parallel()
		ref, host := busyboxImage(t)
		testCheckpoint(t, containerAgent(t, host), containerTask("t", ref, script, `user = "root"`))
	})
}

func testCheckpoint(t *testing.T, a *agent, task string) {
	works := exec.Command("criu", "check").Run() == nil
	id := a.jobID(t)
	a.register(t, oneGroup(id, "service", task))
	s := a.waitOne(t, id, "running")
	a.waitLogs(t, s.ID, "t", "stdout", "n 5\n")
	if r := a.cli(t, "alloc", "restore", s.ID); r.code == 0 || !strings.Contains(r.all(), "has a checkpoint") {
		t.Errorf("restored without a checkpoint: %s", r)
	}
	r := a.cli(t, "alloc", "checkpoint", s.ID)
	if !works {
		if r.code == 0 || !strings.Contains(r.all(), "CRIU") {
			t.Errorf("a node without CRIU: %s", r)
		}
		a.ok(t, "job", "stop", id)
		a.waitOne(t, id, "complete")
		t.Skip("not here: CRIU does not work on this node")
	}
	if r.code != 0 {
		t.Fatal(r)
	}
	eventually(t, "the event", func() (bool, string) {
		alloc := a.alloc(t, s.ID)
		return event(alloc, "t", "Checkpointed") != nil, strings.Join(events(alloc, "t"), ", ")
	})
	if r := a.cli(t, "alloc", "fs", s.ID, ".checkpoints"); r.code == 0 {
		t.Errorf("readers of files see the task's memory: %s", r)
	}
	a.waitLogs(t, s.ID, "t", "stdout", "n 40\n")
	a.ok(t, "alloc", "restore", s.ID, "t")
	eventually(t, "the task goes on from its checkpoint", func() (bool, string) {
		out := a.logs(t, s.ID, "t", "stdout")
		return strings.Count(out, "\nn 30\n") == 2 && strings.Count(out, "n 1\n") == 1, out
	})
	a.ok(t, "job", "stop", id)
	a.waitOne(t, id, "complete")
}
