package autopilot

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/seraihq/serai/api"
)

// Server is what was observed of one server.
type Server struct {
	ID      string
	Name    string // as people know it; empty: only Raft knows it
	Build   string
	Address string // of its RPC listener as it says, host:port
	Status  string // as gossip sees it; api.ServerUnknown where it sees none

	Nonvoter bool   // never wants a vote
	Zone     string // redundancy zone; empty: none

	Raft        bool   // Raft has it
	RaftAddress string // where Raft finds it
	Voter       bool   // it has a vote
	Leader      bool   // it is this server

	// Stats is what it answered when it was asked; nil: nothing.
	Stats *api.ServerStatus
}

// Observation is what the leader sees at a time.
type Observation struct {
	Time      time.Time
	Config    *api.AutopilotConfiguration
	Cluster   string // ID
	Term      uint64
	LastIndex uint64
	Servers   []Server
}

// life is what is remembered of a server between observations.
type life struct {
	healthy bool
	since   time.Time // when healthy last changed
	gone    time.Time // since when it has failed; zero: it has not
}

// Memory is what a leader remembers of the servers, by ID.
type Memory map[string]life

// leader finds the server that leads.
func (o *Observation) leader() *Server {
	for i := range o.Servers {
		if o.Servers[i].Leader {
			return &o.Servers[i]
		}
	}
	return &Server{}
}

// healthy judges a server by what it answered.
func (o *Observation) healthy(s *Server) bool {
	switch {
	case s.Leader:
		return true
	case s.Status != api.ServerAlive || s.Stats == nil || s.Stats.ID != s.ID:
		return false
	case s.Stats.LastContact < 0 || s.Stats.LastContact > o.Config.LastContactThreshold:
		return false
	case s.Stats.LastTerm != o.Term:
		return false
	}
	return s.Stats.LastIndex+o.Config.MaxTrailingLogs >= o.LastIndex
}

// Judge takes an observation into the memory and reports.
func Judge(o *Observation, m Memory) *api.AutopilotHealth {
	known := map[string]bool{}
	for i := range o.Servers {
		s := &o.Servers[i]
		known[s.ID] = true
		l, seen := m[s.ID]
		if h := o.healthy(s); !seen || h != l.healthy {
			l.healthy, l.since = h, o.Time
		}
		switch {
		case s.Leader || s.Status == api.ServerAlive:
			l.gone = time.Time{}
		case l.gone.IsZero():
			l.gone = o.Time
		}
		m[s.ID] = l
	}
	maps.DeleteFunc(m, func(id string, _ life) bool { return !known[id] })
	return report(o, m)
}

func report(o *Observation, m Memory) *api.AutopilotHealth {
	h := &api.AutopilotHealth{Healthy: true, Voters: []string{}}
	voters, sound := 0, 0
	for i := range o.Servers {
		s := &o.Servers[i]
		if !s.Raft {
			continue
		}
		l := m[s.ID]
		h.Healthy = h.Healthy && l.healthy
		h.Servers = append(h.Servers, health(o, s, l))
		switch {
		case s.Voter:
			voters++
			h.Voters = append(h.Voters, s.ID)
			if l.healthy {
				sound++
			}
		case s.Nonvoter:
			h.ReadReplicas = append(h.ReadReplicas, s.ID)
		}
		if s.Leader {
			h.Leader = s.ID
		}
	}
	h.FailureTolerance = max(0, sound-majority(voters))
	h.OptimisticFailureTolerance = h.FailureTolerance
	if o.Config.EnableRedundancyZones {
		h.RedundancyZones = zones(o, m)
		for _, z := range h.RedundancyZones {
			h.OptimisticFailureTolerance += z.FailureTolerance
		}
	}
	slices.SortFunc(h.Servers, func(a, b *api.ServerHealth) int { return cmp.Compare(a.Name+a.ID, b.Name+b.ID) })
	return h
}

func health(o *Observation, s *Server, l life) *api.ServerHealth {
	x := &api.ServerHealth{
		ID: s.ID, Name: s.Name, Address: cmp.Or(s.Address, s.RaftAddress), SerfStatus: s.Status, Version: s.Build,
		Leader: s.Leader, Healthy: l.healthy, Voter: s.Voter, StableSince: l.since.UTC(),
	}
	switch {
	case s.Leader:
		x.LastTerm, x.LastIndex = o.Term, o.LastIndex
	case s.Stats != nil:
		x.LastTerm, x.LastIndex, x.LastContact = s.Stats.LastTerm, s.Stats.LastIndex, max(0, s.Stats.LastContact)
	}
	return x
}

// zones reports the redundancy zones. As many of a zone may fail, one after the
// other, as stand by in it.
func zones(o *Observation, m Memory) map[string]*api.AutopilotZone {
	out := map[string]*api.AutopilotZone{}
	for i := range o.Servers {
		s := &o.Servers[i]
		if !s.Raft || s.Zone == "" || s.Nonvoter {
			continue
		}
		z := out[s.Zone]
		if z == nil {
			z = &api.AutopilotZone{Voters: []string{}}
			out[s.Zone] = z
		}
		z.Servers = append(z.Servers, s.ID)
		if s.Voter {
			z.Voters = append(z.Voters, s.ID)
		} else if m[s.ID].healthy {
			z.FailureTolerance++
		}
	}
	return out
}

// majority is how many of the voters must agree.
func majority(voters int) int { return voters/2 + 1 }
