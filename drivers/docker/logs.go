package docker

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/moby/moby/client"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/internal/stdio"
)

// The streams of a container, as indices.
const (
	stdout = iota
	stderr
)

// maxEntry bounds one entry of the engine's log; it writes parts of 16 KiB.
const maxEntry = 4 << 20

// errSink is why output cannot be passed on any more.
var errSink = errors.New("the task's pipe does not take output")

// logReader carries a container's output from the engine's log stream to the task's pipes.
type logReader struct {
	cfg   *drivers.TaskConfig
	pipes [2]*os.File
	pos   *positions
	// had is the position at which the stream that is read now begins.
	had [2]position
	// batches are what is read and not yet written.
	batches [2]batch
	// unended are the times of lines whose end has not come yet; zero when the last one has ended.
	unended [2]time.Time
	// passed is told of each write once the container has ended.
	passed atomic.Pointer[drain]
}

// drain ends the reading of what a container has left when nothing moves any more.
type drain struct{ timer *time.Timer }

func (d *drain) moved() {
	if d != nil {
		d.timer.Reset(drainPatience)
	}
}

// followGrace is how long the engine may take to end the stream of a container that has ended. Some never do.
const followGrace = 300 * time.Millisecond

// openLogs opens the task's pipes, and keeps them open so that what is written last stays in them until the task is destroyed. A task whose output
// nobody collects has a logReader without pipes.
func openLogs(cfg *drivers.TaskConfig) (*logReader, error) {
	l := &logReader{cfg: cfg}
	for i, path := range []string{cfg.StdoutPath, cfg.StderrPath} {
		if path == "" {
			continue
		}
		f, err := stdio.Open(cfg.AllocDir, path)
		if err != nil {
			l.close()
			return nil, err
		}
		l.pipes[i] = f
	}
	if l.wanted() {
		l.pos, _ = openPositions(cfg, l.pipes) // without it, output may come twice after a restart
	}
	return l, nil
}

func (l *logReader) wanted() bool { return l.pipes[stdout] != nil || l.pipes[stderr] != nil }

func (l *logReader) close() {
	for _, f := range l.pipes {
		if f != nil {
			_ = f.Close()
		}
	}
	if l.pos != nil {
		l.pos.close()
	}
}

// run reads until the container has ended and all of its output is passed on, or ctx ends. ended is closed with the container's end; the engine has noted
// all of the output by then.
func (l *logReader) run(ctx context.Context, d *Driver, s state, ended <-chan struct{}) {
	if !l.wanted() {
		return
	}
	stop := context.AfterFunc(ctx, func() { // ends a write that nobody reads
		for _, f := range l.pipes {
			if f != nil {
				_ = f.SetWriteDeadline(time.Unix(1, 0))
			}
		}
	})
	defer stop()
	told := false
	for delay := firstDelay; ctx.Err() == nil; delay = min(2*delay, lastDelay) {
		last := closed(ended)
		began := time.Now()
		err := l.read(ctx, d, s, ended)
		if errors.Is(err, errSink) || gone(err) || last && err == nil {
			return
		}
		if err != nil && !told && !closed(ended) && ctx.Err() == nil && !client.IsErrConnectionFailed(err) && !errors.Is(err, io.ErrUnexpectedEOF) {
			told = true
			d.tell(l.cfg, fmt.Sprintf("Output cannot be read from the engine: %v", err))
		}
		if time.Since(began) > lastDelay {
			delay = firstDelay
		}
		wait := time.NewTimer(delay)
		over := ended
		if last {
			over = nil // what is left could not be read: it is tried again
		}
		select {
		case <-over:
		case <-ctx.Done():
		case <-wait.C:
		}
		wait.Stop()
	}
}

// read follows the output of a container that runs until it has ended, or reads to its end what one that has ended has left.
func (l *logReader) read(ctx context.Context, d *Driver, s state, ended <-chan struct{}) error {
	if closed(ended) {
		return l.stream(ctx, d, s, false)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-ctx.Done():
			return
		case <-ended:
		}
		select {
		case <-ctx.Done():
		case <-time.After(followGrace):
			cancel()
		}
	}()
	return l.stream(ctx, d, s, true)
}

func closed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

