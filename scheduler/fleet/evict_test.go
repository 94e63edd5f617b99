package fleet

import (
	"fmt"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/fit"
)

// TestEvictionsAreKept changes allocations and transactions at random and
// compares the evictions that are kept with those that are made anew.
func TestEvictionsAreKept(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := New()
		for i := range 3 {
			n := node(fmt.Sprint("n", i))
			n.NodeResources.Cpu.CpuShares = 1000
			f.NodeUpsert(n)
		}
		jobs := []*api.Job{{ID: "a", Priority: 10}, {ID: "b", Priority: 20}, {ID: "c", Priority: 50}}
		allocs := map[string]*api.Allocation{}
		ask := &fit.Usage{CPU: 500, Allocs: 1}
		score := func(cpu, memory float64) float64 { return cpu + memory }
		kept := f.Evictions(ask, 30, "x", score)
		var holds []*Hold
		for step := range rapid.IntRange(1, 40).Draw(t, "steps") {
			id := fmt.Sprint("alloc", rapid.IntRange(0, 6).Draw(t, "alloc"))
			old := allocs[id]
			switch rapid.SampledFrom([]string{"put", "put", "stop", "end", "priority", "plan", "drop"}).Draw(t, "what") {
			case "put":
				if old != nil && fit.Counts(old) {
					continue
				}
				a := alloc(id, fmt.Sprint("n", rapid.IntRange(0, 2).Draw(t, "node")), int64(rapid.IntRange(1, 6).Draw(t, "cpu")*100))
				a.Job = rapid.SampledFrom(jobs).Draw(t, "job")
				f.AllocChange(old, a)
				allocs[id] = a
			case "stop", "end", "priority":
				if old == nil {
					continue
				}
				a := *old
				a.DesiredStatus = api.AllocDesiredStop
				f.AllocChange(old, &a)
				allocs[id] = &a
			case "plan":
				tx := f.Begin()
				row := int32(rapid.IntRange(0, 2).Draw(t, "row"))
				for _, v := range f.Evictions(ask, 30, "x", score).Victims(row) {
					tx.Doom(row, v)
				}
				tx.Take(row, ask)
				if rapid.Bool().Draw(t, "commit") {
					holds = append(holds, tx.Commit())
				} else {
					tx.Rollback()
				}
			case "drop":
				if len(holds) > 0 {
					f.Drop(holds[0])
					holds = holds[1:]
				}
			}
			kept.Sync()
			anew := &Evictions{f: f, ask: kept.ask, limit: 30, score: score}
			anew.grow(len(f.nodes))
			anew.all()
			for row := range int32(3) {
				if kept.Possible.Has(row) != anew.Possible.Has(row) || anew.Possible.Has(row) && (kept.Fit[row] != anew.Fit[row] || kept.Cost[row] != anew.Cost[row] || !reflect.DeepEqual(kept.Victims(row), anew.Victims(row))) {
					t.Fatalf("step %d: row %d: kept %v %v %v, anew %v %v %v", step, row, kept.Possible.Has(row), kept.Fit[row], kept.Cost[row], anew.Possible.Has(row), anew.Fit[row], anew.Cost[row])
				}
			}
		}
	})
}
