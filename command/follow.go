package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

// Exit code of commands that follow an evaluation which could not do all it should.
const codeNotPlaced = 2

// follower watches an evaluation and the allocations that it made, and shows
// what becomes of them: redrawn in place on a terminal, as lines otherwise.
type follower struct {
	s       *session
	verbose bool
	allocs  bool // also wait for the allocations to start

	live    *cli.Live
	eval    *api.Evaluation
	list    []*api.AllocationListStub
	seen    map[string]string // allocation → state last shown
	started time.Time
}

// followWait bounds one blocking query.
const followWait = 30 * time.Second

// settleTime is how long allocations must keep still at the end, so that a
// task which dies at once is told of.
const settleTime = 250 * time.Millisecond

// follow follows an evaluation until all is decided. The error is only an exit
// code when everything was already shown.
func (s *session) follow(ctx context.Context, evalID string, verbose, allocs bool) error {
	f := &follower{s: s, verbose: verbose, allocs: allocs, live: cli.NewLive(s.Invocation), seen: map[string]string{}, started: time.Now()}
	err := f.run(ctx, evalID)
	if errors.Is(err, context.Canceled) {
		s.Errorf("\nNo longer watching; the work goes on. See \"serai eval status %s\".", id(evalID, verbose))
		return cli.ExitCode(cli.CodeError)
	}
	return err
}

func (f *follower) run(ctx context.Context, evalID string) error {
	f.say("==>", "Monitoring evaluation %q", id(evalID, f.verbose))
	for {
		if err := f.evaluation(ctx, evalID); err != nil {
			return err
		}
		if err := f.allocations(ctx, evalID); err != nil {
			return err
		}
		f.say("==>", "Evaluation %q finished with status %q", id(evalID, f.verbose), f.eval.Status)
		next := f.eval.NextEval
		if next == "" || f.eval.Status == api.EvalComplete {
			break
		}
		f.say("==>", "Monitoring next evaluation %q", id(next, f.verbose))
		evalID = next
	}
	f.draw(true)
	return f.outcome(ctx)
}

// evaluation waits until the evaluation is over.
func (f *follower) evaluation(ctx context.Context, evalID string) error {
	req := api.EvaluationReadRequest{ID: evalID}
	for {
		e, meta, err := poll(ctx, f, api.EvaluationRead, &req)
		if err != nil {
			return err
		}
		if f.eval == nil || f.eval.ID != e.ID {
			f.say("   ", "Evaluation triggered by %s", trigger(e))
		} else if f.eval.Status != e.Status {
			f.say("   ", "Evaluation status changed: %q -> %q", f.eval.Status, e.Status)
		}
		f.eval = e
		f.draw(false)
		if e.Terminal() || e.Status == api.EvalBlocked {
			return nil
		}
		req.Index, req.Wait = meta.Index, api.Duration(followWait)
	}
}

func trigger(e *api.Evaluation) string {
	if e.NodeID != "" && e.TriggeredBy == api.TriggerNodeUpdate {
		return fmt.Sprintf("node %q", id(e.NodeID, false))
	}
	return fmt.Sprintf("job %q", e.JobID)
}

// allocations reads what the evaluation made and, where asked for, waits until
// it has started and has kept still for a moment, or is over.
func (f *follower) allocations(ctx context.Context, evalID string) error {
	req := api.IDRequest{ID: evalID}
	var still time.Time // since when nothing has changed
	last := ""
	for {
		list, meta, err := poll(ctx, f, api.EvaluationAllocations, &req)
		if err != nil {
			return err
		}
		slices.SortFunc(list, func(a, b *api.AllocationListStub) int {
			return strings.Compare(a.Name+a.ID, b.Name+b.ID)
		})
		f.list = list
		f.changes()
		f.draw(false)
		if now := f.states(); now != last || last == "" {
			last, still = now, time.Now()
		}
		req.Index, req.Wait = meta.Index, api.Duration(followWait)
		switch {
		case !f.allocs || f.over():
			return nil
		case !f.settled():
		case time.Since(still) >= settleTime:
			return nil
		default:
			req.Wait = api.Duration(settleTime - time.Since(still) + time.Millisecond)
		}
	}
}

// redrawInterval is how often the live display shows that time goes by.
const redrawInterval = 200 * time.Millisecond

// poll runs a blocking query and keeps the live display moving meanwhile.
func poll[Req, Resp any](ctx context.Context, f *follower, op api.Op[Req, Resp], req *Req) (resp Resp, meta *api.Meta, err error) {
	if f.live == nil {
		return api.Call(ctx, f.s.client, op, req)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		resp, meta, err = api.Call(ctx, f.s.client, op, req)
	}()
	ticker := time.NewTicker(redrawInterval)
	defer ticker.Stop()
	for {
		select {
		case <-done:
			return resp, meta, err
		case <-ticker.C:
			f.draw(false)
		}
	}
}

// states is a fingerprint of what is shown.
func (f *follower) states() string {
	var b strings.Builder
	for _, a := range f.list {
		b.WriteString(a.ID + f.seen[a.ID] + a.DesiredStatus + ";")
	}
	return b.String()
}

// over says whether nothing is left to wait for.
func (f *follower) over() bool {
	for _, a := range f.list {
		switch a.ClientStatus {
		case api.AllocClientComplete, api.AllocClientFailed, api.AllocClientLost:
		default:
			return false
		}
	}
	return true
}

