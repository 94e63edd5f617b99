package pki

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Setup writes the files of a new agent: all of them, or none.
type Setup struct {
	made []string // files and folders, in order
}

// Folder makes a folder, and those above it, that may be there already.
func (s *Setup) Folder(path string, mode fs.FileMode) error {
	var missing []string
	for dir := filepath.Clean(path); ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			break
		}
		missing = append(missing, dir)
	}
	slices.Reverse(missing)
	for _, dir := range missing {
		if err := os.Mkdir(dir, mode); err != nil {
			return err
		}
		s.made = append(s.made, dir)
		if err := os.Chmod(dir, mode); err != nil { // whatever the umask
			return err
		}
	}
	return nil
}

// File writes a file that must not be there yet.
func (s *Setup) File(path string, data []byte, mode fs.FileMode) error {
	if err := WriteNew(path, data); err != nil {
		return err
	}
	s.made = append(s.made, path)
	return os.Chmod(path, mode)
}

// Fresh refuses paths at which something is already.
func Fresh(paths ...string) error {
	for _, p := range paths {
		if _, err := os.Lstat(p); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s is there already: this machine has an agent. Nothing was changed; to set it up anew, move that away first, or name other folders with -config-dir and -data-dir", p)
		}
	}
	return nil
}

// Undo removes what was made.
func (s *Setup) Undo() {
	for _, path := range slices.Backward(s.made) {
		_ = os.Remove(path)
	}
	s.made = nil
}
