package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

// drainFollower watches a node that is drained and what is left on it.
type drainFollower struct {
	s       *session
	verbose bool
	live    *cli.Live
	started time.Time

	node   *api.Node
	allocs []*api.Allocation // that count: what was over before is left out
	seen   map[string]string // allocation → state last shown
	old    map[string]bool   // allocations that were over when the watching began
	ended  bool              // the drain has, and the allocations were asked for since
}

// followDrain follows a drain until it has ended and nothing that it moves is left.
func (s *session) followDrain(ctx context.Context, n *api.Node, verbose bool) error {
	f := &drainFollower{s: s, verbose: verbose, live: cli.NewLive(s.Invocation), started: time.Now(), seen: map[string]string{}}
	err := f.run(ctx, n.ID)
	if errors.Is(err, context.Canceled) {
		s.Errorf("\nNo longer watching; the drain goes on. See \"serai node drain -monitor %s\".", id(n.ID, verbose))
		return cli.ExitCode(cli.CodeError)
	}
	return err
}

func (f *drainFollower) run(ctx context.Context, nodeID string) error {
	req := api.IDRequest{ID: nodeID}
	node, nm, err := api.Call(ctx, f.s.client, api.NodeRead, &req)
	if err != nil {
		return err
	}
	allocs, am, err := api.Call(ctx, f.s.client, api.NodeAllocations, &req)
	if err != nil {
		return err
	}
	f.node = node
	if node.DrainStrategy != nil {
		f.say("==>", "Draining node %q (%s): %s", id(node.ID, f.verbose), node.Name, drainWords(node))
	}
	f.show(allocs)
	watching, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	nodes := watch(watching, &wg, f.s, api.NodeRead, req, nm.Index)
	lists := watch(watching, &wg, f.s, api.NodeAllocations, req, am.Index)
	ticker := time.NewTicker(redrawInterval)
	defer ticker.Stop()
	for {
		if over, err := f.over(ctx, req); err != nil {
			return err
		} else if over {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case u := <-nodes:
			if u.err != nil {
				return u.err
			}
			f.node = u.value
			f.draw(false)
		case u := <-lists:
			if u.err != nil {
				return u.err
			}
			f.show(u.value)
		case <-ticker.C:
			f.draw(false)
		}
	}
	f.draw(true)
	return f.outcome()
}

// over says whether the drain has ended and what it has stopped is gone. The node
// and its allocations come on their own ways: at the end the allocations are asked
// for once more, or the news of the last ones could be missed.
func (f *drainFollower) over(ctx context.Context, req api.IDRequest) (bool, error) {
	if f.node.DrainStrategy != nil {
		return false, nil
	}
	if !f.ended {
		allocs, _, err := api.Call(ctx, f.s.client, api.NodeAllocations, &req)
		if err != nil {
			return false, err
		}
		f.ended = true
		f.show(allocs)
	}
	return !slices.ContainsFunc(f.allocs, func(a *api.Allocation) bool { return a.ServerTerminal() && !a.ClientTerminal() }), nil
}

// outcome tells how the drain has ended.
func (f *drainFollower) outcome() error {
	n := f.node
	if d := n.LastDrain; d != nil && d.Status == drainCancelled {
		f.s.Printf("%s The drain of node %q (%s) was ended before it was complete", f.s.Style.Bold("==>"), id(n.ID, f.verbose), n.Name)
		return cli.ExitCode(codeNotPlaced)
	} else if d == nil {
		f.s.Printf("Node %q (%s) is not being drained", id(n.ID, f.verbose), n.Name)
		return nil
	}
	left := 0
	for _, a := range f.allocs {
		if !a.Terminal() {
			left++
		}
	}
	text := "all allocations have left"
	if left > 0 {
		text = count(left, "allocation") + " of system jobs stay"
	}
	f.s.Printf("%s Node %q (%s) is drained: %s", f.s.Style.Bold("==>"), id(n.ID, f.verbose), n.Name, text)
	return nil
}

