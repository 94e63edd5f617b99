package consensus

import (
	"context"
	"errors"
	"time"
)

// retryLead is how long the leader's work rests after it ended in an error.
const retryLead = time.Second

// Lead runs lead for as long as this server leads: it starts when leadership
// is won, its context ends when leadership is lost, and it is waited for. When
// lead returns before, it is started again after a pause. Lead itself returns
// when ctx ends, and belongs to one caller.
func (r *Raft) Lead(ctx context.Context, lead func(context.Context) error) error {
	changes := r.raft.LeaderCh()
	if err := r.awaitLeadership(ctx, changes); err != nil {
		return err
	}
	for {
		term, cancel := context.WithCancel(ctx)
		done := make(chan error, 1)
		go func() { done <- lead(term) }()
		r.untilLost(ctx, r.raft.CurrentTerm(), changes, done)
		cancel()
		switch err := <-done; {
		case ctx.Err() != nil:
		case err != nil && !errors.Is(err, context.Canceled):
			r.log.Warn("leader work ended", "err", err)
		default:
			r.log.Info("this server does not lead any more")
		}
		if err := r.awaitLeadership(ctx, changes); err != nil {
			return err
		}
	}
}

// untilLost returns when leadership is lost, ctx ends or the work is done; the
// result of the work stays in done.
func (r *Raft) untilLost(ctx context.Context, since uint64, changes <-chan bool, done chan error) {
	for {
		select {
		case leads := <-changes:
			if !leads || r.raft.CurrentTerm() != since {
				return // also when it was lost and won again in between
			}
		case <-ctx.Done():
			return
		case err := <-done:
			done <- err
			r.pause(ctx)
			return
		}
	}
}

func (r *Raft) pause(ctx context.Context) {
	t := time.NewTimer(retryLead)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

func (r *Raft) awaitLeadership(ctx context.Context, changes <-chan bool) error {
	for !r.Leader() || r.isClosing() { // Raft is the leader's for a moment after it was told to end
		select {
		case <-changes:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return ctx.Err()
}

func (r *Raft) isClosing() bool {
	r.gate.RLock()
	defer r.gate.RUnlock()
	return r.closing
}
