package plugin

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/plugin/internal/wire/driver"
)

func usageToWire(id string, u drivers.ResourceUsage) *driver.TaskStatsResponse {
	out := &driver.TaskStats{Id: id, Timestamp: timestamppb.New(u.Time),
		AggResourceUsage: &driver.TaskResourceUsage{Cpu: cpuToWire(u.CPU), Memory: memoryToWire(u.Memory)}}
	for pid, p := range u.PIDs {
		if out.ResourceUsageByPid == nil {
			out.ResourceUsageByPid = map[string]*driver.TaskResourceUsage{}
		}
		out.ResourceUsageByPid[pid] = &driver.TaskResourceUsage{Cpu: cpuToWire(p.CPU), Memory: memoryToWire(p.Memory)}
	}
	return &driver.TaskStatsResponse{Stats: out}
}

func usageFromWire(r *driver.TaskStatsResponse) drivers.ResourceUsage {
	s := r.GetStats()
	agg := s.GetAggResourceUsage()
	out := drivers.ResourceUsage{Time: s.GetTimestamp().AsTime(), CPU: cpuFromWire(agg.GetCpu()), Memory: memoryFromWire(agg.GetMemory())}
	for pid, p := range s.GetResourceUsageByPid() {
		if out.PIDs == nil {
			out.PIDs = map[string]drivers.ProcessUsage{}
		}
		out.PIDs[pid] = drivers.ProcessUsage{CPU: cpuFromWire(p.GetCpu()), Memory: memoryFromWire(p.GetMemory())}
	}
	return out
}

func cpuToWire(c drivers.CPUUsage) *driver.CPUUsage {
	out := &driver.CPUUsage{SystemMode: c.SystemPercent, UserMode: c.UserPercent, TotalTicks: c.TotalTicks,
		ThrottledPeriods: c.ThrottledPeriods, ThrottledTime: uint64(c.ThrottledTime), Percent: c.Percent}
	for _, m := range c.Measured {
		out.MeasuredFields = append(out.MeasuredFields, numberIn[driver.CPUUsage_Fields](cpuFields, m))
	}
	return out
}

func cpuFromWire(c *driver.CPUUsage) drivers.CPUUsage {
	out := drivers.CPUUsage{SystemPercent: c.GetSystemMode(), UserPercent: c.GetUserMode(), TotalTicks: c.GetTotalTicks(),
		ThrottledPeriods: c.GetThrottledPeriods(), ThrottledTime: time.Duration(c.GetThrottledTime()), Percent: c.GetPercent()}
	for _, m := range c.GetMeasuredFields() {
		out.Measured = append(out.Measured, nameIn(cpuFields, m))
	}
	return out
}

func memoryToWire(m drivers.MemoryUsage) *driver.MemoryUsage {
	out := &driver.MemoryUsage{Rss: m.RSS, Cache: m.Cache, MaxUsage: m.MaxUsage, KernelUsage: m.KernelUsage,
		KernelMaxUsage: m.KernelMaxUsage, Usage: m.Usage, Swap: m.Swap}
	for _, f := range m.Measured {
		out.MeasuredFields = append(out.MeasuredFields, numberIn[driver.MemoryUsage_Fields](memoryFields, f))
	}
	return out
}

func memoryFromWire(m *driver.MemoryUsage) drivers.MemoryUsage {
	out := drivers.MemoryUsage{RSS: m.GetRss(), Cache: m.GetCache(), MaxUsage: m.GetMaxUsage(), KernelUsage: m.GetKernelUsage(),
		KernelMaxUsage: m.GetKernelMaxUsage(), Usage: m.GetUsage(), Swap: m.GetSwap()}
	for _, f := range m.GetMeasuredFields() {
		out.Measured = append(out.Measured, nameIn(memoryFields, f))
	}
	return out
}
