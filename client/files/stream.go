package files

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/seraihq/serai/api"
)

// Where the offset of a stream counts from.
const (
	OriginStart = "start"
	OriginEnd   = "end"
)

// Events that a frame tells.
const (
	EventDeleted   = "file deleted"
	EventTruncated = "file truncated"
)

const (
	// FrameSize is the most data that one frame carries.
	FrameSize = 64 << 10
	// HeartbeatEvery is how long a quiet stream stays without a frame.
	HeartbeatEvery = time.Second
	// followEvery is how often a followed file is looked at.
	followEvery = 100 * time.Millisecond
)

// StreamOptions say what of a file is streamed.
type StreamOptions struct {
	Offset int64
	Origin string // OriginStart (also when empty) or OriginEnd
	Follow bool   // go on when the end is reached, until the context ends
}

// Check refuses options that make no sense.
func (o StreamOptions) Check() error {
	if o.Origin != "" && o.Origin != OriginStart && o.Origin != OriginEnd {
		return api.Errorf(api.ErrInvalid, "origin %q: must be %q or %q", o.Origin, OriginStart, OriginEnd)
	}
	if o.Offset < 0 {
		return api.Errorf(api.ErrInvalid, "offset %d: must not be negative", o.Offset)
	}
	return nil
}

// Start gives the place in a file of this size where a stream begins.
func (o StreamOptions) Start(size int64) int64 {
	if o.Origin == OriginEnd {
		return max(0, size-o.Offset)
	}
	return min(o.Offset, size)
}

// Stream sends a file's content in frames, and an empty frame as a heartbeat
// when there is nothing to tell. A follower is told when the file is truncated
// (the stream goes on from its start) or deleted (the stream ends).
func (r *Root) Stream(ctx context.Context, path string, opts StreamOptions, send func(*api.StreamFrame) error) error {
	if err := opts.Check(); err != nil {
		return err
	}
	f, info, err := r.OpenFile(path)
	if err != nil {
		return err
	}
	defer f.Close()
	s := &streamer{root: r, path: path, file: f, id: info.ID, at: opts.Start(info.Size), send: send}
	if err := s.copy(ctx); err != nil || !opts.Follow {
		return err
	}
	return s.follow(ctx)
}

type streamer struct {
	root *Root
	path string
	file *os.File
	id   ID
	at   int64
	send func(*api.StreamFrame) error
	buf  []byte
}

// copy sends what is there from the present place on.
func (s *streamer) copy(ctx context.Context) error {
	if s.buf == nil {
		s.buf = make([]byte, FrameSize)
	}
	for ctx.Err() == nil {
		n, err := s.file.ReadAt(s.buf, s.at)
		if n > 0 {
			s.at += int64(n)
			// The receiver may keep the frame.
			if err := s.send(&api.StreamFrame{File: s.path, Offset: s.at, Data: append([]byte(nil), s.buf[:n]...)}); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return kindOf(err, s.path)
		}
	}
	return ctx.Err()
}

func (s *streamer) follow(ctx context.Context) error {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		before := s.at
		gone, err := s.look(ctx)
		if err != nil || gone {
			return err
		}
		switch {
		case s.at != before:
			last = time.Now()
		case time.Since(last) >= HeartbeatEvery:
			last = time.Now()
			if err := s.send(&api.StreamFrame{}); err != nil {
				return err
			}
		}
	}
}

// look sends what has come since, and tells of truncation and deletion.
func (s *streamer) look(ctx context.Context) (gone bool, err error) {
	st, err := s.file.Stat()
	if err != nil {
		return false, kindOf(err, s.path)
	}
	if st.Size() < s.at {
		s.at = 0
		if err := s.send(&api.StreamFrame{File: s.path, FileEvent: EventTruncated}); err != nil {
			return false, err
		}
	}
	if st.Size() > s.at {
		return false, s.copy(ctx)
	}
	now, err := s.root.Stat(s.path)
	if err == nil && now.ID == s.id {
		return false, nil
	}
	return true, s.send(&api.StreamFrame{File: s.path, Offset: s.at, FileEvent: EventDeleted})
}
