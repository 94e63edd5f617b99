package e2e

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestServiceRunsAndStops(t *testing.T) {
	t.Parallel()
	a := shared(t)
	id := a.jobID(t)
	a.register(t, oneGroup(id, "service", "count = 2", shell("t", "echo hello $NOMAD_ALLOC_INDEX; exec sleep 600")))
	running := a.waitStatus(t, id, "running", 2)
	for _, s := range running {
		a.waitLogs(t, s.ID, "t", "stdout", "hello "+strconv.Itoa(index(t, s.Name)))
	}
	summary, _, err := a.nomad.Jobs().Summary(id, nil)
	if err != nil {
		t.Fatal(err)
	}
	if g := summary.Summary["g"]; g.Running != 2 || g.Starting != 0 || g.Queued != 0 {
		t.Errorf("summary %+v, want 2 running", g)
	}
	pids := map[int]bool{}
	for _, s := range running {
		pids[a.taskPID(t, s.ID, "t")] = true
	}
	if _, _, err := a.nomad.Jobs().Deregister(id, false, nil); err != nil {
		t.Fatal(err)
	}
	a.waitStatus(t, id, "complete", 2)
	for pid := range pids {
		if alive(pid) {
			t.Errorf("process %d of a stopped allocation lives", pid)
		}
	}
	job, _, err := a.nomad.Jobs().Info(id, nil)
	if err != nil {
		t.Fatal(err)
	}
	if *job.Status != "dead" || !*job.Stop {
		t.Errorf("job status %s, stop %t; want dead, true", *job.Status, *job.Stop)
	}
}

// index gives the number in brackets of an allocation's name.
func index(t *testing.T, name string) int {
	t.Helper()
	_, rest, _ := strings.Cut(name, "[")
	n, err := strconv.Atoi(strings.TrimSuffix(rest, "]"))
	if err != nil {
		t.Fatalf("allocation name %q has no index", name)
	}
	return n
}

// taskPID finds a raw_exec task's process by its environment.
func (a *agent) taskPID(t *testing.T, alloc, task string) int {
	t.Helper()
	var pid int
	eventually(t, "a process of task "+task, func() (bool, string) {
		for _, p := range a.Processes() {
			env, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", p.PID))
			vars := strings.Split(string(env), "\x00")
			if slices.Contains(vars, "NOMAD_ALLOC_ID="+alloc) && slices.Contains(vars, "NOMAD_TASK_NAME="+task) {
				pid = p.PID
				return true, ""
			}
		}
		return false, fmt.Sprint(a.Processes())
	})
	return pid
}

func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}

func TestBatchCompletes(t *testing.T) {
	t.Parallel()
	a := shared(t)
	id := a.jobID(t)
	a.register(t, oneGroup(id, "batch", "count = 3", shell("t", "echo out; echo err >&2")))
	for _, s := range a.waitStatus(t, id, "complete", 3) {
		alloc := a.alloc(t, s.ID)
		ts := alloc.TaskStates["t"]
		if ts.State != "dead" || ts.Failed || ts.Restarts != 0 || ts.FinishedAt.Before(ts.StartedAt) {
			t.Errorf("task state %+v", ts)
		}
		if e := event(alloc, "t", "Terminated"); e == nil || e.ExitCode != 0 {
			t.Errorf("events %v, want Terminated with exit code 0", events(alloc, "t"))
		}
		if out, err := a.logs(t, s.ID, "t", "stdout"), a.logs(t, s.ID, "t", "stderr"); out != "out\n" || err != "err\n" {
			t.Errorf("stdout %q, stderr %q", out, err)
		}
	}
	eventually(t, "the job is dead", func() (bool, string) {
		job, _, err := a.nomad.Jobs().Info(id, nil)
		if err != nil {
			return false, err.Error()
		}
		return *job.Status == "dead", *job.Status
	})
}

func TestSystemAndSysbatchRunOncePerNode(t *testing.T) {
	t.Parallel()
	a := shared(t)
	system, sysbatch := a.jobID(t), a.jobID(t)
	a.register(t, oneGroup(system, "system", shell("t", "exec sleep 600")))
	a.register(t, oneGroup(sysbatch, "sysbatch", shell("t", "true")))
	first := a.waitOne(t, system, "running")
	a.waitOne(t, sysbatch, "complete")
	if first.Name != system+".g[0]" {
		t.Errorf("allocation name %q", first.Name)
	}
}

