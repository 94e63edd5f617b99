package fsm

import (
	"errors"
	"fmt"

	"github.com/seraihq/serai/server/state"
)

// FSM applies log entries to a store, one at a time.
type FSM struct {
	store *state.Store
}

// New returns an FSM that writes to the store. Nobody else may.
func New(store *state.Store) *FSM { return &FSM{store: store} }

// Store returns the store.
func (f *FSM) Store() *state.Store { return f.store }

// Apply applies the log entry with the index. The result is what the command's
// type says. An error of kind ErrFatal means that the entry could not be
// applied and the server must stop; any other error is the refusal of the
// command, which has changed nothing.
func (f *FSM) Apply(index uint64, entry []byte) (any, error) {
	c, err := Decode(entry)
	if err != nil {
		return nil, fmt.Errorf("log entry %d: %w", index, err)
	}
	tx := f.store.Begin(index)
	result, err := c.apply(tx)
	if err != nil {
		tx.Abort()
		f.Skip(index)
		return nil, err
	}
	tx.Commit()
	return result, nil
}

// Skip moves the store past a log entry that holds no command.
func (f *FSM) Skip(index uint64) { f.store.Begin(index).Commit() }

// Fatal says whether an error of Apply means that the server must stop.
func Fatal(err error) bool { return errors.Is(err, ErrFatal) }
