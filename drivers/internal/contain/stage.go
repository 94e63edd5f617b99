package contain

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/opencontainers/cgroups"

	"github.com/seraihq/serai/internal/failpoint"
)

// stageDir is where a root made of layers is put together. In the host's view it stays empty.
const stageDir = stateRoot + "/stage"

// rootDir is where the root is mounted.
const rootDir = stageDir + "/root"

// maxLayers is how many layers a root may have: the kernel takes 500, and their names must fit into a page.
const maxLayers = 127

// stage puts a root made of layers together and calls start, on a thread with a mount namespace of its own. Containers that start makes inherit
// what is mounted there; all of it ends with the thread and them, and the host never sees any. The Spec's paths then are those of that namespace.
func (s *Spec) stage(start func() error) error {
	if len(s.Layers) > maxLayers {
		return fmt.Errorf("the root has %d layers: more than %d are refused", len(s.Layers), maxLayers)
	}
	openGroups()
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		done <- s.onStage(start)
	}()
	return <-done
}

func (s *Spec) onStage(start func() error) error {
	if err := openStage(); err != nil {
		return err
	}
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("mount namespace for the start: %w", err)
	}
	pins, err := s.pin()
	defer func() {
		for _, p := range pins {
			_ = unix.Close(p.fd)
		}
	}()
	if err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_SLAVE|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("mount namespace for the start: %w", err)
	}
	if err := unix.Mount("tmpfs", stageDir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0711"); err != nil {
		return fmt.Errorf("%s: %w", stageDir, err)
	}
	for i, p := range pins {
		if p.mount.Host, err = p.attach(filepath.Join(stageDir, "pin"+strconv.Itoa(i))); err != nil {
			return fmt.Errorf("mount at %q: %w", p.mount.Task, err)
		}
	}
	s.Root = rootDir
	if err := s.overlay(); err != nil {
		return err
	}
	root, err := openTree(s.Root)
	if err != nil {
		return err
	}
	defer root.close()
	if s.Complete != nil {
		if err := s.Complete(root); err != nil {
			return err
		}
	}
	failpoint.Kill("contain:staged")
	return start()
}

// openGroups lets the cgroups library take hold of the control groups in the host's mounts: it does so once, on whichever thread first needs them.
var openGroups = sync.OnceFunc(func() {
	if f, err := cgroups.OpenFile(cgroupPath, "cgroup.procs", os.O_RDONLY); err == nil {
		_ = f.Close()
	}
})

// openStage makes the directory that the stage is mounted on. A container's user must be able to pass through the directories above it.
func openStage() error {
	// The root is there on the host too, for commands beside a task begin in a directory of that name.
	for _, dir := range []string{stateRoot, stageDir, rootDir} {
		if err := os.MkdirAll(dir, 0o711); err != nil {
			return err
		}
		if st, err := os.Stat(dir); err != nil || st.Mode().Perm()&0o111 != 0o111 {
			if err := os.Chmod(dir, 0o711); err != nil {
				return err
			}
		}
	}
	return nil
}

// pinned is the source of a mount taken hold of: what it was when its path was followed, whatever becomes of the path.
type pinned struct {
	mount *Mount
	fd    int
	dir   bool
}

// pin takes hold of those sources whose paths a task could change, and of those that must keep their ties to the host.
func (s *Spec) pin() ([]pinned, error) {
	var out []pinned
	for _, list := range [][]Mount{s.Mounts, s.Volumes} {
		for i := range list {
			m := &list[i]
			if m.Tmpfs || (m.Beneath == "" && m.Propagation != "bidirectional") {
				continue
			}
			p, err := m.pin()
			if err != nil {
				return out, fmt.Errorf("mount of %q at %q: %w", m.Host, m.Task, err)
			}
			out = append(out, p)
		}
	}
	return out, nil
}

func (m *Mount) pin() (pinned, error) {
	fd, err := m.openSource()
	if err != nil {
		return pinned{}, err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return pinned{}, err
	}
	kind := st.Mode & unix.S_IFMT
	if m.Beneath != "" && kind != unix.S_IFDIR && kind != unix.S_IFREG {
		return pinned{}, fmt.Errorf("it is neither a directory nor a regular file")
	}
	tree, err := unix.OpenTree(fd, "", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH|unix.AT_RECURSIVE)
	if err != nil {
		return pinned{}, fmt.Errorf("open_tree: %w", err)
	}
	return pinned{mount: m, fd: tree, dir: kind == unix.S_IFDIR}, nil
}

func (m *Mount) openSource() (int, error) {
	if m.Beneath == "" {
		return unix.Open(m.Host, unix.O_PATH|unix.O_CLOEXEC, 0)
	}
	base, err := unix.Open(m.Beneath, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(base)
	rel := strings.TrimPrefix(filepath.Clean("/"+m.Host), "/")
	if rel == "" {
		rel = "."
	}
	return unix.Openat2(base, rel, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS})
}

// attach puts what was pinned at path and returns that.
func (p pinned) attach(path string) (string, error) {
	if p.dir {
		if err := os.Mkdir(path, 0o755); err != nil {
			return "", err
		}
	} else if err := os.WriteFile(path, nil, 0o600); err != nil {
		return "", err
	}
	if err := unix.MoveMount(p.fd, "", unix.AT_FDCWD, path, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return "", fmt.Errorf("move_mount: %w", err)
	}
	return path, nil
}