func TestRestartPolicy(t *testing.T) {
	t.Parallel()
	a := shared(t)
	id := a.jobID(t)
	a.register(t, oneGroup(id, "batch", `
restart {
  attempts = 2
  interval = "10m"
  delay    = "100ms"
  mode     = "fail"
}
reschedule {
  attempts  = 0
  unlimited = false
}`, shell("t", "echo attempt; exit 7")))
	s := a.waitOne(t, id, "failed")
	alloc := a.alloc(t, s.ID)
	ts := alloc.TaskStates["t"]
	if ts.Restarts != 2 || !ts.Failed || ts.State != "dead" {
		t.Errorf("restarts %d failed %t state %s; want 2 true dead", ts.Restarts, ts.Failed, ts.State)
	}
	if got := a.logs(t, s.ID, "t", "stdout"); got != "attempt\nattempt\nattempt\n" {
		t.Errorf("output %q, want three attempts", got)
	}
	if e := event(alloc, "t", "Terminated"); e == nil || e.ExitCode != 7 {
		t.Errorf("the last Terminated is %+v, want exit code 7", e)
	}
	if event(alloc, "t", "Restarting") == nil || event(alloc, "t", "Not Restarting") == nil {
		t.Errorf("events %v, want Restarting and Not Restarting", events(alloc, "t"))
	}
}

func TestServiceThatEndsIsRestarted(t *testing.T) {
	t.Parallel()
	a := shared(t)
	id := a.jobID(t)
	a.register(t, oneGroup(id, "service", `
restart {
  attempts = 10
  interval = "10m"
  delay    = "50ms"
  mode     = "delay"
}`, shell("t", "echo run; exit 0")))
	s := a.waitAllocs(t, id, "two restarts", func(s stubs) bool {
		return len(s) == 1 && s[0].TaskStates["t"] != nil && s[0].TaskStates["t"].Restarts >= 2
	})
	a.waitLogs(t, s[0].ID, "t", "stdout", "run\nrun\nrun\n")
}

func TestLifecycleOrder(t *testing.T) {
	t.Parallel()
	a := shared(t)
	id := a.jobID(t)
	note := func(name string) string { return "echo " + name + " >> ${NOMAD_ALLOC_DIR}/data/order\n" }
	hook := func(name string, sidecar bool) string {
		return fmt.Sprintf("lifecycle {\n hook = %q\n sidecar = %t\n}", name, sidecar)
	}
	a.register(t, oneGroup(id, "batch", noRestart,
		shell("pre", note("pre"), hook("prestart", false)),
		shell("side", note("side")+"trap 'echo side-end >> ${NOMAD_ALLOC_DIR}/data/order; exit 0' TERM INT\nwhile true; do sleep 0.05; done", hook("prestart", true)),
		// The main task waits for the poststart one, so the order is certain.
		shell("main", note("main")+"until grep -q post ${NOMAD_ALLOC_DIR}/data/order; do sleep 0.05; done\n"+note("main-end")),
		shell("post", "until grep -q main ${NOMAD_ALLOC_DIR}/data/order; do sleep 0.05; done\n"+note("post"), hook("poststart", false)),
		shell("stop", note("stop"), hook("poststop", false)),
	))
	s := a.waitOne(t, id, "complete")
	order := strings.Fields(string(a.do(t, "GET", "/v1/client/fs/cat/"+s.ID+"?path=alloc/data/order", nil).body))
	before := func(x, y string) {
		i, j := slices.Index(order, x), slices.Index(order, y)
		if i < 0 || j < 0 || i > j {
			t.Errorf("%s is not before %s in %v", x, y, order)
		}
	}
	before("pre", "main")
	before("side", "main")
	before("main", "post")
	before("post", "main-end")
	before("main-end", "side-end")
	before("side-end", "stop")
	if last := order[len(order)-1]; last != "stop" {
		t.Errorf("poststop is not last: %v", order)
	}
}

func TestPrestartFailureKeepsMainFromStarting(t *testing.T) {
	t.Parallel()
	a := shared(t)
	id := a.jobID(t)
	a.register(t, oneGroup(id, "batch", noRestart,
		shell("pre", "exit 3", "lifecycle {\n hook = \"prestart\"\n}"),
		shell("main", "echo never"),
		shell("stop", "echo cleaned", "lifecycle {\n hook = \"poststop\"\n}"),
	))
	s := a.waitOne(t, id, "failed")
	alloc := a.alloc(t, s.ID)
	if event(alloc, "main", "Started") != nil {
		t.Errorf("main was started: %v", events(alloc, "main"))
	}
	if ts := alloc.TaskStates["main"]; ts == nil || ts.State != "dead" {
		t.Errorf("main is %+v, want dead", ts)
	}
}

