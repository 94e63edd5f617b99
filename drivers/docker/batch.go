package docker

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// pass takes in what has not been passed on before this stream began.
func (l *logReader) pass(stream int, at time.Time, text []byte) error {
	had := &l.had[stream]
	switch {
	case at.Before(had.at):
		return nil
	case at.Equal(had.at):
		n := min(had.bytes, int64(len(text)))
		had.bytes, text = had.bytes-n, text[n:]
	}
	if len(text) == 0 {
		return nil
	}
	b := &l.batches[stream]
	b.text, b.entries = append(b.text, text...), append(b.entries, batched{at, len(text)})
	if len(b.text) < batchSize {
		return nil
	}
	return l.flush(stream)
}

// batchSize is about what a pipe holds.
const batchSize = 64 << 10

// batch is what is to be written to a pipe at once, and what entries it is made of.
type batch struct {
	text    []byte
	entries []batched
}

// batched is one entry of a batch, or what is left of it.
type batched struct {
	at   time.Time
	size int
}

// flushAll writes what has been taken in.
func (l *logReader) flushAll() error {
	return errors.Join(l.flush(stdout), l.flush(stderr))
}

// flush writes to the pipe.
func (l *logReader) flush(stream int) error {
	b := &l.batches[stream]
	defer func() { *b = batch{text: b.text[:0], entries: b.entries[:0]} }()
	if l.pipes[stream] == nil {
		l.pos.pos[stream] = b.after(l.pos.pos[stream], len(b.text))
		return nil
	}
	conn, err := l.pipes[stream].SyscallConn()
	if err != nil {
		return errSink
	}
	for text := b.text; len(text) > 0; {
		n := min(len(text), pipeAtom)
		after := b.after(l.pos.pos[stream], n)
		intended := false
		var sysErr error
		err := conn.Write(func(fd uintptr) bool {
			if !intended {
				l.pos.intend(stream, int(fd), after)
				intended = true
			}
			_, sysErr = unix.Write(int(fd), text[:n])
			return !errors.Is(sysErr, unix.EAGAIN)
		})
		switch {
		case err != nil:
			return errSink
		case errors.Is(sysErr, unix.EINTR):
			continue
		case sysErr != nil:
			return errSink
		}
		l.pos.pos[stream] = after
		b.drop(n)
		text = text[n:]
		l.passed.Load().moved()
	}
	return nil
}

// pipeAtom is what a pipe takes wholly or not at all (PIPE_BUF).
const pipeAtom = 4096

// after is the position when n bytes of the batch have gone.
func (b *batch) after(p position, n int) position {
	for _, e := range b.entries {
		if n == 0 {
			break
		}
		part := min(n, e.size)
		p, n = p.plus(e.at, part), n-part
	}
	return p
}

// drop takes away the entries of n bytes that have gone.
func (b *batch) drop(n int) {
	for n > 0 {
		e := &b.entries[0]
		part := min(n, e.size)
		if n, e.size = n-part, e.size-part; e.size == 0 {
			b.entries = b.entries[1:]
		}
	}
}
