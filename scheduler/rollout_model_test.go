package scheduler_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler"
	"github.com/seraihq/serai/scheduler/reconcile"
)

// TestModelRollout lets versions of services and system jobs replace each other
// while nodes, allocations and people do what they do. After each plan a second
// one must have nothing to do, and what is healthy must not become less than the
// update allows. In the end all nodes are well, each job gets one more version,
// and with nothing but what a server would trigger that version must be reached.
func TestModelRollout(t *testing.T) { rapid.Check(t, rollout) }

func rollout(t *rapid.T) {
	m := rolloutModel{model: model{T: t, world: newWorld()}}
	for range rapid.IntRange(1, 4).Draw(t, "nodes") {
		m.add(rapid.IntRange(1, 4).Draw(t, "size") * 1000)
	}
	for range rapid.IntRange(5, 60).Draw(t, "steps") {
		step(t, m.node, m.node, m.submit, m.evaluateOne, m.evaluateOne, m.clients, m.clients, m.clients, m.someone, m.judgeOne, m.judgeOne, m.wait)
	}
	m.settle()
}

type rolloutModel struct {
	model
	submitted int
}

func (m *rolloutModel) add(cpu int) {
	n := node(m.newID("n"))
	n.NodeResources.Cpu.CpuShares = int64(cpu)
	m.putNode(n)
}

func (m *rolloutModel) node() {
	id := rapid.SampledFrom(slices.Sorted(maps.Keys(m.nodes))).Draw(m.T, "node")
	c := *m.nodes[id]
	switch m.sample("node change", "down", "disconnected", "disconnected", "ready", "ready", "ready", "ineligible", "eligible", "drain", "add", "remove") {
	case "down":
		c.Status = api.NodeStatusDown
	case "disconnected":
		c.Status = api.NodeStatusDisconnected
	case "ready":
		c.Status, c.DrainStrategy = api.NodeStatusReady, nil
	case "ineligible":
		c.SchedulingEligibility = api.NodeIneligible
	case "eligible":
		c.SchedulingEligibility = api.NodeEligible
	case "drain":
		c.DrainStrategy = &api.DrainStrategy{}
		yes := true
		for _, a := range m.at(id) {
			m.change(a, func(a *api.Allocation) { a.DesiredTransition.Migrate = &yes })
		}
	case "add":
		m.add(rapid.IntRange(1, 4).Draw(m.T, "size") * 1000)
	case "remove":
		if len(m.nodes) > 1 {
			m.removeNode(id)
		}
		return
	}
	m.putNode(&c)
}

// at gives the allocations of a node that are not over.
func (m *rolloutModel) at(node string) []string {
	var out []string
	for _, id := range slices.Sorted(maps.Keys(m.allocs)) {
		if a := m.allocs[id]; a.NodeID == node && !a.Terminal() {
			out = append(out, id)
		}
	}
	return out
}

var rolloutKinds = map[string]string{"s": api.JobTypeService, "y": api.JobTypeSystem, "b": api.JobTypeBatch}

func (m *rolloutModel) submit() {
	id := m.sample("job", "s", "s", "s", "y", "b")
	j := job(id, rapid.IntRange(0, 4).Draw(m.T, "count"))
	j.Type, j.Stop = rolloutKinds[id], rapid.IntRange(0, 9).Draw(m.T, "stop") == 0
	if id == "y" {
		j.TaskGroups[0].Count = 1
	} else if rapid.IntRange(0, 2).Draw(m.T, "second group") == 0 {
		j.TaskGroups = append(j.TaskGroups, group("h", rapid.IntRange(0, 2).Draw(m.T, "second count")))
	}
	for _, g := range j.TaskGroups {
		if id != "b" && rapid.IntRange(0, 4).Draw(m.T, "no update") > 0 {
			g.Update = &api.UpdateStrategy{
				MaxParallel: rapid.IntRange(1, 3).Draw(m.T, "max parallel"), Canary: rapid.SampledFrom([]int{0, 0, 1, 2, 5}).Draw(m.T, "canary"),
				ProgressDeadline: api.Duration(10 * time.Minute),
			}
			if id == "y" {
				g.Update.Canary *= 20
				g.Update.Stagger = api.Duration(rapid.SampledFrom([]int{0, 0, 30, 600}).Draw(m.T, "stagger")) * api.Duration(time.Second)
			}
		}
		g.AllAtOnce = rapid.IntRange(0, 9).Draw(m.T, "gang") == 0
		if id != "y" {
			switch m.sample("where", "anywhere", "anywhere", "anywhere", "hosts", "spread", "port") {
			case "hosts":
				g.Constraints = parseConstraints("- distinct_hosts true")
			case "spread":
				g.Spreads = parseSpreads("100 ${node.unique.name}")
			case "port":
				g.Networks = []*api.NetworkResource{{ReservedPorts: []api.Port{{Label: "http", Value: 80}}}}
			}
		}
		m.policies(g)
	}
	m.version(j)
}

