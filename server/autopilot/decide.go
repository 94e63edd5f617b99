package autopilot

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/seraihq/serai/api"
)

// Verb is what a change does.
type Verb string

// Changes of the list of servers.
const (
	Add     Verb = "add"      // without a vote
	Move    Verb = "move"     // to another address; the vote stays as it is
	Promote Verb = "promote"  // gets a vote
	Demote  Verb = "demote"   // loses its vote
	Remove  Verb = "remove"   // is no server of the cluster any more
	Yield   Verb = "transfer" // this server has another one lead
)

// Change is a change of the list of servers.
type Change struct {
	Verb    Verb
	ID      string
	Name    string
	Address string
	Voter   bool // of Move
	Reason  string
}

// deadAfter is how long a server has failed before it is removed: gossip takes
// some seconds to be sure that it has, and a restart a few more.
const deadAfter = 10 * time.Second

// unseenAfter is that of a server which only Raft knows: a leader that has just
// been started has not heard from all others yet.
const unseenAfter = time.Minute

// Decide gives the next change to make; ok is false when all is as it should be.
// One change is made at a time, and the servers are looked at again before the
// next. Judge was called with the same observation before.
func Decide(o *Observation, m Memory) (Change, bool) {
	for _, rule := range []func(*Observation, Memory) (Change, bool){leave, move, replace, add, promote, demote, bury} {
		if c, ok := rule(o, m); ok {
			return c, true
		}
	}
	return Change{}, false
}

func change(v Verb, s *Server, format string, args ...any) (Change, bool) {
	return Change{Verb: v, ID: s.ID, Name: s.Name, Address: cmp.Or(s.Address, s.RaftAddress), Voter: s.Voter, Reason: fmt.Sprintf(format, args...)}, true
}

// proven says whether the server itself has answered, and as one that this
// cluster may have: what gossip says alone changes nothing. One that has a log and
// does not know yet of which cluster may be of another: it would lose its log.
func (o *Observation) proven(s *Server) bool {
	switch {
	case s.Leader:
		return true
	case s.Status != api.ServerAlive || s.Stats == nil || s.Stats.ID != s.ID:
		return false
	case s.Stats.Cluster == "":
		return s.Raft || !s.Stats.Bootstrapped
	}
	return s.Stats.Cluster == o.Cluster
}

// leave removes who left.
func leave(o *Observation, _ Memory) (Change, bool) {
	for i := range o.Servers {
		if s := &o.Servers[i]; s.Raft && !s.Leader && s.Status == api.ServerLeft {
			return change(Remove, s, "it left")
		}
	}
	return Change{}, false
}

// move follows servers to their new addresses.
func move(o *Observation, _ Memory) (Change, bool) {
	for i := range o.Servers {
		if s := &o.Servers[i]; s.Raft && o.proven(s) && s.Address != s.RaftAddress {
			return change(Move, s, "it was at %s", s.RaftAddress)
		}
	}
	return Change{}, false
}

// replace removes the server whose address another one has: it was started with an
// empty data directory, and what it was does not come back. Raft has no two servers
// at one address. The leader has all that was committed, so it is enough that those
// who remain are a majority among themselves: of two servers, one can be emptied.
func replace(o *Observation, m Memory) (Change, bool) {
	voters := o.voters()
	for i := range o.Servers {
		s := &o.Servers[i]
		if s.Raft || !o.proven(s) {
			continue
		}
		old := o.holds(s.Address)
		if old == nil || old.Leader || o.proven(old) || old.Voter && sound(voters, old.ID, m) < majority(len(voters)-1) {
			continue
		}
		return change(Remove, old, "its address is that of %s now", cmp.Or(s.Name, s.ID))
	}
	return Change{}, false
}

// holds finds the server that Raft has at an address.
func (o *Observation) holds(address string) *Server {
	for i := range o.Servers {
		if s := &o.Servers[i]; s.Raft && s.RaftAddress == address {
			return s
		}
	}
	return nil
}

// add takes in new servers, without a vote.
func add(o *Observation, _ Memory) (Change, bool) {
	for i := range o.Servers {
		if s := &o.Servers[i]; !s.Raft && o.proven(s) && o.holds(s.Address) == nil {
			return change(Add, s, "it joined")
		}
	}
	return Change{}, false
}

