package template

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"syscall"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/files"
	"github.com/seraihq/serai/client/template/render"
)

// maxPath bounds what a path may be after values were put in.
const maxPath = 4096

// shared is the directory that an allocation's tasks share.
const shared = "alloc"

// place is where a file is: beneath one of the two directories that a task's
// templates may use, or (top empty) anywhere on the host.
type place struct {
	top  string
	path string
}

// locate finds the place that a path of a job means. Relative paths, and
// absolute ones of the task's own view, are beneath the task's directory;
// /alloc is the shared one; paths of the host are those that ${NOMAD_TASK_DIR}
// and its like stand for.
func (m *Manager) locate(name string) (place, error) {
	if name == "" || len(name) > maxPath || strings.IndexByte(name, 0) >= 0 {
		return place{}, api.Errorf(api.ErrInvalid, "path %.80q is empty, too long or holds a NUL byte", name)
	}
	var rel string
	switch clean := path.Clean(name); {
	case strings.HasPrefix(clean, m.cfg.Dir+"/"):
		rel = clean[len(m.cfg.Dir)+1:]
	case strings.HasPrefix(name, m.cfg.Dir+"/"):
		rel = ".." // it began in the allocation's directory and went out
	case strings.HasPrefix(clean, "/"+shared+"/"):
		rel = clean[1:]
	case m.cfg.Service.Unconfined && path.IsAbs(clean) && !inside(clean):
		return place{path: clean}, nil
	default:
		rel = path.Join(m.cfg.Task, name)
	}
	top, rest, _ := strings.Cut(rel, "/")
	if top != m.cfg.Task && top != shared || rest == "" {
		return place{}, api.Errorf(api.ErrInvalid, "path %.200q leaves the task's directory and the allocation's shared one", name)
	}
	return place{top: top, path: rest}, nil
}

// inside says whether an absolute path is one of the task's own view.
func inside(clean string) bool {
	for _, dir := range []string{"/local", "/secrets"} {
		if clean == dir || strings.HasPrefix(clean, dir+"/") {
			return true
		}
	}
	return false
}

// root opens the directory of a place.
func (m *Manager) root(top string) (*files.Root, error) {
	all, err := files.Open(m.cfg.Dir, m.cfg.Guarded...)
	if err != nil {
		return nil, err
	}
	defer all.Close()
	return all.Sub(top)
}

// stamp tells whether a file is the one that was read. The zero stamp is that
// of a file that is not there.
type stamp struct {
	id      files.ID
	size    int64
	changed time.Time
}

// settled is how old a file must be for its stamp to tell a further change.
const settled = 50 * time.Millisecond

// unsettled is the stamp of a file that may change without its stamp changing.
var unsettled = stamp{size: -1}

func stampOf(info files.Info) stamp {
	return stamp{id: info.ID, size: info.Size, changed: info.ModTime}
}

// look gives the stamp of what is at a place now.
func (m *Manager) look(p place) stamp {
	if p.top == "" {
		st, err := os.Stat(p.path)
		if err != nil {
			return stamp{}
		}
		return stamp{size: st.Size(), changed: st.ModTime()}
	}
	root, err := m.root(p.top)
	if err != nil {
		return stamp{}
	}
	defer root.Close()
	info, err := root.Stat(p.path)
	if err != nil {
		return stamp{}
	}
	return stampOf(info)
}

// read gives the contents of a file, with its stamp before they were read.
func (m *Manager) read(p place) ([]byte, stamp, error) {
	f, st, err := m.open(p)
	if err != nil {
		return nil, stamp{}, err
	}
	defer f.Close()
	if time.Since(st.changed).Abs() < settled {
		st = unsettled
	}
	data, err := io.ReadAll(io.LimitReader(f, render.MaxFile+1))
	if err == nil && len(data) > render.MaxFile {
		err = api.Errorf(api.ErrInvalid, "file %q is larger than the %d MiB that a template may read", p.path, render.MaxFile>>20)
	}
	return data, st, err
}

func (m *Manager) open(p place) (*os.File, stamp, error) {
	if p.top != "" {
		root, err := m.root(p.top)
		if err != nil {
			return nil, stamp{}, err
		}
		defer root.Close()
		f, info, err := root.OpenFile(p.path)
		return f, stampOf(info), err
	}
	// The operator has opened the host to templates. A FIFO must still not hang the agent.
	f, err := os.OpenFile(p.path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil, stamp{}, api.Errorf(api.ErrNotFound, "file %q is not there", p.path)
	}
	if err != nil {
		return nil, stamp{}, err
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = fmt.Errorf("file %q is not a regular file", p.path)
	}
	if err != nil {
		f.Close()
		return nil, stamp{}, err
	}
	return f, stamp{size: st.Size(), changed: st.ModTime()}, nil
}
