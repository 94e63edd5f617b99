package fetch

import (
	"archive/tar"
	"bufio"
	"compress/bzip2"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// maxWindow bounds the memory that an xz or zstd archive can ask for.
const maxWindow = 128 << 20

// Formats lists the archives that are unpacked, by the ends of their names.
var Formats = []string{
	"tar.gz", "tgz", "tar.bz2", "tbz2", "tar.xz", "txz", "tar.zst", "tzst", "tar", "zip", "gz", "bz2", "xz", "zst",
}

// FormatOf tells the format of a file by its name; empty when it is no archive.
func FormatOf(name string) string {
	for _, f := range Formats {
		if strings.HasSuffix(strings.ToLower(name), "."+f) {
			return f
		}
	}
	return ""
}

// unpack writes what is in an archive to a directory.
func (f *fetcher) unpack(ctx context.Context, file, dir string) error {
	from, err := os.Open(file)
	if err != nil {
		return err
	}
	defer from.Close()
	t, err := f.newTree(dir)
	if err != nil {
		return err
	}
	defer t.root.Close()
	if f.Archive == "zip" {
		return t.zip(ctx, from)
	}
	plain, done, err := decompress(&withContext{ctx, from}, f.Archive)
	if err != nil {
		return err
	}
	defer done()
	switch f.Archive {
	case "gz", "bz2", "xz", "zst":
		return t.file(f.plainName(), 0o644, plain)
	}
	return t.tar(ctx, tar.NewReader(plain))
}

// plainName is the name of a file without the end that says how it is packed.
func (f *fetcher) plainName() string {
	end := "." + f.Archive
	if n := len(f.Name) - len(end); n > 0 && strings.EqualFold(f.Name[n:], end) {
		return f.Name[:n]
	}
	return f.Name
}

// decompress undoes the compression of a format; done frees what it took.
func decompress(r io.Reader, format string) (plain io.Reader, done func(), err error) {
	done = func() {}
	switch format {
	case "gz", "tar.gz", "tgz":
		plain, err = gzip.NewReader(r)
	case "bz2", "tar.bz2", "tbz2":
		plain = bzip2.NewReader(bufio.NewReader(r))
	case "xz", "tar.xz", "txz":
		plain, err = xz.ReaderConfig{DictCap: maxWindow}.NewReader(bufio.NewReader(r))
	case "zst", "tar.zst", "tzst":
		var d *zstd.Decoder
		d, err = zstd.NewReader(r, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderConcurrency(1))
		if err == nil {
			plain, done = d, d.Close
		}
	case "tar":
		plain = r
	default:
		err = invalid("archive %q is not known: use one of %s, or false", format, strings.Join(Formats, ", "))
	}
	if err != nil {
		return nil, nil, broken(err)
	}
	return plain, done, nil
}

// broken tells that an archive cannot be read; what is already told is kept.
func broken(err error) error {
	if _, ok := errors.AsType[*failure](err); ok {
		return err
	}
	if _, ok := errors.AsType[*os.PathError](err); ok {
		return err // of the disk, not of the archive
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("the archive cannot be read: %w", err)
}

// withContext is a reader that ends with a context.
type withContext struct {
	ctx  context.Context
	from io.Reader
}

func (r *withContext) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.from.Read(p)
}
