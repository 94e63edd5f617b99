package logs

import (
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/seraihq/serai/client/files"
)

const fileMode = fs.FileMode(0o644)

// Name gives the path, beneath the allocation's directory, of a stream's file.
func Name(task, kind string, index int) string {
	return dirName + "/" + task + "." + kind + "." + strconv.Itoa(index)
}

// FIFOName gives the path, beneath the allocation's directory, of a stream's FIFO.
func FIFOName(task, kind string) string {
	return dirName + "/." + task + "." + kind + ".fifo"
}

const dirName = "alloc/logs"

// indices lists the numbers of a stream's files, ascending.
func indices(root *files.Root, task, kind string) ([]int, error) {
	names, err := root.Names(dirName)
	if err != nil {
		return nil, err
	}
	prefix := task + "." + kind + "."
	var found []int
	for _, name := range names {
		rest, ok := strings.CutPrefix(name, prefix)
		if !ok {
			continue
		}
		if n, err := strconv.Atoi(rest); err == nil && n >= 0 && strconv.Itoa(n) == rest {
			found = append(found, n)
		}
	}
	slices.Sort(found)
	return found, nil
}

// rotator is the file that a stream is written to, and its successors.
type rotator struct {
	dir      string // the allocation's directory
	task     string
	kind     string
	maxFiles int
	maxSize  int64

	file  *os.File
	size  int64
	index int
}

// open opens the newest file, or the first, and removes those that are too old.
func (r *rotator) open() error {
	root, err := files.Open(r.dir)
	if err != nil {
		return err
	}
	defer root.Close()
	found, err := indices(root, r.task, r.kind)
	if err != nil {
		return err
	}
	if len(found) > 0 {
		r.index = max(r.index, found[len(found)-1])
	}
	if r.file, r.size, err = root.OpenWrite(Name(r.task, r.kind, r.index), fileMode); err != nil {
		r.file = nil
		return err
	}
	for _, n := range found {
		if n <= r.index-r.maxFiles {
			// One that cannot be removed is tried again with the next file.
			_ = root.Remove(Name(r.task, r.kind, n))
		}
	}
	return nil
}

// next goes on to a new file.
func (r *rotator) next() error {
	r.close()
	r.index++
	return r.open()
}

// room says how many bytes still go into the present file. It looks at the
// file, which the task may have truncated or removed meanwhile.
func (r *rotator) room() (int64, error) {
	if r.file != nil {
		st, err := r.file.Stat()
		if err != nil || linksOf(st) == 0 {
			r.close()
		} else {
			r.size = st.Size()
		}
	}
	if r.file == nil {
		if err := r.open(); err != nil {
			return 0, err
		}
	}
	if r.size >= r.maxSize {
		if err := r.next(); err != nil {
			return 0, err
		}
	}
	return r.maxSize - r.size, nil
}

func (r *rotator) close() {
	if r.file != nil {
		r.file.Close()
		r.file = nil
	}
}
