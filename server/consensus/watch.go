package consensus

import (
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// State is what a server is at the moment: "Follower", "Candidate", "Leader" or
// "Shutdown".
func (r *Raft) State() string { return r.raft.State().String() }

// Leader says whether this server leads.
func (r *Raft) Leader() bool { return r.raft.State() == raft.Leader }

// LeaderAddress returns the address and ID of the server that leads, as far as
// this one knows; empty when nobody does.
func (r *Raft) LeaderAddress() (address, id string) {
	a, i := r.raft.LeaderWithID()
	return string(a), string(i)
}

// Stats are Raft's own figures, by name, as text.
func (r *Raft) Stats() map[string]string { return r.raft.Stats() }

// Term returns the current term.
func (r *Raft) Term() uint64 { return r.raft.CurrentTerm() }

// LastIndex returns the index of the last log entry.
func (r *Raft) LastIndex() uint64 { return r.raft.LastIndex() }

// AppliedIndex returns the index of the last log entry that was applied.
func (r *Raft) AppliedIndex() uint64 { return r.raft.AppliedIndex() }

// ReadIndex returns the index that another server's state has to get to before it
// holds all that this one's holds. It is that of the state, but where an operator
// has brought back one from before: then what others have must not pass for it, and
// no state will do that comes before the next command.
func (r *Raft) ReadIndex() uint64 { return max(r.fsm.Store().View().Index(), r.back.Load()) }

// CommitIndex returns the index of the last log entry that is known to be
// committed; 0 before this server has heard of one.
func (r *Raft) CommitIndex() uint64 { return r.raft.CommitIndex() }

// LastContact returns when this server last heard from the leader; now when it
// leads, and the zero time when it has heard from none since it was opened.
func (r *Raft) LastContact() time.Time {
	if r.Leader() {
		return time.Now()
	}
	return r.raft.LastContact()
}

// Watch gives a channel that receives when the leader, this server's state or
// the list of servers may have changed; several changes may come as one. stop
// ends it.
func (r *Raft) Watch() (changes <-chan struct{}, stop func()) { return r.changed.watch() }

// watchers are those that want to know of changes.
type watchers struct {
	mu   sync.Mutex
	list map[chan struct{}]struct{}
}

func (w *watchers) watch() (<-chan struct{}, func()) {
	ch := make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.list == nil {
		w.list = map[chan struct{}]struct{}{}
	}
	w.list[ch] = struct{}{}
	return ch, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.list, ch)
	}
}

func (w *watchers) tell() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for ch := range w.list {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}

// observe hands the library's observations to the watchers until the server
// closes.
func (r *Raft) observe(seen chan raft.Observation, o *raft.Observer) {
	defer close(r.observed)
	defer r.raft.DeregisterObserver(o)
	for {
		select {
		case <-seen:
			r.changed.tell()
		case <-r.closed:
			r.changed.tell()
			return
		}
	}
}

// ofInterest are the observations that Watch is for.
func ofInterest(o *raft.Observation) bool {
	switch o.Data.(type) {
	case raft.LeaderObservation, raft.PeerObservation, raft.RaftState:
		return true
	}
	return false
}

// Committed returns the index of the last command that is known to be committed;
// known is false before a leader has said what is. A store that has got there is
// as far as the cluster was when this server heard of it.
func (r *Raft) Committed() (index uint64, known bool) {
	index = r.raft.CommitIndex()
	if index == 0 {
		return 0, false
	}
	// What is no command leaves no trace in the store.
	first, err := r.stores.logs.FirstIndex()
	for ; err == nil && first > 0 && index >= first; index-- {
		var entry raft.Log
		if r.stores.logs.GetLog(index, &entry) == nil && entry.Type == raft.LogCommand {
			return index, true
		}
	}
	return 0, true // the snapshot before the log was restored when it was opened or installed
}
