package rank

import (
	"strconv"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/feasible"
	"github.com/seraihq/serai/scheduler/fleet"
)

// affinitiesOf gives every affinity of a group: the job's, its own and its
// tasks', in this order. Those without weight say nothing.
func affinitiesOf(job *api.Job, g *api.TaskGroup) []*api.Affinity {
	var all []*api.Affinity
	add := func(more []*api.Affinity) {
		for _, a := range more {
			if a.Weight != 0 {
				all = append(all, a)
			}
		}
	}
	add(job.Affinities)
	add(g.Affinities)
	for _, t := range g.Tasks {
		add(t.Affinities)
	}
	return all
}

// affinity gives every row's affinity score: the weights of what holds on its
// node over the sum of all weights, -1 to 1. The fleet keeps it up to date. Nil
// when there are no affinities.
func affinity(f *fleet.Fleet, job *api.Job, g *api.TaskGroup) *fleet.Weights {
	all := affinitiesOf(job, g)
	if len(all) == 0 {
		return nil
	}
	var key strings.Builder
	for _, a := range all {
		key.WriteString(a.LTarget + "\x00" + a.Operand + "\x00" + a.RTarget + "\x00" + strconv.Itoa(int(a.Weight)) + "\x00")
	}
	return f.Weights(key.String(), func() func(*api.Node) float64 { return weigher(all) })
}

func weigher(all []*api.Affinity) func(*api.Node) float64 {
	holds := make([]func(*api.Node) bool, len(all))
	total := 0.0
	for i, a := range all {
		holds[i] = feasible.Matcher(&api.Constraint{LTarget: a.LTarget, RTarget: a.RTarget, Operand: a.Operand})
		total += max(float64(a.Weight), -float64(a.Weight))
	}
	return func(n *api.Node) float64 {
		sum := 0.0
		for i, h := range holds {
			if h(n) {
				sum += float64(all[i].Weight)
			}
		}
		return sum / total
	}
}
