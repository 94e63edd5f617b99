package command

import (
	"net/http"
	"strings"
	"time"

	"github.com/seraihq/serai/api"
)

// Jobs of the fake agent that are deployed, dispatched and started by the clock:
// the deployment of "shop" waits for a promotion and succeeds, that of "cart"
// fails and is rolled back.
const (
	shopDeployment = "aa000000-aaaa-4bbb-8ccc-000000000001"
	cartDeployment = "bb000000-aaaa-4bbb-8ccc-000000000002"
	backDeployment = "cc000000-aaaa-4bbb-8ccc-000000000003"
	shopEval       = "dd000000-aaaa-4bbb-8ccc-000000000004"
	cartEval       = "ee000000-aaaa-4bbb-8ccc-000000000005"
	childEval      = "ff000000-aaaa-4bbb-8ccc-000000000006"
	movedAlloc     = "36000000-aaaa-4bbb-8ccc-000000000008"
	drainNode      = "17000000-aaaa-4bbb-8ccc-000000000007"
)

// alternative answers for objects by their ID in the path, or says no.
type alternative func(r *http.Request) (any, bool)

// byID answers for the objects of a map.
func byID[V any](m map[string]func(r *http.Request) V) alternative {
	return func(r *http.Request) (any, bool) {
		if f := m[r.PathValue("id")]; f != nil {
			return f(r), true
		}
		return nil, false
	}
}

// addShops puts the jobs before what the fake agent answers otherwise.
func addShops(answers map[string]func(r *http.Request) any) {
	add := func(path string, alt alternative) {
		before := answers[path]
		answers[path] = func(r *http.Request) any {
			if v, ok := alt(r); ok {
				return v
			}
			if before == nil {
				return "!not found"
			}
			return before(r)
		}
	}
	w := &world{}
	w.shop, w.cart, w.back = w.deployment(shopDeployment, w.shopSteps), w.deployment(cartDeployment, w.cartSteps), w.deployment(backDeployment, w.backSteps)
	deployments := []*told{w.shop, w.cart, w.back}
	for _, t := range deployments {
		add("GET /v1/deployment/{id}", byID(map[string]func(*http.Request) any{t.id: t.read}))
		add("GET /v1/deployment/allocations/{id}", byID(map[string]func(*http.Request) any{t.id: t.list}))
	}
	add("GET /v1/deployments", func(r *http.Request) (any, bool) {
		out := []*api.Deployment{}
		for _, t := range deployments {
			if strings.HasPrefix(t.id, r.FormValue("prefix")) {
				out = append(out, t.ended())
			}
		}
		return out, true
	})
	add("GET /v1/job/{id}/deployment", byID(map[string]func(*http.Request) any{
		"shop": func(*http.Request) any { return w.shop.begun() },
		"cart": func(r *http.Request) any {
			if w.cart.d != nil && !w.cart.d.Active() {
				return w.back.begun()
			}
			return w.cart.begun()
		},
	}))
	update := func(*http.Request) any { return api.DeploymentUpdateResponse{EvalID: shopEval} }
	for _, action := range []string{"promote", "pause", "unblock"} {
		add("PUT /v1/deployment/"+action+"/{id}", byID(map[string]func(*http.Request) any{shopDeployment: update}))
	}
	add("PUT /v1/deployment/fail/{id}", byID(map[string]func(*http.Request) any{cartDeployment: func(*http.Request) any {
		old := uint64(3)
		return api.DeploymentUpdateResponse{EvalID: cartEval, RevertedJobVersion: &old}
	}}))
	add("GET /v1/allocation/{id}", byID(map[string]func(*http.Request) any{movedAlloc: func(*http.Request) any { return fakeMoved() }}))
	addShopJobs(add)
	addDrain(add)
}

