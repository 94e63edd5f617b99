package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// imageRecord is what is kept about an image.
type imageRecord struct {
	ID       digest
	Manifest digest
	Platform string
	Config   Config
	Layers   []digest
	Size     int64
}

// nameRecord is what a reference meant when it was last asked for.
type nameRecord struct {
	Ref   string
	Image digest
	At    time.Time
}

const (
	maxOwner = 1024
	// progressEvery is how often an Acquire tells how far it is.
	progressEvery = 500 * time.Millisecond
	// acquireTries is how often an image is looked for again when it is collected just between being found and being held.
	acquireTries = 3
)

// Acquire gives the image that is asked for, fetching what the node does not
// have, and keeps it for owner until Release. Calls for the same thing at the
// same time share the work, and each ends with its own context. progress, when
// not nil, is called now and then by one goroutine until Acquire returns.
//
// An owner has one image; to acquire another gives up the one before. An image
// that is on the node already can be had without logging in to its registry,
// unless ForcePull is set.
func (s *Store) Acquire(ctx context.Context, owner string, req Request, progress func(Progress)) (*Image, error) {
	if owner == "" || len(owner) > maxOwner {
		return nil, fmt.Errorf("acquire an image: an owner has 1 to %d characters: %w", maxOwner, ErrInvalid)
	}
	r, err := s.remote.check(req)
	if err != nil {
		return nil, err
	}
	for range acquireTries {
		image, leave, err2 := s.find(ctx, r, progress)
		if err = err2; err == nil {
			err = s.hold(ctx, owner, image)
		}
		leave()
		if err == nil {
			return image, nil
		}
		if !errors.Is(err, errCollected) {
			break
		}
	}
	return nil, fmt.Errorf("image %s: %w", r.name, err)
}

// pulled is an image in the store, and the work that keeps it there until all
// who waited for it hold it.
type pulled struct {
	image *Image
	work  *session
}

// find gives the image from the store, or brings it there. leave is to be called
// when it is held, or not needed; it is never nil.
func (s *Store) find(ctx context.Context, r *request, progress func(Progress)) (image *Image, leave func(), err error) {
	if !r.ask {
		if image, found, err := s.named(ctx, r); found || err != nil {
			return image, func() {}, err
		}
	}
	stop := func(bool) {}
	p, _, leave, err := s.images.do(ctx, r.key(), func(m *meter) { stop = report(m, progress) }, func(ctx context.Context, m *meter) (pulled, error) {
		return s.pull(ctx, r, m)
	})
	stop(err == nil)
	if err != nil {
		return nil, leave, err
	}
	own := *p.image
	own.Ref = r.name
	return &own, leave, nil
}

// report calls progress until the returned function is called with whether all is there.
func report(m *meter, progress func(Progress)) (stop func(done bool)) {
	if progress == nil {
		return func(bool) {}
	}
	quit, done := make(chan bool, 1), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(progressEvery)
		defer tick.Stop()
		last := Progress{}
		for {
			if now := m.progress(); now != last {
				last = now
				progress(now)
			}
			select {
			case <-tick.C:
			case all := <-quit:
				if now := m.progress(); all {
					now.Phase = PhaseDone
					progress(now)
				}
				return
			}
		}
	}()
	return func(all bool) { quit <- all; <-done }
}

// named looks in the store for what the reference meant last, whole.
func (s *Store) named(ctx context.Context, r *request) (image *Image, found bool, err error) {
	err = s.locked(ctx, func() error {
		var n nameRecord
		if ok, err := readRecord(s.path(namesDir, r.nameKey()), &n); !ok || err != nil {
			return err
		}
		image, err = s.load(n.Image, r.name)
		if errors.Is(err, errCollected) {
			return nil
		}
		found = err == nil
		return err
	})
	return image, found, err
}

// errCollected: not all of the image is in the store any more.
var errCollected = errors.New("the image was collected")

