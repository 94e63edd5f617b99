package scheduler_test

import (
	"testing"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler"
)

// TestInFlight makes several plans before the first is applied: each sees the
// room that the others hold.
func TestInFlight(t *testing.T) {
	w := newWorld()
	w.putNode(node("n1")) // room for 8
	for _, id := range []string{"a", "b", "c", "d"} {
		w.putJob(job(id, 3))
	}
	var plans []*scheduler.Plan
	plan := func(id string) int {
		j, _ := w.Job(api.DefaultNamespace, id)
		p, err := w.evaluate(w.eval(j))
		if err != nil {
			t.Fatal(err)
		}
		plans = append(plans, p)
		return len(p.Placements)
	}
	if a, b, c, d := plan("a"), plan("b"), plan("c"), plan("d"); a != 3 || b != 3 || c != 2 || d != 0 {
		t.Errorf("placed %d, %d, %d and %d", a, b, c, d)
	}
	for _, p := range plans {
		w.apply(p)
	}
	if err := w.check(); err != nil {
		t.Error(err)
	}
}

// TestReleasedRoomIsNotForOthers replaces an allocation while another job waits
// for room: the old one's room is not given away before its client has stopped it.
func TestReleasedRoomIsNotForOthers(t *testing.T) {
	w := newWorld()
	w.putNode(node("n1"))
	big := job("big", 1)
	big.TaskGroups[0].Tasks[0].Resources.CPU = 3000
	w.putJob(big)
	run := func(j *api.Job) int {
		p, err := w.evaluate(w.eval(j))
		if err != nil {
			t.Fatal(err)
		}
		w.apply(p)
		if err := w.check(); err != nil {
			t.Error(err)
		}
		return len(p.Placements)
	}
	if n := run(big); n != 1 {
		t.Fatalf("placed %d", n)
	}
	small := job("big", 1)
	w.putJob(small)
	if n := run(small); n != 1 {
		t.Fatalf("replaced %d", n)
	}
	other := job("other", 4)
	w.putJob(other)
	if n := run(other); n != 1 { // 4000 - 3000 (stopping) - 500
		t.Errorf("placed %d while the old allocation stops", n)
	}
	for id, a := range w.allocs {
		if a.ServerTerminal() {
			w.change(id, func(a *api.Allocation) { a.ClientStatus = api.AllocClientComplete })
		}
	}
	if n := run(other); n != 3 {
		t.Errorf("placed %d afterwards", n)
	}
}

// TestWoken evaluates a blocked evaluation that the broker has made pending.
func TestWoken(t *testing.T) {
	w := newWorld()
	w.putNode(node("n1"))
	j := job("a", 10)
	w.putJob(j)
	p, err := w.evaluate(w.eval(j))
	if err != nil {
		t.Fatal(err)
	}
	w.apply(p)
	if len(p.NewEvals) != 1 || p.Eval.BlockedEval != p.NewEvals[0].ID || p.Eval.Status != api.EvalComplete {
		t.Fatalf("evaluation %+v, new %v", p.Eval, p.NewEvals)
	}
	pending := *p.NewEvals[0]
	pending.Status = api.EvalPending
	w.evals[pending.ID] = &pending
	again, err := w.evaluate(&pending)
	if err != nil {
		t.Fatal(err)
	}
	if again.Eval.Status != api.EvalBlocked || len(again.NewEvals) != 0 || again.Eval.QueuedAllocations["g"] != 2 {
		t.Errorf("woken in vain: %+v, new %v", again.Eval, again.NewEvals)
	}
	w.putNode(node("n2"))
	done, err := w.evaluate(&pending)
	if err != nil {
		t.Fatal(err)
	}
	if done.Eval.Status != api.EvalComplete || len(done.Placements) != 2 {
		t.Errorf("woken: %+v", done.Eval)
	}
}
