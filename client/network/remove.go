package network

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// Remove removes all that is this node's: pods, bridge and tables.
func (m *Manager) Remove(ctx context.Context) error {
	if os.Geteuid() != 0 {
		return nil
	}
	m.mu.Lock()
	ids := slices.Sorted(maps.Keys(m.pods))
	m.mu.Unlock()
	var all error
	for _, id := range ids {
		if err := m.Down(ctx, id); err != nil {
			all = errors.Join(all, fmt.Errorf("allocation %s: %w", id, err))
		}
	}
	all = errors.Join(all, m.dropFiles())
	m.forgetConnections()
	if m.concerned() {
		all = errors.Join(all, m.removeBridge(ctx))
	}
	_ = os.Remove(filepath.Dir(m.own("x").path)) // when it is empty
	return all
}

// removeBridge removes the bridge, unless devices of others hang on it.
func (m *Manager) removeBridge(ctx context.Context) error {
	return m.onBridge(ctx, func() error {
		h, err := handle()
		if err != nil {
			return err
		}
		defer h.Close()
		ports, all := m.bridgePorts(h)
		for _, l := range ports {
			all = errors.Join(all, deleteLink(h, l))
		}
		all = errors.Join(all, m.tables.remove(m.set.Bridge))
		m.mu.Lock()
		m.used = false
		m.mu.Unlock()
		bridge, err := lookup(h, m.set.Bridge)
		if err != nil || bridge == nil || bridge.Type() != "bridge" {
			m.giveBridge(err == nil)
			return errors.Join(all, err)
		}
		list, err := h.LinkList()
		all = errors.Join(all, err)
		for _, l := range list {
			if l.Attrs().MasterIndex == bridge.Attrs().Index {
				return errors.Join(all, m.closeLoopback()) // others use it
			}
		}
		all = errors.Join(all, deleteLink(h, bridge))
		m.giveBridge(all == nil)
		return all
	})
}

// Close lets go what only a living agent holds: ports and the bridge's lock. Pods
// stand on.
func (m *Manager) Close() {
	m.mu.Lock()
	pods := slices.Collect(maps.Values(m.pods))
	m.mu.Unlock()
	for _, p := range pods {
		p.turn <- struct{}{}
		p.ports.release()
		p.ports = nil
		p.turn.give()
	}
	m.bridge <- struct{}{}
	defer m.bridge.give()
	m.giveBridge(false)
}

// Sweep removes what an agent that is no more, of this node, has left.
func Sweep(ctx context.Context, cfg Config) error {
	if os.Geteuid() != 0 {
		return nil
	}
	cfg.Logger = slog.New(slog.DiscardHandler) // records of other subnets are expected
	orText(&cfg.RunDir, DefaultRunDir)
	names := bridgesOf(cfg.RunDir, cfg.Node)
	if len(names) == 0 {
		names = []string{DefaultBridge}
	}
	var all error
	for _, name := range names {
		cfg.Bridge = name
		m, err := New(cfg)
		if err != nil {
			return errors.Join(all, err)
		}
		all = errors.Join(all, m.Remove(ctx))
		m.Close()
	}
	return all
}
