package rank

import "math/bits"

// lanes hold the rows that can take an allocation, best first. Without a spread
// there is one lane, ordered by score. With one, a placement changes the scores
// of all rows of a cell at once: each cell has a lane for every number of
// scores that are averaged, ordered by their sum, so that what the spread adds
// leaves the order within a lane as it is.
type lanes struct {
	s     *Selector
	evict bool // they hold the rows where evictions make room

	heap []candidates
	top  []candidate // of each lane with its score as of now; row -1: none
	win  []int32     // a tournament of the lanes: win[1] has the best of all

	fewest int // scores of a row
}

// classes is in how many numbers of scores rows can differ: they have that of
// anti-affinity or not, and that of devices.
const classes = 3

func newLanes(s *Selector, evict bool) *lanes {
	l := &lanes{s: s, evict: evict}
	s.collisions.table()
	n := 1
	if s.spread != nil {
		n = max(s.spread.cells.Len(), 1) * classes // no cells: there are no nodes
	}
	l.fewest = 1
	if s.affinity != nil {
		l.fewest++
	}
	if evict {
		l.fewest++
	}
	l.heap, l.top = make([]candidates, n), make([]candidate, n)
	if n == 1 {
		l.heap[0] = make(candidates, 0, s.d.Feasible.Rows.Count()+8)
	}
	for i, w := range s.d.Feasible.Rows {
		for ; w != 0; w &= w - 1 {
			if row := int32(i<<6 + bits.TrailingZeros64(w)); l.open(row) {
				lane, score := l.place(row)
				l.heap[lane] = append(l.heap[lane], candidate{score, row})
			}
		}
	}
	for i := range l.heap {
		l.heap[i].build(s.d.Fleet)
		l.clean(i)
	}
	l.win = make([]int32, 2*n)
	l.play()
	return l
}

// play holds the tournament anew.
func (l *lanes) play() {
	n := len(l.top)
	for i := range l.top {
		l.win[n+i] = int32(i)
	}
	for i := n - 1; i > 0; i-- {
		l.match(i)
	}
}

func (l *lanes) match(i int) {
	a, b := l.win[2*i], l.win[2*i+1]
	if l.top[b].row >= 0 && (l.top[a].row < 0 || better(l.top[b], l.top[a], l.s.d.Fleet)) {
		a = b
	}
	l.win[i] = a
}

// peek finds the best row of a lane, and what that means for the tournament.
func (l *lanes) peek(lane int) {
	l.clean(lane)
	for i := (len(l.top) + lane) / 2; i > 0; i /= 2 {
		l.match(i)
	}
}

func (l *lanes) open(row int32) bool {
	if l.evict {
		return l.s.evictable(row)
	}
	return l.s.open(row)
}

func (l *lanes) terms(row int32) (sum float64, n int) {
	if l.evict {
		return l.s.evictTerms(row)
	}
	return l.s.terms(row)
}

// place gives the lane of a row, and by what it is ordered there.
func (l *lanes) place(row int32) (lane int, score float64) {
	sum, n := l.terms(row)
	if l.s.spread == nil {
		return 0, mean(sum, n)
	}
	return int(l.s.spread.cells.ID(row))*classes + n - l.fewest, sum
}

// clean finds the best row of a lane. Entries of rows that have changed since
// are dropped: where such a row is of use it has a newer entry.
func (l *lanes) clean(lane int) {
	h := &l.heap[lane]
	for len(*h) > 0 {
		c := (*h)[0]
		if l.open(c.row) {
			if at, score := l.place(c.row); at == lane && score == c.score {
				if l.s.spread != nil {
					n := lane%classes + l.fewest
					c.score = mean(c.score+l.s.spread.score(c.row), n+1)
				}
				l.top[lane] = c
				return
			}
		}
		h.pop(l.s.d.Fleet)
	}
	l.top[lane].row = -1
}

// changed takes in a row that has changed.
func (l *lanes) changed(row int32) {
	if !l.open(row) {
		l.refresh(row)
		return
	}
	lane, score := l.place(row)
	l.heap[lane].push(candidate{score, row}, l.s.d.Fleet)
	l.refresh(row)
}

// refresh looks again at the lanes of a row's cell.
func (l *lanes) refresh(row int32) {
	if l.s.spread == nil {
		l.peek(0)
		return
	}
	first := int(l.s.spread.cells.ID(row)) * classes
	for lane := first; lane < first+classes; lane++ {
		if len(l.heap[lane]) > 0 {
			l.peek(lane)
		}
	}
}

// refreshAll looks again at every lane: the spread has changed for all.
func (l *lanes) refreshAll() {
	for lane := range l.heap { // an empty lane stays as it is
		if len(l.heap[lane]) > 0 {
			l.clean(lane)
		}
	}
	l.play()
}

// best gives the lane with the best row; -1 when there is none.
func (l *lanes) best() int {
	for {
		lane := int(l.win[1])
		row := l.top[lane].row
		if row < 0 {
			return -1
		}
		if l.s.distinct == nil || l.open(row) {
			return lane
		}
		l.peek(lane) // an allocation elsewhere has ruled it out
	}
}

// drop takes the best row of a lane out.
func (l *lanes) drop(lane int) {
	l.heap[lane].pop(l.s.d.Fleet)
	l.peek(lane)
}

// back puts a row in again.
func (l *lanes) back(row int32) {
	lane, score := l.place(row)
	l.heap[lane].push(candidate{score, row}, l.s.d.Fleet)
	l.peek(lane)
}
