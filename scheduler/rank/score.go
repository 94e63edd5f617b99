package rank

import (
	"math"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/fleet"
)

// Names of scores, as shown in metrics.
const (
	ScoreBinpack      = "binpack"
	ScoreFragment     = "fragmentation-gradient-descent" // in place of binpack, on nodes with devices
	ScoreAntiAffinity = "job-anti-affinity"
	ScoreAffinity     = "node-affinity"
	ScoreSpread       = "allocation-spread"
	ScorePenalty      = "node-reschedule-penalty"
	ScoreDevices      = "devices"
	ScorePreemption   = "preemption"
)

// fullScore is the best that fitness can get: both resources used up.
const fullScore = 18.0

// fitness is 2 for a node that would be full and 20 for one that would stay
// empty, growing exponentially with the shares of CPU and memory that stay free
// ("BestFit v3", a heuristic from Google's published work on cluster packing).
func fitness(freeCPU, freeMemory float64) float64 { return pow10(freeCPU) + pow10(freeMemory) }

func pow10(x float64) float64 { return math.Exp(x * math.Ln10) }

// Binpack prefers nodes that a placement fills up: 0 to 1.
func Binpack(freeCPU, freeMemory float64) float64 {
	return min(max(20-fitness(freeCPU, freeMemory), 0), fullScore) / fullScore
}

// Spread prefers nodes that stay empty: 0 to 1.
func Spread(freeCPU, freeMemory float64) float64 {
	return min(max(fitness(freeCPU, freeMemory)-2, 0), fullScore) / fullScore
}

// Algorithm gives the name under which the fleet keeps the scores, and the scorer.
func Algorithm(name string) (string, fleet.Scorer) {
	if name == api.SchedulerSpread {
		return api.SchedulerSpread, Spread
	}
	return api.SchedulerBinpack, Binpack
}

// fitName gives the name of the score of the fit on a row.
func (s *Selector) fitName(row int32) string {
	if s.shape.ByDevices(row) {
		return ScoreFragment
	}
	return ScoreBinpack
}

// penalty is the score of a node where the allocation has failed before.
const penalty = -1

// antiAffinity is the score of a node that has allocations of the same group
// already: below 0, the worse the more there are for the count that is wanted.
func antiAffinity(collisions, count int) float64 {
	return max(-float64(collisions+1)/float64(max(count, 1)), -1)
}