func TestLeaderEndsFollowers(t *testing.T) {
	t.Parallel()
	a := shared(t)
	id := a.jobID(t)
	a.register(t, oneGroup(id, "batch", noRestart,
		shell("leader", "sleep 0.3", "leader = true"),
		shell("follower", "trap 'echo told; exit 0' TERM INT; while true; do sleep 0.05; done"),
	))
	s := a.waitOne(t, id, "complete")
	alloc := a.alloc(t, s.ID)
	if event(alloc, "follower", "Leader Task Dead") == nil {
		t.Errorf("events of the follower %v, want Leader Task Dead", events(alloc, "follower"))
	}
	if out := a.logs(t, s.ID, "follower", "stdout"); out != "told\n" {
		t.Errorf("follower's output %q: it was not signalled", out)
	}
}

func TestSiblingFailureEndsOthers(t *testing.T) {
	t.Parallel()
	a := shared(t)
	id := a.jobID(t)
	a.register(t, oneGroup(id, "batch", noRestart,
		shell("bad", "sleep 0.2; exit 1"), shell("good", "exec sleep 600")))
	s := a.waitOne(t, id, "failed")
	alloc := a.alloc(t, s.ID)
	if event(alloc, "good", "Sibling Task Failed") == nil {
		t.Errorf("events of the sibling %v, want Sibling Task Failed", events(alloc, "good"))
	}
}

func TestCommandNotFound(t *testing.T) {
	t.Parallel()
	a := shared(t)
	for _, driver := range []string{"raw_exec", "exec"} {
		t.Run(driver, func(t *testing.T) {
			if driver == "exec" {
				needRoot(t)
			}
			id := a.jobID(t)
			a.register(t, oneGroup(id, "batch", noRestart, fmt.Sprintf(`
task "t" {
  driver = %q
  config {
    command = "/no/such/program"
  }
}`, driver)))
			s := a.waitOne(t, id, "failed")
			alloc := a.alloc(t, s.ID)
			told := false
			for _, e := range alloc.TaskStates["t"].Events {
				if strings.Contains(e.DisplayMessage+e.Message+e.DriverError, "/no/such/program") || e.ExitCode == 127 {
					told = true
				}
			}
			if !told {
				t.Errorf("no event names the program or has exit code 127: %s", stubs{s})
			}
		})
	}
	id := a.jobID(t)
	a.register(t, oneGroup(id, "batch", noRestart, shell("t", "no-such-program-anywhere")))
	s := a.waitOne(t, id, "failed")
	if e := event(a.alloc(t, s.ID), "t", "Terminated"); e == nil || e.ExitCode != 127 {
		t.Errorf("Terminated %+v, want the shell's exit code 127", e)
	}
}

func TestKillTimeoutAndSignal(t *testing.T) {
	t.Parallel()
	a := shared(t)
	id := a.jobID(t)
	// "soft" ends at the signal it asks for; "hard" ignores every one and is killed after kill_timeout.
	a.register(t, oneGroup(id, "service",
		shell("soft", "trap 'echo got usr1; exit 0' USR1; trap '' TERM INT; echo up; while true; do sleep 0.05; done", `kill_signal = "SIGUSR1"`, `kill_timeout = "20s"`),
		shell("hard", "trap '' TERM INT; echo up; while true; do sleep 0.05; done", `kill_timeout = "700ms"`),
	))
	s := a.waitOne(t, id, "running")
	a.waitLogs(t, s.ID, "soft", "stdout", "up")
	a.waitLogs(t, s.ID, "hard", "stdout", "up")
	began := time.Now()
	if _, _, err := a.nomad.Jobs().Deregister(id, false, nil); err != nil {
		t.Fatal(err)
	}
	a.waitOne(t, id, "complete")
	took := time.Since(began)
	if took < 700*time.Millisecond || took > 15*time.Second {
		t.Errorf("the stop took %s, want a little more than 0.7 s", took)
	}
	if out := a.logs(t, s.ID, "soft", "stdout"); !strings.Contains(out, "got usr1") {
		t.Errorf("soft's output %q: kill_signal was not sent", out)
	}
	alloc := a.alloc(t, s.ID)
	if e := event(alloc, "hard", "Terminated"); e == nil || e.Signal != int(syscall.SIGKILL) && e.ExitCode != 137 {
		t.Errorf("hard ended by %+v, want SIGKILL", e)
	}
	for _, kind := range []string{"Killing", "Killed"} {
		if event(alloc, "hard", kind) == nil {
			t.Errorf("events %v lack %s", events(alloc, "hard"), kind)
		}
	}
}

