package docker

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// stageRoot is where mounts are put before the engine takes them: nobody but root can change what a name means there.
const stageRoot = "/run/serai/docker"

// staged is a mount whose source is first opened, then mounted below stageRoot, and only then named to the engine. It is done for paths in directories
// that tasks write to, whose links could change between a look and the mount; and for what is to be read-only, which engines make only of the topmost
// mount. The container has mounts of its own once it has started, so the place is given back then.
type staged struct {
	bind
	// root and rel are a path of the task's: rel is followed beneath root only. Without a root, source is a path of the host.
	root, rel string
	// create: a directory is made where nothing is.
	create bool
	// text is mounted as a file of its own; the source is empty then.
	text *string
}

// stageText mounts a text over a file of the container's.
func (p *plan) stageText(target, text string) {
	p.staged = append(p.staged, staged{bind: bind{target: target}, text: &text})
}

func stageDir(taskID string) string {
	sum := sha256.Sum256([]byte(taskID))
	return filepath.Join(stageRoot, hex.EncodeToString(sum[:12]))
}

// stage puts all such mounts in place and names them to the engine; unstage is to be called in any case.
func (p *plan) stage() error {
	if len(p.staged) == 0 {
		return nil
	}
	dir := stageDir(p.cfg.ID)
	if err := unstage(p.cfg.ID); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("mounts: %w", err)
	}
	for i, s := range p.staged {
		b, err := s.place(filepath.Join(dir, strconv.Itoa(i)))
		if err != nil {
			return fmt.Errorf("mount at %q: %w", s.target, err)
		}
		p.bind(b)
	}
	return nil
}

// place mounts what is meant at a path.
func (s staged) place(at string) (bind, error) {
	b := s.bind
	b.source = at
	if s.text != nil {
		return b, os.WriteFile(at, []byte(*s.text), 0o644)
	}
	source, err := s.open()
	if err != nil {
		return b, err
	}
	defer unix.Close(source)
	var st unix.Stat_t
	if err := unix.Fstat(source, &st); err != nil {
		return b, err
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		err = os.Mkdir(at, 0o700)
	case unix.S_IFREG, unix.S_IFSOCK:
		err = os.WriteFile(at, nil, 0o600)
	default:
		err = errors.New("neither a directory nor a file nor a socket")
	}
	if err != nil {
		return b, err
	}
	return b, s.mount(source, at)
}

// open opens the source without using it.
func (s staged) open() (int, error) {
	if s.root == "" {
		fd, err := unix.Open(s.source, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			return -1, fmt.Errorf("%s: %w", s.source, err)
		}
		return fd, nil
	}
	if s.create {
		root, err := os.OpenRoot(s.root)
		if err != nil {
			return -1, err
		}
		err = makeDirectory(root, s.rel)
		_ = root.Close()
		if err != nil {
			return -1, err
		}
	}
	dir, err := unix.Open(s.root, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("%s: %w", s.root, err)
	}
	defer unix.Close(dir)
	fd, err := unix.Openat2(dir, s.rel, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS})
	if err != nil {
		return -1, fmt.Errorf("%s in the task's directory: %w", s.rel, err)
	}
	return fd, nil
}

// makeDirectory makes a directory where nothing is.
func makeDirectory(root *os.Root, rel string) error {
	if _, err := root.Stat(rel); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := root.MkdirAll(rel, 0o755); err != nil {
		return err
	}
	return root.Chmod(rel, 0o777)
}

func (s staged) mount(source int, at string) error {
	tree, err := unix.OpenTree(source, "", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH|unix.AT_RECURSIVE)
	if err != nil {
		return fmt.Errorf("clone the mount: %w", err)
	}
	defer unix.Close(tree)
	if s.readonly {
		if err := unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}); err != nil {
			return fmt.Errorf("make the mount read-only: %w", err)
		}
	}
	if err := unix.MoveMount(tree, "", unix.AT_FDCWD, at, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("mount at %s: %w", at, err)
	}
	return nil
}

// unstage takes away what stage has put in place for a task.
func unstage(taskID string) error { return unstageDir(stageDir(taskID)) }

func unstageDir(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("mounts: %w", err)
	}
	var errs []error
	for _, e := range entries {
		at := filepath.Join(dir, e.Name())
		for unix.Unmount(at, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW) == nil { // EINVAL: nothing is mounted
		}
		if err := os.Remove(at); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(append(errs, os.Remove(dir))...)
}

// unstageOld takes away what a start that was killed has left.
func unstageOld(age time.Duration) {
	entries, _ := os.ReadDir(stageRoot)
	for _, e := range entries {
		if st, err := e.Info(); err == nil && time.Since(st.ModTime()) > age {
			_ = unstageDir(filepath.Join(stageRoot, e.Name()))
		}
	}
}

// openFile opens a plain file beneath root for reading; a pipe in its place does not hold up anybody.
func openFile(root *os.Root, name string) (*os.File, error) {
	f, err := root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		_ = f.Close()
		return nil, errors.Join(err, errors.New("not a plain file"))
	}
	return f, nil
}
