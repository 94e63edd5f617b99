package fetch

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// maxDepth is how deep a tree may be.
const maxDepth = 100

// tree is a directory that an archive is written to, with what it may still
// take. All names go through os.Root; that nothing is written through a link of
// the archive's own is looked at besides.
type tree struct {
	root     *os.Root
	bytes    int64 // left
	files    int   // left
	limits   Limits
	outside  bool            // links may lead out
	links    map[string]bool // that were made
	finished []directory     // that get their modes when all is written
}

type directory struct {
	name string
	mode fs.FileMode
}

func (f *fetcher) newTree(dir string) (*tree, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &tree{
		root: root, bytes: f.Limits.UnpackBytes, files: f.Limits.UnpackFiles, limits: f.Limits,
		outside: f.OutsideLinks, links: map[string]bool{},
	}, nil
}

// enter looks whether an archive may have one more entry of this name, and
// gives the name that it gets.
func (t *tree) enter(name string) (string, error) {
	if t.limits.UnpackFiles > 0 {
		if t.files--; t.files < 0 {
			return "", tooLarge("the archive has more than %d files, the limit of the agent's configuration (decompression_file_count_limit)", t.limits.UnpackFiles)
		}
	}
	slashed := strings.TrimRight(name, "/")
	if strings.ContainsRune(name, 0) || strings.Contains(name, `\`) || !filepath.IsLocal(slashed) && path.Clean(name) != "." {
		return "", denied("the archive has a file %.200q, which lies outside of it", name)
	}
	clean := path.Clean(name)
	if strings.Count(clean, "/") >= maxDepth {
		return "", denied("the archive has a file %.100q…, deeper than %d directories", clean, maxDepth)
	}
	for at, c := range clean {
		if c == '/' && t.links[clean[:at]] {
			return "", denied("the archive has a file %.200q behind a link of its own", clean)
		}
	}
	return clean, nil
}

// make room for something of this name: what an earlier entry made goes.
func (t *tree) vacate(name string) error {
	if name == "." {
		return denied("the archive has an entry without a name")
	}
	if err := t.parents(name); err != nil {
		return err
	}
	delete(t.links, name)
	st, err := t.root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if st.IsDir() {
		return invalid("the archive has both a directory and something else called %.200q", name)
	}
	return t.root.Remove(name)
}

func (t *tree) parents(name string) error {
	if dir := path.Dir(name); dir != "." {
		return t.root.MkdirAll(dir, 0o755)
	}
	return nil
}

func (t *tree) dir(name string, mode fs.FileMode) error {
	if name == "." {
		return nil
	}
	if t.links[name] {
		return denied("the archive has a directory %.200q in place of a link of its own", name)
	}
	t.finished = append(t.finished, directory{name, mode.Perm()})
	return t.root.MkdirAll(name, 0o755)
}

// file writes a regular file. Bits that would make it more than one are dropped.
func (t *tree) file(name string, mode fs.FileMode, from io.Reader) error {
	if err := t.vacate(name); err != nil {
		return err
	}
	to, err := t.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer to.Close()
	if t.limits.UnpackBytes > 0 {
		from = &cut{from: from, left: t.bytes, err: tooLarge(
			"the archive unpacks to more than %d bytes, the limit: the group's ephemeral_disk, or decompression_size_limit of the agent's configuration", t.limits.UnpackBytes)}
	}
	n, err := io.Copy(to, from)
	t.bytes -= n
	if err != nil {
		return broken(err)
	}
	if err := to.Chmod(mode.Perm()); err != nil {
		return err
	}
	return to.Close()
}

// link makes a symbolic link, when it stays within the archive.
func (t *tree) link(name, target string) error {
	if !t.outside && !Stays(name, target) {
		return denied("the archive has a link %.200q to %.200q, which leads out of it", name, target)
	}
	if err := t.vacate(name); err != nil {
		return err
	}
	t.links[name] = true
	return t.root.Symlink(target, name)
}

// copy stands in for a hard link to an earlier file of the archive.
func (t *tree) copy(name, target string) error {
	if !filepath.IsLocal(target) || path.Clean(target) == name {
		return denied("the archive has a link %.200q to %.200q, which leads out of it", name, target)
	}
	for at, c := range path.Clean(target) + "/" {
		if c == '/' && t.links[path.Clean(target)[:at]] {
			return denied("the archive has a hard link %.200q to what lies behind a link", name)
		}
	}
	from, err := t.root.Open(target)
	if err != nil {
		return invalid("the archive has a hard link %.200q to %.200q, which it does not have", name, target)
	}
	defer from.Close()
	st, err := from.Stat()
	if err != nil {
		return err
	}
	if !st.Mode().IsRegular() {
		return denied("the archive has a hard link %.200q to what is no file", name)
	}
	return t.file(name, st.Mode(), from)
}

// finish gives directories their modes, the deepest first; their owner can
// always go in.
func (t *tree) finish() error {
	for _, d := range slices.Backward(t.finished) {
		if err := t.root.Chmod(d.name, d.mode|0o700); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Stays says whether a link's target lies beneath the root that the link's name
// starts from, by its spelling. Behind a name ".." could lead anywhere, for that
// name may be a link itself.
func Stays(name, target string) bool {
	if target == "" || path.IsAbs(target) || strings.ContainsRune(target, 0) {
		return false
	}
	parts := strings.Split(target, "/")
	named := slices.IndexFunc(parts, func(p string) bool { return p != ".." && p != "." && p != "" })
	if named >= 0 && slices.Contains(parts[named:], "..") {
		return false
	}
	return filepath.IsLocal(path.Join(path.Dir(name), target))
}
