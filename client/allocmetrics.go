package client

import (
	"context"
	"time"

	"github.com/seraihq/serai/internal/pause"
	"github.com/seraihq/serai/internal/telemetry"
)

const (
	// leastUsageEvery is the shortest time between two looks at what tasks use: a
	// look asks the driver of every task.
	leastUsageEvery = 10 * time.Second
	maxUsageAllocs  = 2000 // allocations that have metrics of their own
)

// usageLoop tells what allocations use, by task, where the configuration asks
// for it (telemetry { publish_allocation_metrics }).
func (c *Client) usageLoop(ctx context.Context) {
	for (c.cfg.Publish.Allocations || c.cfg.Publish.Node) && pause.For(ctx, max(c.cfg.Publish.Every, leastUsageEvery)) {
		if c.cfg.Publish.Allocations {
			c.setUsage(ctx)
		}
		if c.cfg.Publish.Node {
			c.setHostCPU(ctx)
		}
	}
}

func (c *Client) setUsage(ctx context.Context) {
	told := 0
	for _, e := range c.entries() {
		if e.Over() || ctx.Err() != nil {
			continue
		}
		if told++; told > maxUsageAllocs {
			return
		}
		u, err := c.AllocStats(ctx, e.ID(), "")
		if err != nil {
			continue // it has just ended
		}
		a := e.Alloc()
		for name, t := range u.Tasks {
			if t.ResourceUsage == nil {
				continue
			}
			labels := []telemetry.Label{
				{Name: "job", Value: a.JobID}, {Name: "task_group", Value: a.TaskGroup}, {Name: "alloc_id", Value: a.ID},
				{Name: "task", Value: name}, {Name: "namespace", Value: a.Namespace},
			}
			gauge := func(v float64, what ...string) {
				telemetry.GaugeWith(v, labels, append([]string{"client", "allocs"}, what...)...)
			}
			if m := t.ResourceUsage.MemoryStats; m != nil {
				gauge(float64(m.RSS), "memory", "rss")
				gauge(float64(m.Cache), "memory", "cache")
				gauge(float64(m.Swap), "memory", "swap")
				gauge(float64(m.Usage), "memory", "usage")
				gauge(float64(m.MaxUsage), "memory", "max_usage")
				gauge(float64(m.KernelUsage), "memory", "kernel_usage")
			}
			if s := t.ResourceUsage.CpuStats; s != nil {
				gauge(s.Percent, "cpu", "total_percent")
				gauge(s.SystemMode, "cpu", "system")
				gauge(s.UserMode, "cpu", "user")
				gauge(s.TotalTicks, "cpu", "total_ticks")
				gauge(float64(s.ThrottledTime), "cpu", "throttled_time")
				gauge(float64(s.ThrottledPeriods), "cpu", "throttled_periods")
			}
			if r := a.AllocatedResources; r != nil && r.Tasks[name] != nil {
				gauge(float64(r.Tasks[name].Memory.MemoryMB)*(1<<20), "memory", "allocated")
				gauge(float64(r.Tasks[name].Cpu.CpuShares), "cpu", "allocated")
			}
		}
	}
}

// setHostCPU tells how busy the CPUs of the node are.
func (c *Client) setHostCPU(ctx context.Context) {
	list, err := c.stats.measure(ctx)
	if err != nil {
		return
	}
	for _, s := range list {
		labels := []telemetry.Label{{Name: "cpu", Value: s.CPU}, {Name: "node_id", Value: c.node.Load().ID}}
		telemetry.GaugeWith(s.TotalPercent, labels, "client", "host", "cpu", "total_percent")
		telemetry.GaugeWith(s.User, labels, "client", "host", "cpu", "user")
		telemetry.GaugeWith(s.System, labels, "client", "host", "cpu", "system")
		telemetry.GaugeWith(s.Idle, labels, "client", "host", "cpu", "idle")
	}
}
