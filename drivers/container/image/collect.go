package image

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// CollectOptions say which unused images go.
type CollectOptions struct {
	// MaxAge removes images that nobody has held for longer; below zero means not by age, zero means all that are unused.
	MaxAge time.Duration
	// MinFree removes, beginning with what was used longest ago, until so many bytes are free on the filesystem.
	MinFree int64
	// MaxUsedPercent does so until no more than this part of the filesystem is used; zero means not.
	MaxUsedPercent int
}

// Collected is what Collect removed.
type Collected struct {
	// Images are the IDs, and Layers their number that went with them.
	Images []string
	Layers int
}

// unused is an image that nobody holds.
type unused struct {
	id     digest
	used   time.Time
	layers []digest
}

// Collect removes images that nobody holds, and layers that no image needs. What
// a running Acquire counts on stays.
func (s *Store) Collect(ctx context.Context, o CollectOptions) (Collected, error) {
	out, err := s.collect(ctx, func(u unused) bool { return o.MaxAge >= 0 && time.Since(u.used) > o.MaxAge }, -1)
	for err == nil {
		enough, e := s.enough(o)
		if e != nil || enough {
			err = e
			break
		}
		// One at a time: how much an image frees shows only when its layers are gone.
		var more Collected
		if more, err = s.collect(ctx, func(unused) bool { return true }, 1); len(more.Images) == 0 {
			break
		}
		out.Images, out.Layers = append(out.Images, more.Images...), out.Layers+more.Layers
	}
	if err != nil {
		return out, fmt.Errorf("collect images: %w", err)
	}
	return out, nil
}

// enough is whether the disk is as free as it shall be.
func (s *Store) enough(o CollectOptions) (bool, error) {
	if o.MinFree <= 0 && o.MaxUsedPercent <= 0 {
		return true, nil
	}
	free, size, err := s.free()
	if err != nil {
		return false, err
	}
	usedTooMuch := o.MaxUsedPercent > 0 && size > 0 && float64(size-free)*100/float64(size) > float64(o.MaxUsedPercent)
	return free >= o.MinFree && !usedTooMuch, nil
}

// collect removes unused images that go says may go, at most so many (below
// zero: all of them), and then the layers that nothing needs.
func (s *Store) collect(ctx context.Context, goes func(unused) bool, most int) (out Collected, err error) {
	w, err := s.newSession(ctx)
	defer w.end() // removes what was moved there, outside of the lock
	if err != nil {
		return out, err
	}
	return out, s.locked(ctx, func() error {
		candidates, needed, err := s.survey()
		if err != nil {
			return err
		}
		for _, u := range candidates {
			if most >= 0 && len(out.Images) >= most || !goes(u) {
				for _, d := range u.layers {
					needed[d] = true
				}
				continue
			}
			if err := os.Remove(s.path(imagesDir, string(u.id)+".json")); err != nil {
				return err
			}
			out.Images = append(out.Images, u.id.String())
		}
		if out.Layers, err = s.moveLayers(needed, w.dir); err != nil {
			return err
		}
		return s.dropNames()
	})
}

// survey gives the images that nobody holds, the longest unused first, and the
// layers that those in use need. The store must be locked.
func (s *Store) survey() ([]unused, map[digest]bool, error) {
	needed, held, err := s.pinned()
	if err != nil {
		return nil, nil, err
	}
	owners, err := s.ownerRecords()
	if err != nil {
		return nil, nil, err
	}
	for _, o := range owners {
		held[o.Image] = true
		for _, d := range o.Layers {
			needed[d] = true
		}
	}
	files, err := filepath.Glob(s.path(imagesDir, "*.json"))
	if err != nil {
		return nil, nil, err
	}
	var candidates []unused
	for _, f := range files {
		var r imageRecord
		if _, err := readRecord(f, &r); err != nil {
			return nil, nil, err
		}
		st, err := os.Lstat(f)
		if err != nil {
			return nil, nil, err
		}
		id := digest(strings.TrimSuffix(filepath.Base(f), ".json"))
		if !held[id] {
			candidates = append(candidates, unused{id, st.ModTime(), r.Layers})
		}
	}
	slices.SortFunc(candidates, func(a, b unused) int { return a.used.Compare(b.used) })
	return candidates, needed, nil
}

// moveLayers takes the names of layers that nothing needs.
func (s *Store) moveLayers(needed map[digest]bool, to string) (n int, err error) {
	entries, err := os.ReadDir(s.path(layersDir))
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		if needed[digest(e.Name())] {
			continue
		}
		if err := os.Rename(s.path(layersDir, e.Name()), filepath.Join(to, strconv.Itoa(n))); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// dropNames forgets references to images that are gone.
func (s *Store) dropNames() error {
	files, err := filepath.Glob(s.path(namesDir, "*.json"))
	if err != nil {
		return err
	}
	for _, f := range files {
		var r nameRecord
		found, err := readRecord(f, &r)
		if err != nil {
			return err
		}
		if found {
			if _, err = os.Lstat(s.path(imagesDir, string(r.Image)+".json")); err == nil {
				continue
			}
			if !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		if err := os.Remove(f); err != nil {
			return err
		}
	}
	return nil
}
