package command

import (
	"fmt"
	"strings"

	"github.com/seraihq/serai/command/cli"
	"github.com/seraihq/serai/scheduler/sim"
)

// maxSimMoves is how many moves are listed unless all are asked for.
const maxSimMoves = 20

// writeSim writes what a simulation comes to.
func writeSim(inv *cli.Invocation, r *sim.Report, verbose bool) {
	if r.Fits() {
		inv.Printf("%s", inv.Style.Green("Everything has a place."))
	} else {
		total := 0
		for _, u := range r.Unplaced {
			total += u.Count
		}
		inv.Printf("%s", inv.Style.Yellow(fmt.Sprintf("%s without a place.", count(total, "allocation"))))
	}
	writeSimChanges(inv, r, verbose)
	writeUnplaced(inv, r.Unplaced)
	writeUtilisation(inv, r)
	if r.Spare != nil {
		writeSpare(inv, r.Spare, verbose)
	}
}

func writeSimChanges(inv *cli.Invocation, r *sim.Report, verbose bool) {
	list := func(what string, names []string) {
		if len(names) > 0 {
			shown := names[:min(len(names), 5)]
			more := ""
			if len(names) > len(shown) {
				more = ", …"
			}
			inv.Printf("%s %s: %s%s", count(len(names), "node"), what, strings.Join(shown, ", "), more)
		}
	}
	list("lost", r.Lost)
	list("added", r.Added)
	for _, p := range r.Placed {
		inv.Printf("Placed: %s of job %q, group %q", count(p.Count, "allocation"), p.Job, p.Group)
	}
	if r.Stopped > 0 {
		inv.Printf("Stopped: %s", count(r.Stopped, "allocation"))
	}
	writeMoves(inv, "Moves", r.Moves, verbose)
	writeMoves(inv, "Preempted", r.Preempted, verbose)
}

func writeMoves(inv *cli.Invocation, title string, moves []*sim.Move, verbose bool) {
	if len(moves) == 0 {
		return
	}
	inv.Printf("\n%s", inv.Style.Bold(fmt.Sprintf("%s (%d)", title, len(moves))))
	t := cli.NewTable("Allocation", "From", "To")
	for i, m := range moves {
		if i == maxSimMoves && !verbose {
			t.Row(fmt.Sprintf("… and %d more (-verbose)", len(moves)-i), "", "")
			break
		}
		to := "-"
		if m.To != "" {
			to = m.To + " (" + m.ToDC + ")"
		}
		t.Row(m.Name, m.From+" ("+m.FromDC+")", to)
	}
	t.Write(inv.Stdout, inv.Style)
}

func writeUnplaced(inv *cli.Invocation, list []*sim.Unplaced) {
	if len(list) == 0 {
		return
	}
	inv.Printf("\n%s", inv.Style.Bold("Without a place"))
	t := cli.NewTable("Job", "Group", "Count", "Before", "Why")
	for _, u := range list {
		t.Row(u.Job, u.Group, fmt.Sprint(u.Count), fmt.Sprint(u.Before), u.Why)
	}
	t.Write(inv.Stdout, inv.Style)
}

func writeUtilisation(inv *cli.Invocation, r *sim.Report) {
	inv.Printf("\n%s", inv.Style.Bold("Utilisation, before and after"))
	t := cli.NewTable(append([]string{"", "Nodes", "Allocations"}, sim.Dimensions...)...)
	row := func(name string, a, b *sim.Load) {
		cells := []string{name, change(nodesOf(a), nodesOf(b), ""), change(allocsOf(a), allocsOf(b), "")}
		for _, d := range sim.Dimensions {
			cells = append(cells, change(percent(a, d), percent(b, d), "%"))
		}
		t.Row(cells...)
	}
	row("all", r.Before.Total, r.After.Total)
	both := func(kind string, a, b map[string]*sim.Load) {
		names := map[string]bool{}
		for k := range a {
			names[k] = true
		}
		for k := range b {
			names[k] = true
		}
		for _, k := range sorted(names) {
			row(kind+" "+k, a[k], b[k])
		}
	}
	both("datacenter", r.Before.Datacenters, r.After.Datacenters)
	both("class", r.Before.Classes, r.After.Classes)
	t.Write(inv.Stdout, inv.Style)
}

func nodesOf(l *sim.Load) int {
	if l == nil {
		return 0
	}
	return l.Nodes
}

func allocsOf(l *sim.Load) int {
	if l == nil {
		return 0
	}
	return l.Allocations
}

func percent(l *sim.Load, dimension string) int {
	if l == nil {
		return 0
	}
	return int(100*l.Dimensions[dimension].Share() + 0.5)
}

// change words two numbers: "40% → 55%", or one where they are the same.
func change(a, b int, unit string) string {
	if a == b {
		return fmt.Sprintf("%d%s", a, unit)
	}
	return fmt.Sprintf("%d%s → %d%s", a, unit, b, unit)
}

func writeSpare(inv *cli.Invocation, s *sim.Spare, verbose bool) {
	inv.Printf("\n%s", inv.Style.Bold("N+1: if one "+s.By+" more were lost"))
	looked := "all " + fmt.Sprint(s.Units)
	if s.Looked < s.Units {
		looked = fmt.Sprintf("the fullest and a sample, %d of %d", s.Looked, s.Units)
	}
	if s.Failing == 0 {
		inv.Printf("Everything would still fit (%s were tried).", looked)
	} else {
		inv.Printf("After the loss of %d something would not fit (%s were tried).", s.Failing, looked)
	}
	t := cli.NewTable("Lost", "Nodes", "Allocations", "Moved", "Without a place", "Jobs")
	for i, o := range s.Losses {
		if (i >= 5 || o.Unplaced == 0 && i > 0) && !verbose {
			break
		}
		t.Row(o.Unit, fmt.Sprint(o.Nodes), fmt.Sprint(o.Allocations), fmt.Sprint(o.Moved), fmt.Sprint(o.Unplaced), strings.Join(o.Jobs, ", "))
	}
	t.Write(inv.Stdout, inv.Style)
}
