package rpc

import (
	"io"
	"net/http"
	"sync"
)

// passed is the body of a request that is passed on. The other side may answer
// before it has read everything, and then the transport waits for the read that
// is under way; that read waits for the caller, who may have stopped sending
// because it waits for the answer. So a read is done apart, and can be left.
//
// Every attempt to send the request has a body of its own, and goes on where the
// last one stopped reading.
type passed struct {
	from io.Reader

	mu      sync.Mutex
	pending chan part // of the read that is under way; nil: none
	rest    part      // read and not yet handed out
}

type part struct {
	data []byte
	err  error
}

// passedPart is how much is read at a time.
const passedPart = 32 << 10

// next begins a read, or finds the one that is under way.
func (p *passed) next() <-chan part {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pending == nil {
		done := make(chan part, 1)
		p.pending = done
		if len(p.rest.data) > 0 || p.rest.err != nil {
			done <- p.rest
			return done
		}
		go func() { // ends with the request
			b := make([]byte, passedPart)
			n, err := p.from.Read(b)
			done <- part{b[:n], err}
		}()
	}
	return p.pending
}

// took notes what is left of a part.
func (p *passed) took(rest part) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pending, p.rest = nil, rest
}

// attempt gives the body to a transport.
func (p *passed) attempt() io.ReadCloser { return &attempt{of: p, left: make(chan struct{})} }

type attempt struct {
	of   *passed
	once sync.Once
	left chan struct{}
}

// Read implements io.Reader. One goroutine reads at a time.
func (a *attempt) Read(b []byte) (int, error) {
	select {
	case <-a.left:
		return 0, http.ErrBodyReadAfterClose
	default:
	}
	select {
	case <-a.left:
		return 0, http.ErrBodyReadAfterClose
	case x := <-a.of.next():
		n := copy(b, x.data)
		x.data = x.data[n:]
		a.of.took(x)
		if len(x.data) == 0 {
			return n, x.err
		}
		return n, nil
	}
}

// Close ends the read that is under way.
func (a *attempt) Close() error {
	a.once.Do(func() { close(a.left) })
	return nil
}
