package fleet

import (
	"hash/fnv"
	"iter"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/fit"
)

// Fleet is the index. The zero value is not ready; use New.
type Fleet struct {
	byID       map[string]int32
	nodes      []*api.Node // by row; nil: the row has no node
	has        []fit.Usage // what the node has for allocations
	used       []fit.Usage
	net        []network
	freePorts  []int32
	takenPorts []PortFilter
	tie        []uint64 // order between rows of equal score, from the node's ID
	ids        []string // of the last node of the row
	tenants    [][]tenant
	devices    [][]DeviceGroup
	free       []int32 // rows to use again
	live       Bits    // rows with a node
	ready      Bits    // rows whose node takes new allocations

	filters   map[string]*filter
	columns   map[string]*Column
	weights   map[string]*Weights
	shapes    map[shapeKey]*Shape
	evictions map[evictionKey]*Evictions
	matches   map[string]*DeviceMatch

	classes      map[string]int32 // numbers of devices that are alike
	kinds        kinds            // of allocations with devices
	typical      []*TypicalAsk
	typicalStale bool
	epoch        uint64 // of typical

	doomed map[string]bool // allocations that plans on their way preempt
	safe   map[string]bool // allocations that the plan being made must not preempt
	heirs  map[string]bool // allocations whose room goes to what replaces them

	log   []int32 // rows whose free resources changed, in order
	start uint64  // position of log[0] since the beginning

	last  *api.AllocatedResources // memo of usageOf
	lastU *fit.Usage
}

// New gives a fleet without nodes.
func New() *Fleet {
	return &Fleet{
		byID:      map[string]int32{},
		filters:   map[string]*filter{},
		columns:   map[string]*Column{},
		weights:   map[string]*Weights{},
		shapes:    map[shapeKey]*Shape{},
		evictions: map[evictionKey]*Evictions{},
		matches:   map[string]*DeviceMatch{},
		classes:   map[string]int32{},
		kinds:     kinds{},
		doomed:    map[string]bool{},
		safe:      map[string]bool{},
		heirs:     map[string]bool{},
	}
}

// Load makes a fleet of nodes and their allocations.
func Load(nodes iter.Seq[*api.Node], allocs iter.Seq[*api.Allocation]) *Fleet {
	f := New()
	for n := range nodes {
		f.NodeUpsert(n)
	}
	for a := range allocs {
		f.AllocChange(nil, a)
	}
	return f
}

// Rows gives the number of rows, those without a node included.
func (f *Fleet) Rows() int { return len(f.nodes) }

// Row finds a node's row.
func (f *Fleet) Row(nodeID string) (int32, bool) {
	r, ok := f.byID[nodeID]
	if !ok || f.nodes[r] == nil {
		return 0, false
	}
	return r, true
}

// Node gives the node of a row.
func (f *Fleet) Node(row int32) *api.Node { return f.nodes[row] }

// Ready gives the rows whose nodes take new allocations. It must not be changed.
func (f *Fleet) Ready() Bits { return f.ready }

// Used gives what is in use on a row. It must not be changed.
func (f *Fleet) Used(row int32) *fit.Usage { return &f.used[row] }

// Before is the order of rows of equal score: it depends on the nodes' IDs alone.
func (f *Fleet) Before(a, b int32) bool {
	if f.tie[a] != f.tie[b] {
		return f.tie[a] < f.tie[b]
	}
	return f.ids[a] < f.ids[b]
}

// Place gives a row's place in the order of Before, but for rows with equal places.
func (f *Fleet) Place(row int32) uint64 { return f.tie[row] }

// NodeUpsert adds a node or takes over what has changed of it.
func (f *Fleet) NodeUpsert(n *api.Node) {
	row, ok := f.byID[n.ID]
	if !ok {
		row = f.newRow(n.ID)
	}
	f.nodes[row] = n
	f.has[row] = fit.Capacity(n)
	f.net[row] = networkOf(n)
	f.deviceNode(row)
	f.hint(row)
	f.live.Set(row, true)
	f.ready.Set(row, n.Ready())
	for _, x := range f.filters {
		x.pass.Set(row, x.match(n))
	}
	for _, c := range f.columns {
		c.set(row, n)
	}
	for _, w := range f.weights {
		w.Of[row] = w.weigh(n)
	}
	f.changed(row)
}

