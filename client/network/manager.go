package network

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seraihq/serai/drivers"
)

// undoDeadline is how long what must be undone may take.
const undoDeadline = 30 * time.Second

// Manager makes, keeps and removes the pods of a node.
type Manager struct {
	set    *settings
	logger *slog.Logger
	tables *translator
	bridge turn       // held while the bridge is made or removed
	lock   *ownership // of whoever has the bridge's turn

	trouble string // that Reconcile has told

	mu   sync.Mutex // guards the fields below
	pods map[string]*pod
	v4   *pool
	v6   *pool // nil: no IPv6
	used bool  // the bridge and the tables are there, or should be
	// stale is what the kernel must forget; wake says that there is something.
	stale forgotten
	wake  chan struct{}
}

// pod is one allocation's network.
type pod struct {
	turn turn // one at a time works on it

	// Guarded by the Manager's mu. Records are never changed, but replaced.
	record *Record
	routed bool // it is to be in the tables
	gone   bool // removed; who waited for its turn begins anew

	// Of whoever has the turn.
	ports *reservation
	lost  []netip.Addr // that the configuration took from it
}

// Request is what an allocation asks for.
type Request struct {
	AllocID  string
	Mode     string // bridge, none or cni/NAME
	Hostname string
	Ports    []Port
	CNIArgs  map[string]string
	// Driver names the driver that makes the namespace; empty: it is made here.
	Driver string
}

// Pod is what stands.
type Pod struct {
	Namespace   *drivers.NetworkIsolation
	Interface   string
	Address     netip.Addr
	AddressIPv6 netip.Addr
	DNS         *drivers.DNS // what plugins said
	// Lost are addresses that the pod had under an earlier agent, with another
	// configuration. They are told once.
	Lost []netip.Addr
}

// New reads what is kept of an earlier agent and makes nothing.
func New(cfg Config) (*Manager, error) {
	set, err := cfg.settings()
	if err != nil {
		return nil, err
	}
	m := &Manager{
		set: set, logger: cfg.Logger.With("component", "network"), bridge: newTurn(),
		pods: map[string]*pod{}, v4: newPool(set.subnet, set.gateway), stale: newForgotten(), wake: make(chan struct{}, 1),
	}
	if set.subnetV6.IsValid() {
		m.v6 = newPool(set.subnetV6, set.gateway6)
	}
	m.tables = newTranslator(m.desired)
	return m, m.load()
}

// load takes up the records. One that cannot be read is kept for its removal
// alone; one whose addresses this configuration cannot give gets others when its
// allocation is taken up, in the namespace that its tasks are in.
func (m *Manager) load() error {
	saved, err := m.set.Store.Networks()
	if err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(saved)) {
		r := &Record{}
		if err := json.Unmarshal(saved[id], r); err != nil || r.AllocID != id {
			m.logger.Warn("the record of a network cannot be read: the network is made anew", "alloc_id", id, "err", err)
			r = &Record{AllocID: id, Mode: ModeBridge}
		}
		p := &pod{turn: newTurn(), record: r}
		if r.bridged() {
			p.record, p.lost = m.claim(r)
		}
		p.routed = m.stands(p.record)
		m.used = m.used || p.routed
		m.pods[id] = p
	}
	return nil
}

// stands says whether a pod is one that an earlier agent had made: the machine
// was not started anew since.
func (m *Manager) stands(r *Record) bool {
	if r.bridged() && !r.Address.IsValid() {
		return false
	}
	inode, there := m.namespaceOf(r).inode()
	return there && inode == r.Inode
}

// claim notes the addresses of a record, and leaves out those that are not of
// the bridge's subnets any more.
func (m *Manager) claim(r *Record) (out *Record, lost []netip.Addr) {
	out = r.clone()
	if !r.Address.Is4() || !m.v4.claim(r.Address, r.AllocID) {
		out.Address = netip.Addr{}
	}
	if m.v6 == nil || !r.AddressIPv6.Is6() || !m.v6.claim(r.AddressIPv6, r.AllocID) {
		out.AddressIPv6 = netip.Addr{}
	}
	for _, pair := range [][2]netip.Addr{{r.Address, out.Address}, {r.AddressIPv6, out.AddressIPv6}} {
		if pair[0] != pair[1] {
			m.logger.Warn("an address of an allocation is not of the bridge's subnet any more: it is given up", "alloc_id", r.AllocID, "address", pair[0])
			lost = append(lost, pair[0])
		}
	}
	return out, lost
}

// hold gives an allocation's pod, made when there is none, with its turn.
func (m *Manager) hold(ctx context.Context, allocID string) (*pod, error) {
	for {
		m.mu.Lock()
		p := m.pods[allocID]
		if p == nil {
			p = &pod{turn: newTurn()}
			m.pods[allocID] = p
		}
		m.mu.Unlock()
		if err := p.turn.take(ctx); err != nil {
			return nil, err
		}
		m.mu.Lock()
		gone := p.gone
		m.mu.Unlock()
		if !gone {
			return p, nil
		}
		p.turn.give()
	}
}

// Up gives an allocation its network, or mends the one that it has. After an
// error nothing of it is left.
func (m *Manager) Up(ctx context.Context, req Request) (Pod, error) {
	p, err := m.hold(ctx, req.AllocID)
	if err != nil {
		return Pod{}, err
	}
	defer p.turn.give()
	if err := m.admit(ctx, p, req); err != nil {
		return Pod{}, errors.Join(err, m.undo(ctx, p))
	}
	m.at("recorded")
	out, err := m.build(ctx, p)
	if err != nil {
		return Pod{}, errors.Join(err, m.undo(ctx, p))
	}
	out.Lost, p.lost = p.lost, nil
	return out, nil
}

