package why

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/feasible"
)

// nodes gives the nodes of the fleet.
func (s *search) nodes() iter.Seq[*api.Node] {
	return func(yield func(*api.Node) bool) {
		for row := range int32(s.q.Fleet.Rows()) {
			if n := s.q.Fleet.Node(row); n != nil && !yield(n) {
				return
			}
		}
	}
}

// most gives the keys with the highest counts.
func most(counts map[string]int, limit int) []string {
	keys := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), strings.Compare(a, b))
	})
	return keys[:min(limit, len(keys))]
}

// nodesBack tries the nodes that take nothing now: those that somebody has only
// switched off first, then those that drain, then those that are down.
func (s *search) nodesBack() error {
	if s.removed(api.StageReady) == 0 {
		return nil
	}
	want := feasible.For(s.q.Fleet, s.q.job, s.g)
	var able []*api.Node
	for n := range s.nodes() {
		row, _ := s.q.Fleet.Row(n.ID)
		if !n.Ready() && feasible.InReach(s.q.Fleet, s.q.job, row) && want.Placeable(row) {
			able = append(able, n)
		}
	}
	slices.SortFunc(able, func(a, b *api.Node) int {
		return cmp.Or(cmp.Compare(effort(a), effort(b)), strings.Compare(a.ID, b.ID))
	})
	for _, n := range able[:min(maxPlaces, len(able))] {
		c := *n
		c.Status, c.SchedulingEligibility, c.DrainStrategy, c.Drain = api.NodeStatusReady, api.NodeEligible, nil, false
		gain, _, err := s.gain(edit{nodes: []*api.Node{&c}})
		if err != nil {
			return err
		}
		s.add(effort(n), gain, api.PlacementSuggestion{Kind: api.SuggestNode, Object: n.ID, From: Unready(n), To: api.NodeStatusReady, Text: back(n)})
	}
	return nil
}

func effort(n *api.Node) float64 {
	switch {
	case n.Status != api.NodeStatusReady:
		return 0.3
	case n.DrainStrategy != nil:
		return 0.15
	}
	return 0.1
}

func back(n *api.Node) string {
	label := n.Name
	if label == "" {
		label = n.ID
	}
	switch {
	case n.Status != api.NodeStatusReady:
		return fmt.Sprintf("bring node %q back: it is %s", label, n.Status)
	case n.DrainStrategy != nil:
		return fmt.Sprintf("end the drain of node %q and make it eligible again", label)
	}
	return fmt.Sprintf("make node %q eligible again", label)
}

// preemption tries to let the job preempt, with its own priority and, where
// that is not enough, with a higher one.
func (s *search) preemption() error {
	if s.removed(api.StageResources) == 0 {
		return nil
	}
	config := *s.q.State.SchedulerConfig()
	config.PreemptionConfig = api.PreemptionConfig{
		SystemSchedulerEnabled: true, SysBatchSchedulerEnabled: true, BatchSchedulerEnabled: true, ServiceSchedulerEnabled: true,
	}
	n, r, err := s.gain(edit{config: &config})
	if err != nil {
		return err
	}
	if n > 0 {
		victims, text := preempted(r)
		s.add(0.3+0.02*float64(len(r.plan.Stops)), n, api.PlacementSuggestion{
			Kind: api.SuggestPreemption, Object: s.q.job.Type, Preempts: victims,
			Text: fmt.Sprintf("let %s jobs preempt (`operator scheduler set-config`): %s would have to go", s.q.job.Type, text),
		})
	}
	if n >= s.of || s.q.job.Priority >= maxPriority {
		return nil
	}
	return s.priority(&config)
}

// maxPriority is the highest that a job may have unless the servers say otherwise.
const maxPriority = 100

