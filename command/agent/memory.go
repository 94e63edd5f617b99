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
	// quietFresh is how much a quiet agent may allocate between two looks.
	quietFresh = 64 << 20
	// shrinkEvery is how many looks there are between two times that all is given
	// back, which is a collection and the memory's way back from the kernel.
	shrinkEvery = 5
	// ownCollections is how soon those have happened that a new percentage and
	// memory that is given back make necessary.
	ownCollections = time.Second
	// mostBetween is more than there is between the collections of a busy heap.
	mostBetween = 10 * time.Second
	// busyPercent is how much the heap may grow between two collections, at least.
	// Under load fewer collections are worth the memory, above all while the heap
	// is small: it may grow by a roomShare of the machine's memory then, within
	// leastRoom and mostRoom, up to mostPercent.
	busyPercent, mostPercent = 100, 400
	roomShare                = 16
	leastRoom, mostRoom      = 128 << 20, 1536 << 20
	// A quiet agent collects as often as costs it 1/quietShare of a processor,
	// which marks markRate bytes a second: how much the heap grows meanwhile is a
	// share of it that follows from what is allocated alone, in steps of
	// quietPercent. A large heap, which would grow by more than quietRoom, is
	// collected more often.
	quietShare   = 100
	markRate     = 1 << 30
	quietPercent = 10
	quietRoom    = 192 << 20
)

// memory has the agent collect rarely while it is busy, and give back what it
// does not need when it is quiet.
type memory struct {
	allocated uint64
	cpu       time.Duration
	room      uint64
	quiet     int
	lean      bool
	fresh     uint64 // most that was lately allocated between two looks of a quiet agent
	shrunk    int    // looks since memory was given back
	owed      bool   // it was busy since then
}

// newMemory is for a machine with so many bytes of memory.
func newMemory(machine uint64) *memory {
	return &memory{room: min(mostRoom, max(leastRoom, machine/roomShare)), shrunk: shrinkEvery, owed: true}
}

// step looks at the processor's time that was ever used and the bytes that were
// ever allocated and that are live, and gives the percentage from now on. shrink
// says that memory is to be given back.
func (m *memory) step(cpu time.Duration, allocated, live uint64) (percent int, shrink bool) {
	fresh, used := allocated-m.allocated, cpu-m.cpu
	m.allocated, m.cpu = allocated, cpu
	m.shrunk++
	if fresh > quietFresh || used > quietCPU {
		m.stir()
		return m.busy(live), false
	}
	m.fresh = max(fresh, m.fresh-m.fresh/4)
	m.quiet++
	if m.lean = m.lean || m.quiet >= quietLooks; !m.lean {
		return m.busy(live), false
	}
	if shrink = m.owed && m.shrunk >= shrinkEvery; shrink {
		m.owed, m.shrunk = false, 0
	}
	return min(m.lazy(live), m.busy(live)), shrink
}

// stir ends the quiet.
func (m *memory) stir() { m.quiet, m.lean, m.fresh, m.owed = 0, false, 0, true }

// lazy is the percentage of a quiet agent.
func (m *memory) lazy(live uint64) int {
	rate := m.fresh / uint64(memoryEvery/time.Second)
	percent := min(rate*100*quietShare/markRate, quietRoom*100/max(live, 1))
	return (int(percent)/quietPercent + 1) * quietPercent
}

// wake ends the quiet between two looks when there was one collection after the
// other: the time between them is a third of what it was to be, or less.
func (m *memory) wake(between time.Duration, live uint64) (percent int, awake bool) {
	room := live * uint64(m.lazy(live)) / 100
	usual := time.Duration(room/max(m.fresh>>10, 1<<10)) * memoryEvery >> 10
	if !m.lean || between > min(usual/3, mostBetween) {
		return 0, false
	}
	m.stir()
	return m.busy(live), true
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
	var deaf time.Time // those before it are our own doing
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
			if !m.lean || last.Before(deaf) {
				continue
			}
			metrics.Read(samples)
			var awake bool
			if percent, awake = m.wake(last.Sub(before), samples[1].Value.Uint64()); !awake {
				continue
			}
		case <-tick.C:
			metrics.Read(samples)
			percent, shrink = m.step(usedCPU(), samples[0].Value.Uint64(), samples[1].Value.Uint64())
		}
		if percent != now {
			debug.SetGCPercent(percent)
			now = percent
			deaf = time.Now().Add(ownCollections)
		}
		if shrink {
			debug.FreeOSMemory()
			deaf = time.Now().Add(ownCollections)
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
