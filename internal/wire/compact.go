package wire

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
)

// Writer builds a compact message. Strings that come again are written once
// (Ref); identifiers that are UUIDs take 16 bytes (ID).
type Writer struct {
	b    []byte
	refs map[string]uint64
}

// NewWriter returns a writer that appends to b.
func NewWriter(b []byte) *Writer { return &Writer{b: b} }

// Bytes returns what was written.
func (w *Writer) Bytes() []byte { return w.b }

// Byte writes one byte.
func (w *Writer) Byte(v byte) { w.b = append(w.b, v) }

// Bool writes a truth value in one byte.
func (w *Writer) Bool(v bool) {
	if v {
		w.Byte(1)
	} else {
		w.Byte(0)
	}
}

// Uint writes an unsigned number in as few bytes as it needs.
func (w *Writer) Uint(v uint64) { w.b = binary.AppendUvarint(w.b, v) }

// Int writes a signed number in as few bytes as it needs.
func (w *Writer) Int(v int64) { w.b = binary.AppendVarint(w.b, v) }

// Float writes a number of eight bytes.
func (w *Writer) Float(v float64) { w.b = binary.LittleEndian.AppendUint64(w.b, math.Float64bits(v)) }

// String writes a string with its length.
func (w *Writer) String(s string) {
	w.Uint(uint64(len(s)))
	w.b = append(w.b, s...)
}

// Blob writes bytes with their length.
func (w *Writer) Blob(b []byte) {
	w.Uint(uint64(len(b)))
	w.b = append(w.b, b...)
}

// Forms of an identifier.
const (
	idEmpty byte = iota
	idUUID
	idText
)

// ID writes an identifier: a UUID in its usual form takes 17 bytes, any other
// string its length and two.
func (w *Writer) ID(s string) {
	var u [16]byte
	switch {
	case s == "":
		w.Byte(idEmpty)
	case parseUUID(s, &u):
		w.Byte(idUUID)
		w.b = append(w.b, u[:]...)
	default:
		w.Byte(idText)
		w.String(s)
	}
}

// Ref writes a string that may come again: the second time it is a number.
func (w *Writer) Ref(s string) {
	if n, ok := w.refs[s]; ok {
		w.Uint(n)
		return
	}
	if w.refs == nil {
		w.refs = map[string]uint64{}
	}
	w.refs[s] = uint64(len(w.refs)) + 1
	w.Uint(0)
	w.ID(s)
}

// Object writes a value in CBOR; nil takes one byte.
func (w *Writer) Object(v any) error {
	b, err := Marshal(v)
	if err != nil {
		return err
	}
	w.Blob(b)
	return nil
}

// ErrMalformed is returned for bytes that are no message of the format.
var ErrMalformed = errors.New("malformed message")

// Reader takes apart what a Writer built. The first error sticks; every later
// read returns zero, so that a decoder checks Err once.
type Reader struct {
	b    []byte
	refs []string
	err  error
}

// NewReader returns a reader of b, which it does not change.
func NewReader(b []byte) *Reader { return &Reader{b: b} }

// Err returns the first error.
func (r *Reader) Err() error { return r.err }

// End returns the first error, or one when bytes are left over.
func (r *Reader) End() error {
	if r.err == nil && len(r.b) > 0 {
		r.fail("%d bytes too many", len(r.b))
	}
	return r.err
}

func (r *Reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: "+format, append([]any{ErrMalformed}, args...)...)
	}
	r.b = nil
}

func (r *Reader) take(n uint64) []byte {
	if r.err != nil {
		return nil
	}
	if n > uint64(len(r.b)) {
		r.fail("cut short")
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

// Byte reads one byte.
func (r *Reader) Byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

// Bool reads a truth value.
func (r *Reader) Bool() bool {
	switch r.Byte() {
	case 0:
		return false
	case 1:
		return true
	}
	r.fail("truth value")
	return false
}

// Uint reads an unsigned number.
func (r *Reader) Uint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail("number")
		return 0
	}
	r.b = r.b[n:]
	return v
}

// Int reads a signed number.
func (r *Reader) Int() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail("number")
		return 0
	}
	r.b = r.b[n:]
	return v
}

// Float reads a number of eight bytes.
func (r *Reader) Float() float64 {
	if b := r.take(8); b != nil {
		return math.Float64frombits(binary.LittleEndian.Uint64(b))
	}
	return 0
}

// Len reads the length of a list whose elements take at least one byte each,
// so that a hostile length cannot ask for more memory than was sent.
func (r *Reader) Len() int {
	n := r.Uint()
	if n > uint64(len(r.b)) {
		r.fail("list of %d", n)
		return 0
	}
	return int(n)
}

// String reads a string.
func (r *Reader) String() string { return string(r.take(r.Uint())) }

// Blob reads bytes; they are shared with the message.
func (r *Reader) Blob() []byte { return r.take(r.Uint()) }

// ID reads an identifier.
func (r *Reader) ID() string {
	switch r.Byte() {
	case idEmpty:
		return ""
	case idUUID:
		if b := r.take(16); b != nil {
			return formatUUID(b)
		}
		return ""
	case idText:
		return r.String()
	}
	r.fail("identifier")
	return ""
}

// Ref reads a string that may have come before; it is then the same string.
func (r *Reader) Ref() string {
	n := r.Uint()
	if n == 0 {
		s := r.ID()
		r.refs = append(r.refs, s)
		return s
	}
	if n > uint64(len(r.refs)) {
		r.fail("reference %d of %d", n, len(r.refs))
		return ""
	}
	return r.refs[n-1]
}

// Object reads a value in CBOR.
func (r *Reader) Object(v any) {
	b := r.Blob()
	if r.err != nil {
		return
	}
	if err := Unmarshal(b, v); err != nil {
		r.fail("%v", err)
	}
}

const uuidLength = 36

// parseUUID reads the canonical form only: lower case, dashes in place.
func parseUUID(s string, out *[16]byte) bool {
	if len(s) != uuidLength || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return false
	}
	n := 0
	for i := 0; i < uuidLength; i++ {
		if s[i] == '-' && (i == 8 || i == 13 || i == 18 || i == 23) {
			continue
		}
		hi, ok1 := nibble(s[i])
		i++
		lo, ok2 := nibble(s[i])
		if !ok1 || !ok2 {
			return false
		}
		out[n] = hi<<4 | lo
		n++
	}
	return true
}

func nibble(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	}
	return 0, false
}

func formatUUID(b []byte) string {
	var out [uuidLength]byte
	hex.Encode(out[0:8], b[0:4])
	out[8] = '-'
	hex.Encode(out[9:13], b[4:6])
	out[13] = '-'
	hex.Encode(out[14:18], b[6:8])
	out[18] = '-'
	hex.Encode(out[19:23], b[8:10])
	out[23] = '-'
	hex.Encode(out[24:36], b[10:16])
	return string(out[:])
}
