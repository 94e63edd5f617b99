package client

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/driverset"
	"github.com/seraihq/serai/client/fingerprint"
	"github.com/seraihq/serai/client/steps"
	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/internal/cgroup"
)

// firstNode describes the node from the configuration and what is found on it.
func (c *Client) firstNode() *api.Node {
	cfg := &c.cfg
	name := cfg.Name
	if name == "" {
		// Without a name the node is known by its ID.
		if name, _ = os.Hostname(); name == "" {
			name = c.id.ID[:8]
		}
	}
	reserved := cfg.Reserved
	// A list that is wrong is told by the fingerprinter of the CPU.
	reserved.Cpu.ReservedCpuCores, _ = cgroup.ParseCores(cfg.Fingerprint.ReservedCores)
	n := &api.Node{
		ID: c.id.ID, SecretID: api.Sensitive(c.id.SecretID),
		Datacenter: cfg.Datacenter, Name: name, HTTPAddr: cfg.HTTPAddr, TLSEnabled: cfg.TLSEnabled,
		NodeClass: cfg.NodeClass, NodePool: cfg.NodePool,
		Attributes: map[string]string{}, Links: map[string]string{},
		NodeResources:     &api.NodeResources{MinDynamicPort: cfg.MinDynamicPort, MaxDynamicPort: cfg.MaxDynamicPort},
		ReservedResources: &reserved,
		HostVolumes:       cfg.HostVolumes, NodeMaxAllocs: cfg.NodeMaxAllocs,
		Status: api.NodeStatusReady, SchedulingEligibility: api.NodeEligible,
	}
	if cfg.Ineligible {
		n.SchedulingEligibility = api.NodeIneligible
	}
	f := cfg.Fingerprint
	f.AllocDir = cfg.AllocDir
	if f.ReservedCPU == 0 {
		f.ReservedCPU = int(reserved.Cpu.CpuShares)
	}
	fingerprint.Run(fingerprint.All(), &f, n, c.logger)
	n.NodeResources.Devices = c.devices.Resources()
	c.offerNetworks(n)
	if cfg.HTTPAddr != "" {
		n.Attributes["unique.advertise.address"] = cfg.HTTPAddr
	}
	dynamic, err := c.store.Meta()
	if err != nil {
		c.logger.Warn("dynamic metadata is lost", "err", err)
	}
	n.Meta = merged(c.static, dynamic)
	statuses, news := c.drivers.Statuses()
	c.driverNews = news
	setDrivers(n, statuses)
	return n
}

// checkVolumes says which host volumes of the configuration cannot be offered.
func checkVolumes(volumes map[string]*api.HostVolumeInfo) error {
	var all error
	for _, name := range slices.Sorted(maps.Keys(volumes)) {
		if err := steps.CheckVolume(volumes[name].Path); err != nil {
			all = errors.Join(all, fmt.Errorf("client.host_volume %q: %w", name, err))
		}
	}
	return all
}

// setDrivers puts what is known of the drivers on a node that nobody shares.
func setDrivers(n *api.Node, statuses []driverset.Status) {
	n.Drivers = make(map[string]*api.DriverInfo, len(statuses))
	for _, s := range statuses {
		fp := s.Fingerprint
		info := &api.DriverInfo{
			Attributes: map[string]string{}, Detected: fp.Health != drivers.HealthUndetected,
			Healthy: fp.Health == drivers.HealthHealthy, HealthDescription: fp.Description, UpdateTime: s.UpdatedAt,
		}
		for k, v := range fp.Attributes {
			info.Attributes[k] = fmt.Sprint(v)
			if info.Detected {
				n.Attributes[k] = fmt.Sprint(v)
			}
		}
		n.Drivers[s.Name] = info
	}
}

// changeNode registers a changed copy of the node.
func (c *Client) changeNode(change func(n *api.Node)) {
	for {
		old := c.node.Load()
		n := *old
		n.Attributes = maps.Clone(old.Attributes)
		change(&n)
		if c.node.CompareAndSwap(old, &n) {
			poke(c.register)
			return
		}
	}
}

