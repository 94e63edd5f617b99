package users

import (
	"strconv"
	"testing"
)

func TestPool(t *testing.T) {
	p := New(80000, 80003)
	seen := map[int]bool{}
	for i := range 4 {
		uid, err := p.Acquire("a" + strconv.Itoa(i))
		if err != nil || uid < 80000 || uid > 80003 || seen[uid] {
			t.Fatalf("%d %v", uid, err)
		}
		seen[uid] = true
		if again, err := p.Acquire("a" + strconv.Itoa(i)); err != nil || again != uid {
			t.Errorf("another user the second time: %d %v", again, err)
		}
	}
	if _, err := p.Acquire("b"); err == nil {
		t.Error("a fifth of four")
	}
	was, _ := p.Of("a2")
	p.Release("a2")
	p.Release("a2")
	if uid, err := p.Acquire("b"); err != nil || uid != was {
		t.Errorf("%d %v, want the one that was given back", uid, err)
	}
	if _, ok := p.Of("a2"); ok {
		t.Error("it still has one")
	}
	q := New(80000, 80001)
	q.Restore("x", 80001)
	q.Restore("y", 0)
	if uid, err := q.Acquire("y"); err != nil || uid != 80000 {
		t.Errorf("%d %v", uid, err)
	}
}

func TestHolds(t *testing.T) {
	p := New(DefaultMin, DefaultMax)
	for user, want := range map[string]bool{"80000": true, "89999": true, "80005:0": true, "nomad-80001": true, "90000": false, "79999": false, "root": false, "": false} {
		if p.Holds(user) != want {
			t.Errorf("%q: %v", user, !want)
		}
	}
	var none *Pool
	none.Release("x")
	none.Restore("x", 1)
	if _, err := none.Acquire("x"); err == nil || none.Holds("80000") {
		t.Error("a pool that is not there holds users")
	}
}
