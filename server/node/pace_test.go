package node

import (
	"testing"
	"time"
)

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
