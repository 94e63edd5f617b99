package why

import (
	"slices"

	"github.com/seraihq/serai/api"
)

// Job tells why a job runs as it does.
func Job(in Input, job *api.Job) (*api.JobWhy, error) {
	q := newAsker(in, job)
	out := &api.JobWhy{ID: job.ID, Namespace: job.Namespace, Type: job.Type, Version: job.Version, Groups: []*api.GroupWhy{}}
	st := q.standing()
	if text, over := st.whole(); over {
		out.Summary = text
		return out, nil
	}
	plan, err := q.groups(out, st)
	if err != nil {
		return nil, err
	}
	for _, g := range out.Groups {
		if g.Unplaced == 0 {
			continue
		}
		// Each group has its part of the runs, so that the first does not use up all.
		rest := q.runs
		q.runs = rest / unplaced(out.Groups, g)
		share := q.runs
		if g.Suggestions, err = q.suggest(job.LookupTaskGroup(g.Name), g, plan); err != nil {
			return nil, err
		}
		q.runs += rest - share
	}
	out.Summary, out.Notes = st.sentence(out.Groups)
	out.Runs = q.used
	return out, nil
}

// unplaced counts the groups from one on that have something unplaced.
func unplaced(groups []*api.GroupWhy, from *api.GroupWhy) int {
	n := 0
	for _, g := range groups[slices.Index(groups, from):] {
		if g.Unplaced > 0 {
			n++
		}
	}
	return n
}

// groups asks the scheduler about the job as it is, and looks at every node for
// one more allocation of each group after that.
func (q *asker) groups(out *api.JobWhy, st *standing) (*result, error) {
	r, err := q.schedule(edit{}, true)
	if err != nil {
		return nil, err
	}
	base := r
	if q.kept(r) {
		q.drop(r)
		if q.loose, err = q.schedule(edit{job: withoutGangs(q.job)}, true); err != nil {
			return nil, err
		}
		base = q.loose
	}
	defer q.drop(base)
	for _, g := range q.job.TaskGroups {
		out.Groups = append(out.Groups, q.group(g, r, base, st))
	}
	return r, nil
}

// drop frees the room that a result holds.
func (q *asker) drop(r *result) {
	q.Fleet.Drop(r.plan.Hold)
	r.plan.Hold = nil
}

// group looks at one group. r is what becomes of the job, base the placements
// after which one more is looked for: those of r, but for a job with gangs.
func (q *asker) group(g *api.TaskGroup, r, base *result, st *standing) *api.GroupWhy {
	out := &api.GroupWhy{Name: g.Name, Wanted: g.Count, Unplaced: r.short[g.Name]}
	s := q.selection(g, base.plan, nil)
	defer s.tx.Rollback()
	var there map[string]bool
	if q.perNode() {
		there = q.there(g, r)
		out.Wanted = 0
		if g.Count > 0 {
			out.Wanted = s.feasible.Rows.Count()
		}
	}
	out.Funnel = q.funnel(g, s, there)
	if out.Funnel.Candidates > 0 && there == nil {
		out.Scores = s.Metric(s.Base()).ScoreMetaData
	}
	st.group(out, r)
	return out
}

// there gives the nodes that have an allocation of the group, those of a plan
// with them; r may be nil.
func (q *asker) there(g *api.TaskGroup, r *result) map[string]bool {
	out := map[string]bool{}
	for _, a := range q.allocs() {
		done := q.job.Type == api.JobTypeSysbatch && a.ClientStatus == api.AllocClientComplete && a.Job != nil && a.Job.Version == q.job.Version
		if a.TaskGroup == g.Name && (!a.Terminal() || done) {
			out[a.NodeID] = true
		}
	}
	if r == nil {
		return out
	}
	for i := range r.plan.Placements {
		if x := &r.plan.Placements[i]; x.Group.Name == g.Name {
			out[x.Node.ID] = true
		}
	}
	return out
}
