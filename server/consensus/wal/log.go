package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"log/slog"
	"os"
	"sync"
)

// ErrNotFound is returned for an index that the log does not hold.
var ErrNotFound = errors.New("log entry not found")

// ErrClosed is returned by a log that was closed.
var ErrClosed = errors.New("log is closed")

// ErrBroken is returned by a log whose disk failed in a way that leaves unknown
// what it holds. Nothing is written to it any more: the server must stop.
var ErrBroken = errors.New("the log is out of use")

// DefaultSegmentBytes is the size at which a new segment is begun.
const DefaultSegmentBytes = 32 << 20

// Options configure a log.
type Options struct {
	Dir          string
	SegmentBytes int64 // DefaultSegmentBytes when 0
	Logger       *slog.Logger

	// Newest is the number of the newest segment, as Begun was told last: a
	// log that ends before it has lost files. 0 when it is not known.
	Newest uint64

	// Begun, when it is set, keeps the number of a new segment somewhere else,
	// durably, before anything is written to the segment.
	Begun func(number uint64) error
}

// Log is an open log. One goroutine at a time appends and deletes; any number
// read.
type Log struct {
	opts Options
	log  *slog.Logger
	root *os.Root

	mu       sync.RWMutex
	segments []*segment // oldest first; the last is written to
	first    uint64     // index of places[0]
	places   []place
	seq      uint64 // of the last frame
	broken   error  // set when it is unknown what the disk holds
	closed   bool

	buf []byte // of the frame being built
}

// place is where an entry is.
type place struct {
	segment *segment
	offset  int64
	length  uint32
	crc     uint32
}

// segment is an open segment file.
type segment struct {
	segmentHeader
	file *os.File
	end  int64 // where the next frame goes
	size int64 // allocated
}

// FirstIndex returns the index of the oldest entry, 0 when there is none.
func (l *Log) FirstIndex() uint64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if len(l.places) == 0 {
		return 0
	}
	return l.first
}

// LastIndex returns the index of the newest entry, 0 when there is none.
func (l *Log) LastIndex() uint64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.last()
}

func (l *Log) last() uint64 {
	if len(l.places) == 0 {
		return 0
	}
	return l.first + uint64(len(l.places)) - 1
}

// Get reads the entry with the index.
func (l *Log) Get(index uint64, e *Entry) error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.closed {
		return ErrClosed
	}
	if len(l.places) == 0 || index < l.first || index > l.last() {
		return ErrNotFound
	}
	p := l.places[index-l.first]
	b := make([]byte, p.length)
	if _, err := p.segment.file.ReadAt(b, p.offset); err != nil {
		return fmt.Errorf("read log entry %d: %w", index, err)
	}
	if crc32.Checksum(b, castagnoli) != p.crc {
		return fmt.Errorf("%w: entry %d has changed on disk since it was written; "+mend, ErrCorrupt, index)
	}
	e.Index = index
	if _, err := e.parse(b); err != nil {
		return fmt.Errorf("%w: entry %d: %w", ErrCorrupt, index, err)
	}
	return nil
}

// Append adds entries, whose indexes follow on one another and on the last
// entry; an empty log takes any first index. They are durable when it returns
// nil. After an error none of them is part of the log.
func (l *Log) Append(entries []Entry) error {
	if len(entries) == 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if last := l.last(); last != 0 && entries[0].Index != last+1 {
		return fmt.Errorf("append log entry %d: the last is %d", entries[0].Index, last)
	}
	payload := binary.LittleEndian.AppendUint64(l.frameBuffer(), entries[0].Index)
	places := make([]place, len(entries))
	for i := range entries {
		if entries[i].Index != entries[0].Index+uint64(i) {
			return fmt.Errorf("append log entry %d: it does not follow on %d", entries[i].Index, entries[0].Index+uint64(i)-1)
		}
		from := len(payload)
		payload = entries[i].appendTo(payload)
		places[i] = place{
			offset: int64(from), length: uint32(len(payload) - from),
			crc: crc32.Checksum(payload[from:], castagnoli),
		}
	}
	s, at, err := l.write(kindEntries, payload, len(entries))
	if err != nil {
		return fmt.Errorf("append log entries %d to %d: %w", entries[0].Index, entries[len(entries)-1].Index, err)
	}
	for i := range places {
		places[i].segment = s
		places[i].offset += at
	}
	if len(l.places) == 0 {
		l.first = entries[0].Index
	}
	l.places = append(l.places, places...)
	return nil
}

