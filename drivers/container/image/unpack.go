package image

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	whiteoutPrefix = ".wh."
	// aufsPrefix begins what AUFS kept for itself; of it only the opaque mark has a meaning in layers.
	aufsPrefix = ".wh..wh."
	opaqueMark = ".wh..wh..opq"

	maxXattrs    = 64
	maxXattrSize = 64 * kib
)

// unpacking is the unpacking of one layer into a tree.
type unpacking struct {
	*tree
	budget *budget
	buffer []byte
	times  []dirTime // directories get theirs last, as what comes into them changes them
	// rootOpaque: the layer hides all that is below it.
	rootOpaque bool
}

type dirTime struct {
	path string
	at   time.Time
}

// unpackTar unpacks a layer's archive, which a stranger made, and tells whether
// it hides all layers below.
//
// Kept are directories, files, links of both kinds, FIFOs, owners, modes with
// set-uid bits, times, user.* attributes and file capabilities. Device nodes are
// left out: a task gets its devices from the runtime. Attributes that overlayfs
// or the kernel's security would read are left out too.
func unpackTar(r io.Reader, t *tree, b *budget) (rootOpaque bool, err error) {
	u := &unpacking{tree: t, budget: b, buffer: make([]byte, 256*kib)}
	archive := tar.NewReader(r)
	for {
		h, err := archive.Next()
		if err == io.EOF {
			break
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			return false, fmt.Errorf("read the layer's archive: %w", err)
		}
		if err := b.entry(); err != nil {
			return false, err
		}
		if err := u.entry(h, archive); err != nil {
			return false, fmt.Errorf("entry %.200q: %w", h.Name, diskKind(err))
		}
	}
	return u.rootOpaque, u.setTimes()
}

// entry unpacks one entry.
func (u *unpacking) entry(h *tar.Header, content io.Reader) error {
	if h.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	p, err := entryPath(h.Name)
	if err != nil {
		return err
	}
	base, parentPath := path.Base(p), path.Dir(p)
	if skip, err := reserved(parentPath); skip || err != nil {
		return err
	}
	if strings.HasPrefix(base, whiteoutPrefix) {
		return u.hide(parentPath, base)
	}
	if err := checkOwner(h); err != nil {
		return err
	}
	if p == "." {
		return u.rootEntry(h)
	}
	parent, err := u.dir(parentPath)
	if err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeDir:
		return u.directory(parent, base, p, h)
	case tar.TypeReg, tar.TypeGNUSparse:
		return u.file(parent, base, h, content)
	case tar.TypeSymlink:
		return u.symlink(parent, base, h)
	case tar.TypeLink:
		return u.hardLink(parent, parentPath, base, h)
	case tar.TypeFifo:
		return u.fifo(parent, base, h)
	case tar.TypeChar, tar.TypeBlock:
		return nil
	}
	return fmt.Errorf("entries of type %q are not known: %w", h.Typeflag, ErrHostile)
}

// reserved is whether a path lies in what AUFS kept for itself, or beneath a
// whiteout, which cannot be.
func reserved(dir string) (skip bool, err error) {
	if !strings.Contains(dir, whiteoutPrefix) {
		return false, nil
	}
	for part := range strings.SplitSeq(dir, "/") {
		if strings.HasPrefix(part, aufsPrefix) {
			return true, nil
		}
		if strings.HasPrefix(part, whiteoutPrefix) {
			return false, fmt.Errorf("it lies beneath a whiteout: %w", ErrHostile)
		}
	}
	return false, nil
}

// hide makes what a whiteout entry asks for.
func (u *unpacking) hide(parentPath, base string) error {
	if base != opaqueMark && strings.HasPrefix(base, aufsPrefix) {
		return nil
	}
	name := strings.TrimPrefix(base, whiteoutPrefix)
	if name == "" || name == "." || name == ".." {
		return fmt.Errorf("a whiteout of %q: %w", name, ErrHostile)
	}
	if base == opaqueMark && parentPath == "." {
		u.rootOpaque = true
		return nil
	}
	parent, err := u.dir(parentPath)
	if err != nil {
		return err
	}
	if base == opaqueMark {
		return opaque(parent, ".")
	}
	return u.whiteout(parent, name)
}

