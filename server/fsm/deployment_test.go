package fsm

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/state"
)

// deployed is a job in its second version, which is being deployed in two
// allocations; the first version is stable.
func deployed(t testing.TB) *replica {
	t.Helper()
	r := newReplica()
	r.must(t, &NodeRegister{Node: node(1)})
	r.must(t, &JobRegister{Job: job("j", 10), Submission: &api.JobSubmission{Source: "first"}})
	r.must(t, &JobStability{Namespace: "default", ID: "j", Stable: true})
	j := r.must(t, &JobRegister{Job: job("j", 20)}).(*JobRegistered).Job
	p := Plan{Namespace: "default", JobID: "j", JobModifyIndex: j.JobModifyIndex, Deployment: deployment(j)}
	for i := range 2 {
		p.Placements = append(p.Placements, Placement{
			ID: uuid(10 + i), Version: 1, Group: "web", Index: i, NodeID: node(1).ID, Deployment: true,
			Ports: []api.PortMapping{{Label: "http", Value: 20000 + i}},
		})
	}
	applied := r.must(t, &PlanApply{Time: 1e9, Plans: []Plan{p}}).(*PlanApplied)
	if !applied.Plans[0].OK() {
		t.Fatalf("%+v", applied.Plans[0])
	}
	return r
}

func deployment(j *api.Job) *api.Deployment {
	return &api.Deployment{
		ID: uuid(1), Namespace: j.Namespace, JobID: j.ID, JobVersion: j.Version, JobCreateIndex: j.CreateIndex, Status: api.DeploymentRunning,
		CreateTime: 1e9, TaskGroups: map[string]*api.DeploymentState{"web": {DesiredTotal: 2, AutoRevert: true, ProgressDeadline: api.Duration(time.Minute)}},
	}
}

func (r *replica) deployment(t testing.TB) *api.Deployment {
	t.Helper()
	d, ok := r.Store().View().Deployment(uuid(1))
	if !ok {
		t.Fatal("there is no deployment")
	}
	return d
}

func failing(seen uint64) *DeploymentVerdicts {
	return &DeploymentVerdicts{Time: 9e9, Verdicts: []DeploymentVerdict{{
		ID: uuid(1), Seen: seen, Status: api.DeploymentFailed, Description: "Bad", Revert: true,
		Eval: &api.Evaluation{ID: uuid(5), Namespace: "default", JobID: "j", Status: api.EvalPending},
	}}}
}

func health(n int, healthy bool) *AllocUpdate {
	return &AllocUpdate{Time: 5e9, Updates: []ClientUpdate{{
		ID: uuid(10 + n), ClientStatus: api.AllocClientRunning,
		DeploymentStatus: &api.AllocDeploymentStatus{Healthy: &healthy, Timestamp: time.Unix(1e9, 0), Canary: true},
	}}}
}

func TestNumbersFollow(t *testing.T) {
	r := deployed(t)
	s := r.deployment(t).TaskGroups["web"]
	if s.PlacedAllocs != 2 || s.HealthyAllocs != 0 || !s.RequireProgressBy.Equal(time.Unix(61, 0)) {
		t.Errorf("at first %+v", s)
	}
	before := r.deployment(t).ModifyIndex
	r.must(t, &AllocUpdate{Time: 2e9, Updates: []ClientUpdate{{ID: uuid(10), ClientStatus: api.AllocClientRunning}}})
	if got := r.deployment(t).ModifyIndex; got != before {
		t.Error("what counts for nothing was written")
	}
	r.must(t, health(0, true))
	s = r.deployment(t).TaskGroups["web"]
	if s.HealthyAllocs != 1 || !s.RequireProgressBy.Equal(time.Unix(65, 0)) || len(s.PlacedCanaries) != 0 {
		t.Errorf("with one healthy %+v", s)
	}
	if d := r.deployment(t); d.ModifyIndex != r.index || d.ModifyTime != 5e9 {
		t.Errorf("changed at %d, %d", d.ModifyIndex, d.ModifyTime)
	}
	r.must(t, &AllocUpdate{Time: 6e9, Updates: []ClientUpdate{{ID: uuid(10), ClientStatus: api.AllocClientRunning, DeploymentStatus: &api.AllocDeploymentStatus{}}}})
	if s = r.deployment(t).TaskGroups["web"]; s.HealthyAllocs != 1 {
		t.Error("a client that says nothing has taken back what it said")
	}
	r.must(t, health(1, false))
	r.must(t, health(0, false))
	if s = r.deployment(t).TaskGroups["web"]; s.HealthyAllocs != 0 || s.UnhealthyAllocs != 2 {
		t.Errorf("with none healthy %+v", s)
	}
}

