package files

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/api"
)

// Archives of directories, as one agent hands them to another: a tar stream of
// directories, regular files, and symbolic links that stay within them. Links
// that lead out, devices, FIFOs and sockets are left out when it is written and
// again when it is read, for the reader does not trust the writer. An entry of
// no size at the end, archiveEnd, tells a whole archive from a cut one. Files keep
// their holes (sparse.go).
const (
	archiveEnd     = ".complete"
	archiveEntries = 1 << 20
)

// Archive writes the directories at these paths, with all that is in them.
func (r *Root) Archive(ctx context.Context, w io.Writer, dirs ...string) error {
	a := archiver{ctx: ctx, root: r, out: tar.NewWriter(w)}
	for _, dir := range dirs {
		if err := a.add(dir, dir); err != nil && !errors.Is(err, api.ErrNotFound) {
			return err
		}
	}
	if err := a.out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: archiveEnd}); err != nil {
		return err
	}
	return a.out.Close()
}

type archiver struct {
	ctx  context.Context
	root *Root
	out  *tar.Writer
}

// add writes one file or directory; top is the directory that links stay within.
func (a *archiver) add(name, top string) error {
	if err := a.ctx.Err(); err != nil {
		return err
	}
	h, err := a.root.lookup(name, false)
	if err != nil {
		return err
	}
	defer h.close()
	head := &tar.Header{
		Name: name, Mode: int64(h.st.Mode & 0o1777), Uid: int(h.st.Uid), Gid: int(h.st.Gid), Format: tar.FormatPAX,
	}
	switch h.st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return a.addDirectory(name, top, head)
	case unix.S_IFREG:
		return a.addFile(h, name, head)
	case unix.S_IFLNK:
		buf := make([]byte, unix.PathMax)
		n, err := unix.Readlinkat(h.fd, "", buf)
		if err != nil {
			return kindOf(err, name)
		}
		head.Typeflag, head.Linkname = tar.TypeSymlink, string(buf[:n])
		if stays(name, head.Linkname, top) {
			return a.out.WriteHeader(head)
		}
	}
	return nil
}

func (a *archiver) addDirectory(name, top string, head *tar.Header) error {
	head.Typeflag, head.Name = tar.TypeDir, name+"/"
	if err := a.out.WriteHeader(head); err != nil {
		return err
	}
	names, err := a.root.Names(name)
	if err != nil {
		return err
	}
	slices.Sort(names)
	for _, n := range names {
		// What vanished meanwhile, or lies where nobody may look, is left out.
		if err := a.add(name+"/"+n, top); err != nil && !errors.Is(err, api.ErrNotFound) && !errors.Is(err, api.ErrDenied) {
			return err
		}
	}
	return nil
}

func (a *archiver) addFile(h *handle, name string, head *tar.Header) error {
	f, err := reopen(h, name, unix.O_RDONLY)
	if err != nil {
		return err
	}
	defer f.Close()
	data := []extent{{0, h.st.Size}}
	if h.st.Blocks*blockSize < h.st.Size { // it may have holes
		if data, err = extents(f, h.st.Size); err != nil {
			return fmt.Errorf("file %q: %w", name, err)
		}
	}
	head.Typeflag = tar.TypeReg
	describe(head, data, h.st.Size)
	if err := a.out.WriteHeader(head); err != nil {
		return err
	}
	for _, e := range data {
		if _, err := io.CopyN(a.out, io.NewSectionReader(f, e.at, e.size), e.size); err != nil {
			return fmt.Errorf("file %q: it changed while it was read: %w", name, err)
		}
	}
	return nil
}

// stays says whether a link's target lies beneath top, by its spelling. Behind a
// name ".." could lead anywhere, for that name may be a link itself.
func stays(name, target, top string) bool {
	if target == "" || path.IsAbs(target) {
		return false
	}
	parts := strings.Split(target, "/")
	named := slices.IndexFunc(parts, func(p string) bool { return p != ".." && p != "." && p != "" })
	if named >= 0 && slices.Contains(parts[named:], "..") {
		return false
	}
	to := path.Join(path.Dir(name), target)
	return to == top || strings.HasPrefix(to, top+"/")
}

