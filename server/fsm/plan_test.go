package fsm

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/seraihq/serai/api"
)

// planned is a server with a node and a job, ready for plans.
func planned(t *testing.T, cpu int) (*replica, *api.Job) {
	r := newReplica()
	r.must(t, &NodeRegister{Node: node(1)})
	r.must(t, &NodeRegister{Node: node(2)})
	out := r.must(t, &JobRegister{Job: job("j", cpu)}).(*JobRegistered)
	return r, out.Job
}

func plan(j *api.Job, places ...Placement) Plan {
	for i := range places {
		places[i].Group, places[i].Version, places[i].Index = "web", j.Version, i
	}
	return Plan{EvalID: uuid(3001), Namespace: j.Namespace, JobID: j.ID, JobModifyIndex: j.JobModifyIndex, Placements: places, Evals: []*api.Evaluation{eval(1, j, api.EvalComplete)}}
}

func place(id, on int) Placement { return Placement{ID: uuid(id), NodeID: node(on).ID} }

func (r *replica) plan(t *testing.T, p Plan) PlanResult {
	t.Helper()
	return r.must(t, &PlanApply{Time: 99, Plans: []Plan{p}}).(*PlanApplied).Plans[0]
}

func reasons(p PlanResult) string {
	var out []string
	for _, x := range p.Refused {
		out = append(out, x.AllocID[:8]+" "+x.Reason)
	}
	return strings.Join(out, "; ")
}

func TestPlanPlaces(t *testing.T) {
	r, j := planned(t, 400)
	p := plan(j, place(1, 1), place(2, 2))
	p.Placements[0].Ports = []api.PortMapping{{Label: "http", Value: 20001, To: 80, HostIP: "10.0.0.1"}}
	if got := r.plan(t, p); !got.OK() {
		t.Fatalf("refused: %+v", got)
	}
	v := r.Store().View()
	a, ok := v.Allocation(uuid(1))
	if !ok || a.Name != "j.web[0]" || a.NodeName != "n1" || a.Job == nil || a.Job.Version != j.Version || a.CreateTime != 99 ||
		a.DesiredStatus != "run" || a.ClientStatus != "pending" || a.CreateIndex != r.index || a.AllocModifyIndex != r.index {
		t.Errorf("allocation is %+v", a)
	}
	res := a.AllocatedResources
	if res.Tasks["main"].Cpu.CpuShares != 400 || res.Shared.DiskMB != 10 || res.Shared.Ports[0].Value != 20001 || res.Shared.Networks[0].DynamicPorts[0].Value != 20001 {
		t.Errorf("resources are %+v", res)
	}
	if e, ok := v.Evaluation(uuid(3001)); !ok || e.Status != api.EvalComplete {
		t.Error("the evaluation was not written with the plan")
	}
}

