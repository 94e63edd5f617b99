package client

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/drivers"
)

// measureEvery is the time between the two looks at a task that a CPU
// percentage needs, with drivers that do not remember the last one. Nothing is
// measured while nobody asks.
const measureEvery = 200 * time.Millisecond

// AllocStats measures an allocation, or one task of it.
func (c *Client) AllocStats(ctx context.Context, allocID, task string) (*api.AllocResourceUsage, error) {
	e, ok := c.lookup(allocID)
	if !ok {
		return nil, errNoAlloc(allocID)
	}
	names := e.TaskNames()
	if task != "" {
		if !slices.Contains(names, task) {
			return nil, api.Errorf(api.ErrNotFound, "unknown task name %q", task)
		}
		names = []string{task}
	}
	type measured struct {
		name  string
		usage *api.TaskResourceUsage
	}
	results := make(chan measured, len(names))
	for _, name := range names {
		go func() {
			d, id, err := e.Running(ctx, name)
			if err != nil {
				results <- measured{name: name}
				return
			}
			results <- measured{name, measure(ctx, d, id)}
		}()
	}
	out := &api.AllocResourceUsage{
		ResourceUsage: &api.ResourceUsage{MemoryStats: &api.MemoryStats{}, CpuStats: &api.CpuStats{}, DeviceStats: []*api.DeviceGroupStats{}},
		Tasks:         map[string]*api.TaskResourceUsage{}, Timestamp: time.Now().UnixNano(),
	}
	for range names {
		if m := <-results; m.usage != nil {
			out.Tasks[m.name] = m.usage
			sum(out.ResourceUsage, m.usage.ResourceUsage)
		}
	}
	return out, nil
}

// measure looks at a task, twice where one look tells no percentages; nil when
// it cannot be measured.
func measure(ctx context.Context, d drivers.Driver, id string) *api.TaskResourceUsage {
	s, ok := drivers.StaterOf(d)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	ch, err := s.Stats(ctx, id, measureEvery)
	if err != nil {
		return nil
	}
	needed := 2
	if drivers.MeasuresAtOnce(d) {
		needed = 1
	}
	var last *drivers.ResourceUsage
	for range needed {
		u, ok := <-ch
		if !ok || u.Err != nil {
			break
		}
		last = &u
	}
	cancel()
	for range ch {
		// The driver closes the channel once it has seen the end.
	}
	if last == nil {
		return nil
	}
	return taskUsage(last)
}

func taskUsage(u *drivers.ResourceUsage) *api.TaskResourceUsage {
	out := &api.TaskResourceUsage{ResourceUsage: usage(u.CPU, u.Memory), Timestamp: u.Time.UnixNano()}
	if len(u.PIDs) > 0 {
		out.Pids = make(map[string]*api.ResourceUsage, len(u.PIDs))
		for pid, p := range u.PIDs {
			out.Pids[pid] = usage(p.CPU, p.Memory)
		}
	}
	return out
}

func usage(c drivers.CPUUsage, m drivers.MemoryUsage) *api.ResourceUsage {
	return &api.ResourceUsage{
		CpuStats: &api.CpuStats{
			SystemMode: c.SystemPercent, UserMode: c.UserPercent, TotalTicks: c.TotalTicks, Percent: c.Percent,
			ThrottledPeriods: c.ThrottledPeriods, ThrottledTime: uint64(c.ThrottledTime), Measured: c.Measured,
		},
		MemoryStats: &api.MemoryStats{
			RSS: m.RSS, Cache: m.Cache, Swap: m.Swap, Usage: m.Usage, MaxUsage: m.MaxUsage,
			KernelUsage: m.KernelUsage, KernelMaxUsage: m.KernelMaxUsage, Measured: m.Measured,
		},
		DeviceStats: []*api.DeviceGroupStats{},
	}
}

// sum adds a task's usage to its allocation's.
func sum(to, add *api.ResourceUsage) {
	c, a := to.CpuStats, add.CpuStats
	c.SystemMode += a.SystemMode
	c.UserMode += a.UserMode
	c.TotalTicks += a.TotalTicks
	c.Percent += a.Percent
	c.ThrottledPeriods += a.ThrottledPeriods
	c.ThrottledTime += a.ThrottledTime
	c.Measured = union(c.Measured, a.Measured)
	m, b := to.MemoryStats, add.MemoryStats
	m.RSS += b.RSS
	m.Cache += b.Cache
	m.Swap += b.Swap
	m.Usage += b.Usage
	m.MaxUsage += b.MaxUsage
	m.KernelUsage += b.KernelUsage
	m.KernelMaxUsage += b.KernelMaxUsage
	m.Measured = union(m.Measured, b.Measured)
}

func union(a, b []string) []string {
	set := map[string]bool{}
	for _, s := range slices.Concat(a, b) {
		set[s] = true
	}
	return slices.Sorted(maps.Keys(set))
}

// HostStats measures the node.
func (c *Client) HostStats(ctx context.Context) (*api.HostStats, error) {
	cpus, err := c.stats.measure(ctx)
	if err != nil {
		return nil, err
	}
	memory, err := hostMemory()
	if err != nil {
		return nil, err
	}
	disks, err := hostDisks()
	out := &api.HostStats{
		Memory: memory, DiskStats: disks, DeviceStats: []*api.DeviceGroupStats{},
		Uptime: uptime(), Timestamp: time.Now().UnixNano(),
	}
	allocDir, dirErr := diskUsage(c.cfg.AllocDir)
	if err = errors.Join(err, dirErr); err != nil {
		return nil, err
	}
	out.AllocDirStats = allocDir
	mhz, _ := strconv.ParseFloat(c.node.Load().Attributes["cpu.frequency"], 64)
	for _, u := range cpus {
		u.TotalTicks = u.TotalPercent / 100 * mhz
		out.CPUTicksConsumed += u.TotalTicks
	}
	out.CPU = cpus
	return out, nil
}
