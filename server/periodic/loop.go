package periodic

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/fsm"
	"github.com/seraihq/serai/server/state"
	"github.com/seraihq/serai/server/trigger"
)

const (
	// lateness is how late a run may be and still be started when there are
	// later ones.
	lateness = time.Minute
	// maxRuns is how many runs one command starts.
	maxRuns = 512
	// maxSleep bounds how long the clock is not looked at: it may be set
	// meanwhile, and timers do not follow it.
	maxSleep = 15 * time.Second
	// retry is the pause after a command that the log did not take.
	retry = time.Second
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
	Now    func() time.Time
}

// Loop starts runs. See the package comment.
type Loop struct {
	Config
	jobs schedule
}

// New makes a loop.
func New(c Config) *Loop {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Loop{Config: c}
}

// Run starts runs until ctx ends, for as long as this server leads.
func (l *Loop) Run(ctx context.Context) error {
	l.jobs = newSchedule()
	began := l.Now()
	for {
		err := l.follow(ctx, began)
		if !errors.Is(err, state.ErrGap) {
			return err
		}
	}
}

// follow keeps the schedule in step with the store and starts what is due. What
// was due before began is made up for once at the most.
func (l *Loop) follow(ctx context.Context, began time.Time) error {
	view, sub := l.Store.Subscribe(4096, state.TableJobs)
	defer sub.Close()
	l.jobs.fill(view, began)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-sub.Ready():
			if err := l.change(sub); err != nil {
				return err
			}
		case <-timer.C:
		}
		timer.Reset(l.launch(ctx))
	}
}

// change takes over what happened to jobs.
func (l *Loop) change(sub *state.Subscription) error {
	return sub.Each(func(c *state.Commit, x *state.Change) {
		old, _ := x.Old.(*api.Job)
		now, _ := x.New.(*api.Job)
		if now != nil {
			l.jobs.set(c.View, now)
		} else if old != nil {
			l.jobs.remove(old.NamespacedID())
		}
	})
}

// launch starts what is due, and says how long it is until more may be.
func (l *Loop) launch(ctx context.Context) time.Duration {
	now := l.Now()
	c := &fsm.PeriodicStart{Time: now.UnixNano()}
	view := l.Store.View()
	for len(c.Runs) < maxRuns {
		e := l.jobs.first()
		if e == nil || e.due.After(now) {
			break
		}
		job, ok := view.Job(e.id.Namespace, e.id.ID)
		if !ok || !active(job) {
			l.jobs.remove(e.id)
			continue
		}
		// What was recorded meanwhile may have made the run superfluous.
		due, err := l.jobs.dueOf(view, job, e, now)
		if err != nil {
			l.Logger.Error("a periodic job has no runs any more: its schedule cannot be read", "job", job.ID, "namespace", job.Namespace, "err", err)
			l.jobs.remove(e.id)
			continue
		}
		if due.IsZero() || due.After(now) {
			l.jobs.put(e, due)
			continue
		}
		c.Runs = append(c.Runs, fsm.PeriodicRun{Namespace: job.Namespace, JobID: job.ID, Due: due.UnixNano(), EvalID: trigger.NewID()})
		l.jobs.started(e, due)
	}
	if len(c.Runs) > 0 && !l.start(ctx, c) {
		return retry
	}
	return l.sleep()
}

func (l *Loop) sleep() time.Duration {
	e := l.jobs.first()
	if e == nil {
		return time.Hour
	}
	return min(max(e.due.Sub(l.Now()), 0), maxSleep)
}

// start has runs started; false means that it is to be tried again.
func (l *Loop) start(ctx context.Context, c *fsm.PeriodicStart) bool {
	result, _, err := l.Log.Apply(ctx, c)
	if err != nil {
		if ctx.Err() == nil {
			l.Logger.Warn("periodic runs were not started, it is tried again", "runs", len(c.Runs), "err", err)
		}
		for i := range c.Runs {
			l.jobs.again(api.NamespacedID{Namespace: c.Runs[i].Namespace, ID: c.Runs[i].JobID}, time.Unix(0, c.Runs[i].Due))
		}
		return false
	}
	started, _ := result.([]fsm.PeriodicStarted)
	for i := range started {
		if started[i].Refused != nil {
			l.Logger.Info("periodic run left out", "job", c.Runs[i].JobID, "namespace", c.Runs[i].Namespace, "due", time.Unix(0, c.Runs[i].Due).UTC(), "err", started[i].Refused)
		}
	}
	return true
}