// NodeRemove takes a node out. What is in use on it stays known until it is
// released, in case that the node comes back.
func (f *Fleet) NodeRemove(id string) {
	row, ok := f.byID[id]
	if !ok {
		return
	}
	f.nodes[row], f.devices[row] = nil, nil
	f.live.Set(row, false)
	f.ready.Set(row, false)
	f.changed(row)
	f.recycle(row)
}

func (f *Fleet) newRow(id string) int32 {
	var row int32
	if n := len(f.free); n > 0 {
		row, f.free = f.free[n-1], f.free[:n-1]
	} else {
		row = int32(len(f.nodes))
		f.grow()
	}
	h := fnv.New64a()
	h.Write([]byte(id))
	f.tie[row], f.ids[row] = h.Sum64(), id
	f.byID[id] = row
	return row
}

func (f *Fleet) grow() {
	f.nodes = append(f.nodes, nil)
	f.has = append(f.has, fit.Usage{})
	f.used = append(f.used, fit.Usage{})
	f.net = append(f.net, network{})
	f.freePorts = append(f.freePorts, -1)
	f.takenPorts = append(f.takenPorts, PortFilter{})
	f.tie = append(f.tie, 0)
	f.ids = append(f.ids, "")
	f.tenants = append(f.tenants, nil)
	f.devices = append(f.devices, nil)
	rows := len(f.nodes)
	f.live, f.ready = f.live.grow(rows), f.ready.grow(rows)
	for _, x := range f.filters {
		x.pass = x.pass.grow(rows)
	}
	for _, c := range f.columns {
		c.ids = append(c.ids, Missing)
	}
	for _, w := range f.weights {
		w.grow(rows)
	}
	for _, s := range f.shapes {
		s.grow(rows)
	}
	for _, e := range f.evictions {
		e.grow(rows)
	}
}

// recycle frees the row of a node that is gone and has nothing in use.
func (f *Fleet) recycle(row int32) {
	if f.nodes[row] != nil || !f.used[row].Empty() || f.ids[row] == "" {
		return
	}
	delete(f.byID, f.ids[row])
	f.ids[row], f.used[row] = "", fit.Usage{}
	f.free = append(f.free, row)
}

// AllocChange takes over a change of an allocation: old is what the fleet was
// told before (nil: nothing), new is what holds now (nil: it is gone).
func (f *Fleet) AllocChange(old, new *api.Allocation) {
	f.tenancy(old, new)
	f.learn(old, new)
	was, is := old != nil && fit.Counts(old), new != nil && fit.Counts(new)
	if was && is && old.NodeID == new.NodeID && old.AllocatedResources == new.AllocatedResources {
		return
	}
	if was {
		if row, ok := f.byID[old.NodeID]; ok {
			f.sub(row, f.usageOf(old.AllocatedResources))
			f.recycle(row)
		}
	}
	if is {
		row, ok := f.byID[new.NodeID]
		if !ok {
			row = f.newRow(new.NodeID)
		}
		f.add(row, f.usageOf(new.AllocatedResources))
	}
}

// Usage gives what an allocation takes of its node; it must not be changed.
func (f *Fleet) Usage(a *api.Allocation) *fit.Usage { return f.usageOf(a.AllocatedResources) }

// usageOf remembers the last answer: the allocations of a plan share their
// resources unless they have ports.
func (f *Fleet) usageOf(r *api.AllocatedResources) *fit.Usage {
	if f.lastU == nil || f.last != r {
		u := fit.Of(r)
		f.last, f.lastU = r, &u
	}
	return f.lastU
}

func (f *Fleet) add(row int32, u *fit.Usage) {
	f.used[row].Add(u)
	if len(u.Ports) > 0 {
		f.hint(row)
	}
	if len(u.Device) > 0 {
		f.deviceUse(row, u.Device)
	}
	f.changed(row)
}

func (f *Fleet) sub(row int32, u *fit.Usage) {
	f.used[row].Sub(u)
	if len(u.Ports) > 0 {
		f.hint(row)
	}
	if len(u.Device) > 0 {
		f.deviceUse(row, u.Device)
	}
	f.changed(row)
}

// changed notes that a row must be scored again.
func (f *Fleet) changed(row int32) {
	if len(f.log) > 4*len(f.nodes)+1024 {
		f.start += uint64(len(f.log))
		f.log = f.log[:0]
	}
	f.log = append(f.log, row)
}
