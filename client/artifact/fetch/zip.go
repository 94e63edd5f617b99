package fetch

import (
	"archive/zip"
	"context"
	"io"
	"io/fs"
	"os"
)

// maxTarget is the longest target of a link.
const maxTarget = 4096

// zip unpacks a zip file.
func (t *tree) zip(ctx context.Context, from *os.File) error {
	st, err := from.Stat()
	if err != nil {
		return err
	}
	// Names that lead out are told by enter, with the rest.
	in, err := zip.NewReader(from, st.Size())
	if err != nil && in == nil {
		return broken(err)
	}
	for _, entry := range in.File {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := t.zipEntry(ctx, entry); err != nil {
			return err
		}
	}
	return t.finish()
}

func (t *tree) zipEntry(ctx context.Context, entry *zip.File) error {
	name, err := t.enter(entry.Name)
	if err != nil {
		return err
	}
	mode := entry.Mode()
	if mode.IsDir() {
		return t.dir(name, mode)
	}
	if kind := mode.Type(); kind != 0 && kind != fs.ModeSymlink {
		return denied("the archive has %.200q, which is neither file, directory nor link", name)
	}
	content, err := entry.Open()
	if err != nil {
		return broken(err)
	}
	defer content.Close()
	if mode&fs.ModeSymlink != 0 {
		target, err := io.ReadAll(io.LimitReader(content, maxTarget))
		if err != nil {
			return broken(err)
		}
		return t.link(name, string(target))
	}
	return t.file(name, mode, &withContext{ctx, content})
}
