package files

import (
	"io/fs"
	"os"
	"sort"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/api"
)

// MaxEntries bounds the listing of one directory.
const MaxEntries = 100_000

// Info describes a file.
type Info struct {
	Name    string
	Size    int64
	Mode    fs.FileMode
	ModTime time.Time
	UID     int
	GID     int
	ID      ID
}

// IsDir says whether the file is a directory.
func (i Info) IsDir() bool { return i.Mode.IsDir() }

// Stat describes a file, links followed beneath the root.
func (r *Root) Stat(path string) (Info, error) {
	h, err := r.lookup(path, true)
	if err != nil {
		return Info{}, err
	}
	defer h.close()
	return infoOf(lastName(path), &h.st), nil
}

// List describes what is in a directory, sorted by name; links are described as
// links. Of a directory with more than MaxEntries, the first of them.
func (r *Root) List(path string) ([]Info, error) {
	dir, err := r.OpenDirectory(path)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(MaxEntries)
	if err != nil && len(names) > 0 {
		return nil, kindOf(err, path)
	}
	infos := make([]Info, 0, len(names))
	for _, name := range names {
		var st unix.Stat_t
		// One that vanished meanwhile is left out.
		if unix.Fstatat(int(dir.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW) == nil {
			infos = append(infos, infoOf(name, &st))
		}
	}
	sort.Slice(infos, func(i, j int) bool { return infos[i].Name < infos[j].Name })
	return infos, nil
}

// Names lists the names in a directory, in no order.
func (r *Root) Names(path string) ([]string, error) {
	dir, err := r.OpenDirectory(path)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	return names, kindOf(err, path)
}

// OpenDirectory opens a directory, links followed beneath the root.
func (r *Root) OpenDirectory(path string) (*os.File, error) {
	h, err := r.lookup(path, true)
	if err != nil {
		return nil, err
	}
	defer h.close()
	if h.st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return nil, api.Errorf(api.ErrInvalid, "file %q is not a directory", path)
	}
	return reopen(h, path, unix.O_RDONLY|unix.O_DIRECTORY)
}

func infoOf(name string, st *unix.Stat_t) Info {
	return Info{
		Name:    name,
		Size:    st.Size,
		Mode:    goMode(st.Mode),
		ModTime: time.Unix(st.Mtim.Unix()),
		UID:     int(st.Uid),
		GID:     int(st.Gid),
		ID:      ID{Dev: uint64(st.Dev), Ino: st.Ino},
	}
}

func goMode(m uint32) fs.FileMode {
	mode := fs.FileMode(m & 0o777)
	switch m & unix.S_IFMT {
	case unix.S_IFDIR:
		mode |= fs.ModeDir
	case unix.S_IFLNK:
		mode |= fs.ModeSymlink
	case unix.S_IFIFO:
		mode |= fs.ModeNamedPipe
	case unix.S_IFSOCK:
		mode |= fs.ModeSocket
	case unix.S_IFCHR:
		mode |= fs.ModeDevice | fs.ModeCharDevice
	case unix.S_IFBLK:
		mode |= fs.ModeDevice
	}
	if m&unix.S_ISUID != 0 {
		mode |= fs.ModeSetuid
	}
	if m&unix.S_ISGID != 0 {
		mode |= fs.ModeSetgid
	}
	if m&unix.S_ISVTX != 0 {
		mode |= fs.ModeSticky
	}
	return mode
}

func lastName(path string) string {
	path = strings.TrimRight(path, "/")
	name := path[strings.LastIndexByte(path, '/')+1:]
	if name == "" {
		return "/"
	}
	return name
}
