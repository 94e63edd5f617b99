// Package slow logs operations that took longer than they should, with what
// they spent the time on. Of each kind one line is written in a while, with the
// number of those that were left out, so that a slow disk does not fill a log.
//
// A watch belongs to one kind of operation and is safe for use by many
// goroutines. An operation in time costs a comparison.
package slow

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// quiet is how long a watch says nothing after it has said something.
const quiet = 10 * time.Second

// Limits are how long operations may take before they are logged; 0: for ever.
type Limits struct {
	Request    time.Duration // an answer of the API, waiting for changes left out
	Commit     time.Duration // from handing a command to the log until it is applied
	Apply      time.Duration // of entries to the state
	Fsync      time.Duration // of the log
	Evaluation time.Duration // the scheduler's work on one evaluation
}

// Usual are the limits unless the configuration says otherwise.
var Usual = Limits{Request: 2 * time.Second, Commit: time.Second, Apply: 250 * time.Millisecond, Fsync: 250 * time.Millisecond, Evaluation: 500 * time.Millisecond}

var limits atomic.Pointer[Limits]

// Configure sets the limits of the process. What is slow by them is told at
// once, whatever was told before.
func Configure(l Limits) {
	limits.Store(&l)
	for _, w := range []*Watch{Request, Commit, Apply, Fsync, Evaluation} {
		w.mu.Lock()
		w.said = time.Time{}
		w.mu.Unlock()
	}
}

func current() *Limits {
	if l := limits.Load(); l != nil {
		return l
	}
	return &Usual
}

// Watch looks after one kind of operation.
type Watch struct {
	what  string
	limit func(*Limits) time.Duration

	mu      sync.Mutex
	said    time.Time
	leftOut int
}

// The kinds.
var (
	Request    = &Watch{what: "a request was slow", limit: func(l *Limits) time.Duration { return l.Request }}
	Commit     = &Watch{what: "a command was slow to be committed", limit: func(l *Limits) time.Duration { return l.Commit }}
	Apply      = &Watch{what: "entries of the log were slow to be applied", limit: func(l *Limits) time.Duration { return l.Apply }}
	Fsync      = &Watch{what: "the disk was slow to keep entries of the log", limit: func(l *Limits) time.Duration { return l.Fsync }}
	Evaluation = &Watch{what: "an evaluation was slow to be scheduled", limit: func(l *Limits) time.Duration { return l.Evaluation }}
)

// Over says whether an operation that took so long is slow: only then its causes
// are worth working out for Tell.
func (w *Watch) Over(took time.Duration) bool {
	limit := w.limit(current())
	return limit > 0 && took >= limit
}

// Tell logs an operation that was slow, with facts about its causes, unless
// another of its kind was logged a moment ago.
func (w *Watch) Tell(log *slog.Logger, took time.Duration, facts ...any) {
	w.mu.Lock()
	now := time.Now()
	if now.Sub(w.said) < quiet {
		w.leftOut++
		w.mu.Unlock()
		return
	}
	left := w.leftOut
	w.said, w.leftOut = now, 0
	w.mu.Unlock()
	if left > 0 {
		facts = append(facts, "others_since", left)
	}
	log.Warn(w.what, append([]any{"took", took.Round(time.Millisecond)}, facts...)...)
}
