package qemutest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Archive is a file system as the kernel takes it at its start. The directories of a file must come before it. Source of the format: cpio(5), "New ASCII Format".
type Archive struct {
	b     bytes.Buffer
	next  int
	there map[string]bool // directories and libraries, by absolute path
}

// Directory adds a directory that everybody may enter.
func (a *Archive) Directory(name string) {
	if a.there == nil {
		a.there = map[string]bool{"/": true}
	}
	a.there["/"+name] = true
	a.entry(name, nil, 0o040755)
}

// Path adds the directory of an absolute path and those above it, each once.
func (a *Archive) Path(dir string) {
	if dir == "/" || a.there[dir] {
		return
	}
	a.Path(filepath.Dir(dir))
	a.Directory(strings.TrimPrefix(dir, "/"))
}

// Program adds a program of this machine as name, and its loader and libraries where they are here.
func (a *Archive) Program(name, from string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	a.File(name, text, 0o755)
	out, err := exec.Command("ldd", from).CombinedOutput()
	if err != nil {
		if strings.Contains(string(out), "not a dynamic executable") {
			return nil
		}
		return fmt.Errorf("ldd %s: %w: %s", from, err, out)
	}
	for _, word := range strings.Fields(string(out)) {
		if !filepath.IsAbs(word) || a.there[word] {
			continue
		}
		library, err := os.ReadFile(word)
		if err != nil {
			return err
		}
		a.Path(filepath.Dir(word))
		a.File(strings.TrimPrefix(word, "/"), library, 0o755)
		a.there[word] = true
	}
	return nil
}

// File adds a regular file.
func (a *Archive) File(name string, data []byte, perm int) { a.entry(name, data, 0o100000|perm) }

func (a *Archive) entry(name string, data []byte, mode int) {
	a.next++
	fmt.Fprintf(&a.b, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00",
		a.next, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name)+1, 0, name)
	a.pad()
	a.b.Write(data)
	a.pad()
}

func (a *Archive) pad() {
	for a.b.Len()%4 != 0 {
		a.b.WriteByte(0)
	}
}

// Bytes ends the archive and returns it.
func (a *Archive) Bytes() []byte {
	a.entry("TRAILER!!!", nil, 0)
	return a.b.Bytes()
}
