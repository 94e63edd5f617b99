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
}

// AppendEntriesPipeline opens a pipeline to a server.
func (t *transport) AppendEntriesPipeline(id raft.ServerID, target raft.ServerAddress) (raft.AppendPipeline, error) {
	p, err := t.NetworkTransport.AppendEntriesPipeline(id, target)
	if err != nil {
		return nil, err
	}
	return newPipeline(p), nil
}

func newPipeline(of raft.AppendPipeline) *pipeline {
	p := &pipeline{AppendPipeline: of, out: make(chan raft.AppendFuture), ended: make(chan struct{})}
	p.end = sync.OnceValue(func() error {
		close(p.ended)
		return of.Close()
	})
	go p.relay()
	return p
}

// Consumer gives the answers.
func (p *pipeline) Consumer() <-chan raft.AppendFuture { return p.out }

// Close ends the pipeline.
func (p *pipeline) Close() error { return p.end() }

func (p *pipeline) relay() {
	for {
		select {
		case f := <-p.AppendPipeline.Consumer():
			select {
			case p.out <- f:
			case <-p.ended:
				return
			}
			if !f.Response().Success {
				_ = p.end() // its sender is told by an error
				return
			}
		case <-p.ended:
			return
		}
	}
}
