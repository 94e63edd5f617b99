package rank

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/feasible"
	"github.com/seraihq/serai/scheduler/fit"
	"github.com/seraihq/serai/scheduler/fleet"
)

// TestLanesPickWhatASurveyPicks places the same allocations with lanes and with
// a pass over all rows for each pick: both must choose the same nodes.
func TestLanesPickWhatASurveyPicks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes := rapid.IntRange(1, 12).Draw(t, "nodes")
		a, b := randomFleet(t, nodes), fleet.New()
		for row := range int32(nodes) {
			b.NodeUpsert(a.Node(row))
		}
		job := randomJob(t)
		lanes, survey := selectorOn(a, job, 100), selectorOn(b, job, 1)
		for row := range int32(nodes) { // also on nodes that take nothing new
			for range rapid.IntRange(0, 2).Draw(t, "present") {
				lanes.Present("g", row)
				survey.Present("g", row)
			}
		}
		for i := range rapid.IntRange(1, 30).Draw(t, "picks") {
			if rapid.IntRange(0, 4).Draw(t, "avoid") == 0 {
				rows := []int32{int32(rapid.IntRange(0, nodes-1).Draw(t, "row"))}
				lanes.Avoid(rows)
				survey.Avoid(rows)
			}
			if rapid.IntRange(0, 5).Draw(t, "absent") == 0 {
				first := rapid.IntRange(0, nodes-1).Draw(t, "absent row")
				for row := int32(first); row < int32(nodes); row++ {
					if lanes.collisions.of(row) > 0 {
						lanes.Absent("g", row)
						survey.Absent("g", row)
						break
					}
				}
			}
			x, okX := lanes.Pick()
			y, okY := survey.Pick()
			if okX != okY || okX && (x.Row != y.Row || x.Score != y.Score) {
				t.Fatalf("pick %d: lanes give row %d with %v (%v), the survey row %d with %v (%v)", i, x.Row, x.Score, okX, y.Row, y.Score, okY)
			}
			lanes.Avoid(nil)
			survey.Avoid(nil)
		}
	})
}

func selectorOn(f *fleet.Fleet, j *api.Job, expect int) *Selector {
	g := j.TaskGroups[0]
	u := fit.Of(fit.Resources(g, false))
	return New(Demand{Fleet: f, Tx: f.Begin(), Job: j, Group: g, Feasible: feasible.For(f, j, g), Usage: &u, Expect: expect})
}

func randomFleet(t *rapid.T, nodes int) *fleet.Fleet {
	f := fleet.New()
	for i := range nodes {
		n := &api.Node{
			ID: fmt.Sprintf("n%d", i), Datacenter: "dc1", NodePool: api.NodePoolDefault, Meta: map[string]string{},
			Status: api.NodeStatusReady, SchedulingEligibility: api.NodeEligible,
			Drivers: map[string]*api.DriverInfo{"mock": {Detected: true, Healthy: true}},
			NodeResources: &api.NodeResources{
				Cpu:    api.NodeCpuResources{CpuShares: int64(rapid.IntRange(1, 4).Draw(t, "cpu") * 1000)},
				Memory: api.NodeMemoryResources{MemoryMB: int64(rapid.IntRange(1, 4).Draw(t, "memory") * 1000)},
			},
		}
		if zone := rapid.IntRange(0, 3).Draw(t, "zone"); zone > 0 {
			n.Meta["zone"] = fmt.Sprint("z", zone)
		}
		n.Meta["rack"] = fmt.Sprint("r", rapid.IntRange(1, 3).Draw(t, "rack"))
		if rapid.IntRange(0, 3).Draw(t, "takes nothing") == 0 {
			n.SchedulingEligibility = api.NodeIneligible
		}
		f.NodeUpsert(n)
	}
	return f
}

func randomJob(t *rapid.T) *api.Job {
	g := &api.TaskGroup{Name: "g", Count: rapid.IntRange(1, 20).Draw(t, "count"), Tasks: []*api.Task{{
		Name: "t", Driver: "mock", Resources: &api.Resources{CPU: 300, MemoryMB: 200},
	}}}
	j := &api.Job{ID: "j", Datacenters: []string{"*"}, TaskGroups: []*api.TaskGroup{g}}
	if rapid.Bool().Draw(t, "affinity") {
		g.Affinities = []*api.Affinity{
			{LTarget: "${meta.rack}", RTarget: "r1", Operand: "=", Weight: int8(rapid.IntRange(-100, 100).Draw(t, "weight"))},
			{LTarget: "${meta.zone}", RTarget: "z2", Operand: "!=", Weight: 30},
		}
	}
	for _, attribute := range []string{"${meta.zone}", "${meta.rack}"} {
		if !rapid.Bool().Draw(t, "spread") {
			continue
		}
		s := &api.Spread{Attribute: attribute, Weight: int8(rapid.IntRange(1, 100).Draw(t, "spread weight"))}
		if rapid.Bool().Draw(t, "targets") {
			s.SpreadTarget = []*api.SpreadTarget{{Value: "z1", Percent: uint8(rapid.IntRange(0, 60).Draw(t, "percent"))}, {Value: "r2", Percent: 30}}
		}
		j.Spreads = append(j.Spreads, s)
	}
	if rapid.IntRange(0, 3).Draw(t, "distinct") == 0 {
		g.Constraints = []*api.Constraint{{LTarget: "${meta.rack}", Operand: api.ConstraintDistinctProperty, RTarget: "3"}}
	}
	return j
}
