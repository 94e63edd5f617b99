package rpc

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/wire"
)

// Kinds of frames.
const (
	frameMessage byte = iota + 1
	frameError        // ends the stream: the kind of the error and its text
)

// frameHead is the size of what stands before a frame's body: its length in
// four bytes, most significant first, and its kind.
const frameHead = 5

// trust is how much memory is taken on the word of a frame's length alone.
const trust = 64 << 10

// newFrame gives room for a head, to which the body is appended.
func newFrame() []byte { return make([]byte, frameHead, 512) }

// sealFrame fills in the head.
func sealFrame(b []byte, kind byte) ([]byte, error) {
	n := len(b) - frameHead
	if n > maxFrame {
		return nil, api.Errorf(api.ErrTooLarge, "a message of %d bytes: at most %d can be sent", n, maxFrame)
	}
	binary.BigEndian.PutUint32(b, uint32(n))
	b[4] = kind
	return b, nil
}

// readFrame reads the next frame. io.EOF says that the stream ended between two frames.
func readFrame(r io.Reader) (kind byte, body []byte, err error) {
	var head [frameHead]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	n := int64(binary.BigEndian.Uint32(head[:]))
	if n > maxFrame {
		return 0, nil, api.Errorf(api.ErrTooLarge, "a message of %d bytes: at most %d are taken", n, maxFrame)
	}
	if n <= trust {
		body = make([]byte, n)
		_, err = io.ReadFull(r, body)
	} else {
		var b bytes.Buffer
		b.Grow(trust)
		_, err = io.CopyN(&b, r, n)
		body = b.Bytes()
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return head[4], body, err
}

func errorFrame(err error) ([]byte, error) {
	text := err.Error()
	w := wire.NewWriter(newFrame())
	w.String(kindName(err))
	w.String(text[:min(len(text), maxErrorText)])
	return sealFrame(w.Bytes(), frameError)
}

func decodeErrorFrame(body []byte) error {
	r := wire.NewReader(body)
	kind, text := r.String(), r.String()
	if err := r.End(); err != nil {
		return fmt.Errorf("error of the stream: %w", err)
	}
	return remoteError(kind, text)
}
