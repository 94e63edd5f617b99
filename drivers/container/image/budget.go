package image

import (
	"context"
	"fmt"
	"sync/atomic"
)

// spaceStep is after how many written bytes the disk is looked at again.
const spaceStep = 64 * mib

// budget is what the layers of one image may take, together and each. It is
// shared by those that are unpacked at the same time.
type budget struct {
	limits Limits
	ctx    context.Context //nolint:containedctx // a budget lives as long as one call
	free   func() (free, size int64, err error)

	image *totals
	layer totals

	written int64 // by this layer, since the disk was looked at
}

type totals struct{ size, files atomic.Int64 }

// forLayer is the budget of one layer of the same image.
func (b *budget) forLayer(ctx context.Context) *budget {
	return &budget{limits: b.limits, ctx: ctx, free: b.free, image: b.image}
}

// entry takes one more file, and notices a call that has ended.
func (b *budget) entry() error {
	if err := context.Cause(b.ctx); err != nil {
		return err
	}
	b.layer.files.Add(1)
	return b.take(0, 1)
}

// bytes takes the size of a file before it is written.
func (b *budget) bytes(n int64) error {
	if b.layer.size.Add(n) > b.limits.Layer {
		return fmt.Errorf("the layer is larger than the limit of %d bytes: %w", b.limits.Layer, ErrTooLarge)
	}
	return b.take(n, 0)
}

// take counts towards the image, also what the node had already.
func (b *budget) take(size, files int64) error {
	if b.image.size.Add(size) > b.limits.Image {
		return fmt.Errorf("the image's layers are larger than the limit of %d bytes: %w", b.limits.Image, ErrTooLarge)
	}
	if b.image.files.Add(files) > b.limits.Files {
		return fmt.Errorf("the image's layers have more than %d files: %w", b.limits.Files, ErrTooLarge)
	}
	return nil
}

// space counts what is really written, and fails before the disk is full.
func (b *budget) space(n int64) error {
	if err := context.Cause(b.ctx); err != nil {
		return err
	}
	if b.written += n; b.written < spaceStep {
		return nil
	}
	b.written = 0
	return b.room(0)
}

// room fails when there are not so many bytes free, with some to spare.
func (b *budget) room(n int64) error {
	free, _, err := b.free()
	if err != nil {
		return err
	}
	if free-b.limits.Spare < n {
		return fmt.Errorf("%d MiB are free where images are kept, and %d are to stay so: make room there, or let unused images go sooner by gc { image_delay, max_disk_percent }: %w",
			free/mib, b.limits.Spare/mib, ErrNoSpace)
	}
	return nil
}
