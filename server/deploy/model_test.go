package deploy

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/fsm"
	"github.com/seraihq/serai/server/trigger"
)

// TestModel lets random things happen to a job that is deployed again and
// again: after each, the numbers of every deployment that goes on are those of a
// recount, and in the end every deployment ends.
func TestModel(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			run(t, func(w *world) {
				m := &model{world: w, r: rand.New(rand.NewPCG(seed, 1))}
				m.version()
				for range 250 {
					m.step()
					synctest.Wait()
					m.check()
				}
				m.finish()
			})
		})
	}
}

type model struct {
	*world
	r *rand.Rand
}

// job gives the job, and its deployment of the current version if it goes on.
func (m *model) job() (*api.Job, *api.Deployment) {
	j, ok := m.store.View().Job("default", "j")
	if !ok {
		return nil, nil
	}
	for d := range m.store.View().ActiveDeploymentsByJob("default", "j") {
		if d.JobVersion == j.Version && d.JobCreateIndex == j.CreateIndex {
			return j, d
		}
	}
	return j, nil
}

func (m *model) chance(percent int) bool { return m.r.IntN(100) < percent }

func (m *model) version() {
	same := m.chance(20) // as one before, which may be stable
	j := m.register(func(j *api.Job) {
		if same {
			j.Meta["at"] = "same"
		}
	})
	if m.chance(5) {
		return // the scheduler does not come to it
	}
	s := api.DeploymentState{DesiredTotal: 1 + m.r.IntN(4), AutoRevert: m.chance(50), ProgressDeadline: api.Duration(10 * time.Minute)}
	if m.chance(20) {
		s.ProgressDeadline = 0
	}
	if m.chance(40) {
		s.DesiredCanaries, s.AutoPromote = 1+m.r.IntN(2), m.chance(50)
	}
	m.begin(j, s, m.r.IntN(2))
}

// schedule does what the scheduler would for the deployment that goes on, up to
// two allocations at a time.
func (m *model) schedule() {
	j, d := m.job()
	if j == nil || j.Stop {
		return
	}
	if d == nil { // it was reverted, or has ended
		for x := range m.store.View().DeploymentsByJob("default", "j") {
			if x.JobVersion == j.Version && x.JobCreateIndex == j.CreateIndex {
				return
			}
		}
		m.begin(j, rolling(2), 1)
		return
	}
	s := d.TaskGroups["web"]
	if d.Status != api.DeploymentRunning {
		return
	}
	plan := fsm.Plan{EvalID: trigger.NewID(), Namespace: j.Namespace, JobID: j.ID, JobModifyIndex: j.JobModifyIndex, DeploymentID: d.ID}
	want, canaries := s.DesiredTotal, s.DesiredCanaries > 0 && !s.Promoted
	if canaries {
		want = s.DesiredCanaries
	}
	live, held := 0, 0
	for _, a := range m.allocs(d) {
		again := a.DesiredTransition.Reschedule != nil && *a.DesiredTransition.Reschedule
		switch {
		case !a.Terminal():
			live++
		case a.ClientStatus == api.AllocClientFailed && !a.ServerTerminal() && a.NextAllocation == "" && !again:
			held++ // nobody has said that it may be replaced
		case a.ClientStatus == api.AllocClientFailed && a.NextAllocation == "" && again:
			plan.Stops = append(plan.Stops, fsm.Stop{AllocID: a.ID})
		}
	}
	for i := range min(2, max(0, want-live-held)) {
		plan.Placements = append(plan.Placements, fsm.Placement{
			ID: trigger.NewID(), Version: j.Version, Group: "web", Index: i, NodeID: nodeID, Deployment: true, Canary: canaries,
		})
	}
	if r := m.must(&fsm.PlanApply{Time: time.Now().UnixNano(), Plans: []fsm.Plan{plan}}).(*fsm.PlanApplied); !r.Plans[0].OK() {
		m.t.Fatalf("plan: %+v", r.Plans[0])
	}
}

// some gives an allocation that lives.
func (m *model) some(d *api.Deployment) *api.Allocation {
	var out *api.Allocation
	n := 0
	for _, a := range m.allocs(d) {
		if !a.Terminal() {
			if n++; m.r.IntN(n) == 0 {
				out = a
			}
		}
	}
	return out
}

