package image

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// session is the work of one Acquire: a directory that things are made in before
// they get their name, and the list of layers that must not be collected
// meanwhile. It lives as long as its lock is held, so it dies with its process.
type session struct {
	dir  string
	lock *flock
}

// pins are the layers that a session counts on.
type pins struct {
	Layers []digest
	// Image, once it has its record, stays as well.
	Image digest
}

const (
	sessionLock = "lock"
	sessionPins = "pins.json"
)

func (s *Store) newSession(ctx context.Context) (*session, error) {
	dir := s.path(workDir, strconv.Itoa(os.Getpid())+"-"+strconv.FormatUint(s.work.Add(1), 10))
	w := &session{dir: dir}
	// Under the lock, so that nobody takes it for dead before its own lock is held.
	return w, s.locked(ctx, func() (err error) {
		if err = os.Mkdir(dir, 0o700); errors.Is(err, os.ErrExist) {
			// Of an earlier process of the same number, or of another store on the same directory in this process.
			w.dir, err = os.MkdirTemp(s.path(workDir), "s")
		}
		if err == nil {
			w.lock, err = takeLock(ctx, filepath.Join(w.dir, sessionLock))
		}
		return diskKind(err)
	})
}

// pin keeps an image and its layers from being collected until the session ends. A layer that is
// seen after pin has returned stays.
func (s *Store) pin(ctx context.Context, w *session, image digest, layers []digest) error {
	return s.locked(ctx, func() error {
		return writeRecord(filepath.Join(w.dir, sessionPins), pins{Layers: layers, Image: image})
	})
}

// end removes the session and all that it did not give a name.
func (w *session) end() {
	if w.lock != nil {
		defer w.lock.release()
	}
	_ = removeTree(w.dir)
}

// tidy removes what dead processes left.
func (s *Store) tidy(ctx context.Context) error {
	return s.locked(ctx, func() error {
		entries, err := os.ReadDir(s.path(workDir))
		if err != nil {
			return err
		}
		for _, e := range entries {
			dir := s.path(workDir, e.Name())
			if l, err := tryLock(filepath.Join(dir, sessionLock)); err == nil && l != nil {
				err = removeTree(dir)
				l.release()
				if err != nil {
					return fmt.Errorf("remove what an interrupted pull left: %w", err)
				}
			}
		}
		return s.dropUnsynced()
	})
}

// pinned are the layers and images that living sessions count on. The store must be locked.
func (s *Store) pinned() (out, images map[digest]bool, err error) {
	out, images = map[digest]bool{}, map[digest]bool{}
	files, err := filepath.Glob(s.path(workDir, "*", sessionPins))
	for _, f := range files {
		var p pins
		if _, err := readRecord(f, &p); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, nil, err
		}
		images[p.Image] = true
		for _, d := range p.Layers {
			out[d] = true
		}
	}
	return out, images, err
}

// removeTree removes a directory and all in it. It follows no link.
func removeTree(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove %s: %w", dir, err)
	}
	return nil
}
