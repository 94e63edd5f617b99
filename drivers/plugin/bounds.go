package plugin

import (
	"encoding/binary"
	"errors"
)

// maxDepth is how deep values from the other side may be nested.
const maxDepth = 64

var (
	errCut  = errors.New("it ends too early, or says that it has more elements than bytes")
	errDeep = errors.New("it is nested too deep")
	errKind = errors.New("it has a byte that begins nothing")
)

// bounded looks at MessagePack before it is decoded: what decodes it makes room
// for as many elements as the text says that there are, and calls itself for each
// level. Only the first value counts, as there.
func bounded(text []byte) error {
	left := []uint64{1} // values that are still to come, by level
	for len(left) > 0 {
		top := len(left) - 1
		if left[top] == 0 {
			left = left[:top]
			continue
		}
		left[top]--
		head, body, values, err := measure(text)
		if err != nil {
			return err
		}
		if uint64(len(text)-head) < body || uint64(len(text)-head) < values {
			return errCut
		}
		text = text[head+int(body):]
		if values > 0 {
			if len(left) == maxDepth {
				return errDeep
			}
			left = append(left, values)
		}
	}
	return nil
}

// measure gives the bytes of the head of a value and of its body, and how many
// values are in it.
func measure(text []byte) (head int, body, values uint64, err error) {
	if len(text) == 0 {
		return 0, 0, 0, errCut
	}
	switch b := text[0]; {
	case b <= 0x7f, b >= 0xe0, b == 0xc0, b == 0xc2, b == 0xc3: // numbers, null, booleans
		return 1, 0, 0, nil
	case b <= 0x8f:
		return 1, 0, 2 * uint64(b&0x0f), nil
	case b <= 0x9f:
		return 1, 0, uint64(b & 0x0f), nil
	case b <= 0xbf:
		return 1, uint64(b & 0x1f), 0, nil
	case b == 0xc1:
		return 0, 0, 0, errKind
	case b >= 0xca && b <= 0xd3: // floats, unsigned and signed numbers
		return 1, [...]uint64{4, 8, 1, 2, 4, 8, 1, 2, 4, 8}[b-0xca], 0, nil
	case b >= 0xd4 && b <= 0xd8: // extensions of 1 to 16 bytes, and their type
		return 1, 1 + 1<<(b-0xd4), 0, nil
	}
	return measureLong(text)
}

// measureLong measures a value whose length stands behind its first byte.
func measureLong(text []byte) (head int, body, values uint64, err error) {
	width := map[byte]int{0xc4: 1, 0xc5: 2, 0xc6: 4, 0xc7: 1, 0xc8: 2, 0xc9: 4, 0xd9: 1, 0xda: 2, 0xdb: 4, 0xdc: 2, 0xdd: 4, 0xde: 2, 0xdf: 4}[text[0]]
	if len(text) < 1+width {
		return 0, 0, 0, errCut
	}
	var wide [8]byte
	copy(wide[8-width:], text[1:1+width])
	n := binary.BigEndian.Uint64(wide[:])
	switch text[0] {
	case 0xc7, 0xc8, 0xc9:
		return 1 + width, n + 1, 0, nil
	case 0xdc, 0xdd:
		return 1 + width, 0, n, nil
	case 0xde, 0xdf:
		return 1 + width, 0, 2 * n, nil
	}
	return 1 + width, n, 0, nil
}