func TestLogRotation(t *testing.T) {
	t.Parallel()
	a := shared(t)
	id := a.jobID(t)
	// 4 MB into files of 1 MB, of which 2 are kept.
	a.register(t, oneGroup(id, "batch", shell("t",
		`i=0; line=$(printf 'x%.0s' $(seq 1000)); while [ $i -lt 4200 ]; do echo "$i $line"; i=$((i+1)); done`,
		"logs {\n max_files = 2\n max_file_size = 1\n}")))
	s := a.waitOne(t, id, "complete")
	var files []struct {
		Name string
		Size int64
	}
	a.get(t, "/v1/client/fs/ls/"+s.ID+"?path=alloc/logs", &files)
	var names []string
	for _, f := range files {
		if strings.HasPrefix(f.Name, "t.stdout.") {
			names = append(names, f.Name)
			if f.Size > 1<<20+4096 {
				t.Errorf("%s has %d bytes, more than max_file_size", f.Name, f.Size)
			}
		}
	}
	if len(names) != 2 {
		t.Errorf("files %v, want the last two", names)
	}
	out := a.logs(t, s.ID, "t", "stdout")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if !strings.HasPrefix(lines[len(lines)-1], "4199 ") {
		t.Errorf("the last line is %.20q, want 4199", lines[len(lines)-1])
	}
	previous := -1
	for _, l := range lines[1:] {
		n, _, _ := strings.Cut(l, " ")
		v, err := strconv.Atoi(n)
		if err != nil || previous >= 0 && v != previous+1 {
			t.Fatalf("after line %d comes %.30q", previous, l)
		}
		previous = v
	}
}

