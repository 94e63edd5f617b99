package rank

import (
	"math"

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
	chosen, ok := fleet.ChooseDevices(f.fleet.Devices(row), f.asks, f.prefer(row))
	if !ok {
		return 0
	}
	return packed(f.after(row, chosen)-f.now(row))*(1-plainPart) + plain*plainPart
}

func packed(more float64) float64 { return 1 / (1 + math.Exp(more)) }

// prefer chooses the instance for a share by what is fragmented then; of those
// that leave the same, the first.
func (f *fragment) prefer(row int32) fleet.Prefer {
	f.sync() // the shape may be kept from another evaluation, with a fragment of its own
	return func(group int, free []int16, each int) int {
		best, least := -1, 0.0
		cpu, memory := f.fleet.Free(row)
		cpu, memory = cpu-f.cpu(row), memory-f.memory
		g := &f.fleet.Devices(row)[group]
	next:
		for i, n := range free {
			if int(n) < each {
				continue
			}
			for _, before := range free[:i] {
				if before == n {
					continue next
				}
			}
			free[i] -= int16(each)
			if x := f.group(g, free, cpu, memory); best < 0 || x < least {
				best, least = i, x
			}
			free[i] += int16(each)
		}
		return best
	}
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
		sum += k.weight * k.lost(g, free, total, cpu, memory)
	}
	return sum / fit.WholeDevice
}

// lost gives how many thousandths of devices a kind cannot use.
func (k *kindOf) lost(g *fleet.DeviceGroup, free []int16, total int, cpu, memory int64) float64 {
	if cpu < k.cpu || memory < k.memory {
		return float64(total)
	}
	if _, ok := k.ask.Match.Suits(g); !ok {
		return float64(total)
	}
	each, count, fits, small := k.ask.Each, 0, 0, 0
	for _, n := range free {
		switch {
		case int(n) < each:
			small += int(n)
		case int(n) < 2*each: // the most frequent, without a division
			count, fits = count+1, fits+1
		default:
			count, fits = count+1, fits+int(n)/each
		}
	}
	if count < k.ask.Count {
		return float64(total)
	}
	if k.ask.Count > 1 {
		fits = count / k.ask.Count
	}
	reached := int64(fits)
	if k.cpu > 0 {
		reached = min(reached, cpu/k.cpu)
	}
	if k.memory > 0 {
		reached = min(reached, memory/k.memory)
	}
	idle := (int64(fits) - reached) * int64(k.ask.Count) * int64(each)
	return float64(small) + idleWeight*float64(idle)
}
