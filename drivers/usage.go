package drivers

import (
	"context"
	"fmt"
	"time"
)

// ResourceUsage is one measurement of a task.
type ResourceUsage struct {
	Time   time.Time
	CPU    CPUUsage
	Memory MemoryUsage
	// PIDs has the same by process, where the driver can tell.
	PIDs map[string]ProcessUsage
	// Err is set when the stream of measurements broke; the other fields are then void.
	Err error
}

// ProcessUsage is the usage of one process.
type ProcessUsage struct {
	CPU    CPUUsage
	Memory MemoryUsage
}

// CPUUsage is CPU use. Percentages are of one core, so a task on two busy cores has 200; they need two measurements and are 0 in the first.
type CPUUsage struct {
	SystemPercent float64
	UserPercent   float64
	Percent       float64
	// TotalTicks is Percent in MHz.
	TotalTicks       float64
	ThrottledPeriods uint64
	ThrottledTime    time.Duration
	// Measured names the fields that the driver measures, as people know them: "System Mode", "User Mode", "Percent", …
	Measured []string
}

// MemoryUsage is memory use in bytes.
type MemoryUsage struct {
	RSS            uint64
	Cache          uint64
	Swap           uint64
	Usage          uint64
	MaxUsage       uint64
	KernelUsage    uint64
	KernelMaxUsage uint64
	// Measured names the fields that the driver measures: "RSS", "Cache", "Max Usage", …
	Measured []string
}

// Names of measured fields.
const (
	MeasuredSystem           = "System Mode"
	MeasuredUser             = "User Mode"
	MeasuredPercent          = "Percent"
	MeasuredTotalTicks       = "Total Ticks"
	MeasuredThrottledPeriods = "Throttled Periods"
	MeasuredThrottledTime    = "Throttled Time"

	MeasuredRSS            = "RSS"
	MeasuredCache          = "Cache"
	MeasuredSwap           = "Swap"
	MeasuredUsage          = "Usage"
	MeasuredMaxUsage       = "Max Usage"
	MeasuredKernelUsage    = "Kernel Usage"
	MeasuredKernelMaxUsage = "Kernel Max Usage"
)

// MeasuresAtOnce is whether the first measurement of d's Stats has percentages too, over the time since the last look at the task or since its
// start. Other drivers need two measurements.
func MeasuresAtOnce(d Driver) bool {
	m, ok := d.(interface{ MeasuresAtOnce() bool })
	return ok && m.MeasuresAtOnce()
}

// Usage takes one measurement. Percentages are then 0 unless the driver MeasuresAtOnce: follow Stats for those.
func Usage(ctx context.Context, s Stater, id string) (ResourceUsage, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ch, err := s.Stats(ctx, id, time.Hour)
	if err != nil {
		return ResourceUsage{}, err
	}
	select {
	case u, ok := <-ch:
		if !ok {
			return ResourceUsage{}, fmt.Errorf("task %s: no measurement: the task has ended", id)
		}
		return u, u.Err
	case <-ctx.Done():
		return ResourceUsage{}, ctx.Err()
	}
}
