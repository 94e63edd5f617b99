package image

import (
	"bytes"
	"context"
	"fmt"
	"io"
)

// maxNesting is how many indexes may lead to a manifest.
const maxNesting = 3

// blobs is where the parts of an image come from. What it gives is not yet
// checked, except where it says so.
type blobs interface {
	// blob opens a blob; size is what its descriptor tells, -1 when none does.
	blob(ctx context.Context, d digest, size int64) (io.ReadCloser, error)
	// manifest gives a manifest by digest, at most limit+1 bytes of it.
	manifest(ctx context.Context, d digest, limit int64) ([]byte, error)
	close()
}

// source is an image that has been found, and where its layers come from.
type source struct {
	blobs
	ref      string
	manifest digest
	config   digest
	platform platform
	file     *configFile
	layers   []layerSource
}

// layerSource is where one layer comes from. Its digest and size are those of
// the blob; an archive may not tell them, and then they are empty and -1.
type layerSource struct {
	diffID digest
	size   int64
	open   func(ctx context.Context) (io.ReadCloser, error)
}

// resolve goes from a manifest or an index to the image in it for a platform.
func resolve(ctx context.Context, from blobs, ref string, raw []byte, want platform, limits Limits) (*source, error) {
	for range maxNesting {
		m, err := parseManifest(raw)
		if err != nil {
			return nil, err
		}
		if m.Manifests == nil {
			return fromManifest(ctx, from, ref, digestOf(raw), m, want, limits)
		}
		chosen, err := want.choose(m.Manifests)
		if err != nil {
			return nil, err
		}
		d, err := parseDigest(chosen.Digest)
		if err != nil {
			return nil, err
		}
		if raw, err = from.manifest(ctx, d, limits.Manifest); err != nil {
			return nil, err
		}
		if err := checkBytes("manifest", raw, d, chosen.Size, limits.Manifest); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("indexes within indexes, more than %d deep: %w", maxNesting, ErrHostile)
}

func fromManifest(ctx context.Context, from blobs, ref string, id digest, m *manifest, want platform, limits Limits) (*source, error) {
	config, err := parseDigest(m.Config.Digest)
	if err != nil {
		return nil, err
	}
	raw, err := readBlob(ctx, from, "configuration", config, m.Config.Size, limits.Manifest)
	if err != nil {
		return nil, err
	}
	s := &source{blobs: from, ref: ref, manifest: id, config: config}
	ids, err := s.read(raw, want, limits)
	if err != nil {
		return nil, err
	}
	if len(ids) != len(m.Layers) {
		return nil, fmt.Errorf("the manifest has %d layers and the configuration %d: %w", len(m.Layers), len(ids), ErrCorrupt)
	}
	for i, l := range m.Layers {
		d, err := parseDigest(l.Digest)
		if err != nil {
			return nil, err
		}
		if l.Size < 0 || l.Size > limits.Layer {
			return nil, fmt.Errorf("layer %s of %d bytes: the limit is %d: %w", d, l.Size, limits.Layer, ErrTooLarge)
		}
		s.layers = append(s.layers, layerSource{diffID: ids[i], size: l.Size, open: func(ctx context.Context) (io.ReadCloser, error) {
			rc, err := from.blob(ctx, d, l.Size)
			if err != nil {
				return nil, err
			}
			return readCloser{checked(rc, "layer", d, l.Size, limits.Layer), rc}, nil
		}})
	}
	return s, nil
}

// read takes in the configuration, and refuses an image for another platform.
func (s *source) read(raw []byte, want platform, limits Limits) ([]digest, error) {
	file, ids, err := parseConfig(raw, limits)
	if err != nil {
		return nil, err
	}
	s.file = file
	s.platform = platform{OS: file.OS, Architecture: file.Architecture, Variant: file.Variant}.normal()
	if s.platform.OS == "" && s.platform.Architecture == "" {
		s.platform = want // made by hand, from nothing: it is what it is
	}
	if !want.runs(s.platform) {
		return nil, want.missing([]string{s.platform.String()})
	}
	return ids, nil
}

type readCloser struct {
	io.Reader
	io.Closer
}

// readBlob reads a small blob and checks it.
func readBlob(ctx context.Context, from blobs, what string, d digest, size, limit int64) ([]byte, error) {
	if size > limit {
		return nil, fmt.Errorf("%s %s of %d bytes: the limit is %d: %w", what, d, size, limit, ErrTooLarge)
	}
	rc, err := from.blob(ctx, d, size)
	if err != nil {
		return nil, err
	}
	defer rc.Close()
	b, err := io.ReadAll(checked(rc, what, d, size, limit))
	if err != nil {
		return nil, err
	}
	return b, nil
}

// checkBytes is checked for what is in memory.
func checkBytes(what string, b []byte, d digest, size, limit int64) error {
	return drain(checked(bytes.NewReader(b), what, d, size, limit))
}
