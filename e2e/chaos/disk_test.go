package chaos

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// diskBytes is the size of the small disk: a few segments of the log and the
// snapshots fit on it.
const diskBytes = 400 << 20

// smallDisk gives a member a disk of its own: a file system in a file, or in
// memory where there are no loop devices.
func (c *cluster) smallDisk(m *member) {
	c.t.Helper()
	image := m.dir + ".img"
	err := os.WriteFile(image, nil, 0o600)
	if err == nil {
		err = os.Truncate(image, diskBytes)
	}
	if err == nil {
		err = run("mke2fs", "-q", "-t", "ext4", "-m", "0", image)
	}
	if err == nil {
		err = run("mount", "-o", "loop", image, m.dir)
	}
	if err != nil {
		c.t.Logf("the small disk is in memory: %v", err)
		if err := unix.Mount("tmpfs", m.dir, "tmpfs", 0, fmt.Sprintf("size=%d", diskBytes)); err != nil {
			c.t.Fatal(err)
		}
	}
	c.t.Cleanup(func() {
		if err := unix.Unmount(m.dir, unix.MNT_DETACH); err != nil {
			c.t.Error(err)
		}
	})
}

// fill takes all room on the small disk; free gives it back.
func (c *cluster) fill(m *member) (free func()) {
	path := filepath.Join(m.dir, "filler")
	free = func() { _ = os.Remove(path) }
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return free // it is full already
	}
	defer f.Close()
	var st unix.Statfs_t
	for unix.Fstatfs(int(f.Fd()), &st) == nil && st.Bavail > 0 {
		at, _ := f.Seek(0, 2)
		n := int64(st.Bavail) * st.Bsize
		for n > 0 && unix.Fallocate(int(f.Fd()), 0, at, n) != nil { // what it needs itself
			n /= 2
		}
		if n == 0 {
			break
		}
	}
	return free
}

// arm has a place of a member do something, until it is disarmed.
func (c *cluster) arm(m *member, place, how string) (disarm func()) {
	path := filepath.Join(m.faults(), place)
	if err := os.WriteFile(path, []byte(how), 0o600); err != nil {
		c.t.Error(err)
	}
	return func() { _ = os.Remove(path) }
}

// flip changes one bit of a file, somewhere in what is not zero.
func flip(path string, random *rand.Rand) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	used := len(b)
	for used > 0 && b[used-1] == 0 {
		used--
	}
	if used == 0 {
		return fmt.Errorf("%s is empty", path)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	at := random.IntN(used)
	_, err = f.WriteAt([]byte{b[at] ^ 1<<random.IntN(8)}, int64(at))
	return err
}

// newest gives the file beneath a directory whose name matches and which was
// written last: older snapshots are not read at a start.
func newest(dir, pattern string) (string, error) {
	found, at := "", time.Time{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if ok, _ := filepath.Match(pattern, d.Name()); !ok || strings.HasSuffix(filepath.Dir(path), ".tmp") {
			return nil
		}
		if info, err := d.Info(); err == nil && !info.ModTime().Before(at) {
			found, at = path, info.ModTime()
		}
		return nil
	})
	if err == nil && found == "" {
		err = fmt.Errorf("nothing in %s is named %s", dir, pattern)
	}
	return found, err
}

// damage changes a bit of what a server has on its disk while it is stopped. It
// must refuse to start, and say which file and what to do; then that is done.
func (c *cluster) damage(m *member, pattern string, random *rand.Rand) {
	c.healthy() // a server more than a minority may lose is lost
	m.signal(syscall.SIGKILL)
	if !m.wait(10 * time.Second) {
		c.t.Errorf("server %d survived SIGKILL", m.index)
		return
	}
	path, err := newest(filepath.Join(m.dir, "server"), pattern)
	if err == nil {
		err = flip(path, random)
	}
	if err != nil {
		c.t.Logf("nothing to damage: %v", err) // there is no snapshot yet
		c.start(m)
		return
	}
	before := c.logged(m)
	c.start(m)
	if !m.wait(60 * time.Second) {
		c.t.Errorf("server %d runs with a flipped bit in %s", m.index, path)
		return
	}
	said := c.logged(m)[len(before):]
	if !strings.Contains(said, filepath.Base(path)) && !strings.Contains(said, filepath.Base(filepath.Dir(path))) || !strings.Contains(said, "empty") && !strings.Contains(said, "restore") {
		c.t.Errorf("a flipped bit in %s: the server does not say where and what to do:\n%s", path, said)
	}
	if err := os.RemoveAll(filepath.Join(m.dir, "server")); err != nil {
		c.t.Error(err)
	}
	c.start(m)
	c.healthy()
}

func (c *cluster) logged(m *member) string {
	b, err := os.ReadFile(m.dir + ".log")
	if err != nil {
		c.t.Error(err)
	}
	return string(b)
}

// failDisk has the disk of a server fail at a place: the server must stop by
// itself. Then the disk is well again.
func (c *cluster) failDisk(m *member, place string, provoke func()) {
	disarm := c.arm(m, place, "fail")
	provoke()
	if !m.wait(30 * time.Second) {
		c.t.Logf("server %d had nothing to write", m.index)
		disarm()
		return
	}
	disarm()
	c.start(m)
}
