package gossip

import (
	"bytes"
	"log/slog"
	"sync"
	"time"

	"github.com/hashicorp/go-msgpack/v2/codec"
	"github.com/hashicorp/memberlist"

	"github.com/seraihq/serai/api"
)

// maxSkew is how far apart the clocks of servers may be.
const maxSkew = 5 * time.Minute

// repeatAfter is how long the same refusal is not logged again.
const repeatAfter = time.Minute

// maxRefused bounds how many refusals are remembered.
const maxRefused = 256

// admitter decides who is admitted. Memberlist asks it for a whole list when
// two servers join each other, on both sides, and for each member that it hears
// of. It is called with memberlist's locks held, so it looks at what it was
// told before and calls nothing.
type admitter struct {
	self func() Server
	log  *slog.Logger

	mu      sync.Mutex
	known   map[string]*Server   // by name; guarded by mu
	refused map[string]time.Time // when it was logged, by text; guarded by mu
}

func newAdmitter(self func() Server, log *slog.Logger) *admitter {
	return &admitter{self: self, log: log, known: map[string]*Server{}, refused: map[string]time.Time{}}
}

func (a *admitter) know(s *Server) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.known[s.Name] = s
}

func (a *admitter) forget(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.known, name)
}

// NotifyMerge judges the members of a server that joins, or is joined.
func (a *admitter) NotifyMerge(peers []*memberlist.Node) error {
	var servers []*Server
	for _, p := range peers {
		if p.State == memberlist.StateDead || p.State == memberlist.StateLeft {
			continue
		}
		s, err := a.read(p)
		if err != nil {
			return err
		}
		servers = append(servers, s)
	}
	self := a.self()
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range servers {
		if err := a.judge(&self, s); err != nil {
			return a.refuse(s, err)
		}
	}
	newest := newestOf(servers)
	if newest == nil {
		return nil
	}
	return a.refuse(newest, clocks(newest, time.Now()))
}

// newestOf finds the server whose clock says most: one of them has only just
// sent its own.
func newestOf(servers []*Server) *Server {
	var newest *Server
	for _, s := range servers {
		if newest == nil || s.Clock.After(newest.Clock) {
			newest = s
		}
	}
	return newest
}

// NotifyAlive judges one member that is said to live.
func (a *admitter) NotifyAlive(peer *memberlist.Node) error {
	s, err := a.read(peer)
	if err != nil {
		return err
	}
	self := a.self()
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.judge(&self, s); err != nil {
		return a.refuse(s, err)
	}
	if k := a.known[s.Name]; k != nil && k.ID == s.ID && k.Status == Alive || s.ID == self.ID {
		return nil // it is in already: its clock is the operator's affair, and no reason to take it for dead
	}
	return a.refuse(s, clocks(s, time.Now()))
}

// judge says why a living server does not belong to this one.
func (a *admitter) judge(self, s *Server) error {
	if s.Region != self.Region {
		return api.Errorf(api.ErrDenied, "it is of region %q and this server of %q; regions are not joined with each other yet: servers of one cluster have one region", s.Region, self.Region)
	}
	if s.ProtocolMin > self.ProtocolMax || s.ProtocolMax < self.ProtocolMin {
		return api.Errorf(api.ErrDenied, "it speaks the protocol versions %d to %d and this server %d to %d; run builds that are closer to each other", s.ProtocolMin, s.ProtocolMax, self.ProtocolMin, self.ProtocolMax)
	}
	if err := a.sameCluster(self, s); err != nil {
		return err
	}
	if s.Name == self.Name && s.ID != self.ID && sameAddress(s, self) {
		return nil // it is what this server was before its data directory was emptied, and will be corrected
	}
	if s.Name == self.Name && s.ID != self.ID {
		return api.Errorf(api.ErrDenied, "it has the name of this server and another ID; give each agent a name of its own (name = \"…\")")
	}
	if s.Name != self.Name && s.ID == self.ID {
		return api.Errorf(api.ErrDenied, "it has the ID of this server and another name; was its data_dir copied? Empty one of the two")
	}
	for _, k := range a.known {
		if k.Status != Alive {
			continue
		}
		if k.Name == s.Name && k.ID != s.ID && sameAddress(s, k) {
			continue // it was emptied, and is back before anybody could miss it: it answers as what it was, which would live for ever
		}
		if k.Name == s.Name && k.ID != s.ID {
			return api.Errorf(api.ErrDenied, "its name belongs to the living server %s; give each agent a name of its own, or wait until that one is gone", k.ID)
		}
		if k.Name != s.Name && k.ID == s.ID {
			return api.Errorf(api.ErrDenied, "its ID belongs to the living server %s; was its data_dir copied? Empty one of the two", k.Name)
		}
	}
	return nil
}

