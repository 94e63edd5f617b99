package rank

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/fleet"
)

func TestScores(t *testing.T) {
	for _, c := range []struct{ cpu, memory, binpack, spread float64 }{
		{0, 0, 1, 0}, // full
		{1, 1, 0, 1}, // empty
		{0.5, 0.5, (20 - 2*math.Sqrt(10)) / 18, (2*math.Sqrt(10) - 2) / 18},
		{0, 1, 0.5, 0.5},
	} {
		if got := Binpack(c.cpu, c.memory); math.Abs(got-c.binpack) > 1e-12 {
			t.Errorf("Binpack(%v, %v) = %v, want %v", c.cpu, c.memory, got, c.binpack)
		}
		if got := Spread(c.cpu, c.memory); math.Abs(got-c.spread) > 1e-12 {
			t.Errorf("Spread(%v, %v) = %v, want %v", c.cpu, c.memory, got, c.spread)
		}
	}
	if got := antiAffinity(2, 4); got != -0.75 {
		t.Errorf("antiAffinity(2, 4) = %v", got)
	}
	if name, _ := Algorithm(api.SchedulerSpread); name != api.SchedulerSpread {
		t.Errorf("spread is %s", name)
	}
	if name, _ := Algorithm(""); name != api.SchedulerBinpack {
		t.Errorf("no algorithm is %s", name)
	}
}

func TestHeapOrder(t *testing.T) {
	f := fleet.New()
	for i := range 50 {
		f.NodeUpsert(&api.Node{ID: string(rune('a' + i))})
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	var h candidates
	for i := range 25 {
		h = append(h, candidate{float64(rnd.IntN(4)), int32(i)})
	}
	want := slices.Clone(h)
	h.build(f)
	for i := 25; i < 50; i++ {
		c := candidate{float64(rnd.IntN(4)), int32(i)}
		h.push(c, f)
		want = append(want, c)
	}
	slices.SortFunc(want, func(a, b candidate) int {
		if better(a, b, f) {
			return -1
		}
		return 1
	})
	for i, w := range want {
		if got := h.pop(f); got != w {
			t.Fatalf("candidate %d is %v, want %v", i, got, w)
		}
	}
	if len(h) != 0 {
		t.Errorf("%d left", len(h))
	}
}