// load reads an image of the store. The store must be locked.
func (s *Store) load(id digest, ref string) (*Image, error) {
	var r imageRecord
	found, err := readRecord(s.path(imagesDir, string(id)+".json"), &r)
	if err != nil {
		return nil, err
	}
	if !found || r.ID != id {
		return nil, errCollected
	}
	image := &Image{ID: id.String(), ManifestDigest: r.Manifest.String(), Ref: ref, Platform: r.Platform, Config: r.Config, Size: r.Size}
	for _, d := range r.Layers {
		if _, err := os.Lstat(s.path(layersDir, string(d), layerFile)); errors.Is(err, fs.ErrNotExist) {
			return nil, errCollected
		} else if err != nil {
			return nil, err
		}
		image.Layers = append(image.Layers, s.path(layersDir, string(d), layerTree))
	}
	return image, nil
}

// pull brings an image into the store.
func (s *Store) pull(ctx context.Context, r *request, m *meter) (p pulled, err error) {
	src, err := s.open(ctx, r)
	if err != nil {
		return p, err
	}
	defer src.close()
	w, err := s.newSession(ctx)
	defer func() {
		if err != nil {
			w.end()
		}
	}()
	if err != nil {
		return p, err
	}
	image, err := s.pullInto(ctx, w, src, r, m)
	return pulled{image, w}, err
}

// pullInto brings the layers of an image and then the image itself into the store.
func (s *Store) pullInto(ctx context.Context, w *session, src *source, r *request, m *meter) (*Image, error) {
	record := imageRecord{ID: src.config, Manifest: src.manifest, Platform: src.platform.String(), Config: src.file.ours()}
	var ids []digest
	for _, l := range src.layers {
		ids = append(ids, l.diffID)
	}
	if err := s.pin(ctx, w, src.config, ids); err != nil {
		return nil, err
	}
	records, err := s.pullLayers(ctx, src.layers, m)
	if err != nil {
		return nil, err
	}
	for i, l := range records {
		if l.Opaque {
			record.Layers = nil // nothing below it shows
		}
		record.Layers = append(record.Layers, ids[i])
		record.Size += l.Size
	}
	s.background.Go(func() { s.settle(ids) })
	return s.save(ctx, r, record)
}

// open finds the image where the request says it is.
func (s *Store) open(ctx context.Context, r *request) (*source, error) {
	if r.Load != "" {
		return openFile(r, s.options.Limits)
	}
	return s.remote.open(ctx, r)
}

// pullLayers unpacks the layers, some at a time, and gives their records in order.
func (s *Store) pullLayers(ctx context.Context, layers []layerSource, m *meter) ([]layerRecord, error) {
	m.layers.Store(int64(len(layers)))
	records := make([]layerRecord, len(layers))
	b := &budget{limits: s.options.Limits, ctx: ctx, free: s.free, image: &totals{}}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(s.options.Parallel)
	for i, l := range layers {
		group.Go(func() (err error) {
			records[i], err = s.ensureLayer(ctx, l, b, m.part)
			m.ready.Add(1)
			return err
		})
	}
	return records, group.Wait()
}

// save gives the image its name.
func (s *Store) save(ctx context.Context, r *request, record imageRecord) (image *Image, err error) {
	return image, s.locked(ctx, func() error {
		if err := writeRecord(s.path(imagesDir, string(record.ID)+".json"), record); err != nil {
			return err
		}
		if r.Load == "" {
			name := nameRecord{Ref: r.name, Image: record.ID, At: time.Now()}
			if err := writeRecord(s.path(namesDir, r.nameKey()), name); err != nil {
				return err
			}
		}
		image, err = s.load(record.ID, r.name)
		return err
	})
}

// settle makes layers survive a loss of power. Nobody waits for it.
func (s *Store) settle(layers []digest) {
	layers = slices.DeleteFunc(slices.Clone(layers), func(d digest) bool {
		_, err := os.Lstat(s.path(layersDir, string(d), layerSynced))
		return err == nil
	})
	if len(layers) == 0 {
		return
	}
	if err := s.syncLayers(layers); err != nil {
		s.logger.Warn("image layers are not yet safe on the disk, a reboot would make the node fetch them anew", "err", err)
	}
}

// key tells requests that get the same answer by the same work.
func (r *request) key() string {
	b, _ := json.Marshal(r.Request) // nothing in there that cannot be written
	return string(digestOf(b))
}

// nameKey is the file name of the nameRecord.
func (r *request) nameKey() string {
	return string(digestOf([]byte(r.name+"\n"+r.platform.String()))) + ".json"
}
