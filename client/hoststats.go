package client

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/pause"
)

// keepTimes is how old an earlier look at the CPUs may be to compare with.
const keepTimes = 15 * time.Second

// cpuTimes remembers the last look at the CPUs: a percentage is a difference.
type cpuTimes struct {
	mu   sync.Mutex
	at   time.Time
	last map[string]cpuTime
}

// cpuTime is what one CPU has done since it started, in the kernel's ticks.
type cpuTime struct{ user, system, idle, total float64 }

// measure gives each CPU's percentages since the last look, or over a short
// while when that is too long ago.
func (t *cpuTimes) measure(ctx context.Context) ([]*api.HostCPUStats, error) {
	t.mu.Lock()
	last, at := t.last, t.at
	t.mu.Unlock()
	if age := time.Since(at); age > keepTimes || age < measureEvery {
		var err error
		if last, err = readCPUTimes(); err != nil {
			return nil, err
		}
		if !pause.For(ctx, measureEvery) {
			return nil, ctx.Err()
		}
	}
	now, err := readCPUTimes()
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	t.last, t.at = now, time.Now()
	t.mu.Unlock()
	out := make([]*api.HostCPUStats, 0, len(now))
	for name, n := range now {
		o := last[name]
		total := n.total - o.total
		if total <= 0 {
			total = 1
		}
		s := &api.HostCPUStats{
			CPU: name, User: 100 * (n.user - o.user) / total, System: 100 * (n.system - o.system) / total,
			Idle: 100 * (n.idle - o.idle) / total,
		}
		s.TotalPercent = max(0, 100-s.Idle)
		out = append(out, s)
	}
	sort.Slice(out, func(i, j int) bool {
		return len(out[i].CPU) < len(out[j].CPU) || len(out[i].CPU) == len(out[j].CPU) && out[i].CPU < out[j].CPU
	})
	return out, nil
}

// readCPUTimes reads /proc/stat (proc(5)): cpuN user nice system idle iowait irq softirq steal …
func readCPUTimes() (map[string]cpuTime, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return nil, fmt.Errorf("measure the CPUs: %w", err)
	}
	out := map[string]cpuTime{}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 9 || !strings.HasPrefix(fields[0], "cpu") || fields[0] == "cpu" {
			continue
		}
		var v [8]float64
		for i := range v {
			v[i], _ = strconv.ParseFloat(fields[i+1], 64)
		}
		c := cpuTime{user: v[0] + v[1], system: v[2] + v[5] + v[6], idle: v[3] + v[4]}
		c.total = c.user + c.system + c.idle + v[7]
		out[fields[0]] = c
	}
	return out, nil
}

func hostMemory() (*api.HostMemoryStats, error) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return nil, fmt.Errorf("measure memory: %w", err)
	}
	kb := map[string]uint64{}
	for line := range strings.Lines(string(text)) {
		name, rest, _ := strings.Cut(line, ":")
		if fields := strings.Fields(rest); len(fields) > 0 {
			kb[name], _ = strconv.ParseUint(fields[0], 10, 64)
		}
	}
	m := &api.HostMemoryStats{Total: kb["MemTotal"] << 10, Available: kb["MemAvailable"] << 10, Free: kb["MemFree"] << 10}
	m.Used = m.Total - m.Available
	return m, nil
}

// hostDisks measures the file systems on block devices, each once.
func hostDisks() ([]*api.HostDiskStats, error) {
	table, err := os.ReadFile("/proc/thread-self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("list mounts: %w", err)
	}
	out := []*api.HostDiskStats{}
	seen := map[string]bool{}
	for line := range strings.Lines(string(table)) {
		fields := strings.Fields(line)
		_, tail, ok := strings.Cut(line, " - ")
		source := strings.Fields(tail)
		if !ok || len(fields) < 5 || len(source) < 2 || !strings.HasPrefix(source[1], "/") || seen[source[1]] {
			continue
		}
		seen[source[1]] = true
		// One that is unmounted meanwhile is left out.
		if d, err := diskUsage(fields[4]); err == nil {
			d.Device = source[1]
			out = append(out, d)
		}
	}
	return out, nil
}

func diskUsage(path string) (*api.HostDiskStats, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return nil, fmt.Errorf("measure the disk of %s: %w", path, err)
	}
	block := uint64(st.Bsize)
	d := &api.HostDiskStats{
		Mountpoint: path, Size: st.Blocks * block, Available: st.Bavail * block, Used: (st.Blocks - st.Bfree) * block,
	}
	if use := d.Used + d.Available; use > 0 {
		d.UsedPercent = 100 * float64(d.Used) / float64(use)
	}
	if st.Files > 0 {
		d.InodesUsedPercent = 100 * float64(st.Files-st.Ffree) / float64(st.Files)
	}
	return d, nil
}

func uptime() uint64 {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return 0
	}
	return uint64(info.Uptime)
}
