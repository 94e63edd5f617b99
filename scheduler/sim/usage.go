package sim

import (
	"slices"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/fit"
)

// Utilisation is how full the nodes are that are not down.
type Utilisation struct {
	Total       *Load
	Datacenters map[string]*Load
	Classes     map[string]*Load // by node class; nodes without one are left out
}

// Load is how full some nodes are. Dimensions are cpu (MHz), memory and disk (MB).
type Load struct {
	Nodes       int
	Allocations int
	Dimensions  map[string]*Amount
}

// Amount is what there is of something and what of it is in use.
type Amount struct{ Has, Used int64 }

// Share gives the part in use, 0 to 1; 0 where there is nothing.
func (a *Amount) Share() float64 {
	if a == nil || a.Has <= 0 {
		return 0
	}
	return float64(a.Used) / float64(a.Has)
}

// Dimensions are what a load has amounts of, in the order in which they are shown.
var Dimensions = []string{fit.DimensionCPU, fit.DimensionMemory, fit.DimensionDisk}

// Utilisation adds up the nodes.
func (w *World) Utilisation() *Utilisation {
	u := &Utilisation{Total: newLoad(), Datacenters: map[string]*Load{}, Classes: map[string]*Load{}}
	for row := range int32(w.fleet.Rows()) {
		n := w.fleet.Node(row)
		if n == nil || n.Status == api.NodeStatusDown {
			continue
		}
		has, used := fit.Capacity(n), w.fleet.Used(row)
		u.Total.add(&has, used)
		of(u.Datacenters, n.Datacenter).add(&has, used)
		if n.NodeClass != "" {
			of(u.Classes, n.NodeClass).add(&has, used)
		}
	}
	return u
}

func newLoad() *Load {
	l := &Load{Dimensions: map[string]*Amount{}}
	for _, d := range Dimensions {
		l.Dimensions[d] = &Amount{}
	}
	return l
}

func of(loads map[string]*Load, key string) *Load {
	if loads[key] == nil {
		loads[key] = newLoad()
	}
	return loads[key]
}

func (l *Load) add(has, used *fit.Usage) {
	l.Nodes++
	l.Allocations += used.Allocs
	for d, x := range map[string][2]int64{
		fit.DimensionCPU: {has.CPU, used.CPU}, fit.DimensionMemory: {has.Memory, used.Memory}, fit.DimensionDisk: {has.Disk, used.Disk},
	} {
		l.Dimensions[d].Has += x[0]
		l.Dimensions[d].Used += x[1]
	}
}

// Nodes gives the nodes that a test holds for, by name.
func (w *World) Nodes(test func(*api.Node) bool) []*api.Node {
	var out []*api.Node
	for row := range int32(w.fleet.Rows()) {
		if n := w.fleet.Node(row); n != nil && test(n) {
			out = append(out, n)
		}
	}
	slices.SortFunc(out, byName)
	return out
}

func byName(a, b *api.Node) int {
	if c := strings.Compare(a.Name, b.Name); c != 0 {
		return c
	}
	return strings.Compare(a.ID, b.ID)
}
