package contain

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// Where the users of containers with user namespaces lie among the host's: blocks of UserCount IDs, each used by one container at a time.
const (
	firstUser  = 1 << 30
	blockCount = 1 << 14
)

// blocksDir has a symbolic link for each block in use, which "points" to the container's ID: it is made at once with what it says.
const blocksDir = stateRoot + "/users"

// reserveUsers reserves IDs of the host for a user namespace of a task's container. They are free again once its container is removed.
func (c *Containers) reserveUsers(taskID string) (*idRange, error) {
	if err := os.MkdirAll(blocksDir, 0o700); err != nil {
		return nil, fmt.Errorf("users of the container: %w", err)
	}
	entries, err := os.ReadDir(blocksDir)
	if err != nil {
		return nil, fmt.Errorf("users of the container: %w", err)
	}
	taken := map[int]bool{}
	for _, e := range entries {
		n, err := strconv.Atoi(e.Name())
		if err == nil {
			taken[n] = true
		}
	}
	for n := range blockCount {
		if taken[n] {
			continue
		}
		err := os.Symlink(c.owner(taskID), filepath.Join(blocksDir, strconv.Itoa(n)))
		if errors.Is(err, os.ErrExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("users of the container: %w", err)
		}
		return &idRange{First: firstUser + uint32(n)*UserCount, Size: UserCount}, nil
	}
	return nil, errors.New("users of the container: all blocks of user IDs are in use")
}

func (c *Containers) owner(taskID string) string { return c.driver + " " + containerID(taskID) }

// releaseUsers frees the blocks of a container.
func releaseUsers(owner string) {
	entries, _ := os.ReadDir(blocksDir)
	for _, e := range entries {
		file := filepath.Join(blocksDir, e.Name())
		if name, err := os.Readlink(file); err == nil && name == owner {
			_ = os.Remove(file)
		}
	}
}

// namespace makes a user namespace with these IDs, which lives as long as the file: a process that never runs is born in it and ended.
func (r idRange) namespace() (*os.File, error) {
	ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: int(r.First), Size: int(r.Size)}}
	p, err := os.StartProcess("/proc/self/exe", []string{"serai-users"}, &os.ProcAttr{Env: []string{}, Sys: &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWUSER, UidMappings: ids, GidMappings: ids, GidMappingsEnableSetgroups: true,
		Ptrace: true, Pdeathsig: syscall.SIGKILL}})
	if err != nil {
		return nil, fmt.Errorf("user namespace: %w", err)
	}
	f, err := os.Open("/proc/" + strconv.Itoa(p.Pid) + "/ns/user")
	_ = p.Kill()
	_, _ = p.Wait()
	if err != nil {
		return nil, fmt.Errorf("user namespace: %w", err)
	}
	return f, nil
}
