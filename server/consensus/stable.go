package consensus

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/seraihq/serai/internal/failpoint"
	"github.com/seraihq/serai/internal/wire"
)

// stable keeps the few values that Raft must not forget: its term and its
// vote. The file holds two copies and is written in place, one copy after the
// other: whatever stops a write leaves one whole copy, damage to one is
// noticed and mended from the other, and a full disk cannot keep a server from
// voting, which the library would answer with a panic.
//
//	copy = sequence(8) length(4) crc(4) CBOR zeros, 4096 bytes in all
type stable struct {
	file *os.File

	mu     sync.Mutex
	failed func(error) // told when a value cannot be kept; nil: who wants it kept is told
	closed bool
	seq    uint64
	values map[string][]byte
}

const (
	copyBytes     = 4096
	copyHeadBytes = 16
)

// errNotFound has the text that the library looks for.
var errNotFound = errors.New("not found")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func openStable(path string) (*stable, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open term and vote: %w", err)
	}
	s := &stable{file: f, values: map[string][]byte{}}
	if err := s.load(); err != nil {
		f.Close()
		return nil, fmt.Errorf("open term and vote: %s: %w", path, err)
	}
	return s, nil
}

func (s *stable) load() error {
	b, err := io.ReadAll(s.file)
	if err != nil {
		return err
	}
	found := false
	for _, at := range []int{0, copyBytes} {
		seq, values, ok := parseCopy(b, at)
		if ok && (!found || seq > s.seq) {
			s.seq, s.values, found = seq, values, true
		}
	}
	if !found && len(b) == 2*copyBytes {
		return errors.New("both copies are damaged; start this server empty and restore a saved snapshot")
	}
	// Both copies are alike from here on, and the file has its full size. A
	// file that is shorter was being made when the server stopped.
	if err := s.save(); err != nil {
		return err
	}
	return syncDir(filepath.Dir(s.file.Name()))
}

func parseCopy(b []byte, at int) (seq uint64, values map[string][]byte, ok bool) {
	if len(b) < at+copyBytes {
		return 0, nil, false
	}
	b = b[at : at+copyBytes]
	n := binary.LittleEndian.Uint32(b[8:])
	if n > copyBytes-copyHeadBytes {
		return 0, nil, false
	}
	payload := b[copyHeadBytes : copyHeadBytes+n]
	if binary.LittleEndian.Uint32(b[12:]) != crc32.Update(crc32.Checksum(b[:12], castagnoli), castagnoli, payload) {
		return 0, nil, false
	}
	return binary.LittleEndian.Uint64(b), values, wire.Unmarshal(payload, &values) == nil
}

// save writes both copies, the second when the first is on the disk.
func (s *stable) save() error {
	payload, err := wire.Marshal(s.values)
	if err != nil {
		return err
	}
	if len(payload) > copyBytes-copyHeadBytes {
		return fmt.Errorf("%d bytes are too many", len(payload))
	}
	b := make([]byte, copyBytes)
	binary.LittleEndian.PutUint64(b, s.seq+1)
	binary.LittleEndian.PutUint32(b[8:], uint32(len(payload)))
	copy(b[copyHeadBytes:], payload)
	binary.LittleEndian.PutUint32(b[12:], crc32.Update(crc32.Checksum(b[:12], castagnoli), castagnoli, payload))
	for _, at := range []int64{0, copyBytes} {
		if _, err := s.file.WriteAt(b, at); err != nil {
			return err
		}
		err := failpoint.Sync("stable:sync")
		if err == nil {
			err = s.file.Sync()
		}
		if err != nil {
			return err
		}
	}
	s.seq++
	return nil
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Close closes the file.
func (s *stable) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return s.file.Close()
}

// Set keeps a value; it is durable when it returns.
func (s *stable) Set(key, value []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, had := s.values[string(key)]
	s.values[string(key)] = append([]byte(nil), value...)
	if err := s.save(); err != nil {
		delete(s.values, string(key))
		if had {
			s.values[string(key)] = old
		}
		return s.fail(fmt.Errorf("keep term and vote: %w; start the server again when the disk is well", err))
	}
	return nil
}

// fail has the server stopped, once it runs, and ends the goroutine that wanted
// the value kept: the library would panic, which stops nothing in order.
func (s *stable) fail(err error) error {
	if s.failed == nil {
		return err
	}
	if !s.closed {
		s.failed(err)
	}
	runtime.Goexit()
	return err
}

// runs has failed told from now on when a value cannot be kept.
func (s *stable) runs(failed func(error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = failed
}

// Get returns a value.
func (s *stable) Get(key []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.values[string(key)]
	if !ok {
		return nil, errNotFound
	}
	return v, nil
}

// SetUint64 keeps a number.
func (s *stable) SetUint64(key []byte, value uint64) error {
	return s.Set(key, binary.BigEndian.AppendUint64(nil, value))
}

// GetUint64 returns a number.
func (s *stable) GetUint64(key []byte) (uint64, error) {
	v, err := s.Get(key)
	if err != nil {
		return 0, err
	}
	if len(v) != 8 {
		return 0, fmt.Errorf("term and vote: %q is no number", key)
	}
	return binary.BigEndian.Uint64(v), nil
}
