package wal

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
)

// mend is what to do about damage.
const mend = "where there are other servers, empty this one's server directory and start it: it joins again; alone, begin with an empty one and restore a saved snapshot"

// Open opens the log in a directory, which it makes when there is none, and
// reads and checks all of it. An error of kind ErrCorrupt says which file is
// damaged and where.
func Open(opts Options) (*Log, error) {
	if opts.SegmentBytes == 0 {
		opts.SegmentBytes = DefaultSegmentBytes
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(opts.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	root, err := os.OpenRoot(opts.Dir)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	l := &Log{opts: opts, log: opts.Logger, root: root}
	if err := l.recover(); err != nil {
		l.Close()
		return nil, fmt.Errorf("open log in %s: %w", opts.Dir, err)
	}
	return l, nil
}

func (l *Log) recover() error {
	numbers, err := l.list()
	if err != nil {
		return err
	}
	for i, n := range numbers {
		if i > 0 && n != numbers[i-1]+1 {
			return fmt.Errorf("%w: %s is missing; put it back, or else: "+mend, ErrCorrupt, segmentName(numbers[i-1]+1))
		}
		if err := l.openSegment(n, i == len(numbers)-1); err != nil {
			return err
		}
	}
	if n := l.opts.Newest; n > 0 && (len(numbers) == 0 || numbers[len(numbers)-1] < n) {
		return fmt.Errorf("%w: %s is missing; put it back, or start this server empty and restore a saved snapshot", ErrCorrupt, segmentName(n))
	}
	if len(numbers) == 0 {
		s, err := l.newSegment(1, 1, l.opts.SegmentBytes)
		if err != nil {
			return err
		}
		l.segments = append(l.segments, s)
	}
	return l.removeDead()
}

// list returns the numbers of the segment files, in order.
func (l *Log) list() ([]uint64, error) {
	_ = l.root.Remove(temporary)
	d, err := l.root.Open(".")
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var numbers []uint64
	for _, name := range names {
		digits, ok := strings.CutSuffix(name, ".wal")
		n, err := strconv.ParseUint(digits, 10, 64)
		if !ok || err != nil || segmentName(n) != name {
			return nil, fmt.Errorf("%s does not belong there; move it away", name)
		}
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	return numbers, nil
}

// openSegment reads a segment file. Only the last may end in the middle of a
// frame.
func (l *Log) openSegment(number uint64, isLast bool) error {
	name := segmentName(number)
	f, err := l.root.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	s := &segment{file: f, end: headerBytes}
	l.segments = append(l.segments, s)
	b, err := io.ReadAll(f)
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	s.size = int64(len(b))
	if s.segmentHeader, err = parseSegmentHeader(b); err != nil {
		return fmt.Errorf("%w: %s: %w; "+mend, ErrCorrupt, name, err)
	}
	if l.seq == 0 {
		l.seq = s.first - 1
	}
	if s.number != number || s.first != l.seq+1 {
		return fmt.Errorf("%w: %s does not follow on the segment before it; "+mend, ErrCorrupt, name)
	}
	for {
		h, ok := l.frameAt(b, s)
		if !ok {
			break
		}
		if err := l.replay(h, b[s.end+frameBytes:s.end+frameBytes+int64(h.length)], s); err != nil {
			return fmt.Errorf("%w: %s: frame at byte %d: %w; "+mend, ErrCorrupt, name, s.end, err)
		}
		l.seq = h.seq
		s.end += h.size()
	}
	return l.checkRest(b, s, isLast)
}

// frameAt returns the frame at the segment's end, if there is a whole one.
func (l *Log) frameAt(b []byte, s *segment) (frameHeader, bool) {
	if s.end+frameBytes > int64(len(b)) {
		return frameHeader{}, false
	}
	h, ok := parseFrameHeader(b[s.end:], s.salt)
	if !ok || h.seq != l.seq+1 || s.end+frameBytes+int64(h.length) > int64(len(b)) {
		return h, false
	}
	payload := b[s.end+frameBytes:][:h.length]
	return h, crc32.Checksum(payload, castagnoli) == h.crc
}

// checkRest looks at what follows the last whole frame. Nothing but zeros is a
// clean end. What a crash left of a frame that was never acknowledged is cut
// off. A sign that more was acknowledged than can be read is damage: the
// confirm of the frame that should be here, which is written once the frame is
// durable, or anything of a later frame, which is begun no sooner.
func (l *Log) checkRest(b []byte, s *segment, isLast bool) error {
	if s.end >= int64(len(b)) {
		return nil
	}
	rest := b[s.end:]
	if isZero(rest) {
		return nil
	}
	for i := int64(0); i < int64(len(rest)); i += align {
		seq, isConfirm := parseConfirm(rest[i:], s.salt)
		h, isFrame := parseFrameHeader(rest[i:], s.salt)
		if (isConfirm && seq > l.seq) || (isFrame && h.seq > l.seq+1) {
			return fmt.Errorf("%w: %s is unreadable from byte %d on, though it was complete once; "+mend, ErrCorrupt, segmentName(s.number), s.end)
		}
	}
	if !isLast {
		return fmt.Errorf("%w: %s is unreadable from byte %d on; "+mend, ErrCorrupt, segmentName(s.number), s.end)
	}
	l.log.Warn("dropping a log frame that was not complete when the server stopped", "file", segmentName(s.number), "offset", s.end)
	if err := s.cut(s.end); err != nil {
		return fmt.Errorf("cut %s: %w", segmentName(s.number), err)
	}
	return nil
}

func isZero(b []byte) bool {
	for _, x := range b {
		if x != 0 {
			return false
		}
	}
	return true
}

// replay does in memory what a frame did.
func (l *Log) replay(h frameHeader, payload []byte, s *segment) error {
	switch h.kind {
	case kindEntries:
		return l.replayEntries(h, payload, s)
	case kindDelete:
		if len(payload) != 16 {
			return errTruncated
		}
		l.drop(binary.LittleEndian.Uint64(payload), binary.LittleEndian.Uint64(payload[8:]))
		return nil
	}
	return fmt.Errorf("its kind %d is unknown", h.kind)
}

func (l *Log) replayEntries(h frameHeader, payload []byte, s *segment) error {
	if len(payload) < 8 {
		return errTruncated
	}
	index := binary.LittleEndian.Uint64(payload)
	rest := payload[8:]
	if len(l.places) == 0 {
		l.first = index
	} else if index != l.last()+1 {
		return fmt.Errorf("entry %d does not follow on %d", index, l.last())
	}
	for range h.count {
		var e Entry
		after, err := e.parse(rest)
		if err != nil {
			return err
		}
		n := len(rest) - len(after)
		l.places = append(l.places, place{
			segment: s, offset: s.end + frameBytes + int64(len(payload)-len(rest)),
			length: uint32(n), crc: crc32.Checksum(rest[:n], castagnoli),
		})
		rest = after
	}
	return nil
}