func (m *rolloutModel) policies(g *api.TaskGroup) {
	switch m.sample("reschedule", "none", "unlimited", "limited") {
	case "unlimited":
		g.ReschedulePolicy = &api.ReschedulePolicy{Unlimited: true, Delay: api.Duration(30 * time.Second), DelayFunction: "exponential", MaxDelay: api.Duration(time.Hour)}
	case "limited":
		g.ReschedulePolicy = &api.ReschedulePolicy{Attempts: 1, Interval: api.Duration(time.Hour), Delay: api.Duration(30 * time.Second), DelayFunction: "constant"}
	}
	switch m.sample("disconnect", "none", "replace", "wait", "never lost", "stop") {
	case "replace":
		g.Disconnect = &api.DisconnectStrategy{LostAfter: api.Duration(time.Hour), Replace: true,
			Reconcile: m.sample("reconcile", "best_score", "keep_original", "keep_replacement", "longest_running")}
	case "wait":
		g.Disconnect = &api.DisconnectStrategy{LostAfter: api.Duration(time.Hour)}
	case "never lost":
		g.Disconnect = &api.DisconnectStrategy{}
	case "stop":
		g.Disconnect = &api.DisconnectStrategy{StopOnClientAfter: api.Duration(time.Minute), Replace: true}
	}
}

// version submits a job, most often with a change that needs a restart.
func (m *rolloutModel) version(j *api.Job) {
	m.submitted++
	if old, ok := m.Job(j.Namespace, j.ID); ok && m.sample("change", "env", "env", "in place") == "in place" {
		j.TaskGroups[0].Tasks[0].Env = old.TaskGroups[0].Tasks[0].Env
		j.TaskGroups[0].Tasks[0].KillTimeout = api.Duration(m.submitted)
	} else {
		j.TaskGroups[0].Tasks[0].Env = map[string]string{"V": fmt.Sprint(m.submitted)}
	}
	m.putJob(j)
	m.evaluateJobOf(m.eval(j))
}

func (m *rolloutModel) evaluateOne() {
	if j := m.anyJob(); j != nil {
		m.evaluateJobOf(m.eval(j))
	}
}

func (m *rolloutModel) anyJob() *api.Job {
	var ids []string
	for k := range m.jobs {
		ids = append(ids, k.ID)
	}
	if len(ids) == 0 {
		return nil
	}
	slices.Sort(ids)
	j, _ := m.Job(api.DefaultNamespace, rapid.SampledFrom(ids).Draw(m.T, "evaluated"))
	return j
}

