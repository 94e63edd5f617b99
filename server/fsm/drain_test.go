package fsm

import (
	"errors"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
)

func TestDrainOfANode(t *testing.T) {
	r := newReplica()
	r.must(t, &NodeRegister{Node: node(1)})
	now := func() *api.Node {
		n, _ := r.Store().View().Node(node(1).ID)
		return n
	}
	drain := func(at int64, s *api.DrainStrategy, eligible bool, meta map[string]string) {
		t.Helper()
		r.must(t, &NodeDrain{NodeID: node(1).ID, Strategy: s, MarkEligible: eligible, Meta: meta, Time: second(at), Event: &api.NodeEvent{Message: "m"}})
	}
	strategy := &api.DrainStrategy{DrainSpec: api.DrainSpec{Deadline: api.Duration(time.Hour)}}
	drain(10, strategy, false, map[string]string{"who": "me"})
	n := now()
	if n.Ready() || !n.Drain || n.SchedulingEligibility != api.NodeIneligible || n.LastDrain.Status != DrainDraining || n.LastDrain.Meta["who"] != "me" || n.DrainStrategy.StartedAt.Unix() != 10 {
		t.Fatalf("draining: %+v", n)
	}
	if _, err := r.do(t, &NodeEligibility{NodeID: n.ID, Eligibility: api.NodeEligible}); !errors.Is(err, api.ErrInvalid) {
		t.Errorf("eligible while it drains: %v", err)
	}
	drain(20, &api.DrainStrategy{DrainSpec: api.DrainSpec{Deadline: -1}}, false, nil)
	if n := now(); n.DrainStrategy.Deadline != -1 || n.DrainStrategy.StartedAt.Unix() != 10 || n.LastDrain.StartedAt.Unix() != 10 || n.LastDrain.UpdatedAt.Unix() != 20 || n.LastDrain.Meta["who"] != "me" {
		t.Errorf("changed: %+v %+v", n.DrainStrategy, n.LastDrain)
	}
	// A step that means an earlier drain has no effect.
	r.must(t, &DrainStep{Time: second(30), Done: []DrainNode{{NodeID: n.ID, StartedAt: time.Unix(9, 0)}}})
	if now().DrainStrategy == nil {
		t.Error("another drain was completed")
	}
	r.must(t, &DrainStep{Time: second(30), Done: []DrainNode{{NodeID: n.ID, StartedAt: time.Unix(10, 0), Event: &api.NodeEvent{Message: "done"}}}})
	n = now()
	if n.DrainStrategy != nil || n.Drain || n.SchedulingEligibility != api.NodeIneligible || n.LastDrain.Status != DrainComplete || n.Events[len(n.Events)-1].Message != "done" {
		t.Errorf("complete: %+v", n)
	}
	drain(40, strategy, false, nil)
	drain(50, nil, true, nil)
	if n := now(); n.DrainStrategy != nil || !n.Ready() || n.LastDrain.Status != DrainCanceled || n.LastDrain.UpdatedAt.Unix() != 50 {
		t.Errorf("ended by hand: %+v", n)
	}
	if _, err := r.do(t, &NodeDrain{NodeID: uuid(9)}); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("unknown node: %v", err)
	}
}

func TestDrainStepMovesOnlyFromNodesThatDrain(t *testing.T) {
	r := newReplica()
	r.must(t, &NodeRegister{Node: node(1)})
	r.must(t, &JobRegister{Job: job("j", 1)})
	j, _ := r.Store().View().Job("default", "j")
	r.must(t, &PlanApply{Plans: []Plan{{EvalID: uuid(1), Namespace: "default", JobID: "j", JobModifyIndex: j.JobModifyIndex,
		Placements: []Placement{{ID: uuid(2), Group: "web", NodeID: node(1).ID, Ports: []api.PortMapping{{Label: "http", Value: 20000}}}}}}})
	step := &DrainStep{Time: 1, Allocs: []string{uuid(2), uuid(7)}, Evals: []*api.Evaluation{eval(1, j, api.EvalPending)}}
	r.must(t, step)
	marked := func() bool {
		a, ok := r.Store().View().Allocation(uuid(2))
		return ok && a.DesiredTransition.Migrate != nil
	}
	if marked() {
		t.Error("moved from a node that is not drained")
	}
	r.must(t, &NodeDrain{NodeID: node(1).ID, Strategy: &api.DrainStrategy{}})
	r.must(t, step)
	if !marked() {
		t.Error("not moved from a node that is drained")
	}
}
