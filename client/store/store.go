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

	bucketNetworks = "networks" // allocation ID
)

var buckets = []string{bucketAllocs, bucketJobs, bucketRunners, bucketTasks, bucketDrivers, bucketNode, bucketNetworks}

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

// openFile reads what the file holds and writes it to a new one in its place:
// what in a damaged file nobody reads (the list of free pages) is not trusted
// either. A file that is damaged is put aside.
func (s *Store) openFile() error {
	if _, err := os.Lstat(s.path()); errors.Is(err, os.ErrNotExist) {
		s.db, err = openBolt(s.path())
		return wrap(err)
	}
	db, damage := openBolt(s.path())
	if errors.Is(damage, bolterrors.ErrTimeout) {
		return fmt.Errorf("client state %s is in use by another process: stop the other agent", s.path())
	}
	var saved []op
	if damage == nil {
		saved, damage = s.salvage(db)
	}
	return s.rebuild(db, saved, damage)
}

// rebuild puts a new file with these records in the place of db's.
func (s *Store) rebuild(db *bolt.DB, saved []op, damage error) error {
	closeQuietly(db)
	if damage != nil {
		aside := fmt.Sprintf("%s.damaged-%d", s.path(), time.Now().UnixNano())
		s.logger.Warn("client state is damaged: it is put aside and built anew", "path", s.path(), "aside", aside, "kept", len(saved), "err", damage)
		if err := os.Rename(s.path(), aside); err != nil && !errors.Is(err, os.ErrNotExist) {
			return wrap(err)
		}
	}
	next := s.path() + ".new"
	if err := os.Remove(next); err != nil && !errors.Is(err, os.ErrNotExist) {
		return wrap(err)
	}
	db, err := openBolt(next)
	if err != nil {
		return wrap(err)
	}
	if err = commit(db, saved); err == nil {
		err = db.Sync()
	}
	if err == nil {
		err = os.Rename(next, s.path())
	}
	if err != nil {
		return errors.Join(wrap(err), db.Close())
	}
	s.db = db
	return nil
}

func wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("client state: %w", err)
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

// salvage gives the records that can be read; those that are damaged are told
// and left out, with all that was kept of their allocations. After an error they
// are what came before it.
func (s *Store) salvage(db *bolt.DB) ([]op, error) {
	var saved []op
	damaged := false
	err := walk(db, func(bucket string, key, value []byte) {
		if _, err := open(bucket, string(key), value); err != nil {
			s.logger.Warn("a record of the client state is damaged and dropped", "bucket", bucket, "key", string(key))
			damaged = true
			return
		}
		saved = append(saved, op{bucket: bucket, key: string(key), value: bytes.Clone(value)})
	})
	if damaged || err != nil {
		saved = s.dropTorn(saved)
	}
	return saved, err
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

// replace builds the file anew after it was found damaged in the middle of work.
func (s *Store) replace() error {
	s.file.Lock()
	defer s.file.Unlock()
	saved, err := s.salvage(s.db)
	if err == nil {
		err = errDamaged
	}
	return s.rebuild(s.db, saved, err)
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
