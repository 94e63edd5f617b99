package fsm

import (
	"context"
	"sync"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/state"
)

// StateMark is a place in the log at which servers compare their states. It
// changes nothing. No result.
type StateMark struct {
	ID string
}

func (c *StateMark) apply(*state.Tx) (any, error) { return nil, nil }

// marks holds the state as of the newest StateMark until somebody has asked for
// its hashes, or a while has passed: a view costs nothing at first, and more and
// more as the state moves on.
type marks struct {
	mu      sync.Mutex
	index   uint64 // 0: there was none yet
	view    *state.View
	hashes  []state.TableHash // once they are known; view is nil then
	changed chan struct{}     // closed with the next mark
}

// keepMark is how long a view waits for somebody who asks for its hashes.
const keepMark = time.Minute

func (m *marks) set(index uint64, v *state.View) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.index, m.view, m.hashes = index, v, nil
	time.AfterFunc(keepMark, func() { m.know(index, nil) })
	if m.changed != nil {
		close(m.changed)
		m.changed = nil
	}
}

// at gives the view or the hashes of a mark; with neither, what ends when there
// is another one.
func (m *marks) at(index uint64) (v *state.View, hashes []state.TableHash, later <-chan struct{}, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.index == index:
		return m.view, m.hashes, nil, nil
	case m.index > index:
		return nil, nil, nil, api.Errorf(api.ErrConflict, "the state of index %d is gone: somebody compares that of %d; try again", index, m.index)
	}
	if m.changed == nil {
		m.changed = make(chan struct{})
	}
	return nil, nil, m.changed, nil
}

func (m *marks) know(index uint64, hashes []state.TableHash) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.index == index {
		m.view, m.hashes = nil, hashes
	}
}

// HashesAt gives the hash of every table as of the StateMark in the log entry with
// the index, as soon as it is applied.
func (f *FSM) HashesAt(ctx context.Context, index uint64) ([]state.TableHash, error) {
	for {
		v, hashes, later, err := f.marks.at(index)
		switch {
		case err != nil:
			return nil, err
		case hashes != nil:
			return hashes, nil
		case later == nil && v == nil:
			return nil, api.Errorf(api.ErrConflict, "the state of index %d is gone: nobody asked for it in time; try again", index)
		case v != nil:
			if hashes, err = v.TableHashes(); err == nil {
				f.marks.know(index, hashes)
			}
			return hashes, err
		}
		select {
		case <-later:
		case <-ctx.Done():
			return nil, api.Errorf(api.ErrUnavailable, "log entry %d is not applied here yet: this server is behind", index)
		}
	}
}
