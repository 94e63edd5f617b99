package docker

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

const (
	// maxImageList is the size up to which a list of images is read, maxImages how many names it may have.
	maxImageList = 4 << 20
	maxImages    = 10_000
)

// loadImages reads which images tasks have used, and when a container of theirs was last there. No file is an empty list.
func loadImages(path string) (map[string]time.Time, error) {
	names := map[string]time.Time{}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return names, nil
	}
	if err != nil {
		return names, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxImageList+1))
	if err != nil {
		return names, fmt.Errorf("image list %s: %w", path, err)
	}
	return names, decodeImages(text, names)
}

// decodeImages adds what is in a list to names.
func decodeImages(text []byte, names map[string]time.Time) error {
	if len(text) > maxImageList {
		return fmt.Errorf("the image list has more than %d bytes", maxImageList)
	}
	var list map[string]time.Time
	if err := json.Unmarshal(text, &list); err != nil {
		return fmt.Errorf("the image list cannot be read: %w", err)
	}
	now := time.Now()
	for name, at := range list {
		if len(names) >= maxImages {
			break
		}
		if at.After(now) { // the clock was wrong
			at = now
		}
		if name != "" {
			names[name] = at
		}
	}
	return nil
}

// saveImages writes the list, wholly or not at all.
func saveImages(path string, names map[string]time.Time) error {
	text, err := json.Marshal(names)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
