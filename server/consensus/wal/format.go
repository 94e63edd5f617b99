package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// The format of a segment file. Numbers are little endian.
//
//	segment = header(48) { frame confirm } zeros
//	header  = magic(8) format(4) 0(4) number(8) salt(8) first frame's sequence(8) crc(4) 0(4)
//	frame   = magic(4) kind(1) 0(3) sequence(8) length(4) payload crc(4) count(4) crc(4) payload padding
//	confirm = magic(4) crc(4) sequence(8)
//
// Frames start at multiples of 16. Their sequence numbers grow by one over the
// whole log. The confirm after a frame is written, unsynced, once the frame is
// known to be durable; the next frame comes after it. The salt is random and
// part of every checksum but the payload's, so that nothing that a user put
// into an entry passes for a frame.

const (
	segmentMagic  = "SERAIWAL"
	segmentFormat = 1
	headerBytes   = 48
	frameBytes    = 32
	confirmBytes  = 16
	align         = 16

	frameMagic   = 0x5ea1f00d
	confirmMagic = 0xc0de51a7

	maxFrame = 1 << 30
)

// Kinds of frames.
const (
	kindEntries byte = 1
	kindDelete  byte = 2
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ErrCorrupt is the kind of error for a log that was acknowledged once and
// cannot be read as it was written.
var ErrCorrupt = errors.New("log is damaged")

// errTruncated is for an entry whose bytes end too early.
var errTruncated = errors.New("entry ends too early")

// Entry is one entry of the log.
type Entry struct {
	Index      uint64
	Term       uint64
	Type       uint8
	AppendedAt int64 // Unix nanoseconds, 0 for unknown
	Data       []byte
	Extensions []byte
}

// appendTo appends the entry's bytes, without its index.
func (e *Entry) appendTo(b []byte) []byte {
	b = append(b, e.Type)
	b = binary.AppendUvarint(b, e.Term)
	b = binary.AppendVarint(b, e.AppendedAt)
	b = binary.AppendUvarint(b, uint64(len(e.Data)))
	b = append(b, e.Data...)
	b = binary.AppendUvarint(b, uint64(len(e.Extensions)))
	return append(b, e.Extensions...)
}

// parse reads an entry's bytes and returns what follows them. Data and
// Extensions are shared with b.
func (e *Entry) parse(b []byte) ([]byte, error) {
	if len(b) == 0 {
		return nil, errTruncated
	}
	e.Type, b = b[0], b[1:]
	var n int
	if e.Term, n = binary.Uvarint(b); n <= 0 {
		return nil, errTruncated
	}
	b = b[n:]
	if e.AppendedAt, n = binary.Varint(b); n <= 0 {
		return nil, errTruncated
	}
	b = b[n:]
	var err error
	if e.Data, b, err = blob(b); err != nil {
		return nil, err
	}
	e.Extensions, b, err = blob(b)
	return b, err
}

func blob(b []byte) (content, rest []byte, err error) {
	n, k := binary.Uvarint(b)
	if k <= 0 || n > uint64(len(b)-k) {
		return nil, nil, errTruncated
	}
	return b[k : k+int(n) : k+int(n)], b[k+int(n):], nil
}

// segmentHeader is the start of a segment file.
type segmentHeader struct {
	number uint64
	salt   uint64
	first  uint64 // sequence number of its first frame
}

func (h segmentHeader) bytes() []byte {
	b := make([]byte, headerBytes)
	copy(b, segmentMagic)
	binary.LittleEndian.PutUint32(b[8:], segmentFormat)
	binary.LittleEndian.PutUint64(b[16:], h.number)
	binary.LittleEndian.PutUint64(b[24:], h.salt)
	binary.LittleEndian.PutUint64(b[32:], h.first)
	binary.LittleEndian.PutUint32(b[40:], crc32.Checksum(b[:40], castagnoli))
	return b
}

func parseSegmentHeader(b []byte) (h segmentHeader, err error) {
	switch {
	case len(b) < headerBytes || string(b[:8]) != segmentMagic:
		return h, errors.New("it does not start like a segment")
	case binary.LittleEndian.Uint32(b[8:]) != segmentFormat:
		return h, fmt.Errorf("it has format %d, and this version of the program knows %d", binary.LittleEndian.Uint32(b[8:]), segmentFormat)
	case binary.LittleEndian.Uint32(b[40:]) != crc32.Checksum(b[:40], castagnoli):
		return h, errors.New("the checksum of its header is wrong")
	}
	h.number = binary.LittleEndian.Uint64(b[16:])
	h.salt = binary.LittleEndian.Uint64(b[24:])
	h.first = binary.LittleEndian.Uint64(b[32:])
	return h, nil
}

// frameHeader is the start of a frame.
type frameHeader struct {
	kind   byte
	seq    uint64
	length uint32 // of the payload
	crc    uint32 // of the payload
	count  uint32 // of entries
}

// salted is the checksum of b with a segment's salt.
func salted(salt uint64, b []byte) uint32 {
	var s [8]byte
	binary.LittleEndian.PutUint64(s[:], salt)
	return crc32.Update(crc32.Checksum(s[:], castagnoli), castagnoli, b)
}

func (h frameHeader) put(b []byte, salt uint64) {
	clear(b[:frameBytes])
	binary.LittleEndian.PutUint32(b, frameMagic)
	b[4] = h.kind
	binary.LittleEndian.PutUint64(b[8:], h.seq)
	binary.LittleEndian.PutUint32(b[16:], h.length)
	binary.LittleEndian.PutUint32(b[20:], h.crc)
	binary.LittleEndian.PutUint32(b[24:], h.count)
	binary.LittleEndian.PutUint32(b[28:], salted(salt, b[:28]))
}

func parseFrameHeader(b []byte, salt uint64) (h frameHeader, ok bool) {
	if len(b) < frameBytes || binary.LittleEndian.Uint32(b) != frameMagic ||
		binary.LittleEndian.Uint32(b[28:]) != salted(salt, b[:28]) {
		return h, false
	}
	h.kind = b[4]
	h.seq = binary.LittleEndian.Uint64(b[8:])
	h.length = binary.LittleEndian.Uint32(b[16:])
	h.crc = binary.LittleEndian.Uint32(b[20:])
	h.count = binary.LittleEndian.Uint32(b[24:])
	return h, h.length <= maxFrame
}

func padded(n int64) int64 { return (n + align - 1) &^ (align - 1) }

// size is how many bytes a frame takes, with its confirm.
func (h frameHeader) size() int64 { return frameBytes + padded(int64(h.length)) + confirmBytes }

func confirm(seq, salt uint64) []byte {
	b := make([]byte, confirmBytes)
	binary.LittleEndian.PutUint32(b, confirmMagic)
	binary.LittleEndian.PutUint64(b[8:], seq)
	binary.LittleEndian.PutUint32(b[4:], salted(salt, b[8:16]))
	return b
}

func parseConfirm(b []byte, salt uint64) (seq uint64, ok bool) {
	if len(b) < confirmBytes || binary.LittleEndian.Uint32(b) != confirmMagic ||
		binary.LittleEndian.Uint32(b[4:]) != salted(salt, b[8:16]) {
		return 0, false
	}
	return binary.LittleEndian.Uint64(b[8:]), true
}