func TestPorts(t *testing.T) {
	t.Parallel()
	a := shared(t)
	id := a.jobID(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	static := l.Addr().(*net.TCPAddr).Port
	l.Close()
	net := fmt.Sprintf(`network {
  port "http" {}
  port "admin" {
    static = %d
  }
}`, static)
	job := oneGroup(id, "service", "count = 2", net, shell("t", "echo $NOMAD_PORT_http $NOMAD_PORT_admin $NOMAD_ADDR_admin; exec sleep 600"))
	resp := a.register(t, job)
	// The static port fits once on the one node: the second waits.
	s := a.waitOne(t, id, "running")
	alloc := a.alloc(t, s.ID)
	ports := map[string]int{}
	for _, p := range alloc.AllocatedResources.Shared.Ports {
		ports[p.Label] = p.Value
	}
	if ports["admin"] != static {
		t.Errorf("ports %v, want admin %d", ports, static)
	}
	if p := ports["http"]; p < a.Agent.Ports.MinDynamic || p >= a.Agent.Ports.MinDynamic+150 {
		t.Errorf("dynamic port %d is outside of the configured range", p)
	}
	out := a.waitLogs(t, s.ID, "t", "stdout", "\n")
	if want := fmt.Sprintf("%d %d ", ports["http"], static); !strings.HasPrefix(out, want) {
		t.Errorf("the task sees ports %q, want %q", out, want)
	}
	eval := a.waitEval(t, resp.EvalID, "complete")
	m := eval.FailedTGAllocs["g"]
	if m == nil || len(m.DimensionExhausted) == 0 || eval.QueuedAllocations["g"] != 1 || eval.BlockedEval == "" {
		t.Fatalf("the evaluation says nothing of the port: failed %+v, queued %v, blocked %q", m, eval.QueuedAllocations, eval.BlockedEval)
	}
	// What other tests free has it looked at again: it may be over by now.
	if blocked, _, err := a.nomad.Evaluations().Info(eval.BlockedEval, nil); err != nil || blocked.TriggeredBy != "queued-allocs" {
		t.Errorf("blocked evaluation: %+v, %v", blocked, err)
	}
}

func TestDynamicPortsDiffer(t *testing.T) {
	t.Parallel()
	a := shared(t)
	id := a.jobID(t)
	a.register(t, oneGroup(id, "service", "count = 5", "network {\n port \"a\" {}\n port \"b\" {}\n}", shell("t", "exec sleep 600")))
	seen := map[int]string{}
	for _, s := range a.waitStatus(t, id, "running", 5) {
		for _, p := range a.alloc(t, s.ID).AllocatedResources.Shared.Ports {
			if other, ok := seen[p.Value]; ok {
				t.Errorf("port %d went to %s and %s", p.Value, other, s.Name)
			}
			seen[p.Value] = s.Name
		}
	}
	if len(seen) != 10 {
		t.Errorf("%d ports, want 10", len(seen))
	}
}

func TestCountChanges(t *testing.T) {
	t.Parallel()
	a := shared(t)
	id := a.jobID(t)
	job := func(n int) string {
		return oneGroup(id, "service", fmt.Sprintf("count = %d", n), shell("t", "exec sleep 600", `kill_timeout = "1s"`))
	}
	a.register(t, job(2))
	first := a.waitStatus(t, id, "running", 2)
	a.register(t, job(4))
	more := a.waitStatus(t, id, "running", 4)
	for _, old := range first {
		if !slices.ContainsFunc(more, func(s *allocStub) bool { return s.ID == old.ID }) {
			t.Errorf("%s was replaced by a change of count", old.Name)
		}
	}
	names := map[string]bool{}
	for _, s := range more {
		names[s.Name] = true
	}
	if len(names) != 4 {
		t.Errorf("names %v, want four different ones", names)
	}
	a.register(t, job(1))
	left := a.waitStatus(t, id, "running", 1)[0]
	if index(t, left.Name) != 0 {
		t.Errorf("%s is left, want the lowest index", left.Name)
	}
	a.register(t, job(0))
	a.waitStatus(t, id, "running", 0)
}

func TestInPlaceAndDestructiveUpdates(t *testing.T) {
	t.Parallel()
	a := shared(t)
	id := a.jobID(t)
	job := func(meta, script string) string {
		return oneGroup(id, "service", "update {\n max_parallel = 0\n}", shell("t", script, `kill_timeout = "1s"`, meta))
	}
	a.register(t, job("", "exec sleep 600"))
	one := a.waitOne(t, id, "running")
	pid := a.taskPID(t, one.ID, "t")

	a.register(t, strings.Replace(job("", "exec sleep 600"), "type =", "priority = 60\n type =", 1))
	s := a.waitAllocs(t, id, "the allocation carries version 1", func(s stubs) bool { return len(s) == 1 && s[0].JobVersion == 1 })
	if s[0].ID != one.ID || a.taskPID(t, s[0].ID, "t") != pid {
		t.Errorf("a change of priority replaced the process")
	}

	a.register(t, job("", "exec sleep 601"))
	s = a.waitAllocs(t, id, "a new allocation runs, the old one is complete", func(s stubs) bool {
		return len(s) == 2 && len(s.with("running")) == 1 && len(s.with("complete")) == 1
	})
	if again := s.with("running")[0]; again.ID == one.ID || again.JobVersion != 2 {
		t.Errorf("after a change of args: %s", s)
	}
	eventually(t, "the old process ends", func() (bool, string) { return !alive(pid), "it lives" })
}

func TestSameJobAgainChangesNothing(t *testing.T) {
	t.Parallel()
	a := shared(t)
	id := a.jobID(t)
	job := oneGroup(id, "service", shell("t", "exec sleep 600"))
	a.register(t, job)
	one := a.waitOne(t, id, "running")
	a.waitEval(t, a.register(t, job).EvalID, "complete")
	info, _, err := a.nomad.Jobs().Info(id, nil)
	if err != nil {
		t.Fatal(err)
	}
	if *info.Version != 0 {
		t.Errorf("version %d after the same job was registered twice, want 0", *info.Version)
	}
	if s := a.waitOne(t, id, "running"); s.ID != one.ID {
		t.Errorf("the allocation was replaced")
	}
}

// belongs says whether a process carries the environment of an allocation.
func (a *agent) belongs(pid int, alloc string) bool {
	env, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	return slices.Contains(strings.Split(string(env), "\x00"), "NOMAD_ALLOC_ID="+alloc)
}
