package wal

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/internal/failpoint"
)

// segmentName is the name of a segment's file.
func segmentName(number uint64) string { return fmt.Sprintf("%016d.wal", number) }

const temporary = "new.tmp"

// roomFor returns the segment that a frame goes to, a new one when the last
// has no room for it.
func (l *Log) roomFor(h frameHeader) (*segment, error) {
	s := l.segments[len(l.segments)-1]
	if s.end+h.size() <= s.size || s.end == headerBytes {
		return s, nil
	}
	s, err := l.newSegment(s.number+1, h.seq, l.opts.SegmentBytes)
	if err != nil {
		return nil, err
	}
	l.segments = append(l.segments, s)
	return s, nil
}

// newSegment makes a segment file. It gets its name when it is whole.
func (l *Log) newSegment(number, first uint64, size int64) (*segment, error) {
	var salt [8]byte
	if _, err := rand.Read(salt[:]); err != nil {
		return nil, err
	}
	s := &segment{segmentHeader: segmentHeader{number, binary.LittleEndian.Uint64(salt[:]), first}, end: headerBytes, size: size}
	f, err := l.root.OpenFile(temporary, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make log segment: %w", err)
	}
	s.file = f
	if err := l.fill(s); err != nil {
		f.Close()
		_ = l.root.Remove(temporary)
		return nil, fmt.Errorf("make log segment: %w", err)
	}
	if l.opts.Begun != nil {
		if err := l.opts.Begun(number); err != nil {
			f.Close()
			_ = l.root.Remove(segmentName(number))
			return nil, fmt.Errorf("make log segment: %w", err)
		}
	}
	return s, nil
}

func (l *Log) fill(s *segment) error {
	if err := s.allocate(); err != nil {
		return err
	}
	if _, err := s.file.WriteAt(s.bytes(), 0); err != nil {
		return err
	}
	if err := s.file.Sync(); err != nil {
		return err
	}
	if err := l.root.Rename(temporary, segmentName(s.number)); err != nil {
		return err
	}
	return l.syncDir()
}

// allocate reserves the segment's room, so that a full disk shows here and
// appending changes no metadata.
func (s *segment) allocate() error {
	err := unix.Fallocate(int(s.file.Fd()), 0, 0, s.size)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return s.file.Truncate(s.size)
	}
	return err
}

// cut removes everything from an offset on, durably. When somebody else has
// taken the room, the segment ends there.
func (s *segment) cut(at int64) error {
	if err := s.file.Truncate(at); err != nil {
		return err
	}
	if err := s.allocate(); err != nil {
		if !noRoom(err) {
			return err
		}
		if err := s.file.Truncate(at); err != nil { // what was allocated of it
			return err
		}
		s.size = at
	}
	return s.file.Sync()
}

// writeSync writes b and waits until it is on the disk.
func (s *segment) writeSync(b []byte, at int64) error {
	if _, err := s.file.WriteAt(b, at); err != nil {
		return err
	}
	err := failpoint.Sync("wal:sync")
	if err == nil {
		err = unix.Fdatasync(int(s.file.Fd()))
	}
	if err != nil && !noRoom(err) {
		return &syncError{err}
	}
	return err
}

// syncError says that the disk did not keep what was written to it. The kernel
// may have dropped it, and would say so once: nothing is tried again.
type syncError struct{ err error }

func (e *syncError) Error() string { return "make it durable: " + e.err.Error() }

func (e *syncError) Unwrap() error { return e.err }

func noRoom(err error) bool { return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) }

func (l *Log) syncDir() error {
	d, err := l.root.Open(".")
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// removeDead removes the oldest segments while nothing in them is alive. What
// they deleted is dead with them, since it was older still.
func (l *Log) removeDead() error {
	keep := l.segments[len(l.segments)-1].number
	if len(l.places) > 0 {
		keep = l.places[0].segment.number
	}
	for len(l.segments) > 1 && l.segments[0].number < keep {
		s := l.segments[0]
		l.segments = l.segments[1:]
		s.file.Close()
		if err := l.root.Remove(segmentName(s.number)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove log segment: %w", err)
		}
	}
	return nil
}
