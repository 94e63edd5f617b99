package why_test

import (
	"strings"
	"testing"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/why"
)

// Groups of a job that is all or none: one has no room, and the other waits for it.
func TestGangCause(t *testing.T) {
	w := newWorld()
	w.PutNode(makeNode("n1", spec{"cpu": "4000"}))
	j := makeJob("web", spec{"count": "5", "cpu": "1100"})
	small := *j.TaskGroups[0]
	small.Name, small.Count = "small", 1
	small.Tasks = []*api.Task{{Name: "t", Driver: "mock", Resources: &api.Resources{CPU: 10, MemoryMB: 10}}}
	j.TaskGroups, j.AllAtOnce = append(j.TaskGroups, &small), true
	run(t, w, j)
	before := usage(w)
	for group, want := range map[string]string{
		"g":     "only 3 have room, and all_at_once wants all or none; for one more, 1 node meets",
		"small": `there is room, but the job is all_at_once and group "g" has none`,
	} {
		if got := why.Cause(input(w), j, group); !strings.HasPrefix(got, want) {
			t.Errorf("group %s: %s", group, got)
		}
	}
	answer, err := why.Job(input(w), j)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range answer.Groups {
		if g.Unplaced != g.Wanted || len(g.Suggestions) == 0 {
			t.Errorf("group %s: %d of %d unplaced, %d suggestions", g.Name, g.Unplaced, g.Wanted, len(g.Suggestions))
		}
	}
	if after := usage(w); after != before {
		t.Errorf("the fleet was\n%s\nand is\n%s", before, after)
	}
}
