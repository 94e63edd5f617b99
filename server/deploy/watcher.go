package deploy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/fsm"
	"github.com/seraihq/serai/server/state"
	"github.com/seraihq/serai/server/trigger"
)

const (
	// passEvery is the shortest time between two passes: what changes within it
	// is judged together.
	passEvery = 10 * time.Millisecond

	// evaluateEvery is the shortest time between two evaluations of a deployment
	// that only tell that something has become healthy.
	evaluateEvery = 100 * time.Millisecond

	// retryAfter is when a pass whose command was not applied is made again.
	retryAfter = time.Second

	maxVerdicts = 1024 // of one command
)

// Log has commands applied.
type Log interface {
	Apply(ctx context.Context, c fsm.Command) (result any, index uint64, err error)
}

// Config is what New needs.
type Config struct {
	Store  *state.Store
	Log    Log
	Logger *slog.Logger
}

// Watcher sees deployments through. See the package comment.
type Watcher struct {
	Config
	queue *queue
}

// New makes a watcher.
func New(c Config) *Watcher { return &Watcher{Config: c, queue: newQueue()} }

// Run watches until ctx ends, for as long as this server leads.
func (w *Watcher) Run(ctx context.Context) error {
	for {
		if err := w.watch(ctx); !errors.Is(err, state.ErrGap) {
			return err
		}
	}
}

func (w *Watcher) watch(ctx context.Context) error {
	view, sub := w.Store.Subscribe(4096, state.TableDeployments, state.TableAllocations, state.TableJobs)
	defer sub.Close()
	w.queue = newQueue()
	for d := range view.ActiveDeployments() { // what was told to the scheduler is not known
		x := w.queue.get(d.ID)
		x.evaluate = true
		w.queue.schedule(x, time.Now())
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-sub.Ready():
		case <-timer.C:
		}
		if err := w.follow(sub); err != nil {
			return err
		}
		w.pass(ctx)
		if err := rest(ctx); err != nil {
			return err
		}
		timer.Reset(w.sleep())
	}
}

