package store

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// The buckets, and what their keys are.
const (
	bucketAllocs  = "allocations" // ID
	bucketJobs    = "jobs"        // see jobKey
	bucketRunners = "runners"     // allocation ID
	bucketTasks   = "tasks"       // allocation ID, "/", task
	bucketDrivers = "drivers"     // name
	bucketNode    = "node"        // name of a record
)

var buckets = []string{bucketAllocs, bucketJobs, bucketRunners, bucketTasks, bucketDrivers, bucketNode}

const (
	fileName    = "state.db"
	lockTimeout = 2 * time.Second
)

// Store is the client's state on disk. It is safe for concurrent use.
type Store struct {
	dir    string
	logger *slog.Logger

	mu        sync.Mutex // guards the fields below
	pending   []*write
	writing   bool
	jobs      map[string]string // allocation → key of its job
	jobCounts map[string]int

	file sync.RWMutex // held for reading while db is used, for writing while it is replaced
	db   *bolt.DB
}

type write struct {
	ops  []op
	done chan error
}

type op struct {
	bucket string
	key    string
	value  []byte // nil deletes
}

// Open opens the store in a directory, which it makes where it is not there
// yet. It fails only when the directory cannot be used at all.
func Open(dir string, logger *slog.Logger) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("client state: %w", err)
	}
	s := &Store{
		dir: dir, logger: logger.With("component", "store"),
		jobs: map[string]string{}, jobCounts: map[string]int{},
	}
	if err := s.openFile(); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Store) path() string { return filepath.Join(s.dir, fileName) }

// openFile opens the file, or a new one with what can be read of a damaged one.
func (s *Store) openFile() error {
	db, damage := openBolt(s.path())
	if errors.Is(damage, bolterrors.ErrTimeout) {
		return fmt.Errorf("client state %s is in use by another process: stop the other agent", s.path())
	}
	if damage == nil {
		damage = s.check(db)
	}
	if damage == nil {
		s.db = db
		return nil
	}
	saved := salvage(db)
	aside := fmt.Sprintf("%s.damaged-%d", s.path(), time.Now().UnixNano())
	s.logger.Warn("client state is damaged: it is put aside and built anew", "path", s.path(), "aside", aside, "kept", len(saved), "err", damage)
	if err := os.Rename(s.path(), aside); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("client state: %w", err)
	}
	closeQuietly(db)
	db, err := openBolt(s.path())
	if err != nil {
		return fmt.Errorf("client state: make a new file: %w", err)
	}
	s.db = db
	return commit(db, saved)
}

// openBolt opens a file and makes the buckets. A damaged file may make bbolt panic.
func openBolt(path string) (db *bolt.DB, err error) {
	defer caught(&err)
	defer faults()()
	db, err = bolt.Open(path, 0o600, &bolt.Options{
		Timeout: lockTimeout,
		// The process may end at any moment, and then the kernel still has the
		// pages. For the machine there is Sync.
		NoSync: true, NoGrowSync: true,
	})
	if err != nil {
		return nil, err
	}
	return db, db.Update(func(tx *bolt.Tx) error {
		for _, name := range buckets {
			if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
				return err
			}
		}
		return nil
	})
}

// check reads everything once, so that damage shows now, and drops damaged records.
func (s *Store) check(db *bolt.DB) error {
	var bad []op
	err := walk(db, func(bucket string, key, value []byte) {
		if _, err := open(bucket, string(key), value); err != nil {
			bad = append(bad, op{bucket: bucket, key: string(key)})
			s.logger.Warn("a record of the client state is damaged and dropped", "bucket", bucket, "key", string(key))
		}
	})
	if err != nil || len(bad) == 0 {
		return err
	}
	return commit(db, bad)
}

// walk visits every record.
func walk(db *bolt.DB, visit func(bucket string, key, value []byte)) (err error) {
	defer caught(&err)
	defer faults()()
	return db.View(func(tx *bolt.Tx) error {
		for _, name := range buckets {
			var last []byte
			err := tx.Bucket([]byte(name)).ForEach(func(k, v []byte) error {
				if last != nil && bytes.Compare(last, k) >= 0 {
					return fmt.Errorf("%w: keys of %s are out of order", errDamaged, name)
				}
				last = k
				visit(name, k, v)
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// salvage gives the records that can still be read.
func salvage(db *bolt.DB) []op {
	if db == nil {
		return nil
	}
	var saved []op
	// How far the walk came is what can be saved.
	_ = walk(db, func(bucket string, key, value []byte) {
		if _, err := open(bucket, string(key), value); err == nil {
			saved = append(saved, op{bucket: bucket, key: string(key), value: append([]byte(nil), value...)})
		}
	})
	return saved
}

// commit writes in one transaction; values are sealed already.
func commit(db *bolt.DB, ops []op) (err error) {
	defer caught(&err)
	defer faults()()
	return db.Update(func(tx *bolt.Tx) error {
		for _, o := range ops {
			b := tx.Bucket([]byte(o.bucket))
			if o.value == nil {
				if err := b.Delete([]byte(o.key)); err != nil {
					return err
				}
			} else if err := b.Put([]byte(o.key), o.value); err != nil {
				return err
			}
		}
		return nil
	})
}

// apply commits what many writers ask for. Whoever finds nobody writing writes
// for all who come meanwhile.
func (s *Store) apply(ops []op) error {
	if len(ops) == 0 {
		return nil
	}
	w := &write{ops: ops, done: make(chan error, 1)}
	s.mu.Lock()
	s.pending = append(s.pending, w)
	if s.writing {
		s.mu.Unlock()
		return <-w.done
	}
	s.writing = true
	for len(s.pending) > 0 {
		batch := s.pending
		s.pending = nil
		s.mu.Unlock()
		s.commitAll(batch)
		s.mu.Lock()
	}
	s.writing = false
	s.mu.Unlock()
	return <-w.done
}

func (s *Store) commitAll(batch []*write) {
	var ops []op
	for _, w := range batch {
		ops = append(ops, w.ops...)
	}
	err := s.commitOnce(ops)
	if errors.Is(err, errDamaged) {
		if err = s.replace(); err == nil {
			err = s.commitOnce(ops)
		}
	}
	if err != nil {
		err = fmt.Errorf("client state: %w", err)
	}
	for _, w := range batch {
		w.done <- err
	}
}

func (s *Store) commitOnce(ops []op) error {
	s.file.RLock()
	defer s.file.RUnlock()
	return commit(s.db, ops)
}

// replace builds the file anew after bbolt found it damaged in the middle of work.
func (s *Store) replace() error {
	s.file.Lock()
	defer s.file.Unlock()
	saved := salvage(s.db)
	aside := fmt.Sprintf("%s.damaged-%d", s.path(), time.Now().UnixNano())
	s.logger.Warn("client state is damaged: it is put aside and built anew", "path", s.path(), "aside", aside, "kept", len(saved))
	if err := os.Rename(s.path(), aside); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	closeQuietly(s.db)
	db, err := openBolt(s.path())
	if err != nil {
		return err
	}
	s.db = db
	return commit(db, saved)
}

// Sync makes all that is written survive the end of the machine.
func (s *Store) Sync() error {
	s.file.RLock()
	defer s.file.RUnlock()
	if err := s.db.Sync(); err != nil {
		return fmt.Errorf("client state: %w", err)
	}
	return nil
}

// Close syncs and closes the file.
func (s *Store) Close() error {
	err := s.Sync()
	s.file.Lock()
	defer s.file.Unlock()
	return errors.Join(err, s.db.Close())
}
