package e2e

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/seraihq/serai/e2e/rig"
)

// whoami prints the user of a task and what it is called, and whether it can read and write its own directories.
const whoami = `echo uid=$(id -u)
echo gid=$(id -g)
echo name=$(id -un)
echo x > /local/mine && echo x > /secrets/mine && echo x > /alloc/data/mine-$NOMAD_TASK_NAME && echo writes
stat -c 'secrets=%u %a' /secrets
exec sleep 600`

// TestExecHandsOutUsers: tasks without a user run as one of their allocation's own, over a restart of the agent as well.
func TestExecHandsOutUsers(t *testing.T) {
	t.Parallel()
	needRoot(t)
	shared := t.TempDir()
	if err := os.Chmod(shared, 0o777); err != nil {
		t.Fatal(err)
	}
	a := start(t, rig.Options{Config: `
client {
  users {
    dynamic_user_min = 81000
    dynamic_user_max = 81009
  }
  host_volume "shared" {
    path = "` + shared + `"
  }
}
`})
	id := a.jobID(t)
	a.register(t, oneGroup(id, "service", "count = 2", execTask("t", whoami), execTask("beside", whoami)))
	uids := map[string]string{}
	for _, s := range a.waitStatus(t, id, "running", 2) {
		for _, task := range []string{"t", "beside"} {
			a.waitLogs(t, s.ID, task, "stdout", "secrets=")
			out := a.logs(t, s.ID, task, "stdout")
			uid := field(out, "uid=")
			if n, err := strconv.Atoi(uid); err != nil || n < 81000 || n > 81009 {
				t.Errorf("user %q is not in the range:\n%s", uid, out)
			}
			for _, want := range []string{"gid=" + uid, "name=nomad-" + uid, "writes", "secrets=" + uid + " 700"} {
				if !strings.Contains(out, want) {
					t.Errorf("%q is not in the output:\n%s", want, out)
				}
			}
			if was := uids[s.ID]; was != "" && was != uid {
				t.Errorf("the tasks of one allocation are users %s and %s", was, uid)
			}
			uids[s.ID] = uid
		}
	}
	if len(uids) != 2 {
		t.Fatalf("%v", uids)
	}
	seen := map[string]bool{}
	for _, uid := range uids {
		seen[uid] = true
	}
	if len(seen) != 2 {
		t.Errorf("two allocations have one user: %v", uids)
	}
	// What is kept is kept: commands, restarts and new allocations after a kill of the agent.
	if err := a.Kill(); err != nil {
		t.Fatal(err)
	}
	a.launch(t)
	for alloc, uid := range uids {
		a.ok(t, "alloc", "restart", "-task", "t", alloc)
		eventually(t, "the restarted task", func() (bool, string) {
			out := a.logs(t, alloc, "t", "stdout")
			return strings.Count(out, "uid="+uid+"\n") == 2, out
		})
	}
	other := a.jobID(t)
	a.register(t, oneGroup(other, "service", execTask("t", whoami)))
	fresh := a.waitOne(t, other, "running").ID
	a.waitLogs(t, fresh, "t", "stdout", "secrets=")
	if uid := field(a.logs(t, fresh, "t", "stdout"), "uid="); seen[uid] {
		t.Errorf("user %s was handed out twice", uid)
	}
	// What outlives an allocation belongs to a user that the next one has too; and nobody takes a handed-out user by name.
	kept := a.jobID(t)
	a.register(t, oneGroup(kept, "batch", noRestart, "volume \"v\" {\n type = \"host\"\n source = \"shared\"\n}", execTask("t", "id -u", `
  volume_mount {
    volume      = "v"
    destination = "/data"
  }`)))
	if out := a.logs(t, a.waitOne(t, kept, "complete").ID, "t", "stdout"); strings.TrimSpace(out) != "65534" {
		t.Errorf("the task with a volume is user %s", out)
	}
	thief := a.jobID(t)
	a.register(t, oneGroup(thief, "batch", noRestart, execTask("t", "id -u", `user = "81003"`)))
	if e := event(a.alloc(t, a.waitOne(t, thief, "failed").ID), "t", "Setup Failure"); e == nil || !strings.Contains(e.DisplayMessage, "hands out") {
		t.Errorf("the event does not name the reason: %+v", e)
	}
	for _, job := range []string{id, other} {
		if _, _, err := a.nomad.Jobs().Deregister(job, false, nil); err != nil {
			t.Fatal(err)
		}
	}
	a.waitStatus(t, id, "complete", 2)
	a.waitStatus(t, other, "complete", 1)
	a.leavesNothing(t, syscall.SIGINT)
}
