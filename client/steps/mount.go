package steps

import (
	"errors"
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/files"
)

// mountSecrets mounts a tmpfs over a directory. Where the kernel does not let
// us (a container without the right), the directory serves as it is.
func mountSecrets(root *files.Root, path string, sizeMB, uid, gid int) error {
	dir, err := root.OpenDirectory(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	options := fmt.Sprintf("size=%dm,mode=0700", sizeMB)
	if uid >= 0 {
		options += fmt.Sprintf(",uid=%d,gid=%d", uid, gid)
	}
	// By its descriptor: the name could mean something else by now.
	target := "/proc/self/fd/" + strconv.Itoa(int(dir.Fd()))
	err = unix.Mount("tmpfs", target, "tmpfs", unix.MS_NOEXEC|unix.MS_NOSUID|unix.MS_NODEV, options)
	if errors.Is(err, unix.EPERM) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("mount secrets of %q: %w", path, err)
	}
	return nil
}

// maxStacked is how many mounts are taken off a directory: agents that died one
// after the other may have left several, one on the other.
const maxStacked = 16

// unmountSecrets undoes mountSecrets, of whichever agent; where nothing is
// mounted, or nothing is left, it does nothing.
func unmountSecrets(root *files.Root, path string) error {
	for range maxStacked {
		more, err := unmountOne(root, path)
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// unmountOne takes the topmost mount off a directory, and says whether there was one.
func unmountOne(root *files.Root, path string) (bool, error) {
	dir, err := root.OpenDirectory(path)
	if errors.Is(err, api.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer dir.Close()
	err = unix.Unmount("/proc/self/fd/"+strconv.Itoa(int(dir.Fd())), unix.MNT_DETACH)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EPERM) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("unmount secrets of %q: %w", path, err)
	}
	return true, nil
}

// unmountBeneath unmounts what is mounted beneath a directory, the deepest first.
func unmountBeneath(dir string) error {
	points, err := mountsBeneath(dir)
	if err != nil || len(points) == 0 {
		return err
	}
	sort.Slice(points, func(i, j int) bool { return len(points[i]) > len(points[j]) })
	var all error
	for _, p := range points {
		if err := unix.Unmount(p, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil && !errors.Is(err, unix.EINVAL) {
			all = errors.Join(all, fmt.Errorf("unmount %s: %w", p, err))
		}
	}
	return all
}

func mountsBeneath(dir string) ([]string, error) {
	table, err := os.ReadFile("/proc/thread-self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("list mounts: %w", err)
	}
	var points []string
	for line := range strings.Lines(string(table)) {
		fields := strings.Fields(line)
		if len(fields) < 5 {
			continue
		}
		if point := unescape(fields[4]); strings.HasPrefix(point, dir+"/") {
			points = append(points, point)
		}
	}
	return points, nil
}

// unescape undoes the octal escapes of mountinfo.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				out.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		out.WriteByte(s[i])
	}
	return out.String()
}
