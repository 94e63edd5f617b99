package command

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

var shortSpan = regexp.MustCompile(`\b\d+(\.\d+)?m?s\b`)

// TestLiveDisplays: what a terminal shows while a deployment and a drain go on.
func TestLiveDisplays(t *testing.T) {
	yes, no := true, false
	s := &session{Invocation: &cli.Invocation{}}
	f := s.newFollower(false, toDeployment)
	f.deployment = fakeDeployment(shopDeployment, "shop", 4, api.DeploymentState{DesiredTotal: 9, DesiredCanaries: 1, PlacedAllocs: 4, HealthyAllocs: 1, UnhealthyAllocs: 1})
	f.deployment.StatusDescription = api.DeploymentDescNeedsPromote
	f.list = []*api.AllocationListStub{
		stub("a1000000-aaaa-4bbb-8ccc-000000000001", "shop", "running", &yes, true)(), stub("a2000000-aaaa-4bbb-8ccc-000000000001", "shop", "running", nil, false)(),
		stub("a3000000-aaaa-4bbb-8ccc-000000000001", "shop", "running", &no, false)(), stub("a4000000-aaaa-4bbb-8ccc-000000000001", "shop", "failed", &no, false)(),
	}
	want := `==> Deployment aa000000 of job "shop" version 4: running  0s
    Deployment is running but requires manual promotion
    Task Group  Promoted  Desired  Canaries  Placed  Healthy  Unhealthy  Deadline
    front       false     9        1         4       1        1          N/A
    ✓ a1000000  front[0]  on one  running and healthy
    · a2000000  front[0]  on one  running
    ✗ a3000000  front[0]  on one  running, not healthy
    ✗ a4000000  front[0]  on one  failed (task "server": Exit Code: 3)
    Canaries are healthy. Promote them with: serai deployment promote aa000000
    Or give them up with: serai deployment fail aa000000
    Ctrl-C stops watching, not the deployment.`
	if diff := cmp.Diff(want, masked(f.deploymentLines(24, false))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if lines := f.deploymentLines(11, false); len(lines) > 10 || !strings.Contains(strings.Join(lines, "\n"), "… and 2 more allocations") {
		t.Errorf("on a low terminal:\n%s", strings.Join(lines, "\n"))
	}

	node := fakeNodeObject()
	node.DrainStrategy = &api.DrainStrategy{DrainSpec: api.DrainSpec{Deadline: api.Duration(time.Hour)}, ForceDeadline: time.Now().Add(40*time.Second + 900*time.Millisecond)}
	moving, gone := fakeAllocation(), fakeFailed()
	moving.DesiredTransition.Migrate = &yes
	gone.ClientStatus, gone.NextAllocation = "complete", fakeAlloc
	d := &drainFollower{s: s, started: time.Now(), node: node, allocs: []*api.Allocation{moving, gone}}
	want = `==> Drain of node 11111111 (one): 1 allocation left  0s
    what is left is stopped in 40s
    · 33333333  web.front[0]  marked for migration
    ✓ 34444444  web.front[1]  has left: complete, replaced by 33333333
    Ctrl-C stops watching, not the drain.`
	if diff := cmp.Diff(want, masked(d.lines(24, false))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// masked joins lines, without how long the watching goes on.
func masked(lines []string) string {
	lines[0] = shortSpan.ReplaceAllString(lines[0], "0s")
	return strings.Join(lines, "\n")
}
