package command

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
	"github.com/seraihq/serai/scheduler/why"
)

func jobWhy() *cli.Command {
	var (
		format  cli.Format
		verbose bool
	)
	return &cli.Command{
		Name: "why", Synopsis: "Tell why a job runs as it does", Usage: "[options] <job>", Min: 1, Max: 1,
		Help: `Tells in one sentence why a job does not run as asked, or that it does. Then for each group: what became of every node for its next allocation, step by step; how the best nodes score; and the smallest changes with which what is unplaced would fit. Each of these was tried: the scheduler was asked again with the change made.`,
		Define: func(f *cli.Flags) {
			format.Define(f)
			f.Bool(&verbose, "verbose", "Show whole IDs, steps that remove no node, and the allocations that have a place.")
		},
		Complete: completer("jobs"),
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			job, err := s.job(ctx, inv.Args[0])
			if err != nil {
				return err
			}
			answer, err := call(ctx, s, api.JobWhyOf, on(job))
			if err != nil {
				return err
			}
			if format.Wanted() {
				return format.Write(inv.Stdout, answer)
			}
			w := &whyWriter{inv, verbose, map[string]string{}}
			w.job(answer)
			return nil
		},
	}
}

func allocWhy() *cli.Command {
	var (
		format  cli.Format
		verbose bool
	)
	return &cli.Command{
		Name: "why", Synopsis: "Tell why an allocation is where it is", Usage: "[options] <allocation>", Min: 1, Max: 1,
		Help: `Tells in what state an allocation is and why, how its node scored against others when it was placed, what became of every node if it were placed now, and, where nothing replaces it, what would help.`,
		Define: func(f *cli.Flags) {
			format.Define(f)
			f.Bool(&verbose, "verbose", "Show whole IDs, and steps that remove no node.")
		},
		Complete: completer("allocs"),
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			a, err := s.allocation(ctx, inv.Args[0])
			if err != nil {
				return err
			}
			answer, err := call(ctx, s, api.AllocationWhyOf, api.IDRequest{ID: a.ID})
			if err != nil {
				return err
			}
			if format.Wanted() {
				return format.Write(inv.Stdout, answer)
			}
			w := &whyWriter{inv, verbose, answer.NodeNames}
			w.alloc(answer)
			return nil
		},
	}
}

// whyWriter writes answers for people.
type whyWriter struct {
	*cli.Invocation
	verbose bool
	names   map[string]string // of nodes, by ID
}

func (w *whyWriter) job(a *api.JobWhy) {
	w.Printf("%s", w.Style.Bold(cli.Clean(a.Summary)))
	w.notes(a.Notes)
	for _, g := range a.Groups {
		w.Printf("")
		w.group(g, len(a.Groups) > 1)
	}
}

func (w *whyWriter) notes(notes []string) {
	for _, n := range notes {
		w.Printf("- %s", cli.Clean(n))
	}
}

func (w *whyWriter) group(g *api.GroupWhy, several bool) {
	w.Printf("%s: %d wanted, %d running, %d starting, %d without a node", w.Style.Bold(fmt.Sprintf("Group %q", g.Name)), g.Wanted, g.Running, g.Starting, g.Unplaced)
	if several {
		w.notes(g.Notes)
	}
	w.funnel("Nodes for its next allocation", g.Funnel)
	w.scores("Best nodes for it", g.Scores)
	w.suggestions(g)
	if w.verbose && len(g.Placed) > 0 {
		w.Printf("\n%s", w.Style.Bold("Placed"))
		t := cli.NewTable("ID", "Name", "Node", "Desired", "Status", "Score", "In Reach", "Filtered", "Exhausted")
		for _, p := range g.Placed {
			t.Row(p.ID, p.Name, p.NodeName, p.DesiredStatus, p.ClientStatus, score(p.Score), strconv.Itoa(p.Considered), strconv.Itoa(p.Filtered), strconv.Itoa(p.Exhausted))
		}
		t.Write(w.Stdout, w.Style)
	}
}

