package render

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
)

// maxFrame is the size of the largest message between agent and worker: the
// largest output, written in base64.
const maxFrame = MaxOutput*4/3 + 1<<20

// request asks a worker for one render.
type request struct {
	Text       []byte
	Left       string
	Right      string
	MissingKey bool // a key that a map does not have is an error
	Denied     []string
	Env        map[string]string
}

// answer is what a worker says: it asks for a file, or is done.
type answer struct {
	File   string // asked for; nothing else is set
	Output []byte
	Err    string
}

// contents answers a worker that asked for a file.
type contents struct {
	Data []byte
	Err  string
}

// send writes one message: its length, then JSON.
func send(w io.Writer, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if len(body) > maxFrame {
		return fmt.Errorf("message of %d bytes is larger than %d", len(body), maxFrame)
	}
	if _, err := w.Write(binary.BigEndian.AppendUint32(nil, uint32(len(body)))); err != nil {
		return err
	}
	_, err = w.Write(body)
	return err
}

// receive reads one message. The sender is not trusted: no more is allocated
// than has come.
func receive(r io.Reader, v any) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > maxFrame {
		return fmt.Errorf("message of %d bytes is larger than %d", size, maxFrame)
	}
	body, err := io.ReadAll(io.LimitReader(r, int64(size)))
	if err != nil {
		return err
	}
	if len(body) < int(size) {
		return io.ErrUnexpectedEOF
	}
	return json.Unmarshal(body, v)
}
