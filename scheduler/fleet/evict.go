package fleet

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/fit"
)

// Evictions are the answer to: what would have to go from each row, so that an
// amount of CPU, memory and disk fits? They are kept like a Shape.
type Evictions struct {
	f     *Fleet
	ask   need
	limit int // highest priority of what may go
	score Scorer
	pos   uint64

	// Possible are the rows where evictions make room, or waiting for what is
	// leaving; rows that have room already are not among them.
	Possible Bits
	// Fit is the score of the fit after the evictions, Cost that of what goes,
	// by row.
	Fit, Cost []float64
}

type evictionKey struct {
	ask       need
	algorithm string
	limit     int
}

// need is an amount of what allocations share.
type need struct{ cpu, memory, disk, allocs int64 }

func (n need) met() bool { return n.cpu <= 0 && n.memory <= 0 && n.disk <= 0 && n.allocs <= 0 }

func (n need) minus(t *tenant) need {
	return need{n.cpu - int64(t.cpu), n.memory - int64(t.memory), n.disk - int64(t.disk), n.allocs - 1}
}

// Evictions gives them for an amount and the highest priority that may go. The
// algorithm's name stands for the scorer.
func (f *Fleet) Evictions(ask *fit.Usage, limit int, algorithm string, score Scorer) *Evictions {
	key := evictionKey{need{ask.CPU, ask.Memory, ask.Disk, int64(ask.Allocs)}, algorithm, limit}
	e := f.evictions[key]
	if e == nil {
		if len(f.evictions) >= maxShapes/4 {
			clear(f.evictions)
		}
		e = &Evictions{f: f, ask: key.ask, limit: limit, score: score}
		e.grow(len(f.nodes))
		e.all()
		f.evictions[key] = e
	}
	e.Sync()
	return e
}

// Sync looks again at the rows that have changed.
func (e *Evictions) Sync() {
	f := e.f
	if e.pos < f.start {
		e.all()
		return
	}
	for _, row := range f.log[e.pos-f.start:] {
		e.row(row)
	}
	e.pos = f.start + uint64(len(f.log))
}

func (e *Evictions) all() {
	for row := range e.Fit {
		e.row(int32(row))
	}
	e.pos = e.f.start + uint64(len(e.f.log))
}

func (e *Evictions) grow(rows int) {
	e.Possible = e.Possible.grow(rows)
	e.Fit = append(e.Fit, make([]float64, rows-len(e.Fit))...)
	e.Cost = append(e.Cost, make([]float64, rows-len(e.Cost))...)
}

func (e *Evictions) row(row int32) {
	victims, waits, ok := e.choose(row)
	ok = ok && (len(victims) > 0 || waits)
	e.Possible.Set(row, ok)
	if !ok {
		return
	}
	has, used := &e.f.has[row], &e.f.used[row]
	cpu, memory := used.CPU+e.ask.cpu, used.Memory+e.ask.memory
	highest, sum := 0, 0
	for _, v := range victims {
		cpu -= int64(v.cpu)
		memory -= int64(v.memory)
		highest, sum = max(highest, v.priority()), sum+v.priority()
	}
	for i := range e.f.tenants[row] {
		if t := &e.f.tenants[row][i]; e.f.leaves(t) {
			cpu -= int64(t.cpu)
			memory -= int64(t.memory)
		}
	}
	e.Fit[row] = e.score(share(has.CPU, max(cpu, 0)), share(has.Memory, max(memory, 0)))
	e.Cost[row] = EvictionScore(highest, sum)
	if len(victims) == 0 {
		e.Cost[row] = NoVictims
	}
}

// NoVictims is above all sums of scores: to wait for what leaves anyway is
// better than any eviction.
const NoVictims = 1000

// EvictionScore says how little an eviction hurts, 0 to 1: the lower the highest
// priority of what goes and the fewer they are, the better.
func EvictionScore(highest, sum int) float64 {
	net := float64(highest)
	if highest > 0 {
		net += float64(sum) / float64(highest)
	}
	return 1 / (1 + math.Exp(0.0048*(net-2048)))
}

// Victims gives the allocations that have to go from a row, the least important
// first.
func (e *Evictions) Victims(row int32) []*api.Allocation {
	chosen, _, _ := e.choose(row)
	out := make([]*api.Allocation, len(chosen))
	for i, t := range chosen {
		out[i] = t.alloc
	}
	slices.SortFunc(out, byImportance)
	return out
}

func byImportance(a, b *api.Allocation) int {
	return cmp.Or(cmp.Compare(a.Job.Priority, b.Job.Priority), strings.Compare(a.ID, b.ID))
}

// choose takes allocations of the lowest priority first, of these those nearest
// to what is still needed, and lets go of what turns out not to be needed. What
// leaves anyway is waited for first. It gives false when all that may go is not
// enough.
func (e *Evictions) choose(row int32) (victims []*tenant, waits, ok bool) {
	short := e.short(row)
	if short.met() {
		return nil, false, true
	}
	list := e.f.tenants[row]
	for i := range list {
		if t := &list[i]; e.f.leaves(t) {
			short, waits = short.minus(t), true
		}
	}
	if short.met() {
		return nil, waits, true
	}
	var able []*tenant
	rest := short
	for i := range list {
		if t := &list[i]; e.f.mayGo(t, e.limit) {
			able = append(able, t)
			rest = rest.minus(t)
		}
	}
	if !rest.met() {
		return nil, waits, false
	}
	var chosen []*tenant
	for left := short; !left.met(); {
		best := 0
		for i := 1; i < len(able); i++ {
			if nearer(able[i], able[best], left) {
				best = i
			}
		}
		chosen = append(chosen, able[best])
		left = left.minus(able[best])
		able = slices.Delete(able, best, best+1)
	}
	return prune(chosen, short), waits, true
}

// short is what a row lacks for the amount.
func (e *Evictions) short(row int32) need {
	has, used := &e.f.has[row], &e.f.used[row]
	n := need{used.CPU + e.ask.cpu - has.CPU, used.Memory + e.ask.memory - has.Memory, used.Disk + e.ask.disk - has.Disk, 0}
	if has.Allocs > 0 {
		n.allocs = int64(used.Allocs) + e.ask.allocs - int64(has.Allocs)
	}
	return n
}

func nearer(a, b *tenant, left need) bool {
	if a.priority() != b.priority() {
		return a.priority() < b.priority()
	}
	if x, y := distance(a, left), distance(b, left); x != y {
		return x < y
	}
	return a.alloc.ID < b.alloc.ID
}

// distance says how far an allocation is from being just what is needed.
func distance(t *tenant, left need) float64 {
	sum := 0.0
	add := func(needed, gives int64) {
		if needed > 0 {
			x := float64(needed-gives) / float64(needed)
			sum += x * x
		}
	}
	add(left.cpu, int64(t.cpu))
	add(left.memory, int64(t.memory))
	add(left.disk, int64(t.disk))
	return sum
}

// prune lets go of those that the others make needless, the most important first.
func prune(chosen []*tenant, short need) []*tenant {
	if len(chosen) == 1 {
		return chosen
	}
	surplus := short
	for _, t := range chosen {
		surplus = surplus.minus(t)
	}
	slices.SortFunc(chosen, func(a, b *tenant) int { return -byImportance(a.alloc, b.alloc) })
	kept := chosen[:0]
	for _, t := range chosen {
		without := need{surplus.cpu + int64(t.cpu), surplus.memory + int64(t.memory), surplus.disk + int64(t.disk), surplus.allocs + 1}
		if without.met() {
			surplus = without
			continue
		}
		kept = append(kept, t)
	}
	return kept
}
