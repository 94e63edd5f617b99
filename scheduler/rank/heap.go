package rank

import "github.com/seraihq/serai/scheduler/fleet"

// candidate is a row with its score at the time when it was noted.
type candidate struct {
	score float64
	row   int32
}

// candidates is a heap, the best on top.
type candidates []candidate

func better(a, b candidate, f *fleet.Fleet) bool {
	if a.score != b.score {
		return a.score > b.score
	}
	return a.row != b.row && f.Before(a.row, b.row)
}

func (h candidates) build(f *fleet.Fleet) {
	for i := len(h)/2 - 1; i >= 0; i-- {
		h.down(i, f)
	}
}

func (h *candidates) push(c candidate, f *fleet.Fleet) {
	*h = append(*h, c)
	s := *h
	for i := len(s) - 1; i > 0; {
		up := (i - 1) / 2
		if !better(s[i], s[up], f) {
			break
		}
		s[i], s[up] = s[up], s[i]
		i = up
	}
}

func (h *candidates) pop(f *fleet.Fleet) candidate {
	s := *h
	top, last := s[0], len(s)-1
	s[0] = s[last]
	*h = s[:last]
	h.down(0, f)
	return top
}

func (h candidates) down(i int, f *fleet.Fleet) {
	for {
		c := 2*i + 1
		if c >= len(h) {
			return
		}
		if c+1 < len(h) && better(h[c+1], h[c], f) {
			c++
		}
		if !better(h[c], h[i], f) {
			return
		}
		h[i], h[c] = h[c], h[i]
		i = c
	}
}
