package image

import (
	"io"
	"sync"
)

// ahead reads on while what it has read is being worked on, so that fetching and
// decompressing keep one core busy and writing another.
type ahead struct {
	chunks  chan chunk
	spare   chan []byte
	quit    chan struct{}
	once    sync.Once
	stopped chan struct{}
	now     chunk
	rest    []byte
}

type chunk struct {
	b   []byte
	err error
}

const (
	aheadChunks = 4
	aheadSize   = 512 * kib
)

func newAhead(r io.Reader) *ahead {
	a := &ahead{chunks: make(chan chunk, aheadChunks), spare: make(chan []byte, aheadChunks+2), quit: make(chan struct{}), stopped: make(chan struct{})}
	go a.run(r)
	return a
}

func (a *ahead) run(r io.Reader) {
	defer close(a.stopped)
	defer close(a.chunks)
	for {
		var b []byte
		select {
		case b = <-a.spare:
		default:
			b = make([]byte, aheadSize)
		}
		n, err := 0, error(nil)
		for b = b[:aheadSize]; n < len(b) && err == nil; {
			var more int
			more, err = r.Read(b[n:])
			n += more
		}
		select {
		case a.chunks <- chunk{b[:n], err}:
		case <-a.quit:
			return
		}
		if err != nil {
			return
		}
	}
}

// Read gives what has been read, in order, and at the end why no more comes.
func (a *ahead) Read(p []byte) (int, error) {
	for len(a.rest) == 0 {
		if a.now.err != nil {
			return 0, a.now.err
		}
		if a.now.b != nil {
			select {
			case a.spare <- a.now.b:
			default:
			}
		}
		c, ok := <-a.chunks
		if !ok {
			return 0, io.ErrUnexpectedEOF
		}
		a.now, a.rest = c, c.b
	}
	n := copy(p, a.rest)
	a.rest = a.rest[n:]
	return n, nil
}

// stop ends the reading ahead. The reader below must not wait for ever.
func (a *ahead) stop() {
	a.once.Do(func() { close(a.quit) })
	<-a.stopped
}
