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
	"time"

	"github.com/seraihq/serai/internal/version"
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

	Protocol int    `json:",omitempty"` // version of the cluster; 0 is the first
	Build    string `json:",omitempty"` // version of the program that saved it
}

// Inspection is what is known of a saved snapshot after reading all of it.
type Inspection struct {
	Metadata
	Size   int64 // of the state, in bytes, unpacked
	Tables []state.TableSize
}

// Save writes a snapshot of everything that was acknowledged before the call,
// which only the leader can; or, stale, of what this server has.
func (r *Raft) Save(ctx context.Context, w io.Writer, stale bool) (Metadata, error) {
	if !stale {
		if err := r.Barrier(ctx); err != nil {
			return Metadata{}, err
		}
	}
	v := r.fsm.Store().View()
	m := Metadata{Format: backupFormat, Index: v.Index(), Term: r.raft.CurrentTerm(), Time: time.Now().UTC()}
	m.ID = fmt.Sprintf("%d-%d-%d", m.Term, m.Index, m.Time.UnixMilli())
	if c, ok := v.ClusterMeta(); ok {
		m.Cluster = c.ClusterID
	}
	m.Protocol, m.Build = v.Protocol(), version.String()
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
