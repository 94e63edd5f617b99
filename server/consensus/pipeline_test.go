package consensus

import (
	"errors"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// fullPipeline has no room for anything: who sends waits until it is closed.
type fullPipeline struct {
	answers chan raft.AppendFuture
	closed  chan struct{}
}

func (p *fullPipeline) AppendEntries(*raft.AppendEntriesRequest, *raft.AppendEntriesResponse) (raft.AppendFuture, error) {
	<-p.closed
	return nil, raft.ErrPipelineShutdown
}

func (p *fullPipeline) Consumer() <-chan raft.AppendFuture { return p.answers }

func (p *fullPipeline) Close() error {
	close(p.closed)
	return nil
}

// answered is an answer.
type answered struct {
	raft.AppendFuture
	success bool
}

func (a answered) Request() *raft.AppendEntriesRequest { return &raft.AppendEntriesRequest{} }

func (a answered) Response() *raft.AppendEntriesResponse {
	return &raft.AppendEntriesResponse{Success: a.success}
}

// A follower refuses while the pipeline to it is full. The library stops to read
// answers then, and who sends must not wait for ever.
func TestARefusalEndsThePipeline(t *testing.T) {
	full := &fullPipeline{answers: make(chan raft.AppendFuture), closed: make(chan struct{})}
	p := newPipeline(full, &commits{}, nil)
	sent := make(chan error, 1)
	go func() {
		_, err := p.AppendEntries(&raft.AppendEntriesRequest{}, nil)
		sent <- err
	}()
	full.answers <- answered{success: true}
	if f := <-p.Consumer(); !f.Response().Success {
		t.Error("the first answer is a refusal")
	}
	full.answers <- answered{}
	if f := <-p.Consumer(); f.Response().Success {
		t.Error("the refusal was lost")
	}
	select {
	case err := <-sent:
		if !errors.Is(err, raft.ErrPipelineShutdown) {
			t.Errorf("who sends is told %v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("who sends waits for ever")
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}
