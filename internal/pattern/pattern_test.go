package pattern

import "testing"

func TestPattern(t *testing.T) {
	p := New(`^(a+)(b*)$`)
	if !p.MatchString("aab") || p.MatchString("b") || p.String() != `^(a+)(b*)$` {
		t.Error("it does not match as it should")
	}
	defer func() {
		if recover() == nil {
			t.Error("one that cannot be compiled is used")
		}
	}()
	New("(").MatchString("")
}
