package fleet

import (
	"cmp"
	"slices"

	"github.com/seraihq/serai/scheduler/fit"
)

// DeviceAsk asks for Count instances of one group of devices, Each thousandths
// of each.
type DeviceAsk struct {
	Match       *DeviceMatch
	Count, Each int
}

// DeviceChoice is a group of devices of a row with the instances chosen of it.
type DeviceChoice struct {
	Group     int
	Instances []int
}

// Prefer chooses the instance for a share among those of a group that have
// enough.
type Prefer func(group int, free []int16, each int) int

// Fullest prefers the instance that has the least left, Emptiest the most.
func Fullest(_ int, free []int16, each int) int {
	best := -1
	for i, n := range free {
		if int(n) >= each && (best < 0 || n < free[best]) {
			best = i
		}
	}
	return best
}

// Emptiest prefers the instance that has the most left.
func Emptiest(_ int, free []int16, each int) int {
	best := -1
	for i, n := range free {
		if int(n) >= each && (best < 0 || n > free[best]) {
			best = i
		}
	}
	return best
}

// DevicesSuffice says whether the asks can be met together.
func DevicesSuffice(groups []DeviceGroup, asks []DeviceAsk) bool {
	if len(asks) == 1 {
		for i := range groups {
			if _, ok := asks[0].Match.Suits(&groups[i]); ok && enough(groups[i].Free, asks[0]) {
				return true
			}
		}
		return false
	}
	_, ok := ChooseDevices(groups, asks, Fullest)
	return ok
}

func enough(free []int16, ask DeviceAsk) bool {
	n := 0
	for _, x := range free {
		if int(x) >= ask.Each {
			n++
		}
	}
	return n >= ask.Count
}

// maxTries bounds the search for a choice that meets several asks.
const maxTries = 4096

// ChooseDevices chooses devices for the asks: of the groups that do, those with
// the highest affinity first. The groups are not changed.
func ChooseDevices(groups []DeviceGroup, asks []DeviceAsk, prefer Prefer) ([]DeviceChoice, bool) {
	if len(groups) == 1 && len(asks) == 1 { // the most frequent
		out, ok := chooseOne(&groups[0], asks[0], prefer)
		return []DeviceChoice{{Instances: out}}, ok
	}
	c := deviceChooser{groups: groups, asks: asks, prefer: prefer, tries: maxTries, out: make([]DeviceChoice, len(asks)), free: make([][]int16, len(groups))}
	for i := range groups {
		c.free[i] = slices.Clone(groups[i].Free)
	}
	return c.out, c.choose(0)
}

// chooseOne answers one ask of one group.
func chooseOne(g *DeviceGroup, ask DeviceAsk, prefer Prefer) ([]int, bool) {
	if _, ok := ask.Match.Suits(g); !ok || !enough(g.Free, ask) {
		return nil, false
	}
	if ask.Each == fit.WholeDevice {
		return firstWith(make([]int, 0, ask.Count), g.Free, ask), true
	}
	return []int{prefer(0, slices.Clone(g.Free), ask.Each)}, true
}

// firstWith adds the first instances that have enough until there are as many as
// asked for.
func firstWith(out []int, free []int16, ask DeviceAsk) []int {
	for i := 0; len(out) < ask.Count; i++ {
		if int(free[i]) >= ask.Each {
			out = append(out, i)
		}
	}
	return out
}

type deviceChooser struct {
	groups []DeviceGroup
	asks   []DeviceAsk
	prefer Prefer
	tries  int
	out    []DeviceChoice
	free   [][]int16
}

// choose answers the asks from the i-th on, and takes back what does not lead
// to an answer.
func (c *deviceChooser) choose(i int) bool {
	if i == len(c.asks) {
		return true
	}
	ask := c.asks[i]
	for _, g := range c.order(ask) {
		if c.tries--; c.tries < 0 {
			return false
		}
		if !enough(c.free[g], ask) {
			continue
		}
		before := slices.Clone(c.free[g])
		c.out[i] = DeviceChoice{Group: g, Instances: c.take(g, ask)}
		if c.choose(i + 1) {
			return true
		}
		c.free[g] = before
	}
	return false
}

// order gives the groups that suit an ask, the best first.
func (c *deviceChooser) order(ask DeviceAsk) []int {
	var order []int
	suits := make([]float64, len(c.groups))
	for g := range c.groups {
		if x, ok := ask.Match.Suits(&c.groups[g]); ok {
			suits[g] = x
			order = append(order, g)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(suits[b], suits[a]) })
	return order
}

func (c *deviceChooser) take(g int, ask DeviceAsk) []int {
	out := make([]int, 0, ask.Count)
	if ask.Each < fit.WholeDevice {
		out = append(out, c.prefer(g, c.free[g], ask.Each))
	}
	out = firstWith(out, c.free[g], ask)
	for _, i := range out {
		c.free[g][i] -= int16(ask.Each)
	}
	return out
}