// clients has one client say something of one allocation.
func (m *rolloutModel) clients() {
	var ids []string
	for _, id := range m.live() {
		if n := m.nodes[m.allocs[id].NodeID]; n != nil && n.Status == api.NodeStatusReady {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return
	}
	id := rapid.SampledFrom(ids).Draw(m.T, "alloc")
	switch m.sample("says", "runs", "runs", "healthy", "healthy", "unhealthy", "failed", "failed", "complete") {
	case "runs":
		m.change(id, func(a *api.Allocation) { a.ClientStatus = api.AllocClientRunning })
	case "healthy":
		m.runs(id)
	case "unhealthy":
		if m.allocs[id].DeploymentID != "" {
			m.health(id, false)
		}
	case "failed":
		m.change(id, func(a *api.Allocation) {
			a.ClientStatus = api.AllocClientFailed
			a.TaskStates = map[string]*api.TaskState{"t": {State: api.TaskStateDead, Failed: true, FinishedAt: m.now}}
		})
	case "complete":
		m.change(id, func(a *api.Allocation) { a.ClientStatus = api.AllocClientComplete })
	}
}

// runs says that an allocation runs and is healthy, or has stopped.
func (m *rolloutModel) runs(id string) {
	a := m.allocs[id]
	if a.ServerTerminal() {
		m.change(id, func(a *api.Allocation) { a.ClientStatus = api.AllocClientComplete })
		return
	}
	m.change(id, func(a *api.Allocation) { a.ClientStatus = api.AllocClientRunning })
	if a.DeploymentID != "" {
		m.health(id, true)
	}
}

// someone acts on a deployment or an allocation.
func (m *rolloutModel) someone() {
	yes := true
	if ids := slices.Sorted(maps.Keys(m.allocs)); len(ids) > 0 && rapid.Bool().Draw(m.T, "on an allocation") {
		id := rapid.SampledFrom(ids).Draw(m.T, "asked")
		force := rapid.Bool().Draw(m.T, "force")
		m.change(id, func(a *api.Allocation) {
			if force {
				a.DesiredTransition.ForceReschedule = &yes
			} else {
				a.DesiredTransition.Migrate = &yes
			}
		})
		return
	}
	d := m.active(m.sample("deployment of", "s", "y"))
	if d == nil {
		return
	}
	switch m.sample("does", "promote", "promote", "pause", "resume", "fail") {
	case "promote":
		if m.ripe(d) {
			m.promote(d.ID)
			j, _ := m.Job(api.DefaultNamespace, d.JobID)
			m.evaluateJobOf(m.eval(j))
		}
	case "pause":
		m.endDeployment(d.ID, api.DeploymentPaused)
	case "resume":
		m.endDeployment(d.ID, api.DeploymentRunning)
	case "fail":
		m.endDeployment(d.ID, api.DeploymentFailed)
	}
}

func (m *rolloutModel) judgeOne() {
	if d := m.active(m.sample("judged", "s", "y")); d != nil {
		m.judge(d)
	}
}

func (m *rolloutModel) wait() {
	m.now = m.now.Add(time.Duration(rapid.SampledFrom([]int{1, 30, 60, 3600}).Draw(m.T, "seconds")) * time.Second)
	m.dueNow()
}

func (m *rolloutModel) dueNow() bool {
	some := false
	for _, id := range slices.Sorted(maps.Keys(m.evals)) {
		if e := m.evals[id]; e.Status == api.EvalPending && !e.WaitUntil.IsZero() && !e.WaitUntil.After(m.now) {
			m.evaluateJobOf(e)
			some = true
		}
	}
	return some
}

// census counts a deployment's allocations in one group as the server does.
type census struct{ live, healthy, canaries, healthyCanaries int }

func (m *rolloutModel) tally(d *api.Deployment, group string) (t census) {
	for _, a := range m.allocs {
		if a.DeploymentID != d.ID || a.TaskGroup != group || a.Terminal() {
			continue
		}
		t.live++
		healthy := a.DeploymentStatus.IsHealthy()
		if healthy {
			t.healthy++
		}
		if a.DeploymentStatus != nil && a.DeploymentStatus.Canary {
			t.canaries++
			if healthy {
				t.healthyCanaries++
			}
		}
	}
	return t
}

func (m *rolloutModel) ripe(d *api.Deployment) bool {
	some := false
	for name, s := range d.TaskGroups {
		if s.DesiredCanaries == 0 || s.Promoted {
			continue
		}
		some = true
		if m.tally(d, name).healthyCanaries < s.DesiredCanaries {
			return false
		}
	}
	return some
}

// judge does what the server does with a deployment: it ends one that is
// complete and lets failed allocations be placed anew. It says whether it did,
// and whether the scheduler is told when something becomes healthy.
func (m *rolloutModel) judge(d *api.Deployment) (acted, open bool) {
	if d.Status != api.DeploymentRunning {
		return false, false
	}
	done := true
	for name, s := range d.TaskGroups {
		t, waits := m.tally(d, name), s.DesiredCanaries > 0 && !s.Promoted
		done = done && !waits && t.healthy >= s.DesiredTotal
		open = open || waits && t.canaries < s.DesiredCanaries || !waits && t.live < s.DesiredTotal
	}
	if done {
		m.endDeployment(d.ID, api.DeploymentSuccessful)
		return false, false
	}
	yes := true
	for _, id := range slices.Sorted(maps.Keys(m.allocs)) {
		a := m.allocs[id]
		if a.DeploymentID == d.ID && a.ClientStatus == api.AllocClientFailed && !a.ServerTerminal() && a.NextAllocation == "" && a.DesiredTransition.Reschedule == nil && a.DesiredTransition.ForceReschedule == nil {
			m.change(id, func(a *api.Allocation) { a.DesiredTransition.Reschedule = &yes })
			acted = true
		}
	}
	return acted, open
}

// evaluateJobOf evaluates, applies the plan and checks it.
func (m *rolloutModel) evaluateJobOf(e *api.Evaluation) {
	p, err := m.evaluate(e)
	if err != nil {
		m.Fatal(err)
	}
	m.frozen(p)
	m.paced(p)
	m.apply(p)
	if err := m.check(); err != nil {
		m.Fatalf("%v\n%s", err, m.dump(e.JobID))
	}
	m.floor(p)
	again := *e
	again.ID, again.Status, again.AnnotatePlan = m.newID("eval"), api.EvalPending, true
	q, err := m.evaluate(&again)
	if err != nil {
		m.Fatal(err)
	}
	if said := tell(q); said != "" && !m.other(p) {
		m.Fatalf("after\n%s\nqueued %v failed %+v\na second plan is\n%s\n%s", tell(p), p.Eval.QueuedAllocations, p.Eval.FailedTGAllocs, said, m.dump(e.JobID))
	}
	m.exact(p)
}

// other says whether a second plan may try something else than the first: a
// system job's canary that found no room on its node may go to another, and a
// paused gang does not wait for canaries that found none.
func (m *rolloutModel) other(p *scheduler.Plan) bool {
	for name := range p.Eval.FailedTGAllocs {
		if g := p.Job.LookupTaskGroup(name); p.Eval.Type == api.JobTypeSystem || g.AllAtOnce && g.Update != nil && g.Update.Canary > 0 {
			return true
		}
	}
	return false
}

// tell writes what a plan does; empty when it does nothing.
func tell(p *scheduler.Plan) string {
	var b strings.Builder
	for _, x := range p.Placements {
		fmt.Fprintf(&b, "place %s@v%d[%d] on %s for %q canary %t deployment %t\n", x.Group.Name, x.Job.Version, x.Index, x.Node.ID, x.Previous, x.Canary, x.Deployment)
	}
	for _, s := range p.Stops {
		fmt.Fprintf(&b, "stop %s %s: %s %s keep %t\n", s.Alloc.ID, s.Alloc.Name, s.Description, s.ClientStatus, s.Keep)
	}
	for _, u := range p.InPlace {
		fmt.Fprintf(&b, "update %s\n", u.Alloc.ID)
	}
	if p.Deployment != nil {
		fmt.Fprintf(&b, "deployment %s\n", p.Deployment.ID)
	}
	for _, x := range p.Ended {
		fmt.Fprintf(&b, "end %s: %s\n", x.ID, x.Description)
	}
	return b.String()
}

func (m *rolloutModel) dump(job string) string {
	var b strings.Builder
	for d := range m.DeploymentsByJob(api.DefaultNamespace, job) {
		fmt.Fprintf(&b, "deployment %s of v%d %s:", d.ID, d.JobVersion, d.Status)
		for name, s := range d.TaskGroups {
			fmt.Fprintf(&b, " %s total %d canaries %d promoted %t", name, s.DesiredTotal, s.DesiredCanaries, s.Promoted)
		}
		b.WriteString("\n")
	}
	for a := range m.AllocationsByJob(api.DefaultNamespace, job) {
		status := "gone"
		if n := m.nodes[a.NodeID]; n != nil {
			status = n.Status
		}
		fmt.Fprintf(&b, "%s %s v%d on %s (%s): %s %s next %q deployment %s %+v\n", a.ID, a.Name, a.Job.Version, a.NodeID, status, a.DesiredStatus, a.ClientStatus, a.NextAllocation, a.DeploymentID, a.DeploymentStatus)
	}
	return b.String()
}

// frozen checks that a deployment that is not to go on does not, and that there
// are no more canaries than wanted.
func (m *rolloutModel) frozen(p *scheduler.Plan) {
	d := m.deployments[p.DeploymentID]
	if d == nil || p.Job == nil || p.Job.Type != api.JobTypeService {
		return
	}
	for name, s := range d.TaskGroups {
		waits := s.DesiredCanaries > 0 && !s.Promoted
		placed := 0
		for _, x := range p.Placements {
			if x.Group.Name == name && x.Canary {
				placed++
			}
		}
		if waits && placed > s.DesiredCanaries {
			m.Fatalf("%d canaries placed, %d are wanted", placed, s.DesiredCanaries)
		}
		if !waits && d.Status == api.DeploymentRunning {
			continue
		}
		for _, x := range p.Stops {
			if x.Alloc.TaskGroup == name && x.Description == reconcile.DescUpdating {
				m.Fatalf("%s is updated though the deployment is %s and waits %t for canaries", x.Alloc.Name, d.Status, waits)
			}
		}
	}
}

// paced checks that the update of a system job takes its time: what it has
// replaced last is stagger old before more is.
func (m *rolloutModel) paced(p *scheduler.Plan) {
	if p.Job == nil || p.Job.Type != api.JobTypeSystem || m.deployments[p.DeploymentID] == nil {
		return
	}
	for _, s := range p.Stops {
		g := p.Job.LookupTaskGroup(s.Alloc.TaskGroup)
		d := m.deployments[p.DeploymentID].TaskGroups[s.Alloc.TaskGroup]
		if s.Description != reconcile.DescUpdating || d == nil || d.DesiredCanaries > 0 && !d.Promoted {
			continue
		}
		for a := range m.AllocationsByJob(p.Job.Namespace, p.Job.ID) {
			before := m.allocs[a.PreviousAllocation]
			if age := m.now.Sub(time.Unix(0, a.CreateTime)); a.TaskGroup == g.Name && a.DeploymentID == p.DeploymentID && before != nil &&
				before.Job.Version != a.Job.Version && age < g.Update.Stagger.Std() {
				m.Fatalf("%s is updated %s after %s\n%s", s.Alloc.ID, age, a.ID, m.dump(p.Job.ID))
			}
		}
	}
}

// floor checks that an update has not taken away more of what is well than it
// may, where every node is in reach.
func (m *rolloutModel) floor(p *scheduler.Plan) {
	if p.Job == nil || p.Job.Type != api.JobTypeService || p.DeploymentID == "" {
		return
	}
	for _, g := range p.Job.TaskGroups {
		if g.Update == nil || m.deployments[p.DeploymentID].TaskGroups[g.Name] == nil {
			continue
		}
		took := slices.ContainsFunc(p.Stops, func(s scheduler.Stop) bool {
			return s.Alloc.TaskGroup == g.Name && s.Description == reconcile.DescUpdating && s.Alloc.ClientStatus == api.AllocClientRunning
		})
		well, blind := 0, false
		for a := range m.AllocationsByJob(p.Job.Namespace, p.Job.ID) {
			n := m.nodes[a.NodeID]
			switch {
			case a.TaskGroup != g.Name || a.Terminal():
			case a.ClientStatus == api.AllocClientUnknown || n == nil || n.Status != api.NodeStatusReady:
				blind = true
			case a.DeploymentID == p.DeploymentID && a.DeploymentStatus.IsHealthy(), a.DeploymentID != p.DeploymentID && a.ClientStatus == api.AllocClientRunning:
				well++
			}
		}
		if took && !blind && well < g.Count-g.Update.MaxParallel {
			m.Fatalf("%d of %s are well, %d are wanted and %d may be updated at a time\n%s\n%s", well, g.Name, g.Count, g.Update.MaxParallel, tell(p), m.dump(p.Job.ID))
		}
	}
}

// exact checks the queue against what the plan did.
func (m *rolloutModel) exact(p *scheduler.Plan) {
	for g, n := range p.Eval.QueuedAllocations {
		if n < 0 || n > 0 && len(p.Eval.FailedTGAllocs) == 0 {
			m.Fatalf("%d of %s are queued, failed is %v", n, g, p.Eval.FailedTGAllocs)
		}
	}
}
