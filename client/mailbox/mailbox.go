// Package mailbox is an unbounded queue to one goroutine. Loops that tell each
// other of changes use it, so that neither ever waits for the other.
package mailbox

import "sync"

// Box is the queue. The zero value does not work: use New.
type Box[T any] struct {
	wake chan struct{}

	mu    sync.Mutex // guards queue
	queue []T
}

// New makes an empty queue.
func New[T any]() *Box[T] { return &Box[T]{wake: make(chan struct{}, 1)} }

// Put adds a message; it never blocks.
func (b *Box[T]) Put(v T) {
	b.mu.Lock()
	b.queue = append(b.queue, v)
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// Wake has a value when there may be messages.
func (b *Box[T]) Wake() <-chan struct{} { return b.wake }

// Take removes and gives all messages, oldest first.
func (b *Box[T]) Take() []T {
	b.mu.Lock()
	defer b.mu.Unlock()
	q := b.queue
	b.queue = nil
	return q
}