// DeleteRange removes the entries from low to high, which must reach to one
// end of the log. It is durable when it returns nil.
func (l *Log) DeleteRange(low, high uint64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.places) == 0 || high < l.first || low > l.last() || low > high {
		return nil
	}
	if low > l.first && high < l.last() {
		return fmt.Errorf("delete log entries %d to %d: they are in the middle of %d to %d", low, high, l.first, l.last())
	}
	payload := binary.LittleEndian.AppendUint64(l.frameBuffer(), low)
	payload = binary.LittleEndian.AppendUint64(payload, high)
	if _, _, err := l.write(kindDelete, payload, 0); err != nil {
		return fmt.Errorf("delete log entries %d to %d: %w", low, high, err)
	}
	l.drop(low, high)
	return l.removeDead()
}

// drop forgets entries in memory.
func (l *Log) drop(low, high uint64) {
	if len(l.places) == 0 || high < l.first || low > l.last() {
		return
	}
	if low <= l.first {
		n := min(high-l.first+1, uint64(len(l.places)))
		l.places = append([]place(nil), l.places[n:]...)
		l.first += n
		return
	}
	l.places = l.places[:low-l.first]
}

// frameBuffer returns the buffer with room for a frame's header.
func (l *Log) frameBuffer() []byte {
	const keep = 4 << 20
	if cap(l.buf) > keep {
		l.buf = nil
	}
	return append(l.buf[:0], make([]byte, frameBytes)...)
}

// write makes a frame durable. frame has room for the header, then the
// payload. It returns the segment and where in its file the frame starts.
func (l *Log) write(kind byte, frame []byte, count int) (*segment, int64, error) {
	switch {
	case l.closed:
		return nil, 0, ErrClosed
	case l.broken != nil:
		return nil, 0, l.broken
	case len(frame) > maxFrame:
		return nil, 0, fmt.Errorf("%d bytes at once are too many", len(frame))
	}
	payload := frame[frameBytes:]
	h := frameHeader{kind: kind, seq: l.seq + 1, length: uint32(len(payload)), crc: crc32.Checksum(payload, castagnoli), count: uint32(count)}
	s, err := l.roomFor(h)
	if err != nil {
		return nil, 0, err
	}
	frame = append(frame, make([]byte, padded(int64(len(frame)))-int64(len(frame)))...)
	l.buf = frame
	h.put(frame, s.salt)
	at := s.end
	if err := s.writeSync(frame, at); err != nil {
		var lost *syncError
		if l.undo(s, at) != nil || errors.As(err, &lost) {
			l.broken = fmt.Errorf("%w after: %w; start the server again when the disk is well", ErrBroken, err)
			err = l.broken
		}
		return nil, 0, err
	}
	l.seq = h.seq
	s.end += h.size()
	// Not synced, and no harm if it never gets to the disk.
	_, _ = s.file.WriteAt(confirm(h.seq, s.salt), s.end-confirmBytes)
	return s, at, nil
}

// undo takes back a frame of which an unknown part was written.
func (l *Log) undo(s *segment, at int64) error {
	if err := s.cut(at); err != nil {
		l.log.Error("take back a part of a log frame", "file", s.file.Name(), "err", err)
		return err
	}
	return nil
}

// Close closes the files.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	var errs []error
	for _, s := range l.segments {
		errs = append(errs, s.file.Close())
	}
	return errors.Join(append(errs, l.root.Close())...)
}