// promote gives a vote to who is stable and may have one.
func promote(o *Observation, m Memory) (Change, bool) {
	for i := range o.Servers {
		s := &o.Servers[i]
		l := m[s.ID]
		if !s.Raft || s.Voter || s.Nonvoter || !l.healthy || !o.proven(s) {
			continue
		}
		if o.Time.Sub(l.since) < o.Config.ServerStabilizationTime.Std() {
			continue
		}
		if v := o.zoneVoter(s, m); v != nil {
			continue // it stands by
		}
		return change(Promote, s, "it has been healthy since %s", l.since.UTC().Format(time.RFC3339))
	}
	return Change{}, false
}

// zoneVoter finds a voter of a server's zone that works; nil where zones do not
// matter.
func (o *Observation) zoneVoter(of *Server, m Memory) *Server {
	if !o.Config.EnableRedundancyZones || of.Zone == "" {
		return nil
	}
	for i := range o.Servers {
		s := &o.Servers[i]
		if s.ID != of.ID && s.Zone == of.Zone && s.Raft && s.Voter && m[s.ID].gone.IsZero() {
			return s
		}
	}
	return nil
}

// demote takes the vote of who shall not have one. This server has another one
// lead first.
func demote(o *Observation, m Memory) (Change, bool) {
	voters := o.voters()
	for i := range o.Servers {
		s := &o.Servers[i]
		if !s.Raft || !s.Voter {
			continue
		}
		reason := ""
		switch v := o.zoneVoter(s, m); {
		case s.Nonvoter:
			reason = "it is configured to have no vote"
		case v != nil && m[s.ID].gone.IsZero() && o.yields(s, v, m):
			reason = fmt.Sprintf("%s votes in its zone %q", cmp.Or(v.Name, v.ID), s.Zone)
		case v != nil && !m[s.ID].gone.IsZero():
			reason = fmt.Sprintf("it failed and %s votes in its zone %q", cmp.Or(v.Name, v.ID), s.Zone)
		}
		others := sound(voters, s.ID, m)
		if reason == "" || others < majority(len(voters)-1) || others == 0 {
			continue
		}
		if s.Leader {
			return change(Yield, s, "%s", reason)
		}
		return change(Demote, s, "%s", reason)
	}
	return Change{}, false
}

// yields says which of two voters of a zone gives its vote up: the leader never,
// else the one that has been stable for less long.
func (o *Observation) yields(s, other *Server, m Memory) bool {
	switch {
	case s.Leader || other.Leader:
		return other.Leader
	case !m[s.ID].since.Equal(m[other.ID].since):
		return m[s.ID].since.After(m[other.ID].since)
	}
	return s.ID > other.ID
}

// bury removes the dead, as long as enough of the living remain.
func bury(o *Observation, m Memory) (Change, bool) {
	if !o.Config.CleanupDeadServers {
		return Change{}, false
	}
	voters := o.voters()
	dead := slices.Clone(o.Servers)
	slices.SortFunc(dead, func(a, b Server) int { return m[a.ID].gone.Compare(m[b.ID].gone) })
	for i := range dead {
		s := &dead[i]
		gone := m[s.ID].gone
		if !s.Raft || s.Leader || gone.IsZero() || o.Time.Sub(gone) < graceOf(s) {
			continue
		}
		if s.Voter && (len(voters)-1 < int(o.Config.MinQuorum) || sound(voters, s.ID, m) < majority(len(voters))) {
			continue
		}
		return change(Remove, s, "it failed at %s", gone.UTC().Format(time.RFC3339))
	}
	return Change{}, false
}

func graceOf(s *Server) time.Duration {
	if s.Status == api.ServerUnknown {
		return unseenAfter
	}
	return deadAfter
}

func (o *Observation) voters() []*Server {
	var out []*Server
	for i := range o.Servers {
		if s := &o.Servers[i]; s.Raft && s.Voter {
			out = append(out, s)
		}
	}
	return out
}

// sound counts the voters that have not failed, without one of them.
func sound(voters []*Server, without string, m Memory) int {
	n := 0
	for _, v := range voters {
		if v.ID != without && m[v.ID].gone.IsZero() {
			n++
		}
	}
	return n
}