// priority looks for the lowest priority with which the job may preempt what it
// needs.
func (s *search) priority(config *api.SchedulerConfiguration) error {
	const step = 5
	from := s.q.job.Priority
	raised := func(steps int) edit {
		return edit{config: config, job: s.job(func(j *api.Job, _ *api.TaskGroup) { j.Priority = max(maxPriority-steps*step, from) })}
	}
	all, r, err := s.gain(raised(0))
	if err != nil || all == 0 {
		return err
	}
	lower, err := largest((maxPriority-from-1)/step, func(steps int) (bool, error) {
		n, x, err := s.gain(raised(steps))
		if n >= all {
			r = x
		}
		return n >= all, err
	})
	if err != nil {
		return err
	}
	to := maxPriority - lower*step
	victims, text := preempted(r)
	if len(victims) == 0 {
		return nil
	}
	s.add(0.5+float64(to-from)/200, all, api.PlacementSuggestion{
		Kind: api.SuggestPriority, Object: "priority", From: fmt.Sprint(from), To: fmt.Sprint(to), Preempts: victims,
		Text: fmt.Sprintf("raise the job's priority from %d to %d and let %s jobs preempt: %s would have to go", from, to, s.q.job.Type, text),
	})
	return nil
}

// preempted gives the jobs that lose allocations in a plan, and words them.
func preempted(r *result) (map[string]int, string) {
	out := map[string]int{}
	for i := range r.plan.Stops {
		if x := &r.plan.Stops[i]; x.PreemptedBy != "" {
			out[x.Alloc.JobID]++
		}
	}
	var parts []string
	for _, id := range most(out, 3) {
		parts = append(parts, fmt.Sprintf("%s of job %q", plural(out[id], "allocation"), id))
	}
	if len(out) > 3 {
		parts = append(parts, plural(len(out)-3, "job")+" more")
	}
	return out, strings.Join(parts, ", ")
}

// addNode tries more nodes like those that are there, of each kind that meets
// the demands.
func (s *search) addNode() error {
	want := feasible.For(s.q.Fleet, s.q.job, s.g)
	kinds := map[string]*api.Node{}
	counts := map[string]int{}
	for n := range s.nodes() {
		row, _ := s.q.Fleet.Row(n.ID)
		if !feasible.InReach(s.q.Fleet, s.q.job, row) || !want.Placeable(row) {
			continue
		}
		k := kind(n)
		if old := kinds[k]; old == nil || n.ID < old.ID {
			kinds[k] = n
		}
		counts[k]++
	}
	for _, k := range most(counts, maxPlaces) {
		like := kinds[k]
		one, _, err := s.gain(edit{nodes: nodesLike(like, 1)})
		if err != nil {
			return err
		}
		if one <= 0 {
			continue
		}
		number := 1
		if one < s.of && s.of <= one*maxNewNodes {
			more := (s.of + one - 1) / one
			n, _, err := s.gain(edit{nodes: nodesLike(like, more)})
			if err != nil {
				return err
			}
			if n > one {
				one, number = n, more
			}
		}
		s.add(0.5+0.1*float64(number), one, api.PlacementSuggestion{
			Kind: api.SuggestAddNode, Object: k, To: fmt.Sprint(number), Text: fmt.Sprintf("add %s like %s (%s)", plural(number, "node"), label(like), k),
		})
	}
	return nil
}

// maxNewNodes bounds how many nodes are suggested.
const maxNewNodes = 100

// nodesLike gives new nodes that are like one, and empty.
func nodesLike(n *api.Node, count int) []*api.Node {
	out := make([]*api.Node, count)
	for i := range out {
		c := *n
		c.ID = fmt.Sprintf("why-new-%d", i)
		c.Name = c.ID
		c.Status, c.SchedulingEligibility, c.DrainStrategy, c.Drain = api.NodeStatusReady, api.NodeEligible, nil, false
		out[i] = &c
	}
	return out
}

func label(n *api.Node) string {
	if n.Name != "" {
		return n.Name
	}
	return n.ID
}

// kind names the nodes that are alike: by datacenter, class and size.
func kind(n *api.Node) string {
	text := n.Datacenter
	if n.NodeClass != "" {
		text += ", class " + n.NodeClass
	}
	if r := n.NodeResources; r != nil {
		text += fmt.Sprintf(", %d MHz, %d MB", r.Cpu.CpuShares, r.Memory.MemoryMB)
	}
	return text
}
