package planner

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/pause"
	"github.com/seraihq/serai/scheduler/fleet"
	"github.com/seraihq/serai/server/fsm"
	"github.com/seraihq/serai/server/state"
)

const (
	maxEvals      = 128  // of a batch
	maxPlacements = 8192 // of a batch, after which no further evaluation is taken in
	maxAttempts   = 5    // of one evaluation, when its plans are refused
)

// Log has commands applied.
type Log interface {
	Apply(ctx context.Context, c fsm.Command) (result any, index uint64, err error)
}

// Queue gives evaluations.
type Queue interface {
	TryNext(max int) []*api.Evaluation
	Done(x *api.Evaluation)
	Wake() <-chan struct{}
	// RoomReturned says that room which was held is free again.
	RoomReturned()
}

// Config is what New needs.
type Config struct {
	Store  *state.Store
	Queue  Queue
	Log    Log
	Logger *slog.Logger
	Now    func() time.Time
}

// Planner schedules. See the package comment.
type Planner struct {
	Config
	fleet    *fleet.Fleet
	inFlight *batch
	attempts map[string]int // plans of an evaluation that were refused
	broken   bool           // the scheduler panicked: the fleet is not to be trusted
}

// New makes a planner.
func New(c Config) *Planner {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Planner{Config: c, attempts: map[string]int{}}
}

// Run schedules until ctx ends.
func (p *Planner) Run(ctx context.Context) error {
	for {
		err := p.run(ctx)
		if !errors.Is(err, state.ErrGap) {
			return err
		}
		p.Logger.Info("index of nodes is rebuilt from the store")
	}
}

func (p *Planner) run(ctx context.Context) error {
	view, sub := p.Store.Subscribe(8192, state.TableNodes, state.TableAllocations)
	defer sub.Close()
	p.fleet = fleet.Load(view.Nodes(), view.Allocations())
	defer p.abandon()
	var next *batch
	for {
		if err := p.follow(sub); err != nil {
			if next != nil {
				p.giveBack(next)
			}
			return err
		}
		if p.broken && next == nil && p.inFlight == nil {
			p.broken = false
			return state.ErrGap
		}
		if next == nil {
			next = p.prepare()
		}
		if next != nil && p.inFlight == nil {
			p.submit(ctx, next)
			next = nil
			continue // schedule what has come meanwhile
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-sub.Ready():
		case <-p.wake(next):
		case o := <-p.committed():
			if err := p.follow(sub); err != nil {
				return err
			}
			p.finish(ctx, o)
		}
	}
}

// wake is the queue's signal, unless a batch waits already.
func (p *Planner) wake(next *batch) <-chan struct{} {
	if next != nil {
		return nil
	}
	return p.Queue.Wake()
}

func (p *Planner) committed() <-chan outcome {
	if p.inFlight == nil {
		return nil
	}
	return p.inFlight.done
}

// follow brings the fleet up to the store.
func (p *Planner) follow(sub *state.Subscription) error {
	for {
		c, ok, err := sub.Try()
		if err != nil || !ok {
			return err
		}
		ours := false
		for i := range c.Changes {
			ours = p.change(&c.Changes[i]) || ours
		}
		if ours {
			// The allocations in flight have arrived: what was held for them
			// would count twice.
			p.inFlight.drop(p.fleet)
		}
	}
}

// change takes over one change, and says whether it is of the batch in flight.
func (p *Planner) change(c *state.Change) (ours bool) {
	switch c.Table {
	case state.TableNodes:
		if n, ok := c.New.(*api.Node); ok {
			p.fleet.NodeUpsert(n)
		} else if n, ok := c.Old.(*api.Node); ok {
			p.fleet.NodeRemove(n.ID)
		}
	case state.TableAllocations:
		old, _ := c.Old.(*api.Allocation)
		now, _ := c.New.(*api.Allocation)
		p.fleet.AllocChange(old, now)
		return now != nil && p.inFlight != nil && p.inFlight.places[now.ID]
	}
	return false
}

// restAfter is how long the log is left alone when it did not take a batch: while
// leadership is handed over it refuses at once, thousands of times a second.
const restAfter = 50 * time.Millisecond

// submit puts a batch into the log and does not wait.
func (p *Planner) submit(ctx context.Context, b *batch) {
	p.inFlight = b
	b.done, b.submitted = make(chan outcome, 1), time.Now()
	start := b.submitted
	go func() {
		result, _, err := p.Log.Apply(ctx, b.command)
		measure("plan.submit", start)
		applied, _ := result.(*fsm.PlanApplied)
		if err != nil {
			pause.For(ctx, restAfter)
		}
		b.done <- outcome{applied, err}
		close(b.done)
	}()
}

// abandon waits for the batch in flight when the planner stops.
func (p *Planner) abandon() {
	if p.inFlight != nil {
		<-p.inFlight.done
		p.giveBack(p.inFlight)
		p.inFlight = nil
	}
}

func (p *Planner) giveBack(b *batch) {
	b.drop(p.fleet)
	for _, x := range b.evals {
		p.Queue.Done(x)
	}
}
