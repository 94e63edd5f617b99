package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// execTask is a task of the exec driver that runs a shell script.
func execTask(name, script string, more ...string) string {
	return strings.Replace(shell(name, script, more...), `"raw_exec"`, `"exec"`, 1)
}

func TestExecIsolates(t *testing.T) {
	t.Parallel()
	needRoot(t)
	a := shared(t)
	id := a.jobID(t)
	a.register(t, oneGroup(id, "batch", noRestart, execTask("t", `
echo pid=$$
echo uid=$(id -u)
echo procs=$(ls /proc | grep -c '^[0-9]')
echo host=$(cat /etc/hostname 2>/dev/null)
test -e `+a.Dir+` && echo sees-host-dir
test -d /alloc/logs && echo alloc-dir
test -d /local && echo local-dir
test -d /secrets && echo secrets-dir
echo dirs=$NOMAD_ALLOC_DIR,$NOMAD_TASK_DIR,$NOMAD_SECRETS_DIR
grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status
echo kept > /local/file && echo writes
mount -t tmpfs none /mnt 2>/dev/null && echo mounts
true
`)))
	s := a.waitOne(t, id, "complete")
	out := a.logs(t, s.ID, "t", "stdout")
	for _, want := range []string{"alloc-dir", "local-dir", "secrets-dir", "dirs=/alloc,/local,/secrets", "NoNewPrivs:\t1", "Seccomp:\t2", "writes"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in the output", want)
		}
	}
	for _, bad := range []string{"uid=0", "sees-host-dir", "\nmounts"} {
		if strings.Contains(out, bad) {
			t.Errorf("%q is in the output", bad)
		}
	}
	if t.Failed() {
		t.Log(out)
	}
	var stat struct{ Size int64 }
	a.get(t, "/v1/client/fs/stat/"+s.ID+"?path=t/local/file", &stat)
	if stat.Size != 5 {
		t.Errorf("the task's file has %d bytes, want 5", stat.Size)
	}
}

func TestExecOutOfMemoryIsTold(t *testing.T) {
	t.Parallel()
	needRoot(t)
	a := shared(t)
	id := a.jobID(t)
	// The shell's variable doubles until the limit of 32 MB.
	a.register(t, oneGroup(id, "batch", noRestart, execTask("t", `x=0123456789abcdef; while true; do x=$x$x; done`)))
	s := a.waitOne(t, id, "failed")
	e := event(a.alloc(t, s.ID), "t", "Terminated")
	if e == nil {
		t.Fatalf("no Terminated event: %s", stubs{s})
	}
	if !strings.Contains(strings.ToLower(e.DisplayMessage), "oom") || e.Details["oom_killed"] != "true" {
		t.Errorf("the event does not tell that memory ran out: %q %v", e.DisplayMessage, e.Details)
	}
}

// TestProcessLimitIsTold: a task that comes to the limit of its processes sees calls that fail; its events say why.
func TestProcessLimitIsTold(t *testing.T) {
	t.Parallel()
	needRoot(t)
	a := shared(t)
	id := a.jobID(t)
	a.register(t, oneGroup(id, "batch", noRestart, `
task "t" {
  driver = "exec"
  config {
    command    = "/bin/sh"
    args       = ["-c", "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do sleep 100 & done; exit 3"]
    pids_limit = 10
  }
}`))
	s := a.waitOne(t, id, "failed")
	eventually(t, "the limit to be told", func() (bool, string) {
		all := fmt.Sprint(events(a.alloc(t, s.ID), "t"))
		for _, e := range a.alloc(t, s.ID).TaskStates["t"].Events {
			if strings.Contains(e.DisplayMessage, "limit of 10 processes") {
				return true, ""
			}
		}
		return false, all
	})
}

func TestExecStopsTheWholeTree(t *testing.T) {
	t.Parallel()
	needRoot(t)
	a := shared(t)
	id := a.jobID(t)
	a.register(t, oneGroup(id, "service", execTask("t",
		"setsid sh -c 'trap \"\" TERM INT HUP; while true; do sleep 1; done' &\nsetsid sleep 6001 &\necho up; exec sleep 6000", `kill_timeout = "500ms"`)))
	s := a.waitOne(t, id, "running")
	a.waitLogs(t, s.ID, "t", "stdout", "up")
	if len(a.groupOf(s.ID)) == 0 {
		t.Fatal("no cgroup of the agent names the allocation")
	}
	if _, _, err := a.nomad.Jobs().Deregister(id, false, nil); err != nil {
		t.Fatal(err)
	}
	a.waitOne(t, id, "complete")
	eventually(t, "the allocation's cgroups are gone", func() (bool, string) {
		left := a.groupOf(s.ID)
		return len(left) == 0, fmt.Sprint(left)
	})
	for _, p := range a.Processes() {
		if strings.Contains(p.Command, "sleep 600") && strings.HasSuffix(strings.TrimSpace(p.Command), "6001") {
			t.Errorf("a daemon of the task lives: %+v", p)
		}
	}
}

// groupOf gives the cgroups that name an allocation.
func (a *agent) groupOf(alloc string) []string {
	var out []string
	for _, c := range a.Cgroups() {
		if strings.Contains(c, alloc) {
			out = append(out, c)
		}
	}
	return out
}

func TestRawExecStopsTheWholeTree(t *testing.T) {
	t.Parallel()
	a := shared(t)
	id := a.jobID(t)
	a.register(t, oneGroup(id, "service", shell("t",
		"setsid sh -c 'trap \"\" TERM INT HUP; while true; do sleep 1; done' &\necho up; exec sleep 6002", `kill_timeout = "500ms"`)))
	s := a.waitOne(t, id, "running")
	a.waitLogs(t, s.ID, "t", "stdout", "up")
	if _, _, err := a.nomad.Jobs().Deregister(id, false, nil); err != nil {
		t.Fatal(err)
	}
	a.waitOne(t, id, "complete")
	eventually(t, "the task's processes are gone", func() (bool, string) {
		var left []string
		for _, p := range a.Processes() {
			if p.Kind == "task" && a.belongs(p.PID, s.ID) {
				left = append(left, p.Command)
			}
		}
		return len(left) == 0, fmt.Sprint(left)
	})
}

func TestExecUserAndWorkDir(t *testing.T) {
	t.Parallel()
	needRoot(t)
	a := shared(t)
	id := a.jobID(t)
	a.register(t, oneGroup(id, "batch", noRestart, `
task "t" {
  driver = "exec"
  user   = "daemon"
  config {
    command  = "/bin/sh"
    args     = ["-c", "id -u; pwd"]
    work_dir = "/local"
  }
}`))
	s := a.waitOne(t, id, "complete")
	if out := a.logs(t, s.ID, "t", "stdout"); out != "1\n/local\n" {
		t.Errorf("output %q, want user 1 (daemon) in /local", out)
	}
}
