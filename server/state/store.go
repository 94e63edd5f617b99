package state

import (
	"context"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/state/table"
)

// Store holds the state of a region. See the package comment.
type Store struct {
	store  *table.Store
	tables opaque // a *tables
}

// builtinIndex is the index of what exists in every cluster from the start.
const builtinIndex = 1

// New returns a store that holds what every cluster has from the start: the
// namespace "default", the node pools "all" and "default" and the scheduler's
// default configuration.
func New() *Store {
	s := newEmpty()
	tx := s.Begin(builtinIndex)
	tx.PutNamespace(&api.Namespace{Name: api.DefaultNamespace, Description: "Default shared namespace"})
	tx.PutNodePool(&api.NodePool{Name: api.NodePoolAll, Description: "Node pool with all nodes in the cluster."})
	tx.PutNodePool(&api.NodePool{Name: api.NodePoolDefault, Description: "Default node pool."})
	tx.PutSchedulerConfig(api.DefaultSchedulerConfiguration())
	tx.Commit()
	return s
}

func newEmpty() *Store {
	s := &Store{store: table.NewStore()}
	s.tables = newTables(s.store)
	return s
}

// View returns the latest committed view.
func (s *Store) View() *View { return s.view(s.store.View()) }

func (s *Store) view(v *table.View) *View {
	return &View{Reader: Reader{r: v, t: s.tables}, view: v, store: s}
}

// WaitIndex returns the latest view as soon as it includes the log entry with
// the index.
func (s *Store) WaitIndex(ctx context.Context, index uint64) (*View, error) {
	v, err := s.store.WaitIndex(ctx, index)
	if err != nil {
		return nil, err
	}
	return s.view(v), nil
}

// View is the whole state as of one log entry. It never changes.
type View struct {
	Reader
	view  *table.View
	store *Store
}

// Index returns the index of the last log entry in the view.
func (v *View) Index() uint64 { return v.view.Index() }

// Track returns a view of the same state that records what is read through it,
// and the record.
func (v *View) Track() (*View, *Tracker) {
	tv, tr := v.view.Track()
	return v.store.view(tv), tr
}

// Tracker is the record of what was read through a view. Index is the
// X-Nomad-Index to report; Wait returns when any of it has changed.
type Tracker = table.Tracker

// Change is one change to one row: Old and New hold the row's pointer type,
// for example *api.Job, or nil.
type Change = table.Change

// The kinds of change.
const (
	Insert = table.Insert
	Update = table.Update
	Delete = table.Delete
)

// ErrGap tells a subscriber that commits were missed: it starts again from the
// current view.
var ErrGap = table.ErrGap

// Commit is what one log entry changed, and the view after it.
type Commit struct {
	Index   uint64
	View    *View
	Changes []Change
}

// Subscription receives every commit after the view it started from.
type Subscription struct {
	sub   *table.Subscription
	store *Store
}

// Subscribe starts a subscription that holds up to capacity commits for a slow
// reader, and returns the view from which it continues without a gap. With
// tables named (the Table constants), only their changes are delivered.
func (s *Store) Subscribe(capacity int, tables ...string) (*View, *Subscription) {
	v, sub := s.store.Subscribe(capacity, tables...)
	return s.view(v), &Subscription{sub, s}
}

// Next returns the next commit, and ErrGap when commits were missed.
func (s *Subscription) Next(ctx context.Context) (Commit, error) {
	c, err := s.sub.Next(ctx)
	return s.wrap(c), err
}

// Try returns the next commit if there is one.
func (s *Subscription) Try() (Commit, bool, error) {
	c, ok, err := s.sub.Try()
	return s.wrap(c), ok, err
}

// Each calls f for every change of the commits that are there, in their order. The
// commit and the change hold until f returns. It returns ErrGap when commits were
// missed, as Try does.
func (s *Subscription) Each(f func(*Commit, *Change)) error {
	for {
		c, ok, err := s.Try()
		if err != nil || !ok {
			return err
		}
		for i := range c.Changes {
			f(&c, &c.Changes[i])
		}
	}
}

func (s *Subscription) wrap(c table.Commit) Commit {
	out := Commit{Index: c.Index, Changes: c.Changes}
	if c.View != nil {
		out.View = s.store.view(c.View)
	}
	return out
}

// Ready returns a channel that receives when Try may have something new.
func (s *Subscription) Ready() <-chan struct{} { return s.sub.Ready() }

// Close ends the subscription.
func (s *Subscription) Close() { s.sub.Close() }
