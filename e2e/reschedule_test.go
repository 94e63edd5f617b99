package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	nomad "github.com/hashicorp/nomad/api"

	"github.com/seraihq/serai/e2e/rig"
)

// failsUntil is a group whose task fails until a file exists, and is then placed
// anew by a policy.
func failsUntil(path, policy string) string {
	return fmt.Sprintf(`
update { max_parallel = 0 }
restart {
  attempts = 0
  mode     = "fail"
}
reschedule {
  delay          = "5s"
  delay_function = "constant"
  %s
}
`, policy) + shell("t", fmt.Sprintf("test -e %s || exit 3; exec sleep 600", path))
}

// Where there is no limit a failed allocation is placed anew until it runs, each
// time not before its delay has passed.
func TestRescheduleUntilItRuns(t *testing.T) {
	t.Parallel()
	a := shared(t)
	id, path := a.jobID(t), filepath.Join(t.TempDir(), "ready")
	a.register(t, oneGroup(id, "service", failsUntil(path, "unlimited = true")))
	first := a.waitOne(t, id, "failed")
	if out := a.ok(t, "job", "status", id); !strings.Contains(out, "Future Rescheduling Attempts") {
		t.Errorf("job status does not tell of what is to come:\n%s", out)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	second := a.alloc(t, a.waitOne(t, id, "running").ID)
	rescheduled(t, a.alloc(t, first.ID), second)
}

// Where attempts are limited they end, and nothing is to come any more. A new
// version of the job begins anew.
func TestRescheduleAttemptsEnd(t *testing.T) {
	t.Parallel()
	a := shared(t)
	id, path := a.jobID(t), filepath.Join(t.TempDir(), "ready")
	limited := "unlimited = false\n attempts = 1\n interval = \"1h\""
	a.register(t, oneGroup(id, "service", failsUntil(path, limited)))
	first := a.waitOne(t, id, "failed")
	last := a.waitStatus(t, id, "failed", 2).other(first.ID)
	rescheduled(t, a.alloc(t, first.ID), a.alloc(t, last.ID))
	eventually(t, "all evaluations are over", func() (bool, string) {
		evals, _, err := a.nomad.Jobs().Evaluations(id, nil)
		if err != nil {
			return false, err.Error()
		}
		told := false
		for _, e := range evals {
			told = told || e.TriggeredBy == "alloc-failure" && e.CreateTime > last.ModifyTime-int64(time.Second)
			if e.Status != "complete" {
				return false, e.TriggeredBy + " " + e.Status
			}
		}
		return told, "nobody has looked at the second failure"
	})
	if out := a.ok(t, "alloc", "status", last.ID); !strings.Contains(out, "1/1") || strings.Contains(out, "Reschedule Eligibility") {
		t.Errorf("alloc status does not tell that the attempts are used up:\n%s", out)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	a.register(t, oneGroup(id, "service", failsUntil(path, limited), `meta { again = "yes" }`))
	if next := a.alloc(t, a.waitOne(t, id, "running").ID); next.RescheduleTracker != nil {
		t.Errorf("the new version has the history of the old one: %+v", next.RescheduleTracker)
	}
}

// other gives the one that has another ID.
func (s stubs) other(id string) *nomad.AllocationListStub {
	for _, a := range s {
		if a.ID != id {
			return a
		}
	}
	return nil
}

// rescheduled checks that one allocation was placed anew as the other, after 5 s.
func rescheduled(t *testing.T, from, to *nomad.Allocation) {
	t.Helper()
	if from.NextAllocation != to.ID || to.PreviousAllocation != from.ID || to.Name != from.Name {
		t.Errorf("%s (next %q) and %s (previous %q) are not linked", from.ID, from.NextAllocation, to.ID, to.PreviousAllocation)
	}
	if after := time.Unix(0, to.CreateTime).Sub(from.TaskStates["t"].FinishedAt); after < 4*time.Second {
		t.Errorf("placed anew %s after the failure, want 5s", after)
	}
	if h := to.RescheduleTracker; h == nil || len(h.Events) != 1 || h.Events[0].PrevAllocID != from.ID || h.Events[0].PrevNodeID != from.NodeID {
		t.Errorf("its history is %+v", h)
	}
}

// A gang waits whole while there is room for one of it, and starts whole when
// there is room for all.
func TestGangStartsWhole(t *testing.T) {
	t.Parallel()
	a := start(t, rig.Options{Config: "client { memory_total_mb = 1000 }"})
	group := func(memory, count int, more string) string {
		task := strings.Replace(shell("t", "exec sleep 600"), "memory = 32", fmt.Sprintf("memory = %d", memory), 1)
		return fmt.Sprintf("count = %d\n%s\n%s", count, more, task)
	}
	a.register(t, oneGroup("before", "service", group(600, 1, "")))
	before := a.waitOne(t, "before", "running")
	r := a.cli(t, "job", "run", "-detach", jobFile(t, oneGroup("gang", "service", group(300, 2, "all_at_once = true"))))
	if r.code != 0 {
		t.Fatalf("run: %v", r)
	}
	eventually(t, "the gang waits", func() (bool, string) {
		evals, _, err := a.nomad.Jobs().Evaluations("gang", nil)
		if err != nil {
			return false, err.Error()
		}
		for _, e := range evals {
			if e.Status == "blocked" {
				return e.QueuedAllocations["g"] == 2, fmt.Sprint(e.QueuedAllocations)
			}
		}
		return false, fmt.Sprintf("%d evaluations", len(evals))
	})
	if list, _, err := a.nomad.Jobs().Allocations("gang", true, nil); err != nil || len(list) != 0 {
		t.Errorf("allocations of half a gang: %v %v", list, err)
	}
	if _, _, err := a.nomad.Jobs().Deregister("before", false, nil); err != nil {
		t.Fatal(err)
	}
	gang := a.waitStatus(t, "gang", "running", 2)
	if gang[0].CreateIndex != gang[1].CreateIndex || gang[0].EvalID != gang[1].EvalID {
		t.Errorf("one was placed without the other: %s", gang)
	}
	if end := a.alloc(t, before.ID); end.ClientStatus != "complete" {
		t.Errorf("what had the room is %s", end.ClientStatus)
	}
}
