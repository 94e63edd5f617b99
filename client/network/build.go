package network

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/seraihq/serai/drivers"
)

// own is where a namespace of ours lies.
func (m *Manager) own(allocID string) namespace {
	return namespace{path: filepath.Join(m.set.Dir, "netns", allocID)}
}

// namespaceOf is where the pod's namespace lies, by its record.
func (m *Manager) namespaceOf(r *Record) namespace {
	if r.Driver != "" {
		if r.Spec == nil {
			return namespace{}
		}
		return namespace{path: r.Spec.Path}
	}
	return m.own(r.AllocID)
}

// build makes what of a pod is not there, and gives what stands. It can be
// called at any time, by whoever has the pod's turn.
func (m *Manager) build(ctx context.Context, p *pod) (Pod, error) {
	if os.Geteuid() != 0 {
		return Pod{}, errors.New("a network of its own needs an agent that runs as root")
	}
	r, fresh, err := m.ensureNamespace(ctx, p, m.record(p))
	if err != nil {
		return Pod{}, err
	}
	m.at("namespace")
	ns := m.namespaceOf(r)
	switch {
	case r.bridged():
		err = m.buildBridged(ctx, p, r, ns)
	case r.CNI != nil:
		r, err = m.buildPlugins(ctx, p, r, ns, fresh)
	default:
		err = ns.within(loopbackHere)
	}
	if err != nil {
		return Pod{}, err
	}
	return m.describe(r, ns), nil
}

func loopbackHere() error {
	h, err := handle()
	if err != nil {
		return err
	}
	defer h.Close()
	return errors.Join(loopback(h), trySysctl("ipv4/ip_unprivileged_port_start", "0"))
}

func (m *Manager) buildBridged(ctx context.Context, p *pod, r *Record, ns namespace) error {
	if p.ports == nil {
		held, err := reserve(r.Ports)
		if err != nil {
			if !m.routed(p) {
				return err
			}
			// The pod has them since before, and who came meanwhile gets nothing.
			m.logger.Warn("a port that leads into a pod is listened to by a process of the node", "alloc_id", r.AllocID, "err", err)
		}
		p.ports = held
	}
	m.at("ports")
	if err := m.onBridge(ctx, func() error { return m.connect(r, ns) }); err != nil {
		return err
	}
	m.at("connected")
	fresh := !m.routed(p)
	m.route(p, true)
	if err := m.tables.apply(ctx); err != nil {
		return err
	}
	m.at("routed")
	if fresh {
		m.forgetPorts(r)
	}
	return m.openLoopback(ctx)
}

func (m *Manager) routed(p *pod) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return p.routed
}

// ensureNamespace makes the namespace when it is not there. What was in an
// earlier one is gone with it: fresh tells.
func (m *Manager) ensureNamespace(ctx context.Context, p *pod, r *Record) (out *Record, fresh bool, err error) {
	if r.Driver != "" {
		return m.driversNamespace(ctx, p, r)
	}
	ns := m.namespaceOf(r)
	inode, there := ns.inode()
	if !there && r.Inode != 0 && m.set.Processes != nil && ns.adopt(r.Inode, m.set.Processes(r.AllocID)) {
		m.logger.Warn("the file of a network namespace was unmounted: it is there again", "alloc_id", r.AllocID)
		inode, there = ns.inode()
	}
	if !there {
		if err := ns.make(); err != nil {
			return r, true, err
		}
		if inode, there = ns.inode(); !there {
			return r, true, fmt.Errorf("network namespace %s: it was unmounted by another", ns.path)
		}
	}
	if inode == r.Inode {
		return r, false, nil
	}
	r = r.clone()
	r.Inode = inode
	return r, true, m.keep(p, r)
}

// driversNamespace asks the driver for the namespace, or for what it made earlier.
func (m *Manager) driversNamespace(ctx context.Context, p *pod, r *Record) (*Record, bool, error) {
	n, err := m.networker(ctx, r.Driver)
	if err != nil {
		return r, false, err
	}
	spec, _, err := n.CreateNetwork(ctx, r.AllocID, r.Hostname)
	if err != nil && r.Spec != nil && r.Inode != 0 {
		// What the driver stands on may be away for a moment. The namespace that it made is as good as ever.
		if inode, there := (namespace{path: r.Spec.Path}).inode(); there && inode == r.Inode {
			m.logger.Warn("the driver does not answer for a network namespace, which is there: it is used on", "alloc_id", r.AllocID, "driver", r.Driver, "err", err)
			return r, false, nil
		}
	}
	if err != nil {
		return r, false, fmt.Errorf("driver %q: make the network namespace: %w", r.Driver, err)
	}
	if spec == nil || spec.Path == "" {
		return r, false, fmt.Errorf("driver %q: it made no network namespace", r.Driver)
	}
	inode, there := namespace{path: spec.Path}.inode()
	if !there {
		return r, false, fmt.Errorf("driver %q: %s is not a network namespace", r.Driver, spec.Path)
	}
	if r.Spec != nil && r.Spec.Path == spec.Path && r.Inode == inode {
		return r, false, nil
	}
	fresh := r.Inode != inode
	r = r.clone()
	r.Spec, r.Inode = spec, inode
	return r, fresh, m.keep(p, r)
}

