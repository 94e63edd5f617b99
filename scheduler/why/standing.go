package why

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seraihq/serai/api"
)

// standing is what a job has: allocations, evaluations and a deployment.
type standing struct {
	q          *asker
	allocs     []*api.Allocation
	evals      []*api.Evaluation
	deployment *api.Deployment // newest of the current version
}

func (q *asker) standing() *standing {
	st := &standing{q: q}
	job := q.job
	for _, a := range q.allocs() {
		// A job of the same name that was purged before is another job.
		if a.Job == nil || a.Job.CreateIndex == job.CreateIndex {
			st.allocs = append(st.allocs, a)
		}
	}
	for e := range q.State.EvaluationsByJob(job.Namespace, job.ID) {
		st.evals = append(st.evals, e)
	}
	for d := range q.State.DeploymentsByJob(job.Namespace, job.ID) {
		if d.JobCreateIndex == job.CreateIndex && d.JobVersion == job.Version && (st.deployment == nil || d.CreateIndex > st.deployment.CreateIndex) {
			st.deployment = d
		}
	}
	return st
}

// whole gives the sentence for a job that is not to be placed at all.
func (st *standing) whole() (text string, over bool) {
	job := st.q.job
	left := 0
	for _, a := range st.allocs {
		if !a.ClientTerminal() {
			left++
		}
	}
	switch {
	case job.Stop && left > 0:
		return fmt.Sprintf("The job was stopped; %s still stopping.", are(left, "allocation")), true
	case job.Stop:
		return "The job was stopped.", true
	case job.IsPeriodic() && !job.Periodic.Enabled:
		return "The job starts children by the clock, and its schedule is switched off (periodic.enabled = false).", true
	case job.IsPeriodic():
		return "The job itself never runs: it starts children by the clock.", true
	case job.IsParameterized():
		return "The job itself never runs: it waits to be dispatched.", true
	}
	return "", false
}

// tally counts a group's allocations by what becomes of them.
type tally struct {
	running, starting, unknown, done, stopping int
	failed                                     []*api.Allocation // left as they are
	later                                      []*api.Allocation // placed anew at a time
	until                                      time.Time         // the earliest of these
	preempted                                  int
	onDown                                     int // on nodes that are down and not yet noticed
}

func (st *standing) tally(group string) *tally {
	t := &tally{}
	for _, a := range st.allocs {
		if a.TaskGroup == group {
			st.count(t, a)
		}
	}
	return t
}

func (st *standing) count(t *tally, a *api.Allocation) {
	switch {
	case a.ServerTerminal() && !a.ClientTerminal():
		t.stopping++
		fallthrough
	case a.ServerTerminal():
		if a.DesiredStatus == api.AllocDesiredEvict && a.PreemptedByAllocation != "" && a.NextAllocation == "" {
			t.preempted++
		}
		if at, ok := st.waits(a); ok && a.NextAllocation == "" {
			t.wait(a, at)
		}
	case a.ClientStatus == api.AllocClientRunning:
		t.running++
	case a.ClientStatus == api.AllocClientPending:
		t.starting++
	case a.ClientStatus == api.AllocClientUnknown:
		t.unknown++
	case a.ClientStatus == api.AllocClientComplete:
		t.done++
	case a.NextAllocation == "":
		if at, ok := st.waits(a); ok {
			t.wait(a, at)
		} else {
			t.failed = append(t.failed, a)
		}
	}
}

func (t *tally) wait(a *api.Allocation, at time.Time) {
	t.later = append(t.later, a)
	if t.until.IsZero() || at.Before(t.until) {
		t.until = at
	}
}

// waits says when an allocation is placed anew, where that is settled.
func (st *standing) waits(a *api.Allocation) (time.Time, bool) {
	if a.FollowupEvalID == "" {
		return time.Time{}, false
	}
	i := slices.IndexFunc(st.evals, func(e *api.Evaluation) bool { return e.ID == a.FollowupEvalID })
	if i < 0 || st.evals[i].Terminal() || !st.evals[i].WaitUntil.After(st.q.Now) {
		return time.Time{}, false
	}
	return st.evals[i].WaitUntil, true
}

