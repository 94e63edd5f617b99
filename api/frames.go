package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// FrameReader reads a stream of frames (files and logs that are followed).
type FrameReader struct {
	body    io.ReadCloser
	decoder *json.Decoder
	rest    []byte
}

// NewFrameReader reads frames from the body of a response. Closing the reader
// closes the body.
func NewFrameReader(body io.ReadCloser) *FrameReader {
	return &FrameReader{body: body, decoder: json.NewDecoder(body)}
}

// Next gives the next frame that is no heartbeat; io.EOF at the end.
func (r *FrameReader) Next() (*StreamFrame, error) {
	for {
		var f StreamFrame
		if err := r.decoder.Decode(&f); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return nil, io.EOF
			}
			return nil, fmt.Errorf("read stream: %w", err)
		}
		if len(f.Data) > 0 || f.FileEvent != "" {
			return &f, nil
		}
	}
}

// Read gives the data of the frames without their seams.
func (r *FrameReader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		f, err := r.Next()
		if err != nil {
			return 0, err
		}
		r.rest = f.Data
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// Close ends the stream.
func (r *FrameReader) Close() error { return r.body.Close() }
