package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/seraihq/serai/drivers"
)

// Stats measures a task at once and then every interval, until it ends or ctx does.
func (d *Driver) Stats(ctx context.Context, id string, interval time.Duration) (<-chan drivers.ResourceUsage, error) {
	t, err := d.task(id)
	if err != nil {
		return nil, err
	}
	if interval <= 0 {
		return nil, fmt.Errorf("task %s: stats every %v: the interval must be more than 0", id, interval)
	}
	out := make(chan drivers.ResourceUsage)
	go func() {
		defer close(out)
		tick := time.NewTicker(interval)
		defer tick.Stop()
		var last sample
		for {
			now := measure(t.Group)
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

// sample is one look at a group: CPU time since its start, and resident memory now.
type sample struct {
	at     time.Time
	cpu    time.Duration
	memory uint64
}

func measure(group string) sample {
	s := sample{at: time.Now()}
	text, _ := os.ReadFile(filepath.Join(group, "cpu.stat"))
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(line, "usage_usec "); ok {
			n, _ := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
			s.cpu = time.Duration(n) * time.Microsecond
		}
	}
	procs, _ := os.ReadFile(filepath.Join(group, "cgroup.procs"))
	for _, pid := range strings.Fields(string(procs)) {
		statm, _ := os.ReadFile("/proc/" + pid + "/statm")
		if f := strings.Fields(string(statm)); len(f) > 1 {
			pages, _ := strconv.ParseUint(f[1], 10, 64)
			s.memory += pages * uint64(os.Getpagesize())
		}
	}
	return s
}

// since is the usage between two samples; percentages are of one core and need both.
func (s sample) since(last sample) drivers.ResourceUsage {
	u := drivers.ResourceUsage{Time: s.at, Memory: drivers.MemoryUsage{RSS: s.memory, Measured: []string{drivers.MeasuredRSS}},
		CPU: drivers.CPUUsage{Measured: []string{drivers.MeasuredPercent}}}
	if wall := s.at.Sub(last.at); !last.at.IsZero() && wall > 0 {
		u.CPU.Percent = 100 * float64(s.cpu-last.cpu) / float64(wall)
	}
	return u
}