// rest waits for the shortest time between two passes.
func rest(ctx context.Context) error {
	timer := time.NewTimer(passEvery)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

func (w *Watcher) sleep() time.Duration {
	if at, ok := w.queue.next(); ok {
		return max(time.Until(at), 0)
	}
	return time.Hour
}

// follow notes which deployments the commits since then concern.
func (w *Watcher) follow(sub *state.Subscription) error {
	now := time.Now()
	return sub.Each(func(c *state.Commit, x *state.Change) { w.note(x, c.View, now) })
}

func (w *Watcher) note(x *state.Change, v *state.View, now time.Time) {
	switch old := x.Old.(type) {
	case *api.Allocation: // what else of it counts is in the deployment's row
		a, _ := x.New.(*api.Allocation)
		if a != nil && a.DeploymentID != "" && a.ClientStatus == api.AllocClientFailed && a.ClientStatus != old.ClientStatus {
			w.queue.get(a.DeploymentID).failed = true
			w.due(a.DeploymentID, now)
		}
		return
	case *api.Job:
		j, _ := x.New.(*api.Job)
		if j == nil || j.Version != old.Version {
			for d := range v.ActiveDeploymentsByJob(old.Namespace, old.ID) {
				w.due(d.ID, now)
			}
		}
		return
	case *api.Deployment:
		if x.New == nil {
			w.queue.forget(old.ID)
			return
		}
	}
	if d, ok := x.New.(*api.Deployment); ok && d != nil {
		if !d.Active() {
			w.queue.forget(d.ID)
			return
		}
		w.due(d.ID, now)
	}
}

func (w *Watcher) due(id string, at time.Time) { w.queue.schedule(w.queue.get(id), at) }

// pass judges what is due and writes the verdicts.
func (w *Watcher) pass(ctx context.Context) {
	now := time.Now()
	view := w.Store.View()
	c := &fsm.DeploymentVerdicts{Time: now.UnixNano()}
	var of []*watched
	for x := w.queue.pop(now); x != nil; x = w.queue.pop(now) {
		if v, ok := w.judge(view, x, now); ok {
			c.Verdicts = append(c.Verdicts, v)
			of = append(of, x)
		}
		if len(c.Verdicts) == maxVerdicts {
			break
		}
	}
	if len(of) > 0 {
		w.write(ctx, c, of)
	}
}

// judge judges one deployment; false when there is nothing to be written.
func (w *Watcher) judge(view *state.View, x *watched, now time.Time) (fsm.DeploymentVerdict, bool) {
	d, ok := view.Deployment(x.id)
	if !ok || !d.Active() {
		w.queue.forget(x.id)
		return fsm.DeploymentVerdict{}, false
	}
	job, _ := view.Job(d.Namespace, d.JobID)
	in := Input{Deployment: d, Job: job, Now: now}
	if x.failed {
		in.Allocs = view.AllocationsByDeployment(d.ID)
	}
	v := Judge(in)
	w.queue.schedule(x, v.Again)
	x.failed = x.failed && (len(v.Reschedule) > 0 || d.Status != api.DeploymentRunning)
	out := fsm.DeploymentVerdict{
		ID: d.ID, Seen: d.ModifyIndex, Status: v.Status, Description: v.Description, Revert: v.Revert,
		Promote: v.Promote, Reschedule: v.Reschedule,
	}
	acts := v.Status != "" || len(v.Promote) > 0 || len(v.Reschedule) > 0
	tells := w.tells(x, d, v.Open, now)
	if job != nil && (acts && v.Status != api.DeploymentSuccessful || tells) {
		out.Eval = evaluation(job, d, now)
	}
	return out, acts || out.Eval != nil
}

// tells says whether the scheduler has to hear of a deployment's progress now.
// Where everything has its place already it could do nothing with it.
func (w *Watcher) tells(x *watched, d *api.Deployment, open bool, now time.Time) bool {
	is := progressOf(d)
	if !x.known {
		x.known, x.progress = true, is
	} else if is != x.progress {
		x.evaluate, x.progress = true, is
	}
	if !x.evaluate || !open {
		x.evaluate = false
		return false
	}
	if at := x.evaluated.Add(evaluateEvery); now.Before(at) {
		w.queue.schedule(x, at)
		return false
	}
	return true
}

func progressOf(d *api.Deployment) progress {
	var p progress
	for _, s := range d.TaskGroups {
		p.healthy += s.HealthyAllocs
		p.unhealthy += s.UnhealthyAllocs
	}
	return p
}

func evaluation(j *api.Job, d *api.Deployment, now time.Time) *api.Evaluation {
	e := trigger.ForJob(j, api.TriggerDeploymentWatcher, now)
	e.DeploymentID = d.ID
	if d.EvalPriority > 0 {
		e.Priority = d.EvalPriority
	}
	return e
}

// write has verdicts applied. Those that were void are judged again.
func (w *Watcher) write(ctx context.Context, c *fsm.DeploymentVerdicts, of []*watched) {
	result, _, err := w.Log.Apply(ctx, c)
	now := time.Now()
	if err != nil {
		if ctx.Err() == nil {
			w.Logger.Error("verdicts on deployments were not written; it is tried again", "in", retryAfter, "err", fmt.Errorf("apply verdicts: %w", err))
		}
		for _, x := range of {
			w.queue.schedule(x, now.Add(retryAfter))
		}
		return
	}
	changed := result.(*fsm.DeploymentsChanged).Changed
	for i, x := range of {
		d := changed[i].Deployment
		if d == nil {
			w.queue.schedule(x, now)
			continue
		}
		if len(c.Verdicts[i].Reschedule) > 0 {
			x.failed = false
		}
		if c.Verdicts[i].Eval != nil {
			x.evaluate, x.evaluated = false, now
		}
		if !d.Active() {
			w.Logger.Info("deployment has ended", "deployment_id", d.ID, "job", d.JobID, "namespace", d.Namespace, "status", d.Status, "reason", d.StatusDescription)
		}
	}
}