// undo removes a pod that could not be made.
func (m *Manager) undo(ctx context.Context, p *pod) error {
	ctx, cancel := finish(ctx)
	defer cancel()
	return m.remove(ctx, p)
}

// Stand mends the network of an allocation before a task is started in it.
func (m *Manager) Stand(ctx context.Context, allocID string) (Pod, error) {
	p, err := m.hold(ctx, allocID)
	if err != nil {
		return Pod{}, err
	}
	defer p.turn.give()
	if m.record(p) == nil {
		m.forget(p)
		return Pod{}, fmt.Errorf("allocation %s has no network", allocID)
	}
	return m.build(ctx, p)
}

// Down removes an allocation's network; it is not an error when there is none.
func (m *Manager) Down(ctx context.Context, allocID string) error {
	p, err := m.hold(ctx, allocID)
	if err != nil {
		return err
	}
	defer p.turn.give()
	return m.remove(ctx, p)
}

func (m *Manager) record(p *pod) *Record {
	m.mu.Lock()
	defer m.mu.Unlock()
	return p.record
}

// keep writes a record and takes it up.
func (m *Manager) keep(p *pod, r *Record) error {
	if err := m.set.Store.PutNetwork(r.AllocID, r); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	p.record = r
	return nil
}

// route says whether the pod is to be in the tables.
func (m *Manager) route(p *pod, on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p.routed = on
	m.used = m.used || on
}

// admit gives the pod its record, unless it has a good one.
func (m *Manager) admit(ctx context.Context, p *pod, req Request) error {
	if err := check(req, m.v6 != nil); err != nil {
		return err
	}
	old := m.record(p)
	if old != nil && old.Mode == req.Mode && old.Driver == req.Driver {
		return m.readmit(p, old, req)
	}
	if old != nil {
		if err := m.dismantle(ctx, p, old); err != nil {
			return err
		}
	}
	r := &Record{AllocID: req.AllocID, Mode: req.Mode, Hostname: req.Hostname, Ports: req.Ports, Driver: req.Driver}
	if strings.HasPrefix(req.Mode, modeCNI) {
		r.CNI = &CNI{Args: req.CNIArgs}
	}
	if err := m.address(r); err != nil {
		return err
	}
	return m.keep(p, r)
}

// readmit brings a record up to date. Tasks may be in its namespace, which stays:
// what is missing of its addresses is added.
func (m *Manager) readmit(p *pod, old *Record, req Request) error {
	r := old.clone()
	r.Hostname, r.Ports = req.Hostname, req.Ports
	if err := m.address(r); err != nil {
		return err
	}
	same := slices.Equal(old.Ports, r.Ports)
	if same && old.Hostname == r.Hostname && old.Address == r.Address && old.AddressIPv6 == r.AddressIPv6 {
		return nil
	}
	if !same {
		p.ports.release()
		p.ports = nil
	}
	return m.keep(p, r)
}

// address takes the addresses that a record lacks.
func (m *Manager) address(r *Record) error {
	if !r.bridged() {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, p := range m.pods {
		if p.record != nil && id != r.AllocID && p.record.bridged() && p.record.link() == r.link() {
			return fmt.Errorf("allocations %s and %s would have devices of one name (%s): try another", id, r.AllocID, r.link())
		}
	}
	var err error
	if !r.Address.IsValid() {
		if r.Address, err = m.v4.take(r.AllocID); err != nil {
			return err
		}
	}
	if m.v6 != nil && !r.AddressIPv6.IsValid() {
		if r.AddressIPv6, err = m.v6.take(r.AllocID); err != nil {
			m.v4.free(r.Address, r.AllocID)
		}
	}
	return err
}

// check says what of a request cannot be had here.
func check(req Request, v6 bool) error {
	if !OwnNamespace(req.Mode) {
		return fmt.Errorf("network mode %q has no namespace", req.Mode)
	}
	for _, p := range req.Ports {
		switch {
		case !p.HostIP.IsValid():
			return fmt.Errorf("port %q: its host network has no address on this node", p.Label)
		case req.Mode != ModeBridge:
		case p.HostIP.Is6() && !v6:
			return fmt.Errorf("port %q is on %s, and pods have no IPv6 here: give the bridge an IPv6 network (client.bridge_network_subnet_ipv6), or let the port be on a host_network with an IPv4 address", p.Label, p.HostIP)
		case p.HostIP.Is6() && p.HostIP.IsLoopback():
			return fmt.Errorf("port %q is on %s, from where the kernel lets nothing go to a pod: let it be on 127.0.0.1, or on a host_network", p.Label, p.HostIP)
		}
	}
	return nil
}

// desired is what the tables should hold.
func (m *Manager) desired() (desired, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d := desired{bridge: m.set.Bridge, subnet: m.set.subnet, subnetV6: m.set.subnetV6, blocked: m.set.blocked}
	for _, id := range slices.Sorted(maps.Keys(m.pods)) {
		p := m.pods[id]
		switch {
		case !p.routed || p.record == nil:
		case p.record.bridged():
			d.pods = append(d.pods, p.record)
		case p.record.CNI != nil:
			d.elsewhere = append(d.elsewhere, p.record)
		}
	}
	return d, m.used
}
