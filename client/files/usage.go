package files

import (
	"context"
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Bounds of a measurement. A tree that is deeper is not measured but refused.
const (
	usageDepth = 500
	usageNames = 1024 // of a directory at once
	// usageTwins is how many files with several names are remembered, so that
	// they count once; beyond that they count by name.
	usageTwins = 100_000
)

// ErrTooDeep is for trees that are deeper than any honest one.
var ErrTooDeep = errors.New("the tree of directories is too deep to be measured")

// Usage adds up the space on disk of what lies beneath the root: of its blocks,
// so that holes cost nothing, and once for a file of several names. What is
// mounted there, as the secrets are, lies elsewhere and is left out; so is what
// skip names at the top. What vanishes meanwhile is left out too.
func (r *Root) Usage(ctx context.Context, skip func(name string) bool) (int64, error) {
	var st unix.Stat_t
	if err := unix.Fstat(r.fd(), &st); err != nil {
		return 0, kindOf(err, ".")
	}
	m := meter{ctx: ctx, dev: uint64(st.Dev), skip: skip, twins: map[uint64]bool{}}
	top, err := r.OpenDirectory(".")
	if err != nil {
		return 0, err
	}
	defer top.Close()
	m.bytes = st.Blocks * blockSize
	err = m.directory(top, 0)
	return m.bytes, err
}

// blockSize is the unit of st_blocks.
const blockSize = 512

type meter struct {
	ctx   context.Context
	dev   uint64
	skip  func(string) bool
	twins map[uint64]bool
	bytes int64
}

func (m *meter) directory(dir *os.File, depth int) error {
	if depth > usageDepth {
		return ErrTooDeep
	}
	for {
		if err := m.ctx.Err(); err != nil {
			return err
		}
		names, err := dir.Readdirnames(usageNames)
		for _, name := range names {
			if depth == 0 && m.skip != nil && m.skip(name) {
				continue
			}
			if err := m.entry(dir, name, depth); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, unix.ENOENT) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (m *meter) entry(dir *os.File, name string, depth int) error {
	var st unix.Stat_t
	if err := unix.Fstatat(int(dir.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil || uint64(st.Dev) != m.dev {
		return nil
	}
	isDir := st.Mode&unix.S_IFMT == unix.S_IFDIR
	if !isDir && st.Nlink > 1 {
		if m.twins[st.Ino] {
			return nil
		}
		if len(m.twins) < usageTwins {
			m.twins[st.Ino] = true
		}
	}
	m.bytes += st.Blocks * blockSize
	if !isDir {
		return nil
	}
	sub, err := openDirectory(int(dir.Fd()), name)
	if err != nil {
		return nil // gone, or replaced meanwhile
	}
	defer sub.Close()
	return m.directory(sub, depth+1)
}
