package agent

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client"
	"github.com/seraihq/serai/client/driverset"
	"github.com/seraihq/serai/client/fingerprint"
	"github.com/seraihq/serai/command/agent/config"
)

// openClient opens the client as configured; nil when there is none to run.
func (a *Agent) openClient() (*client.Client, error) {
	c := a.cfg.Client
	if !c.Enabled {
		return nil, nil
	}
	state, allocs := c.StateDir, c.AllocDir
	if a.cfg.DevMode && state == "" {
		sweepDevDirs(a.logger)
		dir, held, err := newDevDir()
		if err != nil {
			return nil, err
		}
		a.scratch, a.scratchLock = dir, held
		state, allocs = filepath.Join(dir, "client"), filepath.Join(dir, "alloc")
	}
	var servers interface {
		client.Server
		client.Identities
	} = a.remote
	var list client.ServerList = a.remote
	if a.server != nil {
		servers, list = a.server.Nodes(), nil
	}
	a.sockets = newTaskSockets(a)
	return client.New(client.Config{
		Logger: a.logger, Server: servers, Servers: list, Identities: servers, ServeAPI: a.sockets.serve,
		Region: a.cfg.Region, Datacenter: a.cfg.Datacenter, Name: a.cfg.Name,
		NodeClass: c.NodeClass, NodePool: c.NodePool, Meta: c.Meta, HTTPAddr: a.httpAdvertise(), TLSEnabled: a.cfg.TLS.HTTP,
		StateDir: state, AllocDir: allocs,
		Drivers: a.driverConfig(), Fingerprint: fingerprintConfig(&c), Reserved: reserved(&c), HostVolumes: hostVolumes(&c),
		MinDynamicPort: c.MinDynamicPort, MaxDynamicPort: c.MaxDynamicPort, UserMin: c.Users.DynamicUserMin, UserMax: c.Users.DynamicUserMax, NodeMaxAllocs: c.NodeMaxAllocs,
		Ineligible: c.DefaultIneligible, MaxKillTimeout: c.MaxKillTimeout, DisableRemoteExec: c.DisableRemoteExec,
		Templates: c.TemplateSettings(),
		Publish: client.Publish{
			Allocations: a.cfg.Telemetry.PublishAllocationMetrics, Node: a.cfg.Telemetry.PublishNodeMetrics, Every: a.cfg.Telemetry.CollectionInterval,
		},
		Artifacts: c.ArtifactConfig(), FreeDisk: !c.EnforceEphemeralDisk,
		GC: client.GC{
			Interval: c.GCInterval, ParallelDestroys: c.GCParallelDestroys, DiskUsage: c.GCDiskUsageThreshold,
			InodeUsage: c.GCInodeUsageThreshold, MaxAllocs: c.GCMaxAllocs,
		},
		Devices: c.DeviceConfigs(), Fetch: a.fetchDisk, Network: c.Network(), StopTasks: a.cfg.DevMode,
	})
}

// startClient runs the client; its end is the agent's.
func (a *Agent) startClient(ctx context.Context, g *errgroup.Group) {
	if a.client == nil {
		return
	}
	g.Go(func() error {
		if err := a.client.Run(ctx); err != nil {
			return fmt.Errorf("client: %w", err)
		}
		return nil
	})
	g.Go(func() error { return a.awaitServers(ctx) })
}

// awaitServers ends a client that has found no server in as many tries as it is
// given: one for start_join alone, retry_max else. The client itself tries all
// the time.
func (a *Agent) awaitServers(ctx context.Context) error {
	j := a.cfg.Client.ServerJoin
	tries := j.RetryMax
	if len(j.StartJoin) > 0 && len(j.RetryJoin) == 0 {
		tries = 1
	}
	if a.client == nil || a.server != nil || tries == 0 {
		return nil
	}
	timer := time.NewTimer(time.Duration(tries) * j.RetryInterval)
	defer timer.Stop()
	select {
	case <-a.client.Registered():
		return nil
	case <-ctx.Done():
		return nil
	case <-timer.C:
	}
	return api.Errorf(api.ErrUnavailable, "client.server_join: no server took this client up within %s (%d times %s); it was told of %s",
		time.Duration(tries)*j.RetryInterval, tries, j.RetryInterval, strings.Join(a.cfg.Client.Servers, ", "))
}

// driverConfig gives the drivers what the operator configured, in plugin blocks
// and by the older client options.
func (a *Agent) driverConfig() driverset.Config {
	c := driverset.Config{PluginDir: a.cfg.PluginDir, Plugins: map[string]map[string]any{}, Args: map[string][]string{}}
	for name, p := range a.cfg.Plugins {
		c.Plugins[name], c.Args[name] = p.Config, p.Args
	}
	options := a.cfg.Client.Options
	for _, name := range []string{"raw_exec", "exec"} {
		on, err := strconv.ParseBool(options["driver."+name+".enable"])
		if err != nil {
			continue
		}
		if c.Plugins[name] == nil {
			c.Plugins[name] = map[string]any{"enabled": on}
		}
	}
	c.Allow = names(options["driver.allowlist"], options["driver.whitelist"])
	c.Deny = names(options["driver.denylist"], options["driver.blacklist"])
	return c
}

// names splits the first list that is not empty.
func names(lists ...string) []string {
	for _, l := range lists {
		if l == "" {
			continue
		}
		var out []string
		for part := range strings.SplitSeq(l, ",") {
			if part = strings.TrimSpace(part); part != "" {
				out = append(out, part)
			}
		}
		return out
	}
	return nil
}

func fingerprintConfig(c *config.Client) fingerprint.Config {
	networks := map[string]fingerprint.HostNetwork{}
	for name, n := range c.HostNetworks {
		networks[name] = fingerprint.HostNetwork{CIDR: n.CIDR, Interface: n.Interface, ReservedPorts: n.ReservedPorts}
	}
	return fingerprint.Config{
		NetworkInterface: c.NetworkInterface, NetworkSpeed: c.NetworkSpeed, PreferIPv6: c.PreferredAddressFamily == "ipv6",
		HostNetworks: networks, CPUTotalCompute: c.CPUTotalCompute, MemoryTotalMB: c.MemoryTotalMB,
		DiskTotalMB: c.DiskTotalMB, DiskFreeMB: c.DiskFreeMB, ReservableCores: c.ReservableCores,
		ReservedCores: c.Reserved.Cores, ReservedCPU: c.Reserved.CPU, CgroupParent: c.CgroupParent,
	}
}

func reserved(c *config.Client) api.NodeReservedResources {
	return api.NodeReservedResources{
		Cpu:      api.NodeReservedCpuResources{CpuShares: uint64(max(c.Reserved.CPU, 0))},
		Memory:   api.NodeReservedMemoryResources{MemoryMB: uint64(max(c.Reserved.Memory, 0))},
		Disk:     api.NodeReservedDiskResources{DiskMB: uint64(max(c.Reserved.Disk, 0))},
		Networks: api.NodeReservedNetworkResources{ReservedHostPorts: c.Reserved.ReservedPorts},
	}
}

func hostVolumes(c *config.Client) map[string]*api.HostVolumeInfo {
	out := map[string]*api.HostVolumeInfo{}
	for name, v := range c.HostVolumes {
		out[name] = &api.HostVolumeInfo{Path: v.Path, ReadOnly: v.ReadOnly}
	}
	return out
}
