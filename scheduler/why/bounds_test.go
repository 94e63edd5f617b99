package why_test

import (
	"math/rand/v2"
	"testing"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/why"
)

// TestRunsAreBounded: however much is wrong, the scheduler is asked no more often
// than allowed, also not at all.
func TestRunsAreBounded(t *testing.T) {
	for seed := range uint64(60) {
		w, j := randomWorld(t, rand.New(rand.NewPCG(seed, 1)))
		for _, runs := range []int{-1, 1, 3, 10} {
			in := input(w)
			in.Runs = runs
			answer, err := why.Job(in, j)
			if err != nil {
				t.Fatal(err)
			}
			if answer.Runs > max(runs, 0) || runs < 0 && len(answer.Groups[0].Suggestions) > 0 {
				t.Errorf("seed %d: %d runs of %d, %d suggestions", seed, answer.Runs, runs, len(answer.Groups[0].Suggestions))
			}
			if n := len(answer.Groups[0].Suggestions); n > 5 {
				t.Errorf("seed %d: %d suggestions", seed, n)
			}
		}
	}
}

// TestHugeCount: ten million on a small fleet are counted, not made.
func TestHugeCount(t *testing.T) {
	w := newWorld()
	for _, id := range []string{"n1", "n2", "n3"} {
		w.PutNode(makeNode(id, spec{}))
	}
	j := makeJob("web", spec{})
	j.TaskGroups[0].Count = 10_000_000
	run(t, w, j)
	answer, err := why.Job(input(w), j)
	if err != nil {
		t.Fatal(err)
	}
	g := answer.Groups[0]
	if g.Running != 24 || g.Unplaced != 10_000_000-24 || g.Funnel.Candidates != 0 {
		t.Errorf("%d run, %d are unplaced", g.Running, g.Unplaced)
	}
	if len(g.Suggestions) == 0 || g.Suggestions[0].Kind != api.SuggestCount {
		t.Errorf("%+v", g.Suggestions)
	}
}

// TestGroupsShareTheRuns: the second group has suggestions too.
func TestGroupsShareTheRuns(t *testing.T) {
	w := newWorld()
	w.PutNode(makeNode("n1", spec{}))
	j := makeJob("web", spec{"memory": "9000"})
	second := api.Clone(j.TaskGroups[0])
	second.Name = "h"
	j.TaskGroups = append(j.TaskGroups, second)
	run(t, w, j)
	answer, err := why.Job(input(w), j)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range answer.Groups {
		if g.Unplaced != 1 || len(g.Suggestions) == 0 {
			t.Errorf("group %s: %d unplaced, %d suggestions", g.Name, g.Unplaced, len(g.Suggestions))
		}
	}
	if answer.Runs > why.DefaultRuns {
		t.Errorf("%d runs", answer.Runs)
	}
}
