package consensus

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/version"
	"github.com/seraihq/serai/server/state"
)

// ReadBackup reads and checks a saved snapshot to its end. unpacked, when it
// is not nil, receives the state's bytes. An error of kind api.ErrInvalid says
// what is wrong with it.
func ReadBackup(r io.Reader, unpacked io.Writer) (Inspection, error) {
	in, _, err := readBackup(r, unpacked)
	return in, err
}

// LoadBackup reads and checks a saved snapshot like ReadBackup, and gives the
// state in it.
func LoadBackup(r io.Reader) (*state.View, error) {
	_, v, err := readBackup(r, nil)
	return v, err
}

// CheckBackup reads a saved snapshot to its end and checks its digest, without
// unpacking it: cheap, and enough for one that this program has just written.
func CheckBackup(r io.Reader) (Metadata, error) {
	digest := sha256.New()
	tee := io.TeeReader(r, digest)
	m, err := readMetadata(tee)
	if err != nil {
		return m, err
	}
	return m, readEnd(r, &pieceReader{r: tee}, digest)
}

func readBackup(r io.Reader, unpacked io.Writer) (Inspection, *state.View, error) {
	var in Inspection
	if unpacked == nil {
		unpacked = io.Discard
	}
	digest := sha256.New()
	tee := io.TeeReader(r, digest)
	m, err := readMetadata(tee)
	if err != nil {
		return in, nil, err
	}
	in.Metadata = m
	p := &pieceReader{r: tee}
	z, err := gzip.NewReader(p)
	if err != nil {
		return in, nil, damaged("it cannot be unpacked (%v)", err)
	}
	size := &growing{from: z, packed: p, w: unpacked}
	store, sizes, err := state.MeasureSnapshot(size)
	if size.err != nil {
		return in, nil, size.err
	}
	if err != nil {
		if errors.Is(err, state.ErrSnapshot) {
			return in, nil, api.Errorf(api.ErrInvalid, "%v", err)
		}
		return in, nil, err
	}
	if err := readEnd(r, p, digest); err != nil {
		return in, nil, err
	}
	in.Size, in.Tables = size.n, sizes
	return in, store.View(), nil
}

// readEnd reads what is left of the pieces, and the digest after them.
func readEnd(r io.Reader, p *pieceReader, digest hash.Hash) error {
	if _, err := io.Copy(io.Discard, p); err != nil {
		return damaged("it is cut short (%v)", err)
	}
	want := digest.Sum(nil)
	got := make([]byte, len(want))
	if _, err := io.ReadFull(r, got); err != nil {
		return damaged("it is cut short (%v)", err)
	}
	if !bytes.Equal(got, want) {
		return damaged("its digest is wrong")
	}
	return nil
}

func damaged(format string, args ...any) error {
	return api.Errorf(api.ErrInvalid, "snapshot cannot be used: %s; use another one, nothing was changed", fmt.Sprintf(format, args...))
}

func readMetadata(r io.Reader) (Metadata, error) {
	var m Metadata
	start := make([]byte, len(backupMagic)+4)
	if _, err := io.ReadFull(r, start); err != nil || string(start[:len(backupMagic)]) != backupMagic {
		return m, damaged("it is no saved snapshot of this program")
	}
	n := binary.BigEndian.Uint32(start[len(backupMagic):])
	if n > maxMetaBytes {
		return m, damaged("its description is damaged")
	}
	b := make([]byte, n+4)
	if _, err := io.ReadFull(r, b); err != nil {
		return m, damaged("it is cut short (%v)", err)
	}
	head, sum := b[:n], binary.BigEndian.Uint32(b[n:])
	if crc32.Checksum(head, castagnoli) != sum || json.Unmarshal(head, &m) != nil {
		return m, damaged("its description is damaged")
	}
	if newest := version.ProtocolMax(); m.Protocol > newest {
		return m, api.Errorf(api.ErrInvalid, "snapshot cannot be used: it is of a cluster at protocol version %d, saved by %q, and this build knows up to %d; use a build at least as new", m.Protocol, m.Build, newest)
	}
	if m.Format != backupFormat {
		return m, api.Errorf(api.ErrInvalid, "snapshot cannot be used: its format is %d and this version of the program knows %d; use a version at least as new as the one that saved it", m.Format, backupFormat)
	}
	return m, nil
}

// pieceReader joins the pieces again.
type pieceReader struct {
	r     io.Reader
	left  uint32
	done  bool
	taken int64 // bytes of the pieces so far
}

func (p *pieceReader) Read(b []byte) (int, error) {
	for p.left == 0 {
		if p.done {
			return 0, io.EOF
		}
		var head [4]byte
		if _, err := io.ReadFull(p.r, head[:]); err != nil {
			return 0, noEOF(err)
		}
		p.left = binary.BigEndian.Uint32(head[:])
		if p.left > pieceBytes {
			return 0, errors.New("a piece is too long")
		}
		p.done = p.left == 0
	}
	n, err := p.r.Read(b[:min(len(b), int(p.left))])
	p.left -= uint32(n)
	p.taken += int64(n)
	return n, noEOF(err)
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// What a snapshot may come to when it is unpacked: states of many like
// allocations shrink to a thirtieth, a file made to fill memory to a thousandth.
const (
	freeBytes    = 64 << 20
	maxExpansion = 200
)

// growing unpacks, copies what it gives to w, and stops a small file that grows
// without end.
type growing struct {
	from   io.Reader
	packed *pieceReader
	w      io.Writer
	n      int64
	err    error // why it stopped by itself
}

func (g *growing) Read(b []byte) (int, error) {
	n, err := g.from.Read(b)
	g.n += int64(n)
	if g.n > freeBytes+maxExpansion*g.packed.taken {
		g.err = damaged("%d bytes of it unpack to %d and more, as those of no state do", g.packed.taken, g.n)
		return 0, g.err
	}
	if _, werr := g.w.Write(b[:n]); werr != nil {
		g.err = fmt.Errorf("unpack snapshot: %w", werr)
		return 0, g.err
	}
	return n, err
}
