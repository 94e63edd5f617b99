package rank

import (
	"cmp"
	"math"
	"slices"

	"github.com/seraihq/serai/scheduler/feasible"
	"github.com/seraihq/serai/scheduler/fit"
	"github.com/seraihq/serai/scheduler/fleet"
)

// fragment scores rows with devices by what a placement leaves of them for the
// allocations that are typical of the fleet: fragmentation gradient descent (Weng
// et al., "Beware of Fragmentation: Scheduling GPU-Sharing Workloads with
// Fragmentation Gradient Descent", USENIX ATC 2023). What a kind cannot use is
// fragmented for it: all that is free where it does not fit, else the devices of
// which too little is free. Two things differ from the paper: devices that a
// node's CPU or memory does not reach for count in part already while one more of
// a kind still fits, and a kind counts by how many of it are lost, not by how
// much of a device, and with its frequency to the power of 3/4.
type fragment struct {
	fleet *fleet.Fleet
	kinds []kindOf
	own   kindOf // weight 0: the group asks for no devices
	name  string // of own
	epoch uint64
	known bool
	asks  []fleet.DeviceAsk

	cpu    func(row int32) int64
	memory int64
}

// kindOf is a kind of allocation with devices.
type kindOf struct {
	cpu, memory int64
	ask         fleet.DeviceAsk
	weight      float64
}

// Of the terms of the score: how much devices count that CPU or memory would
// leave idle, the exponent of the frequency of a kind, the part of the plain
// score, which decides between rows that are left alike, and by how much what asks
// for no devices would rather be on nodes without.
const (
	idleWeight    = 0.1
	frequency     = 0.75
	plainPart     = 0.001
	besideDevices = 0.1
)

func newFragment(d *Demand, x *extra) *fragment {
	f := &fragment{fleet: d.Fleet, memory: d.Usage.Memory}
	cpu := d.Usage.CPU
	f.cpu = func(int32) int64 { return cpu }
	if x == nil {
		return f
	}
	if len(x.cores.Tasks) > 0 {
		f.cpu = x.cpu
	}
	f.asks = x.asks
	if largest := fleet.LargestDevice(d.Group); largest != nil {
		f.own = kindOf{cpu, d.Usage.Memory, feasible.DeviceAsk(d.Fleet, largest), 1}
		f.name = fleet.KindText(cpu, d.Usage.Memory, largest)
	}
	return f
}

// sync takes over what is typical of the fleet.
func (f *fragment) sync() uint64 {
	typical, epoch := f.fleet.Typical()
	if f.known && epoch == f.epoch {
		return epoch
	}
	f.known, f.epoch, f.kinds = true, epoch, f.kinds[:0]
	own, sum := f.own.weight > 0, 0.0
	add := func(k kindOf, level int) {
		k.weight = math.Pow(2, frequency*float64(level)) / (float64(k.ask.Count*k.ask.Each) / fit.WholeDevice)
		sum += k.weight
		f.kinds = append(f.kinds, k)
	}
	for _, t := range typical {
		add(kindOf{cpu: t.CPU, memory: t.Memory, ask: feasible.DeviceAsk(f.fleet, t.Device)}, t.Level)
		own = own && t.Key != f.name
	}
	if own {
		add(f.own, 1)
	}
	for i := range f.kinds {
		f.kinds[i].weight /= sum
	}
	return epoch
}

// score gives the score of a row, 0 to 1: the less is fragmented after the
// placement than before, the better.
func (f *fragment) score(row int32, plain float64) float64 {
	if len(f.asks) == 0 {
		return besideDevices * (packed(f.after(row, nil)-f.now(row))*(1-plainPart) + plain*plainPart)
	}
	groups := f.fleet.Devices(row)
	if len(groups) == 1 && len(f.asks) == 1 && f.asks[0].Each < fit.WholeDevice { // the most frequent
		if !fleet.DevicesSuffice(groups, f.asks) {
			return 0
		}
		_, more := f.share(row, 0, groups[0].Free, f.asks[0].Each)
		return packed(more)*(1-plainPart) + plain*plainPart
	}
	chosen, ok := fleet.ChooseDevices(groups, f.asks, f.prefer(row))
	if !ok {
		return 0
	}
	return packed(f.after(row, chosen)-f.now(row))*(1-plainPart) + plain*plainPart
}

func packed(more float64) float64 { return 1 / (1 + math.Exp(more)) }

// prefer chooses the instance for a share by what is fragmented then; of those
// that leave the same, the first.
func (f *fragment) prefer(row int32) fleet.Prefer {
	f.sync() // for what is scored after the choice
	return func(group int, free []int16, each int) int {
		best, _ := f.share(row, group, free, each)
		return best
	}
}

