package drain

import (
	"fmt"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/state"
)

// TestEveryNodeAtOnce decides about a drain of all of 5,000 nodes with 100,000
// allocations of 200 services.
func TestEveryNodeAtOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("makes a large cluster")
	}
	const nodes, jobs, each = 5000, 200, 500
	s := state.New()
	tx := s.Begin(10)
	var list []*api.Node
	for i := range nodes {
		n := &api.Node{ID: fmt.Sprintf("%08d", i), Status: api.NodeStatusReady, SchedulingEligibility: api.NodeIneligible, DrainStrategy: &api.DrainStrategy{}}
		tx.PutNode(n)
		list = append(list, n)
	}
	for j := range jobs {
		job, _ := tx.RegisterJob(&api.Job{Namespace: "default", ID: fmt.Sprint("j", j), Type: api.JobTypeService, TaskGroups: []*api.TaskGroup{{Name: "g", Count: each, Migrate: &api.MigrateStrategy{MaxParallel: 10}}}}, nil)
		for k := range each {
			tx.PutAllocation(&api.Allocation{
				ID: fmt.Sprintf("%04d-%04d", j, k), Namespace: "default", JobID: job.ID, Job: job, TaskGroup: "g", NodeID: list[(j*each+k)%nodes].ID,
				DesiredStatus: api.AllocDesiredRun, ClientStatus: api.AllocClientRunning,
			})
		}
	}
	view := tx.Commit()
	start := time.Now()
	d := Decide(view, list, time.Now())
	took := time.Since(start)
	t.Logf("decided about %d allocations on %d nodes in %s", jobs*each, nodes, took)
	if len(d.Move) != jobs*10 || len(d.Done) != 0 {
		t.Errorf("%d move, %d nodes are done", len(d.Move), len(d.Done))
	}
	if took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
}