func TestPlanRefusals(t *testing.T) {
	port := func(p Placement, n int) Placement {
		p.Ports = []api.PortMapping{{Label: "http", Value: n}}
		return p
	}
	for name, c := range map[string]struct {
		before func(r *replica, t *testing.T)
		plan   func(p *Plan)
		places []Placement
		want   string
	}{
		"cpu":                       {places: []Placement{place(1, 1), place(2, 1), place(3, 1)}, want: "00000003 cpu"},
		"gone node":                 {places: []Placement{place(1, 9)}, want: "00000001 node is gone"},
		"port":                      {places: []Placement{port(place(1, 1), 22000), port(place(2, 1), 22000)}, want: "00000002 network: port 22000 is in use"},
		"same port on another node": {places: []Placement{port(place(1, 1), 22000), port(place(2, 2), 22000)}},
		"twice":                     {places: []Placement{place(1, 1), place(1, 2)}, want: "00000001 allocation exists already"},
		"all at once":               {plan: func(p *Plan) { p.AllAtOnce = true }, places: []Placement{place(1, 1), place(2, 1), place(3, 1)}, want: "00000003 cpu; 00000001 another placement of the plan was refused; 00000002 another placement of the plan was refused"},
		"group":                     {plan: func(p *Plan) { p.Placements[0].Group = "none" }, places: []Placement{place(1, 1)}, want: "00000001 job version or group is gone"},
		"version":                   {plan: func(p *Plan) { p.Placements[0].Version = 9 }, places: []Placement{place(1, 1)}, want: "00000001 job version or group is gone"},
		"update of nothing":         {plan: func(p *Plan) { p.Updates = []InPlace{{AllocID: uuid(77)}} }, want: "00000077 allocation is gone, over or of another job"},
		"ineligible": {
			before: func(r *replica, t *testing.T) {
				r.must(t, &NodeEligibility{NodeID: node(1).ID, Eligibility: api.NodeIneligible})
			},
			places: []Placement{place(1, 1)}, want: "00000001 node is not ready for new allocations",
		},
		"down": {
			before: func(r *replica, t *testing.T) {
				r.must(t, &NodeStatus{Updates: []NodeStatusUpdate{{NodeID: node(1).ID, Status: "down"}}})
			},
			places: []Placement{place(1, 1)}, want: "00000001 node is not ready for new allocations",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, j := planned(t, 400)
			if c.before != nil {
				c.before(r, t)
			}
			p := plan(j, c.places...)
			if c.plan != nil {
				c.plan(&p)
			}
			got := r.plan(t, p)
			if s := strings.ReplaceAll(reasons(got), uuid(77)[:8], "00000077"); s != c.want {
				t.Errorf("refused %q, want %q", s, c.want)
			}
			_, written := r.Store().View().Evaluation(uuid(3001))
			if written != got.OK() {
				t.Errorf("the evaluation was written: %v, though the plan was applied: %v", written, got.OK())
			}
			checkInvariantsOrEmpty(t, r)
		})
	}
}

func checkInvariantsOrEmpty(t *testing.T, r *replica) {
	if r.Store().View().AllocationCount() > 0 {
		checkInvariants(t, r.Store().View())
	}
}

func TestPlanSuperseded(t *testing.T) {
	r, old := planned(t, 400)
	changed := r.must(t, &JobRegister{Job: job("j", 300)}).(*JobRegistered)
	if got := r.plan(t, plan(old, place(1, 1))); got.Superseded == "" || r.Store().View().AllocationCount() != 0 {
		t.Errorf("a plan for an old version gave %+v", got)
	}
	stopped := r.must(t, &JobDeregister{Namespace: "default", ID: "j"}).(*JobRegistered)
	if got := r.plan(t, plan(changed.Job, place(1, 1))); got.Superseded == "" {
		t.Errorf("a plan for a job stopped since gave %+v", got)
	}
	if got := r.plan(t, plan(stopped.Job, place(1, 1))); !strings.Contains(got.Superseded, "stopped") {
		t.Errorf("a placement of a stopped job gave %+v", got)
	}
	r.must(t, &JobDeregister{Namespace: "default", ID: "j", Purge: true})
	if got := r.plan(t, plan(stopped.Job)); !strings.Contains(got.Superseded, "purged") {
		t.Errorf("a plan for a purged job gave %+v", got)
	}
	gone := Plan{EvalID: uuid(1), Namespace: "default", JobID: "j"}
	if got := r.plan(t, gone); !got.OK() {
		t.Errorf("a plan that knows of the purge gave %+v", got)
	}
}

