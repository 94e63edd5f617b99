package scheduler_test

import (
	"maps"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/seraihq/serai/api"
)

// settle brings all nodes back and each job to a last version.
func (m *rolloutModel) settle() {
	for _, id := range slices.Sorted(maps.Keys(m.nodes)) {
		c := *m.nodes[id]
		c.Status, c.DrainStrategy, c.SchedulingEligibility = api.NodeStatusReady, nil, api.NodeEligible
		c.NodeResources.Cpu.CpuShares = 40000
		m.putNode(&c)
	}
	for len(m.nodes) < 24 { // hosts and ports enough for all and their canaries
		m.add(40000)
	}
	for _, id := range []string{"s", "y", "b"} {
		if old, ok := m.Job(api.DefaultNamespace, id); ok {
			if d := m.active(id); d != nil && d.Status == api.DeploymentPaused {
				m.endDeployment(d.ID, api.DeploymentRunning)
			}
			if rapid.Bool().Draw(m.T, "last version") {
				m.tidy(id)
				m.clientsOf(id)
				j := job(id, 0)
				*j = *old
				j.TaskGroups = nil
				for _, g := range old.TaskGroups {
					c := *g
					t := *g.Tasks[0]
					c.Tasks, c.Count = []*api.Task{&t}, g.Count
					j.TaskGroups = append(j.TaskGroups, &c)
				}
				j.Stop = false
				m.version(j)
			}
			m.converge(id)
		}
	}
}

// tidy takes back what people have asked for.
func (m *rolloutModel) tidy(job string) {
	for _, id := range slices.Clone(m.byJob[api.NamespacedID{Namespace: api.DefaultNamespace, ID: job}]) {
		if a := m.allocs[id]; !a.Terminal() && a.DesiredTransition != (api.DesiredTransition{}) {
			m.change(id, func(a *api.Allocation) { a.DesiredTransition = api.DesiredTransition{} })
		}
	}
}

// news is what clients have said.
type news struct{ back, progress, freed bool }

// clientsOf has every client of a job say that all is well.
func (m *rolloutModel) clientsOf(job string) (n news) {
	for _, id := range slices.Clone(m.byJob[api.NamespacedID{Namespace: api.DefaultNamespace, ID: job}]) {
		a := m.allocs[id]
		switch {
		case a.ClientTerminal() || m.nodes[a.NodeID] == nil:
		case a.ServerTerminal():
			n.freed = true
			m.runs(id)
		case a.ClientStatus != api.AllocClientRunning || a.DeploymentID != "" && !a.DeploymentStatus.IsHealthy():
			n.back = n.back || a.ClientStatus == api.AllocClientUnknown
			n.progress = true
			m.runs(id)
		}
	}
	return n
}

func (m *rolloutModel) waits(job string) bool {
	for e := range m.EvaluationsByJob(api.DefaultNamespace, job) {
		if e.Status == api.EvalBlocked {
			return true
		}
	}
	return false
}

// converge lets the job come to rest, with nothing but what a server triggers.
func (m *rolloutModel) converge(id string) {
	j, _ := m.Job(api.DefaultNamespace, id)
	m.evaluateJobOf(m.eval(j)) // the nodes are back
	for range 200 {
		said := m.clientsOf(id)
		evaluate := said.back || said.freed && m.waits(id)
		if d := m.active(id); d != nil {
			if m.ripe(d) {
				m.promote(d.ID)
				evaluate = true
			}
			acted, open := m.judge(m.deployments[d.ID])
			evaluate = evaluate || acted || open && said.progress
		}
		switch at := m.nextDue(); {
		case evaluate:
			m.evaluateJobOf(m.eval(j))
		case said.progress || m.dueNow():
		case !at.IsZero():
			m.now = at
		default:
			m.atRest(j)
			return
		}
	}
	m.Fatalf("%s does not come to rest\n%s", id, m.dump(id))
}

func (m *rolloutModel) nextDue() time.Time {
	var at time.Time
	for _, e := range m.evals {
		if e.Status == api.EvalPending && e.WaitUntil.After(m.now) && (at.IsZero() || e.WaitUntil.Before(at)) {
			at = e.WaitUntil
		}
	}
	return at
}

// atRest checks what a job has come to: a deployment that goes on may only be
// one that a failed allocation keeps from being complete.
func (m *rolloutModel) atRest(j *api.Job) {
	var d *api.Deployment
	for x := range m.DeploymentsByJob(j.Namespace, j.ID) {
		if x.JobVersion == j.Version && (d == nil || d.CreateIndex < x.CreateIndex) {
			d = x
		}
	}
	failed := map[string]int{}
	live := map[string]int{}
	for a := range m.AllocationsByJob(j.Namespace, j.ID) {
		switch {
		case a.ServerTerminal(), j.Type == api.JobTypeBatch && a.ClientTerminal() && a.Job.Version != j.Version:
		case a.ClientStatus == api.AllocClientFailed || j.Type == api.JobTypeBatch && a.ClientStatus == api.AllocClientComplete && a.Job.Version == j.Version:
			failed[a.TaskGroup]++
		case !a.ClientTerminal():
			live[a.TaskGroup]++
			if d != nil && d.Status == api.DeploymentSuccessful && a.Job.Version != j.Version {
				m.Fatalf("%s is of v%d after the deployment of v%d\n%s", a.Name, a.Job.Version, j.Version, m.dump(j.ID))
			}
		}
	}
	if d != nil && d.Active() && len(failed) == 0 {
		m.Fatalf("the deployment of %s does not end\n%s", j.ID, m.dump(j.ID))
	}
	if d != nil && d.Status != api.DeploymentSuccessful {
		return
	}
	for _, g := range j.TaskGroups {
		want := g.Count
		if j.Type == api.JobTypeSystem {
			want *= len(m.nodes)
			failed[g.Name] = 0
		}
		if j.Stop {
			want, failed[g.Name] = 0, 0
		}
		if got := live[g.Name] + failed[g.Name]; got != want {
			m.Fatalf("%d of %s are there, want %d\n%s", got, g.Name, want, m.dump(j.ID))
		}
	}
}
