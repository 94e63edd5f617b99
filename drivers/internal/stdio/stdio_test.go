package stdio

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestForTask(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := ForTask(filepath.Dir(path), path, os.Geteuid(), os.Getegid())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
	if err != nil || flags&unix.O_NONBLOCK != 0 || flags&unix.O_ACCMODE != unix.O_RDWR {
		t.Errorf("flags %#x %v: a task would lose output that nobody has read yet", flags, err)
	}
}

func TestRefused(t *testing.T) {
	dir := t.TempDir()
	fifo, link, file := filepath.Join(dir, "fifo"), filepath.Join(dir, "link"), filepath.Join(dir, "file")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(fifo, link); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	// A directory on the way that is a link, as a task can make of its log directory.
	other := t.TempDir()
	if err := unix.Mkfifo(filepath.Join(other, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(other, filepath.Join(dir, "logs")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(dir, "logs", "fifo"), link, file, dir, filepath.Join(dir, "none")} {
		if f, err := ForTask(dir, path, 0, 0); err == nil {
			_ = f.Close()
			t.Errorf("%s was opened", path)
		}
	}
	if f, err := ForTask(dir, "", 0, 0); err != nil || f.Name() != os.DevNull {
		t.Errorf("no path: %v", err)
	}
}
