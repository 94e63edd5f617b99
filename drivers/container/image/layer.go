package image

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"
)

const (
	layerTree   = "fs"
	layerFile   = "layer.json"
	layerSynced = "synced"
)

// layerRecord is what is kept about an unpacked layer.
type layerRecord struct {
	// Size is what its files have in them, Files how many entries it had.
	Size, Files int64
	// Opaque: it hides all layers below.
	Opaque bool `json:",omitempty"`
	// Boot is the run of the kernel that wrote it.
	Boot string
}

// layer looks for an unpacked layer.
func (s *Store) layer(d digest) (r layerRecord, found bool, err error) {
	found, err = readRecord(s.path(layersDir, string(d), layerFile), &r)
	return r, found, err
}

// ensureLayer unpacks a layer, unless it is there or somebody else is at it.
func (s *Store) ensureLayer(ctx context.Context, l layerSource, b *budget, watch func(*meter)) (layerRecord, error) {
	for {
		if r, found, err := s.layer(l.diffID); found || err != nil {
			if err == nil {
				err = b.take(r.Size, r.Files)
			}
			return r, err
		}
		r, joined, leave, err := s.layers.do(ctx, l.diffID, watch, func(ctx context.Context, m *meter) (layerRecord, error) {
			return s.makeLayer(ctx, l, b.forLayer(ctx), m)
		})
		leave()
		switch {
		case joined && err == nil:
			return r, b.take(r.Size, r.Files)
		case joined && ctx.Err() == nil:
			// The other's way to it may have been barred, or its image beyond the limits; ours need not be.
			continue
		case err != nil:
			return r, fmt.Errorf("layer %s: %w", l.diffID, err)
		}
		return r, nil
	}
}

// makeLayer unpacks a layer and gives it its name.
func (s *Store) makeLayer(ctx context.Context, l layerSource, b *budget, m *meter) (r layerRecord, err error) {
	// Other processes may be at the same layer. Few locks serve for all layers, so that the files of them need not be removed.
	lock, err := takeLock(ctx, s.path(locksDir, string(l.diffID[:3])))
	if err != nil {
		return r, err
	}
	defer lock.release()
	if r, found, err := s.layer(l.diffID); found || err != nil {
		if err == nil {
			err = b.take(r.Size, r.Files)
		}
		return r, err
	}
	if err := b.room(max(l.size, 0)); err != nil {
		return r, err
	}
	w, err := s.newSession(ctx)
	defer w.end()
	if err != nil {
		return r, err
	}
	if r, err = s.unpackLayer(ctx, w.dir, l, b, m); err != nil {
		return r, err
	}
	return r, s.locked(ctx, func() error {
		return os.Rename(filepath.Join(w.dir, "layer"), s.path(layersDir, string(l.diffID)))
	})
}

// unpackLayer makes the directory of a layer in dir.
func (s *Store) unpackLayer(ctx context.Context, dir string, l layerSource, b *budget, m *meter) (r layerRecord, err error) {
	made, trash := filepath.Join(dir, "layer"), filepath.Join(dir, "trash")
	for _, d := range []string{made, filepath.Join(made, layerTree), trash} {
		if err := os.Mkdir(d, 0o700); err != nil {
			return r, diskKind(err)
		}
	}
	if err := os.Chmod(filepath.Join(made, layerTree), 0o755); err != nil { // the task's root, when the layer does not say
		return r, err
	}
	t, err := openTree(filepath.Join(made, layerTree), trash)
	if err != nil {
		return r, err
	}
	defer t.close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	rc, err := l.open(ctx)
	if err != nil {
		return r, err
	}
	defer rc.Close()
	m.total.Store(max(l.size, 0))
	if r.Opaque, err = unpackBlob(m.count(rc), cancel, l.diffID, t, b); err != nil {
		return r, err
	}
	r.Size, r.Files, r.Boot = b.layer.size.Load(), b.layer.files.Load(), s.boot
	return r, writeRecord(filepath.Join(made, layerFile), r)
}

// unpackBlob unpacks a layer as it comes, and checks what came at its ends: the
// blob's digest and size, which r itself checks, and the diff ID. cancel ends what
// r waits for.
func unpackBlob(r io.Reader, cancel func(), diffID digest, t *tree, b *budget) (opaque bool, err error) {
	blob := bufio.NewReaderSize(r, mib)
	plain, err := decompress(blob)
	if err != nil {
		return false, err
	}
	ahead := newAhead(plain)
	content := checked(ahead, "layer", diffID, -1, b.limits.Layer)
	opaque, err = unpackTar(content, t, b)
	if err == nil {
		err = drain(content)
	}
	if err != nil {
		cancel()
	}
	ahead.stop()
	plain.Close()
	if err == nil {
		err = drain(blob)
	}
	return opaque, err
}

// decompress tells by the first bytes how a layer is compressed; what its media type says is not always so.
func decompress(r *bufio.Reader) (io.ReadCloser, error) {
	head, err := r.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, fmt.Errorf("gzip: %w", err)
		}
		return z, nil
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}), len(head) == 4 && head[0]&0xf0 == 0x50 && bytes.Equal(head[1:], []byte{0x2a, 0x4d, 0x18}):
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(128*mib), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, fmt.Errorf("zstd: %w", err)
		}
		return z.IOReadCloser(), nil
	case bytes.HasPrefix(head, []byte{'B', 'Z', 'h'}), bytes.HasPrefix(head, []byte{0xfd, '7', 'z', 'X'}):
		return nil, fmt.Errorf("the layer is compressed with bzip2 or xz, which images do not use: push it with gzip or zstd: %w", ErrInvalid)
	}
	return io.NopCloser(r), nil
}

// syncLayers sees that layers survive a loss of power, and marks them so. Until
// then a reboot makes the store take them for lost.
func (s *Store) syncLayers(layers []digest) error {
	dir, err := os.Open(s.path(layersDir))
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := unix.Syncfs(int(dir.Fd())); err != nil {
		return os.NewSyscallError("syncfs", err)
	}
	for _, d := range layers {
		err := os.WriteFile(s.path(layersDir, string(d), layerSynced), nil, 0o600)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// dropUnsynced removes layers that an earlier run of the kernel may not have
// written to the disk. The store must be locked.
func (s *Store) dropUnsynced() error {
	entries, err := os.ReadDir(s.path(layersDir))
	if err != nil {
		return err
	}
	for _, e := range entries {
		dir := s.path(layersDir, e.Name())
		var r layerRecord
		found, err := readRecord(filepath.Join(dir, layerFile), &r)
		if err != nil {
			return err
		}
		if found && r.Boot == s.boot && s.boot != "" {
			continue
		}
		if _, err := os.Lstat(filepath.Join(dir, layerSynced)); found && err == nil {
			continue
		}
		s.logger.Info("image layer may not be whole after a reboot, it is fetched anew when needed", "layer", e.Name())
		// The record goes first: what is left of an interrupted removal is no layer.
		if err := os.RemoveAll(filepath.Join(dir, layerFile)); err != nil {
			return err
		}
		if err := removeTree(dir); err != nil {
			return err
		}
	}
	return nil
}
