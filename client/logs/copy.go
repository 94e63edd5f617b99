package logs

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/files"
)

const (
	// quietLook is how often a followed stream is looked at when nobody announces output.
	quietLook = 250 * time.Millisecond
	// frameGap is the least time between two looks, so that a flood makes full frames.
	frameGap = 10 * time.Millisecond
)

// Live is the stream that still writes what Copy reads, or nil; over says that
// none will come any more.
type Live func() (stream *Stream, over bool)

// Request says what Copy sends.
type Request struct {
	Task string
	Kind string
	files.StreamOptions
}

// Copy sends a task's output in frames, over all its rotated files in order.
// The offset counts over all that is kept. A follower's stream ends when no
// more output can come.
func Copy(ctx context.Context, root *files.Root, req Request, live Live, send func(*api.StreamFrame) error) error {
	if err := req.Check(); err != nil {
		return err
	}
	r := &reader{ctx: ctx, root: root, req: req, send: send}
	defer r.close()
	if err := r.seek(); err != nil {
		return err
	}
	if !req.Follow {
		_, err := r.drain()
		return err
	}
	return r.follow(live)
}

type reader struct {
	ctx  context.Context
	root *files.Root
	req  Request
	send func(*api.StreamFrame) error

	file  *os.File // nil: the file of this index is not there yet
	index int
	at    int64
	buf   []byte
}

func (r *reader) close() {
	if r.file != nil {
		r.file.Close()
		r.file = nil
	}
}

// seek goes to where the request's offset is.
func (r *reader) seek() error {
	found, err := indices(r.root, r.req.Task, r.req.Kind)
	if err != nil {
		return err
	}
	var total int64
	sizes := make([]int64, len(found))
	for i, n := range found {
		// One that is rotated away meanwhile counts for nothing.
		if info, err := r.root.Stat(Name(r.req.Task, r.req.Kind, n)); err == nil {
			sizes[i] = info.Size
			total += info.Size
		}
	}
	skip := r.req.Start(total)
	for i, n := range found {
		r.index, r.at = n, skip
		if skip < sizes[i] {
			return nil
		}
		skip -= sizes[i]
	}
	if len(found) > 0 {
		r.at = sizes[len(sizes)-1]
	}
	return nil
}

// drain sends all that is there, and says whether that was anything.
func (r *reader) drain() (sent bool, err error) {
	for {
		more, err := r.rest()
		sent = sent || more
		if err != nil {
			return sent, err
		}
		next, ok, err := r.next()
		if err != nil || !ok {
			return sent, err
		}
		// The writer has gone on: now what is in this file is all of it.
		if more, err = r.rest(); err != nil {
			return sent, err
		}
		sent = sent || more
		r.close()
		r.index, r.at = next, 0
	}
}

// next gives the number of the file after the present one.
func (r *reader) next() (index int, ok bool, err error) {
	found, err := indices(r.root, r.req.Task, r.req.Kind)
	if err != nil {
		return 0, false, err
	}
	for _, n := range found {
		if n > r.index {
			return n, true, nil
		}
	}
	return 0, false, nil
}

// rest sends what is left of the present file.
func (r *reader) rest() (sent bool, err error) {
	name := Name(r.req.Task, r.req.Kind, r.index)
	if r.file == nil {
		f, _, err := r.root.OpenFile(name)
		if errors.Is(err, api.ErrNotFound) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		r.file = f
	}
	if r.buf == nil {
		r.buf = make([]byte, files.FrameSize)
	}
	for {
		if err := r.ctx.Err(); err != nil {
			return sent, err
		}
		n, err := r.file.ReadAt(r.buf, r.at)
		if n > 0 {
			r.at += int64(n)
			sent = true
			frame := &api.StreamFrame{File: name, Offset: r.at, Data: append([]byte(nil), r.buf[:n]...)}
			if err := r.send(frame); err != nil {
				return sent, err
			}
		}
		if errors.Is(err, io.EOF) {
			return sent, nil
		}
		if err != nil {
			return sent, err
		}
	}
}

func (r *reader) follow(live Live) error {
	beat := time.NewTicker(files.HeartbeatEvery)
	defer beat.Stop()
	quiet := true
	for {
		stream, over := live()
		var changed, done <-chan struct{}
		if stream != nil {
			changed, done = stream.Changed(), stream.Done()
		}
		sent, err := r.drain()
		if err != nil {
			return err
		}
		if over {
			return nil
		}
		quiet = quiet && !sent
		if err := r.pause(changed, done, beat.C, &quiet); err != nil {
			return err
		}
	}
}

// pause waits until there may be more, sending heartbeats meanwhile.
func (r *reader) pause(changed, done <-chan struct{}, beat <-chan time.Time, quiet *bool) error {
	look := time.NewTimer(quietLook)
	defer look.Stop()
	select {
	case <-changed:
		return r.gap()
	case <-done:
		return r.gap()
	case <-look.C:
	case <-beat:
		if *quiet {
			return r.send(&api.StreamFrame{})
		}
		*quiet = true
	case <-r.ctx.Done():
		return r.ctx.Err()
	}
	return nil
}

func (r *reader) gap() error {
	t := time.NewTimer(frameGap)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-r.ctx.Done():
		return r.ctx.Err()
	}
}
