package client

import (
	"context"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/pause"
	"github.com/seraihq/serai/internal/telemetry"
)

// metricsEvery is how often the client's figures are set.
const metricsEvery = 5 * time.Second

func (c *Client) metricsLoop(ctx context.Context) {
	for c.setMetrics(); pause.For(ctx, metricsEvery); c.setMetrics() {
	}
}

// setMetrics sets what can be had without measuring for a while.
func (c *Client) setMetrics() {
	n := c.node.Load()
	labels := []telemetry.Label{
		{Name: "node_id", Value: n.ID}, {Name: "datacenter", Value: n.Datacenter}, {Name: "node_class", Value: n.NodeClass},
		{Name: "node_pool", Value: n.NodePool}, {Name: "node_status", Value: n.Status},
		{Name: "node_scheduling_eligibility", Value: n.SchedulingEligibility},
	}
	gauge := func(v float64, name ...string) {
		telemetry.GaugeWith(v, labels, append([]string{"client"}, name...)...)
	}
	for _, name := range []string{"start", "restart", "complete", "failed", "oom_killed"} {
		telemetry.Count(0, "client", "allocs", name) // there from the start
	}
	c.allocMetrics(n.NodeResources, gauge)
	hostMetrics(c.cfg.AllocDir, gauge)
}

// gauge sets one figure of this node.
type gauge func(v float64, name ...string)

func (c *Client) allocMetrics(r *api.NodeResources, gauge gauge) {
	var running, pending, terminal int
	var cpu, memory, disk int64
	for _, e := range c.entries() {
		switch e.Reported().ClientStatus {
		case api.AllocClientRunning:
			running++
		case api.AllocClientPending:
			pending++
		default:
			terminal++
		}
		if r := e.Alloc().AllocatedResources; r != nil && !e.Over() {
			disk += r.Shared.DiskMB
			for _, t := range r.Tasks {
				cpu += t.Cpu.CpuShares
				memory += t.Memory.MemoryMB
			}
		}
	}
	gauge(float64(running), "allocations", "running")
	gauge(float64(pending), "allocations", "pending")
	gauge(float64(pending), "allocations", "start")
	gauge(float64(terminal), "allocations", "terminal")
	gauge(float64(cpu), "allocated", "cpu")
	gauge(float64(memory), "allocated", "memory")
	gauge(float64(disk), "allocated", "disk")
	gauge(float64(r.Cpu.CpuShares-cpu), "unallocated", "cpu")
	gauge(float64(r.Memory.MemoryMB-memory), "unallocated", "memory")
	gauge(float64(r.Disk.DiskMB-disk), "unallocated", "disk")
}

func hostMetrics(allocDir string, gauge gauge) {
	gauge(float64(uptime()), "uptime")
	if m, err := hostMemory(); err == nil {
		gauge(float64(m.Total), "host", "memory", "total")
		gauge(float64(m.Available), "host", "memory", "available")
		gauge(float64(m.Used), "host", "memory", "used")
		gauge(float64(m.Free), "host", "memory", "free")
	}
	if d, err := diskUsage(allocDir); err == nil {
		gauge(float64(d.Size), "host", "disk", "size")
		gauge(float64(d.Used), "host", "disk", "used")
		gauge(float64(d.Available), "host", "disk", "available")
		gauge(d.UsedPercent, "host", "disk", "used_percent")
		gauge(d.InodesUsedPercent, "host", "disk", "inodes_percent")
	}
}
