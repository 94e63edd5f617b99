package fleet

import (
	"slices"
	"strconv"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/fit"
)

// FreeCores gives the cores of a row that may be reserved and are not in use,
// lowest first.
func (f *Fleet) FreeCores(row int32) []uint16 {
	has, used := f.has[row].Cores, f.used[row].Cores
	free := make([]uint16, 0, len(has))
	for _, c := range has {
		if _, taken := slices.BinarySearch(used, c); !taken {
			free = append(free, c)
		}
	}
	slices.Sort(free)
	return slices.Compact(free)
}

// Sockets gives the cores of each NUMA node of a node, as its attributes tell
// ("numa.node.count", "numa.node0.cores" = "0-3,8-11"); nil: it tells nothing.
func Sockets(n *api.Node) [][]uint16 {
	count, err := strconv.Atoi(n.Attributes["numa.node.count"])
	if err != nil || count < 1 || count > 1024 {
		return nil
	}
	out := make([][]uint16, 0, count)
	for i := range count {
		if cores := coreList(n.Attributes["numa.node"+strconv.Itoa(i)+".cores"]); len(cores) > 0 {
			out = append(out, cores)
		}
	}
	return out
}

func coreList(list string) []uint16 {
	var out []uint16
	for _, r := range fit.ParsePorts(list) { // of the same form and size
		for c := int(r[0]); c <= int(r[1]); c++ {
			out = append(out, uint16(c))
		}
	}
	return out
}

// ChooseCores chooses cores for the tasks of a group among those that are free,
// which are sorted: the lowest, on one NUMA node where a task wants that and the
// node tells of it. It gives false when there are not enough.
func ChooseCores(free []uint16, sockets [][]uint16, tasks []fit.CoreTask) ([][]uint16, bool) {
	out := make([][]uint16, len(tasks))
	free = slices.Clone(free)
	// Those that must be near come first, then those that would like to.
	for _, affinity := range []string{"require", "prefer", "none"} {
		for i, t := range tasks {
			if t.Affinity != affinity {
				continue
			}
			if affinity != "none" {
				out[i] = onOneSocket(free, sockets, t.Count)
			}
			if out[i] == nil {
				if affinity == "require" || len(free) < t.Count {
					return nil, false
				}
				out[i] = slices.Clone(free[:t.Count])
			}
			free = slices.DeleteFunc(free, func(c uint16) bool { return slices.Contains(out[i], c) })
		}
	}
	return out, true
}

// onOneSocket takes cores of the NUMA node that has the fewest left over.
func onOneSocket(free []uint16, sockets [][]uint16, count int) []uint16 {
	var best []uint16
	for _, s := range sockets {
		var here []uint16
		for _, c := range free {
			if slices.Contains(s, c) {
				here = append(here, c)
			}
		}
		if len(here) >= count && (best == nil || len(here) < len(best)) {
			best = here
		}
	}
	if best == nil {
		return nil
	}
	return best[:count]
}
