package state

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/wire"
)

// The format. All numbers are unsigned varints unless a size is given.
//
//	snapshot = magic(8 bytes) format index section… 0 count-of-sections crc(4 bytes)
//	section  = 1 name version block… 0 rows table-index crc(4 bytes)
//	block    = rows length crc(4 bytes) bytes
//
// A block's checksum is that of its bytes, a section's that of its name,
// version, blocks' checksums, rows and index, the snapshot's that of its
// sections'. Within a block, strings
// that come again are references, so that a block can be read alone.

const (
	snapshotMagic  = "SERAIST\n"
	snapshotFormat = 1
	blockBytes     = 256 << 10
	maxBlockBytes  = 64 << 20
	maxNameBytes   = 256
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// snapshotWriter writes the format. The first error sticks.
type snapshotWriter struct {
	*wire.Writer // of the current block

	w       *bufio.Writer
	err     error
	inBlock uint64 // rows in the current block
	rows    uint64 // rows in the section
	section uint32 // checksum
	total   uint32 // checksum
}

func newSnapshotWriter(w io.Writer) *snapshotWriter {
	return &snapshotWriter{w: bufio.NewWriterSize(w, 64<<10), Writer: wire.NewWriter(nil)}
}

func (w *snapshotWriter) raw(b []byte) {
	if w.err == nil {
		_, w.err = w.w.Write(b)
	}
}

func (w *snapshotWriter) number(n uint64) { w.raw(binary.AppendUvarint(nil, n)) }

func (w *snapshotWriter) checksum(n uint32) { w.raw(binary.LittleEndian.AppendUint32(nil, n)) }

func (w *snapshotWriter) header(index uint64) {
	w.raw([]byte(snapshotMagic))
	w.number(snapshotFormat)
	w.number(index)
	w.total = mix(w.total, uint32(index)^uint32(index>>32))
}

// mix adds a checksum to the checksum of checksums.
func mix(sum, part uint32) uint32 {
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], part)
	return crc32.Update(sum, castagnoli, b[:])
}

func (w *snapshotWriter) begin(name string, version uint64) {
	w.number(1)
	w.number(uint64(len(name)))
	w.raw([]byte(name))
	w.number(version)
	w.rows, w.inBlock = 0, 0
	w.section = mix(crc32.Checksum([]byte(name), castagnoli), uint32(version))
	w.Writer = wire.NewWriter(nil)
}

// row ends a row that was written to the embedded Writer.
func (w *snapshotWriter) row() error {
	w.inBlock++
	w.rows++
	if len(w.Bytes()) >= blockBytes {
		w.block()
	}
	return w.err
}

// object writes a row as CBOR.
func (w *snapshotWriter) object(x any) error {
	if err := w.Object(x); err != nil {
		return err
	}
	return w.row()
}

func (w *snapshotWriter) block() {
	if w.inBlock == 0 {
		return
	}
	b := w.Bytes()
	sum := crc32.Checksum(b, castagnoli)
	w.number(w.inBlock)
	w.number(uint64(len(b)))
	w.checksum(sum)
	w.raw(b)
	w.section = mix(w.section, sum)
	w.inBlock = 0
	w.Writer = wire.NewWriter(b[:0])
}

// end ends a section.
func (w *snapshotWriter) end(tableIndex uint64) error {
	w.block()
	w.number(0)
	w.number(w.rows)
	w.number(tableIndex)
	w.section = mix(mix(w.section, uint32(w.rows)), uint32(tableIndex))
	w.checksum(w.section)
	w.total = mix(w.total, w.section)
	return w.err
}

func (w *snapshotWriter) footer(count int) error {
	w.number(0)
	w.number(uint64(count))
	w.checksum(w.total)
	return w.flush()
}

func (w *snapshotWriter) flush() error {
	if w.err == nil {
		w.err = w.w.Flush()
	}
	return w.err
}

// snapshotReader reads the format. The first error sticks.
type snapshotReader struct {
	*wire.Reader // of the current block

	r        *bufio.Reader
	err      error
	left     uint64 // rows left in the block
	rows     uint64
	name     string
	section  uint32
	total    uint32
	sections uint64
	read     uint64 // bytes so far
	scratch  [binary.MaxVarintLen64]byte
	oldJobs  map[oldJobKey]*api.Job
}

func newSnapshotReader(r io.Reader) *snapshotReader {
	return &snapshotReader{r: bufio.NewReaderSize(r, 64<<10), Reader: wire.NewReader(nil)}
}

// fail remembers the first error.
func (r *snapshotReader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s; use another snapshot, nothing was changed", ErrSnapshot, fmt.Sprintf(format, args...))
	}
}

