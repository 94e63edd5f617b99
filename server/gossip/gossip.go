package gossip

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
	"github.com/hashicorp/serf/serf"

	"github.com/seraihq/serai/api"
)

// Config is what Open needs.
type Config struct {
	// Self is what this server says of itself.
	Self Server

	// Host is the IP address to listen on, and Port the port for TCP and UDP; 0
	// takes a free one. Advertise is where others reach it, host or host:port;
	// empty: the same.
	Host      string
	Port      int
	Advertise string

	// Dir is where the known members and the keyring are kept; empty: nowhere.
	Dir string

	// Key encrypts, unless the keyring in Dir is there; both absent: nothing does.
	Key api.Sensitive

	// RejoinAfterLeave has a server that left go back to those that it knew.
	RejoinAfterLeave bool

	Logger *slog.Logger

	hasty bool // notices failures within a second, for tests
}

// Tuning for servers: a handful, and each matters.
const (
	pushPull     = 5 * time.Second // whole states are compared so often
	reclaim      = time.Second     // after it is dead, a name may have another address
	reconnect    = 5 * time.Second // between tries to reach those that failed
	refreshClock = time.Minute     // how old the clock of a living server is at most
	eventQueue   = 256             // beyond it serf waits
	keepRemoved  = 10 * time.Minute
	keepFailed   = 72 * time.Hour // then they are forgotten
)

// Gossip is this server's part in the gossip. It is safe for concurrent use.
type Gossip struct {
	cfg    Config
	log    *slog.Logger
	serf   *serf.Serf
	events chan serf.Event
	done   chan struct{}
	ended  sync.WaitGroup
	ring   *memberlist.Keyring
	admit  *admitter
	leave  func() error
	close  func() error

	sending sync.Mutex // orders what is said of this server
	mu      sync.Mutex
	self    Server             // guarded by mu
	changed chan struct{}      // guarded by mu; closed with the next change
	removed map[string]removal // guarded by mu; by ID
}

// Open begins to gossip. Nobody is joined yet, but those that are remembered
// are tried in the background.
func Open(cfg Config) (*Gossip, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	cfg.Self.Clock = time.Now()
	g := &Gossip{
		cfg: cfg, log: cfg.Logger.With("component", "gossip"), events: make(chan serf.Event, eventQueue),
		done: make(chan struct{}), self: cfg.Self, changed: make(chan struct{}), removed: map[string]removal{},
	}
	g.leave, g.close = sync.OnceValue(g.depart), sync.OnceValue(g.shutdown)
	g.admit = newAdmitter(g.current, g.log)
	conf, err := g.library()
	if err != nil {
		return nil, fmt.Errorf("open gossip: %w", err)
	}
	if g.serf, err = serf.Create(conf); err != nil {
		return nil, fmt.Errorf("open gossip on %s: %w", net.JoinHostPort(cfg.Host, strconv.Itoa(cfg.Port)), err)
	}
	g.mu.Lock()
	g.self.Gossip = g.Address()
	g.mu.Unlock()
	g.ended.Go(g.follow)
	return g, nil
}

// library makes the libraries' configuration.
func (g *Gossip) library() (*serf.Config, error) {
	m := memberlist.DefaultLANConfig()
	m.BindAddr, m.BindPort, m.AdvertisePort = g.cfg.Host, g.cfg.Port, g.cfg.Port
	if g.cfg.Advertise != "" {
		var err error
		if m.AdvertiseAddr, m.AdvertisePort, err = advertised(g.cfg.Advertise, g.cfg.Port); err != nil {
			return nil, err
		}
	}
	m.PushPullInterval, m.DeadNodeReclaimTime = pushPull, reclaim
	if g.cfg.hasty {
		m.PushPullInterval, m.DeadNodeReclaimTime = 200*time.Millisecond, time.Millisecond
		m.ProbeInterval, m.ProbeTimeout, m.GossipInterval = 100*time.Millisecond, 50*time.Millisecond, 20*time.Millisecond
	}
	m.Merge, m.Alive = g.admit, g.admit
	m.Logger = newBridge(g.log)
	c := serf.DefaultConfig()
	c.MemberlistConfig, c.Logger = m, m.Logger
	c.NodeName, c.Tags, c.EventCh = g.self.Name, g.self.tags(), g.events
	c.ReconnectInterval, c.ReconnectTimeout, c.TombstoneTimeout = reconnect, keepFailed, keepFailed
	if g.cfg.hasty {
		c.LeavePropagateDelay, c.ReconnectInterval = 50*time.Millisecond, 200*time.Millisecond
	}
	c.RejoinAfterLeave = g.cfg.RejoinAfterLeave
	c.EnableNameConflictResolution = false // it shuts one of the two down; admit refuses the newcomer instead
	c.DisableCoordinates = true
	path := ""
	if g.cfg.Dir != "" {
		if err := os.MkdirAll(g.cfg.Dir, 0o700); err != nil {
			return nil, err
		}
		c.SnapshotPath = filepath.Join(g.cfg.Dir, "members")
		path = filepath.Join(g.cfg.Dir, "keyring")
		c.KeyringFile = path
	}
	ring, configured, err := openKeyring(path, g.cfg.Key)
	if err != nil {
		return nil, err
	}
	if !configured {
		g.log.Warn("server.encrypt is not among the keys that the cluster uses, which are in the keyring file; the file holds", "file", path)
	}
	g.ring, m.Keyring = ring, ring
	return c, nil
}

