package fetch

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// choose takes what was asked for out of a directory that was unpacked or
// cloned, and makes it the result.
func (f *fetcher) choose(dir string) error {
	if f.Subdir != "" {
		var err error
		if dir, err = f.subdir(dir); err != nil {
			return err
		}
	}
	if f.Mode == ModeFile {
		return f.onlyFile(dir)
	}
	if dir == ResultDir {
		return nil
	}
	if st, err := os.Lstat(dir); err == nil && st.Mode().IsRegular() {
		f.single = path.Base(dir)
		return os.Rename(dir, path.Join(ResultDir, f.single))
	}
	if err := os.Remove(ResultDir); err != nil {
		return err
	}
	return os.Rename(dir, ResultDir)
}

// subdir walks into a directory; a link in the way is refused, for it could
// lead anywhere.
func (f *fetcher) subdir(dir string) (string, error) {
	if !filepath.IsLocal(f.Subdir) {
		return "", denied("the part %q of it leads out of it", f.Subdir)
	}
	for name := range strings.SplitSeq(path.Clean(f.Subdir), "/") {
		dir = path.Join(dir, name)
		st, err := os.Lstat(dir)
		if err != nil {
			return "", invalid("there is no %q in it", f.Subdir)
		}
		if st.Mode()&fs.ModeSymlink != 0 {
			return "", denied("the part %q of it goes through a link", f.Subdir)
		}
	}
	return dir, nil
}

// onlyFile makes the single file of a directory the result.
func (f *fetcher) onlyFile(dir string) error {
	found := ""
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil || d.IsDir():
			return err
		case !d.Type().IsRegular() || found != "":
			return invalid("it holds more than one file, and mode is \"file\": use mode \"dir\", or \"any\"")
		}
		found = name
		return nil
	})
	if err != nil {
		return err
	}
	if found == "" {
		return invalid("it holds no file, and mode is \"file\"")
	}
	f.single = path.Base(found)
	return os.Rename(found, path.Join(ResultDir, f.single))
}
