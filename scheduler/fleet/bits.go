package fleet

import (
	"iter"
	"math/bits"
)

// Bits is a set of rows.
type Bits []uint64

// NewBits gives an empty set with space for rows.
func NewBits(rows int) Bits { return make(Bits, (rows+63)/64) }

// Has says whether the row is in the set.
func (b Bits) Has(row int32) bool {
	w := int(row) >> 6
	return w < len(b) && b[w]&(1<<(uint(row)&63)) != 0
}

// Set puts the row into the set or takes it out.
func (b Bits) Set(row int32, in bool) {
	if in {
		b[row>>6] |= 1 << (uint(row) & 63)
	} else {
		b[row>>6] &^= 1 << (uint(row) & 63)
	}
}

// And leaves only what is also in o.
func (b Bits) And(o Bits) {
	for i := range b {
		if i < len(o) {
			b[i] &= o[i]
		} else {
			b[i] = 0
		}
	}
}

// AndNot takes out what is in o.
func (b Bits) AndNot(o Bits) {
	for i := range min(len(b), len(o)) {
		b[i] &^= o[i]
	}
}

// Count gives the number of rows in the set.
func (b Bits) Count() int {
	n := 0
	for _, w := range b {
		n += bits.OnesCount64(w)
	}
	return n
}

// CountBoth gives the number of rows that are in b and in o.
func (b Bits) CountBoth(o Bits) int {
	n := 0
	for i := range min(len(b), len(o)) {
		n += bits.OnesCount64(b[i] & o[i])
	}
	return n
}

func (b Bits) firstBoth(o Bits) int32 {
	for i := range min(len(b), len(o)) {
		if w := b[i] & o[i]; w != 0 {
			return int32(i<<6 + bits.TrailingZeros64(w))
		}
	}
	return -1
}

// CountMissing gives the number of rows that are in b and not in o.
func (b Bits) CountMissing(o Bits) int {
	n := 0
	for i, w := range b {
		if i < len(o) {
			w &^= o[i]
		}
		n += bits.OnesCount64(w)
	}
	return n
}

// Clone gives a copy.
func (b Bits) Clone() Bits { return append(Bits(nil), b...) }

// Rows gives the rows of the set, lowest first.
func (b Bits) Rows() iter.Seq[int32] {
	return func(yield func(int32) bool) {
		for i, w := range b {
			for ; w != 0; w &= w - 1 {
				if !yield(int32(i<<6 + bits.TrailingZeros64(w))) {
					return
				}
			}
		}
	}
}

func (b Bits) grow(rows int) Bits {
	for len(b) < (rows+63)/64 {
		b = append(b, 0)
	}
	return b
}
