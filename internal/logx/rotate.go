package logx

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

// File is a log file that is replaced by a new one when it is too large or too
// old. Old ones keep their name with the time of the change in it.
type File struct {
	path     string
	maxBytes int64
	maxAge   time.Duration
	maxFiles int // old files that are kept; 0 = all
	mode     os.FileMode

	mu     sync.Mutex
	file   *os.File
	size   int64
	opened time.Time
}

// OpenFile opens a log file. A path that ends with a slash names a folder; the
// file is then serai.log in it. maxBytes and maxAge of 0 mean no bound.
func OpenFile(path string, maxBytes int64, maxAge time.Duration, maxFiles int) (*File, error) {
	if strings.HasSuffix(path, "/") {
		path += "serai.log"
	}
	return OpenFileMode(path, 0o600, maxBytes, maxAge, maxFiles)
}

// OpenFileMode opens a log file; new ones get the mode.
func OpenFileMode(path string, mode os.FileMode, maxBytes int64, maxAge time.Duration, maxFiles int) (*File, error) {
	f := &File{path: path, mode: mode, maxBytes: maxBytes, maxAge: maxAge, maxFiles: maxFiles}
	return f, f.open()
}

func (f *File) open() error {
	if err := os.MkdirAll(filepath.Dir(f.path), 0o700); err != nil {
		return fmt.Errorf("make the folder of log file %s: %w", f.path, err)
	}
	file, err := os.OpenFile(f.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, f.mode)
	if err != nil {
		return fmt.Errorf("open log file: %w", err)
	}
	f.file, f.opened, f.size = file, time.Now(), 0
	if info, err := file.Stat(); err == nil {
		f.size = info.Size()
	}
	return nil
}

// Write appends a line.
func (f *File) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	tooLarge := f.maxBytes > 0 && f.size > 0 && f.size+int64(len(p)) > f.maxBytes
	tooOld := f.maxAge > 0 && time.Since(f.opened) > f.maxAge
	if tooLarge || tooOld {
		if err := f.rotate(); err != nil {
			return 0, err
		}
	}
	n, err := f.file.Write(p)
	f.size += int64(n)
	return n, err
}

// rotate goes on with a new file. When there cannot be one, it goes on with the
// old one and tries again with the next line.
func (f *File) rotate() error {
	before, name := f.file, ""
	if err := f.next(&name); err != nil {
		if name != "" {
			_ = os.Rename(name, f.path)
		}
		f.file = before
		return nil
	}
	return before.Close()
}

func (f *File) next(old *string) error {
	ext := filepath.Ext(f.path)
	base := strings.TrimSuffix(f.path, ext)
	name := base + "-" + strconv.FormatInt(time.Now().UnixNano(), 10) + ext
	if err := os.Rename(f.path, name); err != nil {
		return fmt.Errorf("rotate log file: %w", err)
	}
	*old = name
	if err := f.open(); err != nil {
		return err
	}
	if f.maxFiles > 0 {
		all, _ := filepath.Glob(base + "-[0-9]*" + ext)
		sort.Strings(all)
		for len(all) > f.maxFiles {
			_ = os.Remove(all[0])
			all = all[1:]
		}
	}
	return nil
}

// Close closes the file.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.file.Close()
}
