package agent

import (
	"context"
	"runtime"
	"testing"
	"time"
)

func TestMemoryFollowsTheLoad(t *testing.T) {
	const live = 100 << 20
	m := newMemory(6 << 30) // room for 384 MiB
	allocated, cpu := uint64(0), time.Duration(0)
	for i, look := range []struct {
		fresh   uint64
		used    time.Duration
		percent int
		shrink  bool
	}{
		{50 << 20, time.Second, 384, false}, // starting
		{1 << 20, 0, 384, false},
		{1 << 20, 0, 384, false},
		{1 << 20, 0, quietPercent, true}, // quiet for long enough
		{2 << 20, 0, quietPercent, false},
		{20 << 20, 0, 10 * quietPercent, false}, // 10 MiB a second, which takes ten for the whole heap again
		{1 << 20, 0, 8 * quietPercent, false},   // for a while
		{80 << 20, 0, 384, false},               // busy at once
		{1 << 20, 0, 384, false},
		{1 << 20, 0, 384, false},
		{1 << 20, quietCPU + 1, 384, false}, // it gets little done, and not for want of work
		{0, 0, 384, false},
		{0, 0, 384, false},
		{0, quietCPU, quietPercent, true},
		{0, quietCPU + 1, 384, false},
		{0, 0, 384, false},
		{0, 0, 384, false},
		{0, 0, quietPercent, false}, // lean, but memory was given back a moment ago
		{0, 0, quietPercent, true},
		{0, 0, quietPercent, false},
		{0, quietCPU + 1, 384, false},
	} {
		allocated, cpu = allocated+look.fresh, cpu+look.used
		if percent, shrink := m.step(cpu, allocated, live); percent != look.percent || shrink != look.shrink {
			t.Errorf("look %d: %d %%, shrink %v", i, percent, shrink)
		}
	}
	for live, want := range map[uint64]int{0: mostPercent, 10 << 20: mostPercent, 128 << 20: 300, 10 << 30: busyPercent} {
		if percent, _ := newMemory(6<<30).step(0, 1<<40, live); percent != want {
			t.Errorf("%d bytes live: %d %%, want %d", live, percent, want)
		}
	}
	for machine, want := range map[uint64]uint64{0: leastRoom, 1 << 30: leastRoom, 8 << 30: 512 << 20, 1 << 40: mostRoom} {
		if room := newMemory(machine).room; room != want {
			t.Errorf("a machine of %d bytes: room for %d, want %d", machine, room, want)
		}
	}
	m.quiet, m.lean, m.allocated, m.cpu = 5, true, 0, 0
	m.fresh = 20 << 20
	if percent, awake := m.wake(4*time.Second, live); awake || !m.lean { // the 100 MiB take ten seconds
		t.Errorf("awake: %d %%, lean %v", percent, m.lean)
	}
	if percent, awake := m.wake(time.Second, live); !awake || percent != 384 || m.lean {
		t.Errorf("not awake: %d %%, lean %v", percent, m.lean)
	}
	if percent, shrink := m.step(0, 1<<20, live); percent != 384 || shrink {
		t.Errorf("after that: %d %%, shrink %v", percent, shrink)
	}
	if _, awake := m.wake(0, live); awake {
		t.Error("woken twice")
	}
}

// TestQuietCollectionsAreCheap adds up what collections cost a quiet agent.
func TestQuietCollectionsAreCheap(t *testing.T) {
	for _, live := range []uint64{20 << 20, 200 << 20, 2 << 30} {
		for _, fresh := range []uint64{0, 1 << 20, 10 << 20, quietFresh} {
			m := newMemory(64 << 30)
			percent, allocated := 0, uint64(0)
			for range 10 {
				allocated += fresh
				percent, _ = m.step(0, allocated, live)
			}
			room := float64(live) * float64(percent) / 100
			share := float64(fresh) / memoryEvery.Seconds() / room * float64(live) / markRate
			if share > 1.0/quietShare && percent < m.busy(live) && room < quietRoom {
				t.Errorf("%d bytes live, %d fresh: %d %% cost %.3f of a processor", live, fresh, percent, share)
			}
		}
	}
}

// Collections are told, each once, until the end.
func TestCollectionsAreTold(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c := make(chan struct{}, 1)
	onCollection(ctx, c)
	for range 2 {
		runtime.GC()
		<-c
	}
}
