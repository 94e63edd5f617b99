package contain

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/drivers"
)

// maxLinks is how many symbolic links one path may lead through, as in the kernel.
const maxLinks = 40

// view is what a task sees of the host: host paths by the path in the task. The container's root is at "/".
type view map[string]string

func newView(root string, mounts []Mount) view {
	v := view{"/": root}
	for _, m := range mounts {
		v[path.Clean(m.Task)] = m.Host
	}
	return v
}

// find returns the path, as the task sees it, of the program called name: a path as it is, a bare name in the search path; both in the task's
// /local too when local is set. The error is a drivers.StartError with the exit code that shells use.
func (v view) find(name, searchPath string, local bool) (string, error) {
	if strings.ContainsRune(name, 0) {
		return "", drivers.CommandNotFound(name, "(its name has a zero byte)")
	}
	if strings.Contains(name, "/") {
		inside := path.Join("/", name)
		err := v.executable(name, inside)
		if local && !path.IsAbs(name) && errors.Is(err, fs.ErrNotExist) {
			inside = path.Join("/local", name)
			err = v.executable(name, inside)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return "", drivers.CommandNotFound(name, "inside the task's root")
		}
		return inside, err
	}
	dirs, places := filepath.SplitList(searchPath), "in PATH "+searchPath+" inside the task's root"
	if local {
		dirs, places = append([]string{"/local"}, dirs...), "in /local or "+places
	}
	for _, dir := range dirs {
		inside := path.Join("/", dir, name)
		if v.executable(name, inside) == nil {
			return inside, nil
		}
	}
	return "", drivers.CommandNotFound(name, places)
}

// executable is nil for a file that can be executed, fs.ErrNotExist for one that is not there.
func (v view) executable(name, inside string) error {
	st, err := v.stat(inside)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fs.ErrNotExist
	case err != nil:
		return drivers.CommandNotExecutable(name, err)
	case st.IsDir():
		return drivers.CommandNotExecutable(name, errors.New("it is a directory"))
	case st.Mode()&0o111 == 0:
		return drivers.CommandNotExecutable(name, errors.New("it has no execute permission: chmod +x it"))
	}
	return nil
}

// stat looks at a file as the task would, following links inside its root only. It opens nothing: what it finds is for messages, and the
// kernel decides again when the task is started.
func (v view) stat(inside string) (fs.FileInfo, error) {
	done, rest := "/", strings.Split(strings.Trim(path.Clean(inside), "/"), "/")
	for links := 0; len(rest) > 0; {
		next := path.Join(done, rest[0])
		rest = rest[1:]
		host := v.host(next)
		st, err := os.Lstat(host)
		if _, mounted := v[next]; mounted {
			st, err = os.Stat(host) // a mount goes to where a link leads
		}
		if err != nil {
			if v.above(next) { // a directory that mounting makes
				done = next
				continue
			}
			return nil, err
		}
		if st.Mode()&fs.ModeSymlink != 0 {
			if links++; links > maxLinks {
				return nil, unix.ELOOP
			}
			target, err := os.Readlink(host)
			if err != nil {
				return nil, err
			}
			if !path.IsAbs(target) {
				target = path.Join(done, target)
			}
			done, rest = "/", append(strings.Split(strings.Trim(path.Clean(target), "/"), "/"), rest...)
			continue
		}
		if len(rest) == 0 {
			return st, nil
		}
		done = next
	}
	return os.Stat(v["/"])
}

// host is where on the host the path lies: below the longest mount that holds it.
func (v view) host(inside string) string {
	for at := inside; ; at = path.Dir(at) {
		if source, ok := v[at]; ok {
			return filepath.Join(source, strings.TrimPrefix(inside, at))
		}
		if at == "/" {
			return inside
		}
	}
}

// above is whether something is mounted below the path.
func (v view) above(inside string) bool {
	for at := range v {
		if strings.HasPrefix(at, inside+"/") {
			return true
		}
	}
	return false
}