// settled says whether every allocation that should run does, or is over.
func (f *follower) settled() bool {
	for _, a := range f.list {
		if a.DesiredStatus == api.AllocDesiredRun && (a.ClientStatus == api.AllocClientPending || restarting(a)) {
			return false
		}
	}
	return true
}

// restarting says whether a task waits to be started again after a failure.
func restarting(a *api.AllocationListStub) bool {
	if a.ClientStatus != api.AllocClientRunning && a.ClientStatus != api.AllocClientPending {
		return false
	}
	for _, t := range a.TaskStates {
		if t.State == api.TaskStatePending && len(t.Events) > 0 && t.Events[len(t.Events)-1].Type == api.TaskRestarting {
			return true
		}
	}
	return false
}

// changes prints a line for each allocation whose state has changed.
func (f *follower) changes() {
	for _, a := range f.list {
		state := allocationState(a)
		old, known := f.seen[a.ID]
		if known && a.ClientStatus == api.AllocClientPending && !restarting(a) {
			continue // between the end of a task and the start of the next
		}
		f.seen[a.ID] = state
		switch {
		case !known && a.DesiredStatus == api.AllocDesiredRun:
			verb := "created"
			if a.CreateIndex < f.eval.CreateIndex {
				verb = "modified" // it was there before: updated in place
			}
			f.say("   ", "Allocation %q %s: node %q, group %q", id(a.ID, f.verbose), verb, id(a.NodeID, f.verbose), a.TaskGroup)
			if a.ClientStatus == api.AllocClientPending {
				continue
			}
			fallthrough
		case known && old != state && (a.ClientStatus != api.AllocClientPending || restarting(a)):
			f.say("   ", "Allocation %q is %s", id(a.ID, f.verbose), state)
		}
	}
}

// allocationState words an allocation's state with the reason where it is not well.
func allocationState(a *api.AllocationListStub) string {
	if a.DesiredStatus != api.AllocDesiredRun && a.ClientStatus == api.AllocClientRunning {
		return "stopping"
	}
	text := a.ClientStatus
	if restarting(a) {
		text = "restarting"
	}
	if text == api.AllocClientRunning || text == api.AllocClientComplete {
		return text
	}
	for _, name := range sorted(a.TaskStates) {
		t := a.TaskStates[name]
		if n := len(t.Events); n > 0 && (t.Failed || text == "restarting" || text == api.AllocClientPending) {
			return fmt.Sprintf("%s (task %q: %s)", text, name, eventLine(t.Events, text == api.AllocClientPending))
		}
	}
	return text
}

// eventLine words the event that explains a task's state: the last, or before
// a restart or the end the one that says why.
func eventLine(events []*api.TaskEvent, newest bool) string {
	e := events[len(events)-1]
	for i := len(events) - 1; i >= 0 && !newest; i-- {
		switch events[i].Type {
		case api.TaskTerminated, api.TaskDriverFailure, api.TaskSetupFailure, api.TaskFailedValidation, api.TaskHookFailed:
			e = events[i]
			i = 0
		}
	}
	if e.DisplayMessage != "" {
		return e.DisplayMessage
	}
	return e.Type
}

// say prints a line where there is no live display.
func (f *follower) say(mark, format string, args ...any) {
	if f.live != nil {
		return
	}
	text := fmt.Sprintf(format, args...)
	if mark == "==>" {
		mark = f.s.Style.Bold(mark)
	}
	f.s.Printf("%s %s: %s", mark, time.Now().Format(time.RFC3339), text)
}

// draw redraws the live display.
func (f *follower) draw(last bool) {
	if f.live == nil || f.eval == nil {
		return
	}
	style := f.s.Style
	head := fmt.Sprintf("%s Evaluation %s of %s: %s  %s", style.Bold("==>"), id(f.eval.ID, f.verbose), trigger(f.eval),
		style.Status(f.eval.Status), style.Dim(time.Since(f.started).Round(100*time.Millisecond).String()))
	_, rows := f.live.Size()
	lines := []string{head}
	for i, a := range f.list {
		if room := rows - 4; i >= room && len(f.list) > room+1 {
			lines = append(lines, style.Dim(fmt.Sprintf("    … and %s", count(len(f.list)-i, "more allocation"))))
			break
		}
		lines = append(lines, fmt.Sprintf("    %s %s  %-*s  on %s  %s", mark(style, a), id(a.ID, f.verbose), f.nameWidth(), shortName(a), nodeName(a), style.Status(allocationState(a))))
	}
	if !last && f.allocs && len(f.list) > 0 && !f.settled() {
		lines = append(lines, style.Dim("    Ctrl-C stops watching, not the job."))
	}
	f.live.Draw(lines)
}

func (f *follower) nameWidth() int {
	n := 0
	for _, a := range f.list {
		n = max(n, len(shortName(a)))
	}
	return n
}

// shortName is an allocation's name without the job: group[index].
func shortName(a *api.AllocationListStub) string { return strings.TrimPrefix(a.Name, a.JobID+".") }

func nodeName(a *api.AllocationListStub) string {
	if a.NodeName != "" {
		return a.NodeName
	}
	return id(a.NodeID, false)
}

func mark(style cli.Style, a *api.AllocationListStub) string {
	switch a.ClientStatus {
	case api.AllocClientRunning, api.AllocClientComplete:
		if !restarting(a) {
			return style.Green("✓")
		}
	case api.AllocClientFailed, api.AllocClientLost:
		return style.Red("✗")
	}
	return style.Yellow("·")
}
