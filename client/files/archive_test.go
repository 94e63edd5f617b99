package files

import (
	"archive/tar"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/api"
)

func newRoot(t *testing.T) (*Root, string) {
	t.Helper()
	dir := t.TempDir()
	r, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r, dir
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestArchiveAndExtract(t *testing.T) {
	from, dir := newRoot(t)
	for _, d := range []string{"alloc/data/deep", "web/local", "web/secrets"} {
		must(t, os.MkdirAll(filepath.Join(dir, d), 0o755))
	}
	must(t, os.WriteFile(filepath.Join(dir, "alloc/data/deep/file"), []byte("content"), 0o640))
	must(t, os.WriteFile(filepath.Join(dir, "web/secrets/token"), []byte("secret"), 0o600))
	must(t, os.Symlink("deep/file", filepath.Join(dir, "alloc/data/in")))
	must(t, os.Symlink("../../web/secrets/token", filepath.Join(dir, "alloc/data/out")))
	must(t, os.Symlink("/etc/passwd", filepath.Join(dir, "alloc/data/far")))
	must(t, unix.Mkfifo(filepath.Join(dir, "alloc/data/fifo"), 0o600))
	must(t, os.Chmod(filepath.Join(dir, "alloc/data/deep"), 0o777|fs.ModeSticky))
	var archive bytes.Buffer
	must(t, from.Archive(t.Context(), &archive, "alloc/data", "web/local", "db/local"))

	to, target := newRoot(t)
	must(t, to.Extract(t.Context(), bytes.NewReader(archive.Bytes()), 1000, os.Geteuid() == 0, "alloc/data", "web/local", "db/local"))
	if b, err := os.ReadFile(filepath.Join(target, "alloc/data/in")); string(b) != "content" {
		t.Errorf("%q %v", b, err)
	}
	if st, err := os.Stat(filepath.Join(target, "alloc/data/deep")); err != nil || st.Mode() != fs.ModeDir|fs.ModeSticky|0o777 {
		t.Errorf("%v %v", st.Mode(), err)
	}
	if st, err := os.Stat(filepath.Join(target, "alloc/data/deep/file")); err != nil || st.Mode() != 0o640 {
		t.Errorf("%v %v", st, err)
	}
	for _, gone := range []string{"alloc/data/out", "alloc/data/far", "alloc/data/fifo", "web/secrets", ".complete"} {
		if _, err := os.Lstat(filepath.Join(target, gone)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s came along: %v", gone, err)
		}
	}
	// A cut archive is told from a whole one.
	for _, n := range []int{0, 512, archive.Len() - 1536} {
		r, _ := newRoot(t)
		if err := r.Extract(t.Context(), bytes.NewReader(archive.Bytes()[:n]), 1000, false, "alloc/data", "web/local"); err == nil {
			t.Errorf("the first %d bytes pass for all", n)
		}
	}
}

// An archive of somebody who means ill writes nothing outside, and no more than it may.
func TestEscapeExtract(t *testing.T) {
	for what, test := range map[string]struct {
		heads []tar.Header
		size  int
		kind  error // nil: taken, with nothing outside
	}{
		"dots":            {[]tar.Header{{Typeflag: tar.TypeReg, Name: "alloc/data/../../evil"}}, 0, api.ErrInvalid},
		"absolute":        {[]tar.Header{{Typeflag: tar.TypeReg, Name: "/evil"}}, 0, api.ErrInvalid},
		"elsewhere":       {[]tar.Header{{Typeflag: tar.TypeReg, Name: "web/secrets/evil"}}, 0, api.ErrInvalid},
		"too much":        {[]tar.Header{{Typeflag: tar.TypeReg, Name: "alloc/data/big"}}, 2000, api.ErrTooLarge},
		"link out":        {[]tar.Header{{Typeflag: tar.TypeSymlink, Name: "alloc/data/l", Linkname: "../../.."}, {Typeflag: tar.TypeReg, Name: "alloc/data/l/evil"}}, 0, api.ErrNotFound},
		"the top is none": {[]tar.Header{{Typeflag: tar.TypeSymlink, Name: "alloc/data", Linkname: "data"}}, 0, nil},
		"hard link":       {[]tar.Header{{Typeflag: tar.TypeLink, Name: "alloc/data/l", Linkname: "/etc/passwd"}}, 0, nil},
		"device":          {[]tar.Header{{Typeflag: tar.TypeBlock, Name: "alloc/data/sda", Devmajor: 8}}, 0, nil},
		"set-uid":         {[]tar.Header{{Typeflag: tar.TypeReg, Name: "alloc/data/sh", Mode: 0o6755}}, 0, nil},
		"loop of links": {[]tar.Header{
			{Typeflag: tar.TypeSymlink, Name: "alloc/data/a", Linkname: "b"}, {Typeflag: tar.TypeSymlink, Name: "alloc/data/b", Linkname: "a"},
			{Typeflag: tar.TypeReg, Name: "alloc/data/a/x"}}, 0, api.ErrDenied},
	} {
		var archive bytes.Buffer
		w := tar.NewWriter(&archive)
		for _, h := range append([]tar.Header{{Typeflag: tar.TypeDir, Name: "alloc/data", Mode: 0o755}}, test.heads...) {
			if what == "the top is none" && h.Typeflag == tar.TypeDir {
				continue
			}
			if h.Typeflag == tar.TypeReg {
				h.Size = int64(test.size)
			}
			must(t, w.WriteHeader(&h))
			_, err := w.Write(make([]byte, h.Size))
			must(t, err)
		}
		must(t, w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: archiveEnd}))
		must(t, w.Close())
		parent := t.TempDir()
		must(t, os.Mkdir(filepath.Join(parent, "root"), 0o755))
		r, err := Open(filepath.Join(parent, "root"))
		must(t, err)
		err = r.Extract(t.Context(), &archive, 1000, false, "alloc/data")
		r.Close()
		if !errors.Is(err, test.kind) {
			t.Errorf("%s: %v, want %v", what, err, test.kind)
		}
		_ = filepath.WalkDir(parent, func(p string, d fs.DirEntry, _ error) error {
			if strings.HasSuffix(p, "evil") || d.Type()&(fs.ModeDevice|fs.ModeSetuid) != 0 || d.Type() == fs.ModeSymlink && strings.Contains(what, "out") {
				t.Errorf("%s: %s was made", what, p)
			}
			if st, err := d.Info(); err == nil && st.Mode()&fs.ModeSetuid != 0 {
				t.Errorf("%s: %s is set-uid", what, p)
			}
			return nil
		})
	}
}

