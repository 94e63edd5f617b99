package why

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seraihq/serai/api"
)

// Allocation tells why an allocation is where it is and in the state that it is in.
func Allocation(in Input, a *api.Allocation) (*api.AllocWhy, error) {
	out := &api.AllocWhy{
		ID: a.ID, Name: a.Name, Namespace: a.Namespace, JobID: a.JobID, TaskGroup: a.TaskGroup, NodeID: a.NodeID, NodeName: a.NodeName,
		DesiredStatus: a.DesiredStatus, ClientStatus: a.ClientStatus, CreateTime: time.Unix(0, a.CreateTime).UTC(), Recorded: a.Metrics,
		NodeNames: map[string]string{},
	}
	job, ok := in.State.Job(a.Namespace, a.JobID)
	if !ok {
		job = a.Job
	}
	w := &allocation{a: a, out: out, in: in}
	if job == nil {
		out.Summary = w.state(nil)
		return out, nil
	}
	q := newAsker(in, job)
	w.q = q
	st := q.standing()
	out.Summary = w.state(st)
	w.placed()
	if text, over := st.whole(); over {
		out.Notes = append(out.Notes, text)
	} else if ok && job.LookupTaskGroup(a.TaskGroup) != nil {
		w.now(job.LookupTaskGroup(a.TaskGroup))
		if err := w.replacement(st); err != nil {
			return nil, err
		}
	}
	w.names()
	return out, nil
}

// allocation is the work on an AllocWhy.
type allocation struct {
	a   *api.Allocation
	out *api.AllocWhy
	in  Input
	q   *asker
}

// state gives the sentence for the state that the allocation is in.
func (w *allocation) state(st *standing) string {
	a := w.a
	on := w.node(a.NodeID)
	switch {
	case a.PreemptedByAllocation != "":
		return fmt.Sprintf("It was preempted on node %s by %s.", on, w.other(a.PreemptedByAllocation))
	case a.ClientStatus == api.AllocClientFailed || a.ClientStatus == api.AllocClientLost:
		return fmt.Sprintf("It %s on node %s%s.", ended(a), on, w.after(st))
	case a.ServerTerminal() && !a.ClientTerminal():
		return fmt.Sprintf("It is being stopped on node %s%s.", on, because(a))
	case a.ServerTerminal():
		return fmt.Sprintf("It was stopped on node %s%s.", on, because(a))
	case a.ClientStatus == api.AllocClientComplete:
		return fmt.Sprintf("It has completed on node %s.", on)
	case a.ClientStatus == api.AllocClientUnknown:
		return fmt.Sprintf("Nothing is known of it: node %s is out of reach.", on)
	case a.ClientStatus == api.AllocClientPending:
		return fmt.Sprintf("It is placed on node %s and not running yet.", on)
	}
	return fmt.Sprintf("It runs on node %s.", on)
}

func ended(a *api.Allocation) string {
	if a.ClientStatus == api.AllocClientLost {
		return "was lost"
	}
	if a.ClientDescription != "" {
		return "failed (" + strings.ToLower(a.ClientDescription) + ")"
	}
	return "failed"
}

func because(a *api.Allocation) string {
	if a.DesiredDescription == "" {
		return ""
	}
	return ": " + a.DesiredDescription
}

// after says what follows on an allocation that failed or was lost.
func (w *allocation) after(st *standing) string {
	a := w.a
	if a.NextAllocation != "" {
		return "; " + w.other(a.NextAllocation) + " replaces it"
	}
	if st != nil {
		if at, ok := st.waits(a); ok {
			return "; it is placed anew at " + at.UTC().Format(time.RFC3339)
		}
	}
	return "; nothing replaces it"
}

// other words another allocation.
func (w *allocation) other(id string) string {
	short := id[:min(8, len(id))]
	b, ok := w.in.State.Allocation(id)
	if !ok {
		return "allocation " + short
	}
	if b.JobID != w.a.JobID {
		return fmt.Sprintf("allocation %s of job %q", short, b.JobID)
	}
	return fmt.Sprintf("allocation %s on node %s", short, w.node(b.NodeID))
}

