package plugin

import (
	"bytes"
	"errors"
	"testing"
)

// TestBounded: what is short and says that it is long, or is all brackets, is
// refused before anything is made of it. The first two took all memory, and the
// stack.
func TestBounded(t *testing.T) {
	for name, c := range map[string]struct {
		text []byte
		want error
	}{
		"an array of 3.7 billion":     {[]byte("\xdd\xdd\xdd\xdd\xdd"), errCut},
		"a million brackets":          {bytes.Repeat([]byte{0x91}, 1_000_000), errDeep},
		"a map of 4 billion":          {[]byte{0xdf, 0xff, 0xff, 0xff, 0xff}, errCut},
		"a text that is not there":    {[]byte{0x81, 0xdb, 0xff, 0xff, 0xff, 0xff}, errCut},
		"an extension that is not":    {[]byte{0xc9, 0xff, 0xff, 0xff, 0xff, 1}, errCut},
		"a length that is cut":        {[]byte{0xdd, 0, 0}, errCut},
		"no value of a key":           {[]byte{0x81, 0xa1, 'a'}, errCut},
		"nothing begins with it":      {[]byte{0xc1}, errKind},
		"every kind":                  {[]byte{0x9d, 0xc0, 0xc3, 5, 0xff, 0xa1, 'a', 0xc4, 1, 0, 0xca, 0, 0, 0, 0, 0xcc, 1, 0xd1, 0, 1, 0xd4, 1, 2, 0xc7, 1, 1, 9, 0xd9, 1, 'b', 0x81, 0xa1, 'k', 0x90, 0xdc, 0, 1, 7}, nil},
		"as deep as it may be":        {append(bytes.Repeat([]byte{0x91}, maxDepth-1), 0xc0), nil},
		"one deeper":                  {append(bytes.Repeat([]byte{0x91}, maxDepth), 0xc0), errDeep},
		"what follows does not count": {[]byte{0xc0, 0xdd}, nil},
	} {
		if err := bounded(c.text); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := decode(c.text); c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: decoded: %v", name, err)
		}
	}
}
