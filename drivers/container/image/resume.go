package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

const (
	// resumePatience is how long a blob whose connection broke is asked for again while nothing more of it comes.
	resumePatience = 30 * time.Second
	firstPause     = 100 * time.Millisecond
	longestPause   = 3 * time.Second
)

// resumable is whether an answer is a blob that can be had from the middle on: its length is known. What came is checked by its digest as a whole.
func resumable(req *http.Request, resp *http.Response) bool {
	return req.Method == http.MethodGet && resp.StatusCode == http.StatusOK && resp.ContentLength > 0 &&
		(strings.Contains(req.URL.Path, "/blobs/") || req.Response != nil)
}

// resumedBody is a blob as it comes. When its connection breaks it goes on where it stopped, over a new one.
type resumedBody struct {
	io.ReadCloser
	way *guarded
	req *http.Request
	// got bytes of size have come.
	got, size int64
	// since is when the connection first broke after the last byte, and pause what is waited next; both zero while bytes come.
	since time.Time
	pause time.Duration
}

// Read gives what came.
func (b *resumedBody) Read(p []byte) (int, error) {
	for {
		n, err := b.ReadCloser.Read(p)
		b.got += int64(n)
		if n > 0 {
			b.since, b.pause = time.Time{}, 0
		}
		if err == nil || err == io.EOF || !b.broken(err) {
			return n, err
		}
		if n > 0 {
			return n, nil // a broken body says so again
		}
		if err := b.goOn(err); err != nil {
			return 0, err
		}
	}
}

// broken is whether err is one of the connection, which another one may not have.
func (b *resumedBody) broken(err error) bool {
	if b.req.Context().Err() != nil {
		return false
	}
	for _, final := range []error{context.Canceled, context.DeadlineExceeded, errAbandoned, ErrStalled, ErrTooLarge, ErrDenied, ErrNotFound} {
		if errors.Is(err, final) {
			return false
		}
	}
	return true
}

// goOn opens the rest of the blob, after a pause.
func (b *resumedBody) goOn(why error) error {
	ctx := b.req.Context()
	if b.since.IsZero() {
		b.since, b.pause = time.Now(), firstPause
	}
	for ; time.Since(b.since) < min(resumePatience, b.way.options.ActivityTimeout); b.pause = min(2*b.pause, longestPause) {
		_ = b.ReadCloser.Close()
		timer := time.NewTimer(b.pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		case <-timer.C:
		}
		rest, err := b.rest(ctx)
		if err == nil {
			b.ReadCloser = rest
			b.pause = min(2*b.pause, longestPause)
			return nil
		}
		if !b.broken(err) {
			return err
		}
		why = err
	}
	return fmt.Errorf("%w: the connection to %s broke off after %d of %d bytes: %v", ErrUnavailable, b.req.URL.Host, b.got, b.size, why)
}

// rest asks for what has not come yet. A server that sends all of it again is heard out.
func (b *resumedBody) rest(ctx context.Context) (io.ReadCloser, error) {
	req := b.req.Clone(ctx)
	req.Header.Set("Range", fmt.Sprintf("bytes=%d-", b.got))
	resp, err := b.way.once(req)
	if err != nil {
		return nil, err
	}
	skip := int64(0)
	switch {
	case resp.StatusCode == http.StatusPartialContent && strings.HasPrefix(resp.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", b.got)):
	case resp.StatusCode == http.StatusOK:
		skip = b.got
	case resp.StatusCode >= http.StatusInternalServerError || resp.StatusCode == http.StatusTooManyRequests:
		err = fmt.Errorf("it answers %s", resp.Status)
	default:
		err = fmt.Errorf("it answers %s: %w", resp.Status, ErrDenied)
	}
	if err == nil {
		_, err = io.CopyN(io.Discard, resp.Body, skip)
	}
	if err != nil {
		_ = resp.Body.Close()
		return nil, err
	}
	return resp.Body, nil
}
