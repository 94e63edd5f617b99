package image

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// fileTree gives the files of an OCI layout or of an archive by their name. What
// is no plain file is not there.
type fileTree interface {
	open(name string) (rc io.ReadCloser, size int64, err error)
	close()
}

// openFile finds the image in a layout directory or an archive beneath the
// request's LoadRoot.
func openFile(r *request, limits Limits) (*source, error) {
	root, err := os.OpenRoot(r.LoadRoot)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", r.Load, err)
	}
	defer root.Close()
	name := filepath.Clean(strings.TrimLeft(r.Load, "/"))
	// Neither waits for a FIFO to be written to.
	f, err := root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, loadError(r.Load, err)
	}
	st, err := f.Stat()
	var files fileTree
	switch {
	case err != nil:
	case st.IsDir():
		f.Close()
		var dir *os.Root
		if dir, err = root.OpenRoot(name); err == nil {
			files = dirTree{dir}
		}
	case st.Mode().IsRegular():
		files, err = openArchive(f, limits)
	default:
		err = fmt.Errorf("it is neither a file nor a directory: %w", ErrInvalid)
	}
	if err != nil {
		f.Close()
		return nil, loadError(r.Load, err)
	}
	src, err := findIn(files, r, limits)
	if err != nil {
		files.close()
		return nil, err
	}
	return src, nil
}

func loadError(name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		err = kind(ErrNotFound, err)
	}
	return fmt.Errorf("load %s: %w", name, err)
}

// findIn looks for the image in either format. An archive may have both; the one
// that says which manifests there are is taken.
func findIn(files fileTree, r *request, limits Limits) (*source, error) {
	if index, err := readFile(files, "index.json", limits.Manifest); err == nil {
		return fromLayout(files, index, r, limits)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	list, err := readFile(files, "manifest.json", limits.Manifest)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s has neither an index.json nor a manifest.json: it is no OCI layout and was not made by docker save: %w", r.Load, ErrInvalid)
	}
	if err != nil {
		return nil, err
	}
	return fromSave(files, list, r, limits)
}

func readFile(files fileTree, name string, limit int64) ([]byte, error) {
	rc, size, err := files.open(name)
	if err != nil {
		return nil, err
	}
	defer rc.Close()
	b, err := io.ReadAll(io.LimitReader(rc, limit+1))
	if err == nil && (size > limit || int64(len(b)) > limit) {
		err = fmt.Errorf("%s is larger than the limit of %d bytes: %w", name, limit, ErrTooLarge)
	}
	return b, err
}

// The annotations by which an OCI layout names its images.
const (
	annotationRef  = "org.opencontainers.image.ref.name"
	annotationName = "io.containerd.image.name"
)

// fromLayout picks the image of an OCI layout.
func fromLayout(files fileTree, index []byte, r *request, limits Limits) (*source, error) {
	m, err := parseManifest(index)
	if err != nil {
		return nil, fmt.Errorf("index.json: %w", err)
	}
	var found []descriptor
	var names []string
	for _, d := range m.Manifests {
		tag, full := d.Annotations[annotationRef], d.Annotations[annotationName]
		if r.Ref == "" || sameName(r.Ref, tag) || sameName(r.Ref, full) || d.Digest == r.Ref || hasTag(r.Ref, tag) {
			found = append(found, d)
		}
		names = append(names, tag)
	}
	if len(found) == 0 && oneImage(m.Manifests) {
		found = m.Manifests
	}
	if len(found) == 0 {
		return nil, notInside(r, names)
	}
	chosen := found[0]
	if len(found) > 1 {
		if chosen, err = r.platform.choose(found); err != nil {
			return nil, err
		}
	}
	d, err := parseDigest(chosen.Digest)
	if err != nil {
		return nil, err
	}
	from := layoutBlobs{files}
	raw, err := from.manifest(context.Background(), d, limits.Manifest)
	if err != nil {
		return nil, err
	}
	if err := checkBytes("manifest", raw, d, chosen.Size, limits.Manifest); err != nil {
		return nil, err
	}
	return resolve(context.Background(), from, r.name, raw, r.platform, limits)
}

// oneImage is whether a layout without names has one image: a single manifest, or one for each of several platforms.
func oneImage(all []descriptor) bool {
	return !slices.ContainsFunc(all, func(d descriptor) bool {
		return d.Annotations[annotationRef] != "" || len(all) > 1 && d.Platform == nil
	})
}

// layoutBlobs are the blobs of an OCI layout.
type layoutBlobs struct{ fileTree }

func (l layoutBlobs) blob(_ context.Context, d digest, _ int64) (io.ReadCloser, error) {
	rc, _, err := l.open("blobs/sha256/" + string(d))
	if err != nil {
		return nil, fmt.Errorf("blob %s: %w", d, kind(ErrCorrupt, err))
	}
	return rc, nil
}

func (l layoutBlobs) manifest(_ context.Context, d digest, limit int64) ([]byte, error) {
	return readFile(l.fileTree, "blobs/sha256/"+string(d), limit)
}