// sameAddress says whether two servers are one process, or one after the other at
// the same place.
func sameAddress(a, b *Server) bool {
	return a.Address == b.Address && a.Gossip == b.Gossip && a.Gossip != ""
}

// sameCluster compares clusters, of this server or of those that it knows.
func (a *admitter) sameCluster(self, s *Server) error {
	if s.Cluster == "" || s.ID == self.ID {
		return nil
	}
	mine := self.Cluster
	for _, k := range a.known {
		if mine == "" && k.Status == Alive {
			mine = k.Cluster
		}
	}
	if mine != "" && mine != s.Cluster {
		return api.Errorf(api.ErrDenied, "it belongs to another cluster, %s, not to %s; a server changes its cluster by an empty data_dir", s.Cluster, mine)
	}
	return nil
}

// clocks compares what a server's clock said a moment ago with ours.
func clocks(s *Server, now time.Time) error {
	apart := now.Sub(s.Clock)
	if apart > maxSkew+refreshClock || apart < -maxSkew {
		return api.Errorf(api.ErrDenied, "its clock says %s and this server's %s; servers need clocks that agree within %s: set up NTP",
			s.Clock.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339), maxSkew)
	}
	return nil
}

// refuse logs why a server is refused, and gives the error for the library.
func (a *admitter) refuse(s *Server, why error) error {
	if why == nil {
		return nil
	}
	a.report(s.Name+why.Error(), "server refused", "server", s.Name, "server_id", s.ID, "address", s.Address, "reason", why)
	return api.Errorf(api.ErrDenied, "server %s is refused: %v", s, why)
}

// report logs once in a while. a.mu is held.
func (a *admitter) report(key, message string, args ...any) {
	now := time.Now()
	if now.Sub(a.refused[key]) < repeatAfter {
		return
	}
	if len(a.refused) >= maxRefused {
		clear(a.refused)
	}
	a.refused[key] = now
	a.log.Warn(message, args...)
}

// read decodes what a member says of itself.
func (a *admitter) read(n *memberlist.Node) (*Server, error) {
	tags, err := decodeMeta(n.Meta)
	var s *Server
	if err == nil {
		s, err = decode(n.Name, tags)
	}
	if err == nil {
		s.Gossip = n.Address()
		return s, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.report(n.Address()+err.Error(), "member refused", "name", n.Name, "address", n.Address(), "reason", err)
	return nil, api.Errorf(api.ErrDenied, "member %q at %s is refused: %v", n.Name, n.Address(), err)
}

// metaTags is the first byte of what serf sends as a member's tags: a map of
// MessagePack.
const metaTags = 255

func decodeMeta(meta []byte) (map[string]string, error) {
	if len(meta) > memberlist.MetaMaxSize || len(meta) == 0 || meta[0] != metaTags {
		return nil, api.Errorf(api.ErrInvalid, "it is no serai server")
	}
	tags := map[string]string{}
	if err := codec.NewDecoder(bytes.NewReader(meta[1:]), &codec.MsgpackHandle{}).Decode(&tags); err != nil {
		return nil, api.Errorf(api.ErrInvalid, "its tags cannot be read: %v", err)
	}
	return tags, nil
}
