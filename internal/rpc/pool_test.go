package rpc

import (
	"slices"
	"testing"
)

func TestPool(t *testing.T) {
	p := newPool([]string{"a", "b"})
	want := func(what string, list ...string) {
		t.Helper()
		if got := p.order(); !slices.Equal(got, list) {
			t.Errorf("%s: asks %v, not %v", what, got, list)
		}
	}
	want("at first", "a", "b")
	p.failed("b")
	want("another one than the current fails", "a", "b")
	p.failed("a")
	p.failed("a") // a second call that had begun before
	want("the current one fails", "b", "a")
	p.tell([]string{"x", "b", "y"})
	want("told by a server", "b", "y", "x", "a")
	if got := p.known(); !slices.Equal(got, []string{"b", "y", "x"}) {
		t.Errorf("knows %v", got)
	}
	p.failed("b")
	want("and that fails", "y", "x", "b", "a")
	p.tell([]string{"x", "z"})
	want("the current one is gone", "x", "z", "a", "b")
	p.tell(nil)
	p.tell(make([]string, maxServers+1))
	want("nonsense", "x", "z", "a", "b")
	p.replace([]string{"q"})
	want("by a person", "q")
	p.replace(nil)
	want("none")
	p.failed("q")
}