// stream reads the engine's log from where it has been passed on, to its end.
func (l *logReader) stream(ctx context.Context, d *Driver, s state, follow bool) error {
	cli, err := d.engine.client()
	if err != nil {
		return err
	}
	opts := client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true, Follow: follow, Timestamps: true}
	l.had, l.batches, l.unended = l.pos.pos, [2]batch{}, [2]time.Time{}
	if since := l.pos.since(); !since.IsZero() {
		opts.Since = fmt.Sprintf("%d.%09d", since.Unix(), since.Nanosecond())
	}
	body, err := cli.ContainerLogs(ctx, s.Container, opts)
	if err != nil {
		return err
	}
	defer body.Close()
	if s.TTY {
		return l.lines(body)
	}
	return l.frames(body)
}

// frames reads entries in the engine's frames: a byte for the stream, three of nothing, four of length.
func (l *logReader) frames(r io.Reader) error {
	in := bufio.NewReaderSize(r, 64<<10)
	var head [8]byte
	var entry []byte
	for {
		if in.Buffered() < len(head) { // reading may take a while
			if err := l.flushAll(); err != nil {
				return err
			}
		}
		if _, err := io.ReadFull(in, head[:]); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		size := binary.BigEndian.Uint32(head[4:])
		if size > maxEntry {
			return fmt.Errorf("an entry of %d bytes: not the engine's protocol", size)
		}
		if uint32(cap(entry)) < size {
			entry = make([]byte, size)
		}
		entry = entry[:size]
		if in.Buffered() < int(size) {
			if err := l.flushAll(); err != nil {
				return err
			}
		}
		if _, err := io.ReadFull(in, entry); err != nil {
			return err
		}
		stream := stdout
		switch head[0] {
		case 0, 1:
		case 2:
			stream = stderr
		case 3:
			return fmt.Errorf("the engine: %s", clip(string(entry)))
		default:
			return fmt.Errorf("stream %d: not the engine's protocol", head[0])
		}
		at, text, err := stamped(entry)
		if err != nil {
			return err
		}
		if err := l.endLine(stream, at); err != nil {
			return err
		}
		if err := l.pass(stream, at, text); err != nil {
			return err
		}
		if !bytes.HasSuffix(text, []byte{'\n'}) {
			l.unended[stream] = at
		}
	}
}

// endLine ends a line whose end the engine has lost: all parts of a long line have the time of the first and the last one its end, but for the log driver
// "local" of old engines.
func (l *logReader) endLine(stream int, next time.Time) error {
	before := l.unended[stream]
	l.unended[stream] = time.Time{}
	if before.IsZero() || next.Equal(before) || next.Before(l.had[stream].at) || next.Equal(l.had[stream].at) {
		return nil
	}
	if err := l.flush(stream); err != nil || l.pipes[stream] == nil {
		return err
	}
	if _, err := l.pipes[stream].Write([]byte{'\n'}); err != nil {
		return errSink
	}
	return nil
}

// lines reads the output of a container with a terminal, which comes without frames: a time at the beginning of each line, and once more at each part of
// a long one.
func (l *logReader) lines(r io.Reader) error {
	in := bufio.NewReaderSize(r, 64<<10)
	var stamp, held []byte
	var at time.Time
	fresh := true
	for {
		read, err := in.ReadSlice('\n')
		part := append(held[:len(held):len(held)], read...)
		held = nil
		if fresh && len(part) > 0 {
			var stampErr error
			if at, part, stampErr = stamped(part); stampErr != nil {
				return stampErr
			}
			stamp = append(at.AppendFormat(stamp[:0], "2006-01-02T15:04:05.000000000Z07:00"), ' ')
		}
		fresh = len(read) > 0 && read[len(read)-1] == '\n'
		part = bytes.ReplaceAll(part, stamp, nil)
		if err == nil || errors.Is(err, bufio.ErrBufferFull) {
			part, held = holdBack(part, stamp)
		}
		passErr := l.pass(stdout, at, part)
		if passErr == nil && in.Buffered() == 0 {
			passErr = l.flushAll()
		}
		if passErr != nil {
			return passErr
		}
		switch {
		case errors.Is(err, io.EOF):
			return l.flushAll()
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return err
		}
	}
}

// holdBack splits off the end of part where it may be the beginning of a stamp.
func holdBack(part, stamp []byte) (now, later []byte) {
	for n := min(len(part), len(stamp)); n > 0; n-- {
		if bytes.HasSuffix(part, stamp[:n]) {
			return part[:len(part)-n], bytes.Clone(part[len(part)-n:])
		}
	}
	return part, nil
}