func addShopJobs(add func(path string, alt alternative)) {
	jobs := map[string]*api.Job{
		"shop": {ID: "shop", Namespace: "default", Type: "service", Status: "running", Version: 4},
		"cart": {ID: "cart", Namespace: "default", Type: "service", Status: "running", Version: 6},
		"cron": {ID: "cron", Namespace: "default", Type: "batch", Status: "running", Periodic: &api.PeriodicConfig{Spec: "0 3 * * *"}},
		"disp": {ID: "disp", Namespace: "default", Type: "batch", Status: "running", ParameterizedJob: &api.ParameterizedJobConfig{Payload: "required", MetaRequired: []string{"who"}}},

		"disp/dispatch-1": {ID: "disp/dispatch-1", ParentID: "disp", Namespace: "default", Type: "batch", Status: "dead", SubmitTime: 1700000000e9},
		"cron/periodic-1": {ID: "cron/periodic-1", ParentID: "cron", Namespace: "default", Type: "batch", Status: "dead", Stop: true, SubmitTime: 1700000000e9},
	}
	add("GET /v1/jobs", func(r *http.Request) (any, bool) {
		var out []*api.JobListStub
		for _, name := range sorted(jobs) {
			if p := r.FormValue("prefix"); p != "" && strings.HasPrefix(name, p) {
				j := jobs[name]
				out = append(out, &api.JobListStub{ID: j.ID, ParentID: j.ParentID, Namespace: "default", Type: j.Type, Status: j.Status, Stop: j.Stop, SubmitTime: j.SubmitTime, Periodic: j.IsPeriodic(), ParameterizedJob: j.IsParameterized()})
			}
		}
		return out, out != nil
	})
	add("GET /v1/job/{id}", func(r *http.Request) (any, bool) {
		j, ok := jobs[r.PathValue("id")]
		return j, ok
	})
	none := func(*http.Request) any { return []any{} }
	add("GET /v1/job/{id}/evaluations", byID(map[string]func(*http.Request) any{"cart": none, "disp/dispatch-1": none}))
	add("GET /v1/job/{id}/allocations", byID(map[string]func(*http.Request) any{"disp/dispatch-1": func(*http.Request) any {
		failed, again := fakeFailed(), fakeFailed()
		failed.NextAllocation = "35000000-aaaa-4bbb-8ccc-000000000002"
		again.ID, again.PreviousAllocation = failed.NextAllocation, failed.ID
		return []*api.AllocationListStub{failed.Stub(false, true), again.Stub(false, true)}
	}}))
	summary := func(*http.Request) any { return &api.JobSummary{Children: &api.JobChildrenSummary{Dead: 1}} }
	add("GET /v1/job/{id}/summary", byID(map[string]func(*http.Request) any{"disp": summary, "cron": summary}))
	add("PUT /v1/job/{id}/dispatch", byID(map[string]func(*http.Request) any{"disp": func(*http.Request) any {
		return api.JobDispatchResponse{DispatchedJobID: "disp/dispatch-1", EvalID: childEval}
	}}))
	add("PUT /v1/job/{id}/periodic/force", byID(map[string]func(*http.Request) any{"cron": func(*http.Request) any {
		return api.JobPeriodicForceResponse{EvalID: childEval}
	}}))
	eval := func(id, job string) func(*http.Request) any {
		return func(*http.Request) any {
			return &api.Evaluation{ID: id, JobID: job, Namespace: "default", Type: jobs[job].Type, TriggeredBy: "job-register", Status: "complete", CreateIndex: 5}
		}
	}
	add("GET /v1/evaluation/{id}", byID(map[string]func(*http.Request) any{
		shopEval: eval(shopEval, "shop"), cartEval: eval(cartEval, "cart"), childEval: eval(childEval, "disp/dispatch-1"),
	}))
	add("GET /v1/evaluation/{id}/allocations", byID(map[string]func(*http.Request) any{shopEval: none, cartEval: none, childEval: none}))
	add("PUT /v1/jobs", func(r *http.Request) (any, bool) {
		switch job := registered(r); job {
		case "shop":
			return api.JobRegisterResponse{EvalID: shopEval}, true
		case "cart":
			return api.JobRegisterResponse{EvalID: cartEval}, true
		case "disp":
			return api.JobRegisterResponse{JobModifyIndex: 10}, true
		}
		return nil, false
	})
}

// fakeMoved is an allocation that was placed anew, made room for itself and had
// to make room.
func fakeMoved() *api.Allocation {
	a := fakeAllocation()
	yes := true
	a.ID, a.ClientStatus, a.DesiredStatus, a.TaskStates, a.AllocatedResources = movedAlloc, "complete", "evict", nil, nil
	a.Job.TaskGroups[0].ReschedulePolicy = &api.ReschedulePolicy{Attempts: 3, Interval: api.Duration(24 * time.Hour)}
	a.RescheduleTracker = &api.RescheduleTracker{LastReschedule: "ok", Events: []*api.RescheduleEvent{
		{RescheduleTime: before(2*time.Hour + 30*time.Second), PrevAllocID: fakeLost, PrevNodeID: fakeNode, Delay: api.Duration(30 * time.Second)},
		{RescheduleTime: before(48*time.Hour + 30*time.Second), PrevAllocID: fakeAlloc, PrevNodeID: fakeNode, Delay: api.Duration(time.Minute)},
	}}
	a.DeploymentStatus = &api.AllocDeploymentStatus{Healthy: &yes, Canary: true}
	a.PreemptedAllocations, a.PreemptedByAllocation = []string{fakeLost}, fakeAlloc
	return a
}

