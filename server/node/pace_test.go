package node

import (
	"sync"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/state"
)

// TestMessagesHoldWholeCommits: what comes and what makes room for it go together,
// whenever the stream looks.
func TestMessagesHoldWholeCommits(t *testing.T) {
	h := newHub(state.New())
	s := h.open("n", nil)
	s.take(h, "n")
	const commits = 200
	var over sync.WaitGroup
	over.Go(func() {
		for i := range uint64(commits) {
			c := &state.Commit{Index: i + 1}
			change := func(id, node string) {
				c.Changes = append(c.Changes, state.Change{Table: state.TableAllocations, New: &api.Allocation{ID: id, NodeID: node}})
			}
			change("comes", "n")
			for range 2000 {
				change("x", "other")
			}
			change("goes", "n")
			h.commit(c)
		}
	})
	ended := make(chan struct{})
	go func() { over.Wait(); close(ended) }()
	for last := false; !last; {
		select {
		case <-ended:
			last = true
		default:
		}
		if m := s.take(h, "n"); m != nil && len(m.Allocs) != 2 {
			t.Fatalf("a message has %d of the two changes of a commit", len(m.Allocs))
		}
	}
}

// TestPaceFollowsWhatIsDue: few messages do not wait, however many streams there
// are; many wait in turn, and time in which none went is not saved for ever.
func TestPaceFollowsWhatIsDue(t *testing.T) {
	start := time.Now()
	p := pace{start: start}
	now := start.Add(time.Hour)
	const saved = int(messagesSave / messageShare)
	for i := range saved + 1 {
		if d := p.turn(now); d != 0 {
			t.Fatalf("message %d after a quiet time waits for %v", i, d)
		}
	}
	for i := 1; i <= 5000; i++ {
		if d, want := p.turn(now), time.Duration(i)*messageShare; d != want {
			t.Fatalf("message %d beyond those waits for %v, want %v", i, d, want)
		}
	}
	now = now.Add(5000*messageShare + messagesSave/2)
	for i := range saved / 2 {
		if d := p.turn(now); d != 0 {
			t.Fatalf("message %d after half of that time waits for %v", i, d)
		}
	}
	if d := p.turn(now); d != messageShare {
		t.Fatalf("the next waits for %v, want %v", d, messageShare)
	}
}
