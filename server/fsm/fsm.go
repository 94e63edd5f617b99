package fsm

import (
	"errors"
	"fmt"

	"github.com/seraihq/serai/server/state"
)

// FSM applies log entries to a store, one after the other.
type FSM struct {
	store *state.Store
	marks marks
}

// New returns an FSM that writes to the store. Nobody else may.
func New(store *state.Store) *FSM { return &FSM{store: store} }

// Store returns the store.
func (f *FSM) Store() *state.Store { return f.store }

// Entry is a command in the log.
type Entry struct {
	Index uint64
	Data  []byte
}

// Outcome is what became of an entry: what the command's type says, or an error.
// One of kind ErrFatal means that the entry could not be applied and the server
// must stop; any other is the refusal of the command, which has changed nothing.
type Outcome struct {
	Result any
	Err    error
}

// maxChanges is how many rows a transaction may have changed when it goes on with
// a further entry: what is placed should not wait long for other plans.
const maxChanges = 2048

// Apply applies one log entry.
func (f *FSM) Apply(index uint64, data []byte) (any, error) {
	out := f.ApplyBatch([]Entry{{index, data}})
	return out[0].Result, out[0].Err
}

// ApplyBatch applies log entries, in ascending order. How they are cut into
// batches makes no difference to what comes out. Nothing is applied after one
// that fails with ErrFatal; those have its error too.
func (f *FSM) ApplyBatch(entries []Entry) []Outcome {
	out := make([]Outcome, len(entries))
	for n := 0; n < len(entries); {
		n += f.run(entries[n:], out[n:])
	}
	return out
}

// run applies as many entries as go into one transaction, and returns how many.
func (f *FSM) run(entries []Entry, out []Outcome) int {
	var tx *state.Tx
	for i, e := range entries {
		c, err := Decode(e.Data)
		if err != nil {
			if tx != nil {
				tx.Commit()
			}
			for ; i < len(entries); i++ {
				out[i].Err = fmt.Errorf("log entry %d: %w", e.Index, err)
			}
			return len(entries)
		}
		if tx == nil {
			tx = f.store.Begin(e.Index)
		} else {
			tx.Next(e.Index)
		}
		out[i].Result, out[i].Err = c.apply(tx)
		if out[i].Err != nil {
			out[i].Result = nil
			if !tx.Forget() {
				tx.Abort()
				return f.without(i, entries, out)
			}
		}
		if _, is := c.(*StateMark); is {
			tx.Commit()
			f.marks.set(e.Index, f.store.View())
			return i + 1
		}
		if tx.Size() >= maxChanges {
			tx.Commit()
			return i + 1
		}
	}
	tx.Commit()
	return len(entries)
}

// without applies the entries before one that was refused half-way, once more
// and without it, for the transaction of all of them was given up.
func (f *FSM) without(refused int, entries []Entry, out []Outcome) int {
	if refused > 0 {
		return f.run(entries[:refused], out)
	}
	f.store.Begin(entries[0].Index).Commit()
	return 1
}

// Fatal says whether an error means that the server must stop.
func Fatal(err error) bool { return errors.Is(err, ErrFatal) }
