package agent

import (
	"context"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"syscall"
	"time"
)

const (
	// memoryEvery is how often it is looked at how busy the heap is.
	memoryEvery = 2 * time.Second
	// quietLooks is how many looks in a row must find it quiet.
	quietLooks = 3
	// quietCPU is how much processor's time a quiet agent may use between two
	// looks. One that lacks processors allocates little as well, and mostly
	// collects: fewer bytes to the next collection would be its end.
	quietCPU = memoryEvery * 15 / 100
	// wakeAfter is how soon after a collection the next one of a lean heap tells
	// that it is quiet no longer.
	wakeAfter = 10 * memoryEvery
	// busyPercent and quietPercent are how much the heap may grow between two
	// collections. Under load fewer collections are worth the memory, above all
	// while the heap is small: it may grow by a roomShare of the machine's memory
	// then, within leastRoom and mostRoom, up to mostPercent.
	busyPercent, quietPercent, mostPercent = 100, 25, 400
	roomShare                              = 16
	leastRoom, mostRoom                    = 128 << 20, 1536 << 20
	// quietShare is the share of the live heap that may be allocated between two
	// looks of a quiet agent.
	quietShare = 20
)

// memory has the agent collect rarely while it is busy, and give back what it
// does not need when it is quiet.
type memory struct {
	allocated uint64
	cpu       time.Duration
	room      uint64
	quiet     int
	lean      bool
}

// newMemory is for a machine with so many bytes of memory.
func newMemory(machine uint64) *memory {
	return &memory{room: min(mostRoom, max(leastRoom, machine/roomShare))}
}

// step looks at the processor's time that was ever used and the bytes that were
// ever allocated and that are live, and gives the percentage from now on. shrink
// says that memory is to be given back.
func (m *memory) step(cpu time.Duration, allocated, live uint64) (percent int, shrink bool) {
	fresh, used := allocated-m.allocated, cpu-m.cpu
	m.allocated, m.cpu = allocated, cpu
	if fresh > max(live, 16<<20)/quietShare || used > quietCPU {
		m.quiet = 0
	} else {
		m.quiet++
	}
	lean := m.quiet >= quietLooks || m.lean && m.quiet > 0
	shrink, m.lean = lean && !m.lean, lean
	if lean {
		return quietPercent, shrink
	}
	return m.busy(live), false
}

// wake ends the quiet between two looks: there was one collection after the other.
func (m *memory) wake(live uint64) (percent int) {
	m.quiet, m.lean = 0, false
	return m.busy(live)
}

// busy is the percentage under load.
func (m *memory) busy(live uint64) int {
	return int(min(mostPercent, max(busyPercent, m.room*100/max(live, 1))))
}

// tendMemory does so until ctx ends. Who sets GOGC or GOMEMLIMIT decides himself.
func tendMemory(ctx context.Context) {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	samples := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/live:bytes"}}
	tick := time.NewTicker(memoryEvery)
	defer tick.Stop()
	collected := make(chan struct{}, 1)
	onCollection(ctx, collected)
	m := newMemory(machineMemory())
	var last time.Time // a collection
	now := 0
	for {
		var percent int
		var shrink bool
		select {
		case <-ctx.Done():
			return
		case <-collected:
			before := last
			last = time.Now()
			if !m.lean || last.Sub(before) > wakeAfter {
				continue
			}
			metrics.Read(samples)
			percent = m.wake(samples[1].Value.Uint64())
		case <-tick.C:
			metrics.Read(samples)
			percent, shrink = m.step(usedCPU(), samples[0].Value.Uint64(), samples[1].Value.Uint64())
		}
		if percent != now {
			debug.SetGCPercent(percent)
			now = percent
		}
		if shrink {
			debug.FreeOSMemory()
		}
	}
}

// machineMemory gives the bytes of memory that the machine has; 0 when that
// cannot be told.
func machineMemory() uint64 {
	var i syscall.Sysinfo_t
	if syscall.Sysinfo(&i) != nil {
		return 0
	}
	return uint64(i.Totalram) * uint64(i.Unit)
}

// usedCPU gives the processor's time that the process has used.
func usedCPU() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// onCollection has c told of every collection until ctx ends: each finds an
// object that nothing points to, and leaves another.
func onCollection(ctx context.Context, c chan<- struct{}) {
	if ctx.Err() != nil {
		return
	}
	runtime.AddCleanup(new([64]byte), func(c chan<- struct{}) {
		select {
		case c <- struct{}{}:
		default:
		}
		onCollection(ctx, c)
	}, c)
}