// advertised reads host or host:port into what memberlist takes.
func advertised(text string, port int) (string, int, error) {
	host := text
	if h, p, err := net.SplitHostPort(text); err == nil {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil {
			return "", 0, api.Errorf(api.ErrInvalid, "advertise.serf = %q: the port is none", text)
		}
		host, port = h, int(n)
	}
	if net.ParseIP(host) != nil {
		return host, port, nil
	}
	ips, err := net.LookupIP(host)
	if err != nil || len(ips) == 0 {
		return "", 0, fmt.Errorf("advertise.serf = %q: %w", text, err)
	}
	return ips[0].String(), port, nil
}

func (g *Gossip) current() Server {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.self
}

// follow takes what serf tells until Close, and keeps the clock that the
// others see from growing old.
func (g *Gossip) follow() {
	tick := time.NewTicker(refreshClock)
	defer tick.Stop()
	for {
		select {
		case e := <-g.events:
			if m, ok := e.(serf.MemberEvent); ok {
				g.note(m)
			}
		case <-tick.C:
			g.ended.Go(func() {
				if err := g.say(func(*Server) {}); err != nil {
					g.log.Debug("the clock was not sent", "err", err)
				}
			})
		case <-g.done:
			return
		}
	}
}

// note takes a change of members.
func (g *Gossip) note(e serf.MemberEvent) {
	for _, m := range e.Members {
		s, err := seen(&m)
		if err != nil || e.Type == serf.EventMemberReap {
			g.admit.forget(m.Name)
			if err == nil {
				g.remove(s)
			}
			continue
		}
		g.admit.know(s)
		switch {
		case e.Type == serf.EventMemberUpdate, m.Name == g.cfg.Self.Name:
		case s.Status == Failed:
			g.log.Warn("server does not answer any more", "server", s.Name, "server_id", s.ID, "address", s.Gossip)
		default:
			g.log.Info("server "+map[Status]string{Alive: "joined", Leaving: "leaves", Left: "left"}[s.Status], "server", s.Name, "server_id", s.ID, "address", s.Gossip)
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.changed)
	g.changed = make(chan struct{})
}

// removal is a server that was forgotten, and when.
type removal struct {
	server *Server
	at     time.Time
}

// remove remembers for a while that a server was forgotten on purpose.
func (g *Gossip) remove(s *Server) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	for id, r := range g.removed {
		if now.Sub(r.at) > keepRemoved {
			delete(g.removed, id)
		}
	}
	s.Status = Left
	g.removed[s.ID] = removal{s, now}
}

// Removed lists the servers that were forgotten of late and are not back: pruned
// by a person, or failed for so long that nobody waits for them.
func (g *Gossip) Removed() []*Server {
	back := map[string]bool{}
	for _, s := range g.Servers() {
		back[s.ID] = true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []*Server
	for id, r := range g.removed {
		if !back[id] && time.Since(r.at) <= keepRemoved {
			out = append(out, r.server)
		}
	}
	return out
}

// Changed gives a channel that is closed with the next change of members.
func (g *Gossip) Changed() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.changed
}

// seen makes a Server of a member.
func seen(m *serf.Member) (*Server, error) {
	s, err := decode(m.Name, m.Tags)
	if err != nil {
		return nil, err
	}
	s.Status, s.Gossip = Status(m.Status.String()), net.JoinHostPort(m.Addr.String(), strconv.Itoa(int(m.Port)))
	return s, nil
}

