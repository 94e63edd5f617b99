package network

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/client/network/cni"
	"github.com/seraihq/serai/drivers"
)

// call is how plugins are called for a pod.
func (m *Manager) call(r *Record, ns namespace) cni.Call {
	c := cni.Call{
		Config: r.CNI.Config, Container: r.AllocID, Interface: Interface, Args: r.CNI.Args,
		Path: r.CNI.Path, Cache: filepath.Join(m.set.Dir, "cni"),
	}
	if _, there := ns.inode(); there {
		c.Namespace = ns.path
	}
	for _, p := range r.Ports {
		for _, proto := range []string{"tcp", "udp"} {
			c.Ports = append(c.Ports, cni.Port{Host: int(p.Host), Inside: int(p.Inside), Protocol: proto, IP: p.HostIP.String()})
		}
	}
	return c
}

// buildPlugins lets plugins connect a pod, unless it is connected.
func (m *Manager) buildPlugins(ctx context.Context, p *pod, r *Record, ns namespace, fresh bool) (*Record, error) {
	if err := ns.within(loopbackHere); err != nil {
		return r, err
	}
	if !fresh && r.CNI.Interface != "" && m.pluginsStand(r, ns) {
		if !m.routed(p) {
			m.route(p, true)
			return r, m.tables.apply(ctx)
		}
		return r, nil
	}
	if len(r.CNI.Config) > 0 { // of an earlier try, or of a namespace that is no more
		if err := m.dismantlePlugins(ctx, r); err != nil {
			m.logger.Warn("what network plugins made earlier is not removed", "alloc_id", r.AllocID, "err", err)
		}
	}
	if !m.routed(p) {
		// Plugins tell nobody that a port is another's. Whether they listen themselves is
		// theirs, so it is not kept.
		held, err := reserve(r.Ports)
		if err != nil {
			return r, err
		}
		held.release()
	}
	config, err := cni.Load(m.set.CNIDir, strings.TrimPrefix(r.Mode, modeCNI))
	if err != nil {
		return r, err
	}
	r = r.clone()
	r.CNI.Config, r.CNI.Path, r.CNI.Interface = config, filepath.SplitList(m.set.CNIPath), ""
	if err := m.keep(p, r); err != nil {
		return r, err
	}
	m.at("plugins")
	made, err := m.add(ctx, r, ns)
	if err != nil {
		return r, err
	}
	m.at("plugged")
	r = r.clone()
	r.Address, r.AddressIPv6, r.CNI.Interface = made.Address, made.AddressIPv6, made.Interface
	if r.CNI.Links, err = hangingOn(made.Links); err != nil {
		return r, err
	}
	if len(made.Servers) > 0 {
		r.CNI.DNS = &drivers.DNS{Servers: made.Servers, Searches: made.Searches, Options: made.Options}
	}
	if err := m.keep(p, r); err != nil {
		return r, err
	}
	m.route(p, true)
	return r, m.tables.apply(ctx)
}

// add lets the plugins connect a pod: with the address that it had, which its tasks
// may know, unless that cannot be had any more.
func (m *Manager) add(ctx context.Context, r *Record, ns namespace) (cni.Result, error) {
	c := m.call(r, ns)
	if r.Address.IsValid() {
		again := c
		again.Address = r.Address
		made, err := cni.Add(ctx, again)
		if err == nil {
			return made, nil
		}
		m.logger.Warn("network plugins do not give an allocation the address that it had: it gets another", "alloc_id", r.AllocID, "address", r.Address, "err", err)
		if err := cni.Del(ctx, c); err != nil {
			return made, fmt.Errorf("remove: %w", err)
		}
	}
	return cni.Add(ctx, c)
}

// hangingOn tells what each device of the node hangs on. What is no device of this
// namespace is left out.
func hangingOn(names []string) (map[string]string, error) {
	h, err := handle()
	if err != nil {
		return nil, err
	}
	defer h.Close()
	out := map[string]string{}
	for _, name := range names {
		l, err := lookup(h, name)
		if err != nil {
			return nil, err
		}
		if l == nil {
			continue
		}
		out[name] = ""
		if i := l.Attrs().MasterIndex; i != 0 {
			if above, err := h.LinkByIndex(i); err == nil {
				out[name] = above.Attrs().Name
			}
		}
	}
	return out, nil
}

// mendPlugins mends the pods of plugins whose devices or addresses are gone. The
// rules of plugins are theirs, and not looked at.
func (m *Manager) mendPlugins(ctx context.Context) error {
	var all error
	for _, r := range m.plugged() {
		ns := m.namespaceOf(r)
		if _, there := ns.inode(); there && m.pluginsStand(r, ns) {
			continue
		}
		all = errors.Join(all, m.mendPod(ctx, r.AllocID))
	}
	return all
}

// plugged lists the records of pods that plugins have connected.
func (m *Manager) plugged() []*Record {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []*Record
	for _, id := range slices.Sorted(maps.Keys(m.pods)) {
		if p := m.pods[id]; p.routed && p.record != nil && p.record.CNI != nil && p.record.CNI.Interface != "" {
			out = append(out, p.record)
		}
	}
	return out
}

// pluginsStand says whether the pod still has what the plugins gave it.
func (m *Manager) pluginsStand(r *Record, ns namespace) bool {
	names := slices.Collect(maps.Keys(r.CNI.Links))
	if now, err := hangingOn(names); err != nil || !maps.Equal(now, r.CNI.Links) {
		return false
	}
	stands := false
	_ = ns.within(func() error {
		h, err := handle()
		if err != nil {
			return err
		}
		defer h.Close()
		l, err := lookup(h, r.CNI.Interface)
		if err != nil || l == nil {
			return err
		}
		stands = !r.Address.IsValid() || hasAddress(h, l, r)
		return nil
	})
	return stands
}

func hasAddress(h *netlink.Handle, l netlink.Link, r *Record) bool {
	have, err := h.AddrList(l, unix.AF_UNSPEC)
	if err != nil {
		return false
	}
	for _, a := range have {
		if p, ok := prefix(a.IPNet); ok && p.Addr() == r.Address {
			return true
		}
	}
	return false
}

func (m *Manager) dismantlePlugins(ctx context.Context, r *Record) error {
	if err := cni.Del(ctx, m.call(r, m.namespaceOf(r))); err != nil {
		return fmt.Errorf("remove: %w", err)
	}
	return nil
}
