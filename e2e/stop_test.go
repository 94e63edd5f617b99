package e2e

import (
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seraihq/serai/e2e/rig"
)

func TestLeaderIsStoppedFirst(t *testing.T) {
	t.Parallel()
	a := shared(t)
	id := a.jobID(t)
	note := func(name string) string {
		return "trap 'sleep 0.2; echo " + name + " >> ${NOMAD_ALLOC_DIR}/data/order; exit 0' TERM INT; touch ${NOMAD_ALLOC_DIR}/data/up-" + name + "; while true; do sleep 0.05; done"
	}
	a.register(t, oneGroup(id, "service", shell("follower", note("follower")), shell("leader", note("leader"), "leader = true")))
	s := a.waitOne(t, id, "running")
	for _, name := range []string{"leader", "follower"} {
		eventually(t, name+" is up", func() (bool, string) {
			r := a.do(t, "GET", "/v1/client/fs/stat/"+s.ID+"?path=alloc/data/up-"+name, nil)
			return r.status == 200, string(r.body)
		})
	}
	if _, _, err := a.nomad.Jobs().Deregister(id, false, nil); err != nil {
		t.Fatal(err)
	}
	a.waitOne(t, id, "complete")
	if order := string(a.do(t, "GET", "/v1/client/fs/cat/"+s.ID+"?path=alloc/data/order", nil).body); order != "leader\nfollower\n" {
		t.Errorf("order of the ends %q, want the leader first", order)
	}
}

func TestShutdownDelay(t *testing.T) {
	t.Parallel()
	a := shared(t)
	id := a.jobID(t)
	a.register(t, oneGroup(id, "service", shell("t", "trap 'date +%s%N; exit 0' TERM INT; echo up; while true; do sleep 0.02; done", `shutdown_delay = "600ms"`)))
	s := a.waitOne(t, id, "running")
	a.waitLogs(t, s.ID, "t", "stdout", "up")
	began := time.Now()
	if _, _, err := a.nomad.Jobs().Deregister(id, false, nil); err != nil {
		t.Fatal(err)
	}
	a.waitOne(t, id, "complete")
	lines := strings.Fields(a.logs(t, s.ID, "t", "stdout"))
	at, err := strconv.ParseInt(lines[len(lines)-1], 10, 64)
	if err != nil {
		t.Fatalf("output %v: %v", lines, err)
	}
	if waited := time.Unix(0, at).Sub(began); waited < 590*time.Millisecond || waited > 10*time.Second {
		t.Errorf("the signal came %s after the stop, want 0.6 s", waited)
	}
}

func TestStopStartAndPurge(t *testing.T) {
	t.Parallel()
	a := shared(t)
	id := a.jobID(t)
	job := oneGroup(id, "service", shell("t", "exec sleep 600", `kill_timeout = "500ms"`))
	a.register(t, job)
	first := a.waitOne(t, id, "running")
	a.nomad.Jobs().Deregister(id, false, nil)
	a.waitOne(t, id, "complete")
	a.register(t, job)
	second := a.waitOne(t, id, "running")
	if second.ID == first.ID {
		t.Error("the stopped allocation runs again")
	}
	if info, _, err := a.nomad.Jobs().Info(id, nil); err != nil || *info.Stop || *info.Version != 2 {
		t.Errorf("after the start: stop %t, version %d, %v; want false, 2", *info.Stop, *info.Version, err)
	}
	a.nomad.Jobs().Deregister(id, true, nil)
	eventually(t, "the job is gone", func() (bool, string) {
		r := a.do(t, "GET", "/v1/job/"+id, nil)
		return r.status == http.StatusNotFound, string(r.body)
	})
	a.register(t, job)
	a.waitOne(t, id, "running")
	if info, _, err := a.nomad.Jobs().Info(id, nil); err != nil || *info.Version != 0 {
		t.Errorf("after purge and register: version %d, %v; want 0", *info.Version, err)
	}
}

func TestFinishedBatchDoesNotRunAgain(t *testing.T) {
	t.Parallel()
	a := shared(t)
	for _, kind := range []string{"batch", "sysbatch"} {
		id := a.jobID(t)
		job := oneGroup(id, kind, shell("t", "echo ran"))
		a.register(t, job)
		a.waitOne(t, id, "complete")
		a.waitEval(t, a.register(t, job).EvalID, "complete")
		eval, _, err := a.nomad.Jobs().ForceEvaluate(id, nil)
		if err != nil {
			t.Fatal(err)
		}
		a.waitEval(t, eval, "complete")
		if list, _, err := a.nomad.Jobs().Allocations(id, true, nil); err != nil || len(list) != 1 {
			t.Errorf("%s: %d allocations after it was registered again, want 1: %v", kind, len(list), err)
		}
		// A changed one runs.
		a.register(t, strings.Replace(job, "echo ran", "echo again", 1))
		a.waitStatus(t, id, "complete", 2)
	}
}

