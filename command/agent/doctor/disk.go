package doctor

import (
	"os"
	"path/filepath"
	"time"
)

const (
	slowFsync = 25 * time.Millisecond // a commit takes at least one
	badFsync  = 250 * time.Millisecond
)

// age is how long ago the newest of the files was written.
func (x *examination) age(files []string) time.Duration {
	var newest time.Time
	for _, f := range files {
		if info, err := os.Stat(f); err == nil && info.ModTime().After(newest) {
			newest = info.ModTime()
		}
	}
	return x.Host.Now().Sub(newest)
}

// existing gives the path, or the nearest directory above it that is there.
func existing(path string) string {
	for {
		if _, err := os.Stat(path); err == nil || path == filepath.Dir(path) {
			return path
		}
		path = filepath.Dir(path)
	}
}

// disk looks at the space that is left, and when it was asked for at how long
// the disk takes to keep something.
func (x *examination) disk() {
	c := x.Config
	if c.DataDir == "" {
		return
	}
	dirs := []string{c.DataDir}
	for _, d := range []string{c.Server.DataDir, c.Client.AllocDir} {
		if d != "" && filepath.Dir(d) != c.DataDir {
			dirs = append(dirs, d)
		}
	}
	for _, d := range dirs {
		x.space(d)
	}
	if x.Host.Fsync == nil || !c.Server.Enabled {
		return
	}
	took, err := x.Host.Fsync(existing(c.Server.DataDir))
	const mend = "give server.data_dir a disk of its own, an SSD or NVMe with power-loss protection; every write to the cluster waits for this"
	switch {
	case err != nil:
		x.report.fail("disk.fsync", "make the directory writable for the agent", "%s cannot be written to: %v", c.Server.DataDir, err)
	case took > badFsync:
		x.report.fail("disk.fsync", mend, "the disk of %s takes %s to keep 4 KiB", c.Server.DataDir, round(took))
	case took > slowFsync:
		x.report.warn("disk.fsync", mend, "the disk of %s takes %s to keep 4 KiB", c.Server.DataDir, round(took))
	default:
		x.report.ok("disk.fsync", "the disk of %s keeps 4 KiB within %s", c.Server.DataDir, slowFsync)
	}
}

func round(d time.Duration) time.Duration { return d.Round(time.Millisecond) }

func (x *examination) space(dir string) {
	s, err := x.Host.Space(existing(dir))
	if err != nil || s.Bytes == 0 {
		return
	}
	free := 100 * float64(s.FreeBytes) / float64(s.Bytes)
	const mend = "free some space, or move data_dir to a larger disk: a server without space stops taking writes, and a client fails its tasks"
	switch {
	case free < 2 || s.FreeBytes < 256<<20:
		x.report.fail("disk.space", mend, "%s has %d MiB left, %.0f %%", dir, s.FreeBytes>>20, free)
	case free < 10 || s.FreeBytes < 2<<30:
		x.report.warn("disk.space", mend, "%s has %d MiB left, %.0f %%", dir, s.FreeBytes>>20, free)
	default:
		x.report.ok("disk.space", "%s has space left", dir)
	}
	if s.Inodes > 0 && 100*s.FreeInodes/s.Inodes < 5 {
		x.report.warn("disk.inodes", "remove small files, or make the file system anew with more inodes", "%s has %d inodes left of %d", dir, s.FreeInodes, s.Inodes)
	}
}