func (w *allocation) node(id string) string {
	if n, ok := w.in.State.Node(id); ok && n.Name != "" {
		return fmt.Sprintf("%q", n.Name)
	}
	return id[:min(8, len(id))]
}

// placed notes what was recorded when the allocation was placed.
func (w *allocation) placed() {
	m := w.a.Metrics
	if m == nil {
		return
	}
	at := slices.IndexFunc(m.ScoreMetaData, func(s *api.NodeScoreMeta) bool { return s.NodeID == w.a.NodeID })
	if at < 0 {
		w.note("It was placed together with others: %s in reach, %d ruled out by demands, %d without room.", are(m.NodesEvaluated, "node"), m.NodesFiltered, m.NodesExhausted)
		return
	}
	text := "the best"
	if at > 0 { // others of its group took the better ones
		text = fmt.Sprintf("number %d", at+1)
	}
	w.note("When it was placed, its node scored %.3f, %s of %s that could take it (%d in reach, %d ruled out by demands, %d without room).",
		m.ScoreMetaData[at].NormScore, text, plural(m.NodesEvaluated-m.NodesFiltered-m.NodesExhausted, "node"), m.NodesEvaluated, m.NodesFiltered, m.NodesExhausted)
}

func (w *allocation) note(format string, args ...any) {
	w.out.Notes = append(w.out.Notes, fmt.Sprintf(format, args...))
}

// now looks at the nodes as they are, with the allocation's own room free.
func (w *allocation) now(g *api.TaskGroup) {
	q, a := w.q, w.a
	s := q.selection(g, nil, a)
	defer s.tx.Rollback()
	var there map[string]bool
	if q.perNode() {
		there = map[string]bool{}
		for _, b := range q.allocs() {
			if b.TaskGroup == g.Name && !b.Terminal() && b.ID != a.ID {
				there[b.NodeID] = true
			}
		}
	}
	w.out.Now = q.funnel(g, s, there)
	w.out.Scores = s.Metric(s.Base()).ScoreMetaData
	row, known := q.Fleet.Row(a.NodeID)
	own := slices.IndexFunc(w.out.Scores, func(m *api.NodeScoreMeta) bool { return m.NodeID == a.NodeID })
	fits := known && s.feasible.Rows.Has(row)
	if own < 0 && fits {
		w.out.Scores = append(w.out.Scores, s.Meta(row))
	}
	if q.perNode() || a.Terminal() || len(w.out.Scores) == 0 {
		return
	}
	switch best := w.out.Scores[0]; {
	case own == 0:
		w.note("It would be placed there again.")
	case !fits:
		w.note("It would not be placed there now: the node does not take it any more; %s would be chosen.", w.node(best.NodeID))
	default:
		w.note("Placed now it would go to node %s (%.3f); what runs is not moved for a better score.", w.node(best.NodeID), best.NormScore)
	}
}

// replacement tells why nothing has replaced an allocation that is over.
func (w *allocation) replacement(st *standing) error {
	if !w.a.Terminal() || w.a.NextAllocation != "" || w.a.ClientStatus == api.AllocClientComplete {
		return nil
	}
	job := &api.JobWhy{}
	r, err := w.q.groups(job, st)
	if err != nil {
		return err
	}
	for _, g := range job.Groups {
		if g.Name != w.a.TaskGroup || g.Unplaced == 0 {
			continue
		}
		g.Suggestions, err = w.q.suggest(w.q.job.LookupTaskGroup(g.Name), g, r)
		w.out.Group = g
		w.note("%s", g.Summary)
	}
	return err
}

// names looks up the nodes that the answer names.
func (w *allocation) names() {
	scores := w.out.Scores
	if m := w.a.Metrics; m != nil {
		scores = append(scores[:len(scores):len(scores)], m.ScoreMetaData...)
	}
	for _, s := range scores {
		if n, ok := w.in.State.Node(s.NodeID); ok {
			w.out.NodeNames[s.NodeID] = n.Name
		}
	}
}
