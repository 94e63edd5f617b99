package sim

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/fit"
)

// By what the spare capacity is asked for.
const (
	SpareByNode       = "node"
	SpareByDatacenter = "datacenter"
	SpareByClass      = "class"
	SpareByPool       = "pool"
)

// Spare says what would not fit if one unit (a node, a datacenter, …) were lost:
// the N+1 report.
type Spare struct {
	By      string
	Units   int       // that there are
	Looked  int       // that were tried; fewer than Units: the fullest and a sample of the others
	Failing int       // of those looked at, after whose loss something does not fit
	Losses  []*Outage // worst first
}

// Outage is what the loss of a unit comes to.
type Outage struct {
	Unit        string
	Nodes       int
	Allocations int // that ran there
	Moved       int
	Unplaced    int      // that fitted before
	Jobs        []string // with something unplaced, up to maxOutageJobs
}

const maxOutageJobs = 5

// unit is some nodes that could be lost together.
type unit struct {
	name  string
	nodes []*api.Node
	used  float64 // of the whole fleet, the larger of CPU and memory
	count int
}

// Spares tries to lose each unit alone. At most limit are tried; the world is as
// it was afterwards.
func Spares(w *World, by string, limit int, unplaced []*Unplaced) (*Spare, error) {
	units, err := w.units(by)
	if err != nil {
		return nil, err
	}
	s := &Spare{By: by, Units: len(units)}
	before := map[groupKey]int{}
	for _, u := range unplaced {
		before[groupKey{u.Namespace, u.Job, u.Group}] = u.Count
	}
	for _, u := range sample(units, limit) {
		o, err := w.outage(u, before)
		if err != nil {
			return nil, err
		}
		s.Looked++
		if o.Unplaced > 0 {
			s.Failing++
		}
		s.Losses = append(s.Losses, o)
	}
	slices.SortStableFunc(s.Losses, func(a, b *Outage) int {
		return cmp.Or(cmp.Compare(b.Unplaced, a.Unplaced), cmp.Compare(b.Allocations, a.Allocations), strings.Compare(a.Unit, b.Unit))
	})
	return s, nil
}

func (w *World) outage(u *unit, before map[groupKey]int) (*Outage, error) {
	mark := w.Mark()
	defer w.Undo(mark)
	o := &Outage{Unit: u.name, Nodes: len(u.nodes), Allocations: u.count}
	x := newEngine(w)
	x.full = false
	if err := x.settle(w.lose(u.nodes)); err != nil {
		return nil, err
	}
	o.Moved = x.moved
	names := map[string]bool{}
	for k, y := range x.unplaced {
		if n := y.Count - before[k]; n > 0 {
			o.Unplaced += n
			names[k.job] = true
		}
	}
	for name := range names {
		o.Jobs = append(o.Jobs, name)
	}
	slices.Sort(o.Jobs)
	o.Jobs = o.Jobs[:min(len(o.Jobs), maxOutageJobs)]
	return o, nil
}

// units gives what could be lost, the fullest first.
func (w *World) units(by string) ([]*unit, error) {
	name := map[string]func(*api.Node) string{
		SpareByNode:       func(n *api.Node) string { return n.Name },
		SpareByDatacenter: func(n *api.Node) string { return n.Datacenter },
		SpareByClass:      func(n *api.Node) string { return n.NodeClass },
		SpareByPool:       func(n *api.Node) string { return n.NodePool },
	}[by]
	if name == nil {
		return nil, fmt.Errorf("%q is nothing that can be lost: take node, datacenter, class or pool", by)
	}
	total := w.Utilisation().Total
	found := map[string]*unit{}
	var out []*unit
	for _, n := range w.Nodes(func(n *api.Node) bool { return n.Status != api.NodeStatusDown }) {
		key := name(n)
		if by == SpareByNode {
			key = n.ID
		}
		u := found[key]
		if u == nil {
			u = &unit{name: name(n)}
			found[key] = u
			out = append(out, u)
		}
		u.nodes = append(u.nodes, n)
		row, _ := w.fleet.Row(n.ID)
		used := w.fleet.Used(row)
		u.count += used.Allocs
		u.used += max(part(used.CPU, total.Dimensions[fit.DimensionCPU]), part(used.Memory, total.Dimensions[fit.DimensionMemory]))
	}
	slices.SortStableFunc(out, func(a, b *unit) int {
		return cmp.Or(cmp.Compare(b.used, a.used), strings.Compare(a.name, b.name))
	})
	return out, nil
}

func part(n int64, of *Amount) float64 {
	if of.Has <= 0 {
		return 0
	}
	return float64(n) / float64(of.Has)
}

// sample takes the fullest half of limit, and the rest evenly from the others.
func sample(units []*unit, limit int) []*unit {
	if len(units) <= limit {
		return units
	}
	out := slices.Clone(units[:limit/2])
	rest := units[limit/2:]
	for i := range limit - limit/2 {
		out = append(out, rest[i*len(rest)/(limit-limit/2)])
	}
	return out
}
