package command

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

// outcome tells what could not be placed and what failed, and sets the exit code.
func (f *follower) outcome(ctx context.Context) error {
	ok := true
	if len(f.eval.FailedTGAllocs) > 0 {
		ok = false
		f.s.Printf("\n%s", f.s.Style.Bold("Placement failures"))
		for _, group := range sorted(f.eval.FailedTGAllocs) {
			writePlacementFailure(f.s.Stdout, group, f.eval.FailedTGAllocs[group])
		}
		if f.eval.BlockedEval != "" {
			f.s.Printf("\nEvaluation %q waits for capacity to place the rest.", id(f.eval.BlockedEval, f.verbose))
		}
	}
	if f.eval.Status == api.EvalFailed || f.eval.Status == api.EvalCancelled {
		ok = false
		f.s.Printf("\nThe evaluation is %s: %s", f.eval.Status, f.eval.StatusDescription)
	}
	for _, a := range f.list {
		if f.depth >= toStart && a.DesiredStatus == api.AllocDesiredRun && a.NextAllocation == "" && (a.ClientStatus == api.AllocClientFailed || a.ClientStatus == api.AllocClientLost) {
			ok = false
			f.failure(ctx, a)
		}
	}
	if d := f.deployment; d != nil && d.Active() && !ok {
		f.s.Printf("\nThe deployment goes on when it can. See: serai deployment status -monitor %s", id(d.ID, f.verbose))
	}
	if !ok {
		return cli.ExitCode(codeNotPlaced)
	}
	if f.depth >= toStart && len(f.list) == 0 {
		f.s.Printf("Nothing had to be placed or changed.")
	}
	return nil
}

// maxFailureEvents is how many events of a failed task are shown.
const maxFailureEvents = 5

// failure tells why an allocation failed: the events of its failed tasks and
// the end of their error output.
func (f *follower) failure(ctx context.Context, a *api.AllocationListStub) {
	style := f.s.Style
	state := a.ClientStatus
	if state == api.AllocClientRunning {
		state = "runs and is not healthy"
	}
	f.s.Printf("\n%s", style.Bold(fmt.Sprintf("Allocation %q (group %q) %s on node %q", id(a.ID, f.verbose), a.TaskGroup, state, nodeName(a))))
	if a.ClientDescription != "" {
		f.s.Printf("  %s", a.ClientDescription)
	}
	for _, name := range sorted(a.TaskStates) {
		t := a.TaskStates[name]
		if !t.Failed && anyFailed(a) {
			continue
		}
		f.s.Printf("  Task %q:", name)
		events := t.Events
		if len(events) > maxFailureEvents {
			events = events[len(events)-maxFailureEvents:]
		}
		table := cli.NewTable("", "Time", "Type", "Description")
		for _, e := range events {
			table.Row("   ", nano(e.Time).Format(time.TimeOnly), e.Type, e.DisplayMessage)
		}
		table.Write(f.s.Stdout, style)
		f.s.lastErrors(ctx, a.ID, name)
	}
	f.s.Printf("  See also: serai alloc status %s; serai alloc logs -stderr %s", id(a.ID, f.verbose), id(a.ID, f.verbose))
}

// anyFailed says whether one of an allocation's tasks has failed for good.
func anyFailed(a *api.AllocationListStub) bool {
	for _, t := range a.TaskStates {
		if t.Failed {
			return true
		}
	}
	return false
}

// lastErrors prints the end of a task's error output, when there is any.
func (s *session) lastErrors(ctx context.Context, allocID, task string) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	body, _, err := api.Open(ctx, s.client, api.FSLogs, &api.FSLogsRequest{ID: allocID, Task: task, Type: "stderr", Origin: "end", Offset: 2048, Plain: true})
	if err != nil {
		return
	}
	defer body.Close()
	text, _ := io.ReadAll(io.LimitReader(body, 4096))
	lines := strings.Split(strings.TrimSpace(string(bytes.ToValidUTF8(text, []byte("?")))), "\n")
	if len(lines) > 5 {
		lines = lines[len(lines)-5:]
	}
	if len(lines) == 1 && lines[0] == "" {
		return
	}
	s.Printf("    Last lines of its error output:")
	for _, line := range lines {
		s.Printf("      %s", s.Style.Dim(cli.Clean(line)))
	}
}

// writePlacementFailure says why a group's allocations found no node.
func writePlacementFailure(w io.Writer, group string, m *api.AllocationMetric) {
	fmt.Fprintf(w, "  Task group %q (failed to place %s):\n", group, count(m.CoalescedFailures+1, "allocation"))
	for _, line := range placementReasons(m) {
		fmt.Fprintln(w, "    * "+line)
	}
}

// placementReasons words the counters of a failed placement.
func placementReasons(m *api.AllocationMetric) []string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if m.NodesEvaluated == 0 {
		add("No nodes were eligible for evaluation")
	}
	if m.NodesInPool == 0 && m.NodePool != "" && m.NodesEvaluated == 0 {
		add("There are no nodes in node pool %q", m.NodePool)
	}
	for _, dc := range sorted(m.NodesAvailable) {
		if m.NodesAvailable[dc] == 0 {
			add("No nodes are available in datacenter %q", dc)
		}
	}
	for _, class := range sorted(m.ClassFiltered) {
		add("Class %q: %s excluded by filter", class, count(m.ClassFiltered[class], "node"))
	}
	for _, c := range sorted(m.ConstraintFiltered) {
		add("Constraint %q: %s excluded by filter", c, count(m.ConstraintFiltered[c], "node"))
	}
	if m.NodesExhausted > 0 {
		add("Resources exhausted on %s", count(m.NodesExhausted, "node"))
	}
	for _, class := range sorted(m.ClassExhausted) {
		add("Class %q exhausted on %s", class, count(m.ClassExhausted[class], "node"))
	}
	for _, dimension := range sorted(m.DimensionExhausted) {
		add("Dimension %q exhausted on %s", dimension, count(m.DimensionExhausted[dimension], "node"))
	}
	for _, quota := range m.QuotaExhausted {
		add("Quota limit hit %q", quota)
	}
	return out
}
