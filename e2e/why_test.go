package e2e

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/seraihq/serai/api"
)

// TestWhyAJobIsBlocked asks why a job finds no node, does what is suggested, and
// tries the same on a snapshot.
func TestWhyAJobIsBlocked(t *testing.T) {
	t.Parallel()
	a := shared(t)
	id := a.jobID(t)
	hcl := oneGroup(id, "service", `constraint {
  attribute = "${attr.kernel.name}"
  value     = "plan9"
}`, shell("t", "exec sleep 600"))
	a.register(t, hcl)
	defer a.cli(t, "job", "stop", "-detach", "-purge", id)
	var blocked *api.GroupWhy
	eventually(t, "the job is blocked", func() (bool, string) {
		var why api.JobWhy
		a.get(t, "/v1/job/"+id+"/why", &why)
		blocked = why.Groups[0]
		return blocked.Unplaced == 1, why.Summary
	})
	left := blocked.Funnel.Nodes
	for _, s := range blocked.Funnel.Steps {
		left -= s.Removed
	}
	if left != 0 || blocked.Funnel.Candidates != 0 {
		t.Errorf("the funnel does not add up: %+v", blocked.Funnel)
	}
	if len(blocked.Suggestions) == 0 || blocked.Suggestions[0].Kind != api.SuggestConstraint {
		t.Fatalf("suggestions: %+v", blocked.Suggestions)
	}
	out := a.ok(t, "job", "why", id)
	for _, want := range []string{"1 of 1 allocation finds no node", "${attr.kernel.name} = plan9", "drop the constraint"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in:\n%s", want, out)
		}
	}

	snap := filepath.Join(t.TempDir(), "s.snap")
	a.ok(t, "operator", "snapshot", "save", snap)
	if r := a.cli(t, "sim", "-n1-by", "none", snap); r.code != 1 || !strings.Contains(r.stdout, id) {
		t.Errorf("sim of the snapshot: %v; want exit code 1 and the job", r)
	}

	a.register(t, strings.Replace(hcl, "plan9", "linux", 1))
	alloc := a.waitOne(t, id, "running")
	out = a.ok(t, "alloc", "why", alloc.ID[:8])
	for _, want := range []string{"It runs on node", "It would be placed there again", "binpack"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in:\n%s", want, out)
		}
	}
}