// Err returns the first error.
func (r *snapshotReader) Err() error { return r.err }

func (r *snapshotReader) raw(n uint64) []byte {
	if r.err != nil {
		return nil
	}
	b, err := readN(r.r, n)
	r.read += uint64(len(b))
	if err != nil {
		r.fail("it is cut short (%v)", err)
	}
	return b
}

// readN reads n bytes without believing n before they are there.
func readN(r io.Reader, n uint64) ([]byte, error) {
	const step = 1 << 20
	b := make([]byte, 0, min(n, step))
	for uint64(len(b)) < n {
		part := int(min(n-uint64(len(b)), step))
		b = append(b, make([]byte, part)...)
		if _, err := io.ReadFull(r, b[len(b)-part:]); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (r *snapshotReader) number() uint64 {
	if r.err != nil {
		return 0
	}
	n, err := binary.ReadUvarint(r.r)
	if err != nil {
		r.fail("it is cut short or damaged (%v)", err)
	}
	r.read += uint64(len(binary.AppendUvarint(r.scratch[:0], n)))
	return n
}

func (r *snapshotReader) checksum() uint32 {
	if b := r.raw(4); r.err == nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *snapshotReader) header() (index uint64) {
	if magic := r.raw(uint64(len(snapshotMagic))); r.err == nil && string(magic) != snapshotMagic {
		r.fail("it is no snapshot of this program")
		return 0
	}
	if format := r.number(); r.err == nil && format != snapshotFormat {
		r.err = fmt.Errorf("%w: its format is %d, and this version of the program knows %d; use a version at least as new as the one that wrote it", ErrSnapshot, format, snapshotFormat)
	}
	index = r.number()
	r.total = mix(r.total, uint32(index)^uint32(index>>32))
	return index
}

// begin starts the next section, if there is one.
func (r *snapshotReader) begin() (name string, version uint64, more bool) {
	switch n := r.number(); {
	case r.err != nil || n == 0:
		return "", 0, false
	case n != 1:
		r.fail("it is damaged before section %d", r.sections+1)
		return "", 0, false
	}
	length := r.number()
	if length > maxNameBytes {
		r.fail("it is damaged before section %d", r.sections+1)
		return "", 0, false
	}
	name = string(r.raw(length))
	version = r.number()
	r.name, r.rows, r.left = name, 0, 0
	r.section = mix(crc32.Checksum([]byte(name), castagnoli), uint32(version))
	r.sections++
	return name, version, r.err == nil
}

// next says whether the section has another row, which the embedded Reader
// then holds.
func (r *snapshotReader) next() bool {
	if r.left == 0 {
		if r.err == nil && r.rows > 0 && r.Reader.End() != nil {
			r.fail("table %s is damaged (%v)", r.name, r.Reader.Err())
		}
		if !r.nextBlock() {
			return false
		}
	}
	if err := r.Reader.Err(); err != nil {
		r.fail("table %s is damaged (%v)", r.name, err)
	}
	r.left--
	r.rows++
	return r.err == nil
}

func (r *snapshotReader) nextBlock() bool {
	n := r.number()
	if n == 0 || r.err != nil {
		return false
	}
	length := r.number()
	want := r.checksum()
	if length > maxBlockBytes {
		r.fail("table %s is damaged (a block of %d bytes)", r.name, length)
	}
	b := r.raw(length)
	if r.err != nil {
		return false
	}
	if sum := crc32.Checksum(b, castagnoli); sum != want {
		r.fail("table %s is damaged (checksum)", r.name)
		return false
	}
	r.section = mix(r.section, want)
	r.Reader, r.left = wire.NewReader(b), n
	return true
}

// end reads the end of a section and checks it.
func (r *snapshotReader) end() (tableIndex uint64, err error) {
	if rerr := r.Reader.Err(); rerr != nil {
		r.fail("table %s is damaged (%v)", r.name, rerr)
	}
	rows, index, want := r.number(), r.number(), r.checksum()
	if r.err != nil {
		return 0, r.err
	}
	r.section = mix(mix(r.section, uint32(rows)), uint32(index))
	if rows != r.rows || r.section != want {
		r.fail("table %s is damaged (%d rows of %d, checksum)", r.name, r.rows, rows)
	}
	r.total = mix(r.total, r.section)
	return index, r.err
}

func (r *snapshotReader) footer() error {
	count, want := r.number(), r.checksum()
	if r.err == nil && (count != r.sections || want != r.total) {
		r.fail("its end does not match its content")
	}
	if _, err := r.r.ReadByte(); r.err == nil && err != io.EOF {
		r.fail("there is more after its end")
	}
	return r.err
}
