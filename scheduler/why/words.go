package why

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/seraihq/serai/api"
)

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

// verb joins a number of things with the form of a verb that fits.
func verb(n int, noun, one, many string) string {
	if n == 1 {
		return plural(n, noun) + " " + one
	}
	return plural(n, noun) + " " + many
}

func are(n int, noun string) string  { return verb(n, noun, "is", "are") }
func were(n int, noun string) string { return verb(n, noun, "was", "were") }
func has(n int, noun string) string  { return verb(n, noun, "has", "have") }
func find(n int, noun string) string { return verb(n, noun, "finds", "find") }

func hasHave(n int) string {
	if n == 1 {
		return "has"
	}
	return "have"
}

func isAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// cause words a funnel in one clause: what keeps the next allocation from a node.
func cause(f *api.PlacementFunnel) string {
	if f.Nodes == 0 {
		return "the cluster has no nodes"
	}
	if n := f.Nearest; n != nil {
		return fmt.Sprintf("%s its demands and %s no room; %s lacks least: %s", verb(roomless(f), "node", "meets", "meet"), hasHave(roomless(f)), name(n), Lacks(n))
	}
	before := f.Nodes
	for _, s := range f.Steps {
		if s.Left == 0 && s.Removed > 0 {
			return emptied(s, before)
		}
		before = s.Left
	}
	return "it fits now"
}

// roomless counts the nodes that lack nothing but room.
func roomless(f *api.PlacementFunnel) int {
	n := 0
	for _, s := range f.Steps {
		if s.Stage == api.StageResources {
			n += s.Removed
		}
	}
	return n
}

// emptied words the step after which no node was left.
func emptied(s *api.FunnelStep, before int) string {
	switch s.Stage {
	case api.StagePool:
		return fmt.Sprintf("no node is in node pool %q", s.Reason)
	case api.StageDatacenter:
		return fmt.Sprintf("no node of its node pool is in datacenter %s", s.Reason)
	case api.StageReady:
		var parts []string
		for _, k := range slices.Sorted(maps.Keys(s.Detail)) {
			parts = append(parts, fmt.Sprintf("%d %s", s.Detail[k], k))
		}
		return fmt.Sprintf("no node in reach takes new allocations: %s", strings.Join(parts, ", "))
	case api.StagePresent:
		return "every node that will do runs it already"
	}
	if before == 1 {
		return fmt.Sprintf("%q rules out the only node that was left", s.Reason) + inDetail(s)
	}
	return fmt.Sprintf("%q rules out the %d nodes that were left", s.Reason, before) + inDetail(s)
}

// inDetail is what all that a step removed have said of it, when that is one thing.
func inDetail(s *api.FunnelStep) string {
	for words, n := range s.Detail {
		if n == s.Removed {
			return ": " + words
		}
	}
	return ""
}

func name(n *api.NearestNode) string {
	if n.NodeName != "" {
		return n.NodeName
	}
	return n.NodeID
}

// Lacks words what a node lacks: "memory (120 MB more than the 392 MB that are free)".
func Lacks(n *api.NearestNode) string {
	var parts []string
	for _, s := range n.Short {
		parts = append(parts, shortText(s))
	}
	return strings.Join(parts, ", ")
}

func shortText(s *api.Shortfall) string {
	switch {
	case len(s.HeldBy) > 0:
		return s.Dimension + " (held by " + strings.Join(s.HeldBy, ", ") + ")"
	case s.Missing >= unbounded:
		return s.Dimension
	}
	unit := s.Unit
	if unit != "" {
		unit = " " + unit
	}
	return fmt.Sprintf("%s (asks %d%s, free %d of %d, missing %d)", s.Dimension, s.Asked, unit, s.Free, s.Has, s.Missing)
}

// Cause words in one clause what keeps the next allocation of a group from a node.
func Cause(in Input, job *api.Job, group string) string {
	g := job.LookupTaskGroup(group)
	if g == nil {
		return "the job has no such group"
	}
	q := newAsker(in, job)
	if (g.AllAtOnce || job.AllAtOnce) && !q.perNode() {
		return q.gangCause(group)
	}
	s := q.selection(g, nil, nil)
	defer s.tx.Rollback()
	var there map[string]bool
	if q.perNode() {
		there = q.there(g, nil)
	}
	return cause(q.funnel(g, s, there))
}
