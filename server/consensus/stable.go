package consensus

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/seraihq/serai/internal/wire"
)

// stable keeps the few values that Raft must not forget (its term and its
// vote) in one small file, which is replaced as a whole and checked when read.
type stable struct {
	path string

	mu     sync.Mutex
	values map[string][]byte
}

// errNotFound has the text that the library looks for.
var errNotFound = errors.New("not found")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func openStable(path string) (*stable, error) {
	s := &stable{path: path, values: map[string][]byte{}}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open term and vote: %w", err)
	}
	if len(b) < 4 || binary.LittleEndian.Uint32(b) != crc32.Checksum(b[4:], castagnoli) {
		return nil, fmt.Errorf("open term and vote: %s is damaged; start this server empty and restore a saved snapshot", path)
	}
	if err := wire.Unmarshal(b[4:], &s.values); err != nil {
		return nil, fmt.Errorf("open term and vote: %s: %w", path, err)
	}
	return s, nil
}

// Set keeps a value; it is durable when it returns.
func (s *stable) Set(key, value []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, had := s.values[string(key)]
	s.values[string(key)] = append([]byte(nil), value...)
	err := s.save()
	if err != nil {
		delete(s.values, string(key))
		if had {
			s.values[string(key)] = old
		}
		return fmt.Errorf("keep term and vote: %w", err)
	}
	return nil
}

func (s *stable) save() error {
	b, err := wire.Marshal(s.values)
	if err != nil {
		return err
	}
	b = append(binary.LittleEndian.AppendUint32(nil, crc32.Checksum(b, castagnoli)), b...)
	tmp := s.path + ".tmp"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp, s.path); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(s.path))
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
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
