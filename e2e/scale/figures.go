package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// figures are what a run prints.
type figures struct {
	Shape       string `json:"shape"`
	Nodes       int    `json:"nodes"`
	Jobs        int    `json:"jobs"`
	Allocations int    `json:"allocations"`
	Connections int    `json:"connections"`
	Note        string `json:"note,omitempty"`

	SecondsToRegister float64 `json:"seconds_to_register_nodes"`
	SecondsToSubmit   float64 `json:"seconds_to_submit"`
	SecondsToPlaced   float64 `json:"seconds_to_placed"`
	SecondsToRunning  float64 `json:"seconds_to_running"`
	PlacementsPerSec  float64 `json:"placements_per_second"`
	JobsPerSec        float64 `json:"jobs_per_second"`
	P50               float64 `json:"register_to_placed_p50_ms"`
	P99               float64 `json:"register_to_placed_p99_ms"`

	ServerCPU        float64 `json:"server_cpu_seconds"`
	ClientsCPU       float64 `json:"clients_cpu_seconds"`
	ServerBase       float64 `json:"server_mib_before"`
	ServerPeak       float64 `json:"server_mib_peak"`
	ServerMiB        float64 `json:"server_mib_after"`
	LiveBase         float64 `json:"server_mib_live_heap_before"`
	ServerLive       float64 `json:"server_mib_live_heap"`
	BytesPerAlloc    float64 `json:"server_bytes_per_allocation"`
	LivePerAlloc     float64 `json:"server_live_heap_per_allocation"`
	LogBytesPerAlloc float64 `json:"log_bytes_per_allocation"`

	Messages int64 `json:"messages_to_nodes"`
	Reports  int64 `json:"reports_from_nodes"`

	Unplaceable   int    `json:"unplaceable_jobs,omitempty"`
	Preempted     int64  `json:"stopped_allocations,omitempty"`
	BrokenStreams int64  `json:"broken_streams,omitempty"`
	Overcommitted int    `json:"overcommitted_nodes"`
	LoadAverage   string `json:"load_average"`
}

func seconds(d time.Duration) float64 { return math.Round(d.Seconds()*1000) / 1000 }

// descriptors raises the limit of open files and has clients share connections
// where it does not suffice.
func descriptors(o *options) (connections int, note string) {
	const others = 500
	var l syscall.Rlimit
	_ = syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l)
	l.Cur = l.Max
	_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l)
	if room := int(min(l.Max, 1<<20)) - others; o.Conns == 0 && o.Nodes > room {
		o.Conns = max(1, room)
		note = fmt.Sprintf("at most %d open files (ulimit -Hn): %d clients share %d connections", l.Max, o.Nodes, o.Conns)
	}
	return cmp.Or(o.Conns, o.Nodes), note
}

// percentile gives the value below which a share of the sorted list is.
func percentile(list []time.Duration, share float64) float64 {
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	i := min(len(list)-1, int(share*float64(len(list))))
	return float64(list[i].Microseconds()) / 1000
}

// usage is what a process has used.
type usage struct {
	cpu  float64 // seconds
	rss  float64 // MiB
	peak float64 // MiB
}

func usageOf(pid int) usage {
	var u usage
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if _, rest, ok := strings.Cut(string(stat), ") "); ok {
		f := strings.Fields(rest)
		var user, system float64
		fmt.Sscan(f[11], &user)
		fmt.Sscan(f[12], &system)
		u.cpu = (user + system) / 100 // USER_HZ
	}
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(status)) {
		var kb float64
		switch {
		case strings.HasPrefix(line, "VmRSS:"):
			fmt.Sscanf(line, "VmRSS: %f", &kb)
			u.rss = kb / 1024
		case strings.HasPrefix(line, "VmHWM:"):
			fmt.Sscanf(line, "VmHWM: %f", &kb)
			u.peak = kb / 1024
		}
	}
	return u
}

func ownCPU() float64 {
	var r unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &r)
	return float64(r.Utime.Sec+r.Stime.Sec) + float64(r.Utime.Usec+r.Stime.Usec)/1e6
}

func loadAverage() string {
	b, _ := os.ReadFile("/proc/loadavg")
	f := strings.Fields(string(b))
	return strings.Join(f[:min(3, len(f))], " ")
}

// logSize gives the bytes that were written to the log. Its files are filled
// with zeros beforehand, and those that a snapshot made superfluous are gone.
func logSize(dir string) float64 {
	files, _ := filepath.Glob(filepath.Join(dir, "log", "*.wal"))
	var total float64
	for i, path := range files {
		var number int
		fmt.Sscanf(filepath.Base(path), "%x.wal", &number)
		b, _ := os.ReadFile(path)
		if i == 0 {
			total += float64(number-1) * float64(len(b))
		}
		total += float64(len(bytes.TrimRight(b, "\x00")))
	}
	return total
}

// liveHeap gives the bytes of heap that were live at the last collection.
func (s *server) liveHeap(ctx context.Context) float64 {
	text, err := s.fetch(ctx, "/debug/pprof/heap?gc=1&debug=1")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		var n float64
		if _, err := fmt.Sscanf(line, "# HeapAlloc = %f", &n); err == nil {
			return n / (1 << 20)
		}
	}
	return 0
}

func (s *server) fetch(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Address+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := s.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}

// profile writes a profile of the server in the background.
func (s *server) profile(ctx context.Context, dir, name, path string) (done <-chan struct{}) {
	ch := make(chan struct{})
	go func() {
		defer close(ch)
		if dir == "" {
			return
		}
		b, err := s.fetch(ctx, path)
		if err == nil {
			err = os.MkdirAll(dir, 0o755)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), b, 0o644)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "scale: profile", name+":", err)
		}
	}()
	return ch
}

// profileSelf writes a CPU profile of the clients, until end is called.
func profileSelf(dir string) (end func()) {
	if dir == "" {
		return func() {}
	}
	err := os.MkdirAll(dir, 0o755)
	var file *os.File
	if err == nil {
		file, err = os.Create(filepath.Join(dir, "clients.pprof"))
	}
	if err == nil {
		err = pprof.StartCPUProfile(file)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "scale: profile of the clients:", err)
		return func() {}
	}
	return func() {
		pprof.StopCPUProfile()
		_ = file.Close()
	}
}
