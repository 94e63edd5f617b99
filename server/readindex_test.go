package server

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
)

// TestReadsShareQuestions: no read takes an answer that was asked for before it
// came, and all that wait for a question to be sent share the next.
func TestReadsShareQuestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a asks
		var mu sync.Mutex
		var calls uint64
		now := uint64(100) // of the leader
		hold := make(chan struct{})
		call := func(context.Context) (uint64, error) {
			mu.Lock()
			calls++
			index := now
			mu.Unlock()
			<-hold
			return index, nil
		}
		var reads sync.WaitGroup
		for i := range uint64(100) {
			mu.Lock()
			now = 100 + i
			mu.Unlock()
			reads.Go(func() {
				if got, err := a.ask(t.Context(), call); err != nil || got < 100+i {
					t.Errorf("read %d is answered from %d, %v", i, got, err)
				}
			})
			synctest.Wait()
		}
		impatient, cancel := context.WithCancel(t.Context())
		reads.Go(func() {
			if _, err := a.ask(impatient, call); !errors.Is(err, context.Canceled) {
				t.Errorf("given up: %v", err)
			}
		})
		synctest.Wait()
		cancel()
		close(hold)
		reads.Wait()
		synctest.Wait()
		if calls != parallelAsks+1 || a.flying != 0 || a.next != nil {
			t.Errorf("%d questions; %d under way, %v waits", calls, a.flying, a.next)
		}
	})
}

func TestQuestionsFail(t *testing.T) {
	var a asks
	for range 3 {
		broken := errors.New("broken")
		if _, err := a.ask(t.Context(), func(context.Context) (uint64, error) { return 0, broken }); !errors.Is(err, broken) {
			t.Error(err)
		}
	}
}

// TestTheLeaderIsHeardAgain: who waits for the leader to be lost is told once, and
// not for a later time.
func TestTheLeaderIsHeardAgain(t *testing.T) {
	s := newStanding()
	first := s.alone()
	s.heard(true)
	if first.Err() != nil {
		t.Error("lost while it was heard")
	}
	s.heard(false)
	s.heard(false)
	if first.Err() == nil || s.alone().Err() == nil {
		t.Error("not lost")
	}
	s.heard(true)
	if first.Err() == nil || s.alone().Err() != nil {
		t.Error("still lost")
	}
}
