package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/seraihq/serai/e2e/rig"
)

// smallNode is a node with room for one allocation of 600 MB, where services
// may take the room of less important ones.
const smallNode = `
client { memory_total_mb = 1000 }
server {
  default_scheduler_config {
    preemption_config {
      service_scheduler_enabled = true
    }
  }
}
`

func sleeper(id string, priority int, script string) string {
	return fmt.Sprintf(`job %q {
  type     = "service"
  priority = %d
  group "g" {
    update { max_parallel = 0 }
    task "t" {
      driver = "raw_exec"
      config {
        command = "/bin/sh"
        args    = ["-c", %q]
      }
      kill_timeout = "5s"
      resources {
        cpu    = 50
        memory = 600
      }
    }
  }
}
`, id, priority, script)
}

// An important job takes the room of a less important one, starts only when
// that has ended, and both tell of it. The one that went comes back when there
// is room again.
func TestPreemption(t *testing.T) {
	t.Parallel()
	a := start(t, rig.Options{Config: smallNode})
	mark := file(t, "mark", "")
	a.register(t, sleeper("low", 20, fmt.Sprintf(`trap 'sleep 1; echo low ended >> %s; exit 0' TERM INT; while true; do sleep 0.1; done`, mark)))
	low := a.waitOne(t, "low", "running")
	a.register(t, sleeper("high", 70, fmt.Sprintf(`echo high started >> %s; while true; do sleep 0.1; done`, mark)))
	high := a.waitOne(t, "high", "running")

	victim := a.alloc(t, low.ID)
	if victim.DesiredStatus != "evict" || victim.PreemptedByAllocation != high.ID || !strings.Contains(victim.DesiredDescription, high.ID) {
		t.Errorf("the victim: %s, by %q: %s", victim.DesiredStatus, victim.PreemptedByAllocation, victim.DesiredDescription)
	}
	winner := a.alloc(t, high.ID)
	if len(winner.PreemptedAllocations) != 1 || winner.PreemptedAllocations[0] != low.ID {
		t.Errorf("preempted for it: %v, want %s", winner.PreemptedAllocations, low.ID)
	}
	if m := winner.Metrics.ScoreMetaData; len(m) == 0 || m[0].Scores["preemption"] == 0 {
		t.Errorf("its scores: %+v", m)
	}
	text, err := os.ReadFile(mark)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(text); got != "low ended\nhigh started\n" {
		t.Errorf("in this order: %q", got)
	}
	out := a.ok(t, "alloc", "status", low.ID)
	if !strings.Contains(out, high.ID[:8]) {
		t.Errorf("alloc status does not say by whom:\n%s", out)
	}
	a.ok(t, "job", "stop", "-yes", "high")
	back := a.waitAllocs(t, "low", "back", func(s stubs) bool { return len(s.with("running")) == 1 }).with("running")
	if back[0].ID == low.ID {
		t.Error("the same allocation runs again")
	}
}

// A job that makes the scheduler panic fails its evaluation, and only that.
func TestSchedulerPanic(t *testing.T) {
	t.Parallel()
	a := start(t, rig.Options{Dev: true, Env: []string{"SERAI_FAILPOINTS=schedule:bad"}})
	resp := a.register(t, oneGroup("bad", "batch", mockTask("t", `run_for = "10ms"`)))
	eval := a.waitEval(t, resp.EvalID, "failed")
	if !strings.Contains(eval.StatusDescription, "panicked") || eval.NextEval == "" {
		t.Errorf("%q, followed by %q", eval.StatusDescription, eval.NextEval)
	}
	a.register(t, oneGroup("good", "batch", mockTask("t", `run_for = "10ms"`)))
	a.waitOne(t, "good", "complete")
	r := a.cli(t, "job", "run", "-detach", file(t, "again.hcl", oneGroup("good2", "batch", mockTask("t", `run_for = "10ms"`))))
	if r.code != 0 {
		t.Error(r)
	}
}
