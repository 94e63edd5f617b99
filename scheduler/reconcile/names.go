package reconcile

// Names gives out indices of allocations that are not in use, lowest first.
type Names struct {
	used map[int]bool
	next int
}

func newNames() *Names { return &Names{used: map[int]bool{}} }

// Take marks an index as in use; it says whether it was free.
func (n *Names) Take(index int) bool {
	if index < 0 || n.used[index] {
		return false
	}
	n.used[index] = true
	return true
}

// Next gives the lowest index that is free and takes it.
func (n *Names) Next() int {
	for n.used[n.next] {
		n.next++
	}
	n.used[n.next] = true
	return n.next
}

// Prefer takes the index if it is free and below count, else the next free one.
func (n *Names) Prefer(index, count int) int {
	if index < count && n.Take(index) {
		return index
	}
	return n.Next()
}