// drainCancelled is the status of a last drain that was ended by hand.
const drainCancelled = "canceled"

// show shows what is new of the allocations on the node.
func (f *drainFollower) show(list []*api.Allocation) {
	if f.old == nil {
		f.old = map[string]bool{}
		for _, a := range list {
			f.old[a.ID] = a.ClientTerminal()
		}
	}
	f.allocs = slices.DeleteFunc(list, func(a *api.Allocation) bool { return f.old[a.ID] })
	slices.SortFunc(f.allocs, func(a, b *api.Allocation) int { return strings.Compare(a.Name+a.ID, b.Name+b.ID) })
	for _, a := range f.allocs {
		state := drainState(a)
		if before, known := f.seen[a.ID]; known && before != state || !known && state != a.ClientStatus {
			f.say("   ", "Allocation %q (%s) %s", id(a.ID, f.verbose), a.Name, state)
		}
		f.seen[a.ID] = state
	}
	f.draw(false)
}

// drainState words how far an allocation is on its way off the node.
func drainState(a *api.Allocation) string {
	migrate := a.DesiredTransition.Migrate
	switch {
	case a.ClientTerminal() && a.NextAllocation != "":
		return "has left: " + a.ClientStatus + ", replaced by " + id(a.NextAllocation, false)
	case a.ClientTerminal():
		return "has left: " + a.ClientStatus
	case a.ServerTerminal():
		return "stopping"
	case migrate != nil && *migrate:
		return "marked for migration"
	}
	return a.ClientStatus
}

// drainWords words a drain that goes on.
func drainWords(n *api.Node) string {
	d := n.DrainStrategy
	var words []string
	switch {
	case d.Deadline < 0:
		words = append(words, "everything is stopped at once")
	case d.Deadline == 0:
		words = append(words, "no deadline")
	default:
		words = append(words, "what is left is stopped "+ago(d.ForceDeadline, time.Now()))
	}
	if d.IgnoreSystemJobs {
		words = append(words, "system jobs stay")
	}
	return strings.Join(words, ", ")
}

func (f *drainFollower) say(mark, format string, args ...any) {
	if f.live != nil {
		return
	}
	if mark == "==>" {
		mark = f.s.Style.Bold(mark)
	}
	f.s.Printf("%s %s: %s", mark, time.Now().Format(time.RFC3339), fmt.Sprintf(format, args...))
}

// draw redraws the live display.
func (f *drainFollower) draw(last bool) {
	if f.live == nil {
		return
	}
	_, height := f.live.Size()
	f.live.Draw(f.lines(height, last))
}

// lines are the lines of the live display on a terminal of some height.
func (f *drainFollower) lines(height int, last bool) []string {
	style, n := f.s.Style, f.node
	left := 0
	var rows []string
	for _, a := range f.allocs {
		mark := style.Yellow("·")
		if a.ClientTerminal() {
			mark = style.Green("✓")
		} else {
			left++
		}
		rows = append(rows, fmt.Sprintf("    %s %s  %s  %s", mark, id(a.ID, f.verbose), a.Name, style.Status(drainState(a))))
	}
	head := fmt.Sprintf("%s Drain of node %s (%s): %s left  %s", style.Bold("==>"), id(n.ID, f.verbose), n.Name, count(left, "allocation"),
		style.Dim(time.Since(f.started).Round(100*time.Millisecond).String()))
	lines := []string{head}
	if n.DrainStrategy != nil {
		lines = append(lines, "    "+drainWords(n))
	}
	if room := max(height-6, 1); len(rows) > room {
		rows = append(rows[:room], style.Dim(fmt.Sprintf("    … and %s", count(len(rows)-room, "more allocation"))))
	}
	lines = append(lines, rows...)
	if !last {
		lines = append(lines, style.Dim("    Ctrl-C stops watching, not the drain."))
	}
	return lines
}