// Extract reads an archive into the root. Only what lies beneath one of the
// directories is taken, and not more than limit bytes in all; anything else is
// an error, and what was read until then stays.
func (r *Root) Extract(ctx context.Context, src io.Reader, limit int64, owners bool, dirs ...string) error {
	x := extractor{root: r, in: tar.NewReader(src), left: limit, owners: owners, dirs: dirs, links: map[string]bool{}}
	for range archiveEntries {
		if err := ctx.Err(); err != nil {
			return err
		}
		head, err := x.in.Next()
		if errors.Is(err, io.EOF) {
			return api.Errorf(api.ErrUnavailable, "the archive is cut off")
		}
		if err != nil {
			return fmt.Errorf("archive: %w", err)
		}
		if head.Name == archiveEnd {
			return nil
		}
		if err := x.take(head); err != nil {
			return err
		}
	}
	return api.Errorf(api.ErrTooLarge, "the archive has more than %d files", archiveEntries)
}

type extractor struct {
	root   *Root
	in     *tar.Reader
	left   int64
	owners bool // files get the owners that the archive names
	dirs   []string
	links  map[string]bool // that were made
}

func (x *extractor) take(head *tar.Header) error {
	name := path.Clean(head.Name)
	i := slices.IndexFunc(x.dirs, func(d string) bool { return name == d || strings.HasPrefix(name, d+"/") })
	if i < 0 || !filepath.IsLocal(head.Name) {
		return api.Errorf(api.ErrInvalid, "the archive has a file %.200q, which does not belong in it", head.Name)
	}
	for at, c := range name {
		if c == '/' && x.links[name[:at]] {
			return api.Errorf(api.ErrDenied, "the archive has a file %.200q behind a link", name)
		}
	}
	uid, gid := -1, -1
	if x.owners {
		uid, gid = head.Uid, head.Gid
	}
	mode := head.FileInfo().Mode()
	switch head.Typeflag {
	case tar.TypeDir:
		return x.root.mkdirAll(name, x.dirs[i], mode.Perm()|mode&fs.ModeSticky, uid, gid)
	case tar.TypeReg:
		data, size, err := extentsOf(head)
		if err != nil {
			return api.Errorf(api.ErrInvalid, "the archive has a file %.200q whose holes cannot be read: %v", name, err)
		}
		return x.file(name, data, size, mode.Perm(), uid, gid)
	case tar.TypeSymlink:
		if stays(name, head.Linkname, x.dirs[i]) && name != x.dirs[i] {
			x.links[name] = true
			return x.root.symlink(head.Linkname, name, uid, gid)
		}
	}
	return nil // links out, devices and the like are left out
}

// mkdirAll makes a directory, and those that lead to the directory top.
func (r *Root) mkdirAll(name, top string, mode fs.FileMode, uid, gid int) error {
	for i, c := range name {
		if c == '/' && i < len(top) {
			if err := r.Mkdir(name[:i], 0o755, -1, -1); err != nil {
				return err
			}
		}
	}
	return r.Mkdir(name, mode, uid, gid)
}

// file writes a file: its data, and holes where there are none. Only data count
// as taken.
func (x *extractor) file(name string, data []extent, size int64, mode fs.FileMode, uid, gid int) error {
	for _, e := range data {
		if e.size > x.left {
			return api.Errorf(api.ErrTooLarge, "the archive has more than the ephemeral disk may hold")
		}
		x.left -= e.size
	}
	f, err := x.root.create(name, mode, uid, gid)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		return fmt.Errorf("archive: file %q: %w", name, err)
	}
	for _, e := range data {
		if _, err := io.CopyN(io.NewOffsetWriter(f, e.at), x.in, e.size); err != nil {
			return fmt.Errorf("archive: file %q: %w", name, err)
		}
	}
	return f.Close()
}