func TestCollectionOfGarbage(t *testing.T) {
	t.Parallel()
	a := start(t, rig.Options{Dev: true})
	id := a.jobID(t)
	a.register(t, oneGroup(id, "batch", shell("t", "echo done")))
	s := a.waitOne(t, id, "complete")
	dir := a.allocDir(t, s.ID)
	a.ok(t, "system", "gc")
	eventually(t, "job, allocation and evaluation are gone", func() (bool, string) {
		var codes []int
		for _, path := range []string{"/v1/job/" + id, "/v1/allocation/" + s.ID, "/v1/evaluation/" + s.EvalID} {
			codes = append(codes, a.do(t, "GET", path, nil).status)
		}
		return codes[0] == 404 && codes[1] == 404 && codes[2] == 404, fmt.Sprint(codes)
	})
	eventually(t, "the allocation's directory is gone", func() (bool, string) {
		_, err := os.Stat(dir)
		return os.IsNotExist(err), dir
	})
}

// allocDir finds an allocation's directory on this machine.
func (a *agent) allocDir(t *testing.T, alloc string) string {
	t.Helper()
	var found string
	eventually(t, "a directory of the allocation", func() (bool, string) {
		found = find(a.Dir, alloc, 6)
		return found != "", "none under " + a.Dir
	})
	return found
}

// find looks for a directory by name, not deeper than depth.
func find(dir, name string, depth int) string {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		if e.Name() == name {
			return dir + "/" + name
		}
		if depth > 0 {
			if f := find(dir+"/"+e.Name(), name, depth-1); f != "" {
				return f
			}
		}
	}
	return ""
}

func TestManyShortTasksLoseNoOutput(t *testing.T) {
	t.Parallel()
	a := shared(t)
	id := a.jobID(t)
	const n = 60
	a.register(t, strings.Replace(oneGroup(id, "batch", fmt.Sprintf("count = %d", n), shell("t", "echo one; echo two >&2; echo $NOMAD_ALLOC_INDEX")), "cpu    = 10", "cpu = 1", 1))
	for _, s := range a.waitStatus(t, id, "complete", n) {
		if out := a.logs(t, s.ID, "t", "stdout"); out != fmt.Sprintf("one\n%d\n", index(t, s.Name)) {
			t.Errorf("%s: stdout %q", s.Name, out)
		}
		if out := a.logs(t, s.ID, "t", "stderr"); out != "two\n" {
			t.Errorf("%s: stderr %q", s.Name, out)
		}
	}
}

func TestBigOutputIsWhole(t *testing.T) {
	t.Parallel()
	a := shared(t)
	id := a.jobID(t)
	// 6 MB as fast as the task can, then an end without a pause.
	a.register(t, oneGroup(id, "batch", shell("t", "seq 1000000")))
	s := a.waitOne(t, id, "complete")
	out := a.logs(t, s.ID, "t", "stdout")
	if !strings.HasSuffix(out, "\n999999\n1000000\n") || len(out) != 6888896 {
		t.Errorf("%d bytes, the end is %q", len(out), out[max(0, len(out)-30):])
	}
}

func TestAllocationDirectory(t *testing.T) {
	t.Parallel()
	a := shared(t)
	id := a.jobID(t)
	a.register(t, oneGroup(id, "batch", shell("t", "echo x > $NOMAD_SECRETS_DIR/s; echo y > $NOMAD_ALLOC_DIR/tmp/y; ls -d $NOMAD_TASK_DIR $NOMAD_ALLOC_DIR/data $NOMAD_ALLOC_DIR/logs; pwd")))
	s := a.waitOne(t, id, "complete")
	dir := a.allocDir(t, s.ID)
	for path, mode := range map[string]os.FileMode{"alloc/data": 0, "alloc/logs": 0, "alloc/tmp": 0, "t/local": 0, "t/secrets": 0, "t/tmp": 0} {
		info, err := os.Stat(dir + "/" + path)
		if err != nil || !info.IsDir() {
			t.Errorf("%s: %v %v", path, mode, err)
		}
	}
	// Secrets are not shown by the API.
	if r := a.do(t, "GET", "/v1/client/fs/cat/"+s.ID+"?path=t/secrets/s", nil); r.status == 200 {
		t.Errorf("a file of the secrets directory is readable through the API: %q", r.body)
	}
	out := a.logs(t, s.ID, "t", "stdout")
	if !strings.HasSuffix(strings.TrimSpace(out), "/"+s.ID+"/t") {
		t.Errorf("the working directory is not the task's: %q", out)
	}
}

func TestJobsThatComeLaterAreRefused(t *testing.T) {
	t.Parallel()
	a := shared(t)
	for name, block := range map[string]string{
		"multiregion": "multiregion {\n region \"a\" {}\n}",
	} {
		id := a.jobID(t)
		r := a.cli(t, "job", "run", "-detach", jobFile(t, strings.Replace(oneGroup(id, "batch", shell("t", "true")), "type =", block+"\n type =", 1)))
		if r.code != 1 || !strings.Contains(r.all(), name) {
			t.Errorf("a job with %s: %v; want a refusal that names it", name, r)
		}
	}
}
