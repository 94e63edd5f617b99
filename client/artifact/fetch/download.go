package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"time"
)

var errStalled = errors.New("stalled")

// download copies a body into a file, within the limits; size is what the
// server says, below 0 when it says nothing.
func (f *fetcher) download(body io.Reader, size int64, name string) error {
	if err := f.fits(size); err != nil {
		return err
	}
	to, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer to.Close()
	n, err := io.Copy(to, f.limited(body))
	f.bytes += n
	if errors.Is(err, io.ErrUnexpectedEOF) && size >= 0 {
		return fmt.Errorf("the connection ended after %d of %d bytes", n, size)
	}
	if err != nil {
		return err
	}
	f.left -= n
	if size >= 0 && n != size {
		return fmt.Errorf("the server promised %d bytes and sent %d", size, n)
	}
	// Whole: until then nobody else could read it.
	return errors.Join(to.Chmod(0o644), to.Close())
}

func (f *fetcher) fits(size int64) error {
	if f.Limits.Bytes > 0 && size > f.left {
		return tooLarge("it is larger than the limit of %d bytes: the group's ephemeral_disk, or http_max_size of the agent's configuration", f.Limits.Bytes)
	}
	return nil
}

// limited refuses to read past what may be downloaded.
func (f *fetcher) limited(r io.Reader) io.Reader {
	if f.Limits.Bytes <= 0 {
		return r
	}
	return &cut{from: r, left: f.left, err: f.fits(f.left + 1)}
}

// cut gives an error in place of the byte after the last that is allowed.
type cut struct {
	from io.Reader
	left int64
	err  error
}

func (c *cut) Read(p []byte) (int, error) {
	if int64(len(p)) > c.left+1 {
		p = p[:c.left+1]
	}
	n, err := c.from.Read(p)
	if int64(n) > c.left {
		return int(c.left), c.err
	}
	c.left -= int64(n)
	return n, err
}

// watchStall ends a context when nothing was read for too long. The reader that
// it gives is to be read in place of the other.
func watchStall(ctx context.Context, limit time.Duration, body func(context.Context) (io.Reader, error)) (io.Reader, func(), error) {
	if limit <= 0 {
		r, err := body(ctx)
		return r, func() {}, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(limit, func() { cancel(errStalled) })
	stop := func() {
		timer.Stop()
		cancel(nil)
	}
	r, err := body(ctx)
	if err != nil {
		if cause := context.Cause(ctx); errors.Is(cause, errStalled) {
			err = cause
		}
		stop()
		return nil, nil, err
	}
	return &restless{from: r, timer: timer, limit: limit, cause: func() error { return context.Cause(ctx) }}, stop, nil
}

// restless winds the timer up again with every read.
type restless struct {
	from  io.Reader
	timer *time.Timer
	limit time.Duration
	cause func() error
}

func (r *restless) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	if n > 0 {
		r.timer.Reset(r.limit)
	}
	if err != nil && !errors.Is(err, io.EOF) && errors.Is(r.cause(), errStalled) {
		err = errStalled
	}
	return n, err
}

// finish makes the result of a file that lies in the temporary directory: it is
// checked, and then unpacked or moved.
func (f *fetcher) finish(ctx context.Context, file string) error {
	if err := f.verify(ctx, file); err != nil {
		return err
	}
	if f.Archive == "" {
		if f.Mode == ModeDir {
			return invalid("it is a single file, and mode \"dir\" wants a directory: use mode \"file\", or name an archive")
		}
		f.single = f.Name
		return os.Rename(file, path.Join(ResultDir, f.Name))
	}
	dir := ResultDir
	if f.Subdir != "" || f.Mode == ModeFile {
		dir = path.Join(tempDir, "tree")
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	if err := f.unpack(ctx, file, dir); err != nil {
		return err
	}
	if err := os.Remove(file); err != nil {
		return err
	}
	return f.choose(dir)
}