func (m *Manager) networker(ctx context.Context, name string) (drivers.Networker, error) {
	if m.set.Driver == nil {
		return nil, fmt.Errorf("driver %q: %w", name, drivers.ErrUnknownDriver)
	}
	d, err := m.set.Driver(ctx, name)
	if err != nil {
		return nil, err
	}
	n, ok := drivers.NetworkerOf(d)
	if !ok {
		return nil, fmt.Errorf("driver %q makes no network namespaces", name)
	}
	return n, nil
}

func (m *Manager) describe(r *Record, ns namespace) Pod {
	mode := drivers.NetworkGroup
	if r.Mode == ModeNone {
		mode = drivers.NetworkNone
	}
	out := Pod{Address: r.Address, AddressIPv6: r.AddressIPv6, Namespace: &drivers.NetworkIsolation{Mode: mode, Path: ns.path, Hostname: r.Hostname}}
	if r.Spec != nil {
		out.Namespace.Labels = r.Spec.Labels
	}
	if r.Address.IsValid() {
		out.Namespace.Address = r.Address.String()
	} else if r.AddressIPv6.IsValid() {
		out.Namespace.Address = r.AddressIPv6.String()
	}
	switch {
	case r.bridged():
		out.Interface = Interface
	case r.CNI != nil:
		out.Interface, out.DNS = r.CNI.Interface, r.CNI.DNS
	}
	return out
}

// remove takes a pod down and forgets it. It can be repeated.
func (m *Manager) remove(ctx context.Context, p *pod) error {
	if r := m.record(p); r != nil {
		if err := m.dismantle(ctx, p, r); err != nil {
			return err
		}
		if err := m.set.Store.DeleteNetwork(r.AllocID); err != nil {
			return err
		}
	}
	m.forget(p)
	return nil
}

// forget ends a pod that is nothing any more, and gives its addresses back.
func (m *Manager) forget(p *pod) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, other := range m.pods {
		if other == p {
			delete(m.pods, id)
		}
	}
	if r := p.record; r != nil {
		m.v4.free(r.Address, r.AllocID)
		if m.v6 != nil {
			m.v6.free(r.AddressIPv6, r.AllocID)
		}
	}
	p.record, p.routed, p.gone = nil, false, true
}

// dismantle removes all of a pod but its record: first nothing comes to it any
// more, then its devices go, the namespace last.
func (m *Manager) dismantle(ctx context.Context, p *pod, r *Record) error {
	var all error
	routed := m.routed(p)
	m.route(p, false)
	if routed {
		all = errors.Join(all, m.tables.apply(ctx))
	}
	p.ports.release()
	p.ports = nil
	m.at("unrouted")
	if r.bridged() {
		all = errors.Join(all, unplug(r.link()))
	}
	if r.CNI != nil && len(r.CNI.Config) > 0 {
		all = errors.Join(all, m.dismantlePlugins(ctx, r))
	}
	m.at("unplugged")
	if r.Driver != "" {
		all = errors.Join(all, m.destroyDrivers(ctx, r))
	} else {
		all = errors.Join(all, m.own(r.AllocID).remove())
	}
	m.at("removed")
	if r.bridged() {
		m.forgetPod(r)
	}
	return all
}

// destroyDrivers lets the driver remove its namespace.
func (m *Manager) destroyDrivers(ctx context.Context, r *Record) error {
	n, err := m.networker(ctx, r.Driver)
	if err != nil {
		return err
	}
	spec := r.Spec
	if spec == nil {
		spec = &drivers.NetworkIsolation{Mode: drivers.NetworkGroup}
	}
	if err := n.DestroyNetwork(ctx, r.AllocID, spec); err != nil {
		return fmt.Errorf("driver %q: remove the network namespace: %w", r.Driver, err)
	}
	return nil
}

// unplug removes a veth pair by the name of its end on the host.
func unplug(name string) error {
	h, err := handle()
	if err != nil {
		return err
	}
	defer h.Close()
	l, err := lookup(h, name)
	if err != nil || l == nil {
		return err
	}
	return deleteLink(h, l)
}
