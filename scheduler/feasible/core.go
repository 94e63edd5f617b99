package feasible

import (
	"slices"
	"strconv"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/fit"
	"github.com/seraihq/serai/scheduler/fleet"
)

// ReasonCores is for nodes that never have so many cores to reserve, or not on
// one NUMA node where that is required.
const ReasonCores = "cores"

// cores demands that a node which is empty could give all cores.
func (out *Group) cores(f *fleet.Fleet, g *api.TaskGroup) {
	tasks := fit.CoresOf(g).Tasks
	if len(tasks) == 0 {
		return
	}
	key := "cores"
	for _, t := range tasks {
		key += "\x00" + strconv.Itoa(t.Count) + t.Affinity
	}
	out.add(ReasonCores, f.Filter(key, func(n *api.Node) bool {
		if n.NodeResources == nil || fit.PerCore(n) <= 0 {
			return false
		}
		all := slices.Clone(n.NodeResources.Cpu.ReservableCpuCores)
		slices.Sort(all)
		_, ok := fleet.ChooseCores(slices.Compact(all), fleet.Sockets(n), tasks)
		return ok
	}))
}