func TestVoidVerdict(t *testing.T) {
	r := deployed(t)
	seen := r.deployment(t).ModifyIndex
	r.must(t, health(0, true))
	out := r.must(t, failing(seen)).(*DeploymentsChanged)
	if out.Changed[0].Deployment != nil || r.deployment(t).Status != api.DeploymentRunning {
		t.Errorf("a verdict on what has changed since was carried out: %+v", out.Changed[0])
	}
	if _, ok := r.Store().View().Evaluation(uuid(5)); ok {
		t.Error("its evaluation was written")
	}
}

func TestRevert(t *testing.T) {
	for name, c := range map[string]struct {
		before func(r *replica)
		want   string
		to     bool
	}{
		"to the stable version": {func(*replica) {}, "Bad - rolling back to job version 0", true},
		"there is none": {func(r *replica) { r.must(t, &JobStability{Namespace: "default", ID: "j"}) },
			"Bad - no stable job version to auto revert to", false},
		"it is the stable one": {func(r *replica) { r.must(t, &JobStability{Namespace: "default", ID: "j", Version: 1, Stable: true}) },
			"Bad - not rolling back to stable job version 1 as current job has same specification", false},
		"somebody was faster": {func(r *replica) { r.must(t, &JobRegister{Job: job("j", 30)}) },
			"Bad - not rolling back as the job has been changed since", false},
		"it was stopped": {func(r *replica) { r.must(t, &JobDeregister{Namespace: "default", ID: "j"}) },
			"Bad - not rolling back as the job has been changed since", false},
	} {
		r := deployed(t)
		c.before(r)
		old, _ := r.Store().View().Job("default", "j")
		out := r.must(t, failing(0)).(*DeploymentsChanged).Changed[0]
		if d := r.deployment(t); d.Status != api.DeploymentFailed || d.StatusDescription != c.want || d.ModifyTime != 9e9 {
			t.Errorf("%s: %s, %q", name, d.Status, d.StatusDescription)
		}
		v := r.Store().View()
		j, _ := v.Job("default", "j")
		e, _ := v.Evaluation(uuid(5))
		if (out.Reverted != nil) != c.to || (j.Version != old.Version) != c.to || e == nil || e.JobModifyIndex != j.JobModifyIndex {
			t.Errorf("%s: reverted %v, version %d, evaluation %+v", name, out.Reverted, j.Version, e)
		}
		if !c.to {
			continue
		}
		s, ok := v.JobSubmission("default", "j", j.Version)
		if j.TaskGroups[0].Tasks[0].Resources.CPU != 10 || j.SubmitTime != 9e9 || !ok || s.Source != "first" {
			t.Errorf("%s: the job is %+v, its source %+v", name, j, s)
		}
	}
}

// randomDeployment does something to a deployment, or begins one.
func randomDeployment(random *rand.Rand, n int, v *state.View) Command {
	var all []*api.Deployment
	for d := range v.Deployments() {
		all = append(all, d)
	}
	if len(all) == 0 || random.IntN(3) == 0 {
		d := deployment(job(fmt.Sprint("j", random.IntN(6)), 0))
		if j, ok := v.Job("default", d.JobID); ok {
			d.JobVersion, d.JobCreateIndex = j.Version, j.CreateIndex
		}
		d.ID, d.CreateTime = uuid(4000+n), int64(n)
		d.TaskGroups["web"].DesiredCanaries = random.IntN(2)
		return &DeploymentUpsert{Deployments: []*api.Deployment{d}}
	}
	d := all[random.IntN(len(all))]
	var allocs []string
	for a := range v.AllocationsByDeployment(d.ID) {
		allocs = append(allocs, a.ID)
	}
	some := slices.Clone(allocs[:random.IntN(len(allocs)+1)])
	switch random.IntN(6) {
	case 0:
		return &DeploymentPromote{ID: d.ID, Time: int64(n)}
	case 1:
		return &DeploymentPause{ID: d.ID, Pause: random.IntN(2) == 0, Time: int64(n)}
	case 2:
		v := DeploymentVerdict{ID: d.ID, Status: api.DeploymentFailed, Revert: true, Reschedule: some}
		if random.IntN(2) == 0 {
			v.Status = api.DeploymentSuccessful
		}
		return &DeploymentVerdicts{Time: int64(n), Verdicts: []DeploymentVerdict{v}}
	default:
		healthy := random.IntN(2) == 0
		c := &AllocUpdate{Time: int64(n)}
		for _, id := range some {
			c.Updates = append(c.Updates, ClientUpdate{ID: id, ClientStatus: api.AllocClientRunning, DeploymentStatus: &api.AllocDeploymentStatus{Healthy: &healthy}})
		}
		return c
	}
}