// TestReplacement stops an allocation and places its successor in the room
// that it leaves; when the successor is refused, the old one goes on.
func TestReplacement(t *testing.T) {
	r, j := planned(t, 400)
	r.plan(t, plan(j, place(1, 1), place(2, 1)))
	p := plan(j, place(3, 1))
	p.Placements[0].Previous = uuid(1)
	p.Stops = []Stop{{AllocID: uuid(1), Description: "replaced"}}
	if got := r.plan(t, p); !got.OK() {
		t.Fatalf("refused: %+v", got)
	}
	v := r.Store().View()
	if a, _ := v.Allocation(uuid(1)); a.DesiredStatus != "stop" || a.NextAllocation != uuid(3) || a.DesiredDescription != "replaced" {
		t.Errorf("the replaced one is %+v", a)
	}
	q := plan(j, place(5, 1), place(4, 9)) // 5 would fit only if 1 were over
	q.Placements[1].Previous = uuid(2)
	q.Stops = []Stop{{AllocID: uuid(2), Description: "replaced"}}
	got := r.plan(t, q)
	if s := reasons(got); s != "00000005 cpu; 00000004 node is gone" {
		t.Errorf("refused %q", s)
	}
	if a, _ := r.Store().View().Allocation(uuid(2)); a.DesiredStatus != "run" || a.NextAllocation != "" {
		t.Errorf("what lost its successor is %+v", a)
	}
	r.must(t, &AllocUpdate{Updates: []ClientUpdate{{ID: uuid(1), ClientStatus: "complete"}}})
	r.must(t, &AllocUpdate{Updates: []ClientUpdate{{ID: uuid(3), ClientStatus: "complete"}}})
	if got := r.plan(t, plan(j, place(5, 1))); !got.OK() {
		t.Errorf("refused in room that is free now: %+v", got)
	}
	checkInvariants(t, r.Store().View())
}

func TestInPlaceUpdate(t *testing.T) {
	r, j := planned(t, 400)
	p := plan(j, place(1, 1))
	p.Placements[0].Ports = []api.PortMapping{{Label: "http", Value: 20001}}
	r.plan(t, p)
	now := r.must(t, &JobRegister{Job: job("j", 500)}).(*JobRegistered).Job
	u := plan(now)
	u.Updates = []InPlace{{AllocID: uuid(1), Version: now.Version}}
	if got := r.plan(t, u); !got.OK() {
		t.Fatalf("refused: %+v", got)
	}
	a, _ := r.Store().View().Allocation(uuid(1))
	if a.Job.Version != now.Version || a.AllocatedResources.Tasks["main"].Cpu.CpuShares != 500 || a.AllocatedResources.Shared.Ports[0].Value != 20001 {
		t.Errorf("allocation is %+v", a)
	}
	checkInvariants(t, r.Store().View())
}

func TestRegisterChecks(t *testing.T) {
	r := newReplica()
	bad := job("j", 1)
	bad.Namespace = "none"
	if _, err := r.do(t, &JobRegister{Job: bad}); !errors.Is(err, api.ErrInvalid) {
		t.Errorf("unknown namespace: %v", err)
	}
	if _, err := r.do(t, &JobRegister{Job: job("j", 1), EnforceIndex: true, JobModifyIndex: 5}); !errors.Is(err, api.ErrConflict) {
		t.Errorf("enforced index of no job: %v", err)
	}
	out := r.must(t, &JobRegister{Job: job("j", 1), EnforceIndex: true}).(*JobRegistered)
	if _, err := r.do(t, &JobRegister{Job: job("j", 2), EnforceIndex: true}); !errors.Is(err, api.ErrConflict) {
		t.Errorf("enforced absence of a job: %v", err)
	}
	same := r.must(t, &JobRegister{Job: job("j", 1), Eval: eval(1, out.Job, api.EvalPending)}).(*JobRegistered)
	if same.Changed || same.Eval.JobModifyIndex != out.Job.JobModifyIndex {
		t.Errorf("registering the same again gave %+v", same)
	}
}

func TestNamespaceWithJobsStays(t *testing.T) {
	r := newReplica()
	r.must(t, &NamespaceUpsert{Namespaces: []*api.Namespace{{Name: "team"}}})
	j := job("j", 1)
	j.Namespace = "team"
	r.must(t, &JobRegister{Job: j})
	if _, err := r.do(t, &NamespaceDelete{Names: []string{"team"}}); !errors.Is(err, api.ErrConflict) {
		t.Errorf("got %v", err)
	}
	r.must(t, &JobDeregister{Namespace: "team", ID: "j"})
	r.must(t, &NamespaceDelete{Names: []string{"team"}})
	if _, err := r.do(t, &NamespaceDelete{Names: []string{"default"}}); !errors.Is(err, api.ErrInvalid) {
		t.Errorf("got %v", err)
	}
}