// told is a deployment with its story.
type told struct {
	story
	id     string
	d      *api.Deployment
	allocs []*api.AllocationListStub
	start  func() (*api.Deployment, []*api.AllocationListStub)
}

func (t *told) read(r *http.Request) any {
	return t.answer(r, "deployment", true, func() any { return t.d })
}

func (t *told) list(r *http.Request) any {
	return t.answer(r, "allocations", false, func() any { return t.allocs })
}

// begun is the deployment as it is at first, ended as it is in the end.
func (t *told) begun() *api.Deployment { d, _ := t.start(); return d }

func (t *told) ended() *api.Deployment {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.begin()
	for _, step := range t.steps {
		step()
	}
	d := t.d
	t.d = nil
	return d
}

// world are the deployments of the fake agent.
type world struct{ shop, cart, back *told }

func (w *world) deployment(id string, steps func(t *told) []func()) *told {
	t := &told{id: id}
	t.watched = 2
	t.tell = func() []func() { return steps(t) }
	t.start = func() (*api.Deployment, []*api.AllocationListStub) {
		steps(t)
		return t.d, t.allocs
	}
	return t
}

// then makes the steps of a deployment: changes of its row and of its allocations in turn.
func (t *told) row(change func(d *api.Deployment, g *api.DeploymentState)) func() {
	return func() {
		d := *t.d
		g := *d.TaskGroups["front"]
		d.TaskGroups = map[string]*api.DeploymentState{"front": &g}
		change(&d, &g)
		t.d = &d
		t.changed("deployment")
	}
}

func (t *told) allocation(change func() *api.AllocationListStub) func() {
	return func() {
		a := change()
		kept := []*api.AllocationListStub{a}
		for _, old := range t.allocs {
			if old.ID != a.ID {
				kept = append(kept, old)
			}
		}
		t.allocs = kept
		t.changed("allocations")
	}
}

func fakeDeployment(id, job string, version uint64, g api.DeploymentState) *api.Deployment {
	return &api.Deployment{ID: id, JobID: job, Namespace: "default", JobVersion: version, Status: "running", StatusDescription: api.DeploymentDescRunning,
		ModifyIndex: 9, TaskGroups: map[string]*api.DeploymentState{"front": &g}}
}

// stub is an allocation of a deployment; healthy is nil until it is known.
func stub(id, job, status string, healthy *bool, canary bool) func() *api.AllocationListStub {
	return func() *api.AllocationListStub {
		a := fakeAllocation()
		if status == "failed" {
			a = fakeFailed()
		}
		a.ID, a.Name, a.JobID, a.ClientStatus = id, job+".front[0]", job, status
		a.DeploymentStatus = &api.AllocDeploymentStatus{Healthy: healthy, Canary: canary}
		return a.Stub(false, true)
	}
}

func (w *world) shopSteps(t *told) []func() {
	yes := true
	t.d = fakeDeployment(shopDeployment, "shop", 4, api.DeploymentState{DesiredTotal: 2, DesiredCanaries: 1})
	t.d.StatusDescription = api.DeploymentDescNeedsPromote
	t.allocs = nil
	one, two := "a1000000-aaaa-4bbb-8ccc-000000000001", "a2000000-aaaa-4bbb-8ccc-000000000002"
	return []func(){
		t.allocation(stub(one, "shop", "pending", nil, true)),
		t.row(func(_ *api.Deployment, g *api.DeploymentState) { g.PlacedAllocs, g.PlacedCanaries = 1, []string{one} }),
		t.allocation(stub(one, "shop", "running", nil, true)),
		t.allocation(stub(one, "shop", "running", &yes, true)),
		t.row(func(d *api.Deployment, g *api.DeploymentState) {
			g.Promoted, g.HealthyAllocs, d.StatusDescription = true, 1, api.DeploymentDescRunning
		}),
		t.allocation(stub(two, "shop", "running", &yes, false)),
		t.row(func(d *api.Deployment, g *api.DeploymentState) {
			g.PlacedAllocs, g.HealthyAllocs = 2, 2
			d.Status, d.StatusDescription = api.DeploymentSuccessful, api.DeploymentDescSuccessful
		}),
	}
}

