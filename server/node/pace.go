package node

import (
	"sync/atomic"
	"time"
)

const (
	// leastDistance is between two messages to one node, so that what concerns it
	// soon after goes together. The first after a quiet time goes at once.
	leastDistance = 10 * time.Millisecond
	// Each message to any node has a share of the time, 10,000 a second in all:
	// when more are due they wait in turn, and what changes meanwhile goes with
	// them. Time in which none was due is good for some that go at once.
	messageShare = 100 * time.Microsecond
	messagesSave = 100 * time.Millisecond
)

// pace bounds the messages of all streams together. What a node waits follows
// from how many are due, and not from how many there are.
type pace struct {
	start time.Time
	next  atomic.Int64 // nanoseconds after start: where the next message's share begins
}

// turn takes a share and says how long until its message may go.
func (p *pace) turn(now time.Time) time.Duration {
	at := int64(now.Sub(p.start))
	for {
		next := p.next.Load()
		mine := max(next, at-int64(messagesSave))
		if p.next.CompareAndSwap(next, mine+int64(messageShare)) {
			return time.Duration(max(0, mine-at))
		}
	}
}
