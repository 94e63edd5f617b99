package consensus

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"time"

	"github.com/hashicorp/raft"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/state"
)

// A saved snapshot is a file that people keep:
//
//	magic(8) length(4) metadata(JSON) crc(4) { length(4) bytes } 0(4) sha256(32)
//
// The pieces are the gzipped state; the digest is over everything before it.

const (
	backupMagic  = "SERAISN\n"
	backupFormat = 1
	pieceBytes   = 64 << 10
	maxMetaBytes = 64 << 10
)

// Metadata describes a saved snapshot.
type Metadata struct {
	Format  int
	ID      string
	Index   uint64 // of the last log entry in it
	Term    uint64
	Time    time.Time
	Cluster string `json:",omitempty"`
}

// Inspection is what is known of a saved snapshot after reading all of it.
type Inspection struct {
	Metadata
	Size   int64 // of the state, in bytes, unpacked
	Tables []state.TableSize
}

// Save writes a snapshot of everything that was acknowledged before the call.
func (r *Raft) Save(ctx context.Context, w io.Writer) (Metadata, error) {
	if err := r.Barrier(ctx); err != nil {
		return Metadata{}, err
	}
	v := r.fsm.Store().View()
	m := Metadata{Format: backupFormat, Index: v.Index(), Term: r.raft.CurrentTerm(), Time: time.Now().UTC()}
	m.ID = fmt.Sprintf("%d-%d-%d", m.Term, m.Index, m.Time.UnixMilli())
	if c, ok := v.ClusterMeta(); ok {
		m.Cluster = c.ClusterID
	}
	return m, WriteBackup(w, m, v)
}

// WriteBackup writes a view as a saved snapshot.
func WriteBackup(w io.Writer, m Metadata, v *state.View) error {
	digest := sha256.New()
	out := io.MultiWriter(w, digest)
	head, err := json.Marshal(m)
	if err != nil {
		return err
	}
	b := append([]byte(backupMagic), binary.BigEndian.AppendUint32(nil, uint32(len(head)))...)
	b = append(b, head...)
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(head, castagnoli))
	if _, err := out.Write(b); err != nil {
		return fmt.Errorf("save snapshot: %w", err)
	}
	p := &pieces{w: out}
	z := gzip.NewWriter(p)
	if err := v.WriteSnapshot(z); err != nil {
		return err
	}
	if err := errors.Join(z.Close(), p.end()); err != nil {
		return fmt.Errorf("save snapshot: %w", err)
	}
	if _, err := w.Write(digest.Sum(nil)); err != nil {
		return fmt.Errorf("save snapshot: %w", err)
	}
	return nil
}

// pieces writes a stream in pieces that say how long they are.
type pieces struct {
	w   io.Writer
	buf bytes.Buffer
}

func (p *pieces) Write(b []byte) (int, error) {
	p.buf.Write(b)
	for p.buf.Len() >= pieceBytes {
		if err := p.piece(p.buf.Next(pieceBytes)); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

func (p *pieces) piece(b []byte) error {
	_, err := p.w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...))
	return err
}

func (p *pieces) end() error {
	if p.buf.Len() > 0 {
		if err := p.piece(p.buf.Bytes()); err != nil {
			return err
		}
	}
	return p.piece(nil)
}

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
	size := &counter{w: unpacked}
	store, err := state.ReadSnapshot(io.TeeReader(z, size))
	if err != nil {
		if errors.Is(err, state.ErrSnapshot) {
			return in, nil, api.Errorf(api.ErrInvalid, "%v", err)
		}
		return in, nil, err
	}
	if _, err := io.Copy(io.Discard, p); err != nil {
		return in, nil, damaged("it is cut short (%v)", err)
	}
	want := digest.Sum(nil)
	got := make([]byte, len(want))
	if _, err := io.ReadFull(r, got); err != nil {
		return in, nil, damaged("it is cut short (%v)", err)
	}
	if !bytes.Equal(got, want) {
		return in, nil, damaged("its digest is wrong")
	}
	in.Size, in.Tables = size.n, store.View().Sizes()
	return in, store.View(), nil
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
	if m.Format != backupFormat {
		return m, api.Errorf(api.ErrInvalid, "snapshot cannot be used: its format is %d and this version of the program knows %d; use a version at least as new as the one that saved it", m.Format, backupFormat)
	}
	return m, nil
}

// pieceReader joins the pieces again.
type pieceReader struct {
	r    io.Reader
	left uint32
	done bool
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
	return n, noEOF(err)
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// counter counts what goes through it.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// Restore replaces the state of the whole cluster by that of a saved snapshot.
// It is read and checked to its end before anything changes, and the state as
// it was is kept as a snapshot of this server.
func (r *Raft) Restore(ctx context.Context, source io.Reader) (Metadata, error) {
	if !r.Leader() {
		return Metadata{}, kind("restore snapshot", raft.ErrNotLeader)
	}
	tmp, err := os.CreateTemp(r.cfg.Dir, "restore-*.tmp")
	if err != nil {
		return Metadata{}, fmt.Errorf("restore snapshot: %w", err)
	}
	defer func() {
		tmp.Close()
		os.Remove(tmp.Name())
	}()
	in, err := ReadBackup(source, tmp)
	if err != nil {
		return Metadata{}, fmt.Errorf("restore snapshot: %w", err)
	}
	if _, err := tmp.Seek(0, io.SeekStart); err != nil {
		return Metadata{}, fmt.Errorf("restore snapshot: %w", err)
	}
	if err := r.Compact(ctx); err != nil && !errors.Is(err, raft.ErrNothingNewToSnapshot) {
		return Metadata{}, fmt.Errorf("restore snapshot: keep the state as it was: %w", err)
	}
	meta := &raft.SnapshotMeta{Version: raft.SnapshotVersionMax, ID: in.ID, Index: in.Index, Term: in.Term, Size: in.Size}
	if err := r.raft.Restore(meta, tmp, enqueueTimeout(ctx)); err != nil {
		return Metadata{}, kind("restore snapshot", err)
	}
	return in.Metadata, nil
}
