package reconcile

import (
	"cmp"
	"slices"

	"github.com/seraihq/serai/api"
)

// trim stops what is more than the group's count: what has the index of
// another, whatever the count, then the highest indices. Of two with one index
// the one that is of the current version, still runs and is newer stays.
func (c *cluster) trim() {
	count := max(c.g.Group.Count, 0)
	if len(c.keep) <= count && !c.twice() {
		return
	}
	order := slices.Clone(c.keep)
	slices.SortFunc(order, func(a, b *api.Allocation) int {
		return cmp.Or(cmp.Compare(Index(a.Name), Index(b.Name)), -cmp.Compare(c.worth(a), c.worth(b)), -compareAllocs(a, b))
	})
	var first, excess []*api.Allocation
	for i, a := range order {
		if i > 0 && sameIndex(a, order[i-1]) {
			excess = append(excess, a)
		} else {
			first = append(first, a)
		}
	}
	slices.Reverse(excess)
	for len(first) > count {
		excess = append(excess, first[len(first)-1])
		first = first[:len(first)-1]
	}
	out := make(map[*api.Allocation]bool, len(excess))
	for _, a := range excess {
		c.end(a)
		out[a] = true
	}
	c.keep = slices.DeleteFunc(c.keep, func(a *api.Allocation) bool { return out[a] })
}

// twice says whether two that stay have one index. They are sorted by it.
func (c *cluster) twice() bool {
	for i := 1; i < len(c.keep); i++ {
		if sameIndex(c.keep[i], c.keep[i-1]) {
			return true
		}
	}
	return false
}

func sameIndex(a, b *api.Allocation) bool {
	i := Index(a.Name)
	return i >= 0 && i == Index(b.Name)
}

func (c *cluster) worth(a *api.Allocation) int {
	w := 0
	if c.in.current(a) {
		w += 2
	}
	if !a.ClientTerminal() {
		w++
	}
	return w
}

// shadow stops what is not heard of when what has replaced it is not needed.
func (c *cluster) shadow() {
	if len(c.shadows) == 0 {
		return
	}
	ended := map[*api.Allocation]bool{}
	for _, s := range c.g.Stops {
		ended[s.Alloc] = s.Description == DescNotNeeded
	}
	for _, a := range c.shadows {
		if r := c.successor(a); ended[r] || c.spared[r] {
			c.end(a)
		}
	}
}
