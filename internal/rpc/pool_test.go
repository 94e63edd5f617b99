package rpc

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestPool(t *testing.T) {
	p := newPool([]string{"a", "b"})
	p.shuffle = func([]string) {}
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

// TestManyToldServers asks those of the configuration before a list, which may be
// old, is through.
func TestManyToldServers(t *testing.T) {
	p := newPool([]string{"a", "b"})
	p.shuffle = func([]string) {}
	p.tell([]string{"1", "2", "3", "4", "b"})
	if got := p.order(); !slices.Equal(got, []string{"1", "2", "3", "a", "4", "b"}) {
		t.Errorf("asks %v", got)
	}
}

// TestClientsSpread has a thousand clients lose the same server.
func TestClientsSpread(t *testing.T) {
	next := map[string]int{}
	for range 1000 {
		p := newPool([]string{"a"})
		p.tell([]string{"a", "b", "c"})
		p.at = "a"
		p.failed("a")
		next[p.order()[0]]++
	}
	if next["b"] < 300 || next["c"] < 300 {
		t.Errorf("they turn to %v", next)
	}
}

// TestServerThatComesBack gets its share again.
func TestServerThatComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var pools []*pool
		for range 300 {
			p := newPool([]string{"a"})
			p.tell([]string{"a", "b", "c"})
			p.at = "a"
			p.order()
			pools = append(pools, p)
		}
		count := func(server string) (n int) {
			for _, p := range pools {
				if p.order()[0] == server {
					n++
				}
			}
			return n
		}
		time.Sleep(leastStay - time.Second)
		if n := count("a"); n != 300 {
			t.Errorf("%d of 300 stay with the server", n)
		}
		time.Sleep(leastStay + 2*time.Second)
		if n := count("c"); n < 50 {
			t.Errorf("%d of 300 went to a server that came back", n)
		}
	})
}

func TestServersAreRecalled(t *testing.T) {
	seeds := []string{"seed"}
	var kept [][]string
	p := newPool(seeds)
	p.keep = func(configured, told []string) { kept = append(kept, configured, told) }
	p.tell([]string{"x", "y"})
	p.tell([]string{"y", "x"}) // nothing new
	if len(kept) != 2 || !slices.Equal(kept[0], seeds) || !sameSet(kept[1], []string{"x", "y"}) {
		t.Fatalf("kept %v", kept)
	}
	p = newPool(seeds)
	p.recall(kept[0], kept[1])
	if got := p.order(); len(got) != 3 || got[2] != "seed" {
		t.Errorf("after a restart asks %v", got)
	}
	p.recall(seeds, []string{"old"})
	if got := p.known(); len(got) != 2 {
		t.Errorf("takes back what was told: %v", got)
	}
	p = newPool([]string{"another"})
	p.recall(kept[0], kept[1])
	if got := p.order(); !slices.Equal(got, []string{"another"}) {
		t.Errorf("with another configuration asks %v", got)
	}
	many := make([]string, maxServers+1)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	p.recall([]string{"another"}, many)
	if got := p.order(); !slices.Equal(got, []string{"another"}) {
		t.Errorf("of too many asks %v", got)
	}
}
