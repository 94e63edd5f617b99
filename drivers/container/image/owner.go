package image

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// ownerRecord is one use of an image.
type ownerRecord struct {
	Owner string
	Image digest
	// Layers are those of the image, so that they stay whatever becomes of its record.
	Layers []digest
	Since  time.Time
}

func (s *Store) ownerPath(owner string) string {
	return s.path(ownersDir, string(digestOf([]byte(owner)))+".json")
}

// hold keeps an image for owner, if it is still wholly there.
func (s *Store) hold(ctx context.Context, owner string, image *Image) error {
	id, err := parseDigest(image.ID)
	if err != nil {
		return err
	}
	return s.locked(ctx, func() error {
		held, err := s.load(id, image.Ref)
		if err != nil {
			return err
		}
		var layers []digest
		for _, dir := range held.Layers {
			layers = append(layers, digest(filepath.Base(filepath.Dir(dir))))
		}
		if err := s.touch(id); err != nil {
			return err
		}
		return writeRecord(s.ownerPath(owner), ownerRecord{Owner: owner, Image: id, Layers: layers, Since: time.Now()})
	})
}

// touch notes that an image is used now.
func (s *Store) touch(id digest) error {
	now := time.Now()
	err := os.Chtimes(s.path(imagesDir, string(id)+".json"), now, now)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Release gives up what owner holds. An owner that holds nothing is no error.
func (s *Store) Release(ctx context.Context, owner string) error {
	err := s.locked(ctx, func() error {
		var r ownerRecord
		found, err := readRecord(s.ownerPath(owner), &r)
		if err != nil {
			return err
		}
		if found {
			if err := s.touch(r.Image); err != nil {
				return err
			}
		}
		if err := os.Remove(s.ownerPath(owner)); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("release the image of %s: %w", owner, err)
	}
	return nil
}

// Held gives again the image that owner holds, as Acquire gave it.
func (s *Store) Held(ctx context.Context, owner string) (image *Image, err error) {
	err = s.locked(ctx, func() error {
		var r ownerRecord
		found, err := readRecord(s.ownerPath(owner), &r)
		if err != nil {
			return err
		}
		if !found {
			return fmt.Errorf("%s holds no image: %w", owner, ErrNotFound)
		}
		image, err = s.load(r.Image, "")
		return err
	})
	return image, err
}

// Owners are all that hold an image, by name. A driver compares them with the
// tasks that exist and releases the rest.
func (s *Store) Owners(ctx context.Context) (out []Owner, err error) {
	err = s.locked(ctx, func() error {
		records, err := s.ownerRecords()
		for _, r := range records {
			out = append(out, Owner{Name: r.Owner, Image: r.Image.String(), Since: r.Since})
		}
		return err
	})
	slices.SortFunc(out, func(a, b Owner) int { return strings.Compare(a.Name, b.Name) })
	return out, err
}

// ownerRecords reads all uses. The store must be locked.
func (s *Store) ownerRecords() ([]ownerRecord, error) {
	files, err := filepath.Glob(s.path(ownersDir, "*.json"))
	if err != nil {
		return nil, err
	}
	var out []ownerRecord
	for _, f := range files {
		var r ownerRecord
		found, err := readRecord(f, &r)
		if err != nil {
			return nil, err
		}
		if !found {
			return nil, fmt.Errorf("%s cannot be read: what it keeps in use is not known: remove the file if no task runs", f)
		}
		out = append(out, r)
	}
	return out, nil
}
