package client

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/network"
	"github.com/seraihq/serai/client/network/cni"
	"github.com/seraihq/serai/client/store"
)

// networksEnd is how long the networks of an agent's allocations may take to go,
// where they end with it.
const networksEnd = 30 * time.Second

// newNetworks makes what gives allocations networks of their own.
func (c *Client) newNetworks() (*network.Manager, error) {
	n := c.cfg.Network
	n.Logger, n.Dir, n.Node, n.Store = c.cfg.Logger, c.cfg.StateDir, c.id.ID, c.store
	n.Driver, n.Living = c.drivers.Find, c.living
	n.Processes = func(id string) []int { return processesOf([]string{id}) }
	return network.New(n)
}

// living says whether an allocation may have tasks that run.
func (c *Client) living(id string) bool {
	e, ok := c.lookup(id)
	return ok && !e.Over()
}

// endNetworks lets go of the networks, or removes them where tasks end with the
// agent.
func (c *Client) endNetworks() {
	if c.cfg.StopTasks {
		ctx, cancel := context.WithTimeout(context.Background(), networksEnd)
		defer cancel()
		if err := c.networks.Remove(ctx); err != nil {
			c.logger.Warn("not all networks of allocations are removed", "err", err)
		}
	}
	c.networks.Close()
}

// offerNetworks says on the node which networks allocations can have here.
func (c *Client) offerNetworks(n *api.Node) {
	if err := network.Probe(); err != nil {
		c.logger.Info("this node offers no bridge network", "reason", err)
	} else {
		bridge := c.cfg.Network.Bridge
		if bridge == "" {
			bridge = network.DefaultBridge
		}
		n.NodeResources.Networks = append(n.NodeResources.Networks, &api.NetworkResource{Mode: network.ModeBridge, Device: bridge})
		hairpin := "true"
		if c.cfg.Network.NoHairpin {
			hairpin = "false"
		}
		n.Attributes["nomad.bridge.hairpin_mode"] = hairpin
	}
	if c.cfg.Network.CNIDir == "" || os.Geteuid() != 0 {
		return
	}
	names, err := cni.Names(c.cfg.Network.CNIDir)
	if err != nil {
		c.logger.Warn("not all CNI networks can be offered", "err", err)
	}
	slices.Sort(names)
	for _, name := range names {
		n.NodeResources.Networks = append(n.NodeResources.Networks, &api.NetworkResource{Mode: "cni/" + name})
	}
}

// pluginsLoop asks the plugins of networks for their versions, once: they are
// programs, and the node does not wait for them.
func (c *Client) pluginsLoop(ctx context.Context) {
	if c.cfg.Network.CNIPath == "" {
		return
	}
	versions := cni.Versions(ctx, filepath.SplitList(c.cfg.Network.CNIPath))
	if len(versions) == 0 || ctx.Err() != nil {
		return
	}
	c.changeNode(func(n *api.Node) {
		for name, v := range versions {
			n.Attributes["plugins.cni.version."+name] = v
		}
	})
}

// sweepNetworks removes the networks that an agent has left.
func sweepNetworks(stateDir string, s *store.Store, left hosts, logger *slog.Logger) error {
	id, err := s.Identity()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), networksEnd)
	defer cancel()
	return network.Sweep(ctx, network.Config{Dir: stateDir, Node: id.ID, Store: s, Driver: left.find, Logger: logger})
}