// group completes what is told of a group with its standing.
func (st *standing) group(out *api.GroupWhy, r *result) {
	t := st.tally(out.Name)
	out.Running, out.Starting = t.running, t.starting
	for _, a := range st.allocs {
		if a.TaskGroup == out.Name && !a.Terminal() && len(out.Placed) < api.MaxWhyPlaced {
			out.Placed = append(out.Placed, made(a))
		}
	}
	says := st.says(out, t, r)
	out.Summary, out.Notes = says[0], says[1:]
}

func made(a *api.Allocation) *api.PlacementMade {
	p := &api.PlacementMade{
		ID: a.ID, Name: a.Name, NodeID: a.NodeID, NodeName: a.NodeName, DesiredStatus: a.DesiredStatus, ClientStatus: a.ClientStatus,
	}
	if m := a.Metrics; m != nil {
		p.Considered, p.Filtered, p.Exhausted = m.NodesEvaluated, m.NodesFiltered, m.NodesExhausted
		for _, s := range m.ScoreMetaData {
			if s.NodeID == a.NodeID {
				p.Score = s.NormScore
			}
		}
	}
	return p
}

// says gives the sentences that hold of a group, the weightiest first.
func (st *standing) says(g *api.GroupWhy, t *tally, r *result) []string {
	var out []string
	add := func(when bool, format string, args ...any) {
		if when {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	n := g.Unplaced
	switch {
	case n > 0 && st.q.perNode():
		add(true, "%s no room for an allocation: %s.", has(n, "node"), cause(g.Funnel))
	case n > 0:
		add(true, "%d of %s no node: %s.", n, find(g.Wanted, "allocation"), st.q.cause(g))
	}
	out = append(out, st.held(g)...)
	add(len(t.later) > 0, "%s failed and %s placed anew at %s.", plural(len(t.later), "allocation"), isAre(len(t.later)), t.until.UTC().Format(time.RFC3339))
	add(len(t.failed) > 0, "%s failed and %s not placed anew%s.", plural(len(t.failed), "allocation"), isAre(len(t.failed)), tracked(t.failed))
	add(t.unknown > 0, "%s on nodes that are out of reach: nothing is known of them.", are(t.unknown, "allocation"))
	add(t.preempted > 0 && n > 0, "%s preempted by more important jobs.", were(t.preempted, "allocation"))
	if p := r.placed[g.Name]; p > 0 {
		text, paused := "now", st.q.State.SchedulerConfig().PauseEvalBroker
		if paused {
			text = "as soon as the scheduler goes on: it is paused by its configuration (pause_eval_broker)"
		}
		add(paused || st.pending(), "%s a node and will be placed %s.", find(p, "allocation"), text)
		again := st.again()
		if again != nil && !paused && !st.pending() {
			add(true, "%s a node, but an evaluation failed (%s); the next attempt is at %s, or at once by `serai job eval %s`.", find(p, "allocation"), st.failure(), again.WaitUntil.UTC().Format(time.RFC3339), st.q.job.ID)
		}
		add(!paused && !st.pending() && again == nil, "%s a node, and no evaluation asks for it: run `serai job eval %s`.", find(p, "allocation"), st.q.job.ID)
	}
	out = append(out, st.goes(g)...)
	add(t.starting > 0, "%s placed and not running yet.", are(t.starting, "allocation"))
	add(t.stopping > 0, "%s still stopping.", are(t.stopping, "allocation"))
	return append(out, st.calm(g, t, len(out) == 0)...)
}

// calm words what is as it should be.
func (st *standing) calm(g *api.GroupWhy, t *tally, alone bool) []string {
	text := ""
	switch {
	case g.Wanted == 0 && st.q.perNode():
		text = "No node will do, so nothing runs: " + cause(g.Funnel) + "."
	case g.Wanted == 0:
		text = "Its count is 0, so nothing runs."
	case t.done > 0 && t.running == 0 && alone:
		text = fmt.Sprintf("All done: %s completed.", plural(t.done, "allocation"))
	case t.running > 0 && alone:
		text = fmt.Sprintf("It runs as asked: %s.", plural(t.running, "allocation"))
	case t.done > 0:
		text = fmt.Sprintf("%d of %d run, %d completed.", t.running, g.Wanted, t.done)
	case t.running > 0:
		text = fmt.Sprintf("%d of %d run.", t.running, g.Wanted)
	case alone:
		text = "Nothing runs, and nothing is waiting for a place."
	default:
		return nil
	}
	return []string{text}
}

// state gives what the deployment of the version has of a group.
func (st *standing) state(g *api.GroupWhy) (d *api.Deployment, s *api.DeploymentState, id string) {
	if d = st.deployment; d == nil || d.TaskGroups[g.Name] == nil {
		return nil, nil, ""
	}
	return d, d.TaskGroups[g.Name], d.ID[:min(8, len(d.ID))]
}

// held says that the deployment waits for somebody, or has failed.
func (st *standing) held(g *api.GroupWhy) []string {
	d, s, id := st.state(g)
	switch {
	case d == nil:
		return nil
	case d.Status == api.DeploymentPaused:
		return []string{fmt.Sprintf("Its deployment %s is paused: `serai deployment resume %s` lets it go on.", id, id)}
	case d.Status == api.DeploymentFailed:
		return []string{fmt.Sprintf("Its deployment %s has failed: %s.", id, strings.ToLower(d.StatusDescription))}
	case d.Active() && canaries(s) && !s.AutoPromote:
		return []string{fmt.Sprintf("Its deployment %s waits to be promoted: `serai deployment promote %s`.", id, id)}
	}
	return nil
}

// canaries says whether canaries are placed and not promoted.
func canaries(s *api.DeploymentState) bool {
	return s.DesiredCanaries > 0 && !s.Promoted && len(s.PlacedCanaries) >= s.DesiredCanaries
}

// goes says how far a deployment is that goes on by itself.
func (st *standing) goes(g *api.GroupWhy) []string {
	d, s, id := st.state(g)
	switch {
	case d == nil || d.Status != api.DeploymentRunning || s.HealthyAllocs >= s.DesiredTotal || canaries(s) && !s.AutoPromote:
		return nil
	case canaries(s):
		return []string{fmt.Sprintf("Its deployment %s waits for its canaries to be healthy.", id)}
	case s.PlacedAllocs < s.DesiredTotal && g.Unplaced == 0:
		return []string{fmt.Sprintf("Its deployment %s goes on, so many at a time as max_parallel allows: %d of %d are placed, %d healthy.", id, s.PlacedAllocs, s.DesiredTotal, s.HealthyAllocs)}
	}
	return []string{fmt.Sprintf("Its deployment %s goes on: %d of %d are healthy.", id, s.HealthyAllocs, s.DesiredTotal)}
}

// pending says whether an evaluation of the job waits for the scheduler.
func (st *standing) pending() bool {
	return slices.ContainsFunc(st.evals, func(e *api.Evaluation) bool {
		return e.Status == api.EvalPending && !e.WaitUntil.After(st.q.Now)
	})
}

// again gives the evaluation that waits to try once more what has failed; nil for none.
func (st *standing) again() *api.Evaluation {
	for _, e := range st.evals {
		if e.Status == api.EvalPending && e.TriggeredBy == api.TriggerFailedFollowUp {
			return e
		}
	}
	return nil
}

// failure words why the newest failed evaluation has failed.
func (st *standing) failure() string {
	var newest *api.Evaluation
	for _, e := range st.evals {
		if e.Status == api.EvalFailed && (newest == nil || e.CreateIndex > newest.CreateIndex) {
			newest = e
		}
	}
	if newest == nil || newest.StatusDescription == "" {
		return "the reason is not known any more"
	}
	return newest.StatusDescription
}

// sentence gives the sentence for the whole job, and what else holds.
func (st *standing) sentence(groups []*api.GroupWhy) (string, []string) {
	var notes []string
	at := 0
	for i, g := range groups { // the group that is worst off
		if trouble(g) > trouble(groups[at]) {
			at = i
		}
	}
	if len(groups) == 1 {
		return groups[0].Summary, groups[0].Notes
	}
	summary := ""
	for i, g := range groups {
		text := fmt.Sprintf("Group %q: %s", g.Name, g.Summary)
		if i == at {
			summary = text
		} else {
			notes = append(notes, text)
		}
	}
	return summary, notes
}

func trouble(g *api.GroupWhy) int {
	if g.Unplaced > 0 {
		return 1000 + g.Unplaced
	}
	return max(g.Wanted-g.Running, 0)
}

// tracked tells what was tried of allocations that failed.
func tracked(failed []*api.Allocation) string {
	for _, a := range failed {
		if t := a.RescheduleTracker; t != nil && len(t.Events) > 0 {
			return fmt.Sprintf(", after %s", plural(len(t.Events), "attempt"))
		}
	}
	return ""
}
