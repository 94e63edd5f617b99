package files

import (
	"archive/tar"
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/api"
)

// TestHolesStay: a file of a terabyte with three pages of data takes three pages
// in the archive and at its end.
func TestHolesStay(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	if err := os.Mkdir(from+"/data", 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(from + "/data/sparse")
	if err != nil {
		t.Fatal(err)
	}
	const size = 1 << 40
	for _, at := range []int64{0, 1 << 30, size - 5} {
		if _, err := f.WriteAt([]byte("hello"), at); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(from+"/data/sparse", size); err != nil {
		t.Fatal(err)
	}
	for name, size := range map[string]int64{"empty": 0, "hole": 1 << 30} {
		if err := errors.Join(os.WriteFile(from+"/data/"+name, nil, 0o644), os.Truncate(from+"/data/"+name, size)); err != nil {
			t.Fatal(err)
		}
	}
	source, target := opened(t, from), opened(t, to)
	var archive bytes.Buffer
	if err := source.Archive(t.Context(), &archive, "data"); err != nil {
		t.Fatal(err)
	}
	if archive.Len() > 100<<10 {
		t.Fatalf("the archive has %d bytes", archive.Len())
	}
	if err := target.Extract(t.Context(), &archive, 1<<20, false, "data"); err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	if err := unix.Stat(to+"/data/sparse", &st); err != nil || st.Size != size || st.Blocks*blockSize > 100<<10 {
		t.Fatalf("size %d, %d on disk, %v", st.Size, st.Blocks*blockSize, err)
	}
	if err := unix.Stat(to+"/data/hole", &st); err != nil || st.Size != 1<<30 || st.Blocks != 0 {
		t.Errorf("hole: size %d, %d blocks, %v", st.Size, st.Blocks, err)
	}
	g, err := os.Open(to + "/data/sparse")
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	for at, want := range map[int64]string{0: "hello", 100: "\x00\x00\x00\x00\x00", 1 << 30: "hello", size - 5: "hello"} {
		buf := make([]byte, 5)
		if _, err := g.ReadAt(buf, at); err != nil || string(buf) != want {
			t.Errorf("at %d: %q %v", at, buf, err)
		}
	}
}

func opened(t *testing.T, dir string) *Root {
	t.Helper()
	r, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func TestExtentsAreNotTrusted(t *testing.T) {
	for _, c := range []struct {
		size    int64
		records [2]string
		ok      bool
	}{
		{10, [2]string{"100", "0,5,50,5"}, true}, {0, [2]string{"100", ""}, true},
		{10, [2]string{"100", "50,5,0,5"}, false}, {10, [2]string{"100", "0,5,3,5"}, false}, {10, [2]string{"8", "0,10"}, false},
		{10, [2]string{"-1", "0,10"}, false}, {10, [2]string{"100", "0,5"}, false}, {10, [2]string{"100", ""}, false},
		{10, [2]string{"100", "0,10,"}, false}, {10, [2]string{"100", "0"}, false}, {10, [2]string{"100", "-5,10"}, false},
		{10, [2]string{"9223372036854775807", "9223372036854775800,10"}, false}, {10, [2]string{"100", "a,b"}, false},
	} {
		h := &tar.Header{Size: c.size, PAXRecords: map[string]string{paxSize: c.records[0], paxExtents: c.records[1]}}
		if _, _, err := extentsOf(h); (err == nil) != c.ok {
			t.Errorf("%v: %v", c, err)
		}
	}
}

// TestUsage: holes cost nothing, second names neither.
func TestUsage(t *testing.T) {
	dir := t.TempDir()
	r := opened(t, dir)
	empty, err := r.Usage(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "a"), make([]byte, 1<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(filepath.Join(dir, "a"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Sync(), f.Close(), os.Link(filepath.Join(dir, "a"), filepath.Join(dir, "b"))); err != nil {
		t.Fatal(err)
	}
	full, err := r.Usage(t.Context(), nil)
	if err != nil || full-empty < 1<<20 || full-empty > 1<<20+64<<10 {
		t.Errorf("%d bytes more, %v", full-empty, err)
	}
	skipped, err := r.Usage(t.Context(), func(name string) bool { return true })
	if err != nil || skipped != empty {
		t.Errorf("%d bytes with all skipped, %v", skipped, err)
	}
}

// TestAdoptRefuses: what is adopted are directories, files of one name, and links that stay.
func TestAdoptRefuses(t *testing.T) {
	for name, make := range map[string]func(dir string) error{
		"a fifo":        func(d string) error { return unix.Mkfifo(d+"/x", 0o666) },
		"a second name": func(d string) error { return errors.Join(os.WriteFile(d+"/a", nil, 0o600), os.Link(d+"/a", d+"/b")) },
		"a link out":    func(d string) error { return os.Symlink("/etc/passwd", d+"/x") },
	} {
		dir := t.TempDir()
		if err := errors.Join(os.Mkdir(dir+"/out", 0o755), make(dir+"/out")); err != nil {
			t.Fatal(err)
		}
		err := opened(t, dir).Adopt("out", Adoption{UID: -1, GID: -1, Stays: func(string, string) bool { return false }})
		if !errors.Is(err, api.ErrDenied) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
