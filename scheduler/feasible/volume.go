package feasible

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/fleet"
)

// ReasonVolumes begins the reasons for nodes that lack a host volume, or have it
// read-only where it is to be written; which one it is follows.
const ReasonVolumes = "missing compatible host volumes"

// volumes demands the host volumes that a group names.
func (out *Group) volumes(f *fleet.Fleet, g *api.TaskGroup) {
	for _, name := range slices.Sorted(maps.Keys(g.Volumes)) {
		v := g.Volumes[name]
		if v == nil || v.Type != "host" {
			continue
		}
		source := v.Source
		if v.PerAlloc {
			source += "[…]"
		}
		key := "volumes\x00" + strconv.Itoa(g.Count) + "\x00" + v.Source + "\x00" + strconv.FormatBool(v.PerAlloc)
		out.add(fmt.Sprintf("%s: no %s", ReasonVolumes, source), f.Filter(key, func(n *api.Node) bool {
			return offers(n, v, g.Count, false)
		}))
		if !v.ReadOnly {
			out.add(fmt.Sprintf("%s: %s is read-only", ReasonVolumes, source), f.Filter(key+"\x00written", func(n *api.Node) bool {
				return offers(n, v, g.Count, true)
			}))
		}
	}
}

// offers says whether a node has what a volume asks for; where each allocation
// has one of its own, whether it has any of them.
func offers(n *api.Node, v *api.VolumeRequest, count int, written bool) bool {
	suits := func(has *api.HostVolumeInfo) bool { return has != nil && !(has.ReadOnly && written) }
	if !v.PerAlloc {
		return suits(n.HostVolumes[v.Source])
	}
	for i := range count {
		if suits(n.HostVolumes[own(v.Source, i)]) {
			return true
		}
	}
	return false
}

func own(source string, index int) string { return source + "[" + strconv.Itoa(index) + "]" }

// PerAlloc says whether allocations of a group differ in what they demand, for
// each has volumes of its own.
func PerAlloc(g *api.TaskGroup) bool {
	for _, v := range g.Volumes {
		if v != nil && v.PerAlloc && v.Type == "host" {
			return true
		}
	}
	return false
}

// ForIndex gives the demands of one allocation of a group, by the number in its
// name.
func ForIndex(f *fleet.Fleet, job *api.Job, g *api.TaskGroup, index int) *Group {
	if !PerAlloc(g) || index < 0 {
		return For(f, job, g)
	}
	one := *g
	one.Volumes = maps.Clone(g.Volumes)
	for name, v := range one.Volumes {
		if v != nil && v.PerAlloc {
			x := *v
			x.Source, x.PerAlloc = own(v.Source, index), false
			one.Volumes[name] = &x
		}
	}
	return For(f, job, &one)
}
