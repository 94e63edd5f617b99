package docker

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/internal/supervise"
)

const (
	// minInterval keeps a careless caller from measuring all the time.
	minInterval = 100 * time.Millisecond
	// maxStats bounds what is read of one measurement.
	maxStats = 4 << 20
)

// Stats implements drivers.Stater.
func (d *Driver) Stats(ctx context.Context, id string, interval time.Duration) (<-chan drivers.ResourceUsage, error) {
	if d.fallback.has(id) {
		return d.fallback.inner.Stats(ctx, id, interval)
	}
	t, err := d.tasks.Get(id)
	if err != nil {
		return nil, err
	}
	out := make(chan drivers.ResourceUsage)
	go func() {
		defer close(out)
		tick := time.NewTicker(max(interval, minInterval))
		defer tick.Stop()
		var last container.StatsResponse
		for {
			if now, err := t.measure(ctx); err == nil { // an engine that is away is asked again
				select {
				case out <- usage(now, last):
				case <-t.done:
					return
				case <-ctx.Done():
					return
				}
				last = now
			}
			select {
			case <-tick.C:
			case <-t.done:
				return
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, nil
}

func (t *task) measure(ctx context.Context) (container.StatsResponse, error) {
	var s container.StatsResponse
	cli, err := t.driver.engine.client()
	if err != nil {
		return s, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	r, err := cli.ContainerStats(ctx, t.state.Container, client.ContainerStatsOptions{})
	if err != nil {
		return s, err
	}
	defer r.Body.Close()
	if err := json.NewDecoder(io.LimitReader(r.Body, maxStats)).Decode(&s); err != nil {
		return s, err
	}
	if s.Read.IsZero() {
		return s, fmt.Errorf("the engine measures nothing")
	}
	return s, nil
}

// usage turns two samples into a measurement; percentages are 0 when there is no earlier one.
func usage(now, last container.StatsResponse) drivers.ResourceUsage {
	m := now.MemoryStats
	_, v1 := m.Stats["total_rss"]
	out := drivers.ResourceUsage{Time: now.Read, Memory: drivers.MemoryUsage{Usage: m.Usage, MaxUsage: m.MaxUsage,
		RSS: m.Stats["rss"], Cache: m.Stats["cache"], Swap: m.Stats["swap"], Measured: []string{drivers.MeasuredRSS, drivers.MeasuredCache, drivers.MeasuredUsage}}}
	if v1 {
		out.Memory.Measured = append(out.Memory.Measured, drivers.MeasuredSwap, drivers.MeasuredMaxUsage)
	} else { // control groups of version 2 have other names for it
		out.Memory.RSS, out.Memory.Cache = m.Stats["anon"], m.Stats["file"]
	}
	c := now.CPUStats
	out.CPU.ThrottledPeriods, out.CPU.ThrottledTime = c.ThrottlingData.ThrottledPeriods, time.Duration(c.ThrottlingData.ThrottledTime)
	out.CPU.Measured = []string{drivers.MeasuredSystem, drivers.MeasuredUser, drivers.MeasuredTotalTicks, drivers.MeasuredThrottledPeriods,
		drivers.MeasuredThrottledTime, drivers.MeasuredPercent}
	elapsed := now.Read.Sub(last.Read)
	if last.Read.IsZero() || elapsed <= 0 {
		return out
	}
	percent := func(a, b uint64) float64 {
		if a < b {
			return 0
		}
		return 100 * float64(a-b) / float64(elapsed)
	}
	l := last.CPUStats.CPUUsage
	out.CPU.Percent = percent(c.CPUUsage.TotalUsage, l.TotalUsage)
	out.CPU.UserPercent = percent(c.CPUUsage.UsageInUsermode, l.UsageInUsermode)
	out.CPU.SystemPercent = percent(c.CPUUsage.UsageInKernelmode, l.UsageInKernelmode)
	out.CPU.TotalTicks = out.CPU.Percent / 100 * supervise.CoreMHz()
	return out
}
