package fleet

import (
	"math"

	"github.com/seraihq/serai/scheduler/fit"
)

// maxShapes bounds how many shapes are kept; each costs 9 bytes per row, 23 MB in
// all for 5,000 rows.
const maxShapes = 512

// Scorer gives the score of a node from the shares of CPU and memory, 0 to 1,
// that would be free on it after the placement.
type Scorer func(freeCPU, freeMemory float64) float64

type shapeKey struct {
	cpu, memory, disk int64
	allocs            int
	algorithm, extra  string
}

// Extra is what a shape looks at beyond CPU, memory, disk and numbers of
// allocations. Key tells it from others; the functions must depend on the key and
// on the fleet alone. A nil function changes nothing.
type Extra struct {
	Key string
	// CPU gives the MHz that are asked for, where that depends on the node.
	CPU func(row int32) int64
	// Short says whether a row that has the amounts is short of something else.
	Short func(row int32) Shortage
	// Score gives the score of a row with devices, in place of the plain one.
	Score func(row int32, plain float64) float64
	// Epoch gives a number that changes when all rows must be scored again.
	Epoch func() uint64
}

// Shape is an amount of resources with every row's score for it. Rows are
// scored again only when what is free on them has changed.
type Shape struct {
	f     *Fleet
	ask   fit.Usage
	score Scorer
	extra Extra
	pos   uint64 // of the fleet's log, up to which rows are scored
	epoch uint64 // of what extra looks at

	// Score is by row and has a meaning where Short is 0.
	Score []float64
	// Short is 0 where the amount fits, else tells of what there is too little.
	Short []Shortage
}

// Shortage is what a row is short of.
type Shortage uint8

// Shortages, in the order in which they are looked for.
const (
	Enough Shortage = iota
	ShortCPU
	ShortMemory
	ShortDisk
	ShortAllocs
	ShortCores
	ShortDevices
	Shortages // how many values there are
)

// String gives the dimension as users see it.
func (s Shortage) String() string {
	return [Shortages]string{"", fit.DimensionCPU, fit.DimensionMemory, fit.DimensionDisk, fit.DimensionMaxAllocs, fit.DimensionCores, fit.DimensionDevices}[s]
}

// Free gives the CPU and memory that a row has left.
func (f *Fleet) Free(row int32) (cpu, memory int64) {
	return f.has[row].CPU - f.used[row].CPU, f.has[row].Memory - f.used[row].Memory
}

// Shape gives the scores for an amount. The algorithm's name stands for the
// scorer in the key under which the scores are kept.
func (f *Fleet) Shape(ask *fit.Usage, algorithm string, score Scorer, extra Extra) *Shape {
	key := shapeKey{ask.CPU, ask.Memory, ask.Disk, ask.Allocs, algorithm, extra.Key}
	s := f.shapes[key]
	if s == nil {
		if len(f.shapes) >= maxShapes {
			clear(f.shapes)
		}
		s = &Shape{f: f, score: score, extra: extra, ask: fit.Usage{CPU: ask.CPU, Memory: ask.Memory, Disk: ask.Disk, Allocs: ask.Allocs}}
		s.grow(len(f.nodes))
		s.all()
		f.shapes[key] = s
	}
	s.Sync()
	return s
}

// Sync scores the rows again that have changed.
func (s *Shape) Sync() {
	f := s.f
	end := f.start + uint64(len(f.log))
	if s.pos < f.start || s.extra.Epoch != nil && s.extra.Epoch() != s.epoch {
		s.all()
		return
	}
	for _, row := range f.log[s.pos-f.start:] {
		s.row(row)
	}
	s.pos = end
}

func (s *Shape) all() {
	if s.extra.Epoch != nil {
		s.epoch = s.extra.Epoch()
	}
	for row := range s.Score {
		s.row(int32(row))
	}
	s.pos = s.f.start + uint64(len(s.f.log))
}

func (s *Shape) grow(rows int) {
	s.Score = append(s.Score, make([]float64, rows-len(s.Score))...)
	s.Short = append(s.Short, make([]Shortage, rows-len(s.Short))...)
}

func (s *Shape) row(row int32) {
	has, used := &s.f.has[row], &s.f.used[row]
	if s.extra.CPU != nil && s.f.nodes[row] != nil {
		s.ask.CPU = s.extra.CPU(row)
	}
	s.Short[row] = short(has, used, &s.ask)
	if s.Short[row] == Enough && s.extra.Short != nil {
		s.Short[row] = s.extra.Short(row)
	}
	if s.Short[row] != Enough {
		return
	}
	s.Score[row] = s.score(share(has.CPU, used.CPU+s.ask.CPU), share(has.Memory, used.Memory+s.ask.Memory))
	if s.ByDevices(row) {
		s.Score[row] = s.extra.Score(row, s.Score[row])
	}
}

// ByDevices says whether a row's score is that of Extra.
func (s *Shape) ByDevices(row int32) bool {
	return s.extra.Score != nil && len(s.f.devices[row]) > 0
}

// share gives the part of has that is not used, 0 to 1.
func share(has, used int64) float64 {
	if has <= 0 {
		return 0
	}
	return math.Max(0, 1-float64(used)/float64(has))
}

func short(has, used, ask *fit.Usage) Shortage {
	switch dimension, ok := fit.Amounts(has, used, ask); {
	case ok:
		return Enough
	case dimension == fit.DimensionCPU:
		return ShortCPU
	case dimension == fit.DimensionMemory:
		return ShortMemory
	case dimension == fit.DimensionDisk:
		return ShortDisk
	}
	return ShortAllocs
}
