package fleet

import (
	"math"

	"github.com/seraihq/serai/scheduler/fit"
)

// maxShapes bounds how many shapes are kept; each costs 9 bytes per row.
const maxShapes = 128

// Scorer gives the score of a node from the shares of CPU and memory, 0 to 1,
// that would be free on it after the placement.
type Scorer func(freeCPU, freeMemory float64) float64

type shapeKey struct {
	cpu, memory, disk int64
	allocs            int
	algorithm         string
}

// Shape is an amount of resources with every row's score for it. Rows are
// scored again only when what is free on them has changed.
type Shape struct {
	f     *Fleet
	ask   fit.Usage
	score Scorer
	pos   uint64 // of the fleet's log, up to which rows are scored

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
	Shortages // how many values there are
)

// String gives the dimension as users see it.
func (s Shortage) String() string {
	return [Shortages]string{"", fit.DimensionCPU, fit.DimensionMemory, fit.DimensionDisk, fit.DimensionMaxAllocs}[s]
}

// Shape gives the scores for an amount. The algorithm's name stands for the
// scorer in the key under which the scores are kept.
func (f *Fleet) Shape(ask *fit.Usage, algorithm string, score Scorer) *Shape {
	key := shapeKey{ask.CPU, ask.Memory, ask.Disk, ask.Allocs, algorithm}
	s := f.shapes[key]
	if s == nil {
		if len(f.shapes) >= maxShapes {
			clear(f.shapes)
		}
		s = &Shape{f: f, score: score, ask: fit.Usage{CPU: ask.CPU, Memory: ask.Memory, Disk: ask.Disk, Allocs: ask.Allocs}}
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
	if s.pos < f.start {
		s.all()
		return
	}
	for _, row := range f.log[s.pos-f.start:] {
		s.row(row)
	}
	s.pos = end
}

func (s *Shape) all() {
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
	s.Short[row] = short(has, used, &s.ask)
	if s.Short[row] == Enough {
		s.Score[row] = s.score(share(has.CPU, used.CPU+s.ask.CPU), share(has.Memory, used.Memory+s.ask.Memory))
	}
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
