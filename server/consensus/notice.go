package consensus

import (
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// A follower learns what is committed from the next message of its leader, and
// the library sends one at once only when there are new entries. Until then
// followers would answer, and wake who waits for a change, tens of milliseconds
// after the leader. So the leader sends each of them the message that the library
// would send later: no entries, and what is committed.

// noticeAfter is how long a message of the library's own is waited for that tells
// the same: under load there is one.
const noticeAfter = time.Millisecond

// commits is how far this server knows the log to be committed.
type commits struct {
	mu          sync.Mutex
	index, term uint64 // of the last entry
	pipelines   map[*pipeline]struct{}
}

// reached notes an entry that is committed.
func (c *commits) reached(index, term uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.index, c.term = index, term
	for p := range c.pipelines {
		p.poke()
	}
}

func (c *commits) last() (index, term uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.index, c.term
}

func (c *commits) join(p *pipeline) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pipelines == nil {
		c.pipelines = map[*pipeline]struct{}{}
	}
	c.pipelines[p] = struct{}{}
}

func (c *commits) leave(p *pipeline) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.pipelines, p)
}

// progress is what a follower was told and has said. Its messages come in order.
type progress struct {
	mu   sync.Mutex
	head raft.AppendEntriesRequest // the last one, without entries
	told uint64                    // the greatest committed index that was sent
	has  uint64                    // the last entry that it is known to have
}

// sent notes a message of the library.
func (g *progress) sent(r *raft.AppendEntriesRequest) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.head = *r
	g.head.Entries = nil
	g.told = max(g.told, r.LeaderCommitIndex)
}

// answered notes that a message was taken.
func (g *progress) answered(r *raft.AppendEntriesRequest) {
	g.mu.Lock()
	defer g.mu.Unlock()
	last := r.PrevLogEntry
	if n := len(r.Entries); n > 0 {
		last = r.Entries[n-1].Index
	}
	g.has = max(g.has, last)
}

// lacks says whether the follower has an entry and was not told that it is
// committed.
func (g *progress) lacks(index uint64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return index > g.told && index <= g.has && g.head.Term > 0
}

// notice makes the message that tells of an entry, which is committed and which
// the follower has. It is one that the leader of its term may send at any time:
// it names the entry as the one before what it carries, which is nothing.
func (g *progress) notice(index, term uint64) *raft.AppendEntriesRequest {
	g.mu.Lock()
	defer g.mu.Unlock()
	m := g.head
	m.PrevLogEntry, m.PrevLogTerm, m.LeaderCommitIndex = index, term, index
	g.told = max(g.told, index)
	return &m
}

// inform sends notices until the pipeline ends.
func (p *pipeline) inform() {
	timer := time.NewTimer(noticeAfter)
	timer.Stop()
	defer timer.Stop()
	for {
		select {
		case <-p.wake:
		case <-p.ended:
			return
		}
		if index, _ := p.commits.last(); !p.progress.lacks(index) {
			continue
		}
		timer.Reset(noticeAfter)
		select {
		case <-timer.C:
		case <-p.ended:
			return
		}
		if index, term := p.commits.last(); p.progress.lacks(index) {
			// An error is the library's to find: it sends to the same server.
			_ = p.send(p.progress.notice(index, term))
		}
	}
}

func (p *pipeline) poke() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}