// checkOwner refuses numbers that chown would take for "leave as it is", or cut.
func checkOwner(h *tar.Header) error {
	const highest = 1<<32 - 2
	if h.Uid < 0 || h.Uid > highest || h.Gid < 0 || h.Gid > highest {
		return fmt.Errorf("owner %d:%d is no user and group: %w", h.Uid, h.Gid, ErrHostile)
	}
	return nil
}

// rootEntry gives the layer's root directory its owner and mode.
func (u *unpacking) rootEntry(h *tar.Header) error {
	if h.Typeflag != tar.TypeDir {
		return fmt.Errorf("it would replace the layer's root: %w", ErrHostile)
	}
	u.times = append(u.times, dirTime{".", h.ModTime})
	return u.dress(u.root, ".", h)
}

func (u *unpacking) directory(parent int, name, p string, h *tar.Header) error {
	if err := u.mkdir(parent, name); err != nil {
		return err
	}
	u.times = append(u.times, dirTime{p, h.ModTime})
	return u.dress(parent, name, h)
}

// dress gives a directory owner, mode and attributes.
func (u *unpacking) dress(parent int, name string, h *tar.Header) error {
	fd, err := unix.Openat(parent, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return dressFile(fd, h)
}

// dressFile gives owner, mode and attributes, in the order in which none undoes another.
func dressFile(fd int, h *tar.Header) error {
	if err := unix.Fchown(fd, h.Uid, h.Gid); err != nil {
		return os.NewSyscallError("chown", err)
	}
	if err := unix.Fchmod(fd, uint32(h.Mode)&0o7777); err != nil {
		return os.NewSyscallError("chmod", err)
	}
	return setXattrs(fd, h)
}

// setXattrs sets the attributes that a layer may bring.
func setXattrs(fd int, h *tar.Header) error {
	const pax = "SCHILY.xattr."
	n := 0
	for key, value := range h.PAXRecords {
		name, ok := strings.CutPrefix(key, pax)
		if !ok || !allowedXattr(name, h.Typeflag) {
			continue
		}
		if n++; n > maxXattrs || len(value) > maxXattrSize {
			return fmt.Errorf("too many or too large extended attributes: %w", ErrHostile)
		}
		err := unix.Fsetxattr(fd, name, []byte(value), 0)
		if errors.Is(err, unix.ENOTSUP) && name != "security.capability" {
			continue
		}
		if err != nil {
			return fmt.Errorf("set attribute %.100q: %w", name, err)
		}
	}
	return nil
}

func allowedXattr(name string, flag byte) bool {
	if name == "security.capability" {
		return flag == tar.TypeReg
	}
	return strings.HasPrefix(name, "user.") && !strings.HasPrefix(name, "user.overlay.")
}

func (u *unpacking) file(parent int, name string, h *tar.Header, content io.Reader) error {
	if err := u.budget.bytes(h.Size); err != nil {
		return err
	}
	fd := -1
	err := u.replace(parent, name, func() (err error) {
		fd, err = unix.Openat(parent, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
		return err
	})
	if err != nil {
		return os.NewSyscallError("create", err)
	}
	defer unix.Close(fd)
	if err := u.fill(fd, h.Size, content); err != nil {
		return err
	}
	if err := dressFile(fd, h); err != nil {
		return err
	}
	return setTimes(fd, "", h.ModTime)
}

// fill writes the content of a file. Blocks of nothing become holes, so that a
// large sparse file takes no more than it is worth.
func (u *unpacking) fill(fd int, size int64, content io.Reader) error {
	var at int64
	for at < size {
		n, err := io.ReadFull(content, u.buffer[:min(int64(len(u.buffer)), size-at)])
		if err != nil {
			return fmt.Errorf("read its content: %w", err)
		}
		if n == len(u.buffer) && allZero(u.buffer) {
			at += int64(n)
			continue
		}
		if err := u.budget.space(int64(n)); err != nil {
			return err
		}
		if err := writeAt(fd, u.buffer[:n], at); err != nil {
			return err
		}
		at += int64(n)
	}
	if size == 0 {
		return nil
	}
	return os.NewSyscallError("truncate", unix.Ftruncate(fd, size))
}

func writeAt(fd int, b []byte, at int64) error {
	for len(b) > 0 {
		n, err := unix.Pwrite(fd, b, at)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return os.NewSyscallError("write", err)
		}
		b, at = b[n:], at+int64(n)
	}
	return nil
}

func allZero(b []byte) bool {
	for len(b) >= 8 {
		if b[0]|b[1]|b[2]|b[3]|b[4]|b[5]|b[6]|b[7] != 0 {
			return false
		}
		b = b[8:]
	}
	return true
}

func (u *unpacking) symlink(parent int, name string, h *tar.Header) error {
	if h.Linkname == "" || len(h.Linkname) > maxPath {
		return fmt.Errorf("a link to nothing, or to a path that is too long: %w", ErrHostile)
	}
	// Where it points is the task's business: whoever follows it in here stays in the tree.
	err := u.replace(parent, name, func() error { return unix.Symlinkat(h.Linkname, parent, name) })
	if err == nil {
		err = unix.Fchownat(parent, name, h.Uid, h.Gid, unix.AT_SYMLINK_NOFOLLOW)
	}
	if err != nil {
		return os.NewSyscallError("symlink", err)
	}
	return setTimes(parent, name, h.ModTime)
}

// hardLink gives a file of this layer another name.
func (u *unpacking) hardLink(parent int, parentPath, name string, h *tar.Header) error {
	target, err := entryPath(h.Linkname)
	if err != nil {
		return err
	}
	from, err := u.tree.open(path.Dir(target))
	if err != nil {
		return fmt.Errorf("the file it is another name of: %w", kind(ErrHostile, err))
	}
	defer unix.Close(from)
	var st, own unix.Stat_t
	if err := unix.Fstatat(from, path.Base(target), &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("the file %.200q, which it is another name of, is not in this layer: %w", target, kind(ErrHostile, err))
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG, unix.S_IFLNK, unix.S_IFIFO:
	default:
		return fmt.Errorf("it is another name of %.200q, which is no file: %w", target, ErrHostile)
	}
	if err := unix.Fstatat(parent, name, &own, unix.AT_SYMLINK_NOFOLLOW); err == nil && own.Ino == st.Ino {
		return nil
	}
	err = u.replace(parent, name, func() error { return unix.Linkat(from, path.Base(target), parent, name, 0) })
	return os.NewSyscallError("link", err)
}

func (u *unpacking) fifo(parent int, name string, h *tar.Header) error {
	err := u.replace(parent, name, func() error { return unix.Mknodat(parent, name, unix.S_IFIFO|0o600, 0) })
	if err == nil {
		err = unix.Fchownat(parent, name, h.Uid, h.Gid, unix.AT_SYMLINK_NOFOLLOW)
	}
	if err == nil {
		err = unix.Fchmodat(parent, name, uint32(h.Mode)&0o7777, 0) // nobody else can have put a link here
	}
	if err != nil {
		return os.NewSyscallError("mkfifo", err)
	}
	return setTimes(parent, name, h.ModTime)
}

// setTimes gives the directories the times that they shall have.
func (u *unpacking) setTimes() error {
	for _, d := range u.times {
		fd, err := u.tree.open(d.path)
		if err != nil {
			continue // replaced by a later entry
		}
		err = setTimes(fd, "", d.at)
		unix.Close(fd)
		if err != nil {
			return err
		}
	}
	return nil
}

// setTimes sets the time of a file: of name in the directory fd, or of fd itself.
func setTimes(fd int, name string, at time.Time) error {
	// The range of what filesystems keep; beyond it they would give something arbitrary.
	if at.Unix() < 0 || at.Unix() > 1<<33 {
		at = time.Unix(0, 0)
	}
	ts := unix.NsecToTimespec(at.UnixNano())
	flags := unix.AT_SYMLINK_NOFOLLOW
	if name == "" {
		flags |= unix.AT_EMPTY_PATH
	}
	return os.NewSyscallError("set its time", unix.UtimesNanoAt(fd, name, []unix.Timespec{ts, ts}, flags))
}