func TestMove(t *testing.T) {
	from, dir := newRoot(t)
	to, target := newRoot(t)
	must(t, os.MkdirAll(filepath.Join(dir, "alloc/data/x"), 0o755))
	must(t, os.MkdirAll(filepath.Join(target, "alloc/data"), 0o755))
	must(t, Move(from, "alloc/data", to, "alloc/data"))
	if _, err := os.Stat(filepath.Join(target, "alloc/data/x")); err != nil {
		t.Error(err)
	}
	if err := Move(from, "alloc/data", to, "alloc/data"); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("again: %v", err)
	}
	must(t, os.Symlink("/etc", filepath.Join(dir, "alloc/data")))
	if err := Move(from, "alloc/data", to, "alloc/etc"); !errors.Is(err, api.ErrInvalid) {
		t.Errorf("a link was moved: %v", err)
	}
}

func FuzzExtract(f *testing.F) {
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		r, _ := newRoot(t)
		_ = r.Extract(t.Context(), bytes.NewReader(data), 1<<20, false, "alloc/data")
	})
}

// Links that stay beneath the directory by their spelling, and would lead out of
// it when the links on their way are followed.
func TestEscapeLinksOverLinks(t *testing.T) {
	for name, target := range map[string]string{
		"alloc/data/out":          "a/b/c/up/../../secret",
		"alloc/data/a/b/c/up/out": "../../secret",
	} {
		r, dir := newRoot(t)
		must(t, os.WriteFile(filepath.Join(dir, "secret"), nil, 0o600))
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for _, d := range []string{"alloc/data/", "alloc/data/a/", "alloc/data/a/b/", "alloc/data/a/b/c/"} {
			must(t, w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: d, Mode: 0o755}))
		}
		must(t, w.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: "alloc/data/a/b/c/up", Linkname: "../../.."}))
		must(t, w.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target}))
		must(t, w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: archiveEnd}))
		must(t, w.Close())
		_ = r.Extract(t.Context(), &b, 1<<20, false, "alloc/data")
		if to, err := os.Readlink(filepath.Join(dir, "alloc/data/a/b/c/up")); err != nil || to != "../../.." {
			t.Errorf("an honest link: %q, %v", to, err)
		}
		if _, err := os.Stat(filepath.Join(dir, "alloc/data/out")); err == nil {
			t.Errorf("%s -> %s leads out", name, target)
		}
	}
}
