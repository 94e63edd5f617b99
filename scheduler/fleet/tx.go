package fleet

import (
	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/fit"
)

// Tx takes and gives back room while a plan is made. One at a time.
type Tx struct {
	f     *Fleet
	steps []step
}

type step struct {
	row     int32
	release bool
	keep    bool // taken only while the transaction lasts
	usage   *fit.Usage
	doomed  string // the allocation that is preempted
	safe    string // the allocation that must not be
	heir    string // the allocation whose room is inherited
}

// Hold is the room of a plan on its way through the log.
type Hold struct{ steps []step }

// Begin starts a transaction.
func (f *Fleet) Begin() *Tx { return &Tx{f: f} }

// Take takes room on a row. The usage must not change any more.
func (tx *Tx) Take(row int32, u *fit.Usage) {
	tx.f.add(row, u)
	tx.steps = append(tx.steps, step{row: row, usage: u})
}

// Release gives room back for as long as the transaction lasts: what an
// allocation uses is free for the one that replaces it, and for others only
// when its client has said that it is over.
func (tx *Tx) Release(row int32, u *fit.Usage) {
	tx.f.sub(row, u)
	tx.steps = append(tx.steps, step{row: row, release: true, usage: u})
}

// Keep takes room for as long as the transaction lasts: a predecessor's, which
// has it in any case when the transaction is over.
func (tx *Tx) Keep(row int32, u *fit.Usage) {
	tx.f.add(row, u)
	tx.steps = append(tx.steps, step{row: row, usage: u, keep: true})
}

// Inherit notes that the room of an allocation goes to the one that replaces it:
// nobody else waits for it, or preempts it, while the transaction lasts.
func (tx *Tx) Inherit(row int32, a *api.Allocation) {
	if tx.f.heirs[a.ID] {
		return
	}
	tx.f.heirs[a.ID] = true
	tx.f.changed(row)
	tx.steps = append(tx.steps, step{row: row, heir: a.ID})
}

// Doom notes that an allocation is preempted: nobody else preempts it until the
// plan is over. Its room stays taken.
func (tx *Tx) Doom(row int32, a *api.Allocation) {
	tx.f.doomed[a.ID] = true
	tx.f.changed(row)
	tx.steps = append(tx.steps, step{row: row, doomed: a.ID})
}

// Protect keeps an allocation from being preempted for as long as the
// transaction lasts.
func (tx *Tx) Protect(row int32, a *api.Allocation) {
	tx.f.safe[a.ID] = true
	tx.f.changed(row)
	tx.steps = append(tx.steps, step{row: row, safe: a.ID})
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
		if s.release || s.keep || s.safe != "" || s.heir != "" {
			tx.revert(s)
		} else {
			kept = append(kept, s)
		}
	}
	tx.steps = nil
	return &Hold{steps: kept}
}

func (tx *Tx) revert(s step) {
	switch {
	case s.safe != "":
		delete(tx.f.safe, s.safe)
		tx.f.changed(s.row)
	case s.doomed != "":
		delete(tx.f.doomed, s.doomed)
		tx.f.changed(s.row)
	case s.heir != "":
		delete(tx.f.heirs, s.heir)
		tx.f.changed(s.row)
	case s.release:
		tx.f.add(s.row, s.usage)
	default:
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
		if s.doomed != "" {
			delete(f.doomed, s.doomed)
			f.changed(s.row)
			continue
		}
		f.sub(s.row, s.usage)
		f.recycle(s.row)
	}
	h.steps = nil
}
