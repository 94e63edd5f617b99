package image

import (
	"archive/tar"
	"bytes"
	"errors"
	"runtime"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/klauspost/compress/zstd"
)

// paddedTar is an archive with n bytes of zeros behind its end.
func paddedTar(t *testing.T, n int) []byte {
	t.Helper()
	return append(tarOf(t, reg("f", "x")), make([]byte, n)...)
}

// headersAlone is an archive of n global headers, which are no files.
func headersAlone(t *testing.T, n int) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for range n {
		must(t, w.WriteHeader(&tar.Header{Typeflag: tar.TypeXGlobalHeader, Name: "g", PAXRecords: map[string]string{"comment": strings.Repeat("x", 5000)}}))
	}
	must(t, w.Close())
	return b.Bytes()
}

// Layers of little that unpack to much: as a file, behind the end of the archive, in headers, and by what the compression says it needs. The store takes
// no more memory and room than its limits.
func TestEscapeBombs(t *testing.T) {
	zip, err := zstd.NewWriter(nil)
	must(t, err)
	defer zip.Close()
	squeeze := map[string]func([]byte) []byte{"gzip": func(b []byte) []byte { return gzipped(t, b) }, "zstd": func(b []byte) []byte { return zip.EncodeAll(b, nil) }}
	layers := map[string]v1.Layer{
		// A frame of one block whose window is a gigabyte. Format: RFC 8878, 3.1.1.1.
		"window": sent([]byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa0, 0x09, 0x00, 0x00, 'x'}, []byte("x")),
	}
	for how, f := range squeeze {
		for what, plain := range map[string][]byte{
			"file": tarOf(t, reg("f", string(make([]byte, 32<<20)))), "behind the end": paddedTar(t, 32<<20), "headers": headersAlone(t, 6000),
		} {
			layers[how+" "+what] = sent(f(plain), plain)
		}
		// A layer that is compressed twice is no archive.
		plain := tarOf(t, reg("f", "x"))
		layers[how+" twice"] = sent(f(f(plain)), f(plain))
	}
	h := newHub(t)
	for what, l := range layers {
		ref := h.push(imageOf(t, l), "bomb:1")
		s := openStore(t, t.TempDir(), Options{Limits: Limits{Layer: mib, Files: 100}})
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := s.Acquire(t.Context(), "o", Request{Ref: ref}, nil)
		runtime.ReadMemStats(&after)
		if bomb := !strings.HasSuffix(what, "twice") && what != "window"; err == nil || bomb && !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v", what, err)
		}
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 256<<20 {
			t.Errorf("%s: it took %d MiB of memory", what, grown>>20)
		}
		idle(t, s)
	}
}
