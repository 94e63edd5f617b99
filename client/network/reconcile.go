package network

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/vishvananda/netlink"
)

// Run compares what is with what should be, and mends it, until ctx ends. It is
// started once the client knows its allocations.
func (m *Manager) Run(ctx context.Context) {
	if os.Geteuid() != 0 {
		return
	}
	tick := time.NewTicker(m.set.Interval)
	defer tick.Stop()
	for {
		m.Reconcile(ctx)
		for again := true; again; {
			select {
			case <-ctx.Done():
				m.forgetConnections()
				return
			case <-m.wake:
				m.forgetConnections()
			case <-tick.C:
				again = false
			}
		}
	}
}

// Reconcile does one round of it. What cannot be mended is told, and tried again
// in the next round.
func (m *Manager) Reconcile(ctx context.Context) {
	err := errors.Join(m.dropDead(ctx), m.dropFiles())
	if m.concerned() {
		err = errors.Join(err, m.mendBridge(ctx))
	}
	err = errors.Join(err, m.mendPlugins(ctx))
	trouble := ""
	if err != nil && ctx.Err() == nil {
		trouble = err.Error()
	}
	if trouble != m.trouble && trouble != "" {
		m.logger.Warn("the networks of this node are not as they should be: it is tried again", "err", err)
	}
	m.trouble = trouble
}

// concerned says whether the bridge is, or was, this agent's.
func (m *Manager) concerned() bool {
	m.mu.Lock()
	used := m.used
	m.mu.Unlock()
	return used || m.owned()
}

// dropDead removes the networks of allocations that are over.
func (m *Manager) dropDead(ctx context.Context) error {
	m.mu.Lock()
	records := make([]*Record, 0, len(m.pods))
	for _, p := range m.pods {
		if p.record != nil {
			records = append(records, p.record)
		}
	}
	m.mu.Unlock()
	var all error
	for _, r := range records {
		if m.living(r.AllocID) {
			continue
		}
		p, err := m.hold(ctx, r.AllocID)
		if err != nil {
			return err
		}
		// While it waited, the allocation's own step may have done it.
		if now := m.record(p); now != nil && !m.living(r.AllocID) {
			m.logger.Info("the network of an allocation that is over is removed", "alloc_id", r.AllocID)
			err = m.remove(ctx, p)
		} else if now == nil {
			m.forget(p)
		}
		p.turn.give()
		if err != nil {
			all = errors.Join(all, fmt.Errorf("allocation %s: %w", r.AllocID, err))
		}
	}
	return all
}

func (m *Manager) living(allocID string) bool {
	return m.set.Living == nil || m.set.Living(allocID)
}

// dropFiles removes namespaces of which there is no record.
func (m *Manager) dropFiles() error {
	dir := filepath.Dir(m.own("x").path)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var all error
	for _, e := range entries {
		if m.recorded(e.Name()) {
			continue
		}
		all = errors.Join(all, m.own(e.Name()).remove())
	}
	return errors.Join(err, all)
}

func (m *Manager) recorded(allocID string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.pods[allocID]
	return p != nil && p.record != nil
}

// mendBridge compares devices and tables.
func (m *Manager) mendBridge(ctx context.Context) error {
	broken, err := m.compareLinks(ctx)
	if err != nil {
		return err
	}
	var all error
	for _, id := range broken {
		all = errors.Join(all, m.mendPod(ctx, id))
	}
	return errors.Join(all, m.mendTables(ctx))
}

// mendTables puts back what was changed. Until then loopback is closed.
func (m *Manager) mendTables(ctx context.Context) error {
	outdated, changed, err := m.tables.outdated(ctx)
	if err != nil {
		return err
	}
	if outdated {
		if err := m.closeLoopback(); err != nil {
			return err
		}
		if err := m.tables.apply(ctx); err != nil {
			return err
		}
	}
	if changed {
		m.logger.Warn("the nftables tables of the bridge were changed by another: they are as they should be again", "table", tableName(m.set.Bridge))
	}
	return m.openLoopback(ctx)
}

// compareLinks removes devices that are nobody's, and names the pods whose own
// are not as they should be.
func (m *Manager) compareLinks(ctx context.Context) (broken []string, err error) {
	err = m.onBridge(ctx, func() error {
		h, err := handle()
		if err != nil {
			return err
		}
		defer h.Close()
		if len(m.bridged()) > 0 {
			if _, err := m.ensureBridge(h); err != nil {
				return err
			}
		}
		list, err := h.LinkList()
		if err != nil {
			return fmt.Errorf("devices of the node: %w", err)
		}
		var all error
		broken, all = m.sort(h, list)
		return all
	})
	return broken, err
}

func (m *Manager) sort(h *netlink.Handle, list []netlink.Link) (broken []string, err error) {
	byName := make(map[string]*netlink.LinkAttrs, len(list))
	for _, l := range list {
		byName[l.Attrs().Name] = l.Attrs()
	}
	bridge := byName[m.set.Bridge]
	wanted := map[string]bool{}
	for _, r := range m.bridged() {
		wanted[r.link()] = true
		l := byName[r.link()]
		_, there := m.namespaceOf(r).inode()
		if bridge == nil || l == nil || l.MasterIndex != bridge.Index || l.MTU != bridge.MTU || l.RawFlags&upFlag == 0 || !there {
			broken = append(broken, r.AllocID)
		}
	}
	if bridge == nil {
		return broken, nil
	}
	for _, l := range list {
		name := l.Attrs().Name
		if l.Attrs().MasterIndex != bridge.Index || !isLink(name) || wanted[name] {
			continue
		}
		m.logger.Info("a device of an allocation that is unknown is removed", "device", name)
		err = errors.Join(err, deleteLink(h, l))
	}
	return broken, err
}

// bridged lists the records of pods that should be on the bridge: those that
// stood, and those that are being made.
func (m *Manager) bridged() []*Record {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []*Record
	for _, id := range slices.Sorted(maps.Keys(m.pods)) {
		if p := m.pods[id]; p.record != nil && p.record.bridged() {
			out = append(out, p.record)
		}
	}
	return out
}

// mendPod builds what of a pod is missing, unless its allocation is at it.
func (m *Manager) mendPod(ctx context.Context, allocID string) error {
	m.mu.Lock()
	p := m.pods[allocID]
	stood := p != nil && p.routed
	m.mu.Unlock()
	if !stood {
		return nil // it is being made, or waits for its allocation
	}
	p, err := m.hold(ctx, allocID)
	if err != nil {
		return err
	}
	defer p.turn.give()
	if m.record(p) == nil {
		m.forget(p)
		return nil
	}
	if !m.routed(p) || !m.living(allocID) {
		return nil
	}
	m.logger.Warn("the network of an allocation is not as it should be: it is mended", "alloc_id", allocID)
	if _, err := m.build(ctx, p); err != nil {
		return fmt.Errorf("allocation %s: %w", allocID, err)
	}
	return nil
}