// 100 commands tell that the 1,000 allocations of 100 deployments are healthy,
// each of some of all deployments.
func BenchmarkHealth100k(b *testing.B) {
	const deployments, each, commands = 100, 1000, 100
	for range b.N {
		b.StopTimer()
		r := newReplica()
		ids := deployMany(b, r, deployments, each)
		rand.New(rand.NewPCG(1, 1)).Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
		healthy := true
		b.StartTimer()
		for i := range commands {
			c := &AllocUpdate{Time: int64(i)}
			for _, id := range ids[i*len(ids)/commands : (i+1)*len(ids)/commands] {
				c.Updates = append(c.Updates, ClientUpdate{ID: id, ClientStatus: api.AllocClientRunning, DeploymentStatus: &api.AllocDeploymentStatus{Healthy: &healthy}})
			}
			r.must(b, c)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*deployments*each), "ns/report")
}

func deployMany(b *testing.B, r *replica, deployments, each int) (ids []string) {
	n := node(1)
	n.NodeResources.Cpu.CpuShares, n.NodeResources.Memory.MemoryMB, n.NodeResources.Disk.DiskMB = 1<<40, 1<<40, 1<<40
	r.must(b, &NodeRegister{Node: n})
	for i := range deployments {
		x := job(fmt.Sprint("j", i), 1)
		x.TaskGroups[0].Networks = nil
		j := r.must(b, &JobRegister{Job: x}).(*JobRegistered).Job
		p := Plan{Namespace: "default", JobID: j.ID, JobModifyIndex: j.JobModifyIndex, Deployment: deployment(j)}
		p.Deployment.ID = uuid(100 + i)
		for k := range each {
			id := uuid(10000 + i*each + k)
			ids = append(ids, id)
			p.Placements = append(p.Placements, Placement{ID: id, Group: "web", Index: k, NodeID: n.ID, Deployment: true})
		}
		if out := r.must(b, &PlanApply{Time: 1, Plans: []Plan{p}}).(*PlanApplied); !out.Plans[0].OK() {
			b.Fatalf("%+v", out.Plans[0])
		}
	}
	return ids
}

// A client that lies, or restores an old state of its own, cannot take back that
// an allocation has ended: its ports may be another's by now.
func TestEndedStaysEnded(t *testing.T) {
	r := deployed(t)
	say := func(status string) string {
		r.must(t, &AllocUpdate{Updates: []ClientUpdate{{ID: uuid(10), ClientStatus: status}}})
		a, _ := r.Store().View().Allocation(uuid(10))
		return a.ClientStatus
	}
	for _, x := range []struct{ say, want string }{
		{api.AllocClientRunning, api.AllocClientRunning}, {api.AllocClientUnknown, api.AllocClientUnknown},
		{api.AllocClientLost, api.AllocClientLost}, {api.AllocClientRunning, api.AllocClientRunning},
		{api.AllocClientFailed, api.AllocClientFailed}, {api.AllocClientRunning, api.AllocClientFailed},
		{api.AllocClientComplete, api.AllocClientComplete}, {api.AllocClientPending, api.AllocClientComplete},
	} {
		if got := say(x.say); got != x.want {
			t.Errorf("after %s it is %s, want %s", x.say, got, x.want)
		}
	}
}
