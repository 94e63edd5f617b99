package alloc

import (
	"context"

	"github.com/seraihq/serai/client/steps"
)

// undoing is how far the allocation's own steps have been taken down.
type undoing int

const (
	standing undoing = iota
	undoingNow
	done
)

// undone says whether nothing stands any more of what the allocation's own steps
// have put up, and begins to take it down when all tasks have ended. advance is
// called again when that is done. The allocation is over only then: its ports
// and addresses are free for others.
func (r *Runner) undone() bool {
	if !r.ready {
		if r.giveUp != nil {
			r.giveUp() // nobody needs it any more
			return false
		}
		return true // it never ran: no loop has put anything up
	}
	if r.undo == standing {
		r.undo = undoingNow
		in := r.in()
		r.work.Go(func() {
			err := r.seq.Down(r.ctx, &in)
			results := r.seq.Results()
			r.box.Put(func() { r.undoDone(results, err) })
		})
	}
	return r.undo == done
}

func (r *Runner) undoDone(results map[string]steps.Result, err error) {
	if err != nil {
		// Who made it looks after it, and tries again.
		r.logger.Warn("what the allocation had is not all removed yet", "err", err)
	}
	r.rec.SetUp, r.undo = results, done
	r.advance(true)
}

// stand looks after the allocation's network before one of its tasks is started.
func (r *Runner) stand(ctx context.Context) error {
	if r.net == nil {
		return nil
	}
	return r.net.Stand(ctx, r.id)
}
