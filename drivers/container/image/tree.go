package image

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	// maxPath and maxName are Linux's own limits; maxDepth is how many directories may lie in each other, so that removing them needs
	// few open files, also when links make the way to them short.
	maxPath  = 4095
	maxName  = 255
	maxDepth = 256

	opaqueXattr = "trusted.overlay.opaque"
)

// tree is a directory that a layer is unpacked into. Every name in it is looked
// up by the kernel with the directory as the root of all paths, so that neither
// ".." nor links lead out of it. What is replaced moves to trash.
//
// Nobody else may write in the directory, nor reach it: the files of an image
// keep their set-uid bits.
type tree struct {
	root  int
	trash int
	moved int

	// lastDir is the directory that was opened last, as most entries of a layer lie where the one before lay.
	lastPath string
	lastDir  int
}

// openTree opens two empty directories.
func openTree(root, trash string) (*tree, error) {
	t := &tree{root: -1, trash: -1, lastDir: -1}
	var err error
	if t.root, err = unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
		return nil, &os.PathError{Op: "open", Path: root, Err: err}
	}
	if t.trash, err = unix.Open(trash, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
		t.close()
		return nil, &os.PathError{Op: "open", Path: trash, Err: err}
	}
	return t, nil
}

func (t *tree) close() {
	t.forget()
	for _, fd := range []int{t.root, t.trash} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// forget gives up the directory that was opened last: the path to it may change.
func (t *tree) forget() {
	if t.lastDir >= 0 {
		unix.Close(t.lastDir)
	}
	t.lastDir, t.lastPath = -1, ""
}

// entryPath is where an entry of that name lies: relative, clean, "." for the
// root itself.
func entryPath(name string) (string, error) {
	p := path.Clean(strings.TrimLeft(name, "/"))
	if p == ".." || strings.HasPrefix(p, "../") {
		return "", fmt.Errorf("entry %.200q leads out of the layer: %w", name, ErrHostile)
	}
	if len(p) > maxPath || strings.Count(p, "/") >= maxDepth || strings.ContainsRune(p, 0) {
		return "", fmt.Errorf("entry %.200q: its path is too long, or too deep: %w", name, ErrHostile)
	}
	for part := range strings.SplitSeq(p, "/") {
		if len(part) > maxName {
			return "", fmt.Errorf("entry %.200q: a part of its path is longer than %d bytes: %w", name, maxName, ErrHostile)
		}
	}
	return p, nil
}

// dir opens a directory, making those that are missing on the way. The
// descriptor stays the tree's, and is good until the next call.
func (t *tree) dir(p string) (int, error) {
	if p == "." {
		return t.root, nil
	}
	if t.lastDir >= 0 && t.lastPath == p {
		return t.lastDir, nil
	}
	fd, err := t.open(p)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, errWhiteout) {
		if err = t.makeDir(p); err == nil {
			fd, err = t.open(p)
		}
	}
	if err != nil {
		return -1, err
	}
	t.forget()
	t.lastDir, t.lastPath = fd, p
	return fd, nil
}

// errWhiteout: a whiteout of this layer stands where a directory is needed.
var errWhiteout = errors.New("a whiteout is in the way")

func (t *tree) open(p string) (int, error) {
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS}
	fd, err := unix.Openat2(t.root, p, &how)
	if err != nil {
		if errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
			err = kind(ErrHostile, err)
		}
		return -1, &os.PathError{Op: "open", Path: p, Err: err}
	}
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	switch {
	case err != nil:
	case isWhiteout(&st):
		err = errWhiteout
	case st.Mode&unix.S_IFMT != unix.S_IFDIR:
		err = fmt.Errorf("something else than a directory lies there: %w", ErrHostile)
	default:
		err = t.checkDepth(fd)
	}
	if err != nil {
		unix.Close(fd)
		return -1, &os.PathError{Op: "open", Path: p, Err: err}
	}
	return fd, nil
}

// checkDepth refuses a directory that links made deeper than its path is.
func (t *tree) checkDepth(fd int) error {
	root, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(t.root))
	if err != nil {
		return err
	}
	real, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	if err != nil {
		return kind(ErrHostile, err) // longer than the kernel tells
	}
	if strings.Count(real, "/")-strings.Count(root, "/") > maxDepth {
		return fmt.Errorf("lies deeper than %d directories: %w", maxDepth, ErrHostile)
	}
	return nil
}

// makeDir makes a directory that no entry has told of, in one whose parents may be missing too.
func (t *tree) makeDir(p string) error {
	parent, err := t.dir(path.Dir(p))
	if err != nil {
		return err
	}
	name := path.Base(p)
	if err = unix.Mkdirat(parent, name, 0o755); errors.Is(err, unix.EEXIST) {
		var st unix.Stat_t
		if err = unix.Fstatat(parent, name, &st, unix.AT_SYMLINK_NOFOLLOW); err == nil && !isWhiteout(&st) {
			err = fmt.Errorf("a link that leads nowhere in this layer is in the way: %w", ErrHostile)
		}
		if err == nil {
			err = t.mkdir(parent, name)
		}
	}
	if err == nil {
		return unix.Fchmodat(parent, name, 0o755, 0)
	}
	return &os.PathError{Op: "mkdir", Path: p, Err: err}
}

// mkdir makes a directory, or takes one that is there. What else is there is replaced,
// and nothing of lower layers shows through.
func (t *tree) mkdir(parent int, name string) error {
	if err := unix.Mkdirat(parent, name, 0o755); !errors.Is(err, unix.EEXIST) {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstatat(parent, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return nil
	}
	if err := t.discard(parent, name); err != nil {
		return err
	}
	if err := unix.Mkdirat(parent, name, 0o755); err != nil {
		return err
	}
	return opaque(parent, name)
}

// replace runs make, and when something is there already, once more without it.
func (t *tree) replace(parent int, name string, make func() error) error {
	err := make()
	if !errors.Is(err, unix.EEXIST) {
		return err
	}
	if err := t.discard(parent, name); err != nil {
		return err
	}
	return make()
}

// discard takes a name away. What it stood for, which may be a whole directory,
// is removed later with the trash.
func (t *tree) discard(parent int, name string) error {
	// The path to the directory that was opened last may lead through it; parent itself stays good, so only the path is forgotten.
	t.lastPath = ""
	t.moved++
	return unix.Renameat(parent, name, t.trash, strconv.Itoa(t.moved))
}

// whiteout hides a name of lower layers. What this layer itself has by that name
// stays: a whiteout speaks of lower layers only.
func (t *tree) whiteout(parent int, name string) error {
	err := unix.Mknodat(parent, name, unix.S_IFCHR, 0)
	if !errors.Is(err, unix.EEXIST) {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstatat(parent, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return opaque(parent, name)
	}
	return nil
}

// opaque hides what lower layers have in a directory.
func opaque(parent int, name string) error {
	fd, err := unix.Openat(parent, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Fsetxattr(fd, opaqueXattr, []byte("y"), 0); err != nil {
		return fmt.Errorf("set %s: %w", opaqueXattr, err)
	}
	return nil
}

func isWhiteout(st *unix.Stat_t) bool {
	return st.Mode&unix.S_IFMT == unix.S_IFCHR && st.Rdev == 0
}