func TestNodeIdentityIsKept(t *testing.T) {
	r := newReplica()
	r.must(t, &NodeRegister{Node: node(1), Time: 5e9})
	r.must(t, &NodeEligibility{NodeID: node(1).ID, Eligibility: api.NodeIneligible})
	again := r.must(t, &NodeRegister{Node: node(1), Time: 9e9}).(*api.Node)
	if again.SchedulingEligibility != api.NodeIneligible || again.CreateIndex == again.ModifyIndex || len(again.Events) == 0 {
		t.Errorf("registered again: %+v", again)
	}
	thief := node(1)
	thief.SecretID = "other"
	if _, err := r.do(t, &NodeRegister{Node: thief}); !errors.Is(err, api.ErrDenied) {
		t.Errorf("another secret: %v", err)
	}
}

// TestPlacementSize keeps a placement near the hundred bytes it is meant to take.
func TestPlacementSize(t *testing.T) {
	one, many := Plan{}, Plan{}
	for i := range 1000 {
		p := Placement{ID: uuid(i), Group: "web", Index: i, NodeID: uuid(5000 + i), Metric: 1, Ports: []api.PortMapping{{Label: "http", Value: 20000 + i, To: 80, HostIP: "10.0.0.1"}}}
		many.Placements = append(many.Placements, p)
		if i == 0 {
			one.Placements = append(one.Placements, p)
		}
	}
	a, _ := Encode(&PlanApply{Plans: []Plan{one}})
	b, _ := Encode(&PlanApply{Plans: []Plan{many}})
	each := (len(b) - len(a)) / 999
	t.Logf("%d bytes per placement with a port", each)
	if each > 100 {
		t.Errorf("a placement takes %d bytes", each)
	}
}

func benchPlan(n int) *PlanApply {
	p := Plan{EvalID: uuid(1), Namespace: "default", JobID: "j"}
	for i := range n {
		p.Placements = append(p.Placements, Placement{ID: uuid(i), Group: "web", Index: i, NodeID: uuid(5000 + i), Metric: 1, Ports: []api.PortMapping{{Label: "http", Value: 20000 + i, HostIP: "10.0.0.1"}}})
	}
	return &PlanApply{Plans: []Plan{p}}
}

func BenchmarkEncodePlan1000(b *testing.B) {
	c := benchPlan(1000)
	for b.Loop() {
		if _, err := Encode(c); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodePlan1000(b *testing.B) {
	entry, _ := Encode(benchPlan(1000))
	for b.Loop() {
		if _, err := Decode(entry); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkApplyPlan1000 applies plans of 1,000 placements, decoding included.
func BenchmarkApplyPlan1000(b *testing.B) {
	r := newReplica()
	for n := range 1000 {
		x := node(n)
		x.NodeResources.Cpu.CpuShares, x.NodeResources.Memory.MemoryMB, x.NodeResources.Disk.DiskMB = 1<<40, 1<<40, 1<<40
		r.must(b, &NodeRegister{Node: x})
	}
	j := r.must(b, &JobRegister{Job: job("j", 1)}).(*JobRegistered).Job
	n := 0
	for b.Loop() {
		p := Plan{EvalID: uuid(1), Namespace: "default", JobID: "j", JobModifyIndex: j.JobModifyIndex}
		for i := range 1000 {
			n++
			p.Placements = append(p.Placements, Placement{ID: uuid(1<<20 + n), Group: "web", Index: i, NodeID: node(i).ID})
		}
		out := r.must(b, &PlanApply{Plans: []Plan{p}}).(*PlanApplied)
		if !out.Plans[0].OK() {
			b.Fatal(fmt.Sprintf("%+v", out.Plans[0]))
		}
	}
}
