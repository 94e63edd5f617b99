package fetch

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// FuzzUnpack: whatever an archive holds, nothing is written beside its
// directory, and not more than the limits.
func FuzzUnpack(f *testing.F) {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, h := range []tar.Header{
		{Name: "a/b", Typeflag: tar.TypeReg, Mode: 0o644}, {Name: "l", Typeflag: tar.TypeSymlink, Linkname: "a"}, {Name: "h", Typeflag: tar.TypeLink, Linkname: "a/b"},
		{Name: "../x", Typeflag: tar.TypeReg}, {Name: "a/l/../../y", Typeflag: tar.TypeDir},
	} {
		if err := w.WriteHeader(&h); err != nil {
			f.Fatal(err)
		}
	}
	w.Close()
	for i := range Formats {
		f.Add(buf.Bytes(), i)
	}
	f.Fuzz(func(t *testing.T, data []byte, format int) {
		if format < 0 || format >= len(Formats) {
			return
		}
		dir := t.TempDir()
		file, out := filepath.Join(dir, "archive"), filepath.Join(dir, "out")
		if os.WriteFile(file, data, 0o600) != nil || os.Mkdir(out, 0o700) != nil {
			t.Fatal("no room")
		}
		x := &fetcher{Order: &Order{Archive: Formats[format], Name: "x", Limits: Limits{UnpackBytes: 1 << 20, UnpackFiles: 100}}}
		_ = x.unpack(t.Context(), file, out)
		names, err := os.ReadDir(dir)
		if err != nil || len(names) != 2 {
			t.Fatalf("there are %v beside it, %v", names, err)
		}
		if n := sizeOf(out); n > 1<<20 {
			t.Errorf("%d bytes were written", n)
		}
	})
}

// FuzzSums: any file of checksums gives a checksum or an error.
func FuzzSums(f *testing.F) {
	f.Add([]byte("d41d8cd98f00b204e9800998ecf8427e  x\n"), "x")
	f.Add([]byte("MD5 (x) = d41d8cd98f00b204e9800998ecf8427e"), "x")
	f.Fuzz(func(t *testing.T, data []byte, name string) {
		if s, err := findSum(bytes.NewReader(data), name); err == nil && sums[s.Type] == nil {
			t.Errorf("a checksum of type %q", s.Type)
		}
	})
}
