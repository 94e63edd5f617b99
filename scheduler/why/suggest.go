package why

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/seraihq/serai/api"
)

// maxSuggestions is how many are told.
const maxSuggestions = 5

// suggestion is one that was verified, with the size of the change: 0 is
// nothing, 1 a whole machine or giving up all of what was asked.
type suggestion struct {
	*api.PlacementSuggestion
	size float64
}

// search looks for the suggestions of one group.
type search struct {
	q     *asker
	g     *api.TaskGroup
	why   *api.GroupWhy
	base  int // allocations that are placed without a change
	of    int // that are not
	found []suggestion
}

// suggest finds the smallest changes with which the scheduler places what it
// could not. Where no change places all, those are told that place some.
func (q *asker) suggest(g *api.TaskGroup, why *api.GroupWhy, r *result) ([]*api.PlacementSuggestion, error) {
	s := &search{q: q, g: g, why: why, base: r.placed[g.Name], of: why.Unplaced}
	looks := []func() error{
		s.nodesBack, s.constraints, s.datacenters, s.pools, s.ports, s.resources, s.count, s.atOnce, s.preemption, s.addNode,
	}
	if q.room(why) == s.of { // it waits for another group, which has suggestions of its own
		looks = []func() error{s.atOnce}
	}
	for _, look := range looks {
		if err := look(); err != nil && !errors.Is(err, errSpent) {
			return nil, err
		}
	}
	slices.SortStableFunc(s.found, func(a, b suggestion) int {
		return cmp.Or(cmp.Compare(b.Places, a.Places), cmp.Compare(a.size, b.size))
	})
	var out []*api.PlacementSuggestion
	for i := range s.found {
		if len(out) < maxSuggestions {
			out = append(out, s.found[i].PlacementSuggestion)
		}
	}
	return out, nil
}

// add tells a suggestion that places something.
func (s *search) add(size float64, places int, x api.PlacementSuggestion) {
	if places > 0 {
		x.Places, x.Of = min(places, s.of), s.of
		s.found = append(s.found, suggestion{&x, size})
	}
}

// gain asks the scheduler about an edit and says how many more are placed.
func (s *search) gain(e edit) (int, *result, error) {
	r, err := s.q.try(e)
	if err != nil {
		return 0, nil, err
	}
	short := r.short[s.g.Name]
	if s.q.perNode() { // the nodes that will do differ from edit to edit
		if r.placed[s.g.Name] <= s.base {
			return 0, r, nil
		}
		return max(s.of-short, 0), r, nil
	}
	return s.of - short, r, nil
}

// job gives a copy of the job with the group in it changed.
func (s *search) job(change func(job *api.Job, g *api.TaskGroup)) *api.Job {
	c := api.Clone(s.q.job)
	change(c, c.LookupTaskGroup(s.g.Name))
	return c
}

// next makes a job the version after itself, all of it at once: what runs
// changes too.
func next(j *api.Job) {
	j.Version, j.Update = j.Version+1, nil
	for _, g := range j.TaskGroups {
		g.Update = nil
	}
}

// exhausted gives the dimensions that nodes are short of.
func (s *search) exhausted(dimension string) bool {
	return slices.ContainsFunc(s.why.Funnel.Steps, func(x *api.FunnelStep) bool {
		if x.Stage != api.StageResources || x.Removed == 0 {
			return false
		}
		return x.Reason == dimension || x.Nearest != nil && slices.ContainsFunc(x.Nearest.Short, func(y *api.Shortfall) bool {
			return y.Dimension == dimension || strings.HasPrefix(y.Dimension, dimension+" ")
		})
	})
}

// removed gives how many nodes the steps of a stage removed.
func (s *search) removed(stage string) int {
	n := 0
	for _, x := range s.why.Funnel.Steps {
		if x.Stage == stage {
			n += x.Removed
		}
	}
	return n
}

// largest finds the largest step from 1 to steps for which fits holds; 0 where
// none does. What holds for one holds for all below it.
func largest(steps int, fits func(step int) (bool, error)) (int, error) {
	best, low, high := 0, 1, steps
	for low <= high {
		mid := (low + high) / 2
		ok, err := fits(mid)
		if err != nil {
			return best, err
		}
		if ok {
			best, low = mid, mid+1
		} else {
			high = mid - 1
		}
	}
	return best, nil
}