// saved is one image of an archive by docker save.
type saved struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// fromSave picks the image of an archive by docker save. Such archives do not
// tell the digest of the configuration; it is what it is. Layers are checked by it.
func fromSave(files fileTree, list []byte, r *request, limits Limits) (*source, error) {
	images, err := parseSave(list)
	if err != nil {
		return nil, err
	}
	var found *saved
	var names []string
	for i, s := range images {
		names = append(names, s.RepoTags...)
		for _, tag := range s.RepoTags {
			if sameName(r.Ref, tag) {
				found = &images[i]
			}
		}
	}
	if found == nil && (r.Ref == "" || len(names) == 0) && len(images) == 1 {
		found = &images[0]
	}
	if found == nil {
		return nil, notInside(r, names)
	}
	raw, err := readFile(files, found.Config, limits.Manifest)
	if err != nil {
		return nil, fmt.Errorf("configuration %.200q: %w", found.Config, kind(ErrCorrupt, err))
	}
	s := &source{blobs: layoutBlobs{files}, ref: r.name, config: digestOf(raw)}
	ids, err := s.read(raw, r.platform, limits)
	if err != nil {
		return nil, err
	}
	if len(ids) != len(found.Layers) {
		return nil, fmt.Errorf("manifest.json has %d layers and the configuration %d: %w", len(found.Layers), len(ids), ErrCorrupt)
	}
	for i, name := range found.Layers {
		s.layers = append(s.layers, layerSource{diffID: ids[i], size: -1, open: func(context.Context) (io.ReadCloser, error) {
			rc, _, err := files.open(name)
			if err != nil {
				return nil, fmt.Errorf("layer %.200q: %w", name, kind(ErrCorrupt, err))
			}
			return rc, nil
		}})
	}
	return s, nil
}

func parseSave(b []byte) ([]saved, error) {
	var images []saved
	if err := json.Unmarshal(b, &images); err != nil {
		return nil, fmt.Errorf("manifest.json is not that of docker save: %w: %w", ErrInvalid, err)
	}
	return images, nil
}

// sameName compares two references, one of which a stranger wrote.
func sameName(asked, inside string) bool {
	a, err := parseReference(asked)
	if err != nil {
		return false
	}
	b, err := parseReference(inside)
	return err == nil && a.Name() == b.Name()
}

// hasTag is whether a reference ends in a tag: layouts often keep the tag alone.
func hasTag(asked, tag string) bool {
	a, err := parseReference(asked)
	return err == nil && tag != "" && a.Identifier() == tag
}

func notInside(r *request, names []string) error {
	const shown = 10
	if len(names) > shown {
		names = append(names[:shown:shown], "…")
	}
	return fmt.Errorf("%.200q is not in %s, which has %.500q: name one of them: %w", r.Ref, r.Load, names, ErrNotFound)
}

// dirTree is a directory.
type dirTree struct{ *os.Root }

func (d dirTree) close() { d.Root.Close() }

func (d dirTree) open(name string) (io.ReadCloser, int64, error) {
	f, err := d.OpenFile(filepath.Clean(name), os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, 0, err
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = fmt.Errorf("%.200q is not a file: %w", name, ErrInvalid)
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, st.Size(), nil
}

// archiveTree is a tar archive whose files are found by where they begin.
type archiveTree struct {
	file  *os.File
	files map[string]extent
	links map[string]string
}

type extent struct{ at, size int64 }

// maxArchiveFiles is far above what images have: a few files a layer.
const maxArchiveFiles = 10_000

// openArchive finds the files of an archive, without reading them.
func openArchive(f *os.File, limits Limits) (*archiveTree, error) {
	var head [4]byte
	if _, err := f.ReadAt(head[:], 0); err == nil && (head[0] == 0x1f && head[1] == 0x8b || head == [4]byte{0x28, 0xb5, 0x2f, 0xfd}) {
		return nil, fmt.Errorf("the archive is compressed: decompress it first: %w", ErrInvalid)
	}
	a := &archiveTree{file: f, files: map[string]extent{}, links: map[string]string{}}
	r := tar.NewReader(f)
	for n := 0; ; n++ {
		h, err := r.Next()
		if err == io.EOF {
			return a, nil
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			return nil, fmt.Errorf("it is no tar archive, or a broken one: %w: %w", ErrInvalid, err)
		}
		if n >= maxArchiveFiles {
			return nil, fmt.Errorf("the archive has more than %d files: %w", maxArchiveFiles, ErrTooLarge)
		}
		p, err := entryPath(h.Name)
		if err != nil {
			return nil, err
		}
		switch h.Typeflag {
		case tar.TypeReg:
			// The reader reads whole blocks and nothing ahead: the content begins where the file is now.
			at, err := f.Seek(0, io.SeekCurrent)
			if err != nil {
				return nil, err
			}
			if h.Size > limits.Layer || len(h.PAXRecords) > 0 && h.PAXRecords["GNU.sparse.major"] != "" {
				return nil, fmt.Errorf("%.200q in the archive is too large, or sparse: %w", h.Name, ErrTooLarge)
			}
			a.files[p] = extent{at, h.Size}
		case tar.TypeSymlink, tar.TypeLink:
			// Older versions of docker link layers that occur twice.
			target := h.Linkname
			if h.Typeflag == tar.TypeSymlink {
				target = path.Join(path.Dir(p), target)
			}
			a.links[p] = path.Clean(target)
		}
	}
}

func (a *archiveTree) close() { a.file.Close() }

func (a *archiveTree) open(name string) (io.ReadCloser, int64, error) {
	name = path.Clean(name)
	if to, ok := a.links[name]; ok {
		name = to
	}
	e, ok := a.files[name]
	if !ok {
		return nil, 0, fmt.Errorf("%.200q is not in the archive: %w", name, fs.ErrNotExist)
	}
	return io.NopCloser(io.NewSectionReader(a.file, e.at, e.size)), e.size, nil
}