func (w *whyWriter) funnel(title string, f *api.PlacementFunnel) {
	w.Printf("\n%s", w.Style.Bold(title))
	t := cli.NewTable("Step", "Removed", "Left")
	t.Row("known to the cluster", "", strconv.Itoa(f.Nodes))
	for _, s := range f.Steps {
		if s.Removed > 0 || w.verbose {
			t.Row(stepText(s), strconv.Itoa(s.Removed), strconv.Itoa(s.Left))
		}
	}
	t.Write(w.Stdout, w.Style)
	if f.Candidates == 0 && f.Nearest != nil {
		w.Printf("Nearest: %s lacks %s", nearestName(f.Nearest), cli.Clean(why.Lacks(f.Nearest)))
	}
}

func nearestName(n *api.NearestNode) string {
	if n.NodeName != "" {
		return n.NodeName
	}
	return id(n.NodeID, false)
}

func stepText(s *api.FunnelStep) string {
	switch s.Stage {
	case api.StagePool:
		return fmt.Sprintf("in node pool %q", s.Reason)
	case api.StageDatacenter:
		return "in datacenters " + s.Reason
	case api.StageReady:
		if len(s.Detail) == 0 {
			return s.Reason
		}
		var parts []string
		for _, k := range slices.Sorted(maps.Keys(s.Detail)) {
			parts = append(parts, fmt.Sprintf("%d %s", s.Detail[k], k))
		}
		return s.Reason + " (" + strings.Join(parts, ", ") + ")"
	case api.StageResources:
		return "has room: " + s.Reason
	case api.StagePresent:
		return "does not run it yet"
	}
	if len(s.Detail) > 0 {
		var parts []string
		for _, words := range slices.Sorted(maps.Keys(s.Detail)) {
			if s.Detail[words] < s.Removed {
				words = fmt.Sprintf("%d %s", s.Detail[words], words)
			}
			parts = append(parts, words)
		}
		return s.Reason + " (" + strings.Join(parts, ", ") + ")"
	}
	return s.Reason
}

func score(x float64) string { return strconv.FormatFloat(x, 'f', 3, 64) }

// scores writes the best nodes with the parts of their scores as columns.
func (w *whyWriter) scores(title string, scores []*api.NodeScoreMeta) {
	if len(scores) == 0 {
		return
	}
	parts := map[string]bool{}
	for _, s := range scores {
		for k := range s.Scores {
			parts[k] = true
		}
	}
	columns := sorted(parts)
	w.Printf("\n%s", w.Style.Bold(title))
	t := cli.NewTable(append([]string{"Node", "Score"}, columns...)...)
	for _, s := range scores {
		name := w.names[s.NodeID]
		if name == "" || w.verbose {
			name = strings.TrimSpace(id(s.NodeID, w.verbose) + " " + name)
		}
		row := []string{name, score(s.NormScore)}
		for _, c := range columns {
			if x, ok := s.Scores[c]; ok {
				row = append(row, score(x))
			} else {
				row = append(row, "-")
			}
		}
		t.Row(row...)
	}
	t.Write(w.Stdout, w.Style)
}

func (w *whyWriter) suggestions(g *api.GroupWhy) {
	if g.Unplaced == 0 {
		return
	}
	if len(g.Suggestions) == 0 {
		w.Printf("\nNo single change was found that would help.")
		return
	}
	w.Printf("\n%s", w.Style.Bold("What would help, the smallest change first"))
	for i, s := range g.Suggestions {
		some := ""
		if s.Places < s.Of {
			some = fmt.Sprintf(" (places %d of %d)", s.Places, s.Of)
		}
		w.Printf("%d. %s%s", i+1, cli.Clean(s.Text), some)
	}
}

func (w *whyWriter) alloc(a *api.AllocWhy) {
	w.Printf("%s", w.Style.Bold(cli.Clean(a.Summary)))
	w.notes(a.Notes)
	w.Printf("")
	var p cli.Pairs
	p.Add("ID", id(a.ID, w.verbose))
	p.Add("Name", a.Name)
	p.Add("Node", strings.TrimSpace(id(a.NodeID, w.verbose)+" "+a.NodeName))
	p.Add("Placed", when(a.CreateTime, w.verbose))
	p.Add("Desired", a.DesiredStatus)
	p.Add("Status", a.ClientStatus)
	p.Write(w.Stdout, w.Style)
	if m := a.Recorded; m != nil {
		w.scores("Nodes as they scored when it was placed", m.ScoreMetaData)
	}
	if a.Now != nil {
		w.funnel("Nodes if it were placed now", a.Now)
	}
	w.scores("Nodes as they score now", a.Scores)
	if a.Group != nil {
		w.suggestions(a.Group)
	}
}
