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

// depth is how far an evaluation is followed.
type depth int

const (
	toDecision   depth = iota // until the evaluation is over
	toStart                   // until its allocations run or are over
	toDeployment              // until the deployment that it is part of has ended
	toEnd                     // until nothing of the job is left to run
)

// follower watches an evaluation, the allocations that it made and their
// deployment, and shows what becomes of them: redrawn in place on a terminal, as
// lines otherwise.
type follower struct {
	s       *session
	verbose bool
	depth   depth

	live       *cli.Live
	eval       *api.Evaluation // nil where only a deployment is followed
	deployment *api.Deployment // once there is one to follow
	rollback   bool            // it takes a job back after one that failed
	list       []*api.AllocationListStub
	seen       map[string]string // allocation, group or deployment → state last shown
	started    time.Time
}

// followWait bounds one blocking query.
const followWait = 30 * time.Second

// settleTime is how long allocations must keep still at the end, so that a
// task which dies at once is told of.
const settleTime = 250 * time.Millisecond

// follow follows an evaluation until all is decided. The error is only an exit
// code when everything was already shown.
func (s *session) follow(ctx context.Context, evalID string, verbose bool, how depth) error {
	f := s.newFollower(verbose, how)
	return f.end(f.run(ctx, evalID), "serai eval status "+id(evalID, verbose))
}

func (s *session) newFollower(verbose bool, how depth) *follower {
	return &follower{s: s, verbose: verbose, depth: how, live: cli.NewLive(s.Invocation), seen: map[string]string{}, started: time.Now()}
}

// end words an interrupt: nothing but the watching has ended.
func (f *follower) end(err error, see string) error {
	if !errors.Is(err, context.Canceled) {
		return err
	}
	if d := f.deployment; d != nil {
		see = "serai deployment status -monitor " + id(d.ID, f.verbose)
	}
	f.s.Errorf("\nNo longer watching; the work goes on. See \"%s\".", see)
	return cli.ExitCode(cli.CodeError)
}

func (f *follower) run(ctx context.Context, evalID string) error {
	f.say("==>", "Monitoring evaluation %q", id(evalID, f.verbose))
	for {
		if err := f.evaluation(ctx, evalID); err != nil {
			return err
		}
		if err := f.findDeployment(ctx); err != nil {
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
	if f.deploys() {
		return f.deployAndTell(ctx, f.deployment.ID)
	}
	if f.depth == toEnd {
		if err := f.jobToEnd(ctx); err != nil {
			return err
		}
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
		f.show(list)
		if now := f.states(); now != last || last == "" {
			last, still = now, time.Now()
		}
		req.Index, req.Wait = meta.Index, api.Duration(followWait)
		switch {
		case f.depth < toStart || f.depth == toEnd || f.deploys() || f.over():
			return nil
		case !f.settled():
		case time.Since(still) >= settleTime:
			return nil
		default:
			req.Wait = api.Duration(settleTime - time.Since(still) + time.Millisecond)
		}
	}
}

func sortByName(list []*api.AllocationListStub) {
	slices.SortFunc(list, func(a, b *api.AllocationListStub) int { return strings.Compare(a.Name+a.ID, b.Name+b.ID) })
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
		older := f.eval != nil && a.CreateIndex < f.eval.CreateIndex
		switch {
		case !known && older && a.DeploymentStatus.IsHealthy(): // of an earlier step of the deployment
		case !known && a.DesiredStatus == api.AllocDesiredRun:
			verb := "created"
			if older {
				verb = "modified" // updated in place
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
		return text + health(a)
	}
	for _, name := range sorted(a.TaskStates) {
		t := a.TaskStates[name]
		if n := len(t.Events); n > 0 && (t.Failed || text == "restarting" || text == api.AllocClientPending) {
			return fmt.Sprintf("%s (task %q: %s)", text, name, eventLine(t.Events, text == api.AllocClientPending))
		}
	}
	return text
}

// health words what an allocation's deployment knows of it.
func health(a *api.AllocationListStub) string {
	switch s := a.DeploymentStatus; {
	case s.IsHealthy():
		return " and healthy"
	case s.IsUnhealthy():
		return ", not healthy"
	}
	return ""
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
	lines := append([]string{head}, f.allocationLines(rows-4)...)
	if !last && f.depth >= toStart && len(f.list) > 0 && (f.depth == toEnd || !f.settled()) {
		lines = append(lines, style.Dim("    Ctrl-C stops watching, not the job."))
	}
	f.live.Draw(lines)
}

// allocationLines are the lines of the live display for the allocations; room is
// how many there may be.
func (f *follower) allocationLines(room int) []string {
	style := f.s.Style
	var lines []string
	for i, a := range f.list {
		if i >= room && len(f.list) > room+1 {
			return append(lines, style.Dim(fmt.Sprintf("    … and %s", count(len(f.list)-i, "more allocation"))))
		}
		lines = append(lines, fmt.Sprintf("    %s %s  %-*s  on %s  %s", f.mark(a), id(a.ID, f.verbose), f.nameWidth(), shortName(a), nodeName(a), style.Status(allocationState(a))))
	}
	return lines
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

// mark shows at a glance whether an allocation is well, is not, or is on its way.
func (f *follower) mark(a *api.AllocationListStub) string {
	style := f.s.Style
	switch a.ClientStatus {
	case api.AllocClientRunning, api.AllocClientComplete:
		if a.DeploymentStatus.IsUnhealthy() {
			return style.Red("✗")
		}
		if !restarting(a) && (f.deployment == nil || a.DeploymentStatus.IsHealthy()) {
			return style.Green("✓")
		}
	case api.AllocClientFailed, api.AllocClientLost:
		return style.Red("✗")
	}
	return style.Yellow("·")
}
