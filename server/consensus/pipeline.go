package consensus

import (
	"sync"

	"github.com/hashicorp/raft"
)

// pipeline ends itself after the first answer that is a refusal or an error. The
// library reads no further answer then; whoever sends when too many are on their
// way would wait for ever: the follower gets nothing any more, and Raft cannot be
// shut down.
type pipeline struct {
	raft.AppendPipeline
	out   chan raft.AppendFuture
	ended chan struct{}
	end   func() error

	commits  *commits
	progress progress
	wake     chan struct{}                            // inform has to look; has room for one
	send     func(m *raft.AppendEntriesRequest) error // outside of the pipeline
}

// AppendEntriesPipeline opens a pipeline to a server.
func (t *transport) AppendEntriesPipeline(id raft.ServerID, target raft.ServerAddress) (raft.AppendPipeline, error) {
	p, err := t.NetworkTransport.AppendEntriesPipeline(id, target)
	if err != nil {
		return nil, err
	}
	return newPipeline(p, &t.commits, func(m *raft.AppendEntriesRequest) error {
		return t.NetworkTransport.AppendEntries(id, target, m, new(raft.AppendEntriesResponse))
	}), nil
}

func newPipeline(of raft.AppendPipeline, c *commits, send func(*raft.AppendEntriesRequest) error) *pipeline {
	p := &pipeline{
		AppendPipeline: of, out: make(chan raft.AppendFuture), ended: make(chan struct{}),
		commits: c, wake: make(chan struct{}, 1), send: send,
	}
	p.end = sync.OnceValue(func() error {
		c.leave(p)
		close(p.ended)
		return of.Close()
	})
	c.join(p)
	go p.relay()
	go p.inform()
	return p
}

// AppendEntries sends a message; its answer comes by the Consumer.
func (p *pipeline) AppendEntries(m *raft.AppendEntriesRequest, answer *raft.AppendEntriesResponse) (raft.AppendFuture, error) {
	p.progress.sent(m)
	return p.AppendPipeline.AppendEntries(m, answer)
}

// Consumer gives the answers.
func (p *pipeline) Consumer() <-chan raft.AppendFuture { return p.out }

// Close ends the pipeline.
func (p *pipeline) Close() error { return p.end() }

func (p *pipeline) relay() {
	for {
		select {
		case f := <-p.AppendPipeline.Consumer():
			ok := f.Response().Success
			if ok {
				p.progress.answered(f.Request())
				p.poke()
			}
			select {
			case p.out <- f:
			case <-p.ended:
				return
			}
			if !ok {
				_ = p.end() // its sender is told by an error
				return
			}
		case <-p.ended:
			return
		}
	}
}
