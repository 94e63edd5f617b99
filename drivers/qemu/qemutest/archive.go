package qemutest

import (
	"bytes"
	"fmt"
)

// Archive is a file system as the kernel takes it at its start. The directories of a file must come before it. Source of the format: cpio(5), "New ASCII Format".
type Archive struct {
	b    bytes.Buffer
	next int
}

// Directory adds a directory that everybody may enter.
func (a *Archive) Directory(name string) { a.entry(name, nil, 0o040755) }

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