// share gives the instance of a group for a share, and how much more of the group
// is fragmented with it than without, in devices: -1, 0 when no instance has enough.
// All instances are compared in one pass over the kinds, which are many: what one
// instance changes of a kind is worked out from it alone.
func (f *fragment) share(row int32, group int, free []int16, each int) (best int, more float64) {
	f.sync() // the shape may be kept from another evaluation, with a fragment of its own
	var buffer [16]candidateShare
	shares := buffer[:0]
	total := 0
	for i, n := range free {
		total += int(n)
		if int(n) >= each && !slices.ContainsFunc(shares, func(c candidateShare) bool { return c.free == n }) {
			shares = append(shares, candidateShare{instance: i, free: n})
		}
	}
	if len(shares) == 0 {
		return -1, 0
	}
	cpu, memory := f.fleet.Free(row)
	cpuThen, memoryThen := cpu-f.cpu(row), memory-f.memory
	g, now := &f.fleet.Devices(row)[group], 0.0
	for i := range f.kinds {
		k := &f.kinds[i]
		if cpu < k.cpu || memory < k.memory || !k.suits(g) {
			now += k.weight * float64(total)
			for c := range shares {
				shares[c].lost += k.weight * float64(total-each)
			}
			continue
		}
		t := k.tally(free)
		now += k.weight * k.idle(t, total, cpu, memory)
		for c := range shares {
			s, then := &shares[c], t
			then.add(int(s.free), k.ask.Each, -1)
			then.add(int(s.free)-each, k.ask.Each, +1)
			s.lost += k.weight * k.idle(then, total-each, cpuThen, memoryThen)
		}
	}
	least := slices.MinFunc(shares, func(a, b candidateShare) int { return cmp.Compare(a.lost, b.lost) })
	return least.instance, (least.lost - now) / fit.WholeDevice
}

// candidateShare is an instance that could give a share, and what would be lost
// then.
type candidateShare struct {
	instance int
	free     int16
	lost     float64
}

// now gives how much of a row's devices is fragmented, in devices.
func (f *fragment) now(row int32) float64 {
	cpu, memory := f.fleet.Free(row)
	sum := 0.0
	groups := f.fleet.Devices(row)
	for i := range groups {
		sum += f.group(&groups[i], groups[i].Free, cpu, memory)
	}
	return sum
}

// after is now as it will be with the choices made for the asks.
func (f *fragment) after(row int32, chosen []fleet.DeviceChoice) float64 {
	cpu, memory := f.fleet.Free(row)
	cpu, memory = cpu-f.cpu(row), memory-f.memory
	sum := 0.0
	groups := f.fleet.Devices(row)
	var buffer [16]int16
	for i := range groups {
		free := append(buffer[:0], groups[i].Free...)
		for k, c := range chosen {
			if c.Group == i {
				for _, instance := range c.Instances {
					free[instance] -= int16(f.asks[k].Each)
				}
			}
		}
		sum += f.group(&groups[i], free, cpu, memory)
	}
	return sum
}

func (f *fragment) group(g *fleet.DeviceGroup, free []int16, cpu, memory int64) float64 {
	total := 0
	for _, n := range free {
		total += int(n)
	}
	if total == 0 {
		return 0
	}
	sum := 0.0
	for i := range f.kinds {
		k := &f.kinds[i]
		if cpu < k.cpu || memory < k.memory || !k.suits(g) {
			sum += k.weight * float64(total)
			continue
		}
		sum += k.weight * k.idle(k.tally(free), total, cpu, memory)
	}
	return sum / fit.WholeDevice
}

func (k *kindOf) suits(g *fleet.DeviceGroup) bool {
	_, ok := k.ask.Match.Suits(g)
	return ok
}

// tally is what the instances of a group are to a kind: how many have enough for
// one of it, how many of it fit into them, and the thousandths of those that have
// too little.
type tally struct{ count, fits, small int }

func (k *kindOf) tally(free []int16) tally {
	var t tally
	each := k.ask.Each
	for _, n := range free {
		t.add(int(n), each, 1)
	}
	return t
}

// add counts an instance of which n thousandths are free; by is -1 to take it back.
func (t *tally) add(n, each, by int) {
	switch {
	case n < each:
		t.small += by * n
	case n < 2*each: // the most frequent, without a division
		t.count, t.fits = t.count+by, t.fits+by
	default:
		t.count, t.fits = t.count+by, t.fits+by*(n/each)
	}
}

// idle gives how many thousandths of devices a kind cannot use, of total that are
// free.
func (k *kindOf) idle(t tally, total int, cpu, memory int64) float64 {
	if cpu < k.cpu || memory < k.memory || t.count < k.ask.Count {
		return float64(total)
	}
	fits := int64(t.fits)
	if k.ask.Count > 1 {
		fits = int64(t.count / k.ask.Count)
	}
	reached := fits
	if k.cpu*reached > cpu { // divisions only where they change something
		reached = cpu / k.cpu
	}
	if k.memory*reached > memory {
		reached = memory / k.memory
	}
	unreached := (fits - reached) * int64(k.ask.Count) * int64(k.ask.Each)
	return float64(t.small) + idleWeight*float64(unreached)
}
