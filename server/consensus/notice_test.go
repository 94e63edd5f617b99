package consensus

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

// quick is a pipeline whose messages are answered at once, where it answers.
type quick struct {
	answers chan raft.AppendFuture
	closed  chan struct{}
}

func (q *quick) AppendEntries(*raft.AppendEntriesRequest, *raft.AppendEntriesResponse) (raft.AppendFuture, error) {
	return nil, nil
}

func (q *quick) Consumer() <-chan raft.AppendFuture { return q.answers }

func (q *quick) Close() error {
	close(q.closed)
	return nil
}

type taken struct {
	raft.AppendFuture
	m *raft.AppendEntriesRequest
}

func (t taken) Request() *raft.AppendEntriesRequest { return t.m }
func (t taken) Response() *raft.AppendEntriesResponse {
	return &raft.AppendEntriesResponse{Success: true}
}

// TestNotices: a follower is told of what is committed when it has it, when the
// library has not told it, and once.
func TestNotices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		c := &commits{}
		q := &quick{answers: make(chan raft.AppendFuture), closed: make(chan struct{})}
		p := newPipeline(q, c, func(m *raft.AppendEntriesRequest) error {
			told = append(told, fmt.Sprintf("term %d, %d of term %d, committed %d, %d entries", m.Term, m.PrevLogEntry, m.PrevLogTerm, m.LeaderCommitIndex, len(m.Entries)))
			return nil
		})
		send := func(committed uint64, entries ...uint64) *raft.AppendEntriesRequest {
			m := &raft.AppendEntriesRequest{Term: 7, PrevLogEntry: 1, PrevLogTerm: 6, LeaderCommitIndex: committed}
			for _, index := range entries {
				m.Entries = append(m.Entries, &raft.Log{Index: index, Term: 7})
			}
			if _, err := p.AppendEntries(m, nil); err != nil {
				t.Fatal(err)
			}
			return m
		}
		answer := func(m *raft.AppendEntriesRequest) {
			q.answers <- taken{m: m}
			<-p.Consumer()
		}
		expect := func(what string, want ...string) {
			t.Helper()
			time.Sleep(2 * noticeAfter)
			synctest.Wait()
			if fmt.Sprint(told) != fmt.Sprint(want) {
				t.Errorf("%s: told %q, want %q", what, told, want)
			}
			told = nil
		}
		c.reached(2, 6)
		expect("nothing was sent yet")
		first := send(1, 2, 3)
		c.reached(2, 6)
		expect("it may not have it")
		answer(first)
		expect("it has it", "term 7, 2 of term 6, committed 2, 0 entries")
		c.reached(2, 6)
		expect("it was told")
		c.reached(3, 7)
		send(3)
		expect("the library tells it in time")
		answer(send(3, 4, 5))
		c.reached(4, 7)
		c.reached(5, 7)
		expect("the last of several", "term 7, 5 of term 7, committed 5, 0 entries")
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		c.reached(6, 7)
		expect("after the end")
		if len(c.pipelines) > 0 {
			t.Error("the pipeline is still known")
		}
	})
}

// TestFollowersHearOfCommits has the library say nothing for an hour.
func TestFollowersHearOfCommits(t *testing.T) {
	before := timingCluster
	t.Cleanup(func() { timingCluster = before })
	timingCluster.commit = time.Hour
	all := startCluster(t, 3)
	leader := leaderOf(t, all...)
	// The first messages to a follower are no pipeline: then the next entry tells.
	n := 0
	eventually(t, "followers to know what nothing follows", func() bool {
		n++
		name := fmt.Sprint("n", n)
		write(t, name, leader)
		for deadline := time.Now().Add(2 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
			if hasNamespace(all[0].Raft, name) && hasNamespace(all[1].Raft, name) && hasNamespace(all[2].Raft, name) {
				return true
			}
		}
		return false
	})
}