func (m *model) step() {
	_, d := m.job()
	now := time.Now().UnixNano()
	try := func(c fsm.Command) { _, _, _ = m.Apply(m.t.Context(), c) } // may be refused
	switch n := m.r.IntN(100); {
	case n < 30:
		m.schedule()
	case n < 36 || d == nil:
		m.version()
	case n < 60:
		yes := m.chance(85)
		if a := m.some(d); a != nil {
			m.report(a, api.AllocClientRunning, &yes)
		}
	case n < 66:
		if a := m.some(d); a != nil {
			var health *bool
			if m.chance(60) {
				health = new(bool)
			}
			m.report(a, api.AllocClientFailed, health)
		}
	case n < 74:
		try(&fsm.DeploymentPromote{ID: d.ID, Time: now})
	case n < 80:
		try(&fsm.DeploymentPause{ID: d.ID, Pause: m.chance(40), Time: now})
	case n < 81:
		try(&fsm.DeploymentVerdicts{Time: now, Verdicts: []fsm.DeploymentVerdict{{ID: d.ID, Status: api.DeploymentFailed, Description: api.DeploymentDescByUser, Revert: m.chance(50)}}})
	case n < 83:
		if a := m.some(d); a != nil {
			try(&fsm.DeploymentHealth{ID: d.ID, Healthy: []string{a.ID}, Time: now})
		}
	case n < 84:
		m.must(&fsm.JobDeregister{Namespace: "default", ID: "j", Purge: m.chance(50), Time: now})
	case n < 88:
		m.lead()
	default:
		time.Sleep(time.Duration(m.r.Int64N(int64(3 * time.Minute))))
	}
}

func (m *model) check() {
	m.t.Helper()
	for d := range m.store.View().ActiveDeployments() {
		var canaries []string
		placed, live, healthy, unhealthy, healthyCanaries := 0, 0, 0, 0, 0
		from, progress := time.Time{}, time.Time{}
		for _, a := range m.allocs(d) {
			placed++
			if created := time.Unix(0, a.CreateTime); from.IsZero() || created.Before(from) {
				from = created
			}
			if !a.Terminal() {
				live++
			}
			s := a.DeploymentStatus
			if s == nil {
				continue
			}
			if s.IsHealthy() && s.Timestamp.After(progress) {
				progress = s.Timestamp
			}
			if s.Canary {
				canaries = append(canaries, a.ID)
			}
			if s.Healthy != nil && !*s.Healthy {
				unhealthy++
			}
			if s.Healthy != nil && *s.Healthy && !a.Terminal() {
				healthy++
				if s.Canary {
					healthyCanaries++
				}
			}
		}
		s := d.TaskGroups["web"]
		if s.PlacedAllocs != placed || s.HealthyAllocs != healthy || s.UnhealthyAllocs != unhealthy || s.LiveAllocs != live || s.HealthyCanaries != healthyCanaries || !s.Promoted && fmt.Sprint(s.PlacedCanaries) != fmt.Sprint(canaries) {
			m.t.Errorf("deployment says %+v; counted: %d placed, %d live, %d healthy, %d unhealthy, canaries %v", s, placed, live, healthy, unhealthy, canaries)
		}
		by := time.Time{}
		if placed > 0 && s.ProgressDeadline > 0 {
			if s.ProgressFrom.After(from) {
				from = s.ProgressFrom
			}
			if progress.After(from) {
				from = progress
			}
			by = from.Add(s.ProgressDeadline.Std())
		}
		if !s.RequireProgressBy.Equal(by) {
			m.t.Errorf("deadline %s, want %s", s.RequireProgressBy, by)
		}
		if s.Promoted && len(canaries) > 0 {
			m.t.Error("a promoted group has canaries")
		}
	}
}

// finish lets everything go well from now on: the last deployment succeeds, and
// none goes on.
func (m *model) finish() {
	yes := true
	for range 40 {
		m.schedule()
		if _, d := m.job(); d != nil {
			_, _, _ = m.Apply(m.t.Context(), &fsm.DeploymentPause{ID: d.ID, Time: time.Now().UnixNano()})
			for _, a := range m.allocs(d) {
				if !a.Terminal() {
					m.report(a, api.AllocClientRunning, &yes)
				}
			}
			_, _, _ = m.Apply(m.t.Context(), &fsm.DeploymentPromote{ID: d.ID, Time: time.Now().UnixNano()})
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
	}
	for d := range m.store.View().ActiveDeployments() {
		m.t.Errorf("a deployment goes on for ever: %+v, %+v", d, d.TaskGroups["web"])
	}
	if j, ok := m.store.View().Job("default", "j"); ok && !j.Stop && !j.Stable {
		for d := range m.store.View().DeploymentsByJob("default", "j") {
			if d.JobVersion == j.Version && d.JobCreateIndex == j.CreateIndex && d.Status == api.DeploymentSuccessful {
				m.t.Error("a version that was deployed well is not stable")
			}
		}
	}
}
