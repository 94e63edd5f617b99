package files

import (
	"strings"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/api"
)

// Limits of a walk: as the kernel's own for links, and far past any honest depth.
const (
	maxLinks = 40
	maxDepth = 255
)

// handle is something found, held open with O_PATH: it can be looked at and
// reopened, and nothing happens to a FIFO or device by holding it.
type handle struct {
	fd int
	st unix.Stat_t
}

func (h *handle) close() { unix.Close(h.fd) }

func (h *handle) id() ID { return ID{Dev: uint64(h.st.Dev), Ino: h.st.Ino} }

// walker is the state of one walk: the directories from the root down to where
// it stands. ".." goes back to the directory that was really come from, not to
// what the kernel calls the parent by then.
type walker struct {
	root  *Root
	path  string // as asked for, for messages
	stack []int
	todo  []string
	links int
	depth int
}

// lookup finds path beneath the root. Links in the middle are followed beneath
// the root, a last one only if follow is set.
func (r *Root) lookup(path string, follow bool) (*handle, error) {
	if strings.IndexByte(path, 0) >= 0 {
		return nil, api.Errorf(api.ErrInvalid, "path %q holds a NUL byte", path)
	}
	top, err := unix.FcntlInt(r.self.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, kindOf(err, path)
	}
	w := &walker{root: r, path: path, stack: []int{top}, todo: strings.Split(path, "/")}
	h, err := w.walk(follow)
	for _, fd := range w.stack {
		if h == nil || fd != h.fd {
			unix.Close(fd)
		}
	}
	return h, err
}

func (w *walker) walk(follow bool) (*handle, error) {
	for len(w.todo) > 0 {
		name := w.todo[0]
		w.todo = w.todo[1:]
		switch name {
		case "", ".":
			continue
		case "..":
			if len(w.stack) == 1 {
				return nil, w.escapes()
			}
			unix.Close(w.stack[len(w.stack)-1])
			w.stack = w.stack[:len(w.stack)-1]
			continue
		}
		h, err := w.step(name, follow)
		if h != nil || err != nil {
			return h, err
		}
	}
	// The path ended in a directory that is on the stack already.
	h := &handle{fd: w.stack[len(w.stack)-1]}
	if err := unix.Fstat(h.fd, &h.st); err != nil {
		return nil, kindOf(err, w.path)
	}
	return h, nil
}

// step opens one component. It gives a handle when the walk ends there.
func (w *walker) step(name string, follow bool) (*handle, error) {
	if w.depth++; w.depth > maxDepth {
		return nil, api.Errorf(api.ErrInvalid, "path %.60q… is deeper than %d directories", w.path, maxDepth)
	}
	fd, err := unix.Openat(w.stack[len(w.stack)-1], name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, kindOf(err, w.path)
	}
	h := &handle{fd: fd}
	if err := unix.Fstat(fd, &h.st); err != nil {
		h.close()
		return nil, kindOf(err, w.path)
	}
	last := w.isLast()
	switch {
	case h.st.Mode&unix.S_IFMT == unix.S_IFLNK && (!last || follow):
		defer h.close()
		return nil, w.expand(h)
	case w.root.isDenied(h.id()):
		h.close()
		return nil, api.Errorf(api.ErrDenied, "path %q lies in a directory that holds secrets", w.path)
	case h.st.Mode&unix.S_IFMT == unix.S_IFDIR:
		w.stack = append(w.stack, fd)
		return nil, nil
	case last:
		return h, nil
	}
	h.close()
	return nil, kindOf(unix.ENOTDIR, w.path)
}

// isLast says whether nothing is left that names a component.
func (w *walker) isLast() bool {
	for _, name := range w.todo {
		if name != "" && name != "." {
			return false
		}
	}
	return true
}

// expand puts a link's target in front of what is left of the path.
func (w *walker) expand(h *handle) error {
	if w.links++; w.links > maxLinks {
		return kindOf(unix.ELOOP, w.path)
	}
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(h.fd, "", buf)
	if err != nil {
		return kindOf(err, w.path)
	}
	target := string(buf[:n])
	if strings.HasPrefix(target, "/") {
		return w.escapes()
	}
	w.todo = append(strings.Split(target, "/"), w.todo...)
	return nil
}

func (w *walker) escapes() error {
	return api.Errorf(api.ErrDenied, "path %q escapes the allocation directory", w.path)
}
