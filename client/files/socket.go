package files

import (
	"net"
	"strconv"

	"golang.org/x/sys/unix"
)

// Listen makes a Unix socket that everybody may connect to who reaches its
// directory, and listens on it. What stood there by that name is unlinked. The
// socket stays when the listener is closed.
func (r *Root) Listen(path string, uid, gid int) (l net.Listener, err error) {
	err = r.inParent(path, func(dirfd int, name string) error {
		if err := unix.Unlinkat(dirfd, name, 0); err != nil && err != unix.ENOENT {
			return err
		}
		// By the directory's descriptor: addresses of sockets are short, and nobody
		// can put another directory in its place.
		at := &net.UnixAddr{Name: "/proc/self/fd/" + strconv.Itoa(dirfd) + "/" + name, Net: "unix"}
		u, err := net.ListenUnix("unix", at)
		if err != nil {
			return err
		}
		u.SetUnlinkOnClose(false)
		if err = unix.Fchmodat(dirfd, name, 0o666, 0); err == nil && (uid >= 0 || gid >= 0) {
			err = unix.Fchownat(dirfd, name, uid, gid, unix.AT_SYMLINK_NOFOLLOW)
		}
		if err != nil {
			u.Close()
			return err
		}
		l = u
		return nil
	})
	return l, err
}
