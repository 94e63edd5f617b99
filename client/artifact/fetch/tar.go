package fetch

import (
	"archive/tar"
	"context"
	"errors"
	"io"
)

// tar unpacks a tar stream.
func (t *tree) tar(ctx context.Context, in *tar.Reader) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		head, err := in.Next()
		if errors.Is(err, io.EOF) {
			return t.finish()
		}
		if err != nil {
			return broken(err)
		}
		if err := t.tarEntry(head, in); err != nil {
			return err
		}
	}
}

func (t *tree) tarEntry(head *tar.Header, in io.Reader) error {
	if head.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	name, err := t.enter(head.Name)
	if err != nil {
		return err
	}
	mode := head.FileInfo().Mode()
	switch head.Typeflag {
	case tar.TypeDir:
		return t.dir(name, mode)
	case tar.TypeReg, tar.TypeGNUSparse:
		return t.file(name, mode, in)
	case tar.TypeSymlink:
		return t.link(name, head.Linkname)
	case tar.TypeLink:
		return t.copy(name, head.Linkname)
	case tar.TypeChar, tar.TypeBlock:
		return denied("the archive has a device %.200q, and artifacts have none", name)
	}
	return denied("the archive has %.200q, which is neither file, directory nor link", name)
}
