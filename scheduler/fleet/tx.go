package fleet

import "github.com/seraihq/serai/scheduler/fit"

// Tx takes and gives back room while a plan is made. One at a time.
type Tx struct {
	f     *Fleet
	steps []step
}

type step struct {
	row     int32
	release bool
	usage   *fit.Usage
}

// Hold is the room of a plan on its way through the log.
type Hold struct{ steps []step }

// Begin starts a transaction.
func (f *Fleet) Begin() *Tx { return &Tx{f: f} }

// Take takes room on a row. The usage must not change any more.
func (tx *Tx) Take(row int32, u *fit.Usage) {
	tx.f.add(row, u)
	tx.steps = append(tx.steps, step{row, false, u})
}

// Release gives room back for as long as the transaction lasts: what an
// allocation uses is free for the one that replaces it, and for others only
// when its client has said that it is over.
func (tx *Tx) Release(row int32, u *fit.Usage) {
	tx.f.sub(row, u)
	tx.steps = append(tx.steps, step{row, true, u})
}

// Retake takes back what Release gave, for what was placed elsewhere.
func (tx *Tx) Retake(row int32, u *fit.Usage) {
	for i := len(tx.steps) - 1; i >= 0; i-- {
		if s := tx.steps[i]; s.release && s.row == row && s.usage == u {
			tx.revert(s)
			tx.steps = append(tx.steps[:i], tx.steps[i+1:]...)
			return
		}
	}
}

// Mark gives a point to go back to.
func (tx *Tx) Mark() int { return len(tx.steps) }

// Undo goes back to a point given by Mark.
func (tx *Tx) Undo(mark int) {
	for i := len(tx.steps) - 1; i >= mark; i-- {
		tx.revert(tx.steps[i])
	}
	tx.steps = tx.steps[:mark]
}

// Rollback undoes all that the transaction did.
func (tx *Tx) Rollback() { tx.Undo(0) }

// Commit keeps what was taken and takes back what was released.
func (tx *Tx) Commit() *Hold {
	kept := tx.steps[:0]
	for _, s := range tx.steps {
		if s.release {
			tx.revert(s)
		} else {
			kept = append(kept, s)
		}
	}
	tx.steps = nil
	return &Hold{steps: kept}
}

func (tx *Tx) revert(s step) {
	if s.release {
		tx.f.add(s.row, s.usage)
	} else {
		tx.f.sub(s.row, s.usage)
	}
}

// Drop gives back the room that a hold keeps. Each hold is dropped once; nil
// is allowed.
func (f *Fleet) Drop(h *Hold) {
	if h == nil {
		return
	}
	for _, s := range h.steps {
		f.sub(s.row, s.usage)
		f.recycle(s.row)
	}
	h.steps = nil
}