// Servers lists the servers, this one among them, by name.
func (g *Gossip) Servers() []*Server {
	var out []*Server
	for _, m := range g.serf.Members() {
		if s, err := seen(&m); err == nil {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b *Server) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// Members lists the servers in the shape of the API, by name.
func (g *Gossip) Members() []*api.AgentMember {
	var out []*api.AgentMember
	for _, m := range g.serf.Members() {
		out = append(out, member(&m))
	}
	slices.SortFunc(out, func(a, b *api.AgentMember) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// Self is this server in the shape of the API.
func (g *Gossip) Self() *api.AgentMember {
	m := g.serf.LocalMember()
	return member(&m)
}

func member(m *serf.Member) *api.AgentMember {
	return &api.AgentMember{
		Name: m.Name, Addr: m.Addr.String(), Port: m.Port, Tags: m.Tags, Status: m.Status.String(),
		ProtocolMin: m.ProtocolMin, ProtocolMax: m.ProtocolMax, ProtocolCur: m.ProtocolCur,
		DelegateMin: m.DelegateMin, DelegateMax: m.DelegateMax, DelegateCur: m.DelegateCur,
	}
}

// Address is where others reach this server's gossip, host:port.
func (g *Gossip) Address() string {
	m := g.serf.LocalMember()
	return net.JoinHostPort(m.Addr.String(), strconv.Itoa(int(m.Port)))
}

// Encrypted says whether what is said is encrypted.
func (g *Gossip) Encrypted() bool { return g.ring != nil }

// SetCluster tells the others which cluster this server belongs to.
func (g *Gossip) SetCluster(id string) error {
	return g.say(func(s *Server) { s.Cluster = id })
}

// say changes what this server says of itself, and the time with it.
func (g *Gossip) say(change func(*Server)) error {
	g.sending.Lock()
	defer g.sending.Unlock()
	g.mu.Lock()
	change(&g.self)
	g.self.Clock = time.Now()
	tags := g.self.tags()
	g.mu.Unlock()
	if err := g.serf.SetTags(tags); err != nil {
		return fmt.Errorf("tell the other servers: %w", err)
	}
	return nil
}

// Join joins the servers at the addresses, each host or host:port; a host may
// stand for several. It returns how many were joined; the error, of kind
// api.ErrUnavailable, tells why none was.
func (g *Gossip) Join(addresses []string) (int, error) {
	if len(addresses) == 0 {
		return 0, api.Errorf(api.ErrInvalid, "no address to join is given")
	}
	list := make([]string, len(addresses))
	for i, a := range addresses {
		list[i] = WithPort(a)
	}
	if err := g.say(func(*Server) {}); err != nil {
		g.log.Debug("the clock was not sent", "err", err)
	}
	n, err := g.serf.Join(list, true)
	if n > 0 || err == nil {
		return n, nil
	}
	return 0, api.Errorf(api.ErrUnavailable, "%s", explain(err))
}

// WithPort gives an address the port that it does not have.
func WithPort(address string) string {
	if _, _, err := net.SplitHostPort(address); err == nil {
		return address
	}
	return net.JoinHostPort(strings.Trim(address, "[]"), strconv.Itoa(DefaultPort))
}

// explain says what the library's errors mean.
func explain(err error) string {
	text := strings.Join(strings.Fields(strings.ReplaceAll(err.Error(), "*", "")), " ")
	text = strings.TrimPrefix(text, "1 error occurred: ")
	lower := strings.ToLower(text)
	switch {
	case strings.Contains(lower, "encryption is not configured"):
		return text + "; the other side encrypts: give this server the cluster's key with server { encrypt }"
	case strings.Contains(lower, "not encrypted"):
		return text + "; the other side does not encrypt, or has another key: all servers need the same server { encrypt }"
	case strings.Contains(lower, "no installed keys could decrypt"), strings.HasSuffix(lower, "eof"), strings.Contains(lower, "connection reset"):
		return text + "; the keys differ, or the other side refused (its log tells): all servers need the same server { encrypt }"
	}
	return text
}

// ForceLeave declares a server that failed to have left; with prune it is
// forgotten as well. name is its name, with or without the region, or its ID.
func (g *Gossip) ForceLeave(name string, prune bool) error {
	var found *Server
	for _, s := range g.Servers() {
		if name == s.Name || name == s.ID || name == strings.TrimSuffix(s.Name, "."+s.Region) {
			found = s
			break
		}
	}
	switch {
	case found == nil:
		return api.Errorf(api.ErrNotFound, "no server %q is known; `serai server members` lists them", name)
	case found.Status == Alive:
		return api.Errorf(api.ErrConflict, "server %s is alive; stop its agent first (with leave_on_terminate it leaves by itself)", found.Name)
	}
	remove := g.serf.RemoveFailedNode
	if prune {
		remove = g.serf.RemoveFailedNodePrune
	}
	if err := remove(found.Name); err != nil {
		return fmt.Errorf("force server %s out: %w", found.Name, err)
	}
	return nil
}

// Leave tells the others that this server goes for good. It may be called once
// more, and before Close.
func (g *Gossip) Leave() error { return g.leave() }

func (g *Gossip) depart() error {
	if err := g.serf.Leave(); err != nil {
		return fmt.Errorf("leave the other servers: %w", err)
	}
	return nil
}

// Close ends it. Without Leave the others will take this server for failed.
func (g *Gossip) Close() error { return g.close() }

func (g *Gossip) shutdown() error {
	err := g.serf.Shutdown()
	close(g.done)
	g.ended.Wait()
	return err
}

// Run waits until ctx ends or serf does.
func (g *Gossip) Run(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-g.serf.ShutdownCh():
		return errors.New("gossip ended by itself")
	}
}
