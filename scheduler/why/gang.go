package why

import (
	"fmt"
	"slices"

	"github.com/seraihq/serai/api"
)

// kept says whether all_at_once keeps something of the job from being placed.
func (q *asker) kept(r *result) bool {
	for _, g := range q.job.TaskGroups {
		if r.short[g.Name] > 0 && (g.AllAtOnce || q.job.AllAtOnce) && !q.perNode() {
			return true
		}
	}
	return false
}

// withoutGangs gives a copy of a job of which as much is placed as has room.
func withoutGangs(j *api.Job) *api.Job {
	c := api.Clone(j)
	c.AllAtOnce = false
	for _, g := range c.TaskGroups {
		g.AllAtOnce = false
	}
	return c
}

// room is how many of the unplaced of a group would find a node without
// all_at_once.
func (q *asker) room(g *api.GroupWhy) int {
	if q.loose == nil {
		return 0
	}
	return max(g.Unplaced-q.loose.short[g.Name], 0)
}

// cause words what keeps the unplaced of a group from their nodes.
func (q *asker) cause(g *api.GroupWhy) string {
	switch room := q.room(g); {
	case room == 0:
		return cause(g.Funnel)
	case room < g.Unplaced:
		return fmt.Sprintf("only %d %s room, and all_at_once wants all or none; for one more, %s", room, hasHave(room), cause(g.Funnel))
	}
	for _, other := range q.job.TaskGroups {
		if q.loose.short[other.Name] > 0 {
			return fmt.Sprintf("there is room, but the job is all_at_once and group %q has none", other.Name)
		}
	}
	return "there is room for each group, but not for all at once, as all_at_once wants it"
}

// gangCause is Cause for a group that may wait for the rest of itself.
func (q *asker) gangCause(group string) string {
	out := &api.JobWhy{}
	if _, err := q.groups(out, q.standing()); err != nil {
		return err.Error()
	}
	i := slices.IndexFunc(out.Groups, func(g *api.GroupWhy) bool { return g.Name == group })
	return q.cause(out.Groups[i])
}

// atOnce tries to do without all_at_once.
func (s *search) atOnce() error {
	if s.q.room(s.why) == 0 {
		return nil
	}
	n, _, err := s.gain(edit{job: withoutGangs(s.q.job)})
	if err != nil {
		return err
	}
	s.add(0.5, n, api.PlacementSuggestion{Kind: api.SuggestAllAtOnce, Object: "all_at_once", From: "true", To: "false", Text: "do without all_at_once: what has room runs"})
	return nil
}