func (w *world) cartSteps(t *told) []func() {
	no := false
	t.d = fakeDeployment(cartDeployment, "cart", 5, api.DeploymentState{DesiredTotal: 1, PlacedAllocs: 1, AutoRevert: true})
	t.allocs = []*api.AllocationListStub{stub("b1000000-aaaa-4bbb-8ccc-000000000001", "cart", "pending", nil, false)()}
	return []func(){
		t.allocation(stub("b1000000-aaaa-4bbb-8ccc-000000000001", "cart", "failed", &no, false)),
		t.row(func(d *api.Deployment, g *api.DeploymentState) {
			g.UnhealthyAllocs = 1
			d.Status, d.StatusDescription = api.DeploymentFailed, api.DeploymentDescUnhealthy+" - rolling back to job version 3"
		}),
	}
}

func (w *world) backSteps(t *told) []func() {
	yes := true
	t.d = fakeDeployment(backDeployment, "cart", 6, api.DeploymentState{DesiredTotal: 1})
	t.allocs = nil
	return []func(){
		t.allocation(stub("c1000000-aaaa-4bbb-8ccc-000000000001", "cart", "running", &yes, false)),
		t.row(func(d *api.Deployment, g *api.DeploymentState) {
			g.PlacedAllocs, g.HealthyAllocs = 1, 1
			d.Status, d.StatusDescription = api.DeploymentSuccessful, api.DeploymentDescSuccessful
		}),
	}
}

// addDrain adds a node that is drained while it is watched.
func addDrain(add func(path string, alt alternative)) {
	var (
		node   *api.Node
		allocs []*api.Allocation
		s      story
	)
	moved := func(change func(a *api.Allocation)) func() {
		return func() {
			a := *allocs[0]
			change(&a)
			allocs = []*api.Allocation{&a}
			s.changed("allocations")
		}
	}
	s.watched = 2
	s.tell = func() []func() {
		node = fakeNodeObject()
		node.ID, node.Name, node.Drain, node.SchedulingEligibility = drainNode, "two", true, "ineligible"
		node.DrainStrategy = &api.DrainStrategy{DrainSpec: api.DrainSpec{IgnoreSystemJobs: true}, StartedAt: time.Unix(1700000000, 0)}
		allocs = []*api.Allocation{fakeAllocation()}
		yes := true
		return []func(){
			moved(func(a *api.Allocation) { a.DesiredTransition.Migrate = &yes }),
			moved(func(a *api.Allocation) { a.DesiredStatus, a.NextAllocation = "stop", fakeLost }),
			func() {
				n := *node
				n.Drain, n.DrainStrategy = false, nil
				n.LastDrain = &api.DrainMetadata{StartedAt: time.Unix(1700000000, 0), Status: "complete", Meta: map[string]string{"message": "new kernel"}}
				node = &n
				s.changed("node")
			},
			moved(func(a *api.Allocation) { a.ClientStatus = "complete" }),
		}
	}
	add("GET /v1/nodes", func(r *http.Request) (any, bool) {
		one := &api.NodeListStub{ID: fakeNode, Name: "one", Datacenter: "dc1", NodePool: "default", Status: "ready", SchedulingEligibility: "eligible"}
		two := &api.NodeListStub{ID: drainNode, Name: "two", Datacenter: "dc1", NodePool: "default", Status: "ready", SchedulingEligibility: "ineligible", Drain: true}
		return []*api.NodeListStub{one, two}, true
	})
	add("GET /v1/node/{id}", byID(map[string]func(*http.Request) any{drainNode: func(r *http.Request) any {
		return s.answer(r, "node", true, func() any { return node })
	}}))
	add("GET /v1/node/{id}/allocations", byID(map[string]func(*http.Request) any{drainNode: func(r *http.Request) any {
		return s.answer(r, "allocations", false, func() any { return allocs })
	}}))
	add("PUT /v1/node/{id}/drain", byID(map[string]func(*http.Request) any{drainNode: func(*http.Request) any { return api.NodeUpdateResponse{} }}))
}
