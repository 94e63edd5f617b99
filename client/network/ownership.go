package network

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// ownership of a bridge: a file that its agent holds locked while it lives, with
// the ID of its node in it. Agents of one machine cannot share a bridge, for each
// gives out addresses by what it knows itself.
type ownership struct{ file *os.File }

// ownershipPath names the file: a bridge belongs to a network namespace, and
// several of them may see one directory.
func ownershipPath(dir string, inode uint64, bridge string) string {
	return filepath.Join(dir, strconv.FormatUint(inode, 10)+"-"+bridge)
}

// takeBridge takes the bridge for this agent, for as long as it lives.
func (m *Manager) takeBridge() error {
	if m.lock != nil {
		return nil
	}
	inode, err := ownInode()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(m.set.RunDir, 0o700); err != nil {
		return fmt.Errorf("bridge %s: %w", m.set.Bridge, err)
	}
	f, err := os.OpenFile(ownershipPath(m.set.RunDir, inode, m.set.Bridge), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return fmt.Errorf("bridge %s: %w", m.set.Bridge, err)
	}
	if err := m.lockBridge(f); err != nil {
		f.Close()
		return err
	}
	m.lock = &ownership{file: f}
	for _, chain := range Closed() {
		m.logger.Warn("a chain of another lets nothing be forwarded by itself: unless a rule there allows it, pods reach nothing outside and their ports answer only this node; see docs/networks.md",
			"chain", chain, "rules", fmt.Sprintf("iifname %q accept; oifname %q accept", m.set.Bridge, m.set.Bridge))
	}
	return nil
}

func (m *Manager) lockBridge(f *os.File) error {
	const advice = "give this agent a bridge and a network of its own (client.bridge_network_name, client.bridge_network_subnet)"
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return fmt.Errorf("bridge %q is another agent's that runs on this machine: %s", m.set.Bridge, advice)
	}
	if err != nil {
		return fmt.Errorf("bridge %s: lock: %w", m.set.Bridge, err)
	}
	text, err := io.ReadAll(io.LimitReader(f, 100))
	if err != nil {
		return fmt.Errorf("bridge %s: %w", m.set.Bridge, err)
	}
	if owner := strings.TrimSpace(string(text)); owner != "" && owner != m.set.Node {
		busy, err := m.populated()
		if err != nil {
			return err
		}
		if busy {
			return fmt.Errorf("bridge %q has allocations of node %s, whose agent does not run: start it, or %s", m.set.Bridge, owner, advice)
		}
	}
	if err := f.Truncate(0); err != nil {
		return fmt.Errorf("bridge %s: %w", m.set.Bridge, err)
	}
	if _, err := f.WriteAt([]byte(m.set.Node+"\n"), 0); err != nil {
		return fmt.Errorf("bridge %s: %w", m.set.Bridge, err)
	}
	return nil
}

// populated says whether pods hang on the bridge.
func (m *Manager) populated() (bool, error) {
	h, err := handle()
	if err != nil {
		return false, err
	}
	defer h.Close()
	ports, err := m.bridgePorts(h)
	return len(ports) > 0, err
}

// bridgePorts lists the devices in the bridge that are named like ours.
func (m *Manager) bridgePorts(h *netlink.Handle) ([]netlink.Link, error) {
	bridge, err := lookup(h, m.set.Bridge)
	if err != nil || bridge == nil {
		return nil, err
	}
	list, err := h.LinkList()
	if err != nil {
		return nil, fmt.Errorf("devices of the node: %w", err)
	}
	var out []netlink.Link
	for _, l := range list {
		if l.Attrs().MasterIndex == bridge.Attrs().Index && isLink(l.Attrs().Name) {
			out = append(out, l)
		}
	}
	return out, nil
}

// owned says whether this node's agent has had the bridge at some time since the
// machine was started.
func (m *Manager) owned() bool {
	inode, err := ownInode()
	if err != nil {
		return false
	}
	text, err := os.ReadFile(ownershipPath(m.set.RunDir, inode, m.set.Bridge))
	return err == nil && strings.TrimSpace(string(text)) == m.set.Node
}

// bridgesOf lists the bridges that a node's agent has had in this namespace.
func bridgesOf(dir, node string) []string {
	inode, err := ownInode()
	if err != nil {
		return nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		name, ok := strings.CutPrefix(e.Name(), strconv.FormatUint(inode, 10)+"-")
		if !ok {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err == nil && strings.TrimSpace(string(text)) == node {
			out = append(out, name)
		}
	}
	return out
}

// give gives the bridge back; forever: nothing of it is left.
func (m *Manager) giveBridge(forever bool) {
	if m.lock == nil {
		return
	}
	if forever {
		_ = os.Remove(m.lock.file.Name() + ":gateways")
		_ = os.Remove(m.lock.file.Name()) // an empty claim hurts nobody
	}
	m.lock.file.Close()
	m.lock = nil
}

// onBridge does something for which the bridge must be ours, and alone.
func (m *Manager) onBridge(ctx context.Context, f func() error) error {
	if err := m.bridge.take(ctx); err != nil {
		return err
	}
	defer m.bridge.give()
	if err := m.takeBridge(); err != nil {
		return err
	}
	return f()
}

// openLoopback lets what connects from the node's loopback to a port there come
// to the pod. The kernel then takes packets with loopback addresses from the
// bridge, so it is done only while a port is there, and the tables stand, which
// refuse them.
func (m *Manager) openLoopback(ctx context.Context) error {
	return m.onBridge(ctx, func() error {
		d, _ := m.desired()
		for _, r := range d.pods {
			for _, p := range r.Ports {
				if p.HostIP.IsLoopback() {
					return trySysctl(m.routeLocalnet(), "1")
				}
			}
		}
		return m.closeLoopback()
	})
}

func (m *Manager) routeLocalnet() string { return "ipv4/conf/" + m.set.Bridge + "/route_localnet" }

// closeLoopback undoes openLoopback.
func (m *Manager) closeLoopback() error {
	return trySysctl(m.routeLocalnet(), "0")
}