const (
	// driversQuiet is how long drivers must have had no news before they are told
	// to the servers; driversWait is how long news wait at most.
	driversQuiet = 500 * time.Millisecond
	driversWait  = 3 * time.Second
)

// driversLoop keeps the node's drivers up to date. Those that take their time to
// look at the node are told together, not each with a registration of its own.
func (c *Client) driversLoop(ctx context.Context) {
	for changed := c.driverNews; ; {
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
		if !settle(ctx, func() <-chan struct{} { _, next := c.drivers.Statuses(); return next }) {
			return
		}
		statuses, next := c.drivers.Statuses()
		changed = next
		c.changeNode(func(n *api.Node) {
			for _, d := range n.Drivers {
				for k := range d.Attributes {
					delete(n.Attributes, k)
				}
			}
			setDrivers(n, statuses)
		})
	}
}

// settle waits until nothing has changed for driversQuiet, or for driversWait; false
// when ctx ends. next gives the channel that is closed by the next change.
func settle(ctx context.Context, next func() <-chan struct{}) bool {
	enough := time.NewTimer(driversWait)
	defer enough.Stop()
	for {
		changed := next()
		quiet := time.NewTimer(driversQuiet)
		select {
		case <-changed:
			quiet.Stop()
			continue
		case <-quiet.C:
		case <-enough.C:
			quiet.Stop()
		case <-ctx.Done():
			quiet.Stop()
			return false
		}
		return true
	}
}

// Meta gives the node's metadata.
func (c *Client) Meta() NodeMeta {
	dynamic, err := c.store.Meta()
	if err != nil {
		c.logger.Warn("dynamic metadata cannot be read", "err", err)
	}
	return NodeMeta{Static: c.static, Dynamic: dynamic, Meta: c.node.Load().Meta}
}

// ApplyMeta changes the node's dynamic metadata; nil unsets a key.
func (c *Client) ApplyMeta(_ context.Context, change map[string]*string) (NodeMeta, error) {
	for k := range change {
		if k == "" {
			return NodeMeta{}, api.Errorf(api.ErrInvalid, "a metadata key must not be empty")
		}
	}
	c.meta.Lock()
	defer c.meta.Unlock()
	dynamic, err := c.store.Meta()
	if err != nil {
		return NodeMeta{}, err
	}
	for k, v := range change {
		_, static := c.static[k]
		if v == nil && !static {
			delete(dynamic, k)
		} else {
			dynamic[k] = v // nil hides what the configuration says
		}
	}
	if err := c.store.PutMeta(dynamic); err != nil {
		return NodeMeta{}, err
	}
	meta := merged(c.static, dynamic)
	c.changeNode(func(n *api.Node) { n.Meta = meta })
	return NodeMeta{Static: c.static, Dynamic: dynamic, Meta: meta}, nil
}

func merged(static map[string]string, dynamic map[string]*string) map[string]string {
	out := maps.Clone(static)
	if out == nil {
		out = map[string]string{}
	}
	for k, v := range dynamic {
		if v == nil {
			delete(out, k)
		} else {
			out[k] = *v
		}
	}
	return out
}

// NodeID gives the node's ID.
func (c *Client) NodeID() string { return c.id.ID }

// Node gives the node as it is registered; treat it as immutable.
func (c *Client) Node() *api.Node { return c.node.Load() }

// Registered is closed when the servers know the node.
func (c *Client) Registered() <-chan struct{} { return c.lastN.first }

// contacted notes that the servers answered, and when they expect to hear again.
func (c *Client) contacted(ttl time.Duration) {
	c.lastN.mu.Lock()
	defer c.lastN.mu.Unlock()
	if c.lastN.contact.IsZero() {
		close(c.lastN.first)
	}
	c.lastN.contact = time.Now()
	c.lastN.heard, c.lastN.asked, c.lastN.refused = c.lastN.contact, time.Time{}, false
	if ttl > 0 {
		c.lastN.heartbeat = ttl
	}
}
