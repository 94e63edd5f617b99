package supervise

import (
	"bufio"
	"context"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/internal/cgroup"
)

// minInterval keeps a careless caller from measuring all the time.
const minInterval = 100 * time.Millisecond

// Stats implements drivers.Stater.
func (s *Set) Stats(ctx context.Context, id string, interval time.Duration) (<-chan drivers.ResourceUsage, error) {
	t, err := s.tasks.Get(id)
	if err != nil {
		return nil, err
	}
	out := make(chan drivers.ResourceUsage)
	go func() {
		defer close(out)
		tick := time.NewTicker(max(interval, minInterval))
		defer tick.Stop()
		last := t.lastLook(time.Now())
		for {
			now := sample{at: time.Now(), usage: t.State.Group.Usage()}
			t.keepLook(now)
			t.tellForks()
			select {
			case out <- now.since(last):
			case <-t.done:
				return
			case <-ctx.Done():
				return
			}
			last = now
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

// MeasuresAtOnce says that the first measurement has percentages too; see drivers.MeasuresAtOnce.
func (s *Set) MeasuresAtOnce() bool { return true }

// looks are the last two looks at a task, at least minInterval apart.
type looks struct{ earlier, last sample }

// lastLook is a look at the task long enough before now to compare with, or its start, when it had used nothing.
func (t *Task) lastLook(now time.Time) sample {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range []sample{t.looks.last, t.looks.earlier} {
		if !s.at.IsZero() && now.Sub(s.at) >= minInterval {
			return s
		}
	}
	return sample{at: t.State.Started}
}

func (t *Task) keepLook(now sample) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now.at.Sub(t.looks.last.at) >= minInterval {
		t.looks.earlier, t.looks.last = t.looks.last, now
	}
}

type sample struct {
	at    time.Time
	usage cgroup.Usage
}

// since turns two samples into a measurement; percentages are 0 when there is no earlier one.
func (s sample) since(last sample) drivers.ResourceUsage {
	u := s.usage
	out := drivers.ResourceUsage{Time: s.at, Memory: drivers.MemoryUsage{
		RSS: u.RSS, Cache: u.Cache, Swap: u.Swap, Usage: u.Memory, MaxUsage: u.MemoryMax, KernelUsage: u.Kernel}}
	if u.HasMemory {
		out.Memory.Measured = []string{drivers.MeasuredRSS, drivers.MeasuredCache, drivers.MeasuredSwap, drivers.MeasuredUsage}
	}
	if u.HasMemoryMax {
		out.Memory.Measured = append(out.Memory.Measured, drivers.MeasuredMaxUsage)
	}
	if u.HasKernel {
		out.Memory.Measured = append(out.Memory.Measured, drivers.MeasuredKernelUsage)
	}
	if !u.HasCPU {
		return out
	}
	out.CPU.ThrottledPeriods, out.CPU.ThrottledTime = u.ThrottledPeriods, u.ThrottledTime
	out.CPU.Measured = []string{drivers.MeasuredSystem, drivers.MeasuredUser, drivers.MeasuredTotalTicks, drivers.MeasuredThrottledPeriods,
		drivers.MeasuredThrottledTime, drivers.MeasuredPercent}
	if elapsed := s.at.Sub(last.at); !last.at.IsZero() && elapsed > 0 {
		percent := func(d time.Duration) float64 { return 100 * max(0, float64(d)) / float64(elapsed) }
		out.CPU.Percent = percent(u.CPU - last.usage.CPU)
		out.CPU.UserPercent = percent(u.User - last.usage.User)
		out.CPU.SystemPercent = percent(u.System - last.usage.System)
		out.CPU.TotalTicks = out.CPU.Percent / 100 * CoreMHz()
	}
	return out
}

// CoreMHz is the speed of a core: the highest that the first can be clocked at, or its present one.
var CoreMHz = sync.OnceValue(func() float64 {
	if b, err := os.ReadFile("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq"); err == nil {
		if khz, err := strconv.ParseFloat(strings.TrimSpace(string(b)), 64); err == nil {
			return khz / 1000
		}
	}
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return 0
	}
	defer f.Close()
	for sc := bufio.NewScanner(f); sc.Scan(); {
		if name, value, _ := strings.Cut(sc.Text(), ":"); strings.TrimSpace(name) == "cpu MHz" {
			mhz, _ := strconv.ParseFloat(strings.TrimSpace(value), 64)
			return mhz
		}
	}
	return 0
})
